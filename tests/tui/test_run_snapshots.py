"""Pictures of one training in each of its states, at 80×24 and 120×36."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import run_details
import run_dirs
from conftest import make_app, vanish, wait_for
from textual.pilot import Pilot

from arena.runs.paths import DB_NAME
from arena.tui.app import ArenaApp
from arena.tui.collect.training import Training
from arena.tui.screens.base import ErrorLine, TitleBar
from arena.tui.screens.run import RunScreen
from arena.tui.widgets.log_tail import LogTail

SnapCompare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])


@pytest.fixture
def run_dir(root: Path) -> Path:
    return run_details.training(root / "kuhn-ttt-7")


async def opened(pilot: Pilot[None], run_dir: Path) -> RunScreen:
    app = pilot.app
    assert isinstance(app, ArenaApp)
    await wait_for(pilot, lambda: app.screen_stack[0].query(TitleBar))
    app.open_run(run_dir)
    await wait_for(pilot, lambda: isinstance(app.screen, RunScreen))
    assert isinstance(app.screen, RunScreen)
    return app.screen


async def settled(pilot: Pilot[None], run_dir: Path) -> RunScreen:
    """The figures and the log are there."""
    screen = await opened(pilot, run_dir)
    await wait_for(pilot, lambda: screen._data is not None and not screen._data.more)
    await wait_for(pilot, lambda: screen.query_one(LogTail).lines)
    return screen


@SIZES
def test_normal(run_dir: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await settled(pilot, run_dir)

    assert snap_compare(make_app(run_dir.parent), terminal_size=size, run_before=before)


@SIZES
def test_enlarged_with_the_cursor(run_dir: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await settled(pilot, run_dir)
        await pilot.press("enter", "shift+left", "left")
        await pilot.pause()

    assert snap_compare(make_app(run_dir.parent), terminal_size=size, run_before=before)


@SIZES
def test_checkpoints(run_dir: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await settled(pilot, run_dir)
        await pilot.press("c", "j")
        await pilot.pause()

    assert snap_compare(make_app(run_dir.parent), terminal_size=size, run_before=before)


@SIZES
def test_the_log_released(run_dir: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_details.log(run_dir, *(f"line {number}" for number in range(40)))

    async def before(pilot: Pilot[None]) -> None:
        screen = await settled(pilot, run_dir)
        await pilot.press("o", "k")
        run_details.log(run_dir, "new", "newer")
        await wait_for(pilot, lambda: screen.query_one(LogTail).unseen == 2)

    assert snap_compare(make_app(run_dir.parent), terminal_size=size, run_before=before)


@SIZES
def test_empty(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = run_dirs.training(root / "fresh", 3, of=120, end="", started=run_dirs.NOW - 6)
    for file in run_dir.glob(f"{DB_NAME}*"):
        file.unlink()

    async def before(pilot: Pilot[None]) -> None:
        screen = await opened(pilot, run_dir)
        await wait_for(pilot, lambda: screen._data is not None)

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_loading(
    run_dir: Path, snap_compare: SnapCompare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def slow(screen: RunScreen) -> Training | None:
        release.wait(30)
        return None

    monkeypatch.setattr(RunScreen, "_collect", slow)
    monkeypatch.setattr(RunScreen, "_show", lambda screen, data: None)

    async def before(pilot: Pilot[None]) -> None:
        screen = await opened(pilot, run_dir)
        await wait_for(pilot, lambda: screen.query_one(LogTail).lines)

    app = make_app(run_dir.parent)
    take = app.export_screenshot

    def take_and_release(**options: object) -> str:
        """The picture comes first: leaving waits for the thread."""
        picture = take(**options)  # type: ignore[arg-type]
        release.set()
        return picture

    monkeypatch.setattr(app, "export_screenshot", take_and_release)
    assert snap_compare(app, terminal_size=size, run_before=before)


@SIZES
def test_unreadable(run_dir: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    (run_dir / DB_NAME).write_bytes(b"by far no database" * 999)

    async def before(pilot: Pilot[None]) -> None:
        screen = await opened(pilot, run_dir)
        await wait_for(pilot, lambda: "is damaged" in screen.query_one(ErrorLine).text)
        await wait_for(pilot, lambda: screen.query_one(LogTail).lines)

    assert snap_compare(make_app(run_dir.parent), terminal_size=size, run_before=before)


@SIZES
def test_vanished(run_dir: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        screen = await settled(pilot, run_dir)
        vanish(run_dir)
        await wait_for(pilot, lambda: "No such file" in screen.query_one(ErrorLine).text)

    assert snap_compare(make_app(run_dir.parent), terminal_size=size, run_before=before)
