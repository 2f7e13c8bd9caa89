"""Players behind APIs in the terminal UI: how the forms offer them, what they may spend, what they have spent."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import api_runs
import hostile_runs
import match_runs
import pytest
import tournament_runs
from api_runs import GEMINI, MISTRAL, REFUSED
from conftest import make_app, use, wait_for
from servers.fault_server import FaultServer
from textual.pilot import Pilot
from textual.widgets import Button, Input, Static

from arena.config.base import validate
from arena.config.tournament import TournamentConfig
from arena.core.ledger import Account
from arena.runs.paths import CONFIG_JSON, RESULT_JSON
from arena.runs.record import Status, read_record, run_status
from arena.runs.stops import note_stop
from arena.runs.store import RunStore
from arena.tui.app import ArenaApp
from arena.tui.collect.apis import find_apis
from arena.tui.collect.entrants import Draft, check, read_offer
from arena.tui.collect.results import parse
from arena.tui.collect.spending import NOTHING, read_spending
from arena.tui.collect.sprt import Sprt
from arena.tui.screens.ledger import LedgerScreen
from arena.tui.screens.live import LiveScreen
from arena.tui.screens.new_match import NewMatchScreen
from arena.tui.screens.run import RunScreen
from arena.tui.screens.tournament import TournamentScreen
from arena.tui.widgets.ledger import LedgerLine, ledger_line
from arena.tui.widgets.limit_fields import LimitFields
from arena.tui.widgets.match_fields import FormatField
from arena.tui.widgets.table import Table
from arena.tui.widgets.thoughts import Thoughts
from arena.tui.widgets.tournament_form import TournamentForm

KEYS = ("OPENAI_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY", "OPENROUTER_API_KEY", "VLLM_API_KEY")
SECRET = "very-secret-value"
DRAFT = Draft(players=("ckpt:tiny", GEMINI), games=("tictactoe",), pairs="10")


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all keys, Gemini's alone is there."""
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GEMINI_API_KEY", SECRET)


def static(app: ArenaApp, name: str) -> str:
    return str(app.screen.query_one(f"#{name}", Static).content)


def painted(app: ArenaApp) -> str:
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in lines)


async def form(app: ArenaApp, pilot: Pilot[None]) -> TournamentForm:
    await wait_for(pilot, lambda: app.screen.query("#total") and static(app, "total"))
    return app.screen.query_one(TournamentForm)


# What the forms offer


def test_offer_says_whose_key_is_there_and_what_to_set(root: Path) -> None:
    found = {choice.begins: choice for choice in read_offer(root).players if choice.begins}
    assert set(found) == {"gemini:", "mistral:", "openai:", "openrouter:", "vllm:"}
    assert found["gemini:"].ready
    assert found["gemini:"].about.startswith("ready")
    assert found["vllm:"].ready
    assert found["vllm:"].spec == "vllm:MODEL@URL"
    for name in ("mistral", "openai", "openrouter"):
        choice = found[f"{name}:"]
        assert not choice.ready
        assert choice.about.startswith(f"set {name.upper()}_API_KEY")
    assert SECRET not in repr((found, find_apis()))


def test_choosing_an_api_lets_its_model_be_written(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        chosen = await form(app, pilot)
        app.screen.query_one("#players", Table).move_to("gemini:MODEL")
        await pilot.press("space")
        assert app.screen.query_one("#more_players", Input).has_focus
        assert not app.screen.query_one(LimitFields).display
        await pilot.press(*"gemini-2.5-flash")
        assert app.screen.query_one("#more_players", Input).value == "gemini:gemini-2.5-flash"
        await wait_for(pilot, lambda: "no limit is set" in static(app, "total"))
        assert app.screen.query_one(LimitFields).display
        assert chosen._draft().players == ("random", "ckpt:tiny")
        app.screen.query_one("#players").focus()
        await pilot.press("enter")
        assert app.screen.query_one("#more_players", Input).value == "gemini:gemini-2.5-flash gemini:"
        await pilot.press(*"x")
        assert app.screen.query_one("#more_players", Input).value.endswith("flash gemini:x")

    use(root, steps, lambda app: app.open_tournament())


def test_api_without_its_key_is_muted_and_says_which_one(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await form(app, pilot)
        app.screen.query_one("#players", Table).move_to("mistral:MODEL")
        await wait_for(pilot, lambda: "set MISTRAL_API_KEY" in static(app, "players-hint"))
        await pilot.press("space", *"large")
        await wait_for(pilot, lambda: "MISTRAL_API_KEY is not set" in static(app, "players-error"))
        assert app.screen.query_one("#start", Button).disabled

    use(root, steps, lambda app: app.open_tournament())


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("gemini:", "name of a model"),
        ("vllm:m", "address of its server"),
        ("gemini:m?temperature=9", "temperature"),
        (f"gemini:m?api_key={SECRET}", "Unknown option"),
        (f"openai:m@http://me:{SECRET}@localhost/v1", "no user or password"),
        ("mistral:m", "MISTRAL_API_KEY"),
    ],
)
def test_specs_of_apis_are_checked_without_asking_anybody(spec: str, words: str) -> None:
    found = check(replace(DRAFT, players=("random", spec)))
    assert words in found.errors["players"]
    assert SECRET not in found.errors["players"]


