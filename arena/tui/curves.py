"""Curves over steps and how they are drawn in braille dots: data and pure functions, no widget.

`draw` gives cells that say what they are; `arena.tui.widgets.plot` colours them.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Literal, NamedTuple

from arena.core.sanitise import one_line
from arena.tui.format import MINUS, figure, number

MOST_POINTS = 200
"""A longer course is drawn as this many averages, or up to twice as many: more than a terminal has dots across."""
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Braille dots of a cell by row and column."""

Role = Literal["line", "band", "letter", "blank"]


class Point(NamedTuple):
    """One figure with its 95 % interval where it has one; a value that is not finite is a gap."""

    step: float
    value: float
    low: float | None = None
    high: float | None = None


class Columns(NamedTuple):
    """Many points as numbers side by side: a tenth of their size, and nothing that the garbage collector visits.

    No interval is not-a-number.
    """

    steps: array[float]
    values: array[float]
    lows: array[float]
    highs: array[float]

    @classmethod
    def of(cls, points: Iterable[Point]) -> Columns:
        columns = cls(array("d"), array("d"), array("d"), array("d"))
        for point in points:
            columns.append(point)
        return columns

    def append(self, point: Point) -> None:
        for column, part in zip(self, point, strict=True):
            column.append(math.nan if part is None else part)

    def copy(self) -> Columns:
        return Columns(*(column[:] for column in self))

    def point(self, index: int) -> Point:
        low, high = self.lows[index], self.highs[index]
        known = not (math.isnan(low) or math.isnan(high))
        ends = (low, high) if known else (None, None)
        return Point(self.steps[index], self.values[index], *ends)


@dataclass(frozen=True, slots=True)
class Series:
    """One line, its points in the order of their steps; `name` is empty where the plot has but one."""

    name: str
    columns: Columns
    drawn: tuple[Point, ...] | None = None
    """What is drawn in place of all points, where those are many."""

    @classmethod
    def of(cls, name: str, points: Iterable[Point]) -> Series:
        return cls(name, Columns.of(points))

    def __len__(self) -> int:
        return len(self.columns.steps)

    @property
    def points(self) -> Iterator[Point]:
        return (self.columns.point(index) for index in range(len(self)))

    def at(self, step: float | None = None) -> Point | None:
        """The last point at or before a step; the very last without one."""
        index = len(self) if step is None else bisect_right(self.columns.steps, step)
        return self.columns.point(index - 1) if index else None

    @property
    def line(self) -> tuple[Point, ...]:
        """The points to draw."""
        return tuple(self.points) if self.drawn is None else self.drawn


class Thinner:
    """A course of any length as at most twice `MOST_POINTS` averages, point by point: neighbours merge as it grows."""

    def __init__(self, most: int = MOST_POINTS) -> None:
        self._most = most
        self._stride = 1
        self._done: list[Point] = []
        self._open: list[Point] = []

    def add(self, point: Point) -> None:
        self._open.append(point)
        if len(self._open) < self._stride:
            return
        self._done.append(mean(self._open))
        self._open.clear()
        if len(self._done) >= 2 * self._most:
            self._done = [mean(pair) for pair in zip(self._done[::2], self._done[1::2], strict=True)]
            self._stride *= 2

    def points(self) -> tuple[Point, ...] | None:
        """None while nothing was merged: then the points themselves are few enough."""
        if self._stride == 1:
            return None
        return (*self._done, mean(self._open)) if self._open else tuple(self._done)


def mean(points: Sequence[Point]) -> Point:
    """The mean of the finite values and of the intervals, at the last step; no value where none is finite."""
    if len(points) == 1:
        return points[0]
    values = [point.value for point in points if math.isfinite(point.value)]
    lows = [point.low for point in points if point.low is not None]
    highs = [point.high for point in points if point.high is not None]
    middle = sum(values) / len(values) if values else math.nan
    banded = bool(lows) and len(lows) == len(highs)
    ends = (sum(lows) / len(lows), sum(highs) / len(highs)) if banded else (None, None)
    return Point(points[-1].step, middle, *ends)


