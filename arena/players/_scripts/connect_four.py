"""Connect Four: completes its own four, else blocks theirs, else plays near the centre."""

from __future__ import annotations

import random
from typing import NamedTuple, cast

from arena.core.game import State
from arena.games.connect_four import COLUMNS, lengths
from arena.games.connect_four import State as Position
from arena.players._scripts import Decision, pick_style

_CENTRE = COLUMNS // 2


class Features(NamedTuple):
    """What a disc dropped into each column would do for the seat to act."""

    own: list[int]
    """How long a line of its own it would make, 4 at most; 0 where the column is full."""
    wins: list[int]
    """Columns in which its disc makes four."""
    risks: list[int]
    """Columns in which the opponent's disc would make four."""


def decide(state: State, rng: random.Random, skill: float) -> Decision:
    seen = features(cast(Position, state))
    column = _choose(seen, rng, skill)
    return Decision(_thought(seen, column, pick_style(rng)), f"[{column}]")


def features(position: Position) -> Features:
    """What the columns hold for the seat to act. The match must not be over."""
    seat = cast(int, position.to_act)
    mine, theirs = position.discs[seat], position.discs[1 - seat]
    own, other = lengths(mine, mine | theirs), lengths(theirs, mine | theirs)
    wins, risks = ([column for column in range(COLUMNS) if line[column] == 4] for line in (own, other))
    return Features(own, wins, risks)


def _choose(seen: Features, rng: random.Random, skill: float) -> int:
    for columns in (seen.wins, seen.risks):
        if columns and rng.random() < skill:
            return rng.choice(columns)
    opened = [column for column, length in enumerate(seen.own) if length]
    if rng.random() < skill:
        return rng.choices(opened, [1 + _CENTRE - abs(column - _CENTRE) for column in opened])[0]
    return rng.choice(opened)


def _thought(seen: Features, column: int, style: str) -> str:
    wins, risks = (" ".join(map(str, columns)) or "-" for columns in (seen.wins, seen.risks))
    text = f"{style}: wins {wins}. Risks {risks}."
    if style == "Cases":
        kind = "wins" if column in seen.wins else "blocks" if column in seen.risks else "goes on"
        text += f" Then {column} {kind}."
    elif style == "Value":
        text += f" Then {column} makes {seen.own[column]}."
    return text
