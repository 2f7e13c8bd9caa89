"""Simple Negotiation: takes offers that gain, gives the cheap good for the dear one."""

from __future__ import annotations

import random
import re
from typing import cast

from arena.core.game import State
from arena.games.simple_negotiation import GOODS, Amounts
from arena.games.simple_negotiation import State as Position
from arena.players._scripts import Decision, pick_style

_TALK = ("A fair trade?", "Let us both gain.", "I can do better.", "Think about it.")
_TALK_SHARE = 0.08


def decide(state: State, rng: random.Random, skill: float) -> Decision:
    position = cast(Position, state)
    seat = cast(int, position.to_act)
    action = _answer(position, seat, rng, skill) or _propose(position, seat, rng, skill)
    talk = f"{rng.choice(_TALK)} " if rng.random() < _TALK_SHARE else ""
    return Decision(_thought(position, seat, pick_style(rng)) + _purse(position, seat, action), talk + action)


def worth(amounts: Amounts, values: Amounts) -> int:
    """What the amounts are worth at these values."""
    return amounts[0] * values[0] + amounts[1] * values[1]


def _answer(position: Position, seat: int, rng: random.Random, skill: float) -> str:
    """[Accept] or [Deny] to their standing offer, or "" to propose something else."""
    offer = position.offer
    if offer is None or offer.proposer == seat:
        return ""
    mine, theirs = position.held[seat], position.held[1 - seat]
    payable = all(h >= w for h, w in zip((*mine, *theirs), (*offer.get, *offer.give), strict=True))
    gain = worth(offer.give, position.values[seat]) - worth(offer.get, position.values[seat])
    if payable and rng.random() < (skill if gain > 0 else (1 - skill) * 0.5):
        return "[Accept]"
    return "[Deny]" if rng.random() < 0.4 else ""


def _propose(position: Position, seat: int, rng: random.Random, skill: float) -> str:
    values, mine, theirs = position.values[seat], position.held[seat], position.held[1 - seat]
    cheap = 0 if values[0] < values[1] else 1
    give = cheap if rng.random() < 0.5 + skill / 2 else 1 - cheap
    if not mine[give] or not theirs[1 - give]:
        give = 1 - give
    if not mine[give] or not theirs[1 - give]:
        return position.sample(rng)
    paid, got = rng.randint(1, min(4, mine[give])), rng.randint(1, min(4, theirs[1 - give]))
    return f"[Offer: {paid} {GOODS[give]} -> {got} {GOODS[1 - give]}]"


def _purse(position: Position, seat: int, action: str) -> str:
    """Before an offer: how much there is of the good that it gives. Whoever looks does not offer more."""
    given = re.match(r"\[Offer: \d+ (\w+)", action)
    if not given:
        return ""
    good = GOODS.index(given[1])
    return f" I have {position.held[seat][good]} {given[1]}."


def _thought(position: Position, seat: int, style: str) -> str:
    values = position.values[seat]
    if style == "Pattern":
        dear = GOODS[0] if values[0] > values[1] else GOODS[1]
        return f"Pattern: I want {dear}."
    offer = position.offer
    if offer is None or offer.proposer == seat:
        return f"{style}: nothing to accept."
    got, paid = worth(offer.give, values), worth(offer.get, values)
    if style == "Cases":
        return f"Cases: accept gains {got - paid:+d}, deny 0."
    return f"Value: get {got}, pay {paid}."
