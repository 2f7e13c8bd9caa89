"""Playing on the screen Play: whole matches by keys against a real job, and what its states and hostile text do."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import play_dirs
import pytest
from conftest import make_app, vanish, wait_for
from textual.pilot import Pilot
from textual.widgets import Input

from arena.core.keys import match_key
from arena.core.registry import GameSpec
from arena.games import tictactoe
from arena.oracles.tictactoe import optimal_actions
from arena.runs.paths import run_dirs, stop_asked
from arena.runs.reader import RunReader
from arena.runs.record import read_record
from arena.runs.requests import RequestReader
from arena.tui.app import ArenaApp
from arena.tui.collect.play import Play, start
from arena.tui.screens.base import ErrorLine
from arena.tui.screens.confirm import ConfirmScreen
from arena.tui.screens.play import PlayScreen
from arena.tui.screens.runs import RunsScreen
from arena.tui.widgets.answer import MoveList
from arena.tui.widgets.marks import MarksBoard
from arena.tui.widgets.play_form import PlayForm
from arena.tui.widgets.table import Table

Steps = Callable[[ArenaApp, Pilot[None]], Awaitable[None]]
HOSTILE = "[Bet] [/b] [@click=app.quit]x[/] \x1b[2J\x1b]0;t\x07 \u202eback 漢字 e\u0301 " + "y" * 5000


def run(root: Path, steps: Steps, size: tuple[int, int] = (120, 36)) -> None:
    async def go() -> None:
        app = make_app(root)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await steps(app, pilot)

    asyncio.run(go())


def seen(app: ArenaApp) -> Play | None:
    return app.screen._play if isinstance(app.screen, PlayScreen) else None


def at(app: ArenaApp) -> Play:
    play = seen(app)
    assert play is not None
    return play


def text_of(app: ArenaApp) -> str:
    return "\n".join(line.text for line in app.screen._compositor.render_strips())


def toasts(app: ArenaApp) -> str:
    return "\n".join(note.message for note in app._notifications)


async def asked(app: ArenaApp, pilot: Pilot[None], turn: int | None = None) -> Play:
    """Wait until the human is to act, at this turn, or the match has ended."""

    def ready() -> bool:
        play, screen = seen(app), app.screen
        if play is None or not isinstance(screen, PlayScreen) or screen._busy:
            return False
        here = play.ask is not None and turn in (None, play.ask.turn)
        return play.over or (play.phase == "move" and here)

    await wait_for(pilot, ready, 60)
    return at(app)


async def phase(app: ArenaApp, pilot: Pilot[None], name: str) -> None:
    await wait_for(pilot, lambda: (play := seen(app)) is not None and play.phase == name, 60)


def best(play: Play) -> str:
    """The cell of an optimal move."""
    state = tictactoe.new(0)
    for move in play.moves:
        assert move.action is not None
        state = state.apply(move.action)
    return optimal_actions(state)[0][1]


async def play_well(app: ArenaApp, pilot: Pilot[None]) -> Play:
    """Play TicTacToe to its end with the keys of the cells."""
    play = await asked(app, pilot)
    while not play.over:
        assert play.ask is not None
        await pilot.press(best(play))
        play = await asked_later(app, pilot, play.ask.turn)
    return play


async def asked_later(app: ArenaApp, pilot: Pilot[None], turn: int) -> Play:
    await wait_for(pilot, lambda: (ask := at(app).ask) is not None and (at(app).over or ask.turn > turn), 60)
    return await asked(app, pilot)


async def form(app: ArenaApp, pilot: Pilot[None], player: str = "", game: str = "") -> PlayForm:
    app.open_play(player, game)
    await wait_for(pilot, lambda: app.screen.query("#opponents") and app.screen.query_one("#opponents", Table).items)
    return app.screen.query_one(PlayForm)


def value(app: ArenaApp, name: str) -> str:
    return app.screen.query_one(f"#{name}-input", Input).value


@pytest.fixture
def match(root: Path) -> Path:
    """A match of TicTacToe at its first move, its job being this process's parent, which answers nothing."""
    run_dir = play_dirs.new(root / "m")
    play_dirs.asked(run_dir, "")
    return run_dir


# -- whole matches ------------------------------------------------------------------------------------------


