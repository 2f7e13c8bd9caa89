"""Run jobs to their end from a command that consists of several: signals passed on, some at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.runs.launch import job_command, job_environment
from arena.runs.paths import ATTEMPT_VARIABLE, new_attempt_dir
from arena.runs.store import RunReader

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL = 0.5
"""Seconds between looks at running jobs."""

Job = subprocess.Popen[bytes]


class Ended(NamedTuple):
    """How jobs ended."""

    code: int
    """Of the first that failed, else 0."""
    asked: bool
    """Whether somebody asked to stop."""


@contextmanager
def _passing_on(jobs: list[Job]) -> Iterator[list[int]]:
    """Pass each signal that comes here on to the jobs, and list it.

    Jobs are in process groups of their own: they get every signal just once, whether it comes from the terminal
    or from another program.
    """
    asked: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        for job in jobs:
            job.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in _SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_one(module: str, run_dir: Path, quiet: bool) -> Ended:
    """Run one job on this terminal; `quiet` drops its stdout."""
    jobs: list[Job] = []
    with _passing_on(jobs) as asked:
        out = subprocess.DEVNULL if quiet else None
        job = subprocess.Popen(job_command(module, str(run_dir)), env=job_environment(), stdout=out, process_group=0)
        jobs.append(job)
        for number in asked[:1]:
            job.send_signal(number)
        code = job.wait()
    return Ended(code if code >= 0 else 1, bool(asked))


def run_trainings(runs: Sequence[tuple[Path, int]], at_once: int) -> Ended:
    """Run training jobs (run directory, steps), `at_once` at a time; their output goes to their logs.

    After a failure or a signal no further job is begun, and those running are waited for.
    """
    waiting, jobs, first = list(runs), dict[Path, Job](), 0
    running: list[Job] = []
    with _passing_on(running) as asked, _bars(runs) as show:
        while waiting or jobs:
            while waiting and len(jobs) < at_once and not first and not asked:
                run_dir, _ = waiting.pop(0)
                jobs[run_dir] = _start(run_dir)
                running[:] = jobs.values()
            if not jobs:
                break
            time.sleep(_POLL)
            for run_dir, job in list(jobs.items()):
                code = job.poll()
                show(run_dir, code)
                if code is not None:
                    del jobs[run_dir]
                    running[:] = jobs.values()
                    first = first or (code if code >= 0 else 1)
    return Ended(first, bool(asked))


def _start(run_dir: Path) -> Job:
    logs = new_attempt_dir(run_dir)
    with open(logs / "stdout.log", "wb") as out, open(logs / "stderr.log", "wb") as err:
        return subprocess.Popen(
            job_command("training", str(run_dir)),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            process_group=0,
            env=job_environment() | {ATTEMPT_VARIABLE: str(logs.absolute())},
        )


@contextmanager
def _bars(runs: Sequence[tuple[Path, int]]) -> Iterator[Callable[[Path, int | None], None]]:
    """One bar a run on a terminal; elsewhere one line when a run ends. Yields what to call with each look."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    shown = sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True, markup=False), disable=not shown) as progress:
        tasks = {run: progress.add_task(one_line(run.name), total=steps, start=False) for run, steps in runs}
        began = {run: 0.0 for run, _ in runs}

        def show(run_dir: Path, code: int | None) -> None:
            if not began[run_dir]:
                began[run_dir] = time.monotonic()
                progress.start_task(tasks[run_dir])
            if shown:
                progress.update(tasks[run_dir], completed=_step(run_dir))
            if code is not None:
                progress.stop_task(tasks[run_dir])
                word = "done" if code == 0 else "stopped or failed, see its logs:"
                where = "" if code == 0 else f" {run_dir / 'logs'}"
                say(f"{run_dir.name}: {word}{where}, {time.monotonic() - began[run_dir]:.0f} s")

        yield show


def _step(run_dir: Path) -> int:
    """The last step that the run has stored; 0 where it cannot be read yet."""
    try:
        with RunReader(run_dir) as reader:
            return reader.last_step()
    except ArenaError:
        return 0


def say(text: str) -> None:
    """One line for the person at the terminal."""
    print(one_line(text, 2000), file=sys.stderr, flush=True)