def thinned(points: Sequence[Point], most: int) -> Sequence[Point]:
    """The points where there are at most so many, else the means of stretches; the last point stays as it is."""
    if len(points) <= most:
        return points
    stride = -(-len(points) // max(most, 1))
    return [*(mean(points[start : start + stride]) for start in range(0, len(points) - 1, stride)), points[-1]]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a step, shown on the axis."""

    step: float
    glyph: str


class Cell(NamedTuple):
    """One cell of the plot's area; `series` is the index of the line that it belongs to."""

    text: str
    role: Role
    series: int = 0


_BLANK = Cell(" ", "blank")


class Scale(NamedTuple):
    """Which values a length of so many dots stands for."""

    low: float
    high: float
    dots: int

    def dot(self, value: float) -> int:
        """The dot of a value, from 0 at the low end; values outside stick to the ends."""
        if self.high <= self.low:
            return self.dots // 2
        share = min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
        return round(share * (self.dots - 1))

    def value(self, dot: float) -> float:
        """The value in the middle of a dot."""
        return self.low + (self.high - self.low) * dot / max(self.dots - 1, 1)


Limits = tuple[float | None, float | None]


def value_range(series: Sequence[Series], given: Limits = (None, None)) -> tuple[float, float]:
    """Lowest and highest value to show: those given, else of all points.

    An interval counts as far as it leaves the lines half of the height; a limit that would cut points off is passed.
    """
    points = [point for one in series for point in one.line if math.isfinite(point.value)]
    if not points:
        return given[0] or 0.0, given[1] if given[1] is not None else (given[0] or 0.0) + 1.0
    lowest, highest = min(point.value for point in points), max(point.value for point in points)
    room = max(highest - lowest, abs(highest) * 0.05, 1e-9) / 2
    lows = [point.low for point in points if point.low is not None and math.isfinite(point.low)]
    highs = [point.high for point in points if point.high is not None and math.isfinite(point.high)]
    low, high = max(min([lowest, *lows]), lowest - room), min(max([highest, *highs]), highest + room)
    if given[0] is not None:
        low = min(given[0], lowest)
    if given[1] is not None:
        high = max(given[1], highest)
    if high - low < 1e-12 * max(abs(high), 1.0):
        room = max(abs(low) * 0.1, 1e-3)
        return (low, high + room) if given[0] == low else (low - room, high + room)
    return low, high


@dataclass(slots=True)
class _Canvas:
    """Dots of the plot's area: which are set in each cell, and whose the cell is."""

    width: int
    height: int
    dots: list[list[int]] = field(default_factory=list)
    owners: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dots = [[0] * self.width for _ in range(self.height)]
        self.owners = [[0] * self.width for _ in range(self.height)]

    def set(self, x: int, y: int, owner: int) -> None:
        """Set the dot `x` from the left, `y` from the bottom; the cell is whose dot came last."""
        top = self.height * 4 - 1 - y
        self.dots[top // 4][x // 2] |= _DOTS[top % 4][x % 2]
        self.owners[top // 4][x // 2] = owner


def draw(
    series: Sequence[Series], width: int, height: int, steps: tuple[float, float], values: tuple[float, float]
) -> list[list[Cell]]:
    """The plot's area as `height` rows of `width` cells: lines over their bands, the first line on top.

    Where there are several, the letter of each stands at its end.
    """
    if width < 1 or height < 1:
        return []
    across, up = Scale(*steps, width * 2), Scale(*values, height * 4)
    lines, bands = _Canvas(width, height), _Canvas(width, height)
    drawn = [thinned(one.line, across.dots) for one in series]
    for index, points in reversed(list(enumerate(drawn))):
        _draw_line(lines, index, points, across, up)
        _draw_band(bands, index, points, across, up)
    grid = [[_cell(lines, bands, x, y) for x in range(width)] for y in range(height)]
    if len(series) > 1:
        _letter_lines(grid, letters(series), drawn, across, up)
    return grid


def _cell(lines: _Canvas, bands: _Canvas, x: int, y: int) -> Cell:
    if dots := lines.dots[y][x]:
        return Cell(chr(0x2800 | dots), "line", lines.owners[y][x])
    if dots := bands.dots[y][x]:
        return Cell(chr(0x2800 | dots), "band", bands.owners[y][x])
    return _BLANK


def _draw_line(canvas: _Canvas, index: int, points: Sequence[Point], across: Scale, up: Scale) -> None:
    """Dots at the points and between neighbours; a value that is not finite leaves a gap."""
    before: tuple[int, int] | None = None
    for point in points:
        if not math.isfinite(point.value):
            before = None
            continue
        here = across.dot(point.step), up.dot(point.value)
        for x, y in _between(before or here, here):
            canvas.set(x, y, index)
        before = here


def _between(start: tuple[int, int], end: tuple[int, int]) -> Iterable[tuple[int, int]]:
    """The dots of a straight line, both ends included."""
    (x0, y0), (x1, y1) = start, end
    length = max(abs(x1 - x0), abs(y1 - y0), 1)
    return [(x0 + round((x1 - x0) * i / length), y0 + round((y1 - y0) * i / length)) for i in range(length + 1)]


def _draw_band(canvas: _Canvas, index: int, points: Sequence[Point], across: Scale, up: Scale) -> None:
    """Every other dot between low and high, in every other column of dots, straight between points."""
    ends = [(point.step, point.low, point.high) for point in points if point.low is not None]
    known = [
        (across.dot(step), low, high) for step, low, high in ends if high is not None and math.isfinite(high - low)
    ]
    for (first, low, high), (last, next_low, next_high) in list(pairwise(known)) or [(end, end) for end in known]:
        for x in range(first - first % 2, last + 1, 2):
            share = min(max((x - first) / (last - first), 0.0), 1.0) if last > first else 0.0
            bottom = up.dot(low + (next_low - low) * share)
            for y in range(bottom + bottom % 2, up.dot(high + (next_high - high) * share) + 1, 2):
                canvas.set(x, y, index)


def letters(series: Sequence[Series]) -> list[str]:
    """A letter or digit for each line, all different where the names allow it: the first of its name that is free.

    Names that differ in their last digit alone, such as "role 0" and "role 1", are told apart by that.
    """
    taken: set[str] = set()
    found = []
    for one in series:
        name = one_line(one.name)
        own = [letter for letter in name if letter.isascii() and letter.isalnum()]
        wanted = own[-1:] + own if name[-1:].isdigit() else own
        spare = [letter.upper() for letter in own]
        found.append(next((letter for letter in (*wanted, *spare) if letter not in taken), "•"))
        taken.add(found[-1])
    return found


def _letter_lines(
    grid: list[list[Cell]], names: Sequence[str], drawn: Sequence[Sequence[Point]], across: Scale, up: Scale
) -> None:
    """Put each line's letter at its end, or on the nearest row where no other letter is."""
    taken: set[tuple[int, int]] = set()
    height, width = len(grid), len(grid[0])
    for index, (letter, points) in enumerate(zip(names, drawn, strict=True)):
        last = next((point for point in reversed(points) if math.isfinite(point.value)), None)
        if last is None:
            continue
        row = height - 1 - up.dot(last.value) // 4
        column = min(across.dot(last.step) // 2 + 1, width - 1)
        free = [other for other in range(height) if (other, column) not in taken]
        if free:
            best = min(free, key=partial(_apart, row))
            taken.add((best, column))
            grid[best][column] = Cell(letter, "letter", index)


def _apart(row: int, other: int) -> int:
    return abs(other - row)


def tick(value: float, digits: int = 0) -> str:
    """A figure at the axis, at most five characters; `digits` more where it is too small or large for a point."""
    if not math.isfinite(value):
        return number(None)
    if value < 0:
        return MINUS + tick(-value, digits) if round(-value, 12) else tick(0.0)
    if 0 < value < 0.005 or value >= 99_999.5:
        return f"{value:.{digits}e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    if value >= 9_999.5:
        return f"{value / 1000:.{digits}f}k"
    return number(value, 2 if value < 9.995 else 1 if value < 99.95 else 0)


def shown(point: Point | None) -> str:
    """The value at the cursor with half its interval."""
    if point is None or not math.isfinite(point.value):
        return number(None)
    if point.low is None or point.high is None:
        return tick(point.value, 1)
    return figure(point.value, point.low, point.high)
