"""Pictures of the form of a training in each of its states, at 80×24 and 120×36."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import run_dirs
from conftest import make_app, wait_for
from launch_steps import aside, go_to, part, red_line, summary, type_into, until_said
from textual.pilot import Pilot

from arena.tui.app import ArenaApp
from arena.tui.collect.launch import Offer, read_dry_run
from arena.tui.screens import launch
from arena.tui.screens.launch import LaunchScreen
from arena.tui.screens.presets import PresetScreen
from arena.tui.widgets.form import Form
from arena.tui.widgets.table import Table

SnapCompare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])


@pytest.fixture(autouse=True)
def _cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same notes on any machine."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


async def opened(pilot: Pilot[None], preset: str = "") -> LaunchScreen:
    """The form, with all beside it read."""
    app = pilot.app
    assert isinstance(app, ArenaApp)
    app.open_launch(preset)
    await wait_for(pilot, lambda: isinstance(app.screen, LaunchScreen) and app.screen.query(Form))
    screen = app.screen
    assert isinstance(screen, LaunchScreen)
    await wait_for(pilot, lambda: aside(screen).read)
    return screen


@SIZES
def test_normal(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dirs.training(root / "before")

    async def before(pilot: Pilot[None]) -> None:
        screen = await opened(pilot)
        await wait_for(pilot, lambda: "about" in summary(screen))

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_open_sections(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        screen = await opened(pilot, "pool")
        await go_to(pilot, screen, ("games", 0, "turns"))
        await go_to(pilot, screen, ("opponent", "pool", "sampling"))

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_empty(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        screen = await opened(pilot, "new training")
        await until_said(pilot, screen, ("games",), "at least 1")

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_failed(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    """Errors at a field that is seen, in one that is folded away, and in the whole."""

    async def before(pilot: Pilot[None]) -> None:
        screen = await opened(pilot)
        await type_into(pilot, screen, ("optimiser", "lr"), "fast")
        fold = part(screen, ("optimiser",))
        fold.query("FoldTitle").first().focus()
        await pilot.press("enter")
        await type_into(pilot, screen, ("steps",), "0")
        await wait_for(pilot, lambda: "2 errors" in summary(screen))

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_runs_that_cannot_be_read(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    Path("runs").write_text("not a directory")

    async def before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, ArenaApp)
        app.open_launch()
        await wait_for(pilot, lambda: isinstance(app.screen, LaunchScreen) and app.screen.query(Form))
        screen = app.screen
        assert isinstance(screen, LaunchScreen)
        await until_said(pilot, screen, ("directory",), "Cannot create")
        await wait_for(pilot, lambda: "cannot be read" in red_line(screen))

    assert snap_compare(make_app(Path("runs")), terminal_size=size, run_before=before)


@SIZES
def test_loading(root: Path, snap_compare: SnapCompare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def slow() -> Offer:
        release.wait(30)
        return Offer((), {})

    monkeypatch.setattr(launch, "_read_offer", slow)
    app = make_app(root)
    take = app.export_screenshot

    def take_and_release(**options: object) -> str:
        """The picture comes first: leaving waits for the thread."""
        picture = take(**options)  # type: ignore[arg-type]
        release.set()
        return picture

    monkeypatch.setattr(app, "export_screenshot", take_and_release)

    async def before(pilot: Pilot[None]) -> None:
        app.open_launch()
        await wait_for(pilot, lambda: isinstance(app.screen, LaunchScreen) and app.screen.query("#wait"))

    assert snap_compare(app, terminal_size=size, run_before=before)


@SIZES
def test_presets(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await pilot.press("p")
        await wait_for(pilot, lambda: isinstance(pilot.app.screen, PresetScreen))
        pilot.app.screen.query_one(Table).move_to("spiral-faithful")
        await pilot.pause()

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_toml_and_dry_run(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    device = {"device": "H100 80 GB", "memory_bytes": 80 * 10**9, "needed_bytes": 92 * 10**9}
    here = {"device": "this CPU", "memory_bytes": 25 * 10**9, "needed_bytes": 10**9}
    hostile = "gemini-flash-lite-latest[b]\x1b[31m?max_tokens=2048"
    times = {"seconds_collect": 2.5, "seconds_learn": 2.0, "seconds_total": 1365.0}
    found = {
        "model": {"parameters": 673_000},
        "tokens": {"prompt": 60_000, "reply": 50_000, "trained": 109_000, "total": 66_500_000},
        "devices": [device | times, here | times],
        "apis": [
            {
                "player": f"gemini:{hostile}",
                "requests": 54_000,
                "prompt_tokens": 9_550_400,
                "completion_tokens": 110_592_000,
                "cost": 47.25,
            },
        ],
        "api_limits": [{"step": None}, {"step": 134}],
    }

    async def before(pilot: Pilot[None]) -> None:
        screen = await opened(pilot)
        pane = aside(screen)
        pane._dry = ("before", read_dry_run(json.dumps(found)))
        pane._draw()
        await pilot.press("v")
        await pilot.pause()

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)
