from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import pytest

from arena.core.errors import InfrastructureError
from arena.core.match import play
from arena.core.player import Player, Reply, View
from arena.core.registry import GameSpec, load_player
from arena.games.kuhn_poker import ACTIONS, DECK
from arena.games.pig_dice import State as PigState
from arena.games.tictactoe import State as Board
from arena.oracles import kuhn_poker, pig_dice, tictactoe
from evals.ground_truth import ILLEGAL, GroundTruth, collect, measure, merge, sampling_floor, summarise, supported

TICTACTOE = GameSpec.parse("tictactoe")
KUHN = GameSpec.parse("kuhn_poker?hands=1&payoff=chips")
PIG = GameSpec.parse("pig_dice")
RANDOM, OPTIMAL = load_player("random"), load_player("optimal")


@dataclass
class Stub:
    """Answers by a rule; remembers what it was shown."""

    rule: Callable[[View], str]
    name: str = "stub"
    sees_state: bool = False
    seen: list[View] = field(default_factory=list)

    async def act(self, view: View) -> Reply:
        self.seen.append(view)
        answer = self.rule(view)
        return Reply(text=answer, thought="", answer=answer)

    async def close(self) -> None:
        return None


def measured(player: Player, game: GameSpec, seed: int = 0, samples: int | None = None) -> dict[str, GroundTruth]:
    return {truth.measure: truth for truth in asyncio.run(measure(player, game, seed, samples))}


def non_trivial() -> list[Board]:
    open_states = (state for state in tictactoe.reachable() if state.to_act is not None)
    return [state for state in open_states if len(tictactoe.optimal_actions(state)) < len(state.legal())]


def test_random_play_has_the_exact_optimal_move_and_blunder_rate() -> None:
    states = non_trivial()
    shares = [Fraction(len(tictactoe.optimal_actions(state)), len(state.legal())) for state in states]
    exact = float(sum(shares) / len(states))
    assert exact == pytest.approx(0.405, abs=0.0005)
    losing = [sum(v == -1 for v in tictactoe.action_values(state).values()) / len(state.legal()) for state in states]
    found = measured(RANDOM, TICTACTOE, samples=4)
    assert found["optimal_move_rate"].n == 4 * len(states) == 4 * 3191
    assert found["optimal_move_rate"].value == pytest.approx(exact, abs=0.013)
    assert found["blunder_rate"].value == pytest.approx(sum(losing) / len(states), abs=0.013)


def test_optimal_play_never_errs() -> None:
    assert measured(OPTIMAL, TICTACTOE)["optimal_move_rate"].value == 1.0
    assert measured(OPTIMAL, TICTACTOE)["blunder_rate"].value == 0.0
    assert measured(OPTIMAL, PIG)["value_loss"].value == 0.0


def test_a_missed_win_that_only_draws_is_neither_optimal_nor_a_blunder() -> None:
    values = {state.cells: tictactoe.action_values(state) for state in non_trivial()}
    cells, action = next((c, a) for c, vs in values.items() for a, v in vs.items() if v == 0 and max(vs.values()) == 1)
    rates = {t.measure: t.value for t in summarise("p", TICTACTOE, {cells: {action: 1}})}
    assert rates == {"optimal_move_rate": 0.0, "blunder_rate": 0.0}


def test_illegal_replies_are_not_optimal_and_blunders() -> None:
    found = measured(Stub(lambda view: "no move"), TICTACTOE)
    assert found["optimal_move_rate"].value == 0.0
    assert found["blunder_rate"].value == 1.0
    assert found["blunder_rate"].detail["illegal"] == 1.0


def test_kuhn_exploitability_of_pure_policies_is_exact() -> None:
    passive = measured(Stub(lambda view: (view.legal or [])[0]), KUHN, samples=20)["exploitability"]
    bold = measured(Stub(lambda view: (view.legal or [])[1]), KUHN, samples=20)["exploitability"]
    assert passive.value == pytest.approx(1.0)
    assert bold.value == pytest.approx(1 / 3)
    assert bold.detail["nash_conv"] == pytest.approx(2 / 3)
    assert bold.n == 12 * 20


def test_kuhn_exploitability_of_random_play_is_11_24() -> None:
    found = measured(RANDOM, KUHN)["exploitability"]
    assert found.n == 12 * 1024
    assert found.value == pytest.approx(11 / 24, abs=0.03)
    assert found.low < 11 / 24 < found.high
    assert found.high - found.low < 0.06


def test_exact_equilibrium_play_is_not_told_from_zero_and_reads_near_the_floor() -> None:
    found = measured(OPTIMAL, KUHN)["exploitability"]
    assert found.low == 0.0
    assert found.value < 0.015
    assert found.detail["floor"] == pytest.approx(0.007, abs=0.001)
    assert sampling_floor(256).score == pytest.approx(0.012, abs=0.002)


def test_illegal_kuhn_replies_count_as_check_or_fold_with_their_share() -> None:
    found = measured(Stub(lambda view: "[raise]"), KUHN, samples=5)["exploitability"]
    assert found.value == pytest.approx(1.0)
    assert found.detail["illegal"] == 1.0