def test_nothing_of_the_client_is_imported(root: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from arena.tui.collect.entrants import Draft, check, read_offer; import arena.tui.collect.spending\n"
        "read_offer(Path('runs')); found = check(Draft(('random', 'gemini:x'), '', ('tictactoe',)))\n"
        "assert not found.errors, found.errors\n"
        "heavy = {'torch', 'transformers', 'openai', 'httpx', 'httpx2', 'evals', 'training'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_play_form_begins_the_spec_and_offers_limits(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: app.screen.query("#opponents"))
        await wait_for(pilot, lambda: app.screen.query_one("#opponents", Table).items)
        app.screen.query_one("#opponents").focus()
        app.screen.query_one("#opponents", Table).move_to("gemini:MODEL")
        await pilot.press("enter", *"x", "tab")
        assert app.screen.query_one("#player-input", Input).value == "gemini:x"
        await wait_for(pilot, lambda: app.screen.query_one(LimitFields).display)
        app.screen.query_one("#max_cost", Input).value = "lots"
        await pilot.press("ctrl+s")
        await wait_for(pilot, lambda: "A sum from 0" in static(app, "max_cost-error"))
        assert not list(root.iterdir())
        app.screen.query_one("#player-input", Input).value = "random"
        await wait_for(pilot, lambda: not app.screen.query_one(LimitFields).display)

    use(root, steps, lambda app: app.open_play())


def test_new_match_begins_the_spec_and_offers_limits(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("m")
        await wait_for(pilot, lambda: isinstance(app.screen, NewMatchScreen))
        await wait_for(pilot, lambda: app.screen.query_one("#choices", Table).items)
        assert not app.screen.query_one(LimitFields).display
        app.screen.query_one("#second").focus()
        await pilot.pause()
        app.screen.query_one("#choices").focus()
        app.screen.query_one("#choices", Table).move_to("gemini:MODEL")
        await pilot.press("enter", *"x")
        assert app.screen.query_one("#second", Input).value == "gemini:x"
        await wait_for(pilot, lambda: app.screen.query_one(LimitFields).display)
        app.screen.query_one("#max_cost", Input).value = "1"
        await pilot.press("ctrl+s")
        await wait_for(pilot, lambda: "file with prices" in static(app, "prices-error"))
        assert not list(root.iterdir())

    use(root, steps, lambda app: app.open_match())


# Limits


def test_limits_go_into_the_configuration(tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('["gemini:gemini-2.5-flash"]\nprompt = 0.3\ncompletion = 2.5\n')
    found = check(replace(DRAFT, max_cost="2.50", max_tokens="500000", prices=str(prices)))
    assert not found.errors
    config = validate(TournamentConfig, found.data, "tournament")
    assert (config.max_cost, config.max_tokens, config.prices) == (2.5, 500_000, str(prices))


def test_limits_are_left_alone_where_no_api_player_is_chosen() -> None:
    found = check(replace(DRAFT, players=("random", "ckpt:tiny"), max_cost="lots", max_tokens="7"))
    assert not found.errors
    assert not {"max_cost", "max_tokens", "prices"} & set(found.data)


@pytest.mark.parametrize(
    ("name", "text", "where", "words"),
    [
        ("max_cost", "2", "prices", "file with prices"),
        ("max_cost", "-0.01", "max_cost", "from 0"),
        ("max_cost", "nan", "max_cost", "from 0"),
        ("max_tokens", "1.5", "max_tokens", "whole number"),
        ("max_tokens", "-5", "max_tokens", "from 0"),
        ("prices", "nowhere.toml", "prices", "nowhere.toml"),
    ],
)
def test_limits_that_do_not_fit_are_said_at_their_field(name: str, text: str, where: str, words: str) -> None:
    limits = {"max_cost": "", "max_tokens": "", "prices": ""} | {name: text}
    found = check(replace(DRAFT, max_cost=limits["max_cost"], max_tokens=limits["max_tokens"], prices=limits["prices"]))
    assert set(found.errors) == {where}
    assert words in found.errors[where]


def test_prices_that_lack_the_player_are_said_at_the_file(tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('["openai:x"]\nprompt = 0.3\ncompletion = 2.5\n')
    found = check(replace(DRAFT, max_cost="1", prices=str(prices)))
    assert "gemini" in found.errors["prices"]
    assert not check(replace(DRAFT, max_tokens="1", prices=str(prices))).errors


def test_form_takes_limits_and_says_what_is_wrong_with_them(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await form(app, pilot)
        await wait_for(pilot, lambda: app.screen.query_one(LimitFields).display)
        app.screen.query_one("#max_cost", Input).value = "2"
        await wait_for(pilot, lambda: app.screen.query_one("#prices-error").display)
        assert app.screen.query_one("#start", Button).disabled
        app.screen.query_one("#max_cost", Input).value = ""
        app.screen.query_one("#max_tokens", Input).value = "90000"
        await wait_for(pilot, lambda: not app.screen.query_one("#start", Button).disabled)
        assert "no limit" not in static(app, "total")
        assert app.screen.query_one(TournamentForm)._checked.data["max_tokens"] == 90_000

    use(root, steps, lambda app: app.open_tournament(players=["random", GEMINI]))


# Formats


def test_gauntlet_and_swiss_play_fewer_matches(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        chosen = await form(app, pilot)
        chosen._games = dict.fromkeys(("tictactoe", "kuhn_poker", "pig_dice"))  # those that `optimal` plays
        chosen._draw()
        chosen._changed()
        await wait_for(pilot, lambda: "3600 matches" in static(app, "total"))
        format = app.screen.query_one(FormatField)
        format.focus()
        await pilot.press("right")
        await wait_for(pilot, lambda: "1800 matches" in static(app, "total"))
        challenger = app.screen.query_one("#challenger", Input)
        assert challenger.placeholder == "ckpt:tiny"
        challenger.value = "ckpt:tinny"
        await wait_for(pilot, lambda: "One of the players" in static(app, "challenger-error"))
        challenger.value = "optimal"
        await wait_for(pilot, lambda: "1800 matches" in static(app, "total"))
        await pilot.press("right")
        await wait_for(pilot, lambda: "swiss" in str(app.screen.query_one(FormatField).render()))
        await wait_for(pilot, lambda: app.screen.query_one("#rounds", Input).placeholder == "3")
        app.screen.query_one("#rounds", Input).value = "2"
        await wait_for(pilot, lambda: "2400 matches" in static(app, "total"))

    players = ("random", "scripted", "optimal", "ckpt:tiny")
    use(root, steps, lambda app: app.open_tournament(players=players))


def test_formats_go_into_the_configuration() -> None:
    draft = replace(DRAFT, players=("random", "scripted", GEMINI))
    gauntlet = validate(TournamentConfig, check(replace(draft, format="gauntlet")).data, "tournament")
    assert (gauntlet.format, gauntlet.challenging) == ("gauntlet", [GEMINI])
    swiss = validate(TournamentConfig, check(replace(draft, format="swiss", rounds="2")).data, "tournament")
    assert (swiss.format, swiss.round_count) == ("swiss", 2)
    assert "format" not in check(draft).data


def test_players_file_and_choice_of_checkpoints_stand_for_players(root: Path) -> None:
    Path("field.toml").write_text('players = ["random", "scripted"]\n')
    found = check(Draft(more_players="field.toml ckpt:tiny", games=("tictactoe",)))
    assert found.data["players"] == ["random", "scripted", "ckpt:tiny"]
    assert "nowhere" in check(Draft(more_players="nowhere@every:16", games=("tictactoe",))).errors["players"]
    assert "players" not in check(replace(DRAFT, players=("random", "gemini:model@20250101"))).errors


# The ledger


def test_ledger_has_limits_and_who_was_stopped(root: Path) -> None:
    found = read_spending(api_runs.tournament(root / "t"))
    assert [one.player for one in found.accounts] == [GEMINI, MISTRAL]
    assert [one.stopped for one in found.accounts] == ["", REFUSED]
    assert (found.max_cost, found.max_tokens) == (5.0, 2_000_000)
    assert found.cost == 4.3125
    assert found.tokens == 123_456 + 812_345 + 9120 + 48_211


def test_player_that_was_stopped_before_the_resume_is_not_stopped(root: Path) -> None:
    run = api_runs.tournament(root / "t")
    with RunStore(run) as store:
        store.add_event("started", "pid 2")
    assert not read_spending(run).stopped


def test_run_of_bots_has_no_ledger(root: Path) -> None:
    run = tournament_runs.played(root / "t", players=["random", "ckpt:tiny"], games=["tictactoe"], pairs=2)
    assert read_spending(run) == NOTHING

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        screen = app.screen
        assert isinstance(screen, TournamentScreen)
        await wait_for(pilot, lambda: screen._spending is not None)
        assert not screen.query_one(LedgerLine).display
        assert not screen.query_one("#accounts-pane").display
        await pilot.press("b")
        assert app.screen is screen

    use(root, steps, lambda app: app.open_tournament(run))


def test_tournament_shows_the_ledger_as_a_table_where_there_is_room(root: Path) -> None:
    run = api_runs.tournament(root / "t")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        table = app.screen.query_one("#accounts", Table)
        await wait_for(pilot, lambda: len(table.items) == 2)
        assert not app.screen.query_one(LedgerLine).display
        await wait_for(pilot, lambda: "86%" in painted(app))
        assert f"■ {MISTRAL}" in painted(app)
        with RunStore(run) as store:
            store.set_spends([replace(api_runs.SPENDS[0], requests=1300, cost=4.9)])
        await wait_for(pilot, lambda: "98%" in painted(app) and "1,300" in painted(app))

    use(root, steps, lambda app: app.open_tournament(run))


def test_tournament_shows_the_ledger_as_a_line_in_a_small_terminal(root: Path) -> None:
    run = api_runs.tournament(root / "t")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        shown = app.screen.query_one(LedgerLine)
        await wait_for(pilot, lambda: shown.display)
        assert not app.screen.query_one("#accounts-pane").display
        await wait_for(pilot, lambda: f"■ {MISTRAL} stopped" in painted(app))
        await pilot.resize_terminal(120, 40)
        await wait_for(pilot, lambda: app.screen.query_one("#accounts-pane").display)
        assert not shown.display

    use(root, steps, lambda app: app.open_tournament(run), (80, 24))


def test_b_opens_the_ledger_in_full_and_says_why_a_player_was_stopped(root: Path) -> None:
    run = api_runs.tournament(root / "t")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: "ledger" in painted(app))
        await pilot.press("b")
        assert isinstance(app.screen, LedgerScreen)
        await pilot.press("j")
        await wait_for(pilot, lambda: REFUSED in static(app, "about"))
        assert "no price is known" in static(app, "about")
        with RunStore(run) as store:
            store.set_spends([replace(api_runs.SPENDS[1], requests=4321)])
        await wait_for(pilot, lambda: "4,321" in painted(app))
        await pilot.press("escape")
        assert isinstance(app.screen, TournamentScreen)

    use(root, steps, lambda app: app.open_tournament(run))


def test_run_that_has_spent_all_goes_on_with_a_higher_limit(root: Path) -> None:
    run = api_runs.spent(root / "t")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: "ledger" in painted(app))
        await pilot.press("b")
        await wait_for(pilot, lambda: app.screen.query_one(LimitFields).display)
        field = app.screen.query_one("#max_tokens", Input)
        assert field.value == "1000"
        field.value = "lots"
        await pilot.press("ctrl+s")
        await wait_for(pilot, lambda: "whole number" in static(app, "max_tokens-error"))
        field.value = "1001"
        field.focus()
        await pilot.press("enter")
        await wait_for(pilot, lambda: isinstance(app.screen, TournamentScreen))
        await wait_for(pilot, lambda: json.loads((run / CONFIG_JSON).read_text())["max_tokens"] == 1001, 60)
        await wait_for(pilot, lambda: run_status(run, read_record(run)) is Status.FAILED, 60)
        await wait_for(pilot, lambda: "1,000 tokens of 1,001" in painted(app))

    use(root, steps, lambda app: app.open_tournament(run))


def test_form_starts_a_real_tournament_and_its_ledger_grows(root: Path) -> None:
    async def go() -> None:
        app = make_app(root)
        async with FaultServer({"m": "ok"}) as server, app.run_test(size=(120, 36)) as pilot:
            player = f"vllm:m@{server.url}"
            await pilot.pause()
            app.open_tournament(players=["random", player])
            chosen = await form(app, pilot)
            chosen._games = {"tictactoe": None}
            chosen._draw()
            app.screen.query_one("#pairs", Input).value = "3"
            await wait_for(pilot, lambda: app.screen.query_one(LimitFields).display)
            app.screen.query_one("#max_tokens", Input).value = "1000000"
            await wait_for(pilot, lambda: static(app, "total").startswith("6 matches"))
            await pilot.press("ctrl+s")
            screen = app.screen
            assert isinstance(screen, TournamentScreen)
            await wait_for(pilot, lambda: (shown := screen._shown) and shown.run.status == "finished", 90)
            await wait_for(pilot, lambda: screen._spending is not None and screen._spending.accounts)
            assert screen._spending is not None
            (account,) = screen._spending.accounts
            assert (account.player, account.model, account.stopped) == (player, "m", "")
            assert account.requests >= 6
            assert screen._spending.max_tokens == 1_000_000
            await wait_for(pilot, lambda: f"{account.requests:,}" in painted(app))

    asyncio.run(go())


def test_training_against_an_api_player_shows_its_ledger(root: Path) -> None:
    run = api_runs.training(root / "k")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: app.screen.query_one(LedgerLine).display)
        assert "cost 4.31 of 5.00 86%" in painted(app)
        await pilot.press("b")
        assert isinstance(app.screen, LedgerScreen)
        await pilot.press("b")
        assert isinstance(app.screen, RunScreen)

    use(root, steps, lambda app: app.open_run(run))


def test_match_shows_the_ledger_of_its_run(root: Path) -> None:
    run = api_runs.match(root / "m", "summary")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: app.screen.query_one(LedgerLine).display)
        await pilot.press("b")
        assert isinstance(app.screen, LedgerScreen)

    use(root, steps, lambda app: app.open_match(run, 1))


def test_bots_match_has_no_ledger(root: Path) -> None:
    run = match_runs.match_run(root / "m", match_runs.played(match_runs.BLUNDER))

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        shown = app.screen.query_one(LedgerLine)
        await wait_for(pilot, lambda: shown.spending is not None)
        assert not shown.display
        await pilot.press("b")
        assert isinstance(app.screen, LiveScreen)

    use(root, steps, lambda app: app.open_match(run, 1))


@pytest.mark.parametrize("width", [1, 20, 40, 60, 80, 120, 200])
def test_ledger_line_fits(root: Path, width: int) -> None:
    hostile = replace(api_runs.SPENDS[0], player=f"gemini:{hostile_runs.HOSTILE}", requests=10**12, cost=1e12)
    run = api_runs.tournament(root / "t")
    with RunStore(run) as store:
        store.set_spends([hostile, *api_runs.SPENDS])
        note_stop(store, GEMINI, hostile_runs.HOSTILE)
    assert ledger_line(read_spending(run), width).cell_length <= width


def test_hostile_names_and_reasons_do_nothing(root: Path) -> None:
    name, why = f"gemini:{hostile_runs.HOSTILE}", hostile_runs.LINES * 20
    run = api_runs.tournament(root / "t")
    api_runs.spend(run, [Account(name, hostile_runs.HOSTILE, 3, 1, 4, 5, 6, 7.0), *api_runs.SPENDS], "")
    with RunStore(run) as store:
        note_stop(store, MISTRAL, why)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: len(app.screen.query_one("#accounts", Table).items) == 3)
        await pilot.press("b", "j", "j", "j")
        await wait_for(pilot, lambda: "stopped" in static(app, "about"))
        assert "\x1b" not in painted(app)
        assert "\u202e" not in painted(app)
        assert isinstance(app.screen, LedgerScreen)

    use(root, steps, lambda app: app.open_tournament(run))


# Thoughts


@pytest.mark.parametrize(
    ("kind", "thought", "words"),
    [("summary", "I want it.", "a summary of its thought"), ("hidden", "", "its thought is hidden: 412 tokens")],
)
def test_thought_that_is_not_the_models_own_says_so(root: Path, kind: str, thought: str, words: str) -> None:
    run = api_runs.match(root / "m", kind, thought)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: app.screen.query(Thoughts))
        await pilot.press("end")
        await wait_for(pilot, lambda: words in painted(app))
        await pilot.press("enter")
        await wait_for(pilot, lambda: f"thought  {words}" in painted(app))

    use(root, steps, lambda app: app.open_match(run, 1))


