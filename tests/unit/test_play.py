"""The suite `play`: a human at the match, undo, resigning, leaving and coming back, and what nobody may see."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from databases import changing, read_rows
from human_side import RESIGN, UNDO, Decide, Wish, look, new_match, play_through, stored
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arena.config.base import validate
from arena.config.play import PlayConfig
from arena.config.tournament import MatchConfig
from arena.core.errors import ArenaError, InfrastructureError, UsageError
from arena.core.game import State
from arena.core.keys import match_key
from arena.core.player import Reply, View
from arena.core.registry import GameSpec, load_player
from arena.runs.launch import create_run
from arena.runs.paths import DB_NAME
from arena.runs.reader import RunReader
from arena.runs.record import read_record, run_status
from arena.runs.requests import CONTROL_NAME, RequestStore
from arena.runs.rows import AskRow, TurnRow
from arena.runs.store import RunStore
from evals.__main__ import main
from evals.suites import match, play

TTT = PlayConfig(game="tictactoe", players=("human", "random"), seed=5)
CONNECT = PlayConfig(game="connect_four", players=("scripted", "human"), seed=2)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evals.human_match.POLL_SECONDS", 0.001)


def first_legal(ask: AskRow, state: State) -> str:
    return state.legal()[0] if state.legal() else "hello"  # type: ignore[index]


def one_after_the_other(*wishes: Wish, then: Decide = first_legal) -> Decide:
    """These wishes at the first occasions to move, then what `then` says."""
    waiting = list(wishes)
    return lambda ask, state: waiting.pop(0) if waiting else then(ask, state)


def timeless(rows: list[TurnRow]) -> list[TurnRow]:
    return [replace(row, seconds=0.0) for row in rows]


def events(run_dir: Path, kind: str) -> list[str]:
    with RunReader(run_dir) as reader:
        return [event.message for event in reader.events() if event.kind == kind]


# -- the match itself -----------------------------------------------------------------------------------------


def test_a_human_is_a_player_like_any_other(tmp_path: Path) -> None:
    """Who answers as `scripted` would has the same match as `scripted`."""
    calm = tmp_path / "calm"
    new_match(calm, config := PlayConfig(game="kuhn_poker", players=("scripted", "human"), seed=9))
    scripted = load_player("scripted")

    def decide(ask: AskRow, state: State) -> str:
        view = View("kuhn_poker", {}, 1, "", "", None, state.sample, match_key(9, "kuhn_poker", 0), ask.turn)
        view.state = state
        return asyncio.run(scripted.act(view)).answer

    def in_thread(ask: AskRow, state: State) -> str:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(decide, ask, state).result()

    play_through(calm, config, in_thread)
    create_run(MatchConfig(game="kuhn_poker", players=("scripted", "scripted"), seed=9), "match", tmp_path / "m")
    assert main([str(tmp_path / "m"), "--json"]) == 0
    (played, ours), (other, theirs) = stored(calm), stored(tmp_path / "m")
    assert (played.key, played.return_a, played.return_b, played.turns) == (
        other.key, other.return_a, other.return_b, other.turns,
    )  # fmt: skip
    assert [(row.turn, row.seat, row.observation, row.action, row.board) for row in ours] == [
        (row.turn, row.seat, row.observation, row.action, row.board) for row in theirs
    ]
    mine, result = play.build_result(calm), match.build_result(tmp_path / "m")
    assert set(result) < set(mine)
    assert (mine["undos"], mine["resigned"], mine["players"]) == (0, None, ["scripted", "human"])


def test_all_that_is_needed_to_move_is_shown(tmp_path: Path) -> None:
    new_match(tmp_path / "r", CONNECT)
    shown = play_through(tmp_path / "r", CONNECT, first_legal)
    begin = next(ask for ask in shown if ask.status == "move")
    assert (begin.game, begin.a, begin.b, begin.seat, begin.turn, begin.attempt) == (
        "connect_four", "scripted", "human", 1, 1, 0,
    )  # fmt: skip
    assert begin.role == GameSpec.parse("connect_four").game.INFO.roles[1]
    assert "[1]" in json.loads(begin.legal)
    assert begin.rules.startswith("Connect Four")
    assert begin.board
    assert begin.observation
    assert (begin.undo, begin.illegal, begin.note, json.loads(begin.returns)) == (False, "", "", None)
    (opening,) = json.loads(begin.moves)
    assert (opening["seat"], opening["turn"]) == (0, 0)
    waiting = [ask for ask in shown if ask.status == "wait"]
    assert all(json.loads(ask.legal) is None for ask in waiting)
    last = shown[-1]
    (row, turns) = stored(tmp_path / "r")
    assert (last.status, json.loads(last.returns), last.undo) == ("end", [row.return_a, row.return_b], False)
    assert last.board == turns[-1].board
    assert [ask.number for ask in shown] == sorted({ask.number for ask in shown})
    with RunReader(tmp_path / "r") as reader:
        assert reader.partials() == []
    assert run_status(tmp_path / "r", read_record(tmp_path / "r")) == "finished"


def test_two_humans_share_a_terminal(tmp_path: Path) -> None:
    config = PlayConfig(game="tictactoe", players=("human", "human"))
    new_match(tmp_path / "r", config)
    shown = play_through(tmp_path / "r", config, one_after_the_other("0", "4", UNDO, "3", "1", "5", "2"))
    moving = [ask for ask in shown if ask.status == "move"]
    assert all(ask.seat == ask.turn % 2 for ask in moving)
    match_row, turns = stored(tmp_path / "r")
    assert [row.action for row in turns] == ["[0]", "[3]", "[1]", "[5]", "[2]"]
    assert (match_row.return_a, match_row.a, match_row.b) == (1.0, "human", "human")


def test_illegal_moves_come_back_with_the_reason_as_often_as_it_takes(tmp_path: Path) -> None:
    new_match(tmp_path / "r", TTT)
    wrong = ["nonsense\x1b[2J", "", "[0] or [1]", "[99]"] * 3
    shown = play_through(tmp_path / "r", TTT, one_after_the_other(*wrong))
    first = [ask for ask in shown if ask.status == "move" and ask.turn == 0]
    assert [ask.attempt for ask in first] == list(range(len(wrong) + 1))
    assert first[0].illegal == ""
    assert all(ask.illegal for ask in first[1:])
    row, turns = stored(tmp_path / "r")
    assert row.forfeit == ""
    assert [turn.answer for turn in turns[: len(wrong)]] == wrong
    assert all(turn.action is None and turn.illegal for turn in turns[: len(wrong)])
    assert turns[len(wrong)].attempt == len(wrong)


class Stub:
    """An opponent that says what it is told to, or fails, or waits."""

    name, sees_state = "stub", False

    def __init__(self, *does: str | Exception | float) -> None:
        self.does = list(does)
        self.asked = 0

    async def act(self, view: View) -> Reply:
        self.asked += 1
        what = self.does.pop(0) if self.does else "legal"
        if isinstance(what, Exception):
            raise what
        if isinstance(what, float):
            if view.partial is not None:
                view.partial("Let me")
                view.partial("Let me think")
            await asyncio.sleep(what)
        text = what if isinstance(what, str) and what != "legal" else view.sample(random.Random(view.turn))
        return Reply(f"<think>hm</think>{text}", "hm", text)

    async def close(self) -> None:
        return None


STUBBED = TTT.model_copy(update={"players": ("human", "stub")})


def test_an_opponent_has_the_usual_attempts(tmp_path: Path) -> None:
    new_match(tmp_path / "r", STUBBED)
    shown = play_through(tmp_path / "r", STUBBED, first_legal, {"stub": Stub("nothing", "nothing more")})
    row, turns = stored(tmp_path / "r")
    assert (row.forfeit, row.return_a, row.turns) == ("b", 1.0, 1)
    assert [turn.illegal != "" for turn in turns] == [False, True, True]
    assert json.loads(shown[-1].moves)[-1]["answer"] == "nothing more"


def test_an_opponent_that_fails_is_asked_again_and_costs_no_move(tmp_path: Path) -> None:
    new_match(tmp_path / "r", STUBBED)
    stub = Stub(InfrastructureError("no network"), "legal", InfrastructureError("no network"))
    asked = []

    def decide(ask: AskRow, state: State) -> str:
        asked.append(ask.turn)
        return first_legal(ask, state)

    play_through(tmp_path / "r", STUBBED, decide, {"stub": stub})
    row, _ = stored(tmp_path / "r")
    assert (row.voids, row.forfeit) == (2, "")
    assert len(asked) == len(set(asked)), "the human is asked once for each turn"


def test_an_opponent_that_keeps_failing_fails_the_job_and_a_resume_goes_on(tmp_path: Path) -> None:
    new_match(tmp_path / "r", STUBBED)
    broken = Stub("legal", *(InfrastructureError("no network") for _ in range(9)))
    with pytest.raises(ArenaError, match="no network"):
        play_through(tmp_path / "r", STUBBED, first_legal, {"stub": broken})
    assert run_status(tmp_path / "r", read_record(tmp_path / "r")) == "failed"
    _, state = look(tmp_path / "r", STUBBED)
    shown = play_through(tmp_path / "r", STUBBED, first_legal, {"stub": Stub()})
    assert shown[-1].status == "end"
    assert min(ask.turn for ask in shown) >= 3
    assert state.board() in [row.board for row in stored(tmp_path / "r")[1]]


def test_the_growing_reply_of_the_opponent_is_there_for_spectators(tmp_path: Path) -> None:
    new_match(tmp_path / "r", STUBBED)
    seen: list[str] = []

    async def watch() -> None:
        while True:
            await asyncio.sleep(0.001)
            with RunReader(tmp_path / "r") as reader:
                seen.extend(partial.text for partial in reader.partials())

    class Watched(Stub):
        async def act(self, view: View) -> Reply:
            watching = asyncio.create_task(watch())
            try:
                return await super().act(view)
            finally:
                watching.cancel()

    play_through(tmp_path / "r", STUBBED, first_legal, {"stub": Watched(0.05)})
    assert "Let me think" in seen


# -- undo -----------------------------------------------------------------------------------------------------


class Surviving:
    """Random moves and undos in any order; remembers the moves that stand."""

    def __init__(self, plan: list[int]) -> None:
        self.plan = plan
        self.moves: list[str] = []

    def __call__(self, ask: AskRow, state: State) -> Wish:
        choice = self.plan.pop(0) if self.plan else 0
        assert ask.undo == bool(self.moves)
        if choice < 0:
            if self.moves:
                self.moves.pop()
            return UNDO
        if choice == 99:
            return "[99]"
        legal = state.legal()
        assert legal
        self.moves.append(legal[choice % len(legal)])
        return self.moves[-1]


@pytest.mark.parametrize("config", [TTT, CONNECT], ids=["tictactoe", "connect_four"])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(st.one_of(st.integers(0, 8), st.just(-1), st.just(99)), max_size=12))
def test_any_moves_and_undos_end_in_the_match_of_the_moves_that_stand(
    tmp_path_factory: pytest.TempPathFactory, config: PlayConfig, plan: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("undo")
    human = Surviving(list(plan))
    shown = play_through(new_match(folder / "back", config), config, human)
    straight = one_after_the_other(*human.moves)
    play_through(new_match(folder / "straight", config), config, straight)
    (match_a, turns_a), (match_b, turns_b) = stored(folder / "back"), stored(folder / "straight")
    assert replace(match_a, seconds=0, at=0) == replace(match_b, seconds=0, at=0)
    legal = [row for row in timeless(turns_a) if row.action is not None]
    assert [replace(row, attempt=0) for row in legal] == timeless(turns_b)
    notes = events(folder / "back", "undo")
    assert shown[-1].undos == len(notes) == play.build_result(folder / "back")["undos"]


def test_earlier_replies_of_the_opponent_stand_as_they_were_after_an_undo(tmp_path: Path) -> None:
    """An opponent that never says the same twice is not asked again for what stands."""

    class Moody(Stub):
        async def act(self, view: View) -> Reply:
            self.asked += 1
            assert view.legal
            text = random.Random(self.asked).choice(view.legal)
            return Reply(text, f"thought {self.asked}", text)

    new_match(tmp_path / "r", STUBBED)
    moody = Moody()
    decide = one_after_the_other("[0]", UNDO, "[0]", then=_undo_once())
    shown = play_through(tmp_path / "r", STUBBED, decide, {"stub": moody})
    _, turns = stored(tmp_path / "r")
    thoughts = [row.thought for row in turns if row.seat == 1]
    assert thoughts[0] == "thought 2", "the undone reply is gone, the next one stands through the second undo"
    assert shown[-1].undos == 2
    assert len(set(thoughts)) == len(thoughts)
    assert moody.asked == len(thoughts) + 2


def _undo_once() -> Decide:
    asked = count()

    def decide(ask: AskRow, state: State) -> Wish:
        return UNDO if next(asked) == 1 else first_legal(ask, state)

    return decide


@pytest.mark.parametrize("game", ["kuhn_poker", "pig_dice", "snake", "simple_negotiation", "truth_and_deception"])
def test_there_is_no_undo_where_something_is_hidden_or_drawn(tmp_path: Path, game: str) -> None:
    config = PlayConfig(game=game, players=("human", "random"))
    new_match(tmp_path / "r", config)
    rng = random.Random(3)
    decide = one_after_the_other("x", UNDO, then=lambda ask, state: state.sample(rng))
    shown = play_through(tmp_path / "r", config, decide)
    assert not any(ask.undo for ask in shown)
    assert any("has no undo" in ask.note for ask in shown)
    assert (shown[-1].undos, events(tmp_path / "r", "undo")) == (0, [])


def test_an_undo_with_nothing_to_take_back_says_so(tmp_path: Path) -> None:
    new_match(tmp_path / "r", TTT)
    shown = play_through(tmp_path / "r", TTT, one_after_the_other(UNDO))
    assert [ask.note for ask in shown[:2]] == ["", "There is nothing to undo."]
    assert shown[-1].undos == 0


def test_an_undo_may_break_into_the_opponents_thinking_and_a_late_one_changes_nothing(tmp_path: Path) -> None:
    new_match(tmp_path / "r", STUBBED)

    class Slow(Stub):
        async def act(self, view: View) -> Reply:
            if self.asked == 0:
                with RequestStore(tmp_path / "r") as requests:
                    requests.undo(0, view.turn)
                    requests.undo(0, view.turn)
            return await super().act(view)

    slow = Slow(60.0)
    shown = play_through(tmp_path / "r", STUBBED, one_after_the_other("[8]", "[7]"), {"stub": slow})
    assert shown[-1].undos == 1
    assert stored(tmp_path / "r")[1][0].action == "[7]"
    assert "The match has gone on since." in [ask.note for ask in shown]


# -- giving up, leaving, coming back --------------------------------------------------------------------------


def test_to_resign_is_a_forfeit_that_says_so(tmp_path: Path) -> None:
    new_match(tmp_path / "r", CONNECT)
    shown = play_through(tmp_path / "r", CONNECT, one_after_the_other("1", RESIGN))
    row, turns = stored(tmp_path / "r")
    assert (row.forfeit, row.return_a, row.return_b, row.turns) == ("b", 1.0, -1.0, 3)
    assert len(turns) == 3
    assert events(tmp_path / "r", "resign") == ["seat 1 resigned"]
    result = play.build_result(tmp_path / "r")
    assert (result["resigned"], result["forfeit"]) == (1, 1)
    assert "Seat 1 resigned." in str(play.render(result))
    assert json.loads(shown[-1].returns) == [1.0, -1.0]


def test_to_resign_does_not_wait_for_the_opponent(tmp_path: Path) -> None:
    new_match(tmp_path / "r", STUBBED)

    class Slow(Stub):
        async def act(self, view: View) -> Reply:
            with RequestStore(tmp_path / "r") as requests:
                requests.resign(0)
            return await super().act(view)

    began = time.monotonic()
    play_through(tmp_path / "r", STUBBED, first_legal, {"stub": Slow(60.0)})
    assert time.monotonic() - began < 10
    assert stored(tmp_path / "r")[0].forfeit == "a"


def test_who_leaves_comes_back_to_the_same_position(tmp_path: Path) -> None:
    moves = ["[99]", "0", "1", "6"]
    config = PlayConfig(game="connect_four", players=("human", "scripted"), seed=4)
    play_through(new_match(tmp_path / "calm", config), config, one_after_the_other(*moves))
    run_dir = new_match(tmp_path / "r", config)
    last: AskRow | None = None
    for index in range(len(moves)):
        shown = play_through(run_dir, config, one_after_the_other(moves[index], None))
        if last is not None:
            begun = next(ask for ask in shown if ask.number > last.number)
            assert (begun.turn, begun.attempt, begun.illegal) == (last.turn, last.attempt, last.illegal)
            assert (begun.moves, begun.observation) == (last.moves, last.observation)
        last = shown[-1]
        assert run_status(run_dir, read_record(run_dir)) == "stopped"
    play_through(run_dir, config, first_legal)
    (match_a, turns_a), (match_b, turns_b) = stored(tmp_path / "calm"), stored(run_dir)
    assert replace(match_a, seconds=0, at=0) == replace(match_b, seconds=0, at=0)
    assert timeless(turns_a) == timeless(turns_b)
    assert play_through(run_dir, config, first_legal)[-1].status == "end", "a finished match plays nothing"


def test_undos_survive_a_restart(tmp_path: Path) -> None:
    run_dir = new_match(tmp_path / "r", TTT)
    play_through(run_dir, TTT, one_after_the_other("0", UNDO, "1", None))
    shown = play_through(run_dir, TTT, one_after_the_other(UNDO, UNDO))
    assert shown[-1].undos == 2
    assert {ask.note for ask in shown} == {"", "There is nothing to undo."}, "no request is dealt with twice"
    assert len(events(run_dir, "undo")) == 2


def test_what_was_asked_while_no_job_ran_is_done_when_it_comes_back(tmp_path: Path) -> None:
    run_dir = new_match(tmp_path / "r", CONNECT)
    last = play_through(run_dir, CONNECT, one_after_the_other("1", "2", "3", None))[-1]
    with RequestStore(run_dir) as requests:
        requests.undo(last.seat, last.turn)
    shown = play_through(run_dir, CONNECT, first_legal)
    assert shown[-1].undos == 1
    assert "The match has gone on since." not in [ask.note for ask in shown]


def test_a_job_whose_directory_vanishes_ends(tmp_path: Path) -> None:
    run_dir = new_match(tmp_path / "r", TTT)
    job = subprocess.Popen([sys.executable, "-m", "evals", str(run_dir)], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while look(run_dir, TTT)[0] is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    run_dir.rename(tmp_path / "elsewhere")
    _, err = job.communicate(timeout=60)
    assert (job.returncode, err.count("\n")) == (1, 1)
    assert "is gone" in err


def test_without_its_control_database_a_match_still_goes_on(tmp_path: Path) -> None:
    run_dir = new_match(tmp_path / "r", TTT)
    play_through(run_dir, TTT, one_after_the_other("0", UNDO, "1", None))
    for path in run_dir.glob(f"{CONTROL_NAME}*"):
        path.unlink()
    assert play_through(run_dir, TTT, first_legal)[-1].status == "end"
    assert stored(run_dir)[1][0].action == "[1]"


def test_killed_again_and_again_it_goes_on_where_it_was(tmp_path: Path) -> None:
    config = PlayConfig(game="connect_four", players=("scripted", "human"), seed=8)
    calm, run_dir = new_match(tmp_path / "calm", config), new_match(tmp_path / "r", config)
    play_through(calm, config, first_legal)
    rng, kills, answered = random.Random(1), 0, -1
    command = [sys.executable, "-m", "evals", str(run_dir), "--json"]
    deadline = time.monotonic() + 120
    with RequestStore(run_dir) as requests:
        job = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while job.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
            ask, state = look(run_dir, config)
            if ask is None or ask.status != "move" or ask.seen < answered:
                continue
            answered = requests.move(ask.seat, ask.turn, ask.attempt, first_legal(ask, state))
            if kills < 4:
                time.sleep(rng.random() * 0.12)
                kills += 1
                os.kill(job.pid, signal.SIGKILL)
                job.wait()
                job = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        assert job.returncode == 0
    assert kills == 4
    (match_a, turns_a), (match_b, turns_b) = stored(calm), stored(run_dir)
    assert replace(match_a, seconds=0, at=0) == replace(match_b, seconds=0, at=0)
    assert timeless(turns_a) == timeless(turns_b)


# -- what nobody may see --------------------------------------------------------------------------------------


def worlds(opponent: str) -> tuple[int, int]:
    """Two seeds of one-hand Kuhn where seat 0 has the Q, and the other J in one and K in the other, yet checks."""
    found: dict[str, int] = {}
    for seed in range(2000):
        key = match_key(seed, "kuhn_poker?hands=1", 0)
        state: Any = GameSpec.parse("kuhn_poker?hands=1").new(key)
        after = state.apply("[check]")
        view = View("kuhn_poker", {"hands": 1}, 1, "", "", after.legal(), after.sample, key, 1, state=after)
        if state.cards[0] == "Q" and asyncio.run(load_player(opponent).act(view)).answer == "[bet]":
            found.setdefault(state.cards[1], seed)
    return found["J"], found["K"]


@pytest.mark.parametrize("opponent", ["random", "scripted?skill=0.6"])
def test_nothing_of_the_other_card_is_shown_before_the_end(tmp_path: Path, opponent: str) -> None:
    def shown(seed: int) -> list[AskRow]:
        config = PlayConfig(game="kuhn_poker?hands=1", players=("human", opponent), seed=seed)
        asks = play_through(new_match(tmp_path / str(seed), config), config, one_after_the_other("check", "call"))
        return [replace(ask, at=0) for ask in asks]

    jack, king = (shown(seed) for seed in worlds(opponent))
    before = [ask for ask in jack if ask.status == "move"]
    assert len(before) == 2
    assert before == [ask for ask in king if ask.status == "move"]
    waiting = {replace(ask, number=0) for ask in (*jack, *king) if ask.status == "wait"}
    assert len(waiting) <= 1
    assert all(ask.board == "" and ask.hidden for ask in before)
    assert "seat 1 J" in jack[-1].board
    assert "seat 1 K" in king[-1].board
    assert len(json.loads(jack[-1].moves)) == 3


def test_a_commit_of_the_opponent_is_not_shown_before_both_have_moved(tmp_path: Path) -> None:
    config = PlayConfig(game="snake", players=("random", "human"), seed=3)
    rng = random.Random(0)
    shown = play_through(new_match(tmp_path / "r", config), config, lambda ask, state: state.sample(rng))
    for ask in shown[:-1]:
        assert all(move["seat"] == 1 for move in json.loads(ask.moves))
        assert ask.board == ""
    assert {move["seat"] for move in json.loads(shown[-1].moves)} == {0, 1}


# -- the edges ------------------------------------------------------------------------------------------------


def test_a_database_from_before_play_is_still_read_and_written(tmp_path: Path) -> None:
    with RunStore(tmp_path):
        pass
    with changing(tmp_path / DB_NAME) as db:
        db.execute("DROP TABLE ask")
    with RunReader(tmp_path) as reader:
        assert reader.ask() is None
    with RunStore(tmp_path), RunReader(tmp_path) as reader:
        assert reader.ask() is None
    assert read_rows(tmp_path / DB_NAME, "SELECT count(*) FROM ask") == [(0,)]
    assert read_rows(tmp_path / DB_NAME, "SELECT version FROM meta") == [(1,)]


def test_a_match_without_a_human_is_refused() -> None:
    with pytest.raises(UsageError, match="one of them must be 'human'"):
        validate(PlayConfig, {"game": "tictactoe", "players": ("random", "optimal")}, "play")


def test_an_unfinished_match_has_no_result(tmp_path: Path) -> None:
    run_dir = new_match(tmp_path / "r", TTT)
    play_through(run_dir, TTT, one_after_the_other("0", None))
    with pytest.raises(ArenaError, match="play --resume"):
        play.build_result(run_dir)