def test_the_interval_covers_the_true_exploitability_of_a_mixed_policy() -> None:
    def chance(infoset: kuhn_poker.InfoSet) -> float:
        return 0.2 + 0.3 * DECK.index(infoset.card)

    truth = float(kuhn_poker.exploitability({infoset: chance(infoset) for infoset in kuhn_poker.INFOSETS}))
    hits = 0
    for seed in range(40):
        rng = random.Random(seed)
        replies = {}
        for infoset in kuhn_poker.INFOSETS:
            bold = sum(rng.random() < chance(infoset) for _ in range(100))
            name = f"{infoset.seat}/{infoset.card}/{infoset.history}"
            history = infoset.history
            replies[name] = {kuhn_poker.AGGRESSIVE[history]: bold, kuhn_poker.PASSIVE[history]: 100 - bold}
        (found,) = summarise("p", KUHN, replies)
        hits += found.low <= truth <= found.high
    assert hits >= 34


def test_kuhn_needs_every_infoset() -> None:
    with pytest.raises(ValueError, match="every infoset"):
        summarise("p", KUHN, {"0/J/": {"[bet]": 3}})


def test_pig_loses_what_the_oracle_says_and_all_of_it_when_illegal() -> None:
    hold = measured(Stub(lambda view: "[hold]"), PIG)["value_loss"]
    counts = asyncio.run(collect(Stub(lambda view: "[hold]"), PIG, 0))
    assert hold.n == len(counts) == 600
    assert 0.01 < hold.value < 0.3
    assert hold.low < hold.value < hold.high
    illegal = measured(Stub(lambda view: "?"), PIG)["value_loss"]
    assert 0.4 < illegal.value < 0.7
    assert illegal.detail["illegal"] == 1.0


def test_pig_positions_are_those_of_optimal_play() -> None:
    stub = Stub(lambda view: "[roll]", sees_state=True)
    asyncio.run(collect(stub, PIG, 0, concurrency=1))
    states = [view.state for view in stub.seen if isinstance(view.state, PigState)]
    assert len(states) == 600
    assert states[0] == PIG.new(states[0].key)
    for before, after in pairwise(states):
        assert after in (before.apply(pig_dice.optimal_action(before)), PIG.new(after.key))


@pytest.mark.parametrize("game", [TICTACTOE, KUHN, PIG], ids=lambda game: game.game.INFO.id)
def test_shares_of_the_positions_merge_to_the_whole(game: GameSpec) -> None:
    whole = asyncio.run(collect(RANDOM, game, 3, samples=2))
    shares = [asyncio.run(collect(RANDOM, game, 3, samples=2, part=part, parts=3)) for part in range(3)]
    assert merge(shares[::-1]) == merge([whole])
    assert summarise("p", game, merge(shares)) == summarise("p", game, whole)
    assert json.loads(json.dumps(whole)) == whole


def test_measures_depend_on_the_seed_and_not_on_concurrency() -> None:
    one = asyncio.run(collect(RANDOM, TICTACTOE, 1, stride=8, concurrency=1))
    assert one == asyncio.run(collect(RANDOM, TICTACTOE, 1, stride=8, concurrency=64))
    assert one != asyncio.run(collect(RANDOM, TICTACTOE, 2, stride=8))
    assert len(one) == 399


def test_every_reply_has_its_own_draw() -> None:
    stub = Stub(lambda view: "[check]")
    asyncio.run(collect(stub, KUHN, 0, samples=50))
    assert len({view.key for view in stub.seen}) == len(stub.seen) == 600


@pytest.mark.parametrize("game", [TICTACTOE, KUHN, PIG], ids=lambda game: game.game.INFO.id)
def test_the_player_is_shown_what_a_match_shows(game: GameSpec) -> None:
    asked, playing = Stub(lambda view: (view.legal or [])[0]), Stub(lambda view: (view.legal or [])[0])

    async def play_some() -> None:
        await collect(asked, game, 0, samples=1)
        for key in range(30):
            async for _ in play(game, (playing, playing), key):
                pass

    asyncio.run(play_some())
    shown = {(view.game, view.seat, view.rules, view.observation) for view in asked.seen}
    in_matches = {(view.game, view.seat, view.rules, view.observation) for view in playing.seen}
    assert shown & in_matches
    if game is KUHN:
        assert in_matches <= shown


def test_games_without_an_exact_solution_have_no_measure() -> None:
    for name in ("kuhn_poker", "snake", "pig_dice?target=100"):
        game = GameSpec.parse(name)
        assert not supported(game)
        assert asyncio.run(measure(RANDOM, game, 0)) == []


def test_a_failing_player_is_asked_again_and_then_its_failure_is_raised() -> None:
    failures: Counter[int] = Counter()

    def flaky(view: View) -> str:
        failures[view.key] += 1
        if failures[view.key] < 3:
            raise InfrastructureError("down")
        return next(iter(ACTIONS))

    counts = asyncio.run(collect(Stub(flaky), KUHN, 0, samples=1))
    assert sum(sum(found.values()) for found in counts.values()) == 12

    def dead(view: View) -> str:
        raise InfrastructureError("down")

    with pytest.raises(InfrastructureError, match="down"):
        asyncio.run(collect(Stub(dead), KUHN, 0, samples=1))


def test_illegal_replies_stand_in_the_counts_under_their_own_name() -> None:
    counts = asyncio.run(collect(Stub(lambda view: "[bet] [call]"), KUHN, 0, samples=4))
    assert counts
    assert all(found == {ILLEGAL: 4} for found in counts.values())
