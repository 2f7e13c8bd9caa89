"""What befalls a terminal UI, on every screen: runs vanish, rot, or lose their writer; clocks jump; windows shrink."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import play_dirs
import pytest
import run_dirs
from conftest import make_app, vanish
from textual.pilot import Pilot

from arena.runs.paths import DB_NAME, RECORD
from arena.runs.record import process_start, read_record
from arena.runs.rows import PartialRow
from arena.runs.store import RunStore
from arena.tui.app import ArenaApp
from arena.tui.screens.base import ErrorLine
from arena.tui.widgets.table import Table

Steps = Callable[[ArenaApp, Pilot[None]], Awaitable[None]]
TRAINING, TOURNAMENT, MATCH = "training", "tournament", "play"
OF_A_RUN: Mapping[str, tuple[str, Callable[[ArenaApp, Path], None]]] = {
    "run": (TRAINING, lambda app, path: app.open_run(path)),
    "live": (TRAINING, lambda app, path: app.open_match(path)),
    "replay": (TOURNAMENT, lambda app, path: app.open_match(path, 1)),
    "tournament": (TOURNAMENT, lambda app, path: app.open_run(path)),
    "play": (MATCH, lambda app, path: app.open_run(path)),
}
"""Screens of one run: which, and how one gets there."""
OF_NONE: Mapping[str, Callable[[ArenaApp], None]] = {
    "runs": lambda app: None,
    "play form": lambda app: app.open_play(),
    "tournament form": lambda app: app.open_tournament(),
    "tables": lambda app: app.open_tables(),
    "launch": lambda app: app.open_launch(),
}

READY = {"run": "learning", "live": "seat 0 · X", "replay": "X to move", "tournament": "rating", "launch": "checkpoint"}
"""What is on a screen once it has read everything, where that is more than the keys."""


def runs(root: Path) -> Path:
    """A training and a tournament at work, and a match with a human."""
    run_dirs.training(root / TRAINING, 30, of=60, end="", started=run_dirs.NOW - 60)
    with RunStore(root / TRAINING) as store:
        board = "X │ 1 │ 2"
        store.set_partial(PartialRow(0, "tictactoe", "training", "random", 0, 0, 1, 1, "Wins -.", board, "[]", 30))
    run_dirs.tournament(root / TOURNAMENT, 8)
    play_dirs.asked(play_dirs.new(root / MATCH), "40")
    return root


def look(name: str, root: Path, steps: Steps, clock: Callable[[], float] | None = None) -> None:
    """Do the steps on the screen once it shows what it has read."""

    async def go() -> None:
        app = make_app(root)
        app.clock = clock or app.clock
        async with app.run_test(size=(120, 36)) as pilot:
            await until(pilot, lambda: app.screen.query_one("#runs", Table).items)
            if name in OF_NONE:
                OF_NONE[name](app)
            else:
                run, way = OF_A_RUN[name]
                way(app, root / run)
            ready = READY.get(name, "quit")
            await until(pilot, lambda: ready in text_of(app) and "Loading" not in text_of(app))
            await pilot.pause(0.1)
            await steps(app, pilot)
        log = Path("state/spiral-arena/tui.log")
        assert not log.exists(), log.read_text()

    asyncio.run(go())


async def at_rest(app: ArenaApp, pilot: Pilot[None]) -> str:
    """What is shown once nothing has changed for a second: verdicts come later than the match."""
    shown, since = text_of(app), time.monotonic()
    while time.monotonic() - since < 1:
        await pilot.pause(0.05)
        if (now := text_of(app)) != shown:
            shown, since = now, time.monotonic()
    return shown


async def until(pilot: Pilot[None], condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Let the app go on until the condition, which takes its time, holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await pilot.pause(0.05)


def text_of(app: ArenaApp) -> str:
    return "\n".join(line.text for line in app.screen._compositor.render_strips())


def told(app: ArenaApp) -> str:
    """The red line."""
    return app.screen.query_one(ErrorLine).text


def rot(run_dir: Path) -> None:
    """Its files are overwritten by something else."""
    for path in (run_dir / DB_NAME, run_dir / f"{DB_NAME}-wal", run_dir / RECORD, run_dir / "config.json"):
        if path.exists():
            path.write_bytes(b"\x00\x1b[31m{" * 4000)


@pytest.mark.parametrize("disaster", [vanish, rot])
@pytest.mark.parametrize("name", OF_A_RUN)
def test_what_happens_to_a_run_is_said_and_heals(root: Path, name: str, disaster: Callable[[Path], None]) -> None:
    run_dir = runs(root) / OF_A_RUN[name][0]
    copy = shutil.copytree(run_dir, Path("copy"))

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert told(app) == ""
        before = text_of(app)
        disaster(run_dir)
        await until(pilot, lambda: told(app))
        assert run_dir.name in told(app)
        await pilot.press("R", "j", "right", "question_mark", "escape")
        kept = [line for line in before.splitlines()[2:-8] if line in text_of(app)]
        assert len(kept) > 10, "the last good picture stays"
        if run_dir.exists():
            vanish(run_dir)
        shutil.copytree(copy, run_dir)
        await until(pilot, lambda: told(app) == "")

    look(name, root, steps)


@pytest.mark.parametrize("name", OF_NONE)
def test_a_directory_of_runs_that_vanishes_is_no_crash(root: Path, name: str) -> None:
    runs(root)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        vanish(root)
        await pilot.press("f5", "tab", "f1", "escape")
        await pilot.pause(0.2)
        runs(root)
        await pilot.press("R")
        await until(pilot, lambda: told(app) == "")

    look(name, root, steps)


@pytest.mark.parametrize("name", [*OF_NONE, *OF_A_RUN])
def test_a_window_shrunk_to_one_cell_comes_back_as_it_was(root: Path, name: str) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        before = await at_rest(app, pilot)
        await pilot.resize_terminal(1, 1)
        await pilot.press("question_mark", "escape")
        await pilot.resize_terminal(300, 1)
        await pilot.resize_terminal(120, 36)
        await pilot.pause(0.1)
        await until(pilot, lambda: text_of(app) == before, 5)

    look(name, runs(root), steps)


@pytest.mark.parametrize("name", ["runs", "launch", *OF_A_RUN])
def test_a_clock_that_jumps_tells_no_nonsense(root: Path, name: str) -> None:
    now = [run_dirs.NOW]

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        for jump in (-86_400.0, 10 * 365 * 86_400.0, -run_dirs.NOW):
            now[0] = run_dirs.NOW + jump
            await pilot.press("R")
            await pilot.pause(0.15)
            assert not re.search(r"[-−]\d+ (s|d)\b|[-−]\d+:\d\d", text_of(app))
            assert told(app) == ""

    look(name, runs(root), steps, lambda: now[0])


WRITER = """
import sys, time
from pathlib import Path
from arena.runs.rows import MetricRow
from arena.runs.store import RunStore
import run_dirs
store = RunStore(Path(sys.argv[1]))
for step in range(31, 41):
    store.add_metrics([MetricRow(step, f"seconds_{part}", 0.8, at=run_dirs.NOW) for part in ("collect", "learn")])
