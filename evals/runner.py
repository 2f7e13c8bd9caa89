"""Play a schedule: many matches at once as coroutines, each recorded whole when it is finished.

A match's course depends on its key and its players alone, so neither concurrency nor order changes a result.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from arena.core.events import Event, Forfeit, IllegalReply, MatchEnded, MatchStarted, TurnTaken, Void
from arena.core.match import play
from arena.core.player import Player, Reply
from arena.runs.rows import MatchRow, TurnRow
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


class MatchLog:
    """Makes the rows of one match from its events."""

    def __init__(self) -> None:
        self.board = ""
        self.turns: list[TurnRow] = []
        self.ended: MatchEnded | None = None
        self.void = ""
        """Why the match is void; empty where it is not."""
        self.forfeit = ""
        """Why a seat forfeited."""

    def add(self, event: Event) -> None:
        match event:
            case MatchStarted():
                self.board = event.board
            case TurnTaken():
                row = _turn_row(event, event.reply, event.action, "", event.board)
                self.turns.append(row)
            case IllegalReply():
                self.turns.append(_turn_row(event, event.reply, None, event.reason, ""))
            case Forfeit():
                self.forfeit = event.reason
            case Void():
                self.void = event.reason or "unknown"
            case MatchEnded():
                self.ended = event
            case _:
                pass


def _turn_row(event: TurnTaken | IllegalReply, reply: Reply, action: str | None, illegal: str, board: str) -> TurnRow:
    return TurnRow(
        turn=event.turn,
        attempt=event.attempt,
        seat=event.seat,
        observation=event.observation,
        thought=reply.thought,
        answer=reply.answer,
        text=reply.text,
        action=action,
        illegal=illegal,
        finish_reason=reply.finish_reason,
        prompt_tokens=reply.usage.prompt_tokens,
        completion_tokens=reply.usage.completion_tokens,
        reasoning_tokens=reply.usage.reasoning_tokens,
        seconds=reply.seconds,
        board=board,
    )


def match_row(planned: PlannedMatch, log: MatchLog, voids: int, seconds: float) -> MatchRow:
    """The row of a finished match: returns and forfeit from the players' side, not the seats'."""
    ended = log.ended
    assert ended is not None
    seat_a = planned.leg
    forfeit = "" if ended.forfeit is None else ("a" if ended.forfeit == seat_a else "b")
    return MatchRow(
        number=planned.number,
        game=planned.game.name,
        a=planned.a,
        b=planned.b,
        pair=planned.pair,
        leg=planned.leg,
        key=planned.key,
        return_a=ended.returns[seat_a],
        return_b=ended.returns[1 - seat_a],
        forfeit=forfeit,
        turns=ended.turns,
        voids=voids,
        seconds=seconds,
        board=log.board,
    )


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
) -> Outcome:
    """Play the schedule with at most `concurrency` matches in flight.

    `watch` gets every event, the growing replies included.
    A void match is replayed whole, at most `replays` times; one that stays void is left out and named in the
    outcome. Once `should_stop` says so no match is begun, and those in flight are finished. An error of a
    player that is not InfrastructureError ends everything and is raised.
    """
    outcome = Outcome()
    waiting = iter(schedule)

    async def work() -> None:
        for planned in _until(waiting, should_stop, outcome):
            await _play_planned(planned, players, recorder, retries, replays, outcome, watch)
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
) -> None:
    seats = (players[planned.seats[0]], players[planned.seats[1]])
    for voids in range(replays + 1):
        log = MatchLog()
        began = time.perf_counter()
        async for event in play(planned.game, seats, planned.key, retries, watched=watch is not None):
            log.add(event)
            if watch is not None:
                watch(planned, event)
        if log.ended is not None:
            recorder.add_match(match_row(planned, log, voids, time.perf_counter() - began), log.turns)
            outcome.played += 1
            return
        outcome.voids += 1
        outcome.reason = log.void
    outcome.unplayed.append(planned)
