"""A table as data: headings, and lines whose cells are texts, counts and figures; sorted, filtered, and as plain text.

Screens, the command line and exports show the same `Sheet`. All pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from arena.core.sanitise import one_line
from arena.tui.format import MINUS, number

UNSURE = "~"
"""Before a figure whose interval spans what means no difference."""
NOTHING = "—"
KINDS = {"own": "own", "other": "other", "ood": "OOD"}
"""What a game is to a player: its own, another training game, one that self-play never trains on."""
GLYPHS = {"own": "●", "other": "○", "ood": "◇"}
_DIGITS = re.compile(r"(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its 95 % interval, where it has one."""

    value: float
    low: float | None = None
    high: float | None = None
    even: float | None = None
    """What would mean no difference: an interval that spans it is marked."""
    signed: bool = False
    digits: int = 2
    kind: str = ""
    """Of `KINDS`, where the figure stands in a column for a game."""

    @property
    def unsure(self) -> bool:
        if self.even is None or self.low is None or self.high is None:
            return False
        return self.low <= self.even <= self.high

    @property
    def text(self) -> str:
        """Such as ".86", "~+.05" or "○ ~+.05"."""
        glyph = f"{GLYPHS[self.kind]} " if self.kind in GLYPHS else ""
        return f"{glyph}{UNSURE if self.unsure else ''}{self._shown(self.value)}"

    @property
    def interval(self) -> str:
        """Such as ".80 … .91"; empty where there is none."""
        if self.low is None or self.high is None:
            return ""
        return f"{self._shown(self.low)} … {self._shown(self.high)}"

    @property
    def short(self) -> str:
        """Such as "○ ~+.05 ±.04"."""
        if self.low is None or self.high is None:
            return self.text
        return f"{self.text} ±{number((self.high - self.low) / 2, self.digits)}"

    def _shown(self, value: float) -> str:
        text = number(value, self.digits)
        plain = not self.signed or text.startswith(MINUS) or not text.strip(".0")
        return text if plain else f"+{text}"


class Counts(NamedTuple):
    """Matches by how they ended."""

    wins: int
    draws: int
    losses: int


Cell = str | int | Figure | Counts | None
Value = str | int | float | None
COUNTS = "counts"
"""Name of the column of `Counts`."""


@dataclass(frozen=True, slots=True)
class Heading:
    """One column."""

    name: str
    """In data; unique in its sheet."""
    title: str
    """On screen."""
    width: int
    """In terminal cells; the least where the column grows."""
    right: bool = False
    grow: bool = False
    rank: int = 0
    """Where there is no room the highest goes first; 0 stays."""
    spread: int | None = None
    """Of figures: the rank of a column of its own for their intervals; without it they stand in the same one."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row. `key` says what it is about, and stays the same while its figures change."""

    key: str
    run_dir: Path
    cells: tuple[Cell, ...]
    words: str = field(default="", compare=False)
    """All its text, for the filter."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table. Cells of texts hold whole names; `names` says how long ones are shown."""

    kind: str
    title: str
    headings: tuple[Heading, ...]
    lines: tuple[Line, ...] = ()
    note: str = ""
    """What its figures are."""
    names: Mapping[str, str] = field(default_factory=dict)

    def shown(self, cell: Cell) -> str:
        """The text of a cell as it stands in a narrow column."""
        match cell:
            case None:
                return NOTHING
            case Figure():
                return cell.text
            case Counts():
                return "–".join(map(str, cell))
            case str():
                return one_line(self.names.get(cell, cell), 400) or NOTHING
        return str(cell)


def make_line(key: str, run_dir: Path, cells: Sequence[Cell]) -> Line:
    """A line whose words are its texts."""
    words = " ".join(cell for cell in cells if isinstance(cell, str)).casefold()
    return Line(key, run_dir, tuple(cells), words)


