"""Collecting: quotas, beginnings, shaping, and what is handed to the learner."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opponent_bench import Bench

from arena.config.train import FixedConfig, GameQuota, SelfPlayConfig
from arena.core.engine import Sampling
from arena.core.events import Forfeit, IllegalReply, MatchEnded, TurnTaken
from arena.core.player import Player, Reply, Sample, View
from arena.core.registry import GameSpec, game_ids, load_player
from arena.engines.loading import load_tokenizer
from arena.runs.reader import RunReader
from arena.runs.rows import PartialRow
from arena.runs.store import RunStore
from evals.featured import Featured
from training.metrics import game_metrics, summarise
from training.opponents import learner_seat
from training.opponents.fixed import Fixed
from training.opponents.self_play import SelfPlay
from training.rollout import (
    LiveView,
    Planned,
    Played,
    collect,
    games_in_turn,
    matches_needed,
    plan,
    random_start,
    shaped_returns,
)

KUHN = "kuhn_poker?hands=1&payoff=chips"


class Drawn:
    """A random bot with samples as a policy has them; illegal where `illegal` says so."""

    name, sees_state = "drawn", False

    def __init__(self, illegal: float = 0.0) -> None:
        self.illegal = illegal
        self.views: list[View] = []

    async def act(self, view: View) -> Reply:
        self.views.append(view)
        rng = random.Random(f"{view.key}/{view.seat}/{view.turn}")
        answer = "nothing" if rng.random() < self.illegal else view.sample(rng)
        ids = tuple(answer.encode())
        return Reply(answer, "", answer, sample=Sample((view.turn, view.seat), ids, (0.0,) * len(ids), 0))

    async def close(self) -> None:
        return None


def rollout(policy: Player, quota: GameQuota, shaping: str = "zero_sum", seed: int = 1) -> list[Played]:
    planned = plan([quota], {quota.game: 3.0}, seed, 0)
    return asyncio.run(collect(planned, policy, SelfPlay(SelfPlayConfig()), shaping)).played


@given(turns=st.integers(1, 5000), length=st.floats(0.0, 60.0))
def test_quotas_are_filled_by_whole_matches(turns: int, length: float) -> None:
    count = matches_needed(GameQuota(game="tictactoe", turns=turns), length)
    assert count >= 1
    assert count * max(length, 1.0) >= turns * (1 - 1e-12)
    assert count == 1 or (count - 1) * max(length, 1.0) < turns


def test_long_matches_do_not_swamp_short_ones() -> None:
    quotas = [GameQuota(game="simple_negotiation", turns=100), GameQuota(game=KUHN, turns=100)]
    planned = plan(quotas, {"simple_negotiation": 10.0, KUHN: 2.5}, 0, 7)
    assert Counter(match.spec.name for match in planned) == {"simple_negotiation": 10, KUHN: 40}
    assert [match.number for match in planned] == list(range(7, 57))
    assert len({match.key for match in planned}) == 50


def test_a_key_depends_on_seed_and_number_alone() -> None:
    first = plan([GameQuota(game="tictactoe", turns=9)], {"tictactoe": 3.0}, 5, 2)
    again = plan([GameQuota(game="tictactoe", turns=90)], {"tictactoe": 9.0}, 5, 0)
    assert [match.key for match in first] == [match.key for match in again[2:5]]
    other = plan([GameQuota(game="tictactoe", turns=9)], {"tictactoe": 3.0}, 6, 2)
    assert not {match.key for match in first} & {match.key for match in other}


@pytest.mark.parametrize("game", [*game_ids(), KUHN])
def test_random_starts_are_positions_of_real_matches_with_somebody_to_act(game: str) -> None:
    spec = GameSpec.parse(game)
    lengths = set()
    for key in range(30):
        state = random_start(spec, key)
        assert state.to_act in (0, 1)
        assert state.returns() is None
        legal = state.legal()
        assert legal is None or legal
        lengths.add(state.observe(state.to_act))
    assert len(lengths) > 3, "in the middle of matches too"


def test_a_random_start_of_tictactoe_is_a_legal_board() -> None:
    for key in range(60):
        state = random_start(GameSpec.parse("tictactoe"), key)
        board = state.observe(state.to_act or 0).splitlines()[1:]
        marks = Counter("".join(board))
        assert marks["X"] - marks["O"] == state.to_act


def test_only_the_share_asked_for_begins_elsewhere() -> None:
    played = rollout(Drawn(), GameQuota(game="tictactoe", turns=900, random_start=0.5))
    empty = "0 1 2\n3 4 5\n6 7 8"
    elsewhere = sum(empty not in match.transcript for match in played) / len(played)
    assert 0.35 < elsewhere < 0.6, "a random start may be the first position"


def test_openings_are_random_turns_that_are_not_trained() -> None:
    quota = GameQuota(game="tictactoe", turns=600, opening_plies=3, opening_random=0.5)
    policy = Drawn()
    played = rollout(policy, quota)
    turns = [event for match in played for event in match.events if isinstance(event, TurnTaken)]
    random_turns = [event for event in turns if event.reply.sample is None]
    assert {event.turn for event in random_turns} == {0, 1, 2}
    early = [event for event in turns if event.turn < 3]
    assert 0.4 < len(random_turns) / len(early) < 0.6
    trained = sum(len(trajectory.samples) for match in played for trajectory in match.trajectories)
    assert trained == len(turns) - len(random_turns) == len(policy.views)


def test_trained_samples_are_the_policys_own_turns_by_seat() -> None:
    for match in rollout(Drawn(), GameQuota(game="tictactoe", turns=60)):
        for trajectory in match.trajectories:
            assert {sample.prompt_ids[1] for sample in trajectory.samples} <= {trajectory.role}
            turns = [sample.prompt_ids[0] for sample in trajectory.samples]
            assert turns == sorted(turns)
            assert trajectory.value == match.returns[trajectory.role]


@pytest.mark.parametrize(("shaping", "bad", "good"), [("zero_sum", -1.0, 1.0), ("spiral", -1.5, 0.5)])
def test_an_illegal_reply_forfeits_and_is_trained_with_its_price(shaping: str, bad: float, good: float) -> None:
    played = rollout(Drawn(0.3), GameQuota(game="tictactoe", turns=90), shaping)
    forfeits = [match for match in played if match.forfeit is not None]
    assert forfeits
    for match in forfeits:
        values = {trajectory.role: trajectory.value for trajectory in match.trajectories}
        assert match.forfeit is not None
        assert (values[match.forfeit], values[1 - match.forfeit]) == (bad, good)
        assert (match.returns[match.forfeit], match.returns[1 - match.forfeit]) == (-1.0, 1.0)
        illegal = [event for event in match.events if isinstance(event, IllegalReply)]
        assert len(illegal) == 1, "no retries in training"
        assert illegal[0].reply.sample in match.trajectories[match.forfeit].samples
        assert isinstance(match.events[-2], Forfeit)


def test_shaping_scales_with_the_games_utility_and_leaves_other_ends_alone() -> None:
    assert shaped_returns(MatchEnded((-2.0, 2.0), 0, 1), (-2.0, 2.0), "spiral") == (-3.0, 1.0)
    assert shaped_returns(MatchEnded((2.0, -2.0), 1, 1), (-2.0, 2.0), "spiral") == (1.0, -3.0)
    assert shaped_returns(MatchEnded((-2.0, 2.0), None, 1), (-2.0, 2.0), "spiral") == (-2.0, 2.0)


def test_matches_come_back_in_the_order_planned_whatever_their_length() -> None:
    quotas = [GameQuota(game="tictactoe", turns=30), GameQuota(game=KUHN, turns=30)]
    planned: list[Planned] = plan(quotas, {"tictactoe": 7.0, KUHN: 2.0}, 3, 100)
    played = asyncio.run(collect(planned, Drawn(), SelfPlay(SelfPlayConfig()), "zero_sum")).played
    assert [match.number for match in played] == [match.number for match in planned]
    assert [match.game for match in played] == [match.spec.name for match in planned]


def test_distinct_matches_are_counted_by_game_start_and_actions() -> None:
    played = rollout(Drawn(), GameQuota(game=KUHN, turns=300))
    summaries = [summarise(match, match.returns) for match in played]
    (row,) = [row for row in game_metrics(1, summaries) if row.name == "distinct_matches"]
    lines = set()
    for match in played:
        steps = [(event.observation, event.action) for event in match.events if isinstance(event, TurnTaken)]
        lines.add((steps[0][0], *(action for _, action in steps)))
    assert row.value == len(lines) / len(played)
    assert 0 < row.value < 1
    assert row.n == len(played)


def test_the_trained_prompt_is_byte_equal_to_the_one_a_match_shows(small_model: Path) -> None:
    """Rebuilt here from the stored observation alone, with the tokenizer itself."""
    policy = load_player(f"ckpt:{small_model}?max_tokens=16&min_p=0")
    tokenizer = load_tokenizer(small_model)
    seen = 0
    for game in ("tictactoe", KUHN):
        quota = GameQuota(game=game, turns=30, random_start=0.5, opening_plies=2)
        for match in rollout(policy, quota):
            for event in match.events:
                if isinstance(event, TurnTaken | IllegalReply) and event.reply.sample is not None:
                    sample = event.reply.sample
                    expected = tokenizer.encode(event.observation + "\n", add_special_tokens=False).ids
                    assert list(sample.prompt_ids) == expected
                    assert tokenizer.decode(list(sample.token_ids), skip_special_tokens=True) == event.reply.text
                    assert len(sample.token_ids) == len(sample.logprobs)
                    assert all(logprob <= 0 for logprob in sample.logprobs)
                    trained = match.trajectories[event.seat].samples
                    assert sample in trained
                    seen += 1
    assert seen > 20


def test_sampled_logprobs_are_those_of_the_learners_forward(small_model: Path) -> None:
    import torch

    from training.policy import Policy

    policy = load_player(f"ckpt:{small_model}?max_tokens=16&min_p=0")
    learner = Policy.from_folder(small_model)
    assert getattr(policy, "sampling") == Sampling(max_tokens=16)  # noqa: B009
    match = rollout(policy, GameQuota(game="tictactoe", turns=4))[0]
    for trajectory in match.trajectories:
        for sample in trajectory.samples:
            ids = torch.tensor([[*sample.prompt_ids, *sample.token_ids]])
            at = torch.arange(len(sample.prompt_ids) - 1, ids.shape[1] - 1)
            with torch.no_grad():
                logp = torch.log_softmax(learner.logits(ids, at), -1)
            taken = logp.gather(1, torch.tensor(sample.token_ids)[:, None])[:, 0]
            torch.testing.assert_close(taken, torch.tensor(sample.logprobs), atol=1e-4, rtol=1e-4)


# -- the live view -------------------------------------------------------------------------------------------


def test_the_matches_shown_while_they_are_played_are_those_stored_after_the_step() -> None:
    quotas = [GameQuota(game=game, turns=20) for game in ("tictactoe", KUHN, "simple_negotiation")]
    planned = plan(quotas, {quota.game: 5.0 for quota in quotas}, 1, 0)
    chosen = [match.number for match in games_in_turn(planned)[:5]]
    assert [planned[number].game for number in chosen] == [quota.game for quota in (*quotas, *quotas[:2])]
    played = asyncio.run(collect(planned, Drawn(), SelfPlay(SelfPlayConfig()), "zero_sum")).played
    assert [match.number for match in games_in_turn(played)[:5]] == chosen


class Paused(Drawn):
    """Tells what it thinks, then waits."""

    def __init__(self) -> None:
        super().__init__()
        self.went_on = asyncio.Event()

    async def act(self, view: View) -> Reply:
        if view.partial is not None:
            view.partial("Hm")
        await self.went_on.wait()
        return await super().act(view)


@pytest.mark.parametrize("fixed", [False, True])
def test_the_running_step_is_shown_under_the_names_that_are_stored(tmp_path: Path, fixed: bool) -> None:
    planned = plan([GameQuota(game="tictactoe", turns=30)], {"tictactoe": 3.0}, 1, 40)

    async def watch(store: RunStore, reader: RunReader) -> list[PartialRow]:
        policy = Paused()
        opponent = Fixed(FixedConfig(player="random"), Bench().context()) if fixed else SelfPlay(SelfPlayConfig())
        shown = Featured(store, slots=3)
        task = asyncio.create_task(
            collect(planned, policy, opponent, "zero_sum", LiveView(shown, 3, "mine", lambda: 9))
        )
        while sum(row.text == "Hm" for row in reader.partials()) < 3:
            assert not task.done()
            await asyncio.sleep(0.002)
        rows = reader.partials()
        policy.went_on.set()
        assert len((await task).played) == len(planned)
        shown.close()
        assert reader.partials() == []
        return rows

    with RunStore(tmp_path) as store, RunReader(tmp_path) as reader:
        rows = asyncio.run(watch(store, reader))
    assert [row.pair for row in rows] == [40, 41, 42]
    assert {(row.game, row.a, row.step) for row in rows} == {("tictactoe", "mine@9", 9)}
    assert {row.b for row in rows} == {"random (training)" if fixed else "mine@9"}
    legs = [learner_seat(row.pair) if fixed else 0 for row in rows]
    assert [row.leg for row in rows] == legs
    assert [row.seat for row in rows] == legs, "it is the policy that thinks"
