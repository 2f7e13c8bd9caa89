"""Kuhn Poker's rules, its exact solution, and the player `optimal` in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from fractions import Fraction as F
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.core.errors import UsageError
from arena.core.events import Forfeit, MatchEnded, TurnTaken
from arena.core.game import Illegal
from arena.core.match import play
from arena.core.registry import GameSpec, load_player
from arena.games.kuhn_poker import State, new
from arena.oracles import kuhn_poker as oracle
from arena.players.optimal import optimal_policy

DEALS = ["".join(pair) for pair in permutations("JQK", 2)]
LINES = {"check check": 1, "check bet fold": -1, "check bet call": 2, "bet fold": 1, "bet call": 2}
UNIFORM = dict.fromkeys(oracle.INFOSETS, F(1, 2))


def one_hand(cards: str, line: str = "") -> State:
    state = State(key=0, hands=1, payoff="chips", cards=cards)
    for word in line.split():
        state = state.apply(f"[{word}]")
    return state


@pytest.mark.parametrize("cards", DEALS)
@pytest.mark.parametrize("line", LINES)
def test_one_hand_pays_one_chip_or_two_after_a_call(cards: str, line: str) -> None:
    returns = one_hand(cards, line).returns()
    assert returns is not None
    higher = 1 if "JQK".index(cards[0]) > "JQK".index(cards[1]) else -1
    expected = {"check bet fold": -1, "bet fold": 1}.get(line, higher * LINES[line])
    assert returns == (expected, -expected)


def test_the_betting_says_who_acts_and_what_is_legal() -> None:
    cases = {"": (0, "check bet"), "check": (1, "check bet"), "check bet": (0, "fold call"), "bet": (1, "fold call")}
    for line, (seat, words) in cases.items():
        state = one_hand("JQ", line)
        assert state.to_act == seat
        assert state.legal() == [f"[{word}]" for word in words.split()]


def test_an_action_of_the_other_stage_is_refused_by_name() -> None:
    refusal = one_hand("JQ", "bet").parse("[check]")
    assert isinstance(refusal, Illegal)
    assert "[check] is not legal now" in refusal.reason
    with pytest.raises(ValueError, match="not legal"):
        one_hand("JQ", "bet").apply("[bet]")


@pytest.mark.parametrize("answer", ["I would not bet, so [check]", "[Check]", "check", "CHECK.", "\\text{check}"])
def test_one_named_action_is_read(answer: str) -> None:
    assert one_hand("JQ").parse(answer) == "[check]"


@pytest.mark.parametrize(
    "answer", ["[bet] then [check]", "check or bet", "[raise]", "well [Bet] or [check]", "checking"]
)
def test_several_or_no_actions_are_refused(answer: str) -> None:
    assert isinstance(one_hand("JQ").parse(answer), Illegal)


def test_one_hand_has_exactly_twelve_observations() -> None:
    seen: dict[str, set[oracle.InfoSet]] = {}
    for cards in DEALS:
        for line in ("", "check", "check bet", "bet"):
            state = one_hand(cards, line)
            assert state.to_act is not None
            seen.setdefault(state.observe(state.to_act), set()).add(oracle.infoset_of(state))
    assert len(seen) == 12
    assert all(len(infosets) == 1 for infosets in seen.values())
    assert set(seen) == {oracle.observation(infoset) for infoset in oracle.INFOSETS}


def test_observations_tell_own_and_other_actions_apart() -> None:
    state = one_hand("KJ", "check bet")
    assert state.observe(0) == "Kuhn Poker. Hand 1 of 1. Chips +0. Your card K. You check. They bet."
    assert state.observe(1) == "Kuhn Poker. Hand 1 of 1. Chips +0. Your card J. They check. You bet."


def test_openers_alternate_and_chips_add_up_over_the_hands() -> None:
    state = new(3)
    for hand in range(5):
        assert state.to_act == hand % 2
        assert f"Hand {hand + 1} of 5. Chips {-state.chips:+d}." in state.observe(1)
        before, cards, opener = state.chips, state.cards, hand % 2
        state = state.apply("[bet]").apply("[call]")
        higher = max(cards, key="JQK".index) == cards[opener]
        assert state.chips - before == (2 if higher == (opener == 0) else -2)
    assert state.to_act is None
    assert state.returns() == ((1.0, -1.0) if state.chips > 0 else (-1.0, 1.0))


def test_equal_chips_are_a_draw() -> None:
    state = State(key=1, hands=2, payoff="win", cards="JK").apply("[bet]").apply("[fold]")
    drawn = state.apply("[bet]").apply("[fold]")
    assert drawn.chips == 0
    assert drawn.returns() == (0.0, 0.0)


@pytest.mark.parametrize("hands", [1, 2, 5])
def test_chips_are_the_returns_of_the_chips_payoff(hands: int) -> None:
    state = new(8, hands=hands, payoff="chips")
    assert state.utility == (-2 * hands, 2 * hands)
    while state.to_act is not None:
        state = state.apply("[bet]" if "[bet]" in state.legal() else "[call]")
    assert state.returns() == (state.chips, -state.chips)
    assert abs(state.chips) <= 2 * hands


def test_the_deal_is_by_seat_and_does_not_hang_on_the_play() -> None:
    def deals(words: tuple[str, str]) -> list[str]:
        state, cards = new(12, hands=10), []
        while state.to_act is not None:
            if not state.history:
                cards.append(state.cards)
            state = state.apply(f"[{words[0] if '[bet]' in state.legal() else words[1]}]")
        return cards

    assert deals(("bet", "fold")) == deals(("check", "call")) == deals(("bet", "call"))
    assert len(deals(("bet", "fold"))) == 10
    assert len(set(deals(("bet", "fold")))) > 2


def test_all_six_deals_are_equally_likely() -> None:
    counts = [sum(new(key).cards == deal for key in range(6000)) for deal in DEALS]
    assert sum(counts) == 6000
    # Chi-squared, 5 degrees of freedom: 20.5 has probability 0.001.
    assert sum((count - 1000) ** 2 / 1000 for count in counts) < 20.5


def test_the_known_exploitabilities_are_exact() -> None:
    assert oracle.exploitability(UNIFORM) == F(11, 24)
    assert oracle.exploitability(dict.fromkeys(oracle.INFOSETS, F(0))) == 1
    assert oracle.exploitability(dict.fromkeys(oracle.INFOSETS, F(1))) == F(1, 3)
    assert oracle.best_response_value(UNIFORM, 0) == F(1, 2)
    assert oracle.best_response_value(UNIFORM, 1) == F(5, 12)
    assert oracle.expected_value(UNIFORM, UNIFORM) == F(1, 8)


@pytest.mark.parametrize(
    ("alpha", "against_uniform"), [(F(0), F(1, 18)), (F(1, 5), F(11, 90)), (F(1, 3), F(1, 6)), (F(1, 7), None)]
)
def test_the_equilibria_are_exact(alpha: F, against_uniform: F | None) -> None:
    nash = oracle.equilibrium(alpha)
    assert oracle.nash_conv(nash) == 0
    assert oracle.expected_value(nash, nash) == oracle.GAME_VALUE == F(-1, 18)
    assert -oracle.expected_value(UNIFORM, nash) == F(1, 6)
    if against_uniform is not None:
        assert oracle.expected_value(nash, UNIFORM) == against_uniform


@pytest.mark.parametrize("alpha", [F(-1, 100), F(34, 100), 1])
def test_there_is_no_equilibrium_beyond_the_range(alpha: F) -> None:
    with pytest.raises(ValueError, match="alpha"):
        oracle.equilibrium(alpha)


def test_leaving_the_equilibrium_at_any_one_infoset_costs_something() -> None:
    nash = oracle.equilibrium(F(1, 5))
    for infoset in oracle.INFOSETS:
        changed = nash | {infoset: nash[infoset] + (F(1, 10) if nash[infoset] < 1 else F(-1, 10))}
        assert oracle.exploitability(changed) > 0


@settings(max_examples=40, deadline=None)
@given(chances=st.lists(st.fractions(0, 1, max_denominator=50), min_size=12, max_size=12))
def test_the_fast_exploitability_agrees_with_the_exact_one(chances: list[F]) -> None:
    policy = dict(zip(oracle.INFOSETS, chances, strict=True))
    exact = oracle.exploitability(policy)
    assert exact >= 0
    assert isinstance(exact, F)
    assert oracle.fast_exploitability([float(chance) for chance in chances]) == pytest.approx(float(exact), abs=1e-12)


def leaves(state: State, first: oracle.Policy, second: oracle.Policy, share: F) -> Iterator[tuple[F, float]]:
    """Chance and return of seat 0 at each end, from the game's own rules."""
    returns = state.returns()
    if returns is not None:
        yield share, returns[0]
        return
    infoset = oracle.infoset_of(state)
    chance = (first, second)[infoset.seat][infoset]
    assert isinstance(chance, F)
    yield from leaves(state.apply(oracle.AGGRESSIVE[state.history]), first, second, share * chance)
    yield from leaves(state.apply(oracle.PASSIVE[state.history]), first, second, share * (1 - chance))