def filtered(sheet: Sheet, text: str) -> Sheet:
    """The lines in whose texts every word of `text` occurs, in their order."""
    words = text.casefold().split()
    if not words:
        return sheet
    return replace(sheet, lines=tuple(line for line in sheet.lines if all(word in line.words for word in words)))


def ordered(sheet: Sheet, name: str, descending: bool) -> Sheet:
    """The lines by one column; equal ones stay in their order, and those without a value come last either way."""
    place = next((place for place, heading in enumerate(sheet.headings) if heading.name == name), None)
    if place is None:
        return sheet
    keys = {id(line): _key(line.cells[place]) for line in sheet.lines}
    known = [line for line in sheet.lines if keys[id(line)] is not None]
    known.sort(key=lambda line: keys[id(line)] or (), reverse=descending)
    unknown = [line for line in sheet.lines if keys[id(line)] is None]
    return replace(sheet, lines=(*known, *unknown))


def starts_descending(sheet: Sheet, name: str) -> bool:
    """Whether the first look at a column is at its largest: figures and counts, not texts."""
    place = next((place for place, heading in enumerate(sheet.headings) if heading.name == name), 0)
    return any(not isinstance(line.cells[place], str | None) for line in sheet.lines)


def _key(cell: Cell) -> tuple[object, ...] | None:
    """Numbers within a text count as numbers: step 9 is before step 80."""
    match cell:
        case None | "":
            return None
        case Figure():
            return None if math.isnan(cell.value) else (0, cell.value)
        case Counts():
            return (0, (cell.wins - cell.losses) / max(sum(cell), 1))
        case str():
            parts = _DIGITS.split(cell.casefold())
            return (1, *((int(part) if place % 2 else part) for place, part in enumerate(parts)))
    return (0, cell)


# As plain text and as data


class Column(NamedTuple):
    """A column as people read it."""

    title: str
    right: bool
    cells: list[str]


def printed(sheet: Sheet) -> tuple[list[Column], str]:
    """The columns as people read them, and a note; what all rows share stands there, in no column."""
    columns: list[Column] = []
    shared: list[str] = []
    for place, heading in enumerate(sheet.headings):
        cells = [line.cells[place] for line in sheet.lines]
        texts = [sheet.shown(cell) for cell in cells]
        spans = [cell.interval if isinstance(cell, Figure) else "" for cell in cells]
        if len(texts) > 1 and len(set(texts)) == 1 and not heading.right:
            shared += [f"{heading.title} {texts[0]}"] * (texts[0] != NOTHING)
        elif heading.spread is not None:
            columns.append(Column(heading.title, True, texts))
            columns.append(Column("95 %", True, [span or NOTHING for span in spans]))
        else:
            joined = [f"{text} ({span})" if span else text for text, span in zip(texts, spans, strict=True)]
            columns.append(Column(heading.title, heading.right, joined))
    same = f"In every row: {', '.join(shared)}." if shared else ""
    return columns, " ".join(part for part in (sheet.note, same) if part)


def data(sheet: Sheet) -> tuple[list[str], list[dict[str, Value]]]:
    """Names of columns, and rows of whole names and unrounded numbers; a figure's bounds are columns of their own."""
    parts = [
        [_parts(heading, line.cells[place]) for line in sheet.lines] for place, heading in enumerate(sheet.headings)
    ]
    names = [name for column in parts for name in dict.fromkeys(name for part in column for name in part)]
    rows = [{name: value for part in line for name, value in part.items()} for line in zip(*parts, strict=True)]
    return names, [{name: row.get(name) for name in names} for row in rows]


def _parts(heading: Heading, cell: Cell) -> dict[str, Value]:
    name = heading.name
    match cell:
        case Figure():
            bounds = {f"{name}_low": _finite(cell.low), f"{name}_high": _finite(cell.high)}
            return {name: _finite(cell.value), **bounds, **({f"{name}_kind": cell.kind} if cell.kind else {})}
        case Counts():
            return dict(cell._asdict())
        case None if name == COUNTS:
            return dict.fromkeys(Counts._fields)
    return {name: cell}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
