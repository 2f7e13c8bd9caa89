"""What the command groups share: printing data on stdout, finding a run, and turning into a job."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from arena.core.errors import UsageError
from arena.core.sanitise import one_line

Row = Mapping[str, Any]


def print_json(data: object) -> None:
    """JSON on stdout; everything beyond ASCII is escaped, so no byte of it can steer a terminal."""
    import json

    print(json.dumps(data, indent=2))


def print_rows(rows: Sequence[Row], columns: Sequence[str], empty: str) -> None:
    """Rows as aligned text columns, or the line `empty` where there are none."""
    if not rows:
        print(empty)
        return
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(column), *(len(line[i]) for line in cells)) for i, column in enumerate(columns)]
    for line in [list(columns), *cells]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    if value is None or value == "":
        return "—"
    if isinstance(value, (list, tuple)):
        return one_line(", ".join(str(item) for item in value) or "—")
    return one_line(str(value))


def say(text: str) -> None:
    """Talk goes to stderr."""
    print(one_line(text, 2000), file=sys.stderr)


def run_of_kind(run: str, kind: str) -> Path:
    """The directory of the run to go on with. Raises UsageError where there is none, or it is of another kind."""
    from arena.runs.paths import find_run
    from arena.runs.record import read_record

    run_dir = find_run(run)
    found = read_record(run_dir).kind
    if found != kind:
        raise UsageError(f"{run_dir} is a run of the kind {found}, not {kind}.", f"Use: spiral-arena {found} --resume")
    return run_dir


def run_or_detach(module: str, run_dir: Path, args: Sequence[str], detached: bool, as_json: bool) -> None:
    """Become the job, or start it detached and print where it is."""
    from arena.runs.launch import become, detach, job_command

    if not detached:
        become(job_command(module, str(run_dir), *args))
    pid = detach(job_command(module, str(run_dir.absolute()), *args), run_dir)
    if as_json:
        print_json({"id": run_dir.absolute().name, "path": str(run_dir), "pid": pid})
    else:
        print(one_line(str(run_dir), 4000))
        say(f"running as pid {pid}; ask it to stop with: touch {shlex.quote(str(run_dir / 'stop'))}")
