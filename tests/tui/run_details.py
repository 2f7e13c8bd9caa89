"""What a training run has beside its rows: checkpoints and logs, the same at any time."""

from __future__ import annotations

import os
from pathlib import Path

import run_dirs

from arena.runs.checkpoints import write_checkpoint
from arena.runs.paths import checkpoints_dir, new_attempt_dir

SAVED_AT = run_dirs.NOW - 3600


def training(run_dir: Path, steps: int = 84, of: int = 120, end: str = "", saved: int = 40) -> Path:
    """A training at work with a checkpoint every `saved` steps and a log."""
    run_dirs.training(run_dir, steps, of, end, started=run_dirs.NOW - steps * run_dirs.STEP_SECONDS)
    for step in range(0, steps + 1, saved):
        checkpoint(run_dir, step)
    log(run_dir, *(f"2026-09-21 14:{number:02}:00 note {number}" for number in range(10)))
    return run_dir


def checkpoint(run_dir: Path, step: int) -> Path:
    folder = write_checkpoint(checkpoints_dir(run_dir), step, _fill)
    os.utime(folder, (SAVED_AT + step, SAVED_AT + step))
    return folder


def _fill(folder: Path) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}" * 5000)


def log(run_dir: Path, *lines: str, name: str = "job.log", attempt: int = 1) -> Path:
    """Append lines to a log of an attempt."""
    folder = run_dir / "logs" / f"attempt_{attempt}"
    while not folder.is_dir():
        new_attempt_dir(run_dir)
    with open(folder / name, "a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    return folder / name
