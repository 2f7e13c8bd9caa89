"""Pictures of the live screen in each of its states, and of its panels, at 80×24 and 120×36."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import make_app, wait_for
from match_runs import BLUNDER, KUHN, match_run, partial, played, run_of
from textual.pilot import Pilot
from textual.widgets import Input

from arena.runs.paths import DB_NAME
from arena.tui.app import ArenaApp
from arena.tui.collect.matches import Seen
from arena.tui.screens.base import ErrorLine
from arena.tui.screens.live import LiveScreen
from arena.tui.settings import Settings
from arena.tui.widgets.table import Table

SnapCompare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])
THOUGHT = (
    "<think>They hold the corners 0 and 8, so both edges of the third row matter. If I take the centre they have "
    "[nothing] left: 3 and 5 fall together.\nWins 4 7. Risks"
)


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LiveScreen, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(LiveScreen, "LINGER_SECONDS", 600.0)
    monkeypatch.setattr(Input, "cursor_blink", False)


async def opened(pilot: Pilot[None], run_dir: Path | None, match_id: int | None = None, *keys: str) -> LiveScreen:
    """The screen with its match and what that was worth."""
    app = pilot.app
    assert isinstance(app, ArenaApp)
    app.open_match(run_dir, match_id)
    await wait_for(pilot, lambda: isinstance(app.screen, LiveScreen))
    screen = app.screen
    assert isinstance(screen, LiveScreen)

    def known() -> bool:
        match, judgement = screen._match, screen._judgement
        return match is not None and judgement is not None and len(judgement.verdicts) == len(match.turns)

    await wait_for(
        pilot, lambda: screen._seen is not None or (screen.query(ErrorLine) and screen.query_one(ErrorLine).text)
    )
    if screen._seen is not None and not screen._seen.note:
        await wait_for(pilot, known)
    await pilot.press(*keys)
    await pilot.pause()
    return screen


@SIZES
def test_normal(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = run_of(root / "base-vs-7", [played(BLUNDER)])

    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot, run_dir, 1, "right", "right")

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_thinking(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = run_of(root / "base-vs-7", [], [partial(played(BLUNDER), 4, THOUGHT)], end="")

    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot, run_dir)

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_hidden_information(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = run_of(root / "base-vs-7", [played(["[check]", "Q is enough.\n[bet]", "[fold]"], KUHN)])

    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot, run_dir, 1, "end")

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_forfeit(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = run_of(root / "base-vs-7", [played(["[4]", "No idea.\n[9]", "Again.\n[9]"])])

    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot, run_dir, 1, "end", "t")

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_empty(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot, None)

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_waiting(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = match_run(root / "match-1", None, end="")

    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot, run_dir)

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_loading(root: Path, snap_compare: SnapCompare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def slow(screen: LiveScreen) -> Seen:
        release.wait(30)
        return Seen(screen._wanted)

    monkeypatch.setattr(LiveScreen, "_collect", slow)
    run_dir = run_of(root / "base-vs-7", [played(BLUNDER)])
    app = make_app(root)
    take = app.export_screenshot

    def take_and_release(**options: object) -> str:
        """The picture comes first: leaving waits for the thread."""
        picture = take(**options)  # type: ignore[arg-type]
        release.set()
        return picture

    async def before(pilot: Pilot[None]) -> None:
        app.open_match(run_dir, 1)
        await wait_for(pilot, lambda: isinstance(app.screen, LiveScreen) and app.screen.query("#empty"))

    monkeypatch.setattr(app, "export_screenshot", take_and_release)
    assert snap_compare(app, terminal_size=size, run_before=before)


@SIZES
def test_failed(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = run_of(root / "base-vs-7", [played(BLUNDER)])
    (run_dir / DB_NAME).write_bytes(b"no database at all" * 1000)

    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot, run_dir, 1)

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_picker(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_of(root / "older", [played(["[4]", "[9]", "[9]"])])
    matches = [played(BLUNDER, number=number, leg=number % 2) for number in range(8)]
    run_dir = run_of(root / "base-vs-7", matches, [partial(played(BLUNDER, number=20), 2)], end="")

    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot, run_dir, 1, "o")
        await wait_for(pilot, lambda: pilot.app.screen.query_one("#choices", Table).items)
        await pilot.press("j")
        await pilot.pause()

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_new_match(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot, None, None, "m")
        await wait_for(pilot, lambda: pilot.app.screen.query_one("#choices", Table).items)
        pilot.app.screen.query_one("#first").focus()
        await pilot.pause()

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_reply_in_full(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = run_of(root / "base-vs-7", [played(BLUNDER)])

    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot, run_dir, 1, "right", "right", "enter")

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@pytest.mark.parametrize("theme", ["arena-light", "ansi-dark"])
def test_other_themes(root: Path, snap_compare: SnapCompare, theme: str) -> None:
    run_dir = run_of(root / "base-vs-7", [], [partial(played(BLUNDER), 4, THOUGHT)], end="")

    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot, run_dir)

    assert snap_compare(make_app(root, Settings(theme=theme)), terminal_size=(120, 36), run_before=before)
