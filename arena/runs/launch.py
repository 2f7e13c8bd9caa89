"""Start jobs: write a run's first files, then become the job, or start it detached in its own session."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import arena
from arena.config.base import Config, to_toml
from arena.config.limits import with_whole_paths
from arena.core.errors import ArenaError
from arena.runs.paths import ATTEMPT_VARIABLE, CONFIG_JSON, CONFIG_TOML, new_attempt_dir, new_run_dir, write_atomic
from arena.runs.record import RunRecord, read_record

_children: list[subprocess.Popen[bytes]] = []
"""Jobs that this process started: polled now and then, so that none stays a zombie."""


def create_run(
    config: Config,
    kind: str,
    out: Path | None = None,
    toml: str | None = None,
    name: str = "",
    parent: str | None = None,
) -> Path:
    """Create a run directory with its start files, `run.json` last: where that is, the run can be resumed.

    `toml` is the configuration as the user gave it; without it the resolved one is written.
    """
    config = with_whole_paths(config)
    run_dir = new_run_dir(kind, out)
    write_atomic(run_dir / CONFIG_TOML, to_toml(config) if toml is None else toml)
    write_atomic(run_dir / CONFIG_JSON, config.model_dump_json(indent=2) + "\n")
    RunRecord.for_this_process(run_dir, kind, sys.argv, name, parent).write(run_dir)
    return run_dir


def job_command(module: str, *args: str) -> list[str]:
    """The command line of a job; `-P` keeps a stranger's `evals` in the current directory out."""
    return [sys.executable, "-P", "-m", module, *args]


def job_environment() -> dict[str, str]:
    """This environment, with the checkout that we run from first on the module path."""
    checkout = str(Path(next(iter(arena.__path__))).parent)
    others = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join([checkout, others] if others else [checkout])}


def become(command: Sequence[str]) -> NoReturn:
    """Replace this process by the job: same pid, same terminal, its exit code."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], list(command), job_environment())


def detach(command: Sequence[str], run_dir: Path) -> int:
    """Start the job in its own session, its output in `logs/attempt_N/`; returns its pid."""
    for child in _children:
        child.poll()
    logs = new_attempt_dir(run_dir)
    try:
        with open(logs / "stdout.log", "wb") as out, open(logs / "stderr.log", "wb") as err:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                env=job_environment() | {ATTEMPT_VARIABLE: str(logs.absolute())},
            )
    except OSError as error:
        raise ArenaError(f"Cannot start {command[0]}: {error.strerror}.") from error
    read_record(run_dir).with_process(process.pid).write(run_dir)
    _children.append(process)
    return process.pid
