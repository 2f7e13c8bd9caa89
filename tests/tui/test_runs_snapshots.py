"""Pictures of the list of runs in each of its states, at 80×24 and 120×36."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import make_app, wait_for
from textual.pilot import Pilot

from arena.tui.app import ArenaApp
from arena.tui.collect.runs import RunScan
from arena.tui.screens.base import ErrorLine
from arena.tui.screens.runs import RunsScreen

SnapCompare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])


def listed(app: ArenaApp) -> RunsScreen:
    screen = app.screen_stack[0]
    assert isinstance(screen, RunsScreen)
    return screen


async def settled(pilot: Pilot[None]) -> None:
    """The list and the pane of the run under the cursor are there."""
    app = pilot.app
    assert isinstance(app, ArenaApp)
    await wait_for(pilot, lambda: listed(app)._scan is not None)
    await wait_for(pilot, lambda: listed(app)._row is None or listed(app)._row.path in listed(app)._previews)


@SIZES
def test_normal(all_runs: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("j")
        await settled(pilot)

    assert snap_compare(make_app(all_runs), terminal_size=size, run_before=before)


@SIZES
def test_empty(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert snap_compare(make_app(root), terminal_size=size, run_before=settled)


@SIZES
def test_loading(
    all_runs: Path, snap_compare: SnapCompare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def slow(screen: RunsScreen) -> RunScan:
        release.wait(30)
        return RunScan(())

    monkeypatch.setattr(RunsScreen, "_collect", slow)

    app = make_app(all_runs)
    take = app.export_screenshot

    def take_and_release(**options: object) -> str:
        """The picture comes first: leaving waits for the thread."""
        picture = take(**options)  # type: ignore[arg-type]
        release.set()
        return picture

    monkeypatch.setattr(app, "export_screenshot", take_and_release)
    assert snap_compare(app, terminal_size=size)


@SIZES
def test_failed(all_runs: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await settled(pilot)
        all_runs.rename("elsewhere")
        Path("runs").write_text("no directory")
        line = pilot.app.screen.query_one(ErrorLine)
        await wait_for(pilot, lambda: "The runs in runs cannot be read" in line.text)
        await wait_for(pilot, lambda: "and 2 more" in line.text)

    assert snap_compare(make_app(all_runs), terminal_size=size, run_before=before)


@SIZES
def test_help(all_runs: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("question_mark")
        await pilot.pause()

    app = make_app(all_runs)
    assert snap_compare(app, terminal_size=size, run_before=before)


@SIZES
def test_confirm(all_runs: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("K")
        await pilot.pause()

    assert snap_compare(make_app(all_runs), terminal_size=size, run_before=before)
