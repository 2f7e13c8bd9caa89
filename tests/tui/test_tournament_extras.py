"""Openings, a sequential test and ground truth: the form's fields for them, and what the page of a run says of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tournament_runs
from conftest import Steps, use, wait_for
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import Button, Input, Static

from arena.config.base import read_json, validate
from arena.config.tournament import OpeningsConfig, SprtConfig, TournamentConfig
from arena.core.errors import ArenaError
from arena.runs.paths import CONFIG_JSON, RESULT_JSON
from arena.tui.app import ArenaApp
from arena.tui.collect.entrants import Draft, check
from arena.tui.collect.evaluation import ResultsReader
from arena.tui.collect.results import parse
from arena.tui.collect.sprt import Sprt
from arena.tui.screens.tournament import TournamentScreen
from arena.tui.widgets.form_fields import ChoiceField
from arena.tui.widgets.match_fields import FormatField
from arena.tui.widgets.matrix_cells import signed
from arena.tui.widgets.sprt_words import gauge, sprt_facts
from arena.tui.widgets.standings import packed
from arena.tui.widgets.tournament_form import TournamentForm

TTT, API = "tictactoe", "vllm:m@http://127.0.0.1:9/v1"
DRAFT = Draft(players=("random", "ckpt:tiny"), games=(TTT,))
TEST = SprtConfig(elo0=0, elo1=30)
OPEN = Sprt(0, 30, 0.05, 0.05, "open", 40, 1.25, -2.94, 2.94)


def show_form(root: Path, steps: Steps, players: Sequence[str] = ("random", "ckpt:tiny"), games: str = TTT) -> None:
    """The form with these players and games, once it is checked."""

    async def ready(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: app.screen.query("#total") and static(app, "total"))
        choose_games(app, games)
        await wait_for(pilot, lambda: form(app)._checked.data.get("games") == games.split())
        await steps(app, pilot)

    use(root, ready, lambda app: app.open_tournament(players=players), (120, 40))


def form(app: ArenaApp) -> TournamentForm:
    return app.screen.query_one(TournamentForm)


def choose_games(app: ArenaApp, games: str) -> None:
    form(app)._games = dict.fromkeys(games.split())
    form(app)._draw()
    form(app)._changed()


def write(app: ArenaApp, **texts: str) -> None:
    for name, text in texts.items():
        app.screen.query_one(f"#{name}", Input).value = text


def static(app: ArenaApp, name: str) -> str:
    return str(app.screen.query_one(f"#{name}", Static).content)


def seen(app: ArenaApp) -> set[str]:
    """The fields that are not for every tournament, those of them that are shown."""
    return {(row.id or "").removeprefix("of-") for row in app.screen.query(".extra") if row.display}


def painted(app: ArenaApp) -> str:
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in lines)


# What the form makes of them


@pytest.mark.parametrize(
    ("players", "games", "format", "fits"),
    [
        (("random", "ckpt:tiny"), (TTT,), "round-robin", {"sprt", "openings", "balanced"}),
        (("random", "ckpt:tiny"), ("connect_four",), "round-robin", {"sprt", "openings"}),
        (("random", "ckpt:tiny"), (TTT, "connect_four"), "round-robin", {"openings"}),
        (("random", "ckpt:tiny"), ("kuhn_poker",), "round-robin", {"sprt"}),
        (("random", "ckpt:tiny"), (TTT, "kuhn_poker"), "round-robin", set()),
        (("random", "scripted", "ckpt:tiny"), (TTT,), "round-robin", {"openings", "balanced"}),
        (("random", "ckpt:tiny"), (TTT,), "gauntlet", {"openings", "balanced"}),
        (("random", API), ("pig_dice",), "round-robin", {"sprt", "ground_truth"}),
        (("random", API), ("snake",), "round-robin", {"sprt"}),
        (("random", API), (TTT, "snake"), "swiss", {"ground_truth"}),
    ],
)
def test_fields_make_sense_for_some_tournaments(
    players: tuple[str, ...], games: tuple[str, ...], format: str, fits: set[str]
) -> None:
    assert check(Draft(players=players, games=games, format=format)).fits == fits


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"openings": "x"}, "openings", "whole number"),
        ({"openings": "0"}, "openings", "At least 1"),
        ({"openings": "9"}, "openings", "no openings of 9 plies"),
        ({"balanced": "yes"}, "openings", "how many plies"),
        ({"openings": "2", "games": (TTT, "kuhn_poker")}, "openings", "kuhn_poker has no openings: it has chance."),
        ({"openings": "2", "balanced": "yes", "games": ("connect_four",)}, "openings", "not solved"),
        ({"elo0": "0"}, "elo1", "needs it too"),
        ({"elo1": "0"}, "elo0", "needs it too"),
        ({"elo0": "zero", "elo1": "20"}, "elo0", "A number, such as 20."),
        ({"elo0": "20", "elo1": "20"}, "elo1", "elo0 must be less than elo1"),
        ({"elo0": "0", "elo1": "2000"}, "elo1", "within ±1000"),
        ({"elo0": "0", "elo1": "inf"}, "elo1", "finite"),
        ({"elo0": "0", "elo1": "20", "alpha": "half"}, "alpha", "A number, such as 0.05."),
        ({"elo0": "0", "elo1": "20", "alpha": "0.5"}, "alpha", "less than 0.5"),
        ({"elo0": "0", "elo1": "20", "beta": "0"}, "beta", "greater than 0"),
        ({"elo0": "0", "elo1": "20", "lead": "optimal"}, "lead", "One of the players"),
        ({"elo0": "0", "elo1": "20", "more_players": "scripted"}, "elo0", "two players in one game"),
        ({"elo0": "0", "elo1": "20", "more_games": "snake"}, "elo0", "two players in one game"),
    ],
)
def test_errors_are_said_at_their_field(change: dict[str, Any], field: str, says: str) -> None:
    checked = check(replace(DRAFT, **change))
    assert says in checked.errors[field]
    assert list(checked.errors) == [field]
    assert checked.matches is None


def test_test_is_about_a_model_s_lead_unless_another_is_named() -> None:
    draft = replace(DRAFT, elo0="0", elo1="30", beta="0,1")
    config = validate(TournamentConfig, check(draft).data, "tournament")
    assert config.players == ["ckpt:tiny", "random"]
    assert config.sprt == SprtConfig(elo0=0, elo1=30, alpha=0.05, beta=0.1)
    assert (config.pairs, check(draft).usual["pairs"]) == (10_000, "10000")
    other = check(replace(draft, lead="random", pairs="300"))
    assert other.data["players"] == ["random", "ckpt:tiny"]
    assert (other.data["pairs"], other.matches) == (300, 600)


def test_openings_and_ground_truth_go_into_the_configuration() -> None:
    draft = replace(DRAFT, players=("random", API), openings="2", balanced="yes", ground_truth="yes")
    config = validate(TournamentConfig, check(draft).data, "tournament")
    assert config.openings == OpeningsConfig(plies=2, balanced=True)
    assert config.ground_truth
    plain = check(DRAFT).data
    assert plain.keys() == {"players", "games", "pairs", "seed", "concurrency"}
    assert (plain["pairs"], plain["seed"], plain["concurrency"]) == (100, 0, 64)


def test_games_of_a_players_file_count_where_none_is_chosen(root: Path) -> None:
    Path("field.toml").write_text('players = ["random", "scripted"]\ngames = ["tictactoe", "snake"]\n')
    found = check(Draft(more_players="field.toml"))
    assert (found.data["games"], found.usual["more_games"]) == ([TTT, "snake"], "tictactoe snake")
    own = check(Draft(more_players="field.toml", games=("pig_dice",)))
    assert (own.data["games"], own.usual["more_games"]) == (["pig_dice"], "")


@given(st.text(), st.text(), st.text(), st.text())
def test_no_text_breaks_the_check(openings: str, elo: str, alpha: str, lead: str) -> None:
    check(replace(DRAFT, openings=openings, elo0=elo, elo1="900", alpha=alpha, lead=lead))


# The form


def test_fields_come_and_go_with_players_games_and_format(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: seen(app) == {"openings", "balanced", "elo0", "elo1"})
        choose_games(app, "connect_four")
        await wait_for(pilot, lambda: seen(app) == {"openings", "elo0", "elo1"})
        app.screen.query_one(FormatField).focus()
        await pilot.press("right")
        await wait_for(pilot, lambda: seen(app) == {"challenger", "openings"})
        choose_games(app, "kuhn_poker")
        await wait_for(pilot, lambda: seen(app) == {"challenger"})
        await pilot.press("left")
        await wait_for(pilot, lambda: seen(app) == {"elo0", "elo1"})
        write(app, more_players="scripted")
        await wait_for(pilot, lambda: not seen(app))
        assert not app.screen.query_one("#extras").display

    show_form(root, steps)


def test_what_is_filled_in_stays_with_its_error_where_it_no_longer_fits(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        write(app, openings="2", elo0="0", elo1="20")
        app.screen.query_one("#balanced", ChoiceField).action_set("yes")
        await wait_for(pilot, lambda: "at most 20000 matches" in static(app, "total"))
        choose_games(app, "kuhn_poker snake")
        await wait_for(pilot, lambda: "kuhn_poker has no openings" in static(app, "openings-error"))
        assert "two players in one game" in static(app, "elo0-error")
        assert {"openings", "balanced", "elo0", "elo1"} <= seen(app)
        assert app.screen.query_one("#start", Button).disabled
        write(app, openings="", elo0="", elo1="")
        app.screen.query_one("#balanced", ChoiceField).action_set("no")
        await wait_for(pilot, lambda: "400 matches" in static(app, "total"))
        assert not seen(app)
        assert not app.screen.query_one("#start", Button).disabled

    show_form(root, steps)


def test_test_is_written_by_hand_and_says_what_it_needs(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: "elo0" in seen(app))
        app.screen.query_one("#elo0", Input).focus()
        await pilot.press("minus", "5")
        await wait_for(pilot, lambda: "needs it too" in static(app, "elo1-error"))
        assert {"lead", "alpha", "beta"} <= seen(app)
        assert app.screen.query_one("#start", Button).disabled
        await pilot.press("enter", "5")
        await wait_for(pilot, lambda: "at most 20000 matches" in static(app, "total"))
        assert app.screen.query_one("#pairs", Input).placeholder == "10000"
        assert app.screen.query_one("#lead", Input).placeholder == "ckpt:tiny"
        assert form(app)._checked.data["sprt"] == {"elo0": -5, "elo1": 5}
        write(app, alpha="0.7")
        await wait_for(pilot, lambda: "less than 0.5" in static(app, "alpha-error"))
        app.screen.query_one(FormatField).action_set("swiss")
        await wait_for(pilot, lambda: "sprt" not in form(app)._checked.data and form(app)._checked.data)
        assert app.screen.query_one("#pairs", Input).placeholder == "100"

    show_form(root, steps)


def test_ground_truth_is_offered_for_api_players_in_solved_games(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: "ground_truth" in seen(app))
        app.screen.query_one("#ground_truth", ChoiceField).focus()
        await pilot.press("space")
        await wait_for(pilot, lambda: "thousands of requests" in static(app, "total"))
        assert form(app)._checked.data["ground_truth"] is True
        choose_games(app, "snake")
        await wait_for(pilot, lambda: "ground_truth" not in seen(app))
        await wait_for(pilot, lambda: form(app)._checked.data and "ground_truth" not in form(app)._checked.data)

    show_form(root, steps, ("random", API))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_all_of_them_and_the_button_can_be_reached(root: Path, size: tuple[int, int]) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: app.screen.query("#total") and static(app, "total"))
        choose_games(app, TTT)
        await wait_for(pilot, lambda: "ground_truth" in seen(app))
        write(app, elo0="0", elo1="20", openings="2")
        await wait_for(pilot, lambda: "at most" in static(app, "total"))
        assert seen(app) == {"openings", "balanced", "elo0", "elo1", "lead", "alpha", "beta", "ground_truth"}
        app.screen.query_one("#openings").focus()
        for name in ("balanced", "elo0", "elo1", "lead", "alpha", "beta", "ground_truth", "max_cost"):
            await pilot.press("tab")
            assert app.focused is not None
            assert app.focused.id == name
            assert app.focused.size.width >= 5
        button = app.screen.query_one("#start", Button)
        button.focus()
        await wait_for(pilot, lambda: "Start" in painted(app))

    use(root, steps, lambda app: app.open_tournament(players=("random", API)), size)


def test_start_plays_a_real_test_from_openings_until_it_is_decided(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        write(app, openings="2", elo0="0", elo1="100", lead="optimal", concurrency="4", seed="3")
        await wait_for(pilot, lambda: "at most 20000 matches" in static(app, "total"))
        await pilot.press("ctrl+s")
        await wait_for(pilot, lambda: isinstance(app.screen, TournamentScreen) and app.screen._run_dir, 60)
        screen = app.screen
        assert isinstance(screen, TournamentScreen)
        assert screen._run_dir is not None
        await wait_for(pilot, lambda: (shown := screen._shown) and shown.run.status == "finished", 90)
        config = read_json(TournamentConfig, screen._run_dir / CONFIG_JSON)
        assert (config.players, config.pairs) == (["optimal", "random"], 10_000)
        assert config.sprt == SprtConfig(elo0=0, elo1=100)
        assert config.openings == OpeningsConfig(plies=2)
        await wait_for(pilot, lambda: "H1 accepted" in static(app, "notice"))
        assert "SPRT of optimal's lead" in static(app, "notice")
        assert "Each pair begins after 2 random plies." in static(app, "notice")

    show_form(root, steps, ("random", "optimal"))


# The page of a run


def with_test(run_dir: Path, **options: Any) -> Path:
    config: dict[str, Any] = {"sprt": TEST, "openings": OpeningsConfig(plies=4), "pairs": 40}
    return tournament_runs.played(run_dir, ["ckpt:tiny", "random"], [TTT], **config | options)


def test_before_the_first_result_the_hypotheses_and_openings_are_said(root: Path) -> None:
    run = with_test(root / "t", share=0, end="", result=False)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: "No results yet" in static(app, "notice"))
        for words in ("SPRT of ckpt:tiny's lead", "H0 ≤ 0 Elo", "H1 ≥ 30 Elo", "α 0.05", "4 random plies"):
            assert words in static(app, "notice")
        assert "LLR" not in static(app, "notice")
        assert "of at most 80 matches" in static(app, "progress")

    use(root, steps, lambda app: app.open_tournament(run), (120, 40))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_test_s_state_and_bounds_are_seen_at_every_size(root: Path, size: tuple[int, int]) -> None:
    run = with_test(root / "t", share=0.5, end="", openings=OpeningsConfig(plies=1, balanced=True))
    result = json.loads((run / RESULT_JSON).read_text())
    ratio = result["sprt"]["llr"]
    assert result["sprt"]["verdict"] == "open"

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: "after 20 pairs" in painted(app))
        for words in ("SPRT of ckpt:tiny's lead", "open", f"LLR {signed(ratio)}", "−2.94", "+2.94"):
            assert words in painted(app)
        assert "after 1 balanced ply." in painted(app)

    use(root, steps, lambda app: app.open_tournament(run), size)


def test_other_tournaments_say_nothing_of_it(root: Path) -> None:
    shown = ResultsReader(tournament_runs.played(root / "t", pairs=2)).read()
    assert shown.test is None
    assert shown.notes == ()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "x", None, True])
@pytest.mark.parametrize("name", ["llr", "lower", "upper", "elo0", "alpha"])
def test_damaged_test_is_an_error_not_a_crash(name: str, value: object) -> None:
    row = {"verdict": "H1", "pairs": 4, "llr": 3, "lower": -2, "upper": 2, "elo0": 0, "elo1": 3, "alpha": 1, "beta": 1}
    result = {"schema": 1, "results": [], "sprt": row}
    assert parse(result).test is not None
    with pytest.raises(ArenaError, match="damaged"):
        parse(result | {"sprt": row | {name: value}})


def test_damaged_configuration_has_no_test(root: Path) -> None:
    run = with_test(root / "t", share=0, end="", result=False)
    config = json.loads((run / CONFIG_JSON).read_text())
    for name, value in (("sprt", {"elo0": "x"}), ("sprt", []), ("openings", {"plies": "x"}), ("openings", 7)):
        (run / CONFIG_JSON).write_text(json.dumps(config | {name: value}))
        assert ResultsReader(run).read().plan.players == ("ckpt:tiny", "random")


@pytest.mark.parametrize(("ratio", "place"), [(-9.0, 1), (-2.0, 1), (0.0, 11), (1.0, 16), (2.0, 21), (1e300, 21)])
def test_gauge_marks_the_place_between_the_bounds(ratio: float, place: int) -> None:
    drawn = gauge(ratio, -2, 2).plain
    assert (len(drawn), drawn.index("●")) == (23, place)
    assert drawn[11] == ("●" if place == 11 else "┼")


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_any_figures_can_be_drawn(ratio: float, lower: float, upper: float) -> None:
    assert len(gauge(ratio, lower, upper)) == 23


@pytest.mark.parametrize("width", [40, 78, 118, 198])
def test_facts_of_a_test_keep_within_the_width(width: int) -> None:
    hostile = replace(OPEN, verdict="\x1b[31m[/b]" * 9)
    for test in (OPEN, hostile):
        text = packed(sprt_facts(test, "ckpt:" + "x\u202e" * 200), width).plain
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert all(cell_len(row) <= max(width, 63) for row in text.splitlines())
