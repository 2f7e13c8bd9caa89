"""Run jobs to their end from a command that consists of several: signals passed on, some at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.runs.launch import job_command, job_environment
from arena.runs.paths import ATTEMPT_VARIABLE, new_attempt_dir
from arena.runs.reader import RunReader

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL = 0.25
"""Seconds between looks at running jobs."""

Job = subprocess.Popen[bytes]


class Ended(NamedTuple):
    """How jobs ended."""

    code: int
    """Of the first that failed, else 0."""
    asked: bool
    """Whether somebody asked to stop."""


class _Jobs:
    """Running jobs, and the signals that came here: each job gets every one of them once.

    Jobs are in process groups of their own, so that it makes no difference whether a signal comes from the terminal
    or from another program.
    """

    def __init__(self) -> None:
        self.asked: list[int] = []
        self._running: list[tuple[Job, int]] = []

    def add(self, job: Job) -> None:
        self._running.append((job, 0))

    def pass_on(self) -> None:
        """Tell every job what it was not told yet."""
        came = len(self.asked)
        for job, told in self._running:
            for number in self.asked[told:came]:
                job.send_signal(number)
        self._running = [(job, came) for job, _ in self._running if job.returncode is None]

    def end(self) -> None:
        """Ask those that still run to end, and wait for them."""
        for job, _ in self._running:
            job.terminate()
        for job, _ in self._running:
            job.wait()


@contextmanager
def _jobs() -> Iterator[_Jobs]:
    """Jobs with the signals that come meanwhile, but for those that the parent had ignored (nohup).

    None is left running after an error.
    """
    jobs = _Jobs()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, lambda came, _: jobs.asked.append(came))
    try:
        yield jobs
    finally:
        jobs.end()
        for number, handler in before.items():
            signal.signal(number, handler)


def run_one(module: str, run_dir: Path, quiet: bool) -> Ended:
    """Run one job on this terminal; `quiet` drops its stdout."""
    out = subprocess.DEVNULL if quiet else None
    with _jobs() as jobs:
        job = subprocess.Popen(job_command(module, str(run_dir)), env=job_environment(), stdout=out, process_group=0)
        jobs.add(job)
        while job.poll() is None:
            jobs.pass_on()
            with suppress(subprocess.TimeoutExpired):
                job.wait(_POLL)
    return Ended(_exit_code(job.returncode), bool(jobs.asked))


def run_trainings(runs: Sequence[tuple[Path, int]], at_once: int) -> Ended:
    """Run training jobs (run directory, steps), `at_once` at a time; their output goes to their logs.

    After a failure or a signal no further job is begun, and those running are waited for.
    """
    waiting, running, first = list(runs), dict[Path, Job](), 0
    with _jobs() as jobs, _bars(runs) as show:
        while waiting or running:
            while waiting and len(running) < at_once and not first and not jobs.asked:
                run_dir, _ = waiting.pop(0)
                running[run_dir] = _start(run_dir)
                jobs.add(running[run_dir])
            if not running:
                break
            time.sleep(_POLL)
            jobs.pass_on()
            for run_dir, job in list(running.items()):
                code = job.poll()
                show(run_dir, code)
                if code is not None:
                    del running[run_dir]
                    first = first or _exit_code(code)
    return Ended(first, bool(jobs.asked))


def _exit_code(code: int) -> int:
    """That of a job, or 1 where a signal ended it."""
    return code if code >= 0 else 1


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
