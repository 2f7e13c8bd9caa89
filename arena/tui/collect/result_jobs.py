"""What an evaluation's job is asked for when a result is not at hand as it is wanted: to make it, or to write it out.

A viewer computes no result: `python -m evals` does, as a process that plays nothing.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.runs.launch import job_command, job_environment
from arena.runs.paths import write_atomic

FORMATS = {".md": "md", ".csv": "csv", ".tex": "latex", ".json": "json", ".html": "html"}
"""Formats by the suffix of a file."""
_SECONDS = 600
"""Longest time that it may take."""


def compute(run_dir: Path, finished: bool) -> str:
    """Let a job make the result of a run that has none, and return it as JSON; of a finished run it is stored too.

    Raises ArenaError where the job fails.
    """
    return _ask(run_dir, *([] if finished else ["--show"]), "--json")


def export(run_dir: Path, path: Path) -> None:
    """Write the result in the format of the file's suffix, one of `FORMATS`. Raises ArenaError."""
    form = FORMATS[path.suffix.lower()]
    write_atomic(path, _ask(run_dir, "--show", "--format", form))


def _ask(run_dir: Path, *args: str) -> str:
    command = job_command("evals", str(run_dir.absolute()), *args)
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS, check=False,
            env=job_environment(), encoding="utf-8", errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ArenaError(f"The result could not be made: {one_line(str(error), 200)}.") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise ArenaError(f"The result could not be made: {one_line(said[-1], 400)}")
    return done.stdout
