"""Pictures of the screen Tables in each of its states, at 80×24 and 120×36."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import table_runs
import tournament_runs
from conftest import make_app, wait_for
from textual.pilot import Pilot

from arena.runs.paths import RESULT_JSON
from arena.tui.app import ArenaApp
from arena.tui.collect.tables import Tables
from arena.tui.screens.export import ExportScreen
from arena.tui.screens.tables import TablesScreen

SnapCompare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])


def opened(*keys: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Opens the tables, waits until they are read, and presses the keys."""

    async def before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, ArenaApp)
        await pilot.pause()
        app.open_tables()
        await wait_for(pilot, lambda: isinstance(app.screen, TablesScreen) and app.screen._look)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        if (field := app.screen.query("Input")) and field.first().has_focus:
            field.first().cursor_blink = False  # type: ignore[attr-defined]
        await pilot.pause()

    return before


def compare(snap_compare: SnapCompare, root: Path, size: tuple[int, int], *keys: str) -> bool:
    return snap_compare(make_app(root), terminal_size=size, run_before=opened(*keys))


@pytest.fixture
def some(root: Path) -> Path:
    return table_runs.one_of_each(root)


@SIZES
@pytest.mark.parametrize("keys", ["s", "v", "v]", "vm", "o", "om", "t"])
def test_normal(some: Path, snap_compare: SnapCompare, size: tuple[int, int], keys: str) -> None:
    assert compare(snap_compare, some, size, *(key.replace("]", "right_square_bracket") for key in keys))


@SIZES
def test_sorted_and_filtered(some: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    keys = ("slash", *"tictactoe", "enter", *["right"] * 6)
    assert compare(snap_compare, some, size, *keys)


@SIZES
@pytest.mark.parametrize("key", "svotba")
def test_empty(root: Path, snap_compare: SnapCompare, size: tuple[int, int], key: str) -> None:
    assert compare(snap_compare, root, size, key)


@SIZES
def test_nothing_fits(some: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, some, size, "slash", *"nothing", "enter")


@SIZES
def test_failed(some: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    (some / "transfer" / RESULT_JSON).write_text("{")
    assert compare(snap_compare, some, size)


@SIZES
def test_without_any_result(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    tournament_runs.played(root / "old", pairs=2, result=False)
    assert compare(snap_compare, root, size)


@SIZES
def test_unreadable(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    root.rmdir()
    root.write_text("no directory")

    async def before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, ArenaApp)
        await pilot.pause()
        app.open_tables()
        await wait_for(pilot, lambda: isinstance(app.screen, TablesScreen) and app.screen._failures)
        await pilot.pause()

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_loading(root: Path, snap_compare: SnapCompare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    release, read = threading.Event(), TablesScreen._collect

    def slow(screen: TablesScreen) -> Tables:
        release.wait(30)
        return read(screen)

    monkeypatch.setattr(TablesScreen, "_collect", slow)
    app = make_app(root)
    take = app.export_screenshot

    def take_and_release(**options: object) -> str:
        """The picture comes first: leaving waits for the thread."""
        picture = take(**options)  # type: ignore[arg-type]
        release.set()
        return picture

    async def before(pilot: Pilot[None]) -> None:
        await pilot.pause()
        app.open_tables()
        await wait_for(pilot, lambda: isinstance(app.screen, TablesScreen) and app.screen.query("#empty"))
        await pilot.pause()

    monkeypatch.setattr(app, "export_screenshot", take_and_release)
    assert snap_compare(app, terminal_size=size, run_before=before)


@SIZES
def test_hostile_names(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    tournament_runs.hostile(root / "hostile")
    assert compare(snap_compare, root, size, "j", "j")


@SIZES
def test_export(some: Path, snap_compare: SnapCompare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExportScreen, "_path", Path("/home/me/ood.tex"))
    assert compare(snap_compare, some, size, "o", "e", "right", "right")


@SIZES
def test_no_colour(
    some: Path, snap_compare: SnapCompare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert compare(snap_compare, some, size, "o", "right", "right", "right", "right")
