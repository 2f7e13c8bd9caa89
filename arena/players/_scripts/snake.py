"""Snake: eats an apple beside its head, else steps on a free cell."""

from __future__ import annotations

import random
from typing import cast

from arena.core.game import State
from arena.games.snake import ACTIONS, NEIGHBOUR, OUTSIDE
from arena.games.snake import State as Position
from arena.players._scripts import Decision, pick_style


def decide(state: State, rng: random.Random, skill: float) -> Decision:
    position = cast(Position, state)
    seat = cast(int, position.to_act)
    head = position.snakes[seat][0]
    bodies = {*position.snakes[0], *position.snakes[1]}
    cells = {action: NEIGHBOUR[action][head] for action in ACTIONS}
    safe = [action for action, cell in cells.items() if cell != OUTSIDE and cell not in bodies]
    apples = [action for action in safe if cells[action] in position.apples]
    action = position.sample(rng)
    if safe and rng.random() < skill:
        action = rng.choice(apples or safe)
    return Decision(_thought(safe, apples, pick_style(rng)), action)


def _thought(safe: list[str], apples: list[str], style: str) -> str:
    def names(actions: list[str]) -> str:
        return " ".join(action.strip("[]") for action in actions) or "-"

    if style == "Cases":
        return f"Cases: safe {names(safe)}."
    if style == "Value":
        return f"Value: safe {len(safe)} of 4, apple {names(apples)}."
    return f"Pattern: apple {names(apples)}."
