"""The live view: what stands in the slots while matches are played, and that it costs and changes nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from databases import changing
from stored_rows import Matches, match_rows
from toy_model import make

from arena.core.errors import InfrastructureError
from arena.core.events import Event, Partial
from arena.core.keys import draw
from arena.core.player import Player, Reply, View
from arena.core.registry import GameSpec, load_player
from arena.runs.paths import DB_NAME
from arena.runs.reader import RunReader
from arena.runs.rows import MatchRow, PartialRow, TurnRow
from arena.runs.store import RunStore
from evals import featured
from evals.featured import ENDED, Featured
from evals.runner import MatchList, run_matches
from evals.schedule import PlannedMatch, round_robin

TICTACTOE = GameSpec.parse("tictactoe")
KUHN = GameSpec.parse("kuhn_poker")
SNAKE = GameSpec.parse("snake")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(featured, "SECONDS", 0.02)


@dataclass
class Thinker:
    """Tells half of its thought, then waits for its turn to be let go; plays like `random`."""

    name: str = "thinker"
    sees_state: bool = False
    open_turns: int = 0
    """How many turns are let go without waiting."""
    went_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def act(self, view: View) -> Reply:
        if view.partial is not None:
            view.partial(f"Hm, turn {view.turn}")
        self.open_turns -= 1
        if self.open_turns < 0:
            await self.went_on.wait()
        answer = view.sample(draw(view.key, f"player{view.seat}", view.turn))
        return Reply(text=f"Hm, turn {view.turn} is mine.\n{answer}", thought="Hm.", answer=answer)

    async def close(self) -> None:
        return None


async def until_rows(reader: RunReader, what: Callable[[list[PartialRow]], object]) -> list[PartialRow]:
    """What stands in the slots, once it is as wanted."""
    deadline = time.monotonic() + 20
    while not what(rows := reader.partials()):
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.002)
    return rows


async def until_row(reader: RunReader, what: Callable[[PartialRow], object]) -> PartialRow:
    """The only match shown, once it is as wanted."""
    (row,) = await until_rows(reader, lambda rows: rows and what(rows[0]))
    return row


@asynccontextmanager
async def playing(
    run_dir: Path, schedule: list[PlannedMatch], players: dict[str, Player], **options: Any
) -> AsyncIterator[RunReader]:
    """The schedule while it is played, and its database to look into."""
    with RunStore(run_dir) as store, RunReader(run_dir) as reader:
        task = asyncio.create_task(run_matches(schedule, players, store, **options))
        try:
            yield reader
            outcome = await task
            assert outcome.played == len(schedule)
        finally:
            task.cancel()
        assert reader.partials() == [], "emptied at the end"


def test_a_thought_is_seen_while_it_grows_and_the_turns_before_it_are_whole(tmp_path: Path) -> None:
    thinker = Thinker(open_turns=1)
    players: dict[str, Player] = {"thinker": thinker, "random": load_player("random")}
    schedule = round_robin([TICTACTOE], list(players), 1, 0)[:1]

    async def watch() -> tuple[PartialRow, list[TurnRow]]:
        async with playing(tmp_path, schedule, players) as reader:
            row = await until_row(reader, lambda row: row.turn == 2 and row.text)
            thinker.went_on.set()
        with RunReader(tmp_path) as reader:
            (match,) = reader.all_matches()
            return row, reader.turns(match.id)

    row, stored = asyncio.run(watch())
    assert (row.slot, row.game, row.a, row.b, row.pair, row.leg) == (0, "tictactoe", "thinker", "random", 0, 0)
    assert (row.turn, row.seat, row.text, row.step) == (2, 0, "Hm, turn 2", 0)
    assert row.at > time.time() - 60
    turns = [TurnRow(**turn) for turn in json.loads(row.turns)]
    assert turns == stored[:2]
    assert row.board == turns[-1].board


def test_before_the_first_turn_the_first_position_is_shown(tmp_path: Path) -> None:
    thinker = Thinker()
    players: dict[str, Player] = {"thinker": thinker, "random": load_player("random")}

    async def watch() -> PartialRow:
        async with playing(tmp_path, round_robin([TICTACTOE], list(players), 1, 0)[:1], players) as reader:
            row = await until_row(reader, lambda row: row.text)
            thinker.went_on.set()
            return row

    row = asyncio.run(watch())
    assert (row.turn, row.seat, row.turns) == (0, 0, "[]")
    assert row.board == TICTACTOE.new(0).board()


def test_illegal_replies_stand_among_the_turns_with_their_reason(tmp_path: Path) -> None:
    thinker = Thinker(open_turns=0)

    class Clumsy(Thinker):
        async def act(self, view: View) -> Reply:
            return Reply("nonsense", "", "nonsense") if view.attempt == 0 else await super().act(view)

    clumsy = Clumsy(name="clumsy", went_on=thinker.went_on)
    players: dict[str, Player] = {"clumsy": clumsy, "random": load_player("random")}

    async def watch() -> PartialRow:
        async with playing(tmp_path, round_robin([TICTACTOE], list(players), 1, 0)[:1], players) as reader:
            row = await until_row(reader, lambda row: row.text)
            thinker.went_on.set()
            return row

    row = asyncio.run(watch())
    (turn,) = json.loads(row.turns)
    assert (turn["turn"], turn["attempt"], turn["action"], turn["text"]) == (0, 0, None, "nonsense")
    assert turn["illegal"]
    assert row.board == TICTACTOE.new(0).board()


def test_the_slots_are_spread_over_games_and_players(tmp_path: Path) -> None:
    names = ["a", "b", "c"]
    go = asyncio.Event()
    players: dict[str, Player] = {name: Thinker(name, went_on=go) for name in names}
    schedule = round_robin([TICTACTOE, KUHN, SNAKE], names, 4, 0)

    async def watch() -> list[PartialRow]:
        async with playing(tmp_path, schedule, players) as reader:
            rows = await until_rows(reader, lambda rows: len(rows) == 8)
            go.set()
            return rows

    rows = asyncio.run(watch())
    assert [row.slot for row in rows] == list(range(8))
    assert max(Counter(row.game for row in rows).values()) == 3
    assert len({(row.game, row.a, row.b) for row in rows}) == 8


def test_a_single_pairing_has_all_slots(tmp_path: Path) -> None:
    go = asyncio.Event()
    players: dict[str, Player] = {name: Thinker(name, went_on=go) for name in ("a", "b")}

    async def watch() -> list[PartialRow]:
        async with playing(tmp_path, round_robin([SNAKE], ["a", "b"], 10, 0), players) as reader:
            rows = await until_rows(reader, lambda rows: len(rows) == 8)
            go.set()
            return rows

    rows = asyncio.run(watch())
    assert len({(row.pair, row.leg) for row in rows}) == 8


def test_a_finished_match_shows_its_end_until_the_next_one_takes_its_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(featured, "SECONDS", 0.5)
    thinker = Thinker()
    players: dict[str, Player] = {
        "thinker": thinker,
        "random": load_player("random"),
        "optimal": load_player("optimal"),
    }
    short = round_robin([TICTACTOE], ["random", "optimal"], 1, 0)[:1]
    long = round_robin([TICTACTOE], ["thinker", "random"], 1, 0)[:1]

    async def watch() -> PartialRow:
        async with playing(tmp_path, short + long, players, featured=1, concurrency=1) as reader:
            row = await until_row(reader, lambda row: True)
            assert thinker.open_turns == -1, "the next match has begun, too soon for the slot"
            thinker.went_on.set()
            return row

    row = asyncio.run(watch())
    with RunReader(tmp_path) as reader:
        match = reader.all_matches()[0]
        turns = reader.turns(match.id)
    assert (row.a, row.b, row.seat, row.text, row.turn) == ("random", "optimal", ENDED, "", match.turns)
    assert [TurnRow(**turn) for turn in json.loads(row.turns)] == turns
    assert row.board == turns[-1].board


def test_a_freed_slot_is_taken_by_a_match_that_begins_later(tmp_path: Path) -> None:
    class Pausing(Thinker):
        """Waits once in every match."""

        async def act(self, view: View) -> Reply:
            if view.turn == 0:
                self.went_on.clear()
            return await super().act(view)

    thinker = Pausing()
    players: dict[str, Player] = {"thinker": thinker, "random": load_player("random")}
    schedule = [planned for planned in round_robin([TICTACTOE], list(players), 3, 0) if planned.leg == 0]

    async def watch() -> None:
        async with playing(tmp_path, schedule, players, featured=1, concurrency=1) as reader:
            for planned in schedule:
                pair = planned.pair
                await until_row(reader, lambda row, pair=pair: row.pair == pair and row.text)  # type: ignore[misc]
                await asyncio.sleep(2 * featured.SECONDS)
                thinker.went_on.set()

    asyncio.run(watch())


def test_what_an_attempt_that_was_killed_left_behind_is_cleared(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store, RunReader(tmp_path) as reader:
        store.set_partial(PartialRow(7, "tictactoe", "a", "b", 0, 0, 1, 0, "I th", "...", "[]"))
        Featured(store)
        assert reader.partials() == []


class Stage:
    """Counts what it is shown."""

    def __init__(self) -> None:
        self.writes: list[tuple[float, int]] = []

    def add_match(self, match: MatchRow, turns: object) -> None:
        return None

    def set_partials(self, rows: Iterable[PartialRow]) -> None:
        self.writes.append((time.monotonic(), len(list(rows))))

    def clear_partials(self) -> None:
        return None

    def add_event(self, kind: str, message: str, step: int = 0, detail: str = "{}", now: bool = True) -> None:
        raise AssertionError(message)


def test_fast_bots_are_sampled_and_written_at_a_bounded_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(featured, "SECONDS", 0.1)
    stage, names = Stage(), ["random", "scripted", "optimal"]
    players = {name: load_player(name) for name in names}
    began = time.monotonic()
    asyncio.run(run_matches(round_robin([TICTACTOE], names, 400, 0), players, stage))
    elapsed = time.monotonic() - began
    assert 2 <= len(stage.writes) <= elapsed / 0.1 + 1
    assert all(count <= 8 for _, count in stage.writes)
    times = [at for at, _ in stage.writes]
    assert min(after - before for before, after in pairwise(times)) >= 0.095
    assert elapsed > 0.2, "or the test says nothing"


def test_a_player_that_tells_every_token_is_not_written_every_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(featured, "SECONDS", 0.1)

    class Chatty(Thinker):
        async def act(self, view: View) -> Reply:
            for count in range(100):
                assert view.partial is not None
                view.partial("x" * count)
                await asyncio.sleep(0)
            return await super().act(view)

    stage = Stage()
    players: dict[str, Player] = {name: Chatty(name, open_turns=10**6) for name in ("a", "b")}
    began = time.monotonic()
    asyncio.run(run_matches(round_robin([TICTACTOE], ["a", "b"], 4, 0), players, stage))
    assert 1 <= len(stage.writes) <= (time.monotonic() - began) / 0.1 + 1


def test_a_failing_write_ends_the_live_view_and_not_the_job(tmp_path: Path) -> None:
    players = {name: load_player(name) for name in ("random", "optimal")}
    with RunStore(tmp_path) as store:
        with changing(tmp_path / DB_NAME) as db:
            db.execute("DROP TABLE partial")
        outcome = asyncio.run(run_matches(round_robin([TICTACTOE], list(players), 40, 0), players, store))
    assert outcome.played == 80
    with RunReader(tmp_path) as reader:
        assert reader.count("match") == 80
        (event,) = reader.events()
    assert event.kind == "warning"
    assert "no such table" in event.message


def test_a_write_that_fails_midway_is_noted_once(tmp_path: Path) -> None:
    go = asyncio.Event()
    players: dict[str, Player] = {name: Thinker(name, went_on=go) for name in ("a", "b")}
    schedule = round_robin([TICTACTOE], ["a", "b"], 10, 0)

    async def watch() -> None:
        with RunStore(tmp_path) as store, RunReader(tmp_path) as reader:
            task = asyncio.create_task(run_matches(schedule, players, store))
            await until_rows(reader, bool)
            with changing(tmp_path / DB_NAME) as db:
                db.execute("DROP TABLE partial")
            go.set()
            assert (await task).played == 20

    asyncio.run(watch())
    with RunReader(tmp_path) as reader:
        assert [event.kind for event in reader.events()] == ["warning"]


def test_a_void_match_gives_its_slot_back(tmp_path: Path) -> None:
    class Broken(Thinker):
        async def act(self, view: View) -> Reply:
            self.open_turns -= 1
            if self.open_turns > -3:
                raise InfrastructureError("out of order")
            await self.went_on.wait()
            raise InfrastructureError("out of order")

    broken = Broken(name="broken")
    players: dict[str, Player] = {"broken": broken, "random": load_player("random")}

    async def watch() -> PartialRow:
        with RunStore(tmp_path) as store, RunReader(tmp_path) as reader:
            schedule = round_robin([TICTACTOE], list(players), 1, 0)[:1]
            task = asyncio.create_task(run_matches(schedule, players, store, replays=3))
            row = await until_row(reader, lambda row: True)
            broken.went_on.set()
            assert (await task).voids == 3
            return row

    row = asyncio.run(watch())
    assert (row.slot, row.text, row.turns) == (0, "", "[]"), "the replay has the slot of the void match"


def test_whoever_watches_every_match_still_gets_the_growing_replies(tmp_path: Path) -> None:
    events: list[Event] = []
    players: dict[str, Player] = {name: Thinker(name, open_turns=10**6) for name in ("a", "b")}
    with RunStore(tmp_path) as store:
        schedule = round_robin([TICTACTOE], ["a", "b"], 1, 0)[:1]
        asyncio.run(run_matches(schedule, players, store, watch=lambda _, event: events.append(event)))
    texts = [event.text for event in events if isinstance(event, Partial)]
    assert texts[:2] == ["Hm, turn 0", "Hm, turn 1"]


@pytest.mark.parametrize("concurrency", [1, 16])
def test_models_play_the_same_matches_with_and_without_a_live_view(
    tmp_path_factory: pytest.TempPathFactory, concurrency: int
) -> None:
    folder = make(tmp_path_factory.mktemp("toy"))
    names = [f"ckpt:{folder}?max_tokens=12", "random"]
    schedule = round_robin([KUHN, SNAKE], names, 4, 3)

    def stored(live: bool) -> Matches:
        players = {name: load_player(name) for name in names}
        run_dir = tmp_path_factory.mktemp("run")
        with RunStore(run_dir) as store:
            asyncio.run(run_matches(schedule, players, store, concurrency, featured=8 if live else 0))
        return match_rows(run_dir)

    assert stored(live=True) == stored(live=False)


def test_a_recorder_without_slots_is_shown_nothing() -> None:
    recorder = MatchList()
    players = {name: load_player(name) for name in ("random", "optimal")}
    asyncio.run(run_matches(round_robin([TICTACTOE], list(players), 2, 0), players, recorder))
    assert len(recorder.finished) == 4


def test_lone_surrogates_and_control_characters_come_back_as_text(tmp_path: Path) -> None:
    class Hostile(Thinker):
        async def act(self, view: View) -> Reply:
            if view.turn == 0:
                answer = view.sample(draw(view.key, "x", 0))
                return Reply(f"\ud800\x1b[2J\x00{answer}", "[/bold]\u202e", answer)
            return await super().act(view)

    hostile = Hostile(name="hostile")
    players: dict[str, Player] = {"hostile": hostile, "random": load_player("random")}

    async def watch() -> PartialRow:
        async with playing(tmp_path, round_robin([TICTACTOE], list(players), 1, 0)[:1], players) as reader:
            row = await until_row(reader, lambda row: row.turn == 2)
            hostile.went_on.set()
            return row

    turns = json.loads(asyncio.run(watch()).turns)
    assert turns[0]["text"].startswith("?\x1b[2J\x00")
    assert turns[0]["thought"] == "[/bold]\u202e"
