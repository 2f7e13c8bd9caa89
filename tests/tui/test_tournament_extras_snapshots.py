"""Pictures of openings, a sequential test and ground truth: in the form, and on the page of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import tournament_runs
from conftest import SnapCompare, Steps, compare, wait_for
from textual.pilot import Pilot
from textual.widgets import Input, Static

from arena.config.tournament import OpeningsConfig, SprtConfig
from arena.tui.app import ArenaApp
from arena.tui.widgets.form_fields import ChoiceField
from arena.tui.widgets.tournament_form import TournamentForm

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=["80x24", "120x40", "200x60"])
API = "vllm:m@http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key of the user's: what the form offers says which are there."""
    for name in ("OPENAI", "GEMINI", "MISTRAL", "OPENROUTER", "VLLM"):
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)


def static(app: ArenaApp, name: str) -> str:
    return str(app.screen.query_one(f"#{name}", Static).content)


def filled(other: str, texts: dict[str, str], until: Callable[[ArenaApp], bool], *words: str) -> Steps:
    """The form with the bundled model and another player in TicTacToe, these texts, and "yes" for these words."""

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_tournament(players=["ckpt:tiny", other])
        await wait_for(pilot, lambda: app.screen.query("#total") and static(app, "total"))
        form = app.screen.query_one(TournamentForm)
        form._games = {"tictactoe": None}
        form._draw()
        form._changed()
        await wait_for(pilot, lambda: "openings" in form._checked.fits)
        for name, text in texts.items():
            app.screen.query_one(f"#{name}", Input).value = text
        for name in words:
            app.screen.query_one(f"#{name}", ChoiceField).action_set("yes")
        await wait_for(pilot, lambda: until(app))

    return steps


@SIZES
def test_form(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, root, size, filled("random", {}, lambda app: "200 matches" in static(app, "total")))


@SIZES
def test_form_filled_in(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    texts = {"openings": "2", "elo0": "0", "elo1": "30"}
    steps = filled("random", texts, lambda app: "at most 20000" in static(app, "total"), "balanced")
    assert compare(snap_compare, root, size, steps)


@SIZES
def test_form_against_an_api(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    texts = {"openings": "2", "elo0": "0", "elo1": "30", "max_tokens": "500000"}
    steps = filled(API, texts, lambda app: "thousands" in static(app, "total"), "ground_truth")
    assert compare(snap_compare, root, size, steps)


@SIZES
def test_form_with_errors(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    texts = {"openings": "9", "elo0": "30", "elo1": "0", "lead": "optimal"}
    steps = filled("random", texts, lambda app: "less than" in static(app, "elo1-error"))
    assert compare(snap_compare, root, size, steps)


@SIZES
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_running(root: Path, snap_compare: SnapCompare, size: tuple[int, int], share: float) -> None:
    run = tournament_runs.played(
        root / "tiny-vs-random",
        ["ckpt:tiny", "random"],
        ["tictactoe"],
        40,
        share,
        "",
        share > 0,
        sprt=SprtConfig(elo0=0, elo1=30),
        openings=OpeningsConfig(plies=2, balanced=True),
    )

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_tournament(run)
        await wait_for(pilot, lambda: app.screen.query("#notice") and "SPRT" in static(app, "notice"))

    assert compare(snap_compare, root, size, steps)


@SIZES
def test_decided(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run = tournament_runs.played(
        root / "tiny-vs-random",
        ["ckpt:tiny", "random"],
        ["tictactoe"],
        100,
        sprt=SprtConfig(elo0=0, elo1=150),
    )

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_tournament(run)
        await wait_for(pilot, lambda: app.screen.query("#notice") and "accepted" in static(app, "notice"))

    assert compare(snap_compare, root, size, steps)
