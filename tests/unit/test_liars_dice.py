"""Rules of Liar's Dice, its script's claims, and how well the script plays."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.core.errors import UsageError
from arena.core.game import Illegal
from arena.games import liars_dice
from arena.games.liars_dice import BIDS, CALL, FACES, INFO, Bid, State, roll_of
from arena.players._scripts import STYLES
from arena.players._scripts import liars_dice as script

KEYS = st.integers(0, 2**63 - 1)
SEEDS = st.integers(0, 10**6)
DICE = st.sampled_from(INFO.variants["dice"])
HANDS = ("11346", "22456")
"""Ones 2, twos 2, threes 1, fours 2, fives 1, sixes 2."""


def dealt(*bids: tuple[int, int], hands: tuple[str, str] = HANDS, seat: int = 0) -> State:
    """The first round with these hands after these bids, opened by `seat`."""
    state = State(5, hands, seat=seat)
    for quantity, face in bids:
        state = state.apply(f"[Bid: {quantity}, {face}]")
    return state


def line_of(key: int, dice: int, seed: int) -> list[State]:
    """All positions of a random match, from the first to the last."""
    rng = random.Random(seed)
    states = [liars_dice.new(key, dice=dice)]
    while states[-1].to_act is not None:
        states.append(states[-1].apply(states[-1].sample(rng)))
    return states


def test_the_opener_may_bid_anything_in_play_but_not_call() -> None:
    assert dealt().legal() == [f"[Bid: {q}, {f}]" for q in range(1, 11) for f in range(1, 7)]
    assert {BIDS[a].quantity for a in dealt(hands=("1", "22")).legal()} == {1, 2, 3}


@given(st.integers(1, 10), st.integers(1, 6))
def test_a_raise_lowers_neither_number_and_raises_one(quantity: int, face: int) -> None:
    *raises, last = dealt((quantity, face)).legal()
    assert last == CALL
    expected = {(q, f) for q in range(quantity, 11) for f in range(face, 7)} - {(quantity, face)}
    assert {tuple(BIDS[action]) for action in raises} == expected


def test_the_highest_bid_can_only_be_called() -> None:
    assert dealt((10, 6)).legal() == [CALL]


@pytest.mark.parametrize(
    ("bid", "found", "loser"), [((2, 4), 2, 1), ((3, 4), 2, 0), ((1, 5), 1, 1), ((2, 3), 1, 0), ((3, 1), 2, 0)]
)
@pytest.mark.parametrize("opener", [0, 1])
def test_a_call_costs_a_die_of_whoever_was_wrong(bid: tuple[int, int], found: int, loser: int, opener: int) -> None:
    after = dealt(bid, seat=opener).apply(CALL)
    loser ^= opener
    assert after.last == (HANDS, bid, found, 1 - opener, loser)
    assert [len(hand) for hand in after.hands] == [4 if seat == loser else 5 for seat in (0, 1)]
    assert after.bids == ()
    assert after.played == 1
    assert after.to_act == opener, "whoever made the called bid opens"


def test_the_seat_without_dice_loses() -> None:
    false = dealt((2, 3), hands=("1", "12")).apply(CALL)
    assert (false.to_act, false.returns(), false.legal()) == (None, (-1.0, 1.0), [])
    true = dealt((1, 2), hands=("12", "1")).apply(CALL)
    assert (true.to_act, true.returns()) == (None, (1.0, -1.0))
    with pytest.raises(ValueError, match="not legal"):
        true.apply(CALL)


@pytest.mark.parametrize(
    "action", ["[Bid: 2, 2]", "[Bid: 3, 1]", "[Bid: 1, 6]", "[Bid: 11, 6]", "[Bid: 0, 3]", "[call]"]
)
def test_other_actions_are_not_applied(action: str) -> None:
    with pytest.raises(ValueError, match="not legal"):
        dealt((2, 2)).apply(action)


def test_the_longest_match_has_exactly_the_stated_turns() -> None:
    def turns(key: int) -> int:
        state, count = liars_dice.new(key), 0
        while state.to_act is not None:
            state, count = state.apply(state.legal()[0]), count + 1
        return count

    lengths = [turns(key) for key in range(50)]
    assert max(lengths) == INFO.max_turns == 108


@given(KEYS, DICE, SEEDS)
def test_matches_lose_one_die_a_round_and_end_with_a_winner(key: int, dice: int, seed: int) -> None:
    states = line_of(key, dice, seed)
    assert len(states) - 1 <= sum(in_play + 6 for in_play in range(2, 2 * dice + 1))
    for before, after in pairwise(states):
        assert after.to_act in (1 - before.seat, None)
        called = after.played > before.played
        assert after.in_play == before.in_play - called
        assert called or after.hands == before.hands
    assert all(state.in_play == 2 * dice - state.played for state in states)
    assert states[-1].returns() in ((1.0, -1.0), (-1.0, 1.0))


@given(KEYS, DICE, SEEDS)
def test_apply_changes_nothing_and_replays(key: int, dice: int, seed: int) -> None:
    assert line_of(key, dice, seed) == line_of(key, dice, seed)


@given(KEYS, SEEDS)
def test_luck_stays_with_the_seat(key: int, seed: int) -> None:
    for state in line_of(key, 5, seed):
        for seat in (0, 1):
            assert state.hands[seat] == roll_of(key, seat, state.played, len(state.hands[seat]))


def test_fewer_dice_are_a_part_of_more() -> None:
    for key, dice in product(range(50), range(1, 5)):
        more = roll_of(key, 1, 3, dice + 1)
        for face in roll_of(key, 1, 3, dice):
            assert face in more
            more = more.replace(face, "", 1)
        assert len(more) == 1


def test_the_dice_are_fair_and_differ_by_seat_and_round() -> None:
    rolls = ["".join(roll_of(key, seat, 2, 5) for key in range(1200)) for seat in (0, 1)]
    # Standard deviation of each count is about 29.
    assert all(880 < rolled.count(face) < 1120 for rolled in rolls for face in FACES)
    assert rolls[0] != rolls[1]
    assert len({roll_of(7, 0, played, 5) for played in range(9)}) > 5


def test_observations_read_as_documented() -> None:
    start = "Liar's Dice. You have 5 dice: 1 1 3 4 6. They have 5."
    assert dealt().observe(0) == f"{start} You open."
    assert dealt().observe(1).endswith("They open.")
    assert dealt((2, 1), (2, 3)).observe(0) == f"{start} You bid 2, 1. They bid 2, 3."
    assert dealt((2, 1), (2, 3)).observe(1).endswith("They bid 2, 1. You bid 2, 3.")
    assert dealt((1, 1), (2, 1), (2, 3), (3, 3)).observe(0) == f"{start} They bid 2, 1. You bid 2, 3. They bid 3, 3."
    over = dealt((2, 3), hands=("1", "12")).apply(CALL)
    assert over.observe(0) == "Liar's Dice. You have 0 dice. They have 2."


def test_the_board_shows_both_hands_the_bids_and_the_last_showdown() -> None:
    state = dealt((2, 1), (3, 1))
    assert (
        state.board() == "Round 1. Seat 0 to act\nSeat 0  1 1 3 4 6\nSeat 1  2 2 4 5 6\nBids: seat 0 2, 1; seat 1 3, 1"
    )
    after = state.apply(CALL).board()
    assert after.startswith("Round 2. Seat 1 to act")
    assert after.endswith(
        "Bids: none\nLast round: seat 0 called 3, 1; 1 1 3 4 6 and 2 2 4 5 6 have 2, seat 1 lost a die"
    )


@pytest.mark.parametrize(
    "answer", ["[Bid: 3, 4]", "bid 3 4", "[bid:3,4]", "[BID 3, 4]", "I say Bid: 3 4.", "[Bid: 03, 4]"]
)
def test_punctuation_of_a_bid_does_not_matter(answer: str) -> None:
    assert dealt((2, 2)).parse(answer) == "[Bid: 3, 4]"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("[Bid: 1, 6]", "does not raise the bid 2, 2"),
        ("[Bid: 2, 2]", "does not raise"),
        ("[Bid: 3, 4] or [Call]", "several"),
        ("[Bid: 3, 4] [Bid: 3, 5]", "several"),
        ("bid 3, 4, call", "several"),
        ("[Bid: 3, 7]", "no action"),
        ("[Bid: 0, 3]", "no action"),
        ("bid 3, 45", "no action"),
        ("bid " + "9" * 5000 + ", 1", "no action"),
        ("raise", "no action"),
        ("", "empty"),
    ],
)
def test_other_answers_are_refused_with_a_short_reason(answer: str, reason: str) -> None:
    refusal = dealt((2, 2)).parse(answer)
    assert isinstance(refusal, Illegal)
    assert reason in refusal.reason
    assert len(refusal.reason) < 120


def test_what_is_not_possible_yet_or_any_more_is_refused_by_name() -> None:
    assert dealt().parse(CALL) == Illegal("there is no bid to call")
    assert dealt((1, 1), hands=("1", "22")).parse("[Bid: 4, 2]") == Illegal(
        "[Bid: 4, 2] is not legal: only 3 dice are in play"
    )
    assert dealt(hands=("1", "22")).parse("[Bid: 4, 2]") == Illegal("[Bid: 4, 2] is not legal: only 3 dice are in play")


@pytest.mark.parametrize("variant", [{"dice": 6}, {"dice": "5"}, {"dice": True}, {"rounds": 1}])
def test_unknown_options_are_refused(variant: dict[str, int | str]) -> None:
    with pytest.raises(UsageError):
        liars_dice.new(1, **variant)


# The script.


@given(st.integers(-2, 7), st.integers(1, 4))
def test_chances_are_those_of_counting_all_rolls(needed: int, dice: int) -> None:
    rolls = list(product(FACES, repeat=dice))
    share = Fraction(sum(roll.count("4") >= needed for roll in rolls), len(rolls))
    assert script.at_least(needed, dice) == pytest.approx(float(share), abs=1e-12)


def test_the_script_calls_what_is_likely_false_and_raises_what_it_holds() -> None:
    rng = random.Random(1)
    assert script.decide(dealt((6, 5)), rng, 1.0).action == CALL
    assert script.decide(dealt((2, 2), hands=("11111", "22222")), rng, 1.0).action != CALL
    assert BIDS[script.decide(dealt(), rng, 1.0).action] == Bid(1, 1)


def assert_true(thought: str, state: State) -> None:
    """What the thought says holds of the position, as its seat knows it."""
    mine, theirs = state.hands[state.seat], len(state.hands[1 - state.seat])
    face = str(state.bid.face) if state.bid else max(FACES, key=mine.count)
    own = mine.count(face)
    assert own or state.bid
    if thought.startswith("Pattern"):
        assert thought == f"Pattern: {own} of mine show {face}."
    elif thought.startswith("Value"):
        assert thought == f"Value: expect {own} + {theirs}/6 of face {face}."
    elif state.bid is None:
        assert thought == f"Cases: {own} sure, they hold {theirs}."
    elif match := re.fullmatch(r"Cases: needs (\d) of their (\d)\.", thought):
        needed = int(match[1])
        assert int(match[2]) == theirs
        assert 0 < needed <= theirs
        assert own + needed == state.bid.quantity
    else:
        least, most = own >= state.bid.quantity, own + theirs >= state.bid.quantity
        assert thought == f"Cases: the bid is {'true' if least else 'false'}."
        assert least or not most


@given(KEYS, DICE, SEEDS)
def test_every_thought_is_true_and_does_not_depend_on_the_other_hand(key: int, dice: int, seed: int) -> None:
    for index, state in enumerate(line_of(key, dice, seed)[:-1]):
        decision = script.decide(state, random.Random(seed + index), 0.5)
        assert decision.thought.split(":")[0] in STYLES
        thought, above, beaten = decision.thought.partition(" Above ")
        assert_true(thought, state)
        assert bool(above) == (state.bid is not None and decision.action != CALL)
        if state.bid and above:
            how = "More" if BIDS[decision.action].quantity > state.bid.quantity else "Same"
            assert beaten == f"{state.bid.quantity}, {state.bid.face} of {sum(map(len, state.hands))}. {how}."
        assert decision.action in state.legal()
        hands = list(state.hands)
        hands[1 - state.seat] = "6" * len(hands[1 - state.seat])
        blind = replace(state, hands=(hands[0], hands[1]))
        assert script.decide(blind, random.Random(seed + index), 0.5) == decision


Policy = Callable[[State, random.Random], str]


def scripted(skill: float) -> Policy:
    return lambda state, rng: script.decide(state, rng, skill).action


def win_share(first: Policy, second: Policy, pairs: int) -> float:
    """Share of matches that the first policy wins, both seats of each key."""
    wins = 0
    for key, seat in product(range(pairs), (0, 1)):
        state, rng = liars_dice.new(key), random.Random(2 * key + seat)
        while state.to_act is not None:
            state = state.apply((first if state.to_act == seat else second)(state, rng))
        returns = state.returns()
        wins += returns is not None and returns[seat] > 0
    return wins / (2 * pairs)


def test_skill_wins() -> None:
    # Standard error of 400 matches is at most 0.025.
    assert win_share(scripted(0.5), State.sample, 200) > 0.85
    assert win_share(scripted(1.0), State.sample, 200) > 0.97
    assert win_share(scripted(1.0), scripted(0.5), 200) > 0.8
