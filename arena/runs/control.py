"""What a person does to a run from outside its job: stop, kill, resume, rename, delete.

The command line and the TUI share these. Each raises UsageError where the run is in no state for it, and ArenaError
where the system refuses.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from arena.core.errors import ArenaError, UsageError
from arena.core.sanitise import one_line
from arena.runs.lock import run_lock
from arena.runs.paths import RECORD, ask_to_stop
from arena.runs.record import RunRecord, Status, process_start, read_record, run_status

TRAINING_KINDS = ("train", "sft")
"""Kinds whose job is `python -m training`; all others are `python -m evals`."""
_MOST_NAME = 60
_KILL_SECONDS = 5.0


class Process(NamedTuple):
    """One process, and what tells it from a later one with its pid."""

    pid: int
    start: str


def stop_run(run_dir: Path) -> None:
    """Ask the run's job to finish politely: it ends by itself, what it did is kept, and it can be resumed."""
    _running(run_dir, "stop")
    ask_to_stop(run_dir)


def kill_run(run_dir: Path) -> int:
    """End the run's job at once, with every process it started; returns how many there were.

    What was committed is safe; a training run goes on from its last checkpoint when it is resumed.
    """
    record = _running(run_dir, "kill")
    if record.pid == os.getpid():
        raise UsageError(f"{run_dir.name} is run by this very process.", "Stop it instead.")
    tree = _freeze_tree(record.pid)
    for process in tree:
        _signal(process, signal.SIGKILL)
    deadline = time.monotonic() + _KILL_SECONDS
    while left := [process for process in tree if _lives(process)]:
        if time.monotonic() > deadline:
            raise ArenaError(f"{run_dir.name} does not end.", f"Pid {left[0].pid} is still there.")
        time.sleep(0.02)
    return len(tree)


def resume_run(run_dir: Path, arguments: Sequence[str] = ()) -> int:
    """Start the run's job again, detached, from where it got to, with these further arguments; returns its pid."""
    from arena.runs.launch import detach, job_command

    record = read_record(run_dir)
    status = run_status(run_dir, record)
    if status is Status.RUNNING or (record.alive and record.pid != os.getpid()):
        raise UsageError(f"{run_dir.name} is running already, as pid {record.pid}.")
    if status is Status.FINISHED:
        raise UsageError(f"{run_dir.name} is finished: there is nothing to go on with.")
    module = "training" if record.kind in TRAINING_KINDS else "evals"
    return detach(job_command(module, str(run_dir.absolute()), *arguments), run_dir)


def rename_run(run_dir: Path, name: str) -> None:
    """Give the run another name; its id, which is its directory's name, stays."""
    shown = one_line(name)
    if not shown or len(shown) > _MOST_NAME:
        raise UsageError(f"A run's name has 1 to {_MOST_NAME} characters.")
    replace(read_record(run_dir), name=shown).write(run_dir)


def delete_run(run_dir: Path) -> None:
    """Remove the run's directory and all that is in it, while nobody runs it. A damaged record is no obstacle."""
    if not (run_dir / RECORD).is_file():
        raise UsageError(f"{run_dir} is no run: it has no {RECORD}.")
    _refuse_running(run_dir)
    aside = run_dir.with_name(f".{run_dir.name}.deleted")
    try:
        with run_lock(run_dir):
            run_dir.rename(aside)
        shutil.rmtree(aside)
    except OSError as error:
        raise ArenaError(f"Cannot delete {run_dir}: {error.strerror}.") from error


def process_tree(pid: int) -> list[Process]:
    """A process with its descendants, whatever session they are in, and all of the session that it leads."""
    parents = _parents()
    leads = _session(pid) == pid
    wanted = {pid} | {other for other in parents if leads and _session(other) == pid}
    while found := {child for child, parent in parents.items() if parent in wanted} - wanted:
        wanted |= found
    return [Process(one, start) for one in sorted(wanted) if (start := process_start(one)) is not None]


def _freeze_tree(pid: int) -> list[Process]:
    """The tree, halted: looked at again until nothing was started meanwhile."""
    halted: list[Process] = []
    while fresh := [process for process in process_tree(pid) if process not in halted]:
        for process in fresh:
            _signal(process, signal.SIGSTOP)
        halted += fresh
    return halted


def _parents() -> dict[int, int]:
    """The parent of every process."""
    parents: dict[int, int] = {}
    if Path("/proc/self/stat").exists():
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with suppress(OSError):
                    stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
                    parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
        return parents
    listed = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
    for row in listed.splitlines():
        pid, parent = (int(word) for word in row.split())
        parents[pid] = parent
    return parents


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _lives(process: Process) -> bool:
    return process_start(process.pid) == process.start


def _signal(process: Process, number: signal.Signals) -> None:
    try:
        if _lives(process):
            os.kill(process.pid, number)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise ArenaError(f"Pid {process.pid} belongs to another user.", "Ask them to end it.") from error


def _running(run_dir: Path, verb: str) -> RunRecord:
    record = read_record(run_dir)
    if run_status(run_dir, record) is not Status.RUNNING:
        raise UsageError(f"{run_dir.name} is not running: there is nothing to {verb}.")
    return record


def _refuse_running(run_dir: Path) -> None:
    try:
        record = read_record(run_dir)
        status = run_status(run_dir, record)
    except ArenaError:  # damaged: the lock alone tells whether somebody is at work
        return
    if status is Status.RUNNING:
        raise UsageError(f"{run_dir.name} is running.", "Stop it first.")
    if status is Status.DEAD and record.host != platform.node():
        raise UsageError(f"{run_dir.name} may be running on {one_line(record.host)}.", "Delete it there.")