@settings(max_examples=20, deadline=None)
@given(chances=st.lists(st.fractions(0, 1, max_denominator=9), min_size=24, max_size=24))
def test_expected_values_agree_with_the_game(chances: list[F]) -> None:
    first = dict(zip(oracle.INFOSETS, chances[:12], strict=True))
    second = dict(zip(oracle.INFOSETS, chances[12:], strict=True))
    ends = [end for cards in DEALS for end in leaves(one_hand(cards), first, second, F(1, 6))]
    assert sum(share for share, _ in ends) == 1
    assert oracle.expected_value(first, second) == sum(share * int(won) for share, won in ends)


def test_infosets_and_states_belong_together() -> None:
    assert len(set(oracle.INFOSETS)) == 12
    for infoset in oracle.INFOSETS:
        for hidden in set("JQK") - {infoset.card}:
            state = oracle.state_of(infoset, hidden)
            assert oracle.infoset_of(state) == infoset
            assert state.to_act == infoset.seat
            assert state.observe(infoset.seat) == oracle.observation(infoset)
            assert oracle.AGGRESSIVE[infoset.history] in state.legal()
            assert oracle.PASSIVE[infoset.history] in state.legal()


def test_plain_tuples_are_infosets() -> None:
    assert oracle.exploitability({tuple(infoset): F(1, 2) for infoset in oracle.INFOSETS}) == F(11, 24)  # type: ignore[misc]


