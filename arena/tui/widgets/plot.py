"""A small plot over steps: its title with the values at the cursor, the curves, and an axis with marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from arena.core.sanitise import one_line
from arena.tui.curves import Cell, Limits, Mark, Scale, Series, draw, letters, shown, tick, value_range

GUTTER = 6
"""Columns left of the plot, for the figures at its top and bottom."""
COLOURS = 5
"""Lines that are told apart by colour; all are by their letters."""
_SPACE = "  "
_LABEL = 24
"""Characters of a line's name."""


class Plot(Widget):
    """As tall as it is given room. `selected` marks the one of several that keys act on."""

    DEFAULT_CSS = """
    Plot { height: 8; min-width: 20; }
    Plot > .plot--title, Plot > .plot--value { color: $foreground; }
    Plot > .plot--selected { color: $text-primary; text-style: bold; }
    Plot > .plot--axis { color: $foreground-muted; }
    Plot > .plot--cursor { color: $text-accent; }
    Plot > .plot--mark { color: $text-warning; text-style: bold; }
    Plot > .plot--line-0 { color: $primary; }
    Plot > .plot--key-0 { color: $primary; text-style: bold underline; }
    Plot > .plot--line-1 { color: $accent; }
    Plot > .plot--key-1 { color: $accent; text-style: bold underline; }
    Plot > .plot--line-2 { color: $success; }
    Plot > .plot--key-2 { color: $success; text-style: bold underline; }
    Plot > .plot--line-3 { color: $secondary; }
    Plot > .plot--key-3 { color: $secondary; text-style: bold underline; }
    Plot > .plot--line-4 { color: $warning; }
    Plot > .plot--key-4 { color: $warning; text-style: bold underline; }
    Plot > .plot--band-0 { color: $primary 45%; }
    Plot > .plot--band-1 { color: $accent 45%; }
    Plot > .plot--band-2 { color: $success 45%; }
    Plot > .plot--band-3 { color: $secondary 45%; }
    Plot > .plot--band-4 { color: $warning 45%; }
    Plot:nocolor > .plot--band-0, Plot:nocolor > .plot--band-1, Plot:nocolor > .plot--band-2,
    Plot:nocolor > .plot--band-3, Plot:nocolor > .plot--band-4 { text-style: dim; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "plot--title",
        "plot--value",
        "plot--selected",
        "plot--axis",
        "plot--cursor",
        "plot--mark",
        *(f"plot--line-{index}" for index in range(COLOURS)),
        *(f"plot--band-{index}" for index in range(COLOURS)),
        *(f"plot--key-{index}" for index in range(COLOURS)),
    }

    series: reactive[tuple[Series, ...]] = reactive(())
    marks: reactive[tuple[Mark, ...]] = reactive(())
    steps: reactive[tuple[float, float]] = reactive((0.0, 1.0))
    """The first and last step shown: the same in all plots of a screen."""
    cursor: reactive[float | None] = reactive(None)
    selected: reactive[bool] = reactive(False)

    def __init__(
        self, title: str, limits: Limits = (None, None), *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.title = title
        self.limits = limits
        self._drawn: tuple[object, list[list[Cell]]] | None = None
        self._strips: tuple[object, list[Strip]] | None = None
        self._version = 0
        self._ground = Style()

    def watch_series(self) -> None:
        self._version += 1

    watch_steps = watch_marks = watch_series

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips = None

    @property
    def area(self) -> int:
        """Columns of the plot's area: cursor positions that differ on screen."""
        return max(self.size.width - GUTTER, 0)

    def render_line(self, y: int) -> Strip:
        key = (self.size, self._version, self.cursor, self.selected)
        if self._strips is None or self._strips[0] != key:
            self._ground = self.rich_style
            self._strips = (key, self._all_strips(self.size.width, self.size.height))
        rows = self._strips[1]
        return rows[y] if y < len(rows) else Strip.blank(self.size.width, self._ground)

    def _all_strips(self, width: int, height: int) -> list[Strip]:
        head = self._head(width, height)
        rows = height - len(head) - 1
        if width <= GUTTER + 2 or rows < 1:
            return head[:height]
        area = width - GUTTER
        if not any(len(one) for one in self.series):
            blank = [Strip.blank(width, self._ground) for _ in range(rows)]
            blank[rows // 2] = self._strip([(" " * GUTTER + "no values yet".center(area), "plot--axis")], width)
            return [*head, *blank, self._axis(area)]
        low, high = value_range(self.series, self.limits)
        body = []
        for index, row in enumerate(self._grid(area, rows, (low, high))):
            label = tick(high) if index == 0 else tick(low) if index == rows - 1 else ""
            cells = self._with_cursor(row, area)
            body.append(self._strip([(f"{label:>{GUTTER - 1}} ", "plot--axis"), *_runs(cells)], width))
        return [*head, *body, self._axis(area)]

    def _grid(self, width: int, height: int, values: tuple[float, float]) -> list[list[Cell]]:
        """The drawing, made anew only where data or size changed: a moving cursor leaves it as it is."""
        key = (width, height, self._version)
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = (key, draw(self.series, width, height, self.steps, values))
        return self._drawn[1]

    def _with_cursor(self, row: Sequence[Cell], area: int) -> list[tuple[str, str]]:
        cells = [(cell.text, _name(cell)) for cell in row]
        if self.cursor is not None:
            column = self._column(self.cursor, area)
            text, name = cells[column]
            cells[column] = (text, name) if name.startswith("plot--line") else ("│", "plot--cursor")
        return cells

    def _column(self, step: float, area: int) -> int:
        return Scale(*self.steps, area * 2).dot(step) // 2

    def _head(self, width: int, height: int) -> list[Strip]:
        """The title and, where there are several lines, their letters, names and values; one row, or more if tall."""
        name = "plot--selected" if self.selected else "plot--title"
        title = f"{'▸' if self.selected else ' '}{one_line(self.title, 80)}"
        if len(self.series) < 2:
            value = shown(self.series[0].at(self.cursor)) if self.series else ""
            return [self._strip([(title, name), (_SPACE, name), (value, "plot--value")], width)]
        rows = self._legend(width - 1, most=1 if height < 9 else 2 if height < 16 else len(self.series))
        return [self._strip([(title, name)], width), *rows]

    def _legend(self, width: int, most: int) -> list[Strip]:
        """Name and value of each line, its letter lit; where there is no room without intervals, then with less name.

        At most so many rows.
        """
        points = [one.at(self.cursor) for one in self.series]
        full = [shown(point) for point in points]
        plain = [shown(point and point._replace(low=None)) for point in points]
        tight = [value.replace(" ±", "±") for value in full]
        rows: list[list[tuple[str, str]]] = []
        for letters_of_name, values in ((_LABEL, full), (_LABEL, tight), (_LABEL, plain), (3, plain), (0, plain)):
            rows = self._flow(letters_of_name, values, width)
            if len(rows) <= most:
                break
        return [self._strip([(" ", "plot--value"), *row], width + 1) for row in rows[:most]]

    def _flow(self, label: int, values: Sequence[str], width: int) -> list[list[tuple[str, str]]]:
        """Legend entries in rows of at most so many columns; of each name at most `label` characters."""
        rows: list[list[tuple[str, str]]] = [[]]
        used = 0
        for index, (one, letter, value) in enumerate(zip(self.series, letters(self.series), values, strict=True)):
            before, after = _around(one_line(one.name, 1000), letter, label)
            room = cell_len(before + letter + after + value) + 1
            if used and used + len(_SPACE) + room > width:
                rows.append([])
                used = 0
            if used:
                rows[-1].append((_SPACE, "plot--value"))
                used += len(_SPACE)
            rows[-1] += [(before, "plot--axis"), (letter, f"plot--key-{index % COLOURS}"), (after, "plot--axis")]
            rows[-1].append((f" {value}", "plot--value"))
            used += room
        return rows

    def _axis(self, area: int) -> Strip:
        """First and last step, the cursor's in place of one that it would touch, and what happened."""
        line = [("─", "plot--axis")] * area
        labels = [(0, f"{self.steps[0]:.0f}", "plot--axis"), (area, f"{self.steps[1]:.0f}", "plot--axis")]
        if self.cursor is not None:
            text = f"{self.cursor:.0f}"
            labels.append((self._column(self.cursor, area) - len(text) // 2, text, "plot--cursor"))
        taken: list[range] = []
        for at, text, name in reversed(labels):
            start = min(max(at, 0), max(area - len(text), 0))
            if all(start + len(text) < other.start or other.stop < start for other in taken):
                taken.append(range(start, start + len(text)))
                line[start : start + len(text)] = [(letter, name) for letter in text]
        for mark in self.marks:
            if self.steps[0] <= mark.step <= self.steps[1]:
                line[self._column(mark.step, area)] = (mark.glyph[:1], "plot--mark")
        return self._strip([(" " * GUTTER, "plot--axis"), *_runs(line[:area])], area + GUTTER)

    def _strip(self, parts: Sequence[tuple[str, str]], width: int) -> Strip:
        segments = [Segment(text, self._style(name)) for text, name in parts if text]
        return Strip(segments).adjust_cell_length(width, self._ground)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(name)


def _around(name: str, letter: str, most: int) -> tuple[str, str]:
    """What of a name stands before and after its letter, at most so many characters in all."""
    cut = name if len(name) <= most else f"{name[: max(most - 1, 0)]}…" if most > 3 else name[:most]
    place = cut.rfind(letter) if letter.isdigit() else cut.find(letter)
    if place >= 0:
        return cut[:place], cut[place + 1 :]
    return "", f" {cut}" if cut else ""


def _name(cell: Cell) -> str:
    match cell.role:
        case "blank":
            return "plot--axis"
        case "band":
            return f"plot--band-{cell.series % COLOURS}"
    return f"plot--line-{cell.series % COLOURS}"


def _runs(cells: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Neighbours of the same style joined."""
    runs: list[tuple[str, str]] = []
    for text, name in cells:
        if runs and runs[-1][1] == name:
            runs[-1] = (runs[-1][0] + text, name)
        else:
            runs.append((text, name))
    return runs
