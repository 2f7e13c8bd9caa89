"""What the tests of the terminal UI share: a clean environment, runs of every kind, and waiting without sleeping."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import run_dirs
from textual import _wait
from textual.pilot import Pilot

from arena.tui.app import ArenaApp
from arena.tui.screens.base import ArenaScreen
from arena.tui.settings import Settings

Steps = Callable[[ArenaApp, Pilot[None]], Awaitable[None]]
SnapCompare = Callable[..., bool]


async def wait_for(pilot: Pilot[None], condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Let the app go on until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await pilot.pause(0.01)
    await pilot.pause()


def vanish(path: Path) -> None:
    """Take a directory away at once: while it is removed file by file, a reader may put another one into it."""
    path.rename(Path(tempfile.mkdtemp(dir=".")) / path.name)


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings of the user's, one time zone, quick polls, relative paths on screen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", "config")
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    monkeypatch.setenv("SPIRAL_ARENA_RUNS", "runs")
    monkeypatch.setenv("TZ", "UTC")
    # pytest-xdist sets a size for its workers' terminals, which a real pty has of its own.
    for name in ("NO_COLOR", "COLORTERM", "TEXTUAL_THEME", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ArenaScreen, "POLL_SECONDS", 0.05)
    # The pilot takes an app for idle that used a twentieth of such a time; ours are polled too often for its own 20 ms.
    monkeypatch.setattr(_wait, "SLEEP_GRANULARITY", 0.005)
    monkeypatch.setattr(_wait, "SLEEP_IDLE", 0.005 / 20)
    time.tzset()
    yield
    monkeypatch.delenv("TZ")
    time.tzset()


@pytest.fixture
def root() -> Path:
    """An empty directory of runs, relative to where the test is."""
    path = Path("runs")
    path.mkdir()
    return path


@pytest.fixture
def all_runs(root: Path) -> Path:
    """A directory with a run of every kind and state; see `run_dirs.all_kinds`."""
    return run_dirs.all_kinds(root)


def make_app(root: Path, settings: Settings | None = None) -> ArenaApp:
    """The app as the tests want it: without motion, its clocks standing still."""
    return ArenaApp(root, settings, motion=False, clock=lambda: run_dirs.NOW, ticks=lambda: 0.0)


def use(root: Path, steps: Steps, opened: Callable[[ArenaApp], None], size: tuple[int, int] = (120, 36)) -> None:
    """Run the app, open something in it, and do the steps."""

    async def go() -> None:
        app = make_app(root)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            opened(app)
            await pilot.pause()
            await steps(app, pilot)

    asyncio.run(go())


def compare(snap_compare: SnapCompare, root: Path, size: tuple[int, int], steps: Steps) -> bool:
    """Whether the picture after the steps is the stored one."""

    async def before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, ArenaApp)
        await pilot.pause()
        await steps(app, pilot)
        await pilot.pause()

    return snap_compare(make_app(root), terminal_size=size, run_before=before)
