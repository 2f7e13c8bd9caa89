"""`export`: a run's results in a format for elsewhere, on stdout or, for TensorBoard, as a directory."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    MD = "md"
    CSV = "csv"
    LATEX = "latex"
    JSON = "json"
    JSONL = "jsonl"
    HTML = "html"
    TENSORBOARD = "tensorboard"


def register(app: typer.Typer) -> None:
    app.command()(export)


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run directory or id.")],
    form: Annotated[Format, typer.Option("--format", help="What to write.")],
    out: Annotated[Path | None, typer.Option(help="Directory of --format tensorboard, not RUN/tensorboard.")] = None,
) -> None:
    """Write a run's results, finished or not: its tables; of a training run also all figures (csv, json, tensorboard).

    Of an evaluation, html is one file with plots, tables and the replay of every match, which needs nothing else, and
    jsonl every match with its replies, which `import` reads.

    Example: spiral-arena export runs/tournament-20260101-120000 --format html > report.html
    """
    from arena.core.errors import UsageError
    from arena.runs.launch import become, job_command
    from arena.runs.paths import find_run
    from arena.runs.record import read_record

    run_dir = find_run(run)
    events = form is Format.TENSORBOARD
    if out is not None and not events:
        raise UsageError("--out is for --format tensorboard.", "Other formats go to stdout: add > FILE.")
    kind = read_record(run_dir).kind
    if kind in ("train", "sft"):
        if form in (Format.HTML, Format.JSONL):
            raise UsageError(f"--format {form.value} is for evaluations.", "Evaluate a checkpoint: tournament, ood, …")
        become(job_command("training", str(run_dir), "--export", form.value, *(["--out", str(out)] if out else [])))
    if events:
        raise UsageError(f"A run of kind {kind} has no figures over steps.", "TensorBoard shows training runs.")
    become(job_command("evals", str(run_dir), "--show", "--format", form.value))