@pytest.mark.parametrize("kind", ["raw", "none", "", hostile_runs.HOSTILE])
def test_other_thoughts_say_nothing_more(root: Path, kind: str) -> None:
    run = api_runs.match(root / "m", kind)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: app.screen.query(Thoughts))
        await pilot.press("end")
        await wait_for(pilot, lambda: "I want the centre." in painted(app))
        assert "summary" not in painted(app)
        assert "hidden" not in painted(app)

    use(root, steps, lambda app: app.open_match(run, 1))


# What new results have


def test_result_tells_round_test_warnings_and_alpha_rank(root: Path) -> None:
    run = tournament_runs.played(root / "t", players=["ckpt:tiny", "random", "scripted"], games=["tictactoe"], pairs=4)
    result = json.loads((run / RESULT_JSON).read_text())
    row = result["results"][0]
    result |= {
        "finished": False,
        "format": "swiss",
        "rounds": [{"round": 2, "a": "random", "b": None}, {"round": 2, "a": "ckpt:tiny", "b": "scripted"}],
        "sprt": {
            "verdict": "H1",
            "pairs": 40,
            "llr": 3.0,
            "lower": -2.94,
            "upper": 2.94,
            "elo0": 0,
            "elo1": 30,
            "alpha": 0.05,
            "beta": 0.05,
        },
        "alpha_rank": [{"player": "random", "mass": 0.25, "low": 0.1, "high": 0.4}],
        "warnings": [
            {"kind": "few_distinct", "game": row["game"], "a": row["a"], "b": row["b"], "message": "Few."},
            {"kind": "early_end", "message": "Fewer."},
        ],
    }
    found = parse(result)
    assert found.format == "swiss"
    assert found.test == Sprt(0, 30, 0.05, 0.05, "H1", 40, 3.0, -2.94, 2.94)
    assert found.notes == ("Round 2. random sits out.",)
    assert found.warnings == ("Few.", "Fewer.")
    assert parse(result | {"finished": True}).notes == ()
    assert found.meetings[row["game"], row["a"], row["b"]].few
    assert found.meetings[row["game"], row["b"], row["a"]].few
    masses = {one.player: one.mass for one in found.standings}
    assert masses["random"] is not None
    assert masses["random"].value == 0.25
    assert masses["ckpt:tiny"] is None
    (run / RESULT_JSON).write_text(json.dumps(result))

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: "SPRT" in static(app, "notice"))
        assert "⚠ Few. (and 1 more)" in static(app, "notice")

    use(root, steps, lambda app: app.open_tournament(run))


def test_players_that_never_meet_in_a_gauntlet_are_said_so(root: Path) -> None:
    run = tournament_runs.played(root / "t", players=["ckpt:tiny", "random", "scripted"], games=["tictactoe"], pairs=4)
    result = json.loads((run / RESULT_JSON).read_text())
    result |= {"format": "gauntlet", "challengers": ["ckpt:tiny"]}
    result["results"] = [row for row in result["results"] if "ckpt:tiny" in (row["a"], row["b"])]
    result["overall"] = []
    (run / RESULT_JSON).write_text(json.dumps(result))

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        screen = app.screen
        assert isinstance(screen, TournamentScreen)
        await wait_for(pilot, lambda: screen._shown is not None)
        screen._view.matrix.move_to("random", "scripted")
        await wait_for(pilot, lambda: "challengers alone are met" in static(app, "cell"))
        assert "gauntlet" in static(app, "progress")

    use(root, steps, lambda app: app.open_tournament(run))
