"""The exact solution of one hand of Kuhn Poker for chips: equilibria, best responses, exploitability.

A policy gives, for each of the 12 infosets, the probability of the aggressive action: bet where it may
check, call where it may fold. Values are chips a hand, to the seat named. With Fractions every result is
exact; floats give floats. `nash_conv` sums what both seats could gain by best responses, `exploitability`
is half of it. Equilibria: Kuhn, "A simplified two-person poker" (1950).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from itertools import permutations, product
from typing import NamedTuple

from arena.core.game import Action
from arena.games.kuhn_poker import DECK, State, hand_value

Number = Fraction | float


class InfoSet(NamedTuple):
    """All that a seat knows when it acts; equal to the plain tuple (seat, card, history)."""

    seat: int
    """0 for the hand's opener, 1 for the other seat."""
    card: str
    history: str
    """The betting so far, as in the game's State: "c" check, "b" bet."""


Policy = Mapping[InfoSet, Number]

INFOSETS: tuple[InfoSet, ...] = tuple(
    InfoSet(len(history) % 2, card, history) for history in ("", "cb", "c", "b") for card in DECK
)
"""Opener's first action J Q K, its answer to a bet J Q K, the other seat after a check J Q K, after a bet J Q K."""

AGGRESSIVE: dict[str, Action] = {"": "[bet]", "c": "[bet]", "b": "[call]", "cb": "[call]"}
PASSIVE: dict[str, Action] = {"": "[check]", "c": "[check]", "b": "[fold]", "cb": "[fold]"}

GAME_VALUE = Fraction(-1, 18)
"""Value of the hand to the opener, both playing an equilibrium."""

PLAYED_ALPHA = Fraction(1, 5)
"""The member of the family that the player `optimal` plays."""


def infoset_of(state: State) -> InfoSet:
    """The infoset of the seat to act in the hand in play, in any variant. Raises ValueError at the end."""
    seat = state.to_act
    if seat is None:
        raise ValueError("nobody is to act")
    return InfoSet(len(state.history) % 2, state.cards[seat], state.history)


def state_of(infoset: InfoSet, hidden: str = "") -> State:
    """A position of `hands=1, payoff="chips"` in that infoset; `hidden` is the other seat's card (default: any)."""
    other = hidden or next(card for card in DECK if card != infoset.card)
    cards = infoset.card + other if infoset.seat == 0 else other + infoset.card
    return State(key=0, hands=1, payoff="chips", cards=cards, history=infoset.history)


def observation(infoset: InfoSet) -> str:
    """What the seat to act is shown in that infoset of `hands=1, payoff="chips"`."""
    return state_of(infoset).observe(infoset.seat)


def equilibrium(alpha: Number = PLAYED_ALPHA) -> dict[InfoSet, Number]:
    """The Nash equilibrium in which the opener bets J with probability `alpha`, 0 ≤ alpha ≤ 1/3.

    There are no others, but for the opener's choice of alpha. Raises ValueError outside the range.
    """
    if not 0 <= alpha <= Fraction(1, 3):
        raise ValueError(f"alpha must lie in [0, 1/3], not {alpha}")
    third, zero, one = Fraction(1, 3), Fraction(0), Fraction(1)
    opens, answers = (alpha, zero, 3 * alpha), (zero, alpha + third, one)
    after_check, after_bet = (third, zero, one), (zero, third, one)
    return dict(zip(INFOSETS, (*opens, *answers, *after_check, *after_bet), strict=True))


@cache
def _played() -> dict[InfoSet, float]:
    return {infoset: float(chance) for infoset, chance in equilibrium().items()}


def policy(state: State) -> dict[Action, float]:
    """The actions of the equilibrium with alpha = 1/5 in the hand in play, with their probabilities (none zero)."""
    infoset = infoset_of(state)
    chance = _played()[infoset]
    both = {PASSIVE[infoset.history]: 1 - chance, AGGRESSIVE[infoset.history]: chance}
    return {action: share for action, share in both.items() if share > 0}


def expected_value(first: Policy, second: Policy) -> Number:
    """Chips a hand to the opener, who plays `first` (infosets of seat 0) against `second` (those of seat 1)."""
    total: Number = Fraction(0)
    for mine, theirs in permutations(DECK, 2):
        opens, answers = first[InfoSet(0, mine, "")], first[InfoSet(0, mine, "cb")]
        raises, calls = second[InfoSet(1, theirs, "c")], second[InfoSet(1, theirs, "b")]
        chances = {
            "bk": opens * calls,
            "bf": opens * (1 - calls),
            "cc": (1 - opens) * (1 - raises),
            "cbk": (1 - opens) * raises * answers,
            "cbf": (1 - opens) * raises * (1 - answers),
        }
        total += sum(chance * hand_value(history, mine, theirs) for history, chance in chances.items())
    return total / 6


def best_response_value(opponent: Policy, seat: int) -> Number:
    """The most chips a hand that `seat` can win against `opponent`: the best of its 64 pure policies."""
    own = [infoset for infoset in INFOSETS if infoset.seat == seat]
    pure = (dict(zip(own, map(Fraction, choice), strict=True)) for choice in product((0, 1), repeat=len(own)))
    if seat == 0:
        return max(expected_value(response, opponent) for response in pure)
    return max(-expected_value(opponent, response) for response in pure)


def nash_conv(policy: Policy) -> Number:
    """Sum over the seats of what a best response wins against `policy`; 0 exactly at an equilibrium."""
    return best_response_value(policy, 0) + best_response_value(policy, 1)


def exploitability(policy: Policy) -> Number:
    """`nash_conv / 2`: the mean over the seats of what a best response wins, in chips a hand."""
    return nash_conv(policy) / 2


def fast_exploitability(chances: Sequence[float]) -> float:
    """`exploitability` in floats, in microseconds; `chances` in the order of INFOSETS. For bootstraps."""
    opens, answers, raises, calls = chances[0:3], chances[3:6], chances[6:9], chances[9:12]
    total = 0.0
    for mine in range(3):
        # As opener: bet; check and fold to a bet; check and call a bet.
        bet = check_fold = check_call = 0.0
        # As the other seat: after a check, check or bet; after a bet, fold or call. Weighted by reaching it.
        check = bet_after = fold = call = 0.0
        for theirs in range(3):
            if theirs == mine:
                continue
            sign = 1.0 if mine > theirs else -1.0
            bet += 1 - calls[theirs] + 2 * sign * calls[theirs]
            shown = sign * (1 - raises[theirs])
            check_fold += shown - raises[theirs]
            check_call += shown + 2 * sign * raises[theirs]
            checked = 1 - opens[theirs]
            check += sign * checked
            bet_after += checked * (1 - answers[theirs] + 2 * sign * answers[theirs])
            fold -= opens[theirs]
            call += 2 * sign * opens[theirs]
        total += max(bet, check_fold, check_call) + max(check, bet_after) + max(fold, call)
    return total / 12
