"""What the cells of a matrix say, as pure functions: figure and blocks, interval, counts; also as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from textual.content import Content

from arena.core.sanitise import one_line
from arena.tui.collect.results import Meeting
from arena.tui.format import MINUS, number
from arena.tui.text import join

_SHADES = ("░", "▒▒", "▒▒▒", "▓▓▓▓", "█████")
UNSURE = "~"
"""Before a figure whose interval spans even play."""
UNPLAYED, ITSELF = "·", "—"
UNMET = "no complete pair yet"


class Density(NamedTuple):
    """How much a cell shows."""

    width: int
    lines: int
    blocks: int
    gap: int = 0
    """Empty lines between two lines of cells."""

    @property
    def height(self) -> int:
        return self.lines + self.gap


FULL, HALF, LEAN, TIGHT = Density(13, 3, 5), Density(10, 2, 5), Density(10, 1, 5), Density(6, 1, 1)


@dataclass(frozen=True, slots=True)
class Grid:
    """Who against whom: the lines' players score against the columns'."""

    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    cells: Mapping[tuple[str, str], Meeting] = field(default_factory=dict)
    """By player and opponent."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """A glyph behind a line's name."""
    unmet: str = UNMET
    """Why a cell is empty."""

    @property
    def signed(self) -> bool:
        """Whether scores are returns, which need a column more."""
        return any(cell.unit == "utility" for cell in self.cells.values())

    @property
    def scale(self) -> float:
        """The largest return, up or down, where scores are returns: the span of the shades."""
        return max((abs(cell.score.value) for cell in self.cells.values() if cell.unit == "utility"), default=0.0)

    def share(self, cell: Meeting) -> float:
        """Where a score stands between all lost (0) and all won (1); returns between the matrix's extremes."""
        if cell.unit == "points":
            return min(max(cell.score.value, 0.0), 1.0)
        return 0.5 + cell.score.value / (2 * self.scale) if self.scale else 0.5


def shade(share: float, blocks: int = 5) -> str:
    """A score's blocks: the higher, the more and the denser; with one block only the denser."""
    level = min(max(int(share * len(_SHADES)), 0), len(_SHADES) - 1)
    return _SHADES[level][:blocks]


def score_text(cell: Meeting) -> str:
    """Such as ".69", or "+.05" where it is a return."""
    if cell.unit == "points":
        return number(cell.score.value)
    return signed(cell.score.value)


def signed(value: float, digits: int = 2) -> str:
    """With its sign, zero without one."""
    text = number(value, digits)
    return text if text.startswith(MINUS) or not text.strip(".0") else f"+{text}"


def interval_text(cell: Meeting) -> str:
    """Such as ".57 … .66"."""
    show = signed if cell.unit == "utility" else number
    return f"{show(cell.score.low)} … {show(cell.score.high)}"


def counts_text(counts: tuple[int, int, int] | None) -> str:
    """Wins, draws and losses."""
    return "–".join(map(str, counts)) if counts else "—"


def cell_lines(cell: Meeting | None, grid: Grid, density: Density, tinted: bool = True) -> list[Content]:
    """The lines of a cell, each of the density's width: figure and blocks, then the interval and the counts.

    Where the terminal's own colours are used nothing can be `tinted`: they do not mix.
    """
    if cell is None:
        return blank_lines(UNPLAYED, density)
    share = grid.share(cell)
    text = f"{'' if cell.sure else UNSURE}{score_text(cell)}"
    tone = _tone(share) if cell.sure else "dim"
    blocks = f"{shade(share, density.blocks):<{density.blocks}}"
    room = _figure_room(density)
    space = " " if density.blocks > 1 else ""
    lines = [join((f"{text:>{room}}{space}", "" if cell.sure else "dim"), (blocks, tone))]
    tint = _tint(share) if cell.sure and tinted else ""
    quiet = "" if abs(share - 0.5) > 0.3 and tint else "$foreground-muted"
    lines += [join((text, quiet)) for text in _details(cell, density)]
    padded = [one.truncate(density.width, pad=True) for one in lines]
    return [one.stylize_before(tint) for one in padded] if tint else padded


def _figure_room(density: Density) -> int:
    """Columns up to the end of the figure, so that figure and blocks stand in the cell's middle."""
    if density.blocks == 1:
        return density.width - 1
    return density.width - density.blocks - 1 - max(density.width - FULL.width, 0) // 2


def _details(cell: Meeting, density: Density) -> list[str]:
    """What stands below a cell's figure: the interval and the counts as far as there is room."""
    count = f"{cell.matches}" if cell.matches is not None else f"{cell.games} games"
    half = f"±{number((cell.score.high - cell.score.low) / 2)}"
    if density.lines == FULL.lines:
        wdl = counts_text(cell.counts) if cell.counts else count
        return [interval_text(cell).center(density.width), wdl.center(density.width)]
    return [f"{half:>{_figure_room(density)}} {count}"] if density.lines == HALF.lines else []


def blank_lines(glyph: str, density: Density) -> list[Content]:
    first = f"{glyph:>{_figure_room(density)}}".ljust(density.width)
    return [Content.styled(text, "$foreground-muted") for text in (first, *[" " * density.width] * (density.lines - 1))]


def _tone(share: float) -> str:
    return "$text-primary" if share >= 0.5 else "$text-accent"


def _tint(share: float) -> str:
    """The background of a cell, the stronger the farther from even play, in steps of a twentieth."""
    strength = round(abs(share - 0.5) * 20) * 5
    return f"on {'$primary' if share >= 0.5 else '$accent'} {strength}%" if strength else ""


def to_markdown(grid: Grid, title: str) -> str:
    """The matrix with scores, intervals and counts; names stay as they are, whatever of Markdown is in them."""
    lines = [f"**{_escaped(title)}**: score of the line's player, 95 % interval, wins–draws–losses", ""]
    lines.append(f"| | {' | '.join(map(_escaped, grid.columns))} |")
    lines.append(f"|---|{'---|' * len(grid.columns)}")
    for player in grid.rows:
        cells = [_markdown_cell(grid, player, opponent) for opponent in grid.columns]
        lines.append(f"| {_escaped(player)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _markdown_cell(grid: Grid, player: str, opponent: str) -> str:
    if player == opponent:
        return ITSELF
    cell = grid.cells.get((player, opponent))
    if cell is None:
        return UNPLAYED
    counts = f" {counts_text(cell.counts)}" if cell.counts else ""
    return f"{score_text(cell)} ({interval_text(cell)}){counts}"


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", one_line(text))
