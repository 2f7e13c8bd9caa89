"""Pig Dice: holds at twenty, or when that wins."""

from __future__ import annotations

import random
from typing import cast

from arena.core.game import State
from arena.games.pig_dice import HOLD, ROLL
from arena.games.pig_dice import State as Position
from arena.players._scripts import Decision, pick_style

_HOLD_AT = 20


def decide(state: State, rng: random.Random, skill: float) -> Decision:
    position = cast(Position, state)
    score, total = position.scores[position.seat], position.total
    wins = score + total >= position.target
    action = position.sample(rng)
    if rng.random() < skill:
        action = HOLD if wins or total >= _HOLD_AT else ROLL
    return Decision(_thought(position, wins, pick_style(rng)), action)


def _thought(position: Position, wins: bool, style: str) -> str:
    if style == "Cases":
        return "Cases: hold wins, a 1 loses all." if wins else "Cases: a 1 loses all, else more."
    if style == "Value":
        return f"Value: {position.total} at risk."
    return f"Pattern: total {'is enough' if wins else 'high' if position.total >= _HOLD_AT else 'low'}."
