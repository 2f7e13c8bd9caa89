"""Pictures of the screen Tournament in each of its states, at 80×24 and 120×36."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import tournament_runs
from conftest import make_app, wait_for
from textual.pilot import Pilot
from textual.widgets import Static

from arena.tui.app import ArenaApp
from arena.tui.collect.evaluation import Evaluation
from arena.tui.screens.meeting import MeetingScreen
from arena.tui.screens.tournament import TournamentScreen

SnapCompare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])


def opened(run: Path | None, *keys: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Opens the run, or the form, waits until it is read, and presses the keys."""

    async def before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, ArenaApp)
        await pilot.pause()
        app.open_tournament(run)
        if run is None:
            await wait_for(pilot, lambda: any(str(one.content) for one in app.screen.query("#total").results(Static)))
        else:
            await wait_for(pilot, lambda: isinstance(app.screen, TournamentScreen) and app.screen._shown)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        screen = app.screen
        if isinstance(screen, MeetingScreen):
            await wait_for(pilot, lambda: screen._rows)
        await pilot.pause()

    return before


def compare(snap_compare: SnapCompare, root: Path, size: tuple[int, int], run: Path | None, *keys: str) -> bool:
    return snap_compare(make_app(root), terminal_size=size, run_before=opened(run, *keys))


@SIZES
@pytest.mark.parametrize("players", [2, 5, 20])
def test_normal(root: Path, snap_compare: SnapCompare, size: tuple[int, int], players: int) -> None:
    run = tournament_runs.played(root / "base-vs-7", players=tournament_runs.names(players), pairs=6)
    assert compare(snap_compare, root, size, run)


@SIZES
def test_one_game_with_returns(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, root, size, tournament_runs.played(root / "base-vs-7"), "g", "g", "j", "l")


@SIZES
def test_many_players_scrolled_to_the_end(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run = tournament_runs.played(root / "all", players=tournament_runs.names(20), pairs=6)
    assert compare(snap_compare, root, size, run, "end", "pagedown", "pagedown")


@SIZES
def test_head_to_head(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, root, size, tournament_runs.against_each_other(root / "specialists"), "g")


@SIZES
def test_ood(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, root, size, tournament_runs.held_out(root / "transfer"))


@SIZES
def test_running(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, root, size, tournament_runs.played(root / "base-vs-7", share=0.4, end=""))


@SIZES
def test_empty(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run = tournament_runs.played(root / "base-vs-7", share=0, end="", result=False)
    assert compare(snap_compare, root, size, run)


@SIZES
def test_without_result(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, root, size, tournament_runs.played(root / "old", pairs=2, result=False))


@SIZES
def test_failed(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run = tournament_runs.played(root / "base-vs-7", share=0.4, end="failed", message="No space left on the disk.")
    assert compare(snap_compare, root, size, run)


@SIZES
def test_loading(root: Path, snap_compare: SnapCompare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    run = tournament_runs.played(root / "base-vs-7", pairs=1)
    release, read = threading.Event(), TournamentScreen._collect

    def slow(screen: TournamentScreen) -> Evaluation:
        release.wait(30)
        return read(screen)

    monkeypatch.setattr(TournamentScreen, "_collect", slow)
    app = make_app(root)
    take = app.export_screenshot

    def take_and_release(**options: object) -> str:
        """The picture comes first: leaving waits for the thread."""
        picture = take(**options)  # type: ignore[arg-type]
        release.set()
        return picture

    async def before(pilot: Pilot[None]) -> None:
        await pilot.pause()
        app.open_tournament(run)
        await wait_for(pilot, lambda: app.screen.query("#progress"))

    monkeypatch.setattr(app, "export_screenshot", take_and_release)
    assert snap_compare(app, terminal_size=size, run_before=before)


@SIZES
def test_hostile_names(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, root, size, tournament_runs.hostile(root / "hostile"))


@SIZES
def test_matches_of_two(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, root, size, tournament_runs.played(root / "base-vs-7"), "g", "enter", "j", "j")


@SIZES
def test_form(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    tournament_runs.played(root / "past", players=["random", "ckpt:tiny"])
    assert compare(snap_compare, root, size, None, "j")


@SIZES
def test_form_with_errors(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await opened(None)(pilot)
        screen = pilot.app.screen
        for name, text in (("more_players", "randm"), ("more_games", "kuhn_poker?hands=9"), ("pairs", "none")):
            screen.query_one(f"#{name}").value = text  # type: ignore[attr-defined]
        await wait_for(pilot, lambda: screen.query_one("#pairs-error").display)
        await pilot.pause()

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_no_colour(
    root: Path, snap_compare: SnapCompare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert compare(snap_compare, root, size, tournament_runs.played(root / "base-vs-7"))