def test_a_match_by_keys_from_the_form_to_another_one(root: Path) -> None:
    """Choose, play, take back, win, see the replay, play again from the other seat, resign."""

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await form(app, pilot)
        assert value(app, "game") == "tictactoe"
        await pilot.press("enter")
        while value(app, "player") != "random":
            await pilot.press("j")
            await pilot.pause()
        await pilot.press("enter")
        await asked(app, pilot, 0)
        assert isinstance(app.focused, MarksBoard)
        await pilot.press("up", "left", "enter")
        play = await asked(app, pilot, 2)
        assert play.moves[0].action == "[0]"
        taken = play.moves[1].action
        assert taken is not None
        await pilot.press(taken[1])
        assert "is taken or full" in text_of(app)
        await pilot.press("u")
        await wait_for(pilot, lambda: (ask := at(app).ask) is not None and ask.undos == 1, 60)
        assert "Taken back." in toasts(app)
        play = await play_well(app, pilot)
        assert "with thoughts" in text_of(app)
        assert play.returns is not None
        assert ("You won." if play.returns[0] > 0 else "A draw.") in text_of(app)
        assert play.match is not None
        await pilot.press("v")
        assert getattr(app.screen, "PLACE", "") == "live"
        await pilot.press("escape", "S")
        await wait_for(pilot, lambda: (now := seen(app)) is not None and now.run_dir != play.run_dir, 60)
        again = await asked(app, pilot)
        assert again.config.players == ("random", "human")
        assert again.config.seed != play.config.seed
        assert again.moves[0].seat == 0
        await pilot.press("X")
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press("n")
        assert (await asked(app, pilot)).going
        await pilot.press("X", "y")
        await phase(app, pilot, "ended")
        assert "You lost.  You resigned." in text_of(app)

    run(root, steps)
    assert len(run_dirs(root)) == 2


def test_a_draw_from_the_second_seat_at_80_columns(root: Path) -> None:
    run_dir = start("tictactoe", ("optimal", "human"), 3)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_run(run_dir)
        play = await play_well(app, pilot)
        assert play.returns == (0.0, 0.0)
        assert "A draw." in text_of(app)

    run(root, steps, (80, 24))


def test_free_text_that_is_illegal_comes_back_with_the_reason(root: Path) -> None:
    run_dir = start("simple_negotiation", ("human", "scripted"), 5)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_run(run_dir)
        await asked(app, pilot, 0)
        assert isinstance(app.focused, Input)
        assert "[Offer: 2 Wood -> 1 Gold]   [Accept]   [Deny]" in text_of(app)
        await pilot.press("enter")
        assert RequestReader(run_dir).last_id() == 0, "an empty line is no answer"
        wrong = "[Offer: 99 Wood -> 1 Gold]"
        await pilot.press(*wrong, "enter")
        await wait_for(pilot, lambda: (ask := at(app).ask) is not None and ask.attempt == 1, 60)
        await asked(app, pilot, 0)
        assert "Not legal: you offer 99 Wood" in text_of(app)
        assert value_of_answer(app) == wrong, "to be mended"
        await pilot.press("escape")
        assert value_of_answer(app) == ""
        await pilot.press(*"q u X", "enter")
        play = await asked(app, pilot, 2)
        assert play.moves[1].action == "q u X", "letters are text here"
        assert value_of_answer(app) == ""
        await pilot.press("f8", "y")
        await phase(app, pilot, "ended")
        assert "You resigned." in text_of(app)
        assert {move.seat for move in at(app).moves} == {0, 1}

    run(root, steps, (80, 24))


def value_of_answer(app: ArenaApp) -> str:
    return app.screen.query_one("#answer", Input).value


def test_nothing_of_the_other_card_is_on_screen_before_the_end(root: Path) -> None:
    seed = 4
    run_dir = start("kuhn_poker", ("human", "scripted"), seed)
    board = GameSpec.parse("kuhn_poker").new(match_key(seed, "kuhn_poker", 0)).board()
    assert len(set(re.findall(r"\b[JQK]\b", board))) == 2

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_run(run_dir)
        play = await asked(app, pilot)
        while not play.over:
            assert play.ask is not None
            own = re.findall(r"Your card ([JQK])", play.ask.observation)
            await pilot.press("t")
            assert re.findall(r"\b[JQK]\b", text_of(app)) == own
            assert {move.seat for move in play.moves} <= {0}
            assert play.growing == ""
            await pilot.press("1")
            play = await asked_later(app, pilot, play.ask.turn)
        assert "wait for the end" in toasts(app)
        assert len(set(re.findall(r"\b[JQK]\b", text_of(app)))) >= 2
        assert {move.seat for move in play.moves} == {0, 1}
        assert "1" in app.screen.active_bindings, "digits lead to the screens again"

    run(root, steps)


