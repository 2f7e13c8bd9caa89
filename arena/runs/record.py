"""`run.json`: who a run is. Whether it is alive is derived from the process and the last event, never stored."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from arena.core.errors import ArenaError
from arena.runs.paths import RECORD, write_atomic
from arena.runs.reader import NoRows, RunReader

TERMINAL = ("finished", "stopped", "failed")
"""Event kinds that end an attempt; "started" begins one."""


class Status(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    """Ended politely before its end; can be resumed."""
    FAILED = "failed"
    """Ended by an error that it noted."""
    DEAD = "dead"
    """Gone without a word (killed, power cut); can be resumed."""


def resume_command(kind: str, run_dir: Path) -> str:
    """What goes on with a run of this kind."""
    return f"spiral-arena {kind} --resume {shlex.quote(str(run_dir))}"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The identity of a run and of the process that runs it, or last ran it."""

    id: str
    kind: str
    name: str
    pid: int
    pid_start: str
    """Token that tells this process from a later one with the same pid; empty if unknown."""
    host: str
    started_at: float
    """Unix time of the first start."""
    argv: list[str]
    parent: str | None = None
    """Id of the run that this one came from."""

    @classmethod
    def for_this_process(
        cls, run_dir: Path, kind: str, argv: Sequence[str], name: str = "", parent: str | None = None
    ) -> RunRecord:
        """Record of a new run that the calling process starts, or becomes by `exec`."""
        run_id = run_dir.absolute().name
        return cls(
            id=run_id,
            kind=kind,
            name=name or run_id,
            pid=os.getpid(),
            pid_start=process_start(os.getpid()) or "",
            host=platform.node(),
            started_at=time.time(),
            argv=list(argv),
            parent=parent,
        )

    def with_process(self, pid: int) -> RunRecord:
        """The same run, run by another process of this host."""
        return replace(self, pid=pid, pid_start=process_start(pid) or "", host=platform.node())

    def resume_command(self, run_dir: Path) -> str:
        """What goes on with the run."""
        return resume_command(self.kind, run_dir)

    def write(self, run_dir: Path) -> None:
        write_atomic(run_dir / RECORD, json.dumps(asdict(self), indent=2) + "\n")

    @property
    def alive(self) -> bool:
        """Whether its process runs. False for another host's, which cannot be asked."""
        if self.host != platform.node():
            return False
        start = process_start(self.pid)
        return start is not None and (not self.pid_start or start == self.pid_start)


def read_record(run_dir: Path) -> RunRecord:
    """Read `run.json`. Raises ArenaError where it is missing or damaged."""
    path = run_dir / RECORD
    try:
        return _checked(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ArenaError(f"Cannot read {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ArenaError(f"{path} is damaged.", "Restore it from a copy; nothing was overwritten.") from error


def _checked(data: Any) -> RunRecord:
    """The record of a JSON object; unknown keys are left to later versions. Raises ValueError."""
    if not isinstance(data, dict):
        raise ValueError("no object")
    found = {field.name: data[field.name] for field in fields(RunRecord) if field.name in data}
    texts = ("id", "kind", "name", "pid_start", "host")
    if not all(isinstance(found.get(name), str) for name in texts) or not isinstance(
        found.get("parent", ""), str | None
    ):
        raise ValueError("a text is missing")
    numbers, argv = (found.get("pid"), found.get("started_at")), found.get("argv")
    if type(numbers[0]) is not int or type(numbers[1]) not in (int, float):
        raise ValueError("a number is missing")
    if not isinstance(argv, list) or not all(isinstance(word, str) for word in argv):
        raise ValueError("the command line is missing")
    return RunRecord(**found)


def run_status(run_dir: Path, record: RunRecord) -> Status:
    """Status from the process and the newest event that starts or ends an attempt."""
    kind = None
    with suppress(NoRows), RunReader(run_dir) as reader:
        event = reader.last_event(("started", *TERMINAL))
        kind = event.kind if event else None
    if kind in TERMINAL:
        return Status(kind)
    return Status.RUNNING if record.alive else Status.DEAD


def process_start(pid: int) -> str | None:
    """A token for the process's start, or None where there is no such process (or only its zombie)."""
    if Path("/proc/self/stat").exists():
        return _start_from_proc(pid)
    return _start_from_ps(pid)


def _start_from_proc(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    # The command may hold spaces and brackets: the fields start after the last bracket.
    state_and_rest = stat.rpartition(")")[2].split()
    state, start_ticks = state_and_rest[0], state_and_rest[19]
    return None if state in "ZX" else f"{boot[:8]}:{start_ticks}"


def _start_from_ps(pid: int) -> str | None:
    result = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False, env={"LC_ALL": "C"}
    )
    state, _, start = result.stdout.strip().partition(" ")
    return None if result.returncode != 0 or not start or state.startswith("Z") else " ".join(start.split())
