"""The live screen: every key, a match that grows while it is watched, hostile texts, and what goes wrong."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import make_app, vanish, wait_for
from match_runs import BLUNDER, HOSTILE, KUHN, many, match_run, partial, played, run_of
from test_app import HEAVY, ROOT, picture, read, terminal
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Input, Static

from arena.runs.paths import DB_NAME, run_dirs
from arena.runs.reader import RunReader
from arena.runs.record import read_record
from arena.runs.store import RunStore
from arena.tui.app import ArenaApp
from arena.tui.screens.base import ErrorLine
from arena.tui.screens.live import LiveScreen
from arena.tui.screens.new_match import NewMatchScreen
from arena.tui.screens.pick_match import PickScreen
from arena.tui.screens.reply import ReplyScreen
from arena.tui.widgets.board import Board
from arena.tui.widgets.lines import Lines
from arena.tui.widgets.match_view import MatchView
from arena.tui.widgets.moves import Moves
from arena.tui.widgets.table import Table
from arena.tui.widgets.thoughts import Thoughts

Steps = Callable[[ArenaApp, Pilot[None]], Awaitable[None]]
ILLEGAL = ("[4]", "No idea.\n[9]", "Again.\n[9]")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LiveScreen, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(LiveScreen, "LINGER_SECONDS", 30.0)
    monkeypatch.setattr(PickScreen, "SEARCH_SECONDS", 0.01)


def use(
    root: Path,
    steps: Steps,
    run_dir: Path | None = None,
    match_id: int | None = None,
    size: tuple[int, int] = (120, 36),
) -> None:
    """Open the screen, wait for its match where there is one, and go through the steps."""

    async def go() -> None:
        app = make_app(root)
        async with app.run_test(size=size) as pilot:
            app.open_match(run_dir, match_id)
            await wait_for(pilot, lambda: isinstance(app.screen, LiveScreen) and live(app)._seen is not None)
            if live(app)._match is not None:
                await judged(app, pilot)
            await steps(app, pilot)

    asyncio.run(go())


async def judged(app: ArenaApp, pilot: Pilot[None]) -> None:
    def known() -> bool:
        match, judgement = live(app)._match, live(app)._judgement
        return match is not None and judgement is not None and len(judgement.verdicts) == len(match.turns)

    await wait_for(pilot, known)


def live(app: ArenaApp) -> LiveScreen:
    screen = next(screen for screen in app.screen_stack[::-1] if isinstance(screen, LiveScreen))
    return screen


def text_of(app: ArenaApp) -> str:
    return "\n".join(line.text for line in app.screen._compositor.render_strips())


def lines_of(pane: Lines) -> str:
    return "\n".join(line.plain for line in pane._lines)


def board(app: ArenaApp) -> str:
    return lines_of(live(app).query_one(Board))


def moves(app: ArenaApp) -> str:
    return lines_of(live(app).query_one(Moves))


def thoughts(app: ArenaApp, seat: int) -> str:
    return lines_of(live(app).query_one(f"#seat{seat}", Thoughts))


def pill(app: ArenaApp) -> str:
    return Content.from_markup(live(app).query_one(Moves).border_subtitle or "").plain


def at(app: ArenaApp) -> int:
    return live(app).query_one(MatchView).playback.at


def toasts(app: ArenaApp) -> str:
    return "\n".join(note.message for note in app._notifications)


# A stored match


def test_a_stored_match_rests_at_its_start_and_is_stepped_both_ways(root: Path) -> None:
    run_dir = run_of(root / "run", [played(BLUNDER)])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "replay · 0 of 7" in pill(app)
        assert "X to move" in board(app)
        await pilot.press("right")
        assert "X played 0" in board(app)
        assert "Corner." in thoughts(app, 0)
        assert "No replies yet" in thoughts(app, 1)
        await pilot.press("right", "right", "left")
        assert at(app) == 2
        await pilot.press("end")
        assert "7 of 7" in pill(app)
        assert "X (kuhn-ttt-7@84) wins" in board(app)
        await pilot.press("home", "left")
        assert at(app) == 0

    use(root, steps, run_dir, 1)


def test_every_move_has_its_verdict_and_a_blunder_says_what_it_cost(root: Path) -> None:
    run_dir = run_of(root / "run", [played(BLUNDER)])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("right", "right")
        assert "✗ blunder: draw → loss" in board(app)
        assert "best 4" in board(app)
        assert "1 X 0 ✓ optimal" in moves(app)
        assert "▸2 O 1 ✗ blunder (draw → loss)" in moves(app)
        assert "✗" in thoughts(app, 1)

    use(root, steps, run_dir, 1)


def test_a_game_without_an_exact_solution_has_no_verdicts_at_all(root: Path) -> None:
    run_dir = run_of(root / "run", [played(["[up]"], "snake")])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("end")
        for word in ("optimal", "blunder", "✓", "→"):
            assert word not in moves(app) + board(app)
        assert "First" in moves(app)

    use(root, steps, run_dir, 1)


def test_hidden_information_is_shown_and_marked(root: Path) -> None:
    run_dir = run_of(root / "run", [played(["[bet]", "[fold]"], KUHN)])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("end")
        assert "what it sees, hidden from seat 1" in thoughts(app, 0)
        assert "what it sees, hidden from seat 0" in thoughts(app, 1)
        assert "Your card" in thoughts(app, 0)
        assert "Your card" in thoughts(app, 1)
        assert "no seat sees all of it" in " ".join(board(app).split())

    use(root, steps, run_dir, 1)


def test_open_information_is_not_marked_as_hidden(root: Path) -> None:
    run_dir = run_of(root / "run", [played(BLUNDER)])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("end")
        assert "hidden" not in thoughts(app, 0) + thoughts(app, 1) + board(app)

    use(root, steps, run_dir, 1)


def test_illegal_attempts_have_their_reason_and_a_forfeit_is_said(root: Path) -> None:
    run_dir = run_of(root / "run", [played(ILLEGAL)])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert moves(app).count("✗ illegal: the answer names no action") == 2
        await pilot.press("right", "right")
        assert "✗ illegal" in thoughts(app, 1)
        assert "choose one of" in " ".join(thoughts(app, 1).split())
        assert "✗ illegal: the answer names no action" in " ".join(board(app).split())
        await pilot.press("end")
        assert "X (kuhn-ttt-7@84) wins, O (ckpt:tiny) forfeits" in " ".join(board(app).split())
        assert live(app).query_one("#seat1").border_subtitle == "forfeited"

    use(root, steps, run_dir, 1)


def test_space_plays_to_the_end_and_again_from_the_start(root: Path) -> None:
    run_dir = run_of(root / "run", [played(BLUNDER)])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("minus")
        assert "Plays 0.5 replies a second." in toasts(app)
        await pilot.press("space")
        assert "▶ 0.5/s" in pill(app)
        await pilot.press("plus", "equals_sign", "plus", "plus", "plus")
        await wait_for(pilot, lambda: "replay · 7 of 7" in pill(app))
        await pilot.press(*["minus"] * 5, "r")
        assert "◀ 0.5/s · 7 of 7" in pill(app)
        await pilot.press("space")
        assert "replay · 7 of 7" in pill(app)
        await pilot.press("space", *["plus"] * 5)
        await wait_for(pilot, lambda: "replay · 0 of 7" in pill(app))

    use(root, steps, run_dir, 1)


def test_n_goes_through_the_stored_matches(root: Path) -> None:
    run_dir = run_of(root / "run", [played(BLUNDER, number=2 * number) for number in range(3)])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("n")
        await wait_for(pilot, lambda: live(app)._match.id == 3)  # type: ignore[union-attr]
        await pilot.press("n")
        await wait_for(pilot, lambda: "There is no later match." in toasts(app))
        await pilot.press("N")
        await wait_for(pilot, lambda: live(app)._match.id == 2)  # type: ignore[union-attr]
        assert at(app) == 0
        await pilot.press("l")
        assert "Nothing is being played here now." in toasts(app)

    use(root, steps, run_dir, 2)


def test_a_click_on_a_move_goes_there(root: Path) -> None:
    run_dir = run_of(root / "run", [played(BLUNDER)])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        pane = live(app).query_one(Moves)
        x = pane._lines[0].plain.index("3 X")
        await pilot.click(pane, offset=(x + 3, 1))
        await wait_for(pilot, lambda: at(app) == 3)

    use(root, steps, run_dir, 1)


def test_c_copies_the_match_with_its_verdicts(root: Path) -> None:
    run_dir = run_of(root / "run", [played(BLUNDER)])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("c")
        copied = Path("state/spiral-arena/copied.txt").read_text(encoding="utf-8")
        assert "2. ckpt:tiny: [1]   blunder (draw → loss); best [4]" in copied
        assert "Result: X (kuhn-ttt-7@84) wins." in copied

    use(root, steps, run_dir, 1)


# Thoughts


def test_the_newest_thought_is_open_and_t_opens_all(root: Path) -> None:
    run_dir = run_of(root / "run", [played(BLUNDER)])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("end")
        assert "Wins 2." in thoughts(app, 0)
        assert "Corner." not in thoughts(app, 0)
        await pilot.press("t")
        assert "Corner." in thoughts(app, 0)
        assert "It must stop 8." in thoughts(app, 1)
        await pilot.press("t")
        assert "Corner." not in thoughts(app, 0)

    use(root, steps, run_dir, 1)


def test_j_and_k_choose_a_thought_and_enter_shows_it_in_full(root: Path) -> None:
    run_dir = run_of(root / "run", [played(BLUNDER)])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("end")
        live(app).query_one("#seat0").focus()
        await pilot.press("j", "j", "j", "j", "k")
        assert "Centre." in thoughts(app, 0)
        assert "Wins 2." not in thoughts(app, 0)
        await pilot.press("enter")
        assert isinstance(app.screen, ReplyScreen)
        await pilot.pause()
        for part in ("move 3 · seat 0 · kuhn-ttt-7@84", "shown to it", "TicTacToe. You are X.", "Centre.", "[4]"):
            assert part in text_of(app)
        await pilot.press("c")
        assert Path("state/spiral-arena/copied.txt").read_text() == "Centre.\n[4]"
        await pilot.press("escape")
        assert isinstance(app.screen, LiveScreen)

    use(root, steps, run_dir, 1)


def test_enter_elsewhere_shows_the_reply_at_the_cursor(root: Path) -> None:
    run_dir = run_of(root / "run", [played(ILLEGAL)])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        assert isinstance(app.screen, LiveScreen)
        await pilot.press("right", "right", "right", "enter")
        await pilot.pause()
        assert "illegal:" in text_of(app)
        assert "attempt 2" in text_of(app)

    use(root, steps, run_dir, 1)


def test_the_last_twenty_replies_are_shown_and_ten_more_on_demand(root: Path) -> None:
    row, turns = played(BLUNDER)
    long = [replace(turns[0], turn=turn, seat=0, thought=f"Thought number {turn}.") for turn in range(45)]
    run_dir = run_of(root / "run", [(row, long)])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("end")
        pane = live(app).query_one("#seat0", Thoughts)
        assert len(pane._spans) == 21
        assert "10 more of 25 earlier" in thoughts(app, 0)
        pane.focus()
        await pilot.press(*["j"] * 20)
        assert "Thought number 24." in thoughts(app, 0)
        assert "10 more of 15 earlier" in thoughts(app, 0)
        await pilot.press(*["j"] * 40)
        assert "Thought number 0." in thoughts(app, 0)
        assert "more" not in thoughts(app, 0)

    use(root, steps, run_dir, 1)


# While it is played


class Writer(threading.Thread):
    """Plays a stored match into the live view, piece by piece, as the test lets it."""

    def __init__(self, run_dir: Path, number: int = 0) -> None:
        super().__init__(daemon=True)
        self.run_dir = run_dir
        self.row, self.turns = self.match = played(BLUNDER, number=number)
        self.at = 0
        self.go = threading.Semaphore(0)
        self.done = threading.Semaphore(0)

    def run(self) -> None:
        with RunStore(self.run_dir) as store:
            store.set_partial(partial(self.match, 0))
            self.done.release()
            for number, turn in enumerate(self.turns):
                self.go.acquire()
                for end in (3, len(turn.text)):
                    store.grow_partial(0, turn.text[:end])
                    time.sleep(0.01)
                store.set_partial(partial(self.match, number + 1))
                self.at = number + 1
                self.done.release()
            self.go.acquire()
            store.add_match(self.row, self.turns)
            self.done.release()

    def step(self, times: int = 1) -> None:
        for _ in range(times):
            self.go.release()
            assert self.done.acquire(timeout=20)


def test_a_match_that_grows_is_followed_paused_and_followed_again(root: Path) -> None:
    run_dir = run_of(root / "run", end="")
    writer = Writer(run_dir)
    writer.start()
    assert writer.done.acquire(timeout=20)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "LIVE · follow" in pill(app)
        assert "1 X thinking" in moves(app)
        await asyncio.to_thread(writer.step, 2)
        await wait_for(pilot, lambda: at(app) == 2)
        await judged(app, pilot)
        await wait_for(pilot, lambda: "✗ blunder" in moves(app))
        await pilot.press("space")
        await asyncio.to_thread(writer.step, 2)
        await wait_for(pilot, lambda: "+2 new" in pill(app))
        assert at(app) == 2
        assert "paused · 2 of 4" in pill(app)
        await pilot.press("left")
        assert at(app) == 1
        await pilot.press("l")
        assert (at(app), "LIVE · follow" in pill(app)) == (4, True)
        await pilot.press("home", "plus", "plus", "plus", "plus", "space")
        await wait_for(pilot, lambda: "LIVE · follow" in pill(app))
        await asyncio.to_thread(writer.step, 4)
        await wait_for(pilot, lambda: live(app)._match.id == 1)  # type: ignore[union-attr]
        assert at(app) == 7
        assert "wins" in board(app)
        assert live(app).query_one("#seat1").border_subtitle == "lost"

    use(root, steps, run_dir)
    writer.join(20)


def test_a_reply_that_grows_shows_its_end(root: Path) -> None:
    match = played(BLUNDER)
    run_dir = run_of(root / "run", [], [partial(match, 2, "<think>Only the beginning")], end="")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "▼ 3 thinking …" in thoughts(app, 0)
        assert "Only the beginning▍" in thoughts(app, 0)
        assert live(app).query_one("#seat0").border_subtitle == "thinking"
        with RunStore(run_dir) as store:
            store.grow_partial(0, "word " * 3000 + "the very end")
        await wait_for(pilot, lambda: "the very end▍" in thoughts(app, 0))
        assert thoughts(app, 0).splitlines()[1].strip() == "…"
        pane = live(app).query_one("#seat0", Thoughts)
        assert (
            thoughts(app, 0).splitlines().index(next(x for x in thoughts(app, 0).splitlines() if "▍" in x))
            < pane.room.height
        )
        await pilot.press("left")
        assert "thinking" not in thoughts(app, 0)

    use(root, steps, run_dir)


def test_after_the_end_the_next_match_is_followed_unless_somebody_stays(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiveScreen, "LINGER_SECONDS", 1.5)
    first, second = played(BLUNDER), played(BLUNDER, number=2)
    run_dir = run_of(root / "run", [], [partial(first, 6, slot=0), partial(second, 1, slot=1)], end="")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert live(app)._match.unit[3] == 0  # type: ignore[union-attr]
        with RunStore(run_dir) as store:
            store.set_partial(partial(first, 7, slot=0))
            store.add_match(*first)
        await wait_for(pilot, lambda: live(app)._match.unit[3] == 1)  # type: ignore[union-attr]
        assert "LIVE · follow" in pill(app)
        with RunStore(run_dir) as store:
            store.set_partials([partial(second, 7, slot=1), partial(played(BLUNDER, number=4), 2, slot=0)])
        await wait_for(pilot, lambda: at(app) == 7)
        await pilot.press("space")
        await pilot.pause(2.0)
        assert live(app)._match.unit[3] == 1  # type: ignore[union-attr]
        await pilot.press("n")
        await wait_for(pilot, lambda: live(app)._match.unit[3] == 2)  # type: ignore[union-attr]

    use(root, steps, run_dir)


def test_a_match_that_is_over_too_soon_is_played_again_and_then_comes_the_next(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiveScreen, "LINGER_SECONDS", 0.3)
    first, second = played(BLUNDER), played(BLUNDER, number=2)
    run_dir = run_of(root / "run", [second], [partial(first, 7, slot=0), partial(second, 7, slot=1)], end="")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        def pair() -> int:
            match = live(app)._match
            return -1 if match is None else match.unit[3]

        assert "● LIVE · ▶ 1/s" in pill(app)
        await pilot.press(*["plus"] * 4)
        assert "● LIVE · ▶ 16/s" in pill(app)
        await wait_for(pilot, lambda: pair() == 1)
        assert live(app)._match.id == 1  # type: ignore[union-attr]
        await wait_for(pilot, lambda: at(app) == 7)
        await wait_for(pilot, lambda: pair() == 0)
        await pilot.press("left")
        await pilot.pause(0.8)
        assert pair() == 0
        assert "LIVE" not in pill(app)
        await pilot.press("l")
        await wait_for(pilot, lambda: pair() == 1)
        with RunStore(run_dir) as store:
            store.add_event("finished", "")
        await wait_for(pilot, lambda: "LIVE" not in pill(app))

    use(root, steps, run_dir)


def test_n_goes_through_what_is_being_played(root: Path) -> None:
    rows = [partial(played(BLUNDER, number=2 * slot), 2, slot=slot) for slot in range(3)]
    run_dir = run_of(root / "run", [], rows, end="")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        for key, pair in (("n", 1), ("n", 2), ("n", 0), ("N", 2)):
            await pilot.press(key)
            await wait_for(pilot, lambda pair=pair: live(app)._match.unit[3] == pair)  # type: ignore[misc]

    use(root, steps, run_dir)


def test_nothing_to_watch_says_which_keys_lead_on_and_finds_what_begins(root: Path) -> None:
    run_dir = run_of(root / "run", end="")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        shown = str(live(app).query_one("#empty", Static).render())
        assert "Nothing is being played." in shown
        assert "o chooses a stored match, m starts one" in shown
        await pilot.press("space", "right", "n", "t", "enter", "c", "l")
        assert live(app)._match is None
        with RunStore(run_dir) as store:
            store.set_partial(partial(played(BLUNDER), 2))
        await wait_for(pilot, lambda: "LIVE · follow" in pill(app))

    use(root, steps)


def test_a_run_that_is_over_before_it_could_be_followed_is_played(root: Path) -> None:
    run_dir = match_run(root / "run", None, end="")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "Waiting for its first moves" in str(live(app).query_one("#empty", Static).render())
        with RunStore(run_dir) as store:
            store.add_match(*played(BLUNDER))
            store.add_event("finished", "")
        await wait_for(pilot, lambda: live(app)._match is not None)
        await wait_for(pilot, lambda: "▶" in pill(app))

    use(root, steps, run_dir)


# Other matches


def test_o_chooses_a_match_of_any_run(root: Path) -> None:
    one = run_of(root / "one", [played(BLUNDER)])
    run_of(root / "two", [played(ILLEGAL), played(BLUNDER, number=1, leg=1, b="random")])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("o")
        await wait_for(pilot, lambda: app.screen.query_one("#choices", Table).items)
        assert app.screen.query_one("#sources", Table).current.path.name == "one"
        await pilot.press("left", "k", "j")
        names = [source.name for source in app.screen.query_one("#sources", Table).items]
        app.screen.query_one("#sources", Table).move_to(str(root / "two"))
        assert set(names) == {"one", "two"}
        await wait_for(pilot, lambda: len(app.screen.query_one("#choices", Table).items) == 2)
        assert "seat 0 forfeit" in text_of(app)
        await pilot.press("right", "j", "enter")
        await wait_for(pilot, lambda: isinstance(app.screen, LiveScreen))
        await wait_for(pilot, lambda: live(app)._match.run_dir.name == "two")  # type: ignore[union-attr]
        assert live(app)._match.id == 1  # type: ignore[union-attr]

    use(root, steps, one, 1)


def test_a_search_narrows_the_list_and_the_neighbours(root: Path) -> None:
    matches = [played(BLUNDER, b=("random", "optimal")[number % 2], number=2 * number) for number in range(4)]
    run_dir = run_of(root / "run", matches)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("o", "slash", *"optimal")
        await wait_for(pilot, lambda: len(app.screen.query_one("#choices", Table).items) == 2)
        await pilot.press("enter", "enter")
        await wait_for(pilot, lambda: isinstance(app.screen, LiveScreen) and live(app)._match.id == 4)  # type: ignore[union-attr]
        await pilot.press("N")
        await wait_for(pilot, lambda: live(app)._match.id == 2)  # type: ignore[union-attr]
        await pilot.press("o")
        await pilot.pause()
        assert app.screen.query_one(Input).value == "optimal"
        await pilot.press("slash", *"zzz")
        await wait_for(pilot, lambda: "No match fits." in text_of(app))
        await pilot.press("escape", "escape")
        assert isinstance(app.screen, LiveScreen)

    use(root, steps, run_dir, 1)


def test_a_hundred_thousand_matches_open_at_once_and_page_as_one_goes_down(root: Path) -> None:
    run_dir = many(root / "run", 100_000)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        began = time.perf_counter()
        await pilot.press("o")
        await wait_for(pilot, lambda: app.screen.query_one("#choices", Table).items)
        assert time.perf_counter() - began < 2
        table = app.screen.query_one("#choices", Table)
        await pilot.press("G")
        await wait_for(pilot, lambda: len(table.items) == 400)
        assert table.current.wanted.match_id == 99_801
        await pilot.press("escape")

    use(root, steps, run_dir)


def test_m_starts_a_match_of_any_two_players_and_watches_it(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("m")
        assert isinstance(app.screen, NewMatchScreen)
        await wait_for(pilot, lambda: app.screen.query_one("#choices", Table).items)
        games = [choice.spec for choice in app.screen.query_one("#choices", Table).items]
        assert {"tictactoe", "kuhn_poker", "snake"} <= set(games)
        app.screen.query_one("#game", Input).value = "chess"
        await pilot.press("ctrl+s")
        await wait_for(pilot, lambda: "Unknown game 'chess'" in text_of(app))
        app.screen.query_one("#game", Input).value = "tictactoe"
        app.screen.query_one("#first").focus()
        await pilot.pause()
        players = [choice.spec for choice in app.screen.query_one("#choices", Table).items]
        assert {"random", "optimal", "scripted", "ckpt:tiny"} <= set(players)
        await pilot.press(*"opt", "down", "enter")
        assert app.screen.query_one("#first", Input).value == "optimal"
        app.screen.query_one("#second", Input).value = "random"
        app.screen.query_one("#seed", Input).value = "1x"
        await pilot.press("ctrl+s")
        await wait_for(pilot, lambda: "The seed '1x' is no whole number." in text_of(app))
        app.screen.query_one("#seed").focus()
        app.screen.query_one("#seed", Input).value = "3"
        await pilot.press("enter")
        await wait_for(pilot, lambda: isinstance(app.screen, LiveScreen))
        await wait_for(pilot, lambda: live(app)._match is not None and live(app)._match.id == 1, 60)
        assert live(app)._match.seats == ("optimal", "random")  # type: ignore[union-attr]
        await judged(app, pilot)

    use(root, steps)
    (run_dir,) = run_dirs(root)
    assert read_record(run_dir).kind == "match"
    with RunReader(run_dir) as reader:
        assert reader.count("match") == 1


def test_a_form_that_is_left_starts_nothing(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("m")
        app.screen.query_one("#first", Input).value = "human"
        await pilot.press("ctrl+s")
        await wait_for(pilot, lambda: "A human plays on the screen Play." in text_of(app))
        await pilot.press("escape")
        assert isinstance(app.screen, LiveScreen)

    use(root, steps)
    assert run_dirs(root) == []


# Hostile texts, sizes, and what goes wrong


@pytest.mark.parametrize(
    "text", [*HOSTILE, "x" * 1_000_000, "字" * 500_000, "a\n" * 200_000], ids=range(len(HOSTILE) + 3)
)
def test_whatever_is_written_is_shown_literally_and_breaks_nothing(root: Path, text: str) -> None:
    row, turns = played(ILLEGAL, a=text[:5000])
    turns = [
        replace(turn, thought=text, answer=text, text=text, observation=text, illegal=text and turn.illegal)
        for turn in turns
    ]
    turns[0] = replace(turns[0], action=text, board=text[:20_000])
    run_dir = run_of(root / "run", [(row, turns)], [partial((row, turns), 2, text)], end="")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        for match_id in (1, None):
            app.screen.dismiss() if app.screen_stack[2:] else None
            app.open_match(run_dir, match_id)
            await wait_for(pilot, lambda: isinstance(app.screen, LiveScreen) and live(app)._match is not None)
            await pilot.press("end", "t", "right", "left", "left")
            shown = text_of(app)
            assert "\x1b" not in shown
            assert "\u202e" not in shown
            await pilot.press("end", "enter")
            await pilot.pause()
            assert "\x1b" not in text_of(app)
            if len(text) < 100 and text.isprintable() and "\u0301" not in text:
                assert text in text_of(app)
            await pilot.press("G", "g", "escape", "o")
            await wait_for(pilot, lambda: app.screen.query_one("#choices", Table).items)
            assert "\x1b" not in text_of(app)
            await pilot.press("escape")
        assert app.is_running

    use(root, steps, run_dir, 1)


def test_a_narrow_terminal_shows_the_board_and_whoever_spoke_last(root: Path) -> None:
    run_dir = run_of(root / "run", [played(BLUNDER)])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        def seats() -> list[bool]:
            return [bool(live(app).query_one(f"#seat{seat}").region.area) for seat in (0, 1)]

        await pilot.press("right")
        await pilot.pause()
        assert seats() == [True, False]
        await pilot.press("right")
        await pilot.pause()
        assert seats() == [False, True]
        await pilot.press("x")
        await pilot.pause()
        assert seats() == [True, False]
        await pilot.resize_terminal(120, 36)
        await pilot.pause()
        assert seats() == [True, True]
        await pilot.resize_terminal(50, 24)
        await pilot.pause()
        board_pane, seat = live(app).query_one("#board").region, live(app).query_one("#seat0").region
        assert board_pane.bottom <= seat.y

    use(root, steps, run_dir, 1, size=(80, 24))


def test_any_size_is_survived(root: Path) -> None:
    run_dir = run_of(root / "run", [played(BLUNDER)])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("end", "t")
        for size in ((1, 1), (3, 200), (200, 3), (20, 8), (200, 60), (120, 36)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            await pilot.press("left", "right")
        assert "X (kuhn-ttt-7@84) wins" in " ".join(board(app).split())

    use(root, steps, run_dir, 1)


def test_a_run_that_vanishes_leaves_the_match_on_screen_and_says_so(root: Path) -> None:
    run_dir = run_of(root / "run", [], [partial(played(BLUNDER), 3, "Hm")], end="")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        vanish(run_dir)
        await wait_for(pilot, lambda: app.screen.query_one(ErrorLine).text)
        await pilot.press("left", "left", "t", "n", "o")
        await pilot.pause()
        await pilot.press("escape")
        assert "O played 1" in board(app) or "X played 0" in board(app)

    use(root, steps, run_dir)


def test_a_damaged_database_is_said_and_nothing_else(root: Path) -> None:
    run_dir = run_of(root / "run", [played(BLUNDER)])
    (run_dir / DB_NAME).write_bytes(b"no database at all" * 1000)

    async def go() -> None:
        app = make_app(root)
        async with app.run_test() as pilot:
            app.open_match(run_dir, 1)
            await wait_for(pilot, lambda: app.screen.query(ErrorLine))
            await wait_for(pilot, lambda: "damaged" in app.screen.query_one(ErrorLine).text)
            assert "damaged" in str(app.screen.query_one("#empty", Static).render())
            await pilot.press("o")
            await wait_for(pilot, lambda: "damaged" in text_of(app))

    asyncio.run(go())


def test_a_match_that_is_not_there_is_said(root: Path) -> None:
    run_dir = run_of(root / "run", [played(BLUNDER)])

    async def go() -> None:
        app = make_app(root)
        async with app.run_test() as pilot:
            app.open_match(run_dir, 77)
            await wait_for(pilot, lambda: app.screen.query(ErrorLine))
            await wait_for(pilot, lambda: "has no match 77" in app.screen.query_one(ErrorLine).text)

    asyncio.run(go())


def test_the_process_that_judges_ends_with_the_screen(root: Path) -> None:
    run_dir = run_of(root / "run", [played(BLUNDER)])
    pids: list[int] = []

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        process = live(app)._truth._judge._process  # type: ignore[union-attr]
        assert process is not None
        pids.append(process.pid)
        await pilot.press("escape")
        await wait_for(pilot, lambda: process.poll() is not None)

    use(root, steps, run_dir, 1)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_no_control_sequence_of_a_thought_reaches_a_real_terminal(root: Path) -> None:
    attack = "A\x1b]52;c;AAAA\x07B\x1b[31mred\x1b[2J\x9b2J\u202eC [@click=app.quit]x[/]"
    row, turns = played(BLUNDER, a=attack)
    turns = [replace(turn, thought=attack, text=attack) for turn in turns]
    run_of(root / "run", [], [partial((row, turns), 4, attack)], end="")
    with terminal("--no-mouse", "--no-motion") as (pid, file):
        data = read(file, lambda data: b"tournament" in data and b"quit" in data)
        os.write(file, b"l")
        data += read(file, lambda more: b"LIVE" in more and "A␛]52".encode() in more)
        os.write(file, b"t\t\r")
        data += read(file, lambda more: b"esc closes" in more)
        for sequence in (b"\x1b]52", b"\x1b[31mred", b"\x9b2J", "\u202e".encode()):
            assert sequence not in data
        assert "[@click=app.quit]x[/]" in picture(data)
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


def test_nothing_heavy_is_loaded_to_watch_a_match(root: Path) -> None:
    run_of(root / "run", [played(BLUNDER)])
    code = """
import asyncio, sys
from pathlib import Path
from arena.tui.app import ArenaApp
async def main():
    app = ArenaApp(Path("runs"), motion=False)
    async with app.run_test(size=(120, 36)) as pilot:
        app.open_match(Path("runs/run"), 1)
        while not getattr(app.screen, "_judgement", None):
            await pilot.pause(0.01)
        for keys in (("o", "escape"), ("m",)):
            await pilot.press(*keys)
        while not app.screen.query_one("#choices").items:
            await pilot.pause(0.01)
        print(*{name.partition(".")[0] for name in sys.modules})
asyncio.run(main())
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & HEAVY == set()
