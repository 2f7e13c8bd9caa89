"""Is it learning? What the measured strength was at first and is now, and whether that is a clear change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from arena.tui.collect.charts import Key, short_names
from arena.tui.curves import Point, Series

Change = Literal["better", "worse", "unclear"]
_FALLS = ("exploitability", "value_loss")
_MEASURES = {"optimal_move_rate": "optimal moves", "exploitability": "exploitability", "value_loss": "value loss"}
_STEADY = 3
"""Without intervals, a change is clear where so many evaluations in a row agree on it."""


@dataclass(frozen=True, slots=True)
class Gain:
    """One measure of strength at its first evaluation and at its newest."""

    key: Key
    name: str
    """Such as "tictactoe vs random"; without the game where only one has the measure."""
    first: Point
    last: Point
    change: Change


def gains(courses: Mapping[Key, Series], games: Sequence[str] = ()) -> tuple[Gain, ...]:
    """Every measure that an unchanging opponent or an exact solution gives, game by game, the exact ones first.

    The score against a former self says nothing of strength, and is left out.
    """
    keys = [key for key in courses if key.name in _MEASURES or (key.name == "score" and _is_fixed(key.opponent))]
    order = {game: place for place, game in enumerate(games)}
    keys.sort(key=lambda key: (order.get(key.game, len(order)), key.name == "score", key.opponent != "random"))
    short = short_names(key.game for key in courses)
    names = [key.name for key in keys]
    found = []
    for key in keys:
        points = [point for point in courses[key].points if math.isfinite(point.value)]
        if points:
            what = _MEASURES.get(key.name) or f"vs {key.opponent}"
            alone = key.name in _MEASURES and names.count(key.name) == 1
            name = what if alone else f"{short[key.game]} {what}".strip()
            found.append(Gain(key, name, points[0], points[-1], change(points, key.name in _FALLS)))
    return tuple(found)


def _is_fixed(opponent: str) -> bool:
    return bool(opponent) and not opponent.startswith("self")


def change(points: Sequence[Point], falls: bool = False) -> Change:
    """Whether the newest evaluation is clearly better than the first: their 95 % intervals do not meet.

    Where there are none, the last few must all be better than the first. `falls`: less is better.
    """
    if len(points) < 2:
        return "unclear"
    first, last = points[0], points[-1]
    if first.low is not None and first.high is not None and last.low is not None and last.high is not None:
        up, down = last.low > first.high, last.high < first.low
    else:
        recent = [point.value for point in points[1:]][-_STEADY:]
        up = len(recent) == _STEADY and min(recent) > first.value
        down = len(recent) == _STEADY and max(recent) < first.value
    if up == down:
        return "unclear"
    return "better" if up != falls else "worse"
