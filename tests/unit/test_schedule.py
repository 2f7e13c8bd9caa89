"""Schedules and the runner: pairs with the same luck, whole records, replayed voids."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.core.errors import InfrastructureError
from arena.core.keys import draw
from arena.core.player import Player, Reply, View
from arena.core.registry import GameSpec, load_player
from arena.runs.rows import MatchRow, TurnRow
from evals.runner import MatchList, Outcome, run_matches
from evals.schedule import round_robin

TICTACTOE = GameSpec.parse("tictactoe")
KUHN = GameSpec.parse("kuhn_poker?hands=1&payoff=chips")


@given(names=st.lists(st.text(min_size=1), min_size=2, max_size=5, unique=True), pairs=st.integers(1, 4))
def test_every_two_players_meet_once_per_game_pair_and_seat(names: list[str], pairs: int) -> None:
    schedule = round_robin([TICTACTOE, KUHN], names, pairs, seed=1)
    assert [planned.number for planned in schedule] == list(range(len(schedule)))
    meetings = Counter((planned.game.name, planned.seats, planned.pair) for planned in schedule)
    expected = {
        (game.name, seats, pair)
        for game in (TICTACTOE, KUHN)
        for a, b in combinations(names, 2)
        for seats in ((a, b), (b, a))
        for pair in range(pairs)
    }
    assert set(meetings) == expected
    assert set(meetings.values()) == {1}
    assert len({planned.unit for planned in schedule}) == len(schedule)


def test_both_legs_of_a_pair_share_the_key_and_pairs_games_and_seeds_do_not() -> None:
    keys: dict[tuple[str, int, int], set[int]] = {}
    for seed in (1, 2):
        for planned in round_robin([TICTACTOE, KUHN], ["a", "b", "c"], 3, seed):
            keys.setdefault((planned.game.name, planned.pair, seed), set()).add(planned.key)
    assert all(len(found) == 1 for found in keys.values())
    assert len({key for found in keys.values() for key in found}) == len(keys) == 12


def test_a_cut_schedule_is_balanced_and_longer_ones_begin_like_shorter_ones() -> None:
    short = round_robin([TICTACTOE, KUHN], ["a", "b", "c"], 2, seed=5)
    assert round_robin([TICTACTOE, KUHN], ["a", "b", "c"], 9, seed=5)[: len(short)] == short


@pytest.mark.parametrize("concurrency", [1, 3, 64])
def test_results_do_not_depend_on_concurrency(concurrency: int) -> None:
    names = ["random", "optimal", "scripted"]
    assert _bare(_play(names, concurrency)) == _bare(_play(names, 7))


def test_returns_and_forfeits_are_told_from_the_players_side() -> None:
    recorder = MatchList()
    players: dict[str, Player] = {"mute": Mute(), "random": load_player("random")}
    schedule = round_robin([TICTACTOE], list(players), 2, seed=0)
    asyncio.run(run_matches(schedule, players, recorder, retries=1))
    assert [(m.leg, m.return_a, m.return_b, m.forfeit) for m in recorder.matches] == [
        (0, -1.0, 1.0, "a"), (1, -1.0, 1.0, "a"), (0, -1.0, 1.0, "a"), (1, -1.0, 1.0, "a"),
    ]  # fmt: skip
    match, turns = recorder.finished[0]
    silent = [turn for turn in turns if turn.seat == match.seat_a]
    assert [(turn.attempt, turn.action) for turn in silent] == [(0, None), (1, None)]
    assert all(turn.illegal for turn in silent)


def test_a_void_match_is_replayed_whole_and_counted() -> None:
    recorder, players = MatchList(), _with(Flaky(failures=2))
    outcome = asyncio.run(run_matches(round_robin([TICTACTOE], list(players), 1, 0), players, recorder, 1))
    assert (outcome.played, outcome.voids, outcome.unplayed) == (2, 2, [])
    assert [match.voids for match in recorder.matches] == [1, 1]
    sound = MatchList()
    asyncio.run(run_matches(round_robin([TICTACTOE], list(players), 1, 0), players, sound))
    assert _bare(sound) == [(replace(match, voids=0), turns) for match, turns in _bare(recorder)]


def test_a_match_that_stays_void_is_left_out_and_the_others_are_played() -> None:
    recorder, players = MatchList(), _with(Flaky(failures=2))
    outcome = asyncio.run(run_matches(round_robin([TICTACTOE], list(players), 2, 0), players, recorder, 1, replays=0))
    assert (outcome.played, outcome.voids) == (2, 2)
    assert [planned.number for planned in outcome.unplayed] == [0, 1]
    assert "out of order" in outcome.reason


def test_when_asked_to_stop_matches_in_flight_are_finished_and_none_begun() -> None:
    recorder = MatchList()
    names = ["random", "optimal"]
    players = {name: load_player(name) for name in names}
    outcome: Outcome = asyncio.run(
        run_matches(
            round_robin([TICTACTOE], names, 20, 0), players, recorder, 4, should_stop=lambda: len(recorder.finished) > 5
        )
    )
    assert outcome.stopped
    assert 6 <= outcome.played == len(recorder.finished) <= 9


def test_an_error_of_a_player_is_raised_and_nothing_half_played_is_kept() -> None:
    recorder, players = MatchList(), _with(Broken())
    with pytest.raises(ZeroDivisionError):
        asyncio.run(run_matches(round_robin([TICTACTOE], list(players), 3, 0), players, recorder))
    assert recorder.finished == []


def test_a_watcher_sees_the_events_of_every_match() -> None:
    seen: Counter[str] = Counter()
    names = ["random", "optimal"]
    players = {name: load_player(name) for name in names}
    recorder = MatchList()
    schedule = round_robin([TICTACTOE], names, 2, 0)
    asyncio.run(run_matches(schedule, players, recorder, watch=lambda _, event: seen.update([type(event).__name__])))
    assert seen["MatchStarted"] == seen["MatchEnded"] == 4
    assert seen["TurnTaken"] == sum(match.turns for match in recorder.matches)


def _play(names: list[str], concurrency: int) -> MatchList:
    recorder = MatchList()
    players = {name: load_player(name) for name in names}
    asyncio.run(run_matches(round_robin([TICTACTOE, KUHN], names, 5, 3), players, recorder, concurrency))
    return recorder


def _bare(recorder: MatchList) -> list[tuple[MatchRow, list[TurnRow]]]:
    """Everything but the timings, in schedule order."""
    finished = sorted(recorder.finished, key=lambda item: item[0].number)
    return [(replace(match, seconds=0.0), [replace(turn, seconds=0.0) for turn in turns]) for match, turns in finished]


def _with(player: Player) -> dict[str, Player]:
    return {player.name: player, "random": load_player("random")}


@dataclass
class Mute:
    """Says nothing that is an action."""

    name: str = "mute"
    sees_state: bool = False

    async def act(self, view: View) -> Reply:
        return Reply(text="...", thought="", answer="...")

    async def close(self) -> None:
        return None


@dataclass
class Flaky:
    """Fails to answer the first `failures` times, then plays like `random`."""

    failures: int
    name: str = "flaky"
    sees_state: bool = False
    asked: int = field(default=0)

    async def act(self, view: View) -> Reply:
        self.asked += 1
        if self.asked <= self.failures:
            raise InfrastructureError("out of order")
        assert view.legal is not None
        answer = draw(view.key, f"player{view.seat}", view.turn).choice(view.legal)
        return Reply(text=answer, thought="", answer=answer)

    async def close(self) -> None:
        return None


@dataclass
class Broken:
    """Has a bug."""

    name: str = "broken"
    sees_state: bool = False

    async def act(self, view: View) -> Reply:
        raise ZeroDivisionError

    async def close(self) -> None:
        return None
