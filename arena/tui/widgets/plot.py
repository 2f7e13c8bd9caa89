"""A small plot over steps: lines in braille dots, their intervals as bands, marks on the axis, a cursor.

Drawing is a pure function (`draw`) of data and size; the widget only colours what it returns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from arena.core.sanitise import one_line
from arena.tui.format import figure, number

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Braille dots of a cell by row and column."""
GUTTER = 6
"""Columns left of the plot, for the figures at its top and bottom."""

Role = Literal["line", "band", "cursor", "mark", "text", "blank"]


@dataclass(frozen=True, slots=True)
class Point:
    step: float
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One line; `name` is empty where the plot has but one."""

    name: str
    points: tuple[Point, ...]

    def at(self, step: float | None) -> Point | None:
        """The last point at or before a step; the very last without one."""
        if step is None:
            return self.points[-1] if self.points else None
        return max((point for point in self.points if point.step <= step), key=lambda point: point.step, default=None)


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a step, shown on the axis."""

    step: float
    glyph: str


class Cell(NamedTuple):
    text: str
    role: Role


class Scale(NamedTuple):
    """Which values a length of so many dots stands for."""

    low: float
    high: float
    dots: int

    def dot(self, value: float) -> int:
        """The dot of a value, from 0 at the low end; values outside stick to the ends."""
        if self.high <= self.low:
            return self.dots // 2
        share = (value - self.low) / (self.high - self.low)
        return min(max(round(share * (self.dots - 1)), 0), self.dots - 1)


def value_range(series: Sequence[Series], given: tuple[float | None, float | None] = (None, None)) -> Scale:
    """The values to show: those given, else all points', with intervals no more than thrice as wide as the points."""
    points = [point for one in series for point in one.points if math.isfinite(point.value)]
    if not points:
        return Scale(given[0] or 0.0, given[1] if given[1] is not None else 1.0, 0)
    low, high = min(point.value for point in points), max(point.value for point in points)
    room = max(high - low, 1e-9)
    lows = [point.low for point in points if point.low is not None]
    highs = [point.high for point in points if point.high is not None]
    low = max(min([low, *lows]), low - room)
    high = min(max([high, *highs]), high + room)
    if high - low < 1e-9:
        low, high = low - max(abs(low), 1e-3) * 0.1, high + max(abs(high), 1e-3) * 0.1
    return Scale(low if given[0] is None else given[0], high if given[1] is None else given[1], 0)


def draw(
    series: Sequence[Series],
    width: int,
    height: int,
    steps: tuple[float, float],
    values: tuple[float, float],
    cursor: float | None = None,
) -> list[list[Cell]]:
    """The plot's area as `height` rows of `width` cells: lines over bands over the cursor."""
    across, up = Scale(*steps, width * 2), Scale(*values, height * 4)
    lines = [[0] * width for _ in range(height)]
    bands = [[0] * width for _ in range(height)]
    for one in series:
        _draw_line(lines, one.points, across, up)
        _draw_band(bands, one.points, across, up)
    grid = [[_cell(lines[y][x], bands[y][x]) for x in range(width)] for y in range(height)]
    if cursor is not None and width:
        column = across.dot(cursor) // 2
        for row in grid:
            if row[column].role in ("blank", "band"):
                row[column] = Cell("│", "cursor")
    _name_lines(grid, series, across, up)
    return grid


def _cell(line: int, band: int) -> Cell:
    if line:
        return Cell(chr(0x2800 | line), "line")
    return Cell(chr(0x2800 | band), "band") if band else Cell(" ", "blank")


