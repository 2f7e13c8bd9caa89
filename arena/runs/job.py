"""What every job does around its work: lock, store, identity, events, and a polite end when asked."""

from __future__ import annotations

import os
import resource
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.runs.lock import run_lock
from arena.runs.paths import RECORD, attempt_dir, clear_stop, stop_asked
from arena.runs.record import read_record
from arena.runs.store import RunStore

_POLITE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SHOW_CURSOR = b"\x1b[?25h"
_STOP_POLL_SECONDS = 0.1
_FILES = 10_240
"""The most that macOS allows."""


@dataclass(slots=True)
class Job:
    """A running job: its directory, its store, and whether somebody wants it to end."""

    run_dir: Path
    store: RunStore
    log: Path
    stopped: bool = False
    """Set by the work when it ended before its end because it was asked to."""
    _asked: bool = False
    _polled: float = field(default=0.0, repr=False)

    def should_stop(self) -> bool:
        """True once a signal came, the file `stop` is there, or the directory is not any more. Cheap to call: files are
        looked for ten times a second.
        """
        now = time.monotonic()
        if not self._asked and now - self._polled >= _STOP_POLL_SECONDS:
            self._polled = now
            self._asked = stop_asked(self.run_dir) or self.gone
        return self._asked

    @property
    def gone(self) -> bool:
        """Whether somebody moved or removed the directory; what is stored from then on goes with it."""
        return not (self.run_dir / RECORD).exists()

    def say(self, text: str) -> None:
        """One line of talk, on stderr and in the log."""
        print(one_line(text, 4000), file=sys.stderr, flush=True)
        self.note(text)

    def note(self, text: str) -> None:
        """One line in the log alone. A log that cannot be written stops no job."""
        with suppress(OSError), open(self.log, "a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {one_line(text, 4000)}\n")

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """The first signal asks for a polite end, the second ends at once; what was committed is safe."""
        if self._asked:
            if sys.stderr.isatty():
                os.write(2, _SHOW_CURSOR)
            os._exit(1)
        self._asked = True
        with suppress(OSError):
            os.write(2, b"\nfinishing what is in flight; once more ends at once\n")


@contextmanager
def run_job(run_dir: Path) -> Iterator[Job]:
    """Hold the run as its one writer, note start and end as events, and turn signals into `should_stop`.

    Raises ArenaError where another process holds the run, its files cannot be written, or it is gone in the end.
    """
    allow_files()
    with run_lock(run_dir):
        clear_stop(run_dir)
        record = read_record(run_dir)
        current = record.with_process(os.getpid())
        if current != record:
            current.write(run_dir)
        with RunStore(run_dir) as store:
            store.add_event("started", f"pid {os.getpid()}")
            job = Job(run_dir, store, attempt_dir(run_dir) / "job.log")
            job.note(f"started, pid {os.getpid()}: {shlex.join(sys.argv)}")
            with _signals(job), _noted_failure(job):
                yield job
            end = "stopped" if job.stopped else "finished"
            store.add_event(end, "")
            job.note(end)
            if job.gone:
                raise ArenaError(
                    f"{run_dir} is not there any more: it was moved or removed while its job ran.",
                    "Where it was moved, resume it at its new place.",
                )


def allow_files() -> None:
    """Let this process have as many files open as the system allows, up to `_FILES`.

    Every request in flight to an API is one, and the usual limit is 1,024 or less.
    """
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(most, _FILES)
    if now != resource.RLIM_INFINITY and now < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


@contextmanager
def _noted_failure(job: Job) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        message = str(error) if isinstance(error, ArenaError) else f"{type(error).__name__}: {error}"
        job.note(f"failed: {message}")
        if not isinstance(error, ArenaError):
            for line in traceback.format_exception(error):
                job.note(line)
        # Where the store itself is what failed, the first error is the one to report.
        with suppress(ArenaError):
            job.store.add_event("failed", one_line(message, 2000))
        raise


@contextmanager
def _signals(job: Job) -> Iterator[None]:
    """Handlers for the polite signals, but for those that the parent had ignored (nohup)."""
    before = {number: signal.getsignal(number) for number in _POLITE}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, job.on_signal)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
