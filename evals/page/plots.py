"""Plots as inline SVG: figures with their intervals, and scores of everybody against everybody.

Colours are classes of the page's style sheet, so that a plot follows its light or dark theme. Nothing is told by colour
alone: every cell has its figure, and every mark its title.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from arena.core.sanitise import one_line
from evals.page.markup import short, tag, text

_WIDTH = 880.0
_MOST_LABEL, _LETTER = 280.0, 7.4
_FIGURE = 190.0
_ROW = 26.0
_AXIS = 28.0
_CHARACTERS = 36
MOST_MARKS = 80
"""Lines of one plot; the tables have the rest."""
MOST_PLAYERS = 60
"""Rows and columns of one heat map."""
_CELLS = ((12, 66.0, 40.0), (24, 46.0, 30.0), (MOST_PLAYERS, 26.0, 18.0))
"""Up to so many players a cell is so wide and so high."""


class Mark(NamedTuple):
    """One line of a plot: a figure with its interval."""

    label: str
    value: float
    low: float
    high: float
    shown: str
    """The figure in words, at the right."""
    sure: bool = False
    """Whether the interval excludes even play, or nothing."""


class Cell(NamedTuple):
    """A row player's score against a column player."""

    points: float
    """From 0 to 1, where 0.5 is even play: decides the colour."""
    shown: str
    counts: str
    title: str
    sure: bool


def interval_plot(
    title: str, marks: Sequence[Mark], even: float | None = None, bounds: tuple[float, float] | None = None
) -> str:
    """Dots with whiskers, a line each; at `even` a line goes from top to bottom. `bounds` are those of the axis."""
    marks = marks[:MOST_MARKS]
    values = [value for mark in marks for value in (mark.low, mark.high)] + ([] if even is None else [even])
    low, high = bounds or _widened(min(values), max(values))
    label = _label_width([mark.label for mark in marks])
    left, right = label + 8, _WIDTH - _FIGURE

    def place(value: float) -> float:
        return left + (right - left) * (min(max(value, low), high) - low) / (high - low)

    height = _AXIS + _ROW * len(marks) + 4
    parts = []
    for tick in ticks(low, high):
        x = place(tick)
        parts.append(tag("line", x1=x, x2=x, y1=_AXIS - 6, y2=height, class_="grid"))
        parts.append(tag("text", text(f"{tick:g}".replace("-", "−")), x=x, y=14.0, class_="tick"))
    if even is not None:
        parts.append(tag("line", x1=place(even), x2=place(even), y1=_AXIS - 6, y2=height, class_="even"))
    for row, mark in enumerate(marks):
        parts.append(_mark(mark, _AXIS + _ROW * (row + 0.5), place, label, right))
    return _svg(title, _WIDTH, height, parts, "across")


def _mark(mark: Mark, y: float, place: Callable[[float], float], label: float, right: float) -> str:
    """One line of an interval plot."""
    x, x1, x2 = place(mark.value), place(mark.low), place(mark.high)
    shown = [
        tag("title", text(f"{mark.label}: {mark.shown}", 2000)),
        tag("text", short(mark.label, _CHARACTERS), x=label - 6, y=y + 4, class_="label"),
        tag("line", x1=x1, x2=x2, y1=y, y2=y, class_="whisker"),
        *(tag("line", x1=end, x2=end, y1=y - 4, y2=y + 4, class_="whisker") for end in (x1, x2)),
        tag("circle", cx=x, cy=y, r=4.5, class_="dot sure" if mark.sure else "dot"),
        tag("text", text(mark.shown), x=right + 14, y=y + 4, class_="figure"),
    ]
    return tag("g", *shown)


def heat_map(title: str, players: Sequence[str], cells: Mapping[tuple[str, str], Cell]) -> str:
    """Row players against column players: every cell has its score, and where there is room its counts."""
    players = players[:MOST_PLAYERS]
    width, height = next((w, h) for most, w, h in _CELLS if len(players) <= most)
    label = _label_width(players)
    left = label + 26
    parts = []
    for column in range(len(players)):
        x = left + width * (column + 0.5)
        parts.append(tag("text", str(column + 1), x=x, y=_AXIS - 10, class_="tick"))
    for row, player in enumerate(players):
        y = _AXIS + height * row
        head = [
            tag("title", text(player)),
            tag("text", short(player, _CHARACTERS), x=label - 6, y=y + height / 2 + 4, class_="label"),
            tag("text", str(row + 1), x=left - 8, y=y + height / 2 + 4, class_="number"),
        ]
        parts.append(tag("g", *head))
        for column, opponent in enumerate(players):
            parts.append(_cell(cells.get((player, opponent)), left + width * column, y, width, height))
    return _svg(title, left + width * len(players) + 4, _AXIS + height * len(players) + 4, parts)


def _cell(cell: Cell | None, x: float, y: float, width: float, height: float) -> str:
    if cell is None:
        return tag("rect", x=x + 1, y=y + 1, width=width - 2, height=height - 2, rx=3.0, class_="none")
    strength = 0.08 + 0.57 * min(1.0, abs(cell.points - 0.5) * 2)
    counted = height >= 36
    middle = y + height / 2 + (-1 if counted else 4)
    shown = [
        tag("title", text(cell.title, 2000)),
        tag(
            "rect", x=x + 1, y=y + 1, width=width - 2, height=height - 2, rx=3.0,
            class_="better" if cell.points >= 0.5 else "worse", fill_opacity=round(strength, 2),
        ),
    ]  # fmt: skip
    if width >= 40:
        style = "score sure" if cell.sure else "score"
        shown.append(tag("text", text(cell.shown), x=x + width / 2, y=middle, class_=style))
    if counted:
        shown.append(tag("text", text(cell.counts), x=x + width / 2, y=middle + 13, class_="counts"))
    return tag("g", *shown)


def _label_width(labels: Sequence[str]) -> float:
    return min(_MOST_LABEL, 16 + _LETTER * max(min(len(label), _CHARACTERS) for label in labels))


def _svg(title: str, width: float, height: float, parts: Sequence[str], kind: str | None = None) -> str:
    box, size = f"0 0 {width:g} {height:g}", {"width": f"{width:g}", "height": f"{height:g}"}
    return tag("svg", *parts, viewBox=box, **size, role="img", aria_label=one_line(title), class_=kind)


def _widened(low: float, high: float) -> tuple[float, float]:
    room = (high - low) * 0.04 or abs(high) * 0.1 or 1.0
    return low - room, high + room


def ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round values within the bounds: steps of 1, 2 or 5 times a power of ten, at most `most`."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    first = math.ceil(low / step - 1e-9)
    found: list[float] = []
    while (first + len(found)) * step <= high + 1e-9 * step:
        found.append(round((first + len(found)) * step, 12))
    return found