def _set(grid: list[list[int]], x: int, y: int) -> None:
    """Set the dot `x` from the left, `y` from the bottom."""
    top = len(grid) * 4 - 1 - y
    grid[top // 4][x // 2] |= _DOTS[top % 4][x % 2]


def _draw_line(grid: list[list[int]], points: Sequence[Point], across: Scale, up: Scale) -> None:
    """Dots at the points and between neighbours; a value that is not finite leaves a gap."""
    if not grid or not across.dots:
        return
    before: tuple[int, int] | None = None
    for point in points:
        if not math.isfinite(point.value):
            before = None
            continue
        here = across.dot(point.step), up.dot(point.value)
        for x, y in _between(before or here, here):
            _set(grid, x, y)
        before = here


def _between(start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    """The dots of a straight line, both ends included."""
    (x0, y0), (x1, y1) = start, end
    length = max(abs(x1 - x0), abs(y1 - y0), 1)
    return [(x0 + round((x1 - x0) * i / length), y0 + round((y1 - y0) * i / length)) for i in range(length + 1)]


def _draw_band(grid: list[list[int]], points: Sequence[Point], across: Scale, up: Scale) -> None:
    """Every other dot between low and high, in every other column of dots, straight between points."""
    banded = [point for point in points if point.low is not None and point.high is not None]
    if not grid or not across.dots:
        return
    for left, right in zip(banded, banded[1:] or banded, strict=False):
        first, last = across.dot(left.step), across.dot(right.step)
        for x in range(first - first % 2, last + 1, 2):
            share = (x - first) / (last - first) if last > first else 0.0
            low = _mix(left.low, right.low, min(max(share, 0.0), 1.0))
            high = _mix(left.high, right.high, min(max(share, 0.0), 1.0))
            for y in range(up.dot(low), up.dot(high) + 1):
                if y % 2 == 0:
                    _set(grid, x, y)


def _mix(left: float | None, right: float | None, share: float) -> float:
    assert left is not None
    assert right is not None
    return left + (right - left) * share


def _name_lines(grid: list[list[Cell]], series: Sequence[Series], across: Scale, up: Scale) -> None:
    """Where there are several lines, the first letter of each name at its end."""
    if len(series) < 2:
        return
    taken: set[int] = set()
    for one in series:
        finite = [point for point in one.points if math.isfinite(point.value)]
        if not finite or not one.name:
            continue
        row = len(grid) - 1 - up.dot(finite[-1].value) // 4
        column = min(across.dot(finite[-1].step) // 2 + 1, len(grid[0]) - 1)
        free = next((near for near in (row, row - 1, row + 1) if 0 <= near < len(grid) and near not in taken), row)
        taken.add(free)
        grid[free][column] = Cell(one_line(one.name)[:1], "text")


class Plot(Widget):
    """Title with the values at the cursor, the plot, and an axis with marks; as tall as it is given room."""

    DEFAULT_CSS = """
    Plot { height: 8; min-width: 20; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "plot--title",
        "plot--line",
        "plot--band",
        "plot--axis",
        "plot--cursor",
        "plot--mark",
    }

    series: reactive[tuple[Series, ...]] = reactive(())
    marks: reactive[tuple[Mark, ...]] = reactive(())
    steps: reactive[tuple[float, float]] = reactive((0.0, 1.0))
    """The first and last step shown: the same in all plots of a screen."""
    cursor: reactive[float | None] = reactive(None)

    def __init__(
        self,
        title: str,
        limits: tuple[float | None, float | None] = (None, None),
        *,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.title = title
        self.limits = limits
        self._rows: tuple[object, list[Strip]] | None = None

    def render_line(self, y: int) -> Strip:
        key = (self.size, self.series, self.marks, self.steps, self.cursor, self.app.theme, self.has_focus)
        if self._rows is None or self._rows[0] != key:
            self._rows = (key, self._strips(self.size.width, self.size.height))
        rows = self._rows[1]
        return rows[y] if y < len(rows) else Strip.blank(self.size.width)

    def _strips(self, width: int, height: int) -> list[Strip]:
        if width <= GUTTER + 2 or height < 3:
            return [self._strip([(self._title(), "plot--title")], width)][:height]
        area, rows = width - GUTTER, height - 2
        scale = value_range(self.series, self.limits)
        strips = [self._strip([(self._title(), "plot--title")], width)]
        if not any(one.points for one in self.series):
            middle = "no values yet".center(area)
            blank = [self._strip([(" " * width, "plot--axis")], width) for _ in range(rows)]
            blank[rows // 2] = self._strip([(" " * GUTTER + middle, "plot--axis")], width)
            return [*strips, *blank, self._axis(area)]
        grid = draw(self.series, area, rows, self.steps, (scale.low, scale.high), self.cursor)
        for index, row in enumerate(grid):
            label = {0: _tick(scale.high), rows - 1: _tick(scale.low)}.get(index, "")
            strips.append(self._strip([(label.rjust(GUTTER - 1) + " ", "plot--axis"), *_runs(row)], width))
        return [*strips, self._axis(area)]

    def _title(self) -> str:
        values = []
        for one in self.series:
            point = one.at(self.cursor)
            text = _value(point)
            values.append(f"{one_line(one.name, 24)} {text}" if one.name else text)
        return f"{self.title}  {'  '.join(values)}"

    def _axis(self, area: int) -> Strip:
        across = Scale(*self.steps, area)
        line = ["─"] * area
        first, last = f"{self.steps[0]:.0f}", f"{self.steps[1]:.0f}"
        line[: len(first)] = first
        line[max(area - len(last), 0) :] = last
        for mark in self.marks:
            line[across.dot(mark.step)] = mark.glyph[:1]
        return self._strip([(" " * GUTTER, "plot--axis"), ("".join(line[:area]), "plot--axis")], area + GUTTER)

    def _strip(self, parts: Sequence[tuple[str, str]], width: int) -> Strip:
        segments = [Segment(text, self._style(name)) for text, name in parts]
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(name) if name in self.COMPONENT_CLASSES else self.rich_style


_CLASSES: dict[Role, str] = {
    "line": "plot--line",
    "band": "plot--band",
    "cursor": "plot--cursor",
    "mark": "plot--mark",
    "text": "plot--title",
    "blank": "plot--axis",
}


def _runs(row: Sequence[Cell]) -> list[tuple[str, str]]:
    """Cells of the same role joined."""
    runs: list[tuple[str, str]] = []
    for cell in row:
        name = _CLASSES[cell.role]
        if runs and runs[-1][1] == name:
            runs[-1] = (runs[-1][0] + cell.text, name)
        else:
            runs.append((cell.text, name))
    return runs


def _tick(value: float) -> str:
    """At most five characters."""
    if value and abs(value) < 0.005:
        return f"{value:.0e}".replace("e-0", "e-")
    return number(value, 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0)


def _value(point: Point | None) -> str:
    if point is None:
        return number(None)
    if point.low is None and abs(point.value) < 0.005:
        return _tick(point.value)
    return figure(point.value, point.low, point.high)
