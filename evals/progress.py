"""Progress of a job on stderr: a bar with the time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

LINE_SECONDS = 10.0


class Shown:
    """What has a bar while it is entered; none where stderr is no terminal."""

    _bar: Bar | None = None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


class Progress(Shown):
    """Counts `done` of `total` things; use as a context manager."""

    def __init__(self, title: str, total: int, done: int = 0) -> None:
        self._title, self._total, self._first = title, total, done
        self._began = time.monotonic()
        self._told = self._began
        if sys.stderr.isatty():
            left = (TextColumn("left", style="dim"), TimeRemainingColumn())
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), *left)
            self._bar = Bar(*columns, console=Console(stderr=True, markup=False))
            self._task = self._bar.add_task(title, total=total, completed=done)

    def update(self, done: int) -> None:
        """`done` counts from the beginning, what earlier attempts did included."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done)
            return
        now = time.monotonic()
        if now - self._told < LINE_SECONDS and done < self._total:
            return
        self._told = now
        rate = (done - self._first) / max(now - self._began, 1e-9)
        left = f", {clock((self._total - done) / rate)} left" if rate > 0 else ""
        print(f"{self._title}: {done}/{self._total}{left}", file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """Hours, minutes and seconds, without hours where there are none."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