def test_nobody_acts_at_the_end_so_there_is_no_infoset() -> None:
    with pytest.raises(ValueError, match="nobody"):
        oracle.infoset_of(one_hand("JQ", "bet fold"))


def test_the_policy_played_is_the_equilibrium_with_one_fifth() -> None:
    assert optimal_policy("kuhn_poker", one_hand("JQ")) == {"[check]": pytest.approx(0.8), "[bet]": pytest.approx(0.2)}
    assert optimal_policy("kuhn_poker", one_hand("KQ", "check bet")) == {"[call]": 1.0}
    answer = optimal_policy("kuhn_poker", one_hand("QK", "check bet"))
    assert answer == {"[fold]": pytest.approx(7 / 15), "[call]": pytest.approx(8 / 15)}


def test_the_policy_follows_the_opener_in_every_hand() -> None:
    second = new(5).apply("[bet]").apply("[fold]")
    assert second.to_act == 1
    assert oracle.infoset_of(second) == (0, second.cards[1], "")
    assert optimal_policy("kuhn_poker", second)


def test_optimal_earns_the_value_of_the_game() -> None:
    async def mean(first: str, second: str, matches: int) -> float:
        spec = GameSpec.parse("kuhn_poker?hands=1&payoff=chips")
        players = (load_player(first), load_player(second))
        total = 0.0
        for key in range(matches):
            async for event in play(spec, players, key):
                assert not isinstance(event, Forfeit)
                if isinstance(event, MatchEnded):
                    total += event.returns[0]
        return total / matches

    # Standard error of the mean of 3,000 hands is about 0.025.
    assert asyncio.run(mean("optimal", "optimal", 3000)) == pytest.approx(-1 / 18, abs=0.1)
    assert asyncio.run(mean("optimal", "random", 3000)) == pytest.approx(11 / 90, abs=0.1)
    assert asyncio.run(mean("random", "optimal", 3000)) == pytest.approx(-1 / 6, abs=0.1)


def test_optimal_plays_every_variant_to_its_end() -> None:
    async def turns(variant: str) -> int:
        players = (load_player("optimal"), load_player("optimal"))
        events = [event async for event in play(GameSpec.parse(f"kuhn_poker{variant}"), players, 4)]
        return sum(isinstance(event, TurnTaken) for event in events)

    for variant, hands in (("", 5), ("?hands=10", 10), ("?payoff=chips", 5)):
        assert 2 * hands <= asyncio.run(turns(variant)) <= 3 * hands


@pytest.mark.parametrize("variant", [{"hands": 0}, {"hands": 1.0}, {"hands": True}, {"payoff": "chip"}, {"hand": 1}])
def test_wrong_variants_are_refused(variant: dict[str, str | int]) -> None:
    with pytest.raises(UsageError):
        new(1, **variant)
