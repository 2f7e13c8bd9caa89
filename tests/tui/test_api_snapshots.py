"""Pictures of what players behind APIs add to the screens, at 80×24 and 120×36."""

from __future__ import annotations

from pathlib import Path

import api_runs
import hostile_runs
import pytest
from conftest import SnapCompare, compare, wait_for
from textual.pilot import Pilot
from textual.widgets import Input, Static

from arena.core.ledger import Account
from arena.runs.stops import note_stop
from arena.runs.store import RunStore
from arena.tui.app import ArenaApp
from arena.tui.screens.ledger import LedgerScreen
from arena.tui.screens.new_match import NewMatchScreen
from arena.tui.widgets.ledger import LedgerLine
from arena.tui.widgets.limit_fields import LimitFields
from arena.tui.widgets.table import Table

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "MISTRAL_API_KEY", "OPENROUTER_API_KEY", "VLLM_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GEMINI_API_KEY", "a-key")


def filled(app: ArenaApp) -> bool:
    """Whether the ledger is shown, as a line or as a table."""
    tables = [one for one in app.screen.query("#accounts").results(Table) if one.items]
    return bool(tables) or any(one.filled for one in app.screen.query(LedgerLine))


@SIZES
def test_tournament(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run = api_runs.tournament(root / "base-vs-apis")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_tournament(run)
        await wait_for(pilot, lambda: app.screen.query("#progress") and filled(app))
        await wait_for(pilot, lambda: "running" in str(app.screen.query_one("#progress", Static).content))

    assert compare(snap_compare, root, size, steps)


@SIZES
def test_ledger(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run = api_runs.tournament(root / "base-vs-apis")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_tournament(run)
        await wait_for(pilot, lambda: app.screen.query("#progress") and filled(app))
        await pilot.press("b", "j")
        await wait_for(pilot, lambda: isinstance(app.screen, LedgerScreen))

    assert compare(snap_compare, root, size, steps)


@SIZES
def test_hostile_ledger(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run = api_runs.tournament(root / "hostile")
    name = f"gemini:{hostile_runs.HOSTILE}"
    with RunStore(run) as store:
        store.set_spends([Account(name, hostile_runs.HOSTILE, 10**9, 10**6, 10**12, 10**12, 10**12, 10.0**9)])
        note_stop(store, api_runs.GEMINI, hostile_runs.LINES)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_tournament(run)
        await wait_for(pilot, lambda: app.screen.query("#progress") and filled(app))
        await pilot.press("b", "j")
        await wait_for(pilot, lambda: isinstance(app.screen, LedgerScreen))

    assert compare(snap_compare, root, size, steps)


@SIZES
def test_training(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run = api_runs.training(root / "kuhn-gemini")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_run(run)
        await wait_for(
            pilot, lambda: filled(app) and "learning" in str(app.screen.query_one("#verdict", Static).content)
        )

    assert compare(snap_compare, root, size, steps)


@SIZES
@pytest.mark.parametrize(("kind", "thought"), [("summary", "The centre is worth most."), ("hidden", "")])
def test_match(root: Path, snap_compare: SnapCompare, size: tuple[int, int], kind: str, thought: str) -> None:
    run = api_runs.match(root / "tiny-vs-gemini", kind, thought)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_match(run, 1)
        await wait_for(pilot, lambda: filled(app))
        await pilot.press("end")
        screen = app.screen
        await wait_for(pilot, lambda: getattr(screen, "_judgement", None) and screen._judgement.verdicts)  # type: ignore[attr-defined]

    assert compare(snap_compare, root, size, steps)


@SIZES
def test_reply(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run = api_runs.match(root / "tiny-vs-gemini", "summary", "The centre is worth most.")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_match(run, 1)
        await wait_for(pilot, lambda: filled(app))
        screen = app.screen
        await wait_for(pilot, lambda: getattr(screen, "_judgement", None) and screen._judgement.verdicts)  # type: ignore[attr-defined]
        await pilot.press("end", "enter")
        await wait_for(pilot, lambda: app.screen is not screen)

    assert compare(snap_compare, root, size, steps)


@SIZES
def test_tables(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    api_runs.tournament(root / "base-vs-apis")
    api_runs.training(root / "kuhn-gemini")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_tables()
        await wait_for(pilot, lambda: getattr(app.screen, "_look", None))
        await pilot.press("a")
        await wait_for(pilot, lambda: app.screen.query_one("#table", Table).items)

    assert compare(snap_compare, root, size, steps)


@SIZES
@pytest.mark.parametrize("format", ["round-robin", "gauntlet", "swiss"])
def test_form(root: Path, snap_compare: SnapCompare, size: tuple[int, int], format: str) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_tournament(players=["ckpt:tiny", "random"])
        await wait_for(
            pilot, lambda: app.screen.query("#total") and str(app.screen.query_one("#total", Static).content)
        )
        app.screen.query_one("FormatField").action_set(format)  # type: ignore[attr-defined]
        app.screen.query_one("#players", Table).move_to("gemini:MODEL")
        await pilot.press("space", *"gemini-2.5-flash")
        await wait_for(pilot, lambda: "no limit" in str(app.screen.query_one("#total", Static).content))

    assert compare(snap_compare, root, size, steps)


@SIZES
def test_form_with_errors(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_tournament(players=["ckpt:tiny", "mistral:large"])
        await wait_for(pilot, lambda: app.screen.query("#limits") and app.screen.query_one(LimitFields).display)
        app.screen.query_one("#max_cost", Input).value = "2"
        await wait_for(pilot, lambda: app.screen.query_one("#prices-error").display)

    assert compare(snap_compare, root, size, steps)


@SIZES
def test_play_form(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_play("gemini:gemini-2.5-flash", "tictactoe")
        await wait_for(pilot, lambda: app.screen.query("#limits") and app.screen.query_one(LimitFields).display)
        app.screen.query_one("#max_tokens", Input).value = "20000"

    assert compare(snap_compare, root, size, steps)


@SIZES
def test_new_match(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_match()
        await pilot.pause()
        await pilot.press("m")
        await wait_for(pilot, lambda: isinstance(app.screen, NewMatchScreen))
        await wait_for(pilot, lambda: app.screen.query_one("#choices", Table).items)
        app.screen.query_one("#first", Input).value = "gemini:gemini-2.5-flash"
        app.screen.query_one("#second", Input).focus()
        await wait_for(pilot, lambda: app.screen.query_one(LimitFields).display)

    assert compare(snap_compare, root, size, steps)
