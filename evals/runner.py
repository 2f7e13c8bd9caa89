"""Play a schedule: many matches at once as coroutines, each recorded whole when it is finished.

A match's course depends on its key and its players alone, so neither concurrency nor order changes a result.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from arena.core.events import Event, IllegalReply, TurnStarted, Void
from arena.core.match import play
from arena.core.player import Player
from arena.runs.rows import MatchRow, TurnRow
from evals.featured import SLOTS, Featured, Stage
from evals.match_log import MatchLog, match_row
from evals.schedule import PlannedMatch
from evals.waiting import Waiting

CONCURRENCY = 64
REPLAYS = 3
"""How often a void match is replayed before it is left unplayed."""
VOIDS_IN_A_ROW = 3
"""So many matches in a row void through one player stop it."""
PATIENCE = 5.0
"""Seconds that a match in flight may wait for a reply once somebody asked to stop."""
QUIET_SECONDS = 60.0
"""After so long without a reply in any match it is told who is waited for; then after twice as long, and so on."""
_POLL_SECONDS = 0.1

Watch = Callable[[PlannedMatch, Event], None]


class Recorder(Protocol):
    """Where finished matches go: a run's `RunStore`, or `MatchList` for an evaluation inside training."""

    def add_match(self, match: MatchRow, turns: Sequence[TurnRow]) -> None:
        """Keep one finished match with all its replies."""


@dataclass(slots=True)
class MatchList:
    """Keeps finished matches in memory."""

    finished: list[tuple[MatchRow, list[TurnRow]]] = field(default_factory=list)

    def add_match(self, match: MatchRow, turns: Sequence[TurnRow]) -> None:
        self.finished.append((match, list(turns)))

    @property
    def matches(self) -> list[MatchRow]:
        """In the order of the schedule."""
        return sorted((match for match, _ in self.finished), key=lambda match: match.number)


class Room(NamedTuple):
    """Whose matches need room, and whether there is any."""

    players: frozenset[str]
    allows: Callable[[int, int], bool]
    """Told how many of their matches are in flight, and how many have been finished."""


@dataclass(slots=True)
class Outcome:
    """What became of a schedule."""

    played: int = 0
    voids: int = 0
    """Void matches, replays that were void again included."""
    unplayed: list[PlannedMatch] = field(default_factory=list)
    """Matches that stayed void, and those of stopped players; a resume tries them again."""
    reason: str = ""
    """Why the last void match was void."""
    stopped_players: dict[str, str] = field(default_factory=dict)
    """Players that could not go on, and why, in the order in which they were stopped."""
    stopped: bool = False
    """Whether `should_stop` ended it before its end."""


async def run_matches(
    schedule: Sequence[PlannedMatch],
    players: Mapping[str, Player],
    recorder: Recorder,
    concurrency: int = CONCURRENCY,
    retries: int = 1,
    replays: int = REPLAYS,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    watch: Watch | None = None,
    featured: int = SLOTS,
    on_void: Callable[[PlannedMatch, str], None] | None = None,
    on_stopped: Callable[[str, str], None] | None = None,
    on_quiet: Callable[[list[str], float], None] | None = None,
    patience: float = PATIENCE,
    room: Room | None = None,
) -> Outcome:
    """Play the schedule with at most `concurrency` matches in flight; `Waiting` says which is begun next.

    `watch` gets every event, the growing replies included. A recorder that has slots for them shows up to `featured`
    matches while they are played.

    A void match waits a while and is replayed whole, at most `replays` times; one that stays void is left out and
    named in the outcome. `on_void` gets each void match and the reason. A player that says it cannot go on is stopped,
    and so is one through whose seat VOIDS_IN_A_ROW matches in a row were void: in the order in which they ended, of
    all matches that it took part in, so that matches in flight together that wait in vain for one outage count one by
    one. Its matches in flight are void at once, none is begun any more, and everybody else plays on; `on_stopped` gets
    its name and the reason. `on_quiet` gets the players who are waited for, and for how many seconds nobody replied.

    A match of a player that `room` names does not begin while `room` refuses one more.

    Once `should_stop` says so no match is begun, and those in flight are finished, but for one in which nothing
    happens for `patience` seconds: that is given up and not recorded. An error of a player that is not
    InfrastructureError ends everything and is raised.
    """
    live = None
    if featured and isinstance(recorder, Stage):
        live = Featured(recorder, {(planned.game.name, planned.a, planned.b) for planned in schedule}, featured)
    slots = max(1, min(concurrency, len(schedule)))
    table = _Table(players, recorder, retries, replays, watch, on_void, on_stopped, live, Waiting(schedule, slots))
    table.room = room

    async def work() -> None:
        while await table.play_next(should_stop):
            if on_progress is not None:
                on_progress(table.outcome.played, len(schedule))
            # Bots never wait for anything: let the other matches and the signals have their turn.
            await asyncio.sleep(0)

    workers = [asyncio.create_task(work()) for _ in range(slots)]
    watching = [] if should_stop is None else [asyncio.create_task(table.end_politely(should_stop, patience))]
    watching += [] if on_quiet is None else [asyncio.create_task(table.tell_of_quiet(on_quiet))]
    try:
        await asyncio.gather(*workers)
    finally:
        for task in (*workers, *watching):
            task.cancel()
        await asyncio.gather(*workers, *watching, return_exceptions=True)
        if live is not None:
            live.close()
    table.outcome.unplayed.sort(key=lambda planned: planned.number)
    return table.outcome


