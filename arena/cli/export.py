"""`export`: a run's results in a format for elsewhere, on stdout."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from arena.cli.common import print_json


class Format(StrEnum):
    MD = "md"
    CSV = "csv"
    JSON = "json"


def register(app: typer.Typer) -> None:
    app.command()(export)


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run directory or id.")],
    form: Annotated[Format, typer.Option("--format", help="What to write.")],
) -> None:
    """Print a run's results, finished or not: tables of a tournament, metrics of a training run.

    Example: spiral-arena export runs/tournament-20260101-120000 --format md > table.md
    """
    from arena.runs.launch import become, job_command
    from arena.runs.paths import find_run
    from arena.runs.record import read_record

    run_dir = find_run(run)
    if read_record(run_dir).kind == "train":
        _print_metrics(run_dir, form)
        return
    become(job_command("evals", str(run_dir), "--show", "--format", form.value))


def _print_metrics(run_dir: Path, form: Format) -> None:
    import csv
    import sys
    from dataclasses import asdict

    from arena.core.sanitise import one_line
    from arena.runs.store import RunReader

    columns = ("step", "name", "game", "role", "opponent", "value", "low", "high", "n")
    rows: list[dict[str, object]] = []
    after = 0
    with RunReader(run_dir) as reader:
        while page := reader.metrics(after, limit=10_000):
            rows.extend({column: asdict(row)[column] for column in columns} for row in page)
            after = page[-1].id
    if form is Format.JSON:
        print_json(rows)
        return
    cells = [["" if row[column] is None else one_line(str(row[column])) for column in columns] for row in rows]
    if form is Format.CSV:
        csv.writer(sys.stdout, lineterminator="\n").writerows([columns, *cells])
        return
    print(f"| {' | '.join(columns)} |\n|{'|'.join('---' for _ in columns)}|")
    for line in cells:
        print(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |")
