"""The match loop: turns, second attempts, forfeits, voids, and what a player gets to see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from arena.core.errors import InfrastructureError
from arena.core.events import (
    Event,
    Forfeit,
    IllegalReply,
    MatchEnded,
    MatchStarted,
    Partial,
    TurnStarted,
    TurnTaken,
    Void,
)
from arena.core.match import play
from arena.core.player import Reply, View
from arena.core.registry import GameSpec, load_player


@dataclass
class Stub:
    """Gives the answers it was given, one a call, and keeps the views."""

    answers: list[str | Exception]
    name: str = "stub"
    sees_state: bool = False
    speaks: tuple[str, ...] = ()
    views: list[View] = field(default_factory=list)

    async def act(self, view: View) -> Reply:
        self.views.append(view)
        for text in self.speaks:
            await asyncio.sleep(0.001)
            if view.partial is not None:
                view.partial(text)
        if self.speaks:
            await asyncio.sleep(0.001)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Reply(text=f"hm {answer}", thought="hm", answer=answer)

    async def close(self) -> None:
        return None


def run(first: Stub, second: Stub, game: str = "tictactoe", **options: object) -> list[Event]:
    async def collect() -> list[Event]:
        return [event async for event in play(GameSpec.parse(game), (first, second), 7, **options)]  # type: ignore[arg-type]

    return asyncio.run(collect())


def cells(*numbers: int) -> Stub:
    return Stub([f"[{number}]" for number in numbers])


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_a_match_is_told_from_start_to_end() -> None:
    events = run(cells(0, 1, 2), cells(3, 4))
    assert kinds(events) == ["MatchStarted", *["TurnStarted", "TurnTaken"] * 5, "MatchEnded"]
    started, ended = events[0], events[-1]
    assert isinstance(started, MatchStarted)
    assert (started.game, started.players, started.key) == ("tictactoe", ("stub", "stub"), 7)
    assert ended == MatchEnded((1.0, -1.0), forfeit=None, turns=5)
    taken = [event for event in events if isinstance(event, TurnTaken)]
    assert [event.seat for event in taken] == [0, 1, 0, 1, 0]
    assert [event.turn for event in taken] == [0, 1, 2, 3, 4]
    assert [event.action for event in taken] == ["[0]", "[3]", "[1]", "[4]", "[2]"]
    assert taken[0].observation == "TicTacToe. You are X.\n0 1 2\n3 4 5\n6 7 8"
    assert taken[0].reply.thought == "hm"


def test_an_observation_is_that_of_the_seat_to_act_before_its_move() -> None:
    events = run(cells(0, 1, 2), cells(3, 4))
    started = [event for event in events if isinstance(event, TurnStarted)]
    assert started[1].observation == "TicTacToe. You are O.\nX 1 2\n3 4 5\n6 7 8"


def test_without_retries_an_illegal_reply_forfeits() -> None:
    events = run(cells(0), cells(0), retries=0)
    assert kinds(events)[-3:] == ["IllegalReply", "Forfeit", "MatchEnded"]
    forfeit, ended = events[-2:]
    assert isinstance(forfeit, Forfeit)
    assert (forfeit.seat, forfeit.turn) == (1, 1)
    assert "[0] is not legal now" in forfeit.reason
    assert ended == MatchEnded((1.0, -1.0), forfeit=1, turns=1)


def test_a_forfeit_of_seat_0_gives_the_match_to_seat_1() -> None:
    assert run(Stub(["nonsense"]), cells(), retries=0)[-1] == MatchEnded((-1.0, 1.0), forfeit=0, turns=0)


def test_a_forfeit_costs_the_lowest_utility_of_the_variant() -> None:
    events = run(Stub(["pass"]), Stub([]), "kuhn_poker?hands=3&payoff=chips", retries=0)
    assert events[-1] == MatchEnded((-6.0, 6.0), forfeit=0, turns=0)


def test_a_retry_is_told_the_reason_and_counted_as_an_attempt() -> None:
    first = Stub(["[9]", "[0]", "[1]", "[2]"])
    events = run(first, cells(3, 4), retries=1)
    assert [view.attempt for view in first.views] == [0, 1, 0, 0]
    assert first.views[0].illegal == ""
    assert "names no action" in first.views[1].illegal
    assert first.views[2].illegal == ""
    refused = [event for event in events if isinstance(event, IllegalReply)]
    assert [(event.turn, event.seat, event.attempt, event.reply.answer) for event in refused] == [(0, 0, 0, "[9]")]
    taken = [event for event in events if isinstance(event, TurnTaken)]
    assert taken[0].attempt == 1
    assert events[-1] == MatchEnded((1.0, -1.0), forfeit=None, turns=5)


def test_retries_count_per_turn_not_per_match() -> None:
    first = Stub(["x", "[0]", "x", "[1]", "x", "[2]"])
    assert run(first, cells(3, 4), retries=1)[-1] == MatchEnded((1.0, -1.0), forfeit=None, turns=5)


def test_all_attempts_illegal_forfeit_after_the_last() -> None:
    events = run(Stub(["x", "y", "z"]), cells(), retries=2)
    assert kinds(events)[-5:] == ["IllegalReply", "IllegalReply", "IllegalReply", "Forfeit", "MatchEnded"]


@pytest.mark.parametrize("watched", [False, True])
def test_a_failure_of_the_infrastructure_voids_the_match(watched: bool) -> None:
    events = run(cells(0), Stub([InfrastructureError("the server is gone", "Try again.")]), watched=watched)
    assert events[-1] == Void(1, 1, "the server is gone Try again.")
    assert not any(isinstance(event, MatchEnded) for event in events)


@pytest.mark.parametrize("watched", [False, True])
def test_a_bug_in_a_player_is_not_hidden(watched: bool) -> None:
    with pytest.raises(ZeroDivisionError):
        run(Stub([ZeroDivisionError()]), cells(), watched=watched)


def test_a_watched_match_shows_replies_as_they_grow() -> None:
    first = Stub(["[0]", "[1]", "[2]"], speaks=("h", "hm"))
    events = run(first, cells(3, 4), watched=True)
    partial = [event for event in events if isinstance(event, Partial)]
    assert [(event.turn, event.seat, event.text) for event in partial[:2]] == [(0, 0, "h"), (0, 0, "hm")]
    assert kinds(events)[:5] == ["MatchStarted", "TurnStarted", "Partial", "Partial", "TurnTaken"]


def test_watching_changes_nothing_else() -> None:
    watched = run(cells(0, 1, 2), cells(3, 4), watched=True)
    assert [event for event in watched if not isinstance(event, Partial)] == run(cells(0, 1, 2), cells(3, 4))


def test_unwatched_players_have_nowhere_to_show_their_text() -> None:
    first = Stub(["[0]", "[1]", "[2]"], speaks=("h",))
    events = run(first, cells(3, 4))
    assert not any(isinstance(event, Partial) for event in events)
    assert first.views[0].partial is None


def test_only_players_that_may_see_the_state_get_it() -> None:
    blind, seeing = cells(0, 1, 2), cells(3, 4)
    seeing.sees_state = True
    run(blind, seeing)
    assert all(view.state is None for view in blind.views)
    assert [view.state is not None and view.state.to_act for view in seeing.views] == [1, 1]


def test_a_view_holds_what_the_seat_may_know() -> None:
    first, second = Stub(["[bet]"]), Stub(["[fold]"])
    run(first, second, "kuhn_poker?hands=1&payoff=chips")
    (view,) = second.views
    assert (view.game, view.seat, view.key, view.turn) == ("kuhn_poker", 1, 7, 1)
    assert view.variant == {"hands": 1, "payoff": "chips"}
    assert view.legal == ["[fold]", "[call]"]
    assert view.observation.endswith("They bet.")
    assert "Kuhn Poker" in view.rules


def test_a_match_may_start_elsewhere() -> None:
    spec = GameSpec.parse("tictactoe")
    start = spec.new(0).apply("[0]").apply("[3]").apply("[1]").apply("[4]")
    assert run(cells(2), cells(), start=start)[-1] == MatchEnded((1.0, -1.0), forfeit=None, turns=1)


def test_a_start_at_the_end_is_over_at_once() -> None:
    start = GameSpec.parse("kuhn_poker?hands=1").new(0).apply("[bet]").apply("[fold]")
    assert kinds(run(cells(), cells(), start=start)) == ["MatchStarted", "MatchEnded"]


def test_random_players_replay_the_same_match_from_the_same_key() -> None:
    async def match(key: int) -> list[Event]:
        players = (load_player("random"), load_player("random"))
        return [event async for event in play(GameSpec.parse("kuhn_poker"), players, key)]

    assert asyncio.run(match(5)) == asyncio.run(match(5))
    assert asyncio.run(match(5)) != asyncio.run(match(6))


def test_a_random_player_draws_by_turn_and_attempt() -> None:
    player = load_player("random")

    def answer(turn: int, attempt: int, seat: int = 0) -> str:
        sample: Callable[..., str] = str
        legal = [f"[{number}]" for number in range(10_000)]
        view = View("tictactoe", {}, seat, "", "", legal, sample, key=3, turn=turn, attempt=attempt)
        return asyncio.run(player.act(view)).answer

    assert answer(0, 0) == answer(0, 0)
    assert len({answer(0, 0), answer(0, 1), answer(1, 0), answer(0, 0, seat=1)}) == 4


def test_a_match_left_early_leaves_no_task_behind() -> None:
    async def leave() -> int:
        players = (Stub(["[0]"], speaks=("a", "b", "c")), cells())
        async for event in (stream := play(GameSpec.parse("tictactoe"), players, 7, watched=True)):
            if isinstance(event, Partial):
                break
        await stream.aclose()  # type: ignore[attr-defined]
        await asyncio.sleep(0.01)
        return len(asyncio.all_tasks())

    assert asyncio.run(leave()) == 1
