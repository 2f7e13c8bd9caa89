"""Play a schedule: many matches at once as coroutines, each recorded whole when it is finished.

A match's course depends on its key and its players alone, so neither concurrency nor order changes a result.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from arena.core.events import Event
from arena.core.match import play
from arena.core.player import Player
from arena.runs.rows import MatchRow, TurnRow
from evals.featured import SLOTS, Featured, Stage
from evals.match_log import MatchLog, match_row
from evals.schedule import PlannedMatch

CONCURRENCY = 64
REPLAYS = 3
"""How often a void match is replayed before it is left unplayed."""

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


@dataclass(slots=True)
class Outcome:
    """What became of a schedule."""

    played: int = 0
    voids: int = 0
    """Void matches, replays that were void again included."""
    unplayed: list[PlannedMatch] = field(default_factory=list)
    """Matches that stayed void; a resume tries them again."""
    reason: str = ""
    """Why the last of them was void."""
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
    should_stop: Callable[[], bool] = lambda: False,
    watch: Watch | None = None,
    featured: int = SLOTS,
) -> Outcome:
    """Play the schedule with at most `concurrency` matches in flight.

    `watch` gets every event, the growing replies included. A recorder that has slots for them shows up to `featured`
    matches while they are played.
    A void match is replayed whole, at most `replays` times; one that stays void is left out and named in the
    outcome. Once `should_stop` says so no match is begun, and those in flight are finished. An error of a
    player that is not InfrastructureError ends everything and is raised.
    """
    outcome = Outcome()
    waiting = iter(schedule)
    live = None
    if featured and isinstance(recorder, Stage):
        live = Featured(recorder, {(planned.game.name, planned.a, planned.b) for planned in schedule}, featured)

    async def work() -> None:
        for planned in _until(waiting, should_stop, outcome):
            await _play_planned(planned, players, recorder, retries, replays, outcome, watch, live)
            if on_progress is not None:
                on_progress(outcome.played, len(schedule))
            # Bots never wait for anything: let the other matches and the signals have their turn.
            await asyncio.sleep(0)

    workers = [asyncio.create_task(work()) for _ in range(max(1, min(concurrency, len(schedule))))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        if live is not None:
            live.close()
    return outcome


def _until(
    waiting: Iterator[PlannedMatch], should_stop: Callable[[], bool], outcome: Outcome
) -> Iterable[PlannedMatch]:
    """The matches still waiting, shared by all workers, until somebody asks to stop."""
    for planned in waiting:
        if should_stop():
            outcome.stopped = True
            return
        yield planned


async def _play_planned(
    planned: PlannedMatch,
    players: Mapping[str, Player],
    recorder: Recorder,
    retries: int,
    replays: int,
    outcome: Outcome,
    watch: Watch | None,
    live: Featured | None,
) -> None:
    for voids in range(replays + 1):
        log = MatchLog()
        began = time.perf_counter()
        seats = (players[planned.seats[0]], players[planned.seats[1]])
        feature = live.take(planned) if live is not None else None
        if feature is not None:
            seats = feature.overhear(seats)
        async for event in play(planned.game, seats, planned.key, retries, watched=watch is not None):
            log.add(event)
            if feature is not None:
                feature.add(event)
            if watch is not None:
                watch(planned, event)
        if log.ended is not None:
            recorder.add_match(match_row(planned, log, voids, time.perf_counter() - began), log.turns)
            outcome.played += 1
            return
        outcome.voids += 1
        outcome.reason = log.void
    outcome.unplayed.append(planned)