store.flush()
store._db.execute("BEGIN IMMEDIATE")
store._db.execute("INSERT INTO event (step, kind, message, detail, at) VALUES (41, 'failed', 'half', '{}', 0)")
store._db.execute("UPDATE metric SET value = 9")
print("midway", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("name", ["runs", "run", "live"])
def test_a_writer_killed_in_the_middle_leaves_what_was_committed(root: Path, name: str) -> None:
    run_dir = runs(root) / TRAINING
    paths = ":".join(path for path in sys.path if path)
    command = [sys.executable, "-c", WRITER, str(run_dir.absolute())]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, env={"PYTHONPATH": paths})
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"midway\n"
        record = replace(read_record(run_dir), pid=writer.pid, pid_start=process_start(writer.pid) or "")
        record.write(run_dir)

        async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
            if name == "run":
                await until(pilot, lambda: "running · step 40" in text_of(app))
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            if name != "live":
                await until(pilot, lambda: "† dead" in text_of(app))
                assert "half" not in text_of(app)
            await pilot.press("R")
            await pilot.pause(0.2)
            assert told(app) == ""

        look(name, root, steps)
    finally:
        with suppress(ProcessLookupError):
            writer.kill()
        writer.wait()
        if writer.stdout is not None:
            writer.stdout.close()
