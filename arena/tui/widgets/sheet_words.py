"""What stands around a table of many runs: a line in full, an empty table's way out, a matrix as a table."""

from __future__ import annotations

from pathlib import Path

from textual.content import Content

from arena.tui.collect.table_kinds import TableKind
from arena.tui.format import count
from arena.tui.sheet import UNSURE, Figure, Heading, Line, Sheet, make_line
from arena.tui.text import join, line
from arena.tui.widgets.matrix_cells import ITSELF, UNPLAYED, Grid, counts_text, interval_text, score_text
from arena.tui.widgets.sheet_table import cell_content

_GAP = "   "
_KEY = "bold $footer-key-foreground"


def line_in_full(sheet: Sheet, found: Line, width: int, rows: int) -> Content:
    """Every cell with its name and interval, in at most so many lines of so many columns."""
    lines: list[Content] = [Content()]
    for heading, cell in zip(sheet.headings, found.cells, strict=True):
        if cell is None or cell == "":
            continue
        text = line(cell, limit=120) if isinstance(cell, str) and heading.name != "state" else None
        shown = text or cell_content(sheet, cell, heading.name)
        span = f" ({cell.interval})" if isinstance(cell, Figure) and cell.interval else ""
        fact = join((f"{heading.title} ", "$foreground-muted"), shown, span)
        longer = join(lines[-1], fact, between=_GAP)
        if lines[-1] and longer.cell_length > width:
            lines.append(fact)
        else:
            lines[-1] = longer
    if len(lines) > rows:
        lines[rows - 1] = join(lines[rows - 1], "…", between=_GAP)
    return join(*(one.truncate(width, ellipsis=True) for one in lines[:rows]), between="\n")


def way_out(kind: TableKind, runs: int, waiting: int, unread: int) -> Content:
    """What a table without rows says: what fills it, and how; what could not be read might."""
    head = f"{unread} of {count(runs, 'run')} cannot be read." if unread else "no rows yet."
    parts = [join((f"{kind.title}: {head}", "bold"), "\n\n", kind.filled_by)]
    if waiting:
        late = f"{count(waiting, 'run')} without a result yet: "
        parts.append(join(late, ("u", _KEY), " on a run's own screen makes it."))
    commands = [join((command, _KEY)) for command in kind.commands]
    parts.append(join(*commands, between="\n"))
    if not runs:
        parts.append(join(("5", _KEY), " a tournament's form   ", ("7", _KEY), " a training's form"))
    return join(*parts, between="\n\n")


def matrix_sheet(grid: Grid, kind: str, title: str) -> Sheet:
    """A matrix as a table of texts, for documents; `grid` as it is shown."""
    headings = (Heading("player", "player", 12), *(Heading(name, name, 12, right=True) for name in grid.columns))
    lines = []
    for player in grid.rows:
        cells = [_met(grid, player, opponent) for opponent in grid.columns]
        name = f"{player} {grid.marks[player]}" if player in grid.marks else player
        lines.append(make_line(player, Path(), [name, *cells]))
    return Sheet(kind, title, headings, tuple(lines), "Score of the line's player, 95 % interval, wins–draws–losses.")


def _met(grid: Grid, player: str, opponent: str) -> str:
    cell = grid.cells.get((player, opponent))
    if cell is None:
        return ITSELF if player == opponent else UNPLAYED
    unsure = "" if cell.sure else UNSURE
    counts = f" {counts_text(cell.counts)}" if cell.counts else ""
    return f"{unsure}{score_text(cell)} ({interval_text(cell)}){counts}"
