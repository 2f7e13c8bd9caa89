"""`tables`: the figures of many runs as one table, as the TUI's screen Tables shows them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from arena.cli.common import say

if TYPE_CHECKING:
    from arena.tui.collect.tables import Tables
    from arena.tui.sheet import Sheet


class Kind(StrEnum):
    SCORES = "scores"
    HEAD_TO_HEAD = "head-to-head"
    OOD = "ood"
    TRANSFER = "transfer"
    TRUTH = "truth"
    REASONING = "reasoning"
    API = "api"


class Format(StrEnum):
    MD = "md"
    CSV = "csv"
    LATEX = "latex"
    JSON = "json"
    SVG = "svg"


def register(app: typer.Typer) -> None:
    app.command()(tables)


def tables(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN]...", show_default=False, help="Run directories or ids, not all."),
    ] = None,
    kind: Annotated[Kind, typer.Option(help="Which table; transfer is ood with a column for each game.")] = Kind.SCORES,
    form: Annotated[Format | None, typer.Option("--format", help="What to write, not columns of text.")] = None,
    sort: Annotated[str, typer.Option(metavar="COLUMN", help="Sort by this column; -COLUMN turns it round.")] = "",
    words: Annotated[str, typer.Option("--filter", metavar="WORDS", help="Only lines that have all these words.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print one table over all runs, or over those named: figures with 95 % intervals and counts.

    Of tournaments, head-to-head and ood runs it is their results, of trainings the last evaluation.

    Example: spiral-arena tables --kind ood --sort change --format latex > transfer.tex
    """
    from arena.tui.export import FORMATS
    from arena.tui.sheet import filtered

    found = _read(runs or [])
    sheet = _sorted(filtered(_sheet(found, kind), words), sort)
    form = Format.JSON if as_json else form
    if form is not None:
        print(FORMATS[form][2](sheet), end="")
    elif sheet.lines:
        _print(sheet)
    if not sheet.lines:
        _say_why(found, kind, words)


def _read(runs: list[str]) -> Tables:
    """Raises ArenaError where a run that is named cannot be read; of others it is told."""
    from arena.core.errors import ArenaError
    from arena.runs.paths import find_run, runs_root
    from arena.tui.collect.tables import TablesReader

    found = TablesReader(runs_root(), [find_run(run) for run in runs]).read()
    if runs and found.problems:
        raise ArenaError(found.problems[0])
    for problem in found.problems:
        say(f"not read: {problem}")
    if found.waiting:
        say(f"without a result yet: {found.waiting} of {found.runs} runs")
    return found


def _sheet(found: Tables, kind: Kind) -> Sheet:
    return found.transfer if kind is Kind.TRANSFER else found.sheets[kind]


def _sorted(sheet: Sheet, sort: str) -> Sheet:
    """Figures and counts start with the largest, texts with the first. Raises UnknownName."""
    from arena.core.errors import UnknownName
    from arena.tui.sheet import ordered, starts_descending

    name = sort.removeprefix("-")
    if not name:
        return sheet
    names = [heading.name for heading in sheet.headings]
    if name not in names:
        raise UnknownName("column", name, names)
    return ordered(sheet, name, starts_descending(sheet, name) != sort.startswith("-"))


def _print(sheet: Sheet) -> None:
    from rich.cells import cell_len

    from arena.tui.sheet import printed

    columns, note = printed(sheet)
    blocks = []
    for column in columns:
        cells = [column.title, *column.cells]
        width = max(map(cell_len, cells))
        gaps = [" " * (width - cell_len(cell)) for cell in cells]
        blocks.append([gap + cell if column.right else cell + gap for gap, cell in zip(gaps, cells, strict=True)])
    for row in zip(*blocks, strict=True):
        print("  ".join(row).rstrip())
    say(note)


def _say_why(found: Tables, kind: Kind, words: str) -> None:
    from arena.tui.collect.table_kinds import KINDS, OOD

    about = KINDS[OOD if kind is Kind.TRANSFER else kind]
    if words and _sheet(found, kind).lines:
        say(f"No line has all of: {words}")
        return
    say(f"{about.title}: no rows yet. {about.filled_by}")
    for command in about.commands:
        say(f"try: {command}")
