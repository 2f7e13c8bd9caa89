"""Liar's Dice: calls what is likely false, else makes the bid that is likeliest to be true."""

from __future__ import annotations

import random
from functools import cache
from math import comb
from typing import cast

from arena.core.game import State
from arena.games.liars_dice import BIDS, CALL, FACES, Bid
from arena.games.liars_dice import State as Position
from arena.players._scripts import Decision, pick_style

_NEAR = 2
"""By how much a random raise lifts the quantity at most."""

_UNLIKELY = 0.05
"""A bid that is true with a smaller chance is called whatever the skill, and so is one of all the dice in play."""


def decide(state: State, rng: random.Random, skill: float) -> Decision:
    position = cast(Position, state)
    mine, theirs = position.hands[position.seat], len(position.hands[1 - position.seat])
    bid, dice = position.bid, len(mine) + theirs
    action = _best(position, mine, theirs) if rng.random() < skill else _any(position, rng)
    if bid and (bid.quantity == dice or _chance(bid, mine, theirs) < _UNLIKELY):
        action = CALL
    thought = _thought(bid, mine, theirs, pick_style(rng))
    if bid and action != CALL:
        # Whoever looks at what there is to beat, at how many dice there are, and says how, does not bid out of order.
        how = "More" if BIDS[action].quantity > bid.quantity else "Same"
        thought += f" Above {bid.quantity}, {bid.face} of {dice}. {how}."
    return Decision(thought, action)


def _any(position: Position, rng: random.Random) -> str:
    """A random action; of raises only those that are near the bid that stands, half of them of its quantity."""
    bid = position.bid
    if bid is None:
        return rng.choice([action for action in position.legal() if BIDS[action].quantity <= 1 + _NEAR])
    raises = [action for action in position.legal() if action != CALL]
    same = [action for action in raises if BIDS[action].quantity == bid.quantity]
    more = [action for action in raises if bid.quantity < BIDS[action].quantity <= bid.quantity + _NEAR]
    return rng.choice(rng.choice([found for found in (same, more) if found] or [[CALL]]))


def _best(position: Position, mine: str, theirs: int) -> str:
    """The action whose claim is likeliest true, a call claiming that the bid is false; a raise where they tie."""
    bid = position.bid

    def chance(action: str) -> float:
        if action == CALL:
            return 1.0 - _chance(cast(Bid, bid), mine, theirs)
        return _chance(BIDS[action], mine, theirs)

    return max(position.legal(), key=chance)


def _chance(bid: Bid, mine: str, theirs: int) -> float:
    return at_least(bid.quantity - _count(mine, bid.face), theirs)


@cache
def at_least(needed: int, dice: int) -> float:
    """Chance that at least `needed` of so many dice show a given face."""
    return sum(comb(dice, n) * 5.0 ** (dice - n) for n in range(max(needed, 0), dice + 1)) / 6.0**dice


def _count(hand: str, face: int) -> int:
    return hand.count(str(face))


def _thought(bid: Bid | None, mine: str, theirs: int, style: str) -> str:
    """About the bid that stands, or before the first about the most frequent face of the hand."""
    face = bid.face if bid else int(max(FACES, key=mine.count))
    own = _count(mine, face)
    if style == "Cases":
        if bid is None:
            return f"Cases: {own} sure, they hold {theirs}."
        needed = bid.quantity - own
        if needed <= 0:
            return "Cases: the bid is true."
        return "Cases: the bid is false." if needed > theirs else f"Cases: needs {needed} of their {theirs}."
    if style == "Value":
        return f"Value: expect {own} + {theirs}/6 of face {face}."
    return f"Pattern: {own} of mine show {face}."
