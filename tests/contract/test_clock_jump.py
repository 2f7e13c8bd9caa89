"""The clock of the machine jumps by hours while a tournament runs: nothing that is stored or said depends on it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from servers.fault_server import FaultServer

from arena.runs.paths import RESULT_JSON
from arena.runs.reader import RunReader
from arena.runs.record import Status, read_record, run_status
from arena.runs.rows import MatchRow, TurnRow
from arena.tui.collect.paces import read_pasts
from arena.tui.collect.runs import read_row

HOUR = 3600
CLOCK = """
import os, time

real_seconds, real_nanoseconds = time.time, time.time_ns

def offset():
    with open(os.environ["CLOCK_OFFSET"]) as file:
        return int(file.read())

time.time = lambda: real_seconds() + offset()
time.time_ns = lambda: real_nanoseconds() + offset() * 10**9
"""
"""A module that Python imports at its start; the monotonic clocks stay as they are, as they do where a clock is set."""
FAULTS = "ok*30,429:date:1*2,503*2,ok*25,429:date:1*2,500,ok*25,429:date:1,429:0.2,ok*"
"""Errors of the moment all through the run, which cost no tokens; dates to come back at go by a clock."""

Rows = list[tuple[MatchRow, list[TurnRow]]]


class Clock:
    """The wall clock of jobs that are started with `environment`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(CLOCK)
        self._offset = folder / "offset"
        self.environment = {**os.environ, "PYTHONPATH": str(folder), "CLOCK_OFFSET": str(self._offset)}
        self.set(0)

    def set(self, offset: int) -> None:
        """Let it be so many seconds ahead of the real one from now on."""
        aside = self._offset.with_suffix(".new")
        aside.write_text(str(offset))
        aside.replace(self._offset)


async def start(clock: Clock, *args: str) -> asyncio.subprocess.Process:
    pipe, command = asyncio.subprocess.PIPE, [sys.executable, "-m", "arena", "tournament", *args]
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=clock.environment)


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def new(server: FaultServer, run_dir: Path) -> Sequence[str]:
    """A tournament of two API players and a bot; what servers say goes wrong for both at the same requests."""
    for model in ("a", "b"):
        server.script(model, FAULTS)
    players = [f"vllm:{model}@{server.url}?deadline=60&concurrency=50" for model in ("a", "b")]
    return [
        "--player",
        *players,
        "random",
        "--game",
        "tictactoe",
        "--pairs",
        "6",
        "--concurrency",
        "8",
        "--out",
        str(run_dir),
    ]


def rows(run_dir: Path) -> Rows:
    """What is stored, but for when and how long."""
    with RunReader(run_dir) as reader:
        return [
            (replace(match, id=0, at=0.0, seconds=0.0), [replace(turn, seconds=0.0) for turn in reader.turns(match.id)])
            for match in reader.all_matches()
        ]


def times(run_dir: Path) -> list[float]:
    """When each match was stored by the clock, in the order in which they were."""
    with closing(sqlite3.connect(f"file:{run_dir / 'run.db'}?mode=ro", uri=True)) as db:
        return [at for (at,) in db.execute("SELECT at FROM match ORDER BY id")]


def result(run_dir: Path) -> Any:
    return json.loads((run_dir / RESULT_JSON).read_text(encoding="utf-8"))


async def until(ready: Callable[[], bool], process: asyncio.subprocess.Process) -> None:
    while not ready():
        assert process.returncode is None, "it ended too early"
        await asyncio.sleep(0.01)


def stored(run_dir: Path) -> int:
    with suppress(sqlite3.OperationalError):
        return len(times(run_dir))
    return 0


def run(test: Awaitable[None]) -> None:
    async def within() -> None:
        async with asyncio.timeout(150):
            await test

    asyncio.run(within())


def test_a_clock_that_jumps_by_hours_changes_no_row_table_ledger_or_exit_code(tmp_path: Path) -> None:
    async def test() -> None:
        clock, sound, jumped = Clock(tmp_path / "clock"), tmp_path / "sound", tmp_path / "jumped"
        async with FaultServer(latency=(0.005, 0.03)) as server:
            expected = await ended(await start(clock, *new(server, sound)))
            process = await start(clock, *new(server, jumped))
            await until(lambda: stored(jumped) >= 8, process)
            clock.set(HOUR)
            await until(lambda: stored(jumped) >= 20, process)
            assert read_row(jumped).running
            clock.set(-HOUR)
            found = await ended(process)
        steps = [after - before for before, after in itertools.pairwise(times(jumped))]
        assert max(steps) > HOUR - 60, "the job has seen its clock go forward"
        assert min(steps) < -2 * HOUR + 60, "the job has seen its clock go back"
        assert expected[0] == 0
        assert found[:2] == expected[:2], "exit code and table"
        assert rows(jumped) == rows(sound)
        assert result(jumped) == result(sound)
        ledger = result(jumped)["ledger"]
        assert [row["retries"] for row in ledger] == [9, 9], "what went wrong has gone wrong in both"
        assert read_row(jumped).took(0.0) is None, "it ended before it began"
        (past,) = read_pasts([jumped])
        assert 0 < past.pace < 5, "seconds a match"

    run(test())


def test_a_run_that_was_killed_goes_on_under_an_earlier_clock(tmp_path: Path) -> None:
    async def test() -> None:
        clock, sound, killed = Clock(tmp_path / "clock"), tmp_path / "sound", tmp_path / "killed"
        async with FaultServer(latency=(0.005, 0.03)) as server:
            expected = await ended(await start(clock, *new(server, sound)))
            clock.set(HOUR)
            process = await start(clock, *new(server, killed))
            await until(lambda: stored(killed) >= 8, process)
            assert run_status(killed, read_record(killed)) is Status.RUNNING
            process.send_signal(signal.SIGKILL)
            await ended(process)
            assert run_status(killed, read_record(killed)) is Status.DEAD
            clock.set(-HOUR)
            found = await ended(await start(clock, "--resume", str(killed)))
            assert run_status(killed, read_record(killed)) is Status.FINISHED
        assert (expected[0], found[0]) == (0, 0)
        assert rows(killed) == rows(sound)
        booked = {"ledger"}  # a kill loses what was in flight
        assert {k: v for k, v in result(killed).items() if k not in booked} == {
            k: v for k, v in result(sound).items() if k not in booked
        }

    run(test())