@dataclass(slots=True)
class _Begun:
    """A match in flight."""

    planned: PlannedMatch
    task: asyncio.Task[None]
    began: float
    since: float
    """When something happened last; both on the monotonic clock."""
    log: MatchLog = field(default_factory=MatchLog)
    turn: int = 0
    seat: int = 0
    void: Void | None = None
    given_up: str = ""
    """Why nobody waits for it any more."""

    @property
    def over(self) -> bool:
        return self.void is not None or self.log.ended is not None

    def note(self, event: Event) -> None:
        self.log.add(event)
        match event:
            case TurnStarted() | IllegalReply():
                self.since, self.turn, self.seat = time.monotonic(), event.turn, event.seat
            case Void():
                self.void = event
            case _:
                pass

    def give_up(self, reason: str) -> None:
        if not self.given_up:
            self.given_up = reason
            self.task.cancel()


@dataclass(slots=True)
class _Table:
    """What the workers of one schedule share."""

    players: Mapping[str, Player]
    recorder: Recorder
    retries: int
    replays: int
    watch: Watch | None
    on_void: Callable[[PlannedMatch, str], None] | None
    on_stopped: Callable[[str, str], None] | None
    live: Featured | None
    waiting: Waiting
    outcome: Outcome = field(default_factory=Outcome)
    in_flight: dict[int, _Begun] = field(default_factory=dict)
    """By place in the schedule."""
    voids: Counter[int] = field(default_factory=Counter)
    """How often each match was void, by place in the schedule."""
    room: Room | None = None
    limited: int = 0
    """Matches in flight that needed room."""
    left: asyncio.Condition = field(default_factory=asyncio.Condition)
    """Told of each of them that is over."""
    finished: int = 0
    """Such matches that were recorded."""
    in_a_row: Counter[str] = field(default_factory=Counter)
    """How many matches were void through each player since one that it took part in was finished."""

    async def play_next(self, should_stop: Callable[[], bool] | None) -> bool:
        """Play the match that is next; False where there is none, or somebody asked to stop."""
        if should_stop is not None and self.waiting and should_stop():
            self.outcome.stopped = True
            return False
        planned = self.waiting.take()
        task = asyncio.current_task()
        if planned is None or task is None:
            return False
        now = time.monotonic()
        begun = self.in_flight[planned.number] = _Begun(planned, task, now, now)
        try:
            await self._play(begun)
        finally:
            del self.in_flight[planned.number]
            self.waiting.ended(planned)
        self._settle(begun)
        return True

    async def end_politely(self, should_stop: Callable[[], bool], patience: float) -> None:
        """Once somebody asks to stop, give up every match in which nothing happens for `patience` seconds."""
        while not should_stop():
            await asyncio.sleep(_POLL_SECONDS)
        asked = time.monotonic()
        while True:
            for begun in self.in_flight.values():
                if time.monotonic() - max(asked, begun.since) >= patience:
                    self.outcome.stopped = True
                    begun.give_up("somebody asked to stop")
            await asyncio.sleep(_POLL_SECONDS)

    async def tell_of_quiet(self, tell: Callable[[list[str], float], None]) -> None:
        """Say who is waited for where no match goes on."""
        wait = QUIET_SECONDS
        while True:
            await asyncio.sleep(min(1.0, QUIET_SECONDS / 4))
            now = time.monotonic()
            quiet = now - max((begun.since for begun in self.in_flight.values()), default=now)
            if quiet < QUIET_SECONDS:
                wait = QUIET_SECONDS
            elif quiet >= wait:
                wait *= 2
                tell(sorted({begun.planned.seats[begun.seat] for begun in self.in_flight.values()}), quiet)

    async def _play(self, begun: _Begun) -> None:
        """Play a match to its end, or until it is given up, which is told as a void."""
        planned = begun.planned
        names = planned.seats
        seats = (self.players[names[0]], self.players[names[1]])
        feature = self.live.take(planned) if self.live is not None else None
        if feature is not None:
            seats = feature.overhear(seats)

        def tell(event: Event) -> None:
            begun.note(event)
            if isinstance(event, TurnStarted):
                self.waiting.acts(planned, names[event.seat])
            if feature is not None:
                feature.add(event)
            if self.watch is not None:
                self.watch(planned, event)

        try:
            watched = self.watch is not None
            async with self._room_for(planned):
                async for event in play(planned.game, seats, planned.key, self.retries, planned.start, watched):
                    tell(event)
                    if begun.given_up and not begun.over:
                        raise asyncio.CancelledError
        except asyncio.CancelledError:
            if not begun.given_up:
                raise
            tell(Void(begun.turn, begun.seat, begun.given_up))
        # The worker was cancelled for this match alone, unless somebody else cancelled it too.
        if begun.given_up and begun.task.uncancel():
            raise asyncio.CancelledError

    @asynccontextmanager
    async def _room_for(self, planned: PlannedMatch) -> AsyncIterator[None]:
        """Wait until there is room for the match, and hold it."""
        room = self.room
        if room is None or room.players.isdisjoint(planned.seats):
            yield
            return
        async with self.left:
            await self.left.wait_for(lambda: room.allows(self.limited, self.finished))
        self.limited += 1
        try:
            yield
        finally:
            self.limited -= 1
            async with self.left:
                self.left.notify_all()

    def _settle(self, begun: _Begun) -> None:
        """Record a finished match; let a void one wait again or leave it out."""
        planned, outcome = begun.planned, self.outcome
        if begun.void is None:
            seconds = time.monotonic() - begun.began
            self.recorder.add_match(match_row(planned, begun.log, self.voids[planned.number], seconds), begun.log.turns)
            outcome.played += 1
            self.finished += self.room is not None and not self.room.players.isdisjoint(planned.seats)
            for player in planned.seats:
                self.in_a_row[player] = 0
            return
        if not begun.given_up:
            outcome.voids += 1
            outcome.reason = begun.log.void
            self.voids[planned.number] += 1
            if self.on_void is not None:
                self.on_void(planned, begun.log.void)
            self._blame(planned.seats[begun.void.seat], begun.void)
        if not outcome.stopped_players.keys().isdisjoint(planned.seats) or self.voids[planned.number] > self.replays:
            outcome.unplayed.append(planned)
        else:
            self.waiting.put_back(planned)

    def _blame(self, player: str, void: Void) -> None:
        """Count a void match against the player whose seat it was void through, and stop the player if need be."""
        self.in_a_row[player] += 1
        if player in self.outcome.stopped_players:
            return
        if void.stops:
            self._stop(player, void.reason)
        elif self.in_a_row[player] >= VOIDS_IN_A_ROW:
            self._stop(player, f"{VOIDS_IN_A_ROW} matches in a row were void: {void.reason}")

    def _stop(self, player: str, reason: str) -> None:
        self.outcome.stopped_players[player] = reason
        self.outcome.unplayed += self.waiting.drop(player)
        for begun in self.in_flight.values():
            if player in begun.planned.seats:
                begun.give_up(f"{player} is stopped")
        if self.on_stopped is not None:
            self.on_stopped(player, reason)
