"""Training against others than the present policy: who is met, who is trained, and what is counted."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from opponent_bench import Bench, Drawn

from arena.config.train import (
    EvaluationConfig,
    FixedConfig,
    GameQuota,
    LaggedConfig,
    PoolConfig,
    RaeConfig,
    TrainConfig,
)
from arena.core.errors import InfrastructureError
from arena.core.events import IllegalReply, MatchStarted, TurnTaken
from arena.core.player import Player, Reply, View
from arena.core.registry import load_player
from training.advantages.rae import RoleConditioned
from training.former import FormerSelves
from training.metrics import game_metrics, summarise
from training.opponents import Opponent, Result, Seating, against, learner_seat
from training.opponents.fixed import Fixed
from training.opponents.lagged import Lagged
from training.opponents.pool import Pool
from training.rollout import Played, Rollout, collect, plan

KUHN = "kuhn_poker?hands=1&payoff=chips"


class Failing(Drawn):
    """Cannot answer in the first `times` calls of each match."""

    def __init__(self, times: int) -> None:
        super().__init__("failing")
        self.times = times
        self.calls: Counter[int] = Counter()

    async def act(self, view: View) -> Reply:
        self.calls[view.key] += 1
        if self.calls[view.key] <= self.times:
            raise InfrastructureError("nobody answers")
        return await super().act(view)


class Across(Opponent):
    """Any player on the seat that is not trained."""

    def __init__(self, player: Player) -> None:
        self.player = player

    def seat(self, policy: Player, match: int) -> Seating:
        return against(policy, self.player, match)


def rollout(opponent: Opponent, quota: GameQuota, policy: Player | None = None, shaping: str = "zero_sum") -> Rollout:
    planned = plan([quota], {quota.game: 3.0}, 1, 0)
    return asyncio.run(collect(planned, policy or Drawn("policy"), opponent, shaping))


def played(
    opponent: Opponent, quota: GameQuota, policy: Player | None = None, shaping: str = "zero_sum"
) -> list[Played]:
    return rollout(opponent, quota, policy, shaping).played


@given(first=st.integers(0, 10**6), count=st.integers(1, 300), ranks=st.sampled_from([1, 2]))
def test_the_policys_seats_are_shared_fairly_on_every_rank(first: int, count: int, ranks: int) -> None:
    for rank in range(ranks):
        seats = [learner_seat(first + place) for place in range(rank, count, ranks)]
        assert abs(2 * sum(seats) - len(seats)) <= 2
    assert learner_seat(first * 2) != learner_seat(first * 2 + 1), "two matches in a row swap seats"


def test_only_the_policys_own_turns_are_trained_though_the_other_has_samples_too() -> None:
    matches = played(Across(Drawn("other", mark=1)), GameQuota(game="tictactoe", turns=90))
    for match in matches:
        (trajectory,) = match.trajectories
        seat = learner_seat(match.number)
        assert (trajectory.role, match.trained) == (seat, (seat == 0, seat == 1))
        assert {sample.prompt_ids for sample in trajectory.samples} <= {(0, seat)}
        mine = [event for event in match.events if isinstance(event, TurnTaken) and event.seat == seat]
        assert len(trajectory.samples) == len(mine)
        assert trajectory.value == match.returns[seat]
        started = match.events[0]
        assert isinstance(started, MatchStarted)
        assert started.players[seat] == "policy"
        assert match.opponent == started.players[1 - seat] == "other"
    assert {match.trajectories[0].role for match in matches} == {0, 1}


def test_random_openings_are_on_both_seats_and_nobody_learns_from_them() -> None:
    quota = GameQuota(game="tictactoe", turns=900, opening_plies=3, opening_random=0.5)
    matches = played(Across(Drawn("other", mark=1)), quota)
    turns = [(match, event) for match in matches for event in match.events if isinstance(event, TurnTaken)]
    early = [event.reply.sample is None for match, event in turns if event.turn < 3 and match.trained[event.seat]]
    others = [event.reply.sample is None for match, event in turns if event.turn < 3 and not match.trained[event.seat]]
    assert 0.4 < sum(early) / len(early) < 0.6
    assert 0.4 < sum(others) / len(others) < 0.6
    assert all(event.reply.sample is not None for _, event in turns if event.turn >= 3)
    trained = sum(len(match.trajectories[0].samples) for match in matches)
    assert trained == sum(match.trained[event.seat] and event.reply.sample is not None for match, event in turns)


@pytest.mark.parametrize("player", ["random", "scripted", "optimal"])
def test_a_fixed_player_plays_as_anywhere_also_one_that_sees_the_state(player: str) -> None:
    opponent = Fixed(FixedConfig(player=player), Bench().context())
    opponent.before_step(0)
    matches = played(opponent, GameQuota(game="tictactoe", turns=300, random_start=0.3, opening_plies=2))
    assert {match.opponent for match in matches} == {player}
    assert all(match.forfeit is None for match in matches)
    scores = [summarise(match, match.returns).policy_score for match in matches]
    assert (sum(scores) / len(scores) < 0.4) == (player != "random")


@pytest.mark.parametrize(("shaping", "bad", "good"), [("zero_sum", -1.0, 1.0), ("spiral", -1.5, 0.5)])
@pytest.mark.parametrize("offender", ["policy", "other"])
def test_whoever_forfeits_loses_and_the_policy_is_trained_with_its_part(
    shaping: str, bad: float, good: float, offender: str
) -> None:
    policy, other = (Drawn(name, 0, 0.3 if name == offender else 0.0) for name in ("policy", "other"))
    matches = played(Across(other), GameQuota(game="tictactoe", turns=90), policy, shaping)
    forfeits = [match for match in matches if match.forfeit is not None]
    assert forfeits
    for match in forfeits:
        (trajectory,) = match.trajectories
        assert (match.forfeit == trajectory.role) == (offender == "policy")
        assert trajectory.value == (bad if offender == "policy" else good)
        illegal = [event.reply.sample for event in match.events if isinstance(event, IllegalReply)]
        assert (illegal[0] in trajectory.samples) == (offender == "policy")
    share = len(forfeits) / len(matches)
    rows = {row.name: row for row in game_metrics(1, [summarise(match, match.returns) for match in matches])}
    assert rows["forfeit_rate"].value == (share if offender == "policy" else 0)
    assert rows["opponent_forfeit_rate"].value == (share if offender == "other" else 0)


def test_figures_are_the_policys_alone() -> None:
    matches = played(Across(Drawn("other", mark=1)), GameQuota(game="tictactoe", turns=90))
    summaries = [summarise(match, match.returns) for match in matches]
    for match, summary in zip(matches, summaries, strict=True):
        assert summary.turns == len(match.trajectories[0].samples)
        assert summary.tokens == 2 * summary.turns
    rows = {(row.name, row.role): row for row in game_metrics(1, summaries)}
    for role in (0, 1):
        mine = [match.returns[role] for match in matches if match.trained[role]]
        assert rows["return", str(role)].value == sum(mine) / len(mine)
        assert rows["return", str(role)].n == len(mine)
    wins = sum(match.returns[match.trained.index(True)] > 0 for match in matches)
    draws = sum(match.returns == (0, 0) for match in matches)
    score = rows["training_score", ""]
    assert score.value == pytest.approx((wins + draws / 2) / len(matches))
    assert score.opponent == "other"
    assert ("self_play_draw_rate", "") not in rows


def test_a_baseline_follows_the_returns_of_the_policys_role_alone() -> None:
    """Against an exact player the second role earns less than the first: one baseline for both would show."""
    matches = played(Across(load_player("optimal")), GameQuota(game="tictactoe", turns=600))
    estimator = RoleConditioned(RaeConfig(decay=0.9))
    estimator.advantages([trajectory.outcome for match in matches for trajectory in match.trajectories])
    for role in (0, 1):
        expected = 0.0
        for match in matches:
            if learner_seat(match.number) == role:
                expected = 0.9 * expected + 0.1 * match.returns[role]
        assert estimator.baselines()["tictactoe", role] == pytest.approx(expected)


def test_a_void_match_is_played_again_and_left_out_at_last() -> None:
    quota = GameQuota(game="tictactoe", turns=30)
    plain = rollout(Across(Drawn("failing")), quota)
    again = rollout(Across(Failing(2)), quota)
    assert [match.transcript for match in again.played] == [match.transcript for match in plain.played]
    assert again.voids == []
    never = rollout(Across(Failing(10**6)), quota)
    assert never.played == []
    assert never.voids == ["nobody answers"] * len(plain.played)


def test_a_lagged_copy_is_taken_anew_every_so_many_steps() -> None:
    bench = Bench()
    opponent = Lagged(LaggedConfig(every=3), bench.context())
    met = [bench.begin(opponent, step) for step in range(7)]
    assert [loaded for (loaded,) in met] == [(0, float(step), f"lagged@{step}") for step in (0, 0, 0, 3, 3, 3, 6)]
    assert len(bench.frozen) == 1, "one engine for all copies"
    assert [opponent.tensors()["lagged"].item(), opponent.state_dict()] == [6.0, {"step": 6}]


def test_a_pool_takes_members_in_keeps_the_newest_and_meets_few_of_them_a_step() -> None:
    bench = Bench()
    pool = Pool(PoolConfig(every=2, size=3, active=2, sampling="uniform"), bench.context())
    seen = set()
    for step in range(60):
        loaded = bench.begin(pool, step)
        newest = step // 2 * 2
        assert [member.step for member in pool.members] == [s for s in (newest - 4, newest - 2, newest) if s >= 0]
        assert 1 <= len(loaded) <= 2
        assert len({place for place, _, _ in loaded}) == len(loaded), "an engine each"
        assert all(name == f"pool@{weights:.0f}" for _, weights, name in loaded)
        names = {pool.seat(Drawn("policy"), match).players[1 - learner_seat(match)].name for match in range(99)}
        assert names == {name for _, _, name in loaded}
        seen |= {newest - int(weights) for _, weights, _ in loaded}
    assert seen == {0, 2, 4}
    assert len(bench.frozen) == 2


def test_a_pool_plays_the_share_of_self_play_asked_for() -> None:
    pool = Pool(PoolConfig(self_play=0.25), Bench().context())
    pool.before_step(0)
    seatings = [pool.seat(Drawn("policy"), match) for match in range(2000)]
    share = sum(seating.trained == (True, True) for seating in seatings) / 2000
    assert 0.22 < share < 0.28
    assert pool.trained_seats == 1.25


rates = st.floats(0, 1)


@given(one=rates, other=rates, matches=st.integers(1, 500), power=st.floats(0, 6))
def test_prioritised_sampling_never_prefers_the_weaker_member(
    one: float, other: float, matches: int, power: float
) -> None:
    pool = Pool(PoolConfig(every=1, power=power), Bench().context())
    pool.before_step(0)
    pool.before_step(1)
    for member, rate in zip(pool.members, (one, other), strict=True):
        member.score, member.matches = rate * matches, matches
    first, second = pool.priorities()
    assert first > 0
    assert second > 0, "nobody is lost for good"
    if one < other:
        assert first >= second
    if power == 0:
        assert first == second


@pytest.mark.parametrize("sampling", ["uniform", "prioritised"])
def test_a_member_that_beats_the_policy_is_met_more_often_if_asked_for(sampling: str) -> None:
    bench = Bench()
    settings = {"every": 10**6, "active": 3, "sampling": sampling}
    pool = Pool(PoolConfig.model_validate(settings), bench.context(seed=3))
    bench.begin(pool, 0)
    pool.config = PoolConfig.model_validate(settings | {"every": 1})
    bench.begin(pool, 1)
    pool.config = PoolConfig.model_validate(settings)
    strong = pool.members[0].step
    met: Counter[int] = Counter()
    for step in range(2, 200):
        bench.begin(pool, step)
        results = []
        for match in range(step * 10, step * 10 + 10):
            name = pool.seat(Drawn("policy"), match).players[1 - learner_seat(match)].name
            met[int(name.removeprefix("pool@"))] += 1
            results.append(Result(match, 0.0 if name == f"pool@{strong}" else 1.0))
        pool.observe(results)
    share = met[strong] / met.total()
    assert (share > 0.85) if sampling == "prioritised" else (0.4 < share < 0.6)
    first, second = pool.members
    assert first.rate < 0.1 < 0.7 < second.rate


def test_results_fade_as_the_policy_changes() -> None:
    bench = Bench()
    pool = Pool(PoolConfig(every=10**6, memory=0.5), bench.context())
    bench.begin(pool, 0)
    for _ in range(4):
        pool.observe([Result(match, 0.0) for match in range(100)])
    assert pool.members[0].rate < 0.02
    for _ in range(8):
        pool.observe([Result(match, 1.0) for match in range(100)])
    assert pool.members[0].rate > 0.95
    before = pool.state_dict()
    pool.observe([])
    assert pool.state_dict() == before, "a step without it changes nothing"


def former(every: int, lag: int, steps: int, *opponents: str) -> tuple[FormerSelves, Bench]:
    evaluation = EvaluationConfig(every=every, lag=lag, opponents=opponents)
    config = TrainConfig(steps=steps, games=[GameQuota(game="tictactoe", turns=1)], evaluation=evaluation)
    bench = Bench()
    return FormerSelves(config, bench.freeze), bench


def test_an_evaluation_meets_the_weights_offered_just_so_many_steps_before() -> None:
    selves, bench = former(5, 3, 12, "random", "self")
    met = {}
    for step in range(13):
        selves.keep(step, torch.tensor([float(step)]))
        if step % 5 == 0 or step == 12:
            bench.loaded = []
            met[step] = (list(selves.players(step)), [weights for _, weights, _ in bench.loaded])
        assert len(selves.tensors()) <= 2, "only those that will be needed"
    assert met == {0: ([], []), 5: (["self(t-3)"], [2.0]), 10: (["self(t-3)"], [7.0]), 12: (["self(t-3)"], [9.0])}
    assert selves.tensors() == {}


def test_former_selves_are_copies_and_go_on_from_a_checkpoint() -> None:
    selves, _ = former(4, 2, 8, "self")
    weights = torch.tensor([2.0])
    selves.keep(2, weights)
    weights.fill_(9.0)
    later, bench = former(4, 2, 8, "self")
    later.load({**selves.tensors(), "pool_2": torch.tensor([5.0])})
    assert list(later.players(4)) == ["self(t-2)"]
    assert bench.loaded == [(0, 2.0, "self(t-2)")]


def test_without_the_word_nothing_is_kept() -> None:
    selves, bench = former(1, 1, 9, "random")
    selves.keep(1, torch.tensor([1.0]))
    assert (selves.tensors(), selves.players(2), bench.frozen) == ({}, {}, [])
