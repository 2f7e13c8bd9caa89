"""The screen Tournament: the form, the run as it grows, the matches of two players; every key; what goes wrong."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
import run_dirs
import tournament_runs
from conftest import make_app, vanish, wait_for
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Button, Input, Static

from arena.config.base import read_json
from arena.config.tournament import TournamentConfig
from arena.runs.paths import CONFIG_JSON, RESULT_JSON, stop_asked
from arena.runs.record import Status, read_record, run_status
from arena.runs.store import RunStore
from arena.tui.app import ArenaApp
from arena.tui.screens.base import ErrorLine, TitleBar
from arena.tui.screens.confirm import AskScreen, ConfirmScreen
from arena.tui.screens.meeting import PAGE, MeetingScreen, Outcome
from arena.tui.screens.runs import RunsScreen
from arena.tui.screens.tournament import TournamentScreen
from arena.tui.settings import state_dir
from arena.tui.widgets.matrix import Matrix
from arena.tui.widgets.table import Table
from arena.tui.widgets.tournament_form import TournamentForm

Steps = Callable[[ArenaApp, Pilot[None]], Awaitable[None]]


def show(root: Path, run: Path | None, steps: Steps, size: tuple[int, int] = (120, 36)) -> None:
    """Open a run, wait until it is there, and do the steps."""

    async def go() -> None:
        app = make_app(root)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            app.open_tournament(run)
            await wait_for(pilot, lambda: screen(app)._shown is not None)
            await steps(app, pilot)

    asyncio.run(go())


def show_form(root: Path, steps: Steps, players: Sequence[str] = (), size: tuple[int, int] = (120, 36)) -> None:
    async def go() -> None:
        app = make_app(root)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            app.open_tournament(players=players)
            await wait_for(pilot, lambda: app.screen.query("#total") and total(app))
            await steps(app, pilot)

    asyncio.run(go())


def screen(app: ArenaApp) -> TournamentScreen:
    return next(one for one in app.screen_stack[::-1] if isinstance(one, TournamentScreen))


def matrix(app: ArenaApp) -> Matrix:
    return screen(app).query_one(Matrix)


def static(app: ArenaApp, name: str) -> str:
    return str(app.screen.query_one(f"#{name}", Static).content)


def total(app: ArenaApp) -> str:
    return static(app, "total")


def title(app: ArenaApp) -> str:
    return Content.from_markup(str(app.screen.query_one("#matrix-pane").border_title)).plain


def toasts(app: ArenaApp) -> str:
    return "\n".join(note.message for note in app._notifications)


def keys(app: ArenaApp) -> set[str]:
    """What can be pressed now."""
    return {found.binding.action.partition("(")[0] for found in app.screen.active_bindings.values() if found.enabled}


# A run


def test_finished_run_has_matrix_standings_truths_and_progress(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert len(matrix(app).grid.cells) == 20
        assert len(app.screen.query_one("#standings", Table).items) == 5
        assert len(app.screen.query_one("#truths", Table).items) == 10
        assert "400 of 400 matches" in static(app, "progress")
        assert title(app).startswith("All games  1/3")
        assert not app.screen.query_one("#notice").display
        assert "W–D–L" in static(app, "cell")

    show(root, tournament_runs.played(root / "t"), steps)


@pytest.mark.parametrize(("presses", "game"), [("g", "tictactoe"), ("]]", "kuhn"), ("[", "kuhn"), ("ggg", "All games")])
def test_keys_change_the_game(root: Path, presses: str, game: str) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        names = {"[": "left_square_bracket", "]": "right_square_bracket", "g": "g"}
        await pilot.press(*(names[key] for key in presses))
        assert title(app).startswith(game)
        truths = app.screen.query_one("#truths-pane")
        assert truths.display == (game != "kuhn")

    show(root, tournament_runs.played(root / "t"), steps)


def test_o_changes_the_order(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        rated = matrix(app).grid.rows
        await pilot.press("o")
        assert matrix(app).grid.rows == ("optimal", "random", "ckpt:tiny") != rated
        await pilot.press("o")
        assert matrix(app).grid.rows == rated

    show(root, tournament_runs.played(root / "t", players=["optimal", "random", "ckpt:tiny"]), steps)


def test_c_copies_the_matrix(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("g", "c")
        text = (state_dir() / "copied.txt").read_text(encoding="utf-8")
        assert text == app.clipboard
        assert text.startswith("**tictactoe**")
        assert "| optimal |" in text

    show(root, tournament_runs.played(root / "t"), steps)


def test_e_exports_and_asks_before_it_overwrites(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("e")
        assert isinstance(app.screen, AskScreen)
        await pilot.press("enter")
        await wait_for(pilot, lambda: Path("t.md").exists() and "Written to t.md" in toasts(app))
        Path("t.md").write_text("mine")
        await pilot.press("e", "enter")
        await wait_for(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("n")
        assert Path("t.md").read_text() == "mine"
        await pilot.press("e", "enter")
        await wait_for(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await wait_for(pilot, lambda: "## results" in Path("t.md").read_text())
        await pilot.press("e", *"x.pdf", "enter")
        await wait_for(pilot, lambda: "none of the suffixes" in toasts(app))
        await pilot.press("e", "escape")
        assert isinstance(app.screen, TournamentScreen)

    show(root, tournament_runs.played(root / "t"), steps)


def test_s_stops_a_running_one_politely(root: Path) -> None:
    run = tournament_runs.played(root / "t", share=0.5, end="")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert {"stop"} <= keys(app)
        assert not {"resume", "compute"} & keys(app)
        assert "50%" in static(app, "progress")
        assert "left" in static(app, "progress")
        await pilot.press("s")
        await wait_for(pilot, lambda: stop_asked(run) and "stopping" in static(app, "progress"))
        assert "stop" not in keys(app)

    show(root, run, steps)


def test_r_resumes_a_stopped_one_to_its_end(root: Path) -> None:
    run = tournament_runs.played(
        root / "t", players=["random", "optimal"], games=["tictactoe"], share=0.5, end="stopped"
    )

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "stop" not in keys(app)
        await pilot.press("r")
        await wait_for(pilot, lambda: run_status(run, read_record(run)) is Status.FINISHED, 60)
        await wait_for(
            pilot, lambda: "20 of 20 matches" in static(app, "progress") and "finished" in static(app, "progress")
        )
        assert "resume" not in keys(app)

    show(root, run, steps)


def test_u_makes_the_result_of_an_old_run(root: Path) -> None:
    run = tournament_runs.played(root / "t", pairs=2, result=False)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "Press u" in static(app, "notice")
        assert not {"copy", "export"} & keys(app)
        await pilot.press("u")
        await wait_for(pilot, lambda: matrix(app).grid.cells, 60)
        assert (run / RESULT_JSON).exists()
        assert not app.screen.query_one("#notice").display
        assert "compute" not in keys(app)

    show(root, run, steps)


def test_n_opens_the_form_with_these_players_and_games(root: Path) -> None:
    games = ["kuhn_poker?hands=1&payoff=chips", "tictactoe"]

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("n")
        await wait_for(pilot, lambda: app.screen.query(TournamentForm) and "matches" in total(app))
        draft = app.screen.query_one(TournamentForm)._draft()
        assert (draft.players, sorted(draft.games)) == (("random", "optimal"), games)
        await pilot.press("escape")
        assert app.screen.query(Matrix)

    show(root, tournament_runs.played(root / "t", players=["random", "optimal"], games=games), steps)


def test_line_of_the_standings_leads_to_the_matrix(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.screen.query_one("#standings").focus()
        await pilot.press("j", "j", "enter")
        await pilot.pause()
        current = matrix(app).current
        assert current is not None
        assert current[0] == matrix(app).grid.rows[2]
        assert app.focused is matrix(app)

    show(root, tournament_runs.played(root / "t"), steps)


def test_ood_run_shows_changes_against_its_base(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert not app.screen.query_one("#standings-pane").display
        assert str(app.screen.query_one("#changes-pane").border_title) == "Change against ckpt:tiny"
        assert len(app.screen.query_one("#changes", Table).items) > 3
        await pilot.press("g")
        assert title(app).startswith("snake (OOD)  2/3")

    show(root, tournament_runs.held_out(root / "o"), steps)


def test_head_to_head_opens_from_the_runs(root: Path) -> None:
    run = tournament_runs.against_each_other(root / "h")

    async def go() -> None:
        app = make_app(root)
        async with app.run_test(size=(120, 36)) as pilot:
            await wait_for(pilot, lambda: len(app.screen.query_one("#runs", Table).items) == 1)
            await pilot.press("enter")
            await wait_for(pilot, lambda: isinstance(app.screen, TournamentScreen) and app.screen._shown)
            assert matrix(app).grid.rows[0] == "ckpt:tiny"
            assert app.run_dir == run
            await pilot.press("1")
            assert isinstance(app.screen, RunsScreen)
            await pilot.press("5")
            await wait_for(pilot, lambda: isinstance(app.screen, TournamentScreen) and app.screen._shown)
            assert screen(app)._run_dir == run

    asyncio.run(go())


def test_results_grow_while_it_is_watched(root: Path) -> None:
    run = tournament_runs.played(root / "t", share=0.2, end="", result=False)
    later = tournament_runs.played(root / "later", share=0.6, end="")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "No results yet" in static(app, "notice")
        assert matrix(app).grid.cells == {}
        assert len(matrix(app).grid.rows) == 5
        shutil.copy(later / RESULT_JSON, run / RESULT_JSON)
        await wait_for(pilot, lambda: matrix(app).grid.cells)
        assert not app.screen.query_one("#notice").display
        assert title(app).startswith("All games")

    show(root, run, steps)


# What goes wrong


def test_failed_run_says_why_and_keeps_its_results(root: Path) -> None:
    run = tournament_runs.played(
        root / "t", share=0.5, end="failed", message="3 matches could not be played: [/ \x1b[31m"
    )

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "could not be played" in app.screen.query_one(ErrorLine).text
        assert matrix(app).grid.cells
        assert "resume" in keys(app)

    show(root, run, steps)


def test_damaged_result_is_a_red_line_beside_the_last_good_one(root: Path) -> None:
    run = tournament_runs.played(root / "t")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        (run / RESULT_JSON).write_text("{")
        await wait_for(pilot, lambda: "damaged" in app.screen.query_one(ErrorLine).text)
        assert matrix(app).grid.cells

    show(root, run, steps)


def test_vanished_run_keeps_what_was_shown(root: Path) -> None:
    run = tournament_runs.played(root / "t")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await wait_for(pilot, lambda: isinstance(app.screen, MeetingScreen) and app.screen._rows)
        vanish(run)
        await pilot.press("f5")
        await pilot.pause(0.3)
        assert isinstance(app.screen, MeetingScreen)
        assert app.screen._rows
        await pilot.press("escape")
        await wait_for(pilot, lambda: app.screen.query_one(ErrorLine).text)
        assert matrix(app).grid.cells

    show(root, run, steps)


def test_corrupt_database_is_a_red_line(root: Path) -> None:
    run = tournament_runs.played(root / "t")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        for name in ("run.db", "run.db-wal", "run.db-shm"):
            (run / name).write_bytes(b"\0" * 5000)
        await wait_for(pilot, lambda: app.screen.query_one(ErrorLine).text)
        assert matrix(app).grid.cells

    show(root, run, steps)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
def test_hostile_names_render_literally(root: Path, size: tuple[int, int]) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await wait_for(pilot, lambda: isinstance(app.screen, MeetingScreen))
        await pilot.press("escape", "c")
        for key in "jljljljl":
            await pilot.press(key)
        text = "".join(part.text for strip in app.screen._compositor.render_strips() for part in strip)
        assert "[Bet]" in text
        assert "\x1b" not in text
        assert "\u202e" not in text

    show(root, tournament_runs.hostile(root / "t"), steps, size)


def test_any_size_is_survived(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        for size in ((1, 1), (3, 40), (200, 60), (20, 5), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert matrix(app).current is not None

    show(root, tournament_runs.played(root / "t", players=tournament_runs.names(20), pairs=1), steps)


# The matches of two players


def test_enter_lists_all_matches_and_enter_replays_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tournament_runs.played(root / "t")
    opened: list[tuple[Path | None, int | None]] = []
    monkeypatch.setattr(
        ArenaApp, "open_match", lambda app, run_dir=None, match_id=None: opened.append((run_dir, match_id))
    )

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        current = matrix(app).current
        assert current is not None
        await pilot.press("enter")
        await wait_for(pilot, lambda: isinstance(app.screen, MeetingScreen) and app.screen._rows)
        meeting = app.screen
        assert isinstance(meeting, MeetingScreen)
        rows: Sequence[Outcome] = meeting.query_one("#matches", Table).items
        assert len(rows) == 40
        assert {row.match.game for row in rows} == {"tictactoe", "kuhn_poker?hands=1&payoff=chips"}
        met = matrix(app).grid.cells[current]
        assert met.counts is not None
        assert (sum(r.gained > 0 for r in rows), sum(r.gained < 0 for r in rows)) == (met.counts[0], met.counts[2])
        assert sum(row.seat == 0 for row in rows) == 20
        assert current[0] in str(meeting.query_one(TitleBar).render())
        await pilot.press("j", "enter")
        await pilot.pause()
        assert opened == [(run, rows[1].match.id)]
        await pilot.press("c")
        assert "W–D–L" in (state_dir() / "copied.txt").read_text(encoding="utf-8")
        await pilot.press("escape")
        assert app.screen is screen(app)

    show(root, run, steps)


def test_both_sides_list_the_same_matches_with_opposite_results(root: Path) -> None:
    run = tournament_runs.played(root / "t", players=["random", "optimal"], games=["tictactoe"])
    gained = []

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        for row, column in (("random", "optimal"), ("optimal", "random")):
            matrix(app).move_to(row, column)
            await pilot.press("enter")
            await wait_for(pilot, lambda: isinstance(app.screen, MeetingScreen) and app.screen._rows)
            assert isinstance(app.screen, MeetingScreen)
            gained.append([(one.match.id, one.gained, one.seat) for one in app.screen._rows])
            await pilot.press("escape")
        assert gained[0] == [(number, -value, 1 - seat) for number, value, seat in gained[1]]

    show(root, run, steps)


def test_cell_without_matches_says_so_and_oneself_opens_nothing(root: Path) -> None:
    run = tournament_runs.played(root / "t", share=0, end="", result=False)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("h", "enter")
        assert "nobody meets itself" in static(app, "cell")
        assert isinstance(app.screen, TournamentScreen)
        await pilot.press("l", "enter")
        await wait_for(pilot, lambda: isinstance(app.screen, MeetingScreen))
        await wait_for(pilot, lambda: "have not met" in static(app, "no-matches"))
        with RunStore(run) as store:
            store.add_matches([])

    show(root, run, steps)


def _holds(meeting: MeetingScreen, count: int) -> bool:
    return len(meeting._rows) == count


def test_matches_are_read_page_by_page_as_the_cursor_nears_the_end(root: Path) -> None:
    run = tournament_runs.many_matches(root / "t", 2000)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await wait_for(pilot, lambda: isinstance(app.screen, MeetingScreen) and app.screen._rows)
        meeting = app.screen
        assert isinstance(meeting, MeetingScreen)
        await pilot.pause(0.4)
        assert len(meeting._rows) == PAGE
        await pilot.press("end")
        await wait_for(pilot, lambda: len(meeting._rows) == 2 * PAGE)
        await pilot.pause(0.3)
        assert len(meeting._rows) == 2 * PAGE
        for pages in range(3, 11):
            await pilot.press("end")
            await wait_for(pilot, partial(_holds, meeting, pages * PAGE))
        await wait_for(pilot, lambda: not meeting._more)
        ids = [row.match.id for row in meeting._rows]
        assert len(set(ids)) == 2000

    show(root, run, steps)


def test_matches_that_are_stored_late_and_out_of_order_appear_in_their_place(root: Path) -> None:
    run = tournament_runs.played(root / "t", players=["random", "optimal"], games=["tictactoe"], end="")
    with RunStore(run) as store, store._transaction() as db:
        rows = db.execute("SELECT * FROM match WHERE pair = 3").fetchall()
        db.execute("DELETE FROM turn WHERE match_id IN (SELECT id FROM match WHERE pair = 3)")
        db.execute("DELETE FROM match WHERE pair = 3")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await wait_for(pilot, lambda: isinstance(app.screen, MeetingScreen) and len(app.screen._rows) == 18)
        assert isinstance(app.screen, MeetingScreen)
        with RunStore(run) as store, store._transaction() as db:
            db.executemany(f"INSERT INTO match VALUES ({', '.join('?' * len(rows[0]))})", rows)
        await wait_for(pilot, lambda: len(app.screen._rows) == 20)  # type: ignore[attr-defined]
        pairs = [row.match.pair for row in app.screen._rows]
        assert pairs == sorted(pairs)

    show(root, run, steps)


@pytest.mark.slow
def test_100_000_matches_open_at_once(root: Path) -> None:
    run = tournament_runs.many_matches(root / "t")
    tournament_runs.complete(run)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "100000 of 100000" in static(app, "progress")
        await pilot.press("enter")
        await wait_for(pilot, lambda: isinstance(app.screen, MeetingScreen) and app.screen._rows, 3)
        assert isinstance(app.screen, MeetingScreen)
        assert len(app.screen._rows) == PAGE

    show(root, run, steps)


# The form


def test_form_starts_with_the_bundled_model_against_random(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        draft = app.screen.query_one(TournamentForm)._draft()
        assert draft.players == ("random", "ckpt:tiny")
        assert set(draft.games) == {"tictactoe", "kuhn_poker", "simple_negotiation"}
        assert "600 matches" in total(app)
        assert "time unknown" in total(app)

    show_form(root, steps)


def test_space_and_enter_choose_players_and_games(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        form = app.screen.query_one(TournamentForm)
        await pilot.press("j", "j", "space")
        assert form._draft().players == ("random", "scripted", "ckpt:tiny")
        await wait_for(pilot, lambda: "1800 matches" in total(app))
        await pilot.press("enter")
        assert form._draft().players == ("random", "ckpt:tiny")
        app.screen.query_one("#games").focus()
        await pilot.press("space")
        assert "connect_four" in form._draft().games
        await wait_for(pilot, lambda: total(app).startswith("800 matches"))

    show_form(root, steps)


def test_players_that_are_given_are_chosen_even_where_they_are_not_found(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert app.screen.query_one(TournamentForm)._draft().players == ("ckpt:gone@7", "random")

    show_form(root, steps, ["ckpt:gone@7"])


def test_a_shows_every_checkpoint(root: Path) -> None:
    run = run_dirs.training(root / "kuhn-7", steps=2, of=2)
    for step in (1, 2):
        (run / "checkpoints" / f"step_{step}").mkdir(parents=True)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        players = app.screen.query_one("#players", Table)
        assert [it.choice.spec for it in players.items][-1] == "ckpt:kuhn-7"
        await pilot.press("a")
        assert [it.choice.spec for it in players.items][-2:] == ["ckpt:kuhn-7@2", "ckpt:kuhn-7@1"]
        await pilot.press("G", "space", "a")
        assert [it.choice.spec for it in players.items][-2:] == ["ckpt:kuhn-7", "ckpt:kuhn-7@1"]

    show_form(root, steps)


def test_errors_stand_at_their_field_and_nothing_starts(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.screen.query_one("#more_players", Input).value = "randm [/ \x1b"
        app.screen.query_one("#pairs", Input).value = "0"
        await wait_for(pilot, lambda: app.screen.query_one("#pairs-error").display)
        assert "Did you mean random" in static(app, "players-error")
        assert "At least 1" in static(app, "pairs-error")
        assert not app.screen.query_one("#games-error").display
        assert app.screen.query_one("#start", Button).disabled
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert not list(root.iterdir())
        app.screen.query_one("#more_players", Input).value = "scripted?skill=0.9"
        app.screen.query_one("#pairs", Input).value = "2"
        await wait_for(pilot, lambda: "36 matches" in total(app))
        assert not app.screen.query_one("#players-error").display
        assert not app.screen.query_one("#start", Button).disabled

    show_form(root, steps)


def test_model_that_is_not_there_is_refused_at_its_field(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.screen.query_one("#more_players", Input).value = "ckpt:nowhere"
        await wait_for(pilot, lambda: "1800 matches" in total(app))
        await pilot.press("ctrl+s")
        await wait_for(pilot, lambda: "nowhere" in static(app, "players-error"))
        assert not list(root.iterdir())

    show_form(root, steps)


def test_typing_in_a_field_is_text_and_enter_goes_on(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        field = app.screen.query_one("#more_games", Input)
        field.focus()
        await pilot.press("a", "s", "space", "1", "q")
        assert field.value == "as 1q"
        await pilot.press("enter")
        assert app.focused is not field
        await pilot.press("escape")
        assert isinstance(app.screen, RunsScreen)

    show_form(root, steps)


@pytest.mark.parametrize("how", ["key", "button"])
def test_start_plays_a_real_tournament_and_shows_it_live(root: Path, how: str) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        form = app.screen.query_one(TournamentForm)
        form._games = {"tictactoe": None}
        form._draw()
        app.screen.query_one("#pairs", Input).value = "5"
        app.screen.query_one("#seed", Input).value = "7"
        await wait_for(pilot, lambda: "10 matches" in total(app))
        if how == "key":
            await pilot.press("ctrl+s")
        else:
            app.screen.query_one("#start", Button).press()
        await wait_for(pilot, lambda: screen(app)._run_dir is not None, 60)
        await wait_for(pilot, lambda: (shown := screen(app)._shown) and shown.run.status == "finished", 90)
        assert len(app.screen_stack) == 2
        run = screen(app)._run_dir
        assert run is not None
        config = read_json(TournamentConfig, run / CONFIG_JSON)
        assert (config.pairs, config.seed, config.games) == (5, 7, ["tictactoe"])
        assert config.players == ["random", "optimal"]
        await wait_for(pilot, lambda: matrix(app).grid.cells)

    show_form(root, steps, ["random", "optimal"])


def test_form_without_a_readable_root_says_so(root: Path) -> None:
    root.rmdir()
    root.write_text("no directory")

    async def go() -> None:
        app = make_app(root)
        async with app.run_test(size=(120, 36)) as pilot:
            await pilot.pause()
            app.open_tournament()
            await wait_for(pilot, lambda: "cannot be read" in toasts(app))
            assert app.screen.query_one(TournamentForm)._draft().players == ("random", "ckpt:tiny")

    asyncio.run(go())
