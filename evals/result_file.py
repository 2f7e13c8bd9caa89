"""`result.json` in the directory of an evaluation: its result as it stands, for viewers that compute nothing.

It is what `--json` prints, and three keys more: `finished`, whether the job has done all its work; `played` and
`planned`, its matches.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from arena.config.base import Config
from arena.core.errors import ArenaError
from arena.runs.job import Job
from arena.runs.paths import RESULT_JSON, write_atomic
from arena.runs.reader import RunReader
from evals.spending import ledger_rows

SECONDS = 2.0
"""Shortest time between two versions while the job goes on."""
SHARE = 0.05
"""Most of the job's time that making them may take."""


class Suite(Protocol):
    """A file of `evals/suites`: `planned` counts its matches, else `schedule` lists them, else there is one."""

    def build_result(self, run_dir: Path) -> dict[str, Any]:
        """The result, from what is stored so far."""


def whole_result(suite: Suite, run_dir: Path) -> dict[str, Any]:
    """The suite's result, and the ledger where a player behind an API took part. Raises ArenaError."""
    result = suite.build_result(run_dir)
    rows = ledger_rows(run_dir)
    return result | {"ledger": rows} if rows else result


class ResultFile:
    """Writes the result of a suite's run."""

    def __init__(self, suite: Suite, run_dir: Path, config: Config) -> None:
        self.result: dict[str, Any] | None = None
        """The whole result once the job has done all its work."""
        self._suite, self._run_dir, self._config = suite, run_dir, config
        self._path = run_dir / RESULT_JSON
        self._planned: int | None = None
        self._shown: tuple[int, int] | None = None
        """How many matches and measures the last version was made from."""
        self._failed = False

    @asynccontextmanager
    async def kept(self, job: Job) -> AsyncIterator[None]:
        """Around the job's work: new versions on the way, by a thread, and the last one at the end.

        A version that cannot be written is left out; the log says so, once.
        """
        done, finished = asyncio.Event(), False
        keeping = asyncio.create_task(self._keep(done, job))
        try:
            yield
            finished = not job.stopped
        finally:
            done.set()
            await keeping
            self._update(finished, job)

    def complete(self) -> None:
        """Write the last version of a finished run where it is missing, if that can be."""
        with suppress(OSError, ValueError):
            if json.loads(self._path.read_text(encoding="utf-8"))["finished"]:
                return
        with suppress(ArenaError):
            self.result = whole_result(self._suite, self._run_dir)
            self._write(self.result, self._counts()[0], True)

    async def _keep(self, done: asyncio.Event, job: Job) -> None:
        wait = SECONDS
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), wait)
                return
            began = time.monotonic()
            await asyncio.to_thread(self._update, False, job)
            wait = max(SECONDS, (time.monotonic() - began) * (1 / SHARE - 1))

    def _update(self, finished: bool, job: Job) -> None:
        try:
            counts = self._counts()
            if counts == self._shown and not finished:
                return
            result = whole_result(self._suite, self._run_dir)
        except ArenaError:
            return  # nothing to show yet
        self._shown = counts
        if finished:
            self.result = result
        try:
            # counted anew: more may be stored by now, but nothing in the result is missing from the count
            self._write(result, self._counts()[0], finished)
        except ArenaError as error:
            if not self._failed:
                job.note(f"warning: {error}")
            self._failed = True

    def _counts(self) -> tuple[int, int]:
        with RunReader(self._run_dir) as reader:
            return reader.count("match"), reader.count("ground_truth")

    def _count_planned(self) -> int:
        if (planned := getattr(self._suite, "planned", None)) is not None:
            return int(planned(self._config))
        schedule = getattr(self._suite, "schedule", None)
        return len(schedule(self._config)) if schedule else 1

    def _write(self, result: dict[str, Any], played: int, finished: bool) -> None:
        if self._planned is None:
            self._planned = self._count_planned()
        # A job that is finished had no more to play, also where it ended before all that was planned.
        progress = {"finished": finished, "played": played, "planned": played if finished else self._planned}
        write_atomic(self._path, json.dumps({**result, **progress}, indent=2) + "\n")
