"""Players that stall, stop or fail: nobody else's matches suffer, and what is left open is named."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.core.errors import InfrastructureError, PlayerStopped
from arena.core.keys import draw
from arena.core.player import Player, Reply, View
from arena.core.registry import GameSpec, load_player
from arena.runs.rows import MatchRow, TurnRow
from evals import runner
from evals.runner import VOIDS_IN_A_ROW, MatchList, Outcome, run_matches
from evals.schedule import PlannedMatch, round_robin
from evals.waiting import Waiting

TICTACTOE = GameSpec.parse("tictactoe")
BOTS = ("random", "scripted", "optimal")


@dataclass
class Outside:
    """Plays at random, but first does what its script says."""

    script: Callable[[int, View], Coroutine[Any, Any, None]]
    """Gets the number of the call, from 0."""
    name: str = "outside"
    sees_state: bool = False
    calls: int = 0
    waiting: int = 0
    most_waiting: int = 0
    began: list[tuple[int, int]] = field(default_factory=list)

    async def act(self, view: View) -> Reply:
        number, self.calls = self.calls, self.calls + 1
        self.waiting += 1
        self.most_waiting = max(self.waiting, self.most_waiting)
        try:
            await self.script(number, view)
        finally:
            self.waiting -= 1
        answer = view.sample(draw(view.key, f"player{view.seat}", view.turn))
        return Reply(answer, "", answer)

    async def close(self) -> None:
        return None


async def never(number: int, view: View) -> None:
    await asyncio.Event().wait()


async def at_once(number: int, view: View) -> None:
    await asyncio.sleep(0)


async def refused(number: int, view: View) -> None:
    await asyncio.sleep(0)
    raise PlayerStopped("the key is refused")


async def broken(number: int, view: View) -> None:
    await asyncio.sleep(0)
    raise InfrastructureError("no answer")


def play(outside: Outside, pairs: int = 4, concurrency: int = 8, **options: Any) -> tuple[Outcome, MatchList]:
    """A round-robin of the outside player and bots; a test that hangs fails."""
    recorder = MatchList()
    players: dict[str, Player] = {outside.name: outside, **{name: load_player(name) for name in BOTS}}
    schedule = round_robin([TICTACTOE], list(players), pairs, 0)

    async def within() -> Outcome:
        async with asyncio.timeout(20):
            return await run_matches(schedule, players, recorder, concurrency, **options)

    return asyncio.run(within()), recorder


def bots_only(recorder: MatchList) -> list[tuple[MatchRow, list[TurnRow]]]:
    found = [item for item in recorder.finished if "outside" not in (item[0].a, item[0].b)]
    found.sort(key=lambda item: item[0].number)
    return [(replace(match, seconds=0.0), [replace(turn, seconds=0.0) for turn in turns]) for match, turns in found]


@pytest.mark.parametrize("concurrency", [1, 3, 64])
@pytest.mark.parametrize("script", [refused, broken])
def test_a_stopped_player_leaves_its_matches_open_and_nobody_elses(
    script: Callable[[int, View], Coroutine[Any, Any, None]], concurrency: int
) -> None:
    _, sound = play(Outside(at_once), concurrency=concurrency)
    told: list[tuple[str, str]] = []
    outcome, recorder = play(Outside(script), concurrency=concurrency, on_stopped=lambda *stopped: told.append(stopped))
    assert bots_only(recorder) == bots_only(sound)
    assert len(recorder.finished) == outcome.played == 4 * 2 * 3
    assert [planned.number for planned in outcome.unplayed] == sorted(planned.number for planned in outcome.unplayed)
    assert len({planned.unit for planned in outcome.unplayed}) == len(outcome.unplayed) == 4 * 2 * 3
    assert all("outside" in planned.seats for planned in outcome.unplayed)
    assert told == list(outcome.stopped_players.items())
    assert list(outcome.stopped_players) == ["outside"]
    assert not outcome.stopped


def test_when_a_player_is_stopped_its_matches_in_flight_are_given_up_at_once() -> None:
    async def refused_late(number: int, view: View) -> None:
        if number < 7:
            await asyncio.Event().wait()
        raise PlayerStopped("the key is refused")

    outside = Outside(refused_late)
    outcome, recorder = play(outside, concurrency=64)
    assert outside.most_waiting == 8
    assert outside.waiting == 0
    assert len(outcome.unplayed) == len(recorder.finished) == 24
    assert outcome.stopped_players == {"outside": "the key is refused"}


def test_void_matches_in_a_row_stop_the_player() -> None:
    outside = Outside(broken)
    outcome, _ = play(outside, concurrency=1)
    assert outcome.voids == outside.calls == VOIDS_IN_A_ROW
    (reason,) = outcome.stopped_players.values()
    assert reason == "3 matches in a row were void: no answer"


def test_a_finished_match_begins_the_count_anew() -> None:
    async def one_good_match_after_two_bad(number: int, view: View) -> None:
        if view.turn < 2 and (bad := next(fails)):
            raise InfrastructureError(f"no answer {bad}")

    fails = iter([1, 2, 0] * 1000)
    outcome, recorder = play(Outside(one_good_match_after_two_bad), concurrency=1, replays=1000)
    assert outcome.stopped_players == {}
    assert (outcome.unplayed, len(recorder.finished)) == ([], 48)
    assert outcome.voids > 10


def test_many_in_flight_that_wait_in_vain_for_one_outage_burn_one_deadline() -> None:
    async def deadline(number: int, view: View) -> None:
        await asyncio.sleep(1)
        raise InfrastructureError("no answer")

    began = time.monotonic()
    outside = Outside(deadline)
    outcome, _ = play(outside, pairs=20, concurrency=64)
    assert time.monotonic() - began < 2.9
    assert outcome.voids == VOIDS_IN_A_ROW
    assert outside.calls <= 64
    assert len(outcome.unplayed) == 20 * 2 * 3


def test_a_match_that_alone_stays_void_is_left_out_without_stopping_the_player() -> None:
    bad = round_robin([TICTACTOE], ["a", "b"], 8, 0)[0].key
    asked = []

    async def one_bad_match(number: int, view: View) -> None:
        asked.append(view.key)
        if view.key == bad and view.seat == 0:
            raise InfrastructureError("no answer")

    outcome, recorder = play(Outside(one_bad_match), pairs=8, concurrency=1, replays=3)
    assert outcome.stopped_players == {}
    assert [(planned.pair, planned.leg) for planned in outcome.unplayed] == [(0, 0)] * 3
    assert (outcome.voids, outcome.played) == (3 * 4, 8 * 2 * 6 - 3)
    assert len(recorder.finished) == outcome.played


def test_a_void_match_is_replayed_soon_but_not_at_once() -> None:
    schedule = round_robin([TICTACTOE], ["a", "b", "c"], 40, 0)
    waiting = Waiting(schedule, 4)
    for _ in range(4):
        begun = waiting.take()
        assert begun is not None
        waiting.ended(begun)
    waiting.put_back(schedule[0])
    order = []
    while (planned := waiting.take()) is not None:
        order.append(planned)
        waiting.ended(planned)
    assert 6 <= order.index(schedule[0]) <= 12
    assert sorted(planned.number for planned in order) == [0, *range(4, len(schedule))]


@pytest.mark.parametrize("concurrency", [2, 8, 64])
def test_a_player_that_never_answers_does_not_hold_up_the_others(concurrency: int) -> None:
    release = asyncio.Event()
    recorder = MatchList()
    outside = Outside(lambda number, view: wait_for(release))
    others = [Outside(quick, name=name) for name in ("b", "c", "d")]
    players: dict[str, Player] = {player.name: player for player in (outside, *others)}
    schedule = round_robin([TICTACTOE], list(players), 50, 0)

    async def run() -> int:
        task = asyncio.create_task(run_matches(schedule, players, recorder, concurrency))
        async with asyncio.timeout(20):
            while len(recorder.finished) < 300:
                await asyncio.sleep(0.01)
            while outside.waiting < concurrency:
                await asyncio.sleep(0.01)
        met = {name for match, _ in recorder.finished for name in (match.a, match.b)}
        assert met == {"b", "c", "d"}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return outside.most_waiting

    assert asyncio.run(run()) == concurrency, "slots that nobody else needs are not left empty"


async def quick(number: int, view: View) -> None:
    await asyncio.sleep(0.0005)


async def wait_for(event: asyncio.Event) -> None:
    await event.wait()


def test_two_slow_players_that_never_meet_share_the_slots_and_one_that_stalls_keeps_to_its_own() -> None:
    schedule = [planned for planned in round_robin([TICTACTOE], ["x", "y", "bot"], 50, 0) if "bot" in planned.seats]
    waiting = Waiting(schedule, 30)

    def begin(count: int) -> list[PlannedMatch]:
        begun = []
        for _ in range(count):
            planned = waiting.take()
            assert planned is not None
            waiting.acts(planned, "x" if "x" in planned.seats else "y")
            begun.append(planned)
        return begun

    taken = begin(30)
    assert Counter(planned.a for planned in taken if planned.a != "bot") == {"x": 15, "y": 15}
    for planned in taken:
        if "y" in planned.seats:
            waiting.ended(planned)
    assert all("y" in planned.seats for planned in begin(15))


@given(names=st.integers(2, 6), pairs=st.integers(1, 4), slots=st.integers(1, 70))
def test_matches_that_end_at_once_are_begun_in_the_order_of_the_schedule(names: int, pairs: int, slots: int) -> None:
    schedule = round_robin([TICTACTOE], [f"p{number}" for number in range(names)], pairs, 0)
    waiting, taken = Waiting(schedule, slots), []
    while (planned := waiting.take()) is not None:
        taken.append(planned)
        waiting.ended(planned)
    assert taken == schedule
    assert not waiting


@given(names=st.integers(2, 5), slots=st.integers(1, 9), seed=st.integers(0, 10**6))
def test_every_match_is_handed_out_once_however_they_end(names: int, slots: int, seed: int) -> None:
    rng = random.Random(seed)
    schedule = round_robin([TICTACTOE], [f"p{number}" for number in range(names)], 3, 0)
    waiting = Waiting(schedule, slots)
    in_flight: list[PlannedMatch] = []
    done: Counter[int] = Counter()
    while waiting or in_flight:
        if len(in_flight) < slots and (planned := waiting.take()) is not None:
            in_flight.append(planned)
        elif in_flight:
            planned = in_flight.pop(rng.randrange(len(in_flight)))
            waiting.ended(planned)
            if rng.random() < 0.2:
                waiting.put_back(planned)
            else:
                done[planned.number] += 1
        if rng.random() < 0.02:
            done.update(planned.number for planned in waiting.drop(f"p{rng.randrange(names)}"))
    assert done == Counter(planned.number for planned in schedule)


def test_at_a_polite_stop_a_match_that_waits_is_given_up_and_one_that_goes_on_is_finished() -> None:
    async def slow(number: int, view: View) -> None:
        await asyncio.sleep(0.05)

    recorder = MatchList()
    players: dict[str, Player] = {"stuck": Outside(never, "stuck"), "slow": Outside(slow, "slow")}
    players["random"] = load_player("random")
    schedule = round_robin([TICTACTOE], list(players), 3, 0)
    schedule = [planned for planned in schedule if "random" in planned.seats]

    async def run() -> Outcome:
        async with asyncio.timeout(20):
            asking = asyncio.get_running_loop().time() + 0.1
            stop = lambda: asyncio.get_running_loop().time() > asking  # noqa: E731
            return await run_matches(schedule, players, recorder, 4, should_stop=stop, patience=1.0)

    outcome = asyncio.run(run())
    assert outcome.stopped
    assert (outcome.unplayed, outcome.stopped_players, outcome.voids) == ([], {}, 0)
    assert {match.a for match in recorder.matches} == {"slow"}
    assert 1 <= len(recorder.finished) < 6


def test_while_nobody_replies_it_is_told_who_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "QUIET_SECONDS", 0.2)
    told: list[tuple[list[str], float]] = []
    ending = asyncio.Event()

    def tell(names: list[str], seconds: float) -> None:
        told.append((names, seconds))
        if len(told) == 3:
            ending.set()

    async def until_told(number: int, view: View) -> None:
        await ending.wait()

    play(Outside(until_told), pairs=1, on_quiet=tell)
    assert [names for names, _ in told] == [["outside"]] * 3
    assert [seconds >= least for (_, seconds), least in zip(told, (0.2, 0.4, 0.8), strict=True)] == [True] * 3


def test_a_stop_asked_for_while_the_last_match_hangs_is_a_stop() -> None:
    recorder = MatchList()
    players: dict[str, Player] = {"stuck": Outside(never, "stuck"), "random": load_player("random")}
    schedule = round_robin([TICTACTOE], list(players), 1, 0)[:1]

    async def run() -> Outcome:
        async with asyncio.timeout(20):
            return await run_matches(schedule, players, recorder, should_stop=lambda: True, patience=0.0)

    assert asyncio.run(run()).stopped


def test_a_player_that_does_not_let_itself_be_cancelled_ends_its_match_all_the_same() -> None:
    async def stubborn(number: int, view: View) -> None:
        if number < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return
        raise PlayerStopped("the key is refused")

    outcome, recorder = play(Outside(stubborn), concurrency=64)
    assert len(outcome.unplayed) == len(recorder.finished) == 24


def test_whoever_cancels_the_whole_schedule_does_so_at_once() -> None:
    async def run() -> None:
        players: dict[str, Player] = {"stuck": Outside(never, "stuck"), "random": load_player("random")}
        task = asyncio.create_task(run_matches(round_robin([TICTACTOE], list(players), 9, 0), players, MatchList()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(run(), 10))
