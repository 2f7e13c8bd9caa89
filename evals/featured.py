"""The live view of a run: a few of the matches that are being played, in its database while they go on.

Watching changes nothing: a featured match has the same players, asked in the same order, and they only tell their
growing replies on the way. Rows are written by a timer, all at once, at most twice a second.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Protocol, runtime_checkable

from arena.core.errors import ArenaError
from arena.core.events import Event, IllegalReply, MatchEnded, TurnStarted, TurnTaken, Void
from arena.core.player import Player, Reply, View
from arena.core.sanitise import one_line
from arena.runs.rows import PartialRow
from evals.match_log import MatchLog, kept
from evals.schedule import PlannedMatch

SLOTS = 8
SECONDS = 0.5
"""Shortest time between two writes, and between two matches that take the same slot."""
SHARE = 0.02
"""Most of the time that writes may take."""
ENDED = -1
"""Seat of a match in which nobody is to act any more."""

Meeting = tuple[str, str, str]
"""Game and the two players."""


@runtime_checkable
class Stage(Protocol):
    """Where featured matches are shown; a `RunStore` is one."""

    def set_partials(self, rows: Iterable[PartialRow]) -> None:
        """Show the matches as they stand, each in its slot."""

    def clear_partials(self) -> None:
        """Empty all slots."""

    def add_event(self, kind: str, message: str, step: int = 0, detail: str = "{}", now: bool = True) -> None:
        """Note something of the run."""


@dataclass(slots=True)
class _Slot:
    """One place of the live view, and the match in it: the one being played, or the last one."""

    number: int
    free_from: float
    """On the monotonic clock; never while a match is being played."""
    taken: float = 0.0
    planned: PlannedMatch | None = None


class Featured:
    """At most `slots` matches at a time; a match that ends frees its slot for one that begins later.

    `meetings` are those that are still to be played: every game, and every two players in it, have their share of the
    slots. A failing write ends the live view, not the job, and is noted as an event of the run.
    """

    def __init__(self, stage: Stage, meetings: Collection[Meeting] = (), slots: int = SLOTS) -> None:
        self._stage = stage
        now = time.monotonic()
        slots = min(slots, SLOTS)
        self._slots = [_Slot(number, now) for number in range(slots)]
        self._per_meeting = math.ceil(slots / max(len(meetings), 1))
        self._per_game = math.ceil(slots / max(len({game for game, _, _ in meetings}), 1))
        self._free_from = now
        """When the next slot can be taken."""
        self._changed: dict[int, Feature] = {}
        """By slot, the matches that have gone on since the last write."""
        self._write_from = now
        self._timer: asyncio.TimerHandle | None = None
        self._try(stage.clear_partials)

    def take(self, planned: PlannedMatch, step: int = 0) -> Feature | None:
        """A slot for a match that is about to begin; None where none is free for it. Cheap to call."""
        now = time.monotonic()
        if now < self._free_from:
            return None
        for slot in sorted(self._slots, key=lambda slot: (slot.planned != planned, slot.free_from)):
            if slot.free_from <= now and self._fits(slot, planned, now):
                slot.planned, slot.taken, slot.free_from = planned, now, math.inf
                self._free_from = min(slot.free_from for slot in self._slots)
                return Feature(self, slot.number, planned, step)
        return None

    def _fits(self, slot: _Slot, planned: PlannedMatch, now: float) -> bool:
        """Whether game and players have not got their share yet; a slot that waited too long takes any match."""
        if now - slot.free_from > SECONDS:
            return True
        others = [other.planned for other in self._slots if other is not slot and other.planned is not None]
        same_game = [other for other in others if other.game.name == planned.game.name]
        same_meeting = sum((other.a, other.b) == (planned.a, planned.b) for other in same_game)
        return same_meeting < self._per_meeting and len(same_game) < self._per_game

    def free(self, number: int, void: bool) -> None:
        """Let another match take the slot, a void one's replay at once; until then it shows how this one ended."""
        for slot in self._slots:
            if slot.number == number:
                slot.free_from = max(time.monotonic(), 0.0 if void else slot.taken + SECONDS)
                self._free_from = min(self._free_from, slot.free_from)

    def changed(self, feature: Feature) -> None:
        """Have the match written soon."""
        self._changed[feature.slot] = feature
        if self._timer is None:
            wait = max(0.0, self._write_from - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait, self._write)

    def settle(self) -> None:
        """Write what has changed if it is time to: for when the event loop is about to rest."""
        if self._changed and time.monotonic() >= self._write_from:
            self._write()

    def close(self) -> None:
        """Empty the slots."""
        if self._timer is not None:
            self._timer.cancel()
        if self._slots:
            self._try(self._stage.clear_partials)
        self._end()

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, began = None, time.monotonic()
        rows = [feature.row() for feature in self._changed.values()]
        self._changed.clear()
        if self._slots:
            self._try(lambda: self._stage.set_partials(rows))
        now = time.monotonic()
        self._write_from = now + max(SECONDS, (now - began) / SHARE)

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except ArenaError as error:
            self._end()
            with suppress(ArenaError):
                self._stage.add_event("warning", one_line(f"There is no live view: {error}", 500), now=False)

    def _end(self) -> None:
        self._slots, self._free_from = [], math.inf