def test_a_job_that_dies_is_resumed_and_one_that_is_left_waits(root: Path) -> None:
    run_dir = start("connect_four", ("human", "random"), 2)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_run(run_dir)
        await asked(app, pilot, 0)
        await pilot.press("3")
        before = await asked(app, pilot, 2)
        os.kill(read_record(run_dir).pid, signal.SIGKILL)
        await phase(app, pilot, "dead")
        assert "The match's process is gone." in text_of(app)
        await pilot.press("r")
        after = await asked(app, pilot, 2)
        assert after.moves == before.moves
        await pilot.press("escape")
        assert isinstance(app.screen, RunsScreen)
        assert "The match waits for you" in toasts(app)
        await wait_for(pilot, lambda: app.screen.query_one("#runs", Table).items)
        await pilot.press("enter")
        assert (await asked(app, pilot, 2)).going
        await pilot.press("right", "enter")
        await asked(app, pilot, 4)
        await pilot.press("s")
        await phase(app, pilot, "stopped")
        assert "The match is stopped." in text_of(app)

    run(root, steps)
    assert not read_record(run_dir).alive


# -- the form -----------------------------------------------------------------------------------------------


def test_arguments_fill_the_form_and_what_is_wrong_is_told_in_it(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await form(app, pilot, "scripted?skill=1", "kuhn_poker?hands=1")
        assert (value(app, "player"), value(app, "game")) == ("scripted?skill=1", "kuhn_poker?hands=1")
        assert "● 1" in text_of(app)
        assert "play 'kuhn_poker?hands=1' --against 'scripted?skill=1'" in text_of(app)
        app.screen.query_one("#player-input", Input).value = "scripted?skil=1"
        await pilot.press("enter")
        await wait_for(pilot, lambda: "Did you mean skill" in text_of(app))
        app.screen.query_one("#seed-input", Input).value = "seven"
        await pilot.pause()
        await pilot.press("ctrl+s")
        assert "The seed is a whole number." in text_of(app)
        assert run_dirs(root) == []

    run(root, steps)


def test_values_of_a_variant_are_written_into_its_spec(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await form(app, pilot, "random", "kuhn_poker")
        app.screen.query_one("#option-1").focus()
        await pilot.press("l")
        assert value(app, "game") == "kuhn_poker?payoff=chips"
        app.screen.query_one("#option-0").focus()
        await pilot.press("right", "right", "left")
        assert value(app, "game") == "kuhn_poker?hands=1&payoff=chips"
        app.screen.query_one("#option-1").focus()
        await pilot.press("h")
        assert value(app, "game") == "kuhn_poker?hands=1"
        app.screen.query_one("#games").focus()
        await pilot.press("end")
        await pilot.pause()
        assert value(app, "game") == "truth_and_deception"
        assert not app.screen.query_one("#option-0").display

    run(root, steps)


# -- states -------------------------------------------------------------------------------------------------


def test_opening_a_run_of_the_kind_brings_the_table(match: Path, root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_run(match)
        await asked(app, pilot, 0)
        assert app.run_dir == match
        assert "you are X, seat 0 · against random" in text_of(app)

    run(root, steps)


def test_a_move_is_written_once_for_what_was_seen(match: Path, root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_run(match)
        await asked(app, pilot, 0)
        await pilot.press("4")
        await wait_for(pilot, lambda: RequestReader(match).last_id() == 1)
        await pilot.press("5", "6", "enter")
        assert "Sent…" in text_of(app)
        (request,) = RequestReader(match).requests()
        assert (request.kind, request.seat, request.turn, request.attempt, request.text) == ("move", 0, 0, 0, "[4]")
        play_dirs.asked(match, "", seen=1, attempt=1, illegal="not there", number=9)
        await asked(app, pilot, 0)
        assert "Not legal: not there" in text_of(app)
        await pilot.press("5")
        await wait_for(pilot, lambda: RequestReader(match).last_id() == 2)
        assert RequestReader(match).requests()[-1].attempt == 1
        assert app.screen.query_one(MarksBoard).has_focus, "digits stay with the board while nobody asks"

    run(root, steps)


def test_thoughts_of_an_open_game_are_shown_when_asked_for(match: Path, root: Path) -> None:
    play_dirs.asked(match, "40", thoughts="I take the corner.")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_run(match)
        await asked(app, pilot, 2)
        assert "corner" not in text_of(app)
        await pilot.press("t")
        assert "I take the corner." in text_of(app)
        play_dirs.asked(match, "401", thoughts="I take the corner.", partial="Let me see")
        await phase(app, pilot, "wait")
        assert "random is thinking…" in text_of(app)
        assert "Let me see ▍" in text_of(app)
        await pilot.press("t")
        assert "corner" not in text_of(app)
        assert "Let me see" not in text_of(app)

    run(root, steps)


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_how_long_the_opponent_thinks_is_told_though_the_clock_jumps(match: Path, root: Path, jump: int) -> None:
    play_dirs.asked(match, "4")
    gone_by = [0.0]

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.ticks = lambda: gone_by[0]
        app.open_run(match)
        await wait_for(pilot, lambda: "random is thinking… 3 s" in text_of(app))
        app.clock = lambda: play_dirs.NOW + jump
        gone_by[0] = 4.0
        await wait_for(pilot, lambda: "random is thinking… 7 s" in text_of(app))

    run(root, steps)


def test_a_long_list_is_narrowed_by_typing(root: Path) -> None:
    run_dir = play_dirs.new(root / "m", "liars_dice")
    play_dirs.asked(run_dir, [])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_run(run_dir)
        await asked(app, pilot, 0)
        assert isinstance(app.focused, Input)
        await pilot.press(*"2 3")
        moves = app.screen.query_one(MoveList)
        await wait_for(pilot, lambda: [one.action for one in moves.items] == ["[Bid: 2, 3]", "[Bid: 3, 2]"])
        await pilot.press("down", "enter")
        await wait_for(pilot, lambda: RequestReader(run_dir).last_id() == 1)
        assert RequestReader(run_dir).requests()[0].text == "[Bid: 3, 2]"

    run(root, steps)


def test_directions_are_played_by_the_arrows(root: Path) -> None:
    run_dir = play_dirs.new(root / "m", "snake")
    ask = play_dirs.asked(run_dir, [])
    assert "[down]" in json.loads(ask.legal)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_run(run_dir)
        await asked(app, pilot, 0)
        await pilot.press("down")
        await wait_for(pilot, lambda: RequestReader(run_dir).last_id() == 1)
        assert RequestReader(run_dir).requests()[0].text == "[down]"

    run(root, steps)


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (40, 12), (3, 2)])
def test_hostile_text_is_shown_literally_and_breaks_nothing(root: Path, size: tuple[int, int]) -> None:
    run_dir = play_dirs.new(root / "m", players=("human", "random"))
    play_dirs.asked(run_dir, "40", thoughts=HOSTILE, illegal=HOSTILE, note=HOSTILE, rules=HOSTILE)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_run(run_dir)
        await asked(app, pilot, 2)
        await pilot.press("t", "i")
        await pilot.pause()
        shown = text_of(app)
        await pilot.press("escape")
        shown += text_of(app)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)
        if size[0] >= 80:
            assert "[@click=app.quit]x[/]" in shown
        await pilot.resize_terminal(1, 1)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert isinstance(app.screen, PlayScreen)

    run(root, steps, size)


def test_a_run_that_vanishes_or_is_damaged_is_told_in_red(match: Path, root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_run(match)
        await asked(app, pilot, 0)
        (match / "run.db").write_bytes(b"no database" * 1000)
        (match / "run.db-wal").unlink(missing_ok=True)
        await wait_for(pilot, lambda: app.screen.query_one(ErrorLine).text)
        assert at(app).phase == "move", "what was known stays"
        vanish(match)
        await wait_for(pilot, lambda: "run.json" in app.screen.query_one(ErrorLine).text)
        await pilot.press("4")
        await wait_for(pilot, lambda: toasts(app))
        assert isinstance(app.screen, PlayScreen)

    run(root, steps)


def test_stop_asks_politely(match: Path, root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_run(match)
        await asked(app, pilot, 0)
        await pilot.press("s")
        await wait_for(pilot, lambda: stop_asked(match))

    run(root, steps)


def test_two_humans_take_turns_at_one_keyboard(root: Path) -> None:
    run_dir = start("tictactoe", ("human", "human"), 1)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        app.open_run(run_dir)
        for turn, cell in enumerate("04152"):
            play = await asked(app, pilot, turn)
            assert play.seat == turn % 2
            await pilot.press(cell)
        await phase(app, pilot, "ended")
        assert "X won." in text_of(app)

    run(root, steps)
    with RunReader(run_dir) as reader:
        assert [turn.action for turn in reader.turns(1)] == ["[0]", "[4]", "[1]", "[5]", "[2]"]
