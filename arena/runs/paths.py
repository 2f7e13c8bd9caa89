"""Where runs and their files are. A run is a directory; its name is the run's id."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path

from arena.core.errors import ArenaError, UnknownName, UsageError

ROOT_VARIABLE = "SPIRAL_ARENA_RUNS"
ATTEMPT_VARIABLE = "SPIRAL_ARENA_ATTEMPT"
"""Tells a detached job where its output goes."""
RECORD = "run.json"
CONFIG_TOML = "config.toml"
CONFIG_JSON = "config.json"
RESULT_JSON = "result.json"
"""An evaluation's result as it stands; its job writes it from time to time and at its end."""
DB_NAME = "run.db"
"""What the job has stored."""
STOP = "stop"
_START_FILES = {CONFIG_TOML, CONFIG_JSON, f"{CONFIG_TOML}.tmp", f"{CONFIG_JSON}.tmp", f"{RECORD}.tmp"}


def runs_root() -> Path:
    """The directory that holds the runs: `$SPIRAL_ARENA_RUNS`, else `./runs`."""
    return Path(os.environ.get(ROOT_VARIABLE) or "runs")


def run_dirs(root: Path | None = None) -> list[Path]:
    """Every run below the root, oldest first. Raises ArenaError where the root cannot be read."""
    root = root or runs_root()
    try:
        if not root.exists():
            return []
        found = [path for path in root.iterdir() if (path / RECORD).is_file()]
        return sorted(found, key=lambda path: ((path / RECORD).stat().st_mtime, path.name))
    except OSError as error:
        raise ArenaError(f"The runs in {root} cannot be read: {error.strerror}.") from error


def find_run(run: str) -> Path:
    """The directory of a run given as a path or an id. Raises UnknownName with the nearest ids."""
    path = Path(run)
    for candidate in (path, runs_root() / run):
        if (candidate / RECORD).is_file():
            return candidate
    if path.is_dir():
        raise UsageError(f"{path} is no run: it has no {RECORD}.")
    raise UnknownName("run", run, [directory.name for directory in run_dirs()])


def new_run_dir(kind: str, out: Path | None = None) -> Path:
    """Create the directory of a new run: `out` itself, else one below the root named after kind and time.

    `out` may exist while it is empty, or holds only what a start cut short before `run.json` left behind.
    """
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            _refuse_used(out)
            return out
        root = runs_root()
        root.mkdir(parents=True, exist_ok=True)
        return _fresh(root, f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}")
    except OSError as error:
        raise ArenaError(f"Cannot create a run in {out or runs_root()}: {error.strerror}.") from error


def check_new_run_dir(out: Path | None = None) -> None:
    """See whether `new_run_dir` would work; nothing is made. Raises as it does."""
    folder = out or runs_root()
    try:
        if out is not None and out.exists():
            _refuse_used(out)
        while not folder.exists():
            folder = folder.parent
    except OSError as error:
        raise ArenaError(f"Cannot create a run in {out or runs_root()}: {error.strerror}.") from error
    if not folder.is_dir():
        raise ArenaError(f"Cannot create a run in {out or runs_root()}: {folder} is a file.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ArenaError(f"Cannot create a run in {out or runs_root()}: no permission to write in {folder}.")


def _fresh(root: Path, stem: str) -> Path:
    number = 1
    while True:
        path = root / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir()
            return path
        except FileExistsError:
            number += 1


def _refuse_used(out: Path) -> None:
    names = {path.name for path in out.iterdir()}
    if RECORD in names:
        raise UsageError(
            f"{out} holds a run already.",
            f"Continue it with --resume {shlex.quote(str(out))}, or choose another directory.",
        )
    if names - _START_FILES:
        raise UsageError(f"{out} is not empty.", "Choose a new directory; to continue a run use --resume.")


def write_atomic(path: Path, text: str) -> None:
    """Replace a file whole: readers see the old text or the new one, also after a kill."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise ArenaError(f"Cannot write {path}: {error.strerror}.") from error


def checkpoints_dir(run_dir: Path) -> Path:
    return run_dir / "checkpoints"


def new_attempt_dir(run_dir: Path) -> Path:
    """Create `logs/attempt_N` for the next N."""
    logs = run_dir / "logs"
    try:
        logs.mkdir(exist_ok=True)
        number = 1 + max((_attempt(path) for path in logs.iterdir()), default=0)
        path = logs / f"attempt_{number}"
        path.mkdir()
    except OSError as error:
        raise ArenaError(f"Cannot create a log directory in {run_dir}: {error.strerror}.") from error
    return path


def attempt_dir(run_dir: Path) -> Path:
    """The log directory of this process's attempt: the one that it was detached with, else a new one."""
    given = Path(os.environ.get(ATTEMPT_VARIABLE) or "-")
    if given.is_dir() and given.parent.parent == run_dir.absolute():
        return given
    return new_attempt_dir(run_dir)


def _attempt(path: Path) -> int:
    number = path.name.removeprefix("attempt_")
    return int(number) if number.isdecimal() else 0


def ask_to_stop(run_dir: Path) -> None:
    """Ask the job to finish politely."""
    try:
        (run_dir / STOP).touch()
    except OSError as error:
        raise ArenaError(f"Cannot write {run_dir / STOP}: {error.strerror}.") from error


def stop_asked(run_dir: Path) -> bool:
    return (run_dir / STOP).exists()


def clear_stop(run_dir: Path) -> None:
    """Forget an earlier request to stop; a job does this when it starts."""
    try:
        (run_dir / STOP).unlink(missing_ok=True)
    except OSError as error:
        raise ArenaError(f"Cannot remove {run_dir / STOP}: {error.strerror}.") from error