class Feature:
    """One featured match: it is given the match's events, and overhears its players."""

    def __init__(self, featured: Featured, slot: int, planned: PlannedMatch, step: int) -> None:
        self.slot = slot
        self._featured, self._planned, self._step = featured, planned, step
        self._log = MatchLog()
        self._turn, self._seat, self._text = 0, 0, ""
        self._told: list[str] = []
        """Each reply so far as JSON, made when it is first written."""

    def overhear(self, players: tuple[Player, Player]) -> tuple[Player, Player]:
        """The same players, whose growing replies come here too."""
        return _Overheard(players[0], self._hear), _Overheard(players[1], self._hear)

    def _hear(self, text: str) -> None:
        self._text = kept(text)
        self._featured.changed(self)

    def add(self, event: Event) -> None:
        """Take note of what happened in the match."""
        self._log.add(event)
        match event:
            case TurnStarted():
                self._turn, self._seat = event.turn, event.seat
            case TurnTaken() | IllegalReply():
                self._text = ""
            case MatchEnded():
                self._turn, self._seat = event.turns, ENDED
            case Void():
                self._text, self._seat = "", ENDED
            case _:
                pass
        self._featured.changed(self)
        if self._seat == ENDED:
            self._featured.free(self.slot, isinstance(event, Void))

    def row(self) -> PartialRow:
        """The match as it stands."""
        planned, turns = self._planned, self._log.turns
        self._told += [json.dumps(asdict(turn), ensure_ascii=False) for turn in turns[len(self._told) :]]
        return PartialRow(
            slot=self.slot,
            game=planned.game.name,
            a=planned.a,
            b=planned.b,
            pair=planned.pair,
            leg=planned.leg,
            turn=self._turn,
            seat=self._seat,
            text=self._text,
            board=next((turn.board for turn in reversed(turns) if turn.action is not None), self._log.board),
            turns=f"[{', '.join(self._told)}]",
            step=self._step,
        )


@dataclass(frozen=True, slots=True)
class _Overheard:
    """A player whose growing replies somebody hears. It is asked in the same task, so nothing else changes."""

    player: Player
    hear: Callable[[str], None]

    @property
    def name(self) -> str:
        return self.player.name

    @property
    def sees_state(self) -> bool:
        return self.player.sees_state

    async def act(self, view: View) -> Reply:
        shown = view.partial

        def show(text: str) -> None:
            self.hear(text)
            if shown is not None:
                shown(text)

        view.partial = show
        return await self.player.act(view)

    async def close(self) -> None:
        return None
