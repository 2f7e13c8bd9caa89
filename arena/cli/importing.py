"""`import`: results that others wrote become a run with tables, ratings and exports."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena.cli.common import say

if TYPE_CHECKING:
    from arena.config.imported import ImportConfig

_SUFFIXES = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".pgn": "pgn"}
_TOLD = 10
"""Bad rows that are told one by one."""


class Format(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"
    TEXTARENA = "textarena"
    PGN = "pgn"


def register(app: typer.Typer) -> None:
    app.command("import")(import_results)


def import_results(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of results.")],
    form: Annotated[Format | None, typer.Option("--format", help="What it is, where its suffix does not say.")] = None,
    game: Annotated[str | None, typer.Option(help="The game of rows that name none.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave rows out that cannot be read.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The run directory itself.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Make a run of matches played elsewhere, and print its tables.

    csv and jsonl have a row for each match: game, a, b; first (who had seat 0; else a); return_a, or score (1, 0.5, 0),
    or result (a, b, draw, 1-0, 0-1, or the winner's name); and where there are any forfeit and pair. textarena are JSON
    lines with env_id, players and rewards by player id. Two matches of a pair have swapped seats.

    Example: spiral-arena import results.csv --game chess
    """
    from arena.runs.launch import become, create_run, job_command

    found = str(form.value) if form else _SUFFIXES.get(file.suffix.lower(), "")
    config = _config(file, found, game, skip_bad)
    run_dir = create_run(config, "imported", out, name=file.name)
    become(job_command("evals", str(run_dir), *(["--json"] if as_json else [])))


def _config(file: Path, form: str, game: str | None, skip_bad: bool) -> ImportConfig:
    """Look at the whole file before anything is made. Raises UsageError for what cannot be read."""
    from arena.config.base import validate
    from arena.config.imported import ImportConfig
    from arena.core.errors import UsageError
    from arena.runs.foreign import digest, read_foreign
    from arena.runs.pairing import place_pairs

    if not form:
        raise UsageError(
            f"What {file} is cannot be told from its suffix.", "Say --format csv, jsonl, textarena or pgn."
        )
    source = Path(os.path.abspath(file))
    found = read_foreign(source, form, game)
    _judge(found.bad, skip_bad)
    if not found.matches:
        left = f"bad rows: {len(found.bad)}, matches without a result: {found.unfinished}"
        raise UsageError(
            f"Nothing of {source} can be taken ({left}).", f"It was read as {form}; --format says otherwise."
        )
    matches = [one.match for one in place_pairs(found.matches, str(source))]
    data = {
        "source": str(source),
        "format": form,
        "sha256": digest(source),
        "game": game,
        "skip_bad": skip_bad,
        "players": list(dict.fromkeys(name for match in matches for name in (match.a, match.b))),
        "games": list(dict.fromkeys(match.game for match in matches)),
        "matches": len(matches),
    }
    return validate(ImportConfig, data, "import")


def _judge(bad: Sequence[str], skip_bad: bool) -> None:
    from arena.core.errors import UsageError

    if bad and not skip_bad:
        others = len(bad) - 1
        more = f" There {'is 1 more such row' if others == 1 else f'are {others} more such rows'}." if others else ""
        raise UsageError(f"{bad[0]}.{more}", "Mend them, or leave them out with --skip-bad.")
    for line in bad[:_TOLD]:
        say(f"left out: {line}")
    if len(bad) > _TOLD:
        say(f"left out: {len(bad) - _TOLD} more rows")
