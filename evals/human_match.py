"""A match with a human in it: shown as it goes, taken back where the game allows, and resumed after a kill.

Every change is in the run's database at once, so that the database is all there is to know. A match goes on from there
by being played again from its first position with the replies that stand: each player gives them again as they were,
and only then makes new ones. An undo is the same after the replies that it takes back are dropped.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from arena.config.play import PlayConfig
from arena.core.errors import ArenaError
from arena.core.events import Event, IllegalReply, MatchEnded, MatchStarted, Partial, TurnStarted, TurnTaken, Void
from arena.core.game import GameInfo
from arena.core.match import play
from arena.core.player import Player, Reply, Usage, View
from arena.players.human import POLL_SECONDS, Desk, HumanPlayer, Question
from arena.runs.job import Job
from arena.runs.reader import RunReader
from arena.runs.requests import RESIGN, UNDO, Request
from arena.runs.rows import AskRow, PartialRow, TurnRow
from evals.match_log import MatchLog, match_row
from evals.runner import REPLAYS
from evals.schedule import PlannedMatch

SLOT = 0
UNLIMITED = 1_000_000
"""Attempts of a human at one turn."""


def can_undo(info: GameInfo) -> bool:
    """Whether a human may take back a decision: only where all is seen and nothing is drawn.

    Elsewhere the human would decide again knowing what came of it: a card shown, a die rolled, a hidden commit.
    """
    return not (info.hidden or info.chance)


class HumanMatch:
    """One match that is played in front of a human, from where the run's database has it to its end."""

    def __init__(self, job: Job, config: PlayConfig, planned: PlannedMatch, opponents: Mapping[str, Player]) -> None:
        self._job, self._config, self._planned = job, config, planned
        self._info = planned.game.game.INFO
        self._state = planned.game.new(planned.key)
        self._board = self._state.board()
        with RunReader(job.run_dir) as reader:
            ask, partials = reader.ask(), reader.partials()
        self._rows = [TurnRow(**row) for row in json.loads(partials[SLOT].turns)] if partials else []
        """The replies that stand, in order."""
        self._number, self._undos, seen = (ask.number, ask.undos, ask.seen) if ask else (0, 0, 0)
        self._desk = Desk(job.run_dir, seen)
        self._human = HumanPlayer(self._desk)
        self._seats: tuple[Player, Player] = (self._seated(0, opponents), self._seated(1, opponents))
        self._turn = self._attempt = 0
        self._illegal = ""
        self._caught_up = False
        """Whether the match is past the replies that stood when it was last begun."""
        self._voids = 0
        self._stops = False
        """Whether the opponent said that it cannot go on."""

    def _seated(self, seat: int, opponents: Mapping[str, Player]) -> Player:
        return self._human if seat in self._config.humans else opponents[self._config.players[seat]]

    # -- the match ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Play to the end and store the match, or set `job.stopped` once somebody asks for it.

        Raises ArenaError where the opponent keeps failing; what was played stands, and a resume tries again.
        """
        failures = 0
        while True:
            before = len(self._rows)
            log, request = await self._play_on()
            if log is not None and log.ended is not None:
                self._end(log.ended)
                return
            if log is not None:
                failures = failures + 1 if len(self._rows) == before else 1
                self._voids += 1
                if failures > REPLAYS or self._stops:
                    raise ArenaError(f"The opponent could not answer: {log.void}", "Resume to try it again.")
            elif request is None:
                self._job.stopped = True
                return
            elif request.kind == UNDO:
                self._undo()
            else:
                self._resign(request.seat)
                return

    async def _play_on(self) -> tuple[MatchLog | None, Request | None]:
        """Play until the match ends or is void (its log), or until a request breaks in; neither: a wish to stop."""
        playing = asyncio.create_task(self._play())
        calling = asyncio.create_task(self._calls())
        try:
            await asyncio.wait({playing, calling}, return_when=asyncio.FIRST_COMPLETED)
            return (playing.result(), None) if playing.done() else (None, calling.result())
        finally:
            for task in (playing, calling):
                task.cancel()
                with suppress(asyncio.CancelledError, ArenaError):
                    await task

    async def _play(self) -> MatchLog:
        """The match from its first position, with the replies that stand given again."""
        standing = {(row.turn, row.attempt): row for row in self._rows}
        seats = (_Standing(self._seats[0], standing), _Standing(self._seats[1], standing))
        first, second = (UNLIMITED if seat in self._config.humans else self._config.retries for seat in (0, 1))
        log = MatchLog()
        self._caught_up = False
        async for event in play(self._planned.game, seats, self._planned.key, (first, second), watched=True):
            log.add(event)
            if len(log.turns) > len(self._rows):
                self._rows = list(log.turns)
            self._follow(event)
            if isinstance(event, TurnStarted | IllegalReply) and (self._turn, self._attempt) not in standing:
                self._show()
        return log

    def _follow(self, event: Event) -> None:
        """Know where the match is."""
        match event:
            case MatchStarted(state=state) | TurnTaken(state=state):
                self._state = state
            case TurnStarted():
                self._turn, self._attempt, self._illegal = event.turn, 0, ""
            case IllegalReply():
                self._attempt, self._illegal = event.attempt + 1, event.reason
            case Partial():
                self._job.store.grow_partial(SLOT, event.text)
            case Void():
                self._stops = event.stops
            case MatchEnded():
                self._turn = event.turns
            case _:
                pass

    async def _calls(self) -> Request | None:
        """The next request that breaks in; None once the job is asked to stop. Answers the others itself."""
        while not self._job.should_stop():
            if not self._job.store.path.exists():
                raise ArenaError(f"{self._job.run_dir} is gone.")
            for request in self._desk.requests() if self._caught_up and self._state.to_act is not None else ():
                refusal = self._refusal(request)
                if not refusal:
                    return request
                self._show(refusal)
            await asyncio.sleep(POLL_SECONDS)
        return None

    def _refusal(self, request: Request) -> str:
        """Why the request changes nothing; empty where it breaks in."""
        if request.kind == RESIGN and request.seat in self._config.humans:
            return ""
        if request.kind != UNDO:
            return f"Nobody waits for that {request.kind} any more."
        if not can_undo(self._info):
            return f"{self._info.title} has no undo: what has been seen cannot be unseen."
        if request.turn != self._turn:
            return "The match has gone on since."
        return "" if self._decisions() else "There is nothing to undo."

    def _decisions(self) -> list[int]:
        """The turns that a human decided."""
        return [row.turn for row in self._rows if row.action is not None and row.seat in self._config.humans]

    def _undo(self) -> None:
        turn = self._decisions()[-1]
        self._rows = [row for row in self._rows if row.turn < turn]
        self._undos += 1
        detail = json.dumps({"turn": turn, "undos": self._undos})
        self._job.store.add_event(UNDO, f"back to turn {turn + 1}", detail=detail, now=False)

    def _resign(self, seat: int) -> None:
        low, high = self._state.utility
        detail = json.dumps({"seat": seat})
        self._job.store.add_event(RESIGN, f"seat {seat} resigned", detail=detail, now=False)
        taken = sum(row.action is not None for row in self._rows)
        self._end(MatchEnded((low, high) if seat == 0 else (high, low), forfeit=seat, turns=taken))

    def _end(self, ended: MatchEnded) -> None:
        log = MatchLog()
        log.board, log.turns, log.ended = self._board, self._rows, ended
        seconds = sum(row.seconds for row in self._rows)
        ask = self._ask("end", "", ended.returns)
        self._job.store.end_ask(ask, match_row(self._planned, log, self._voids, seconds), self._rows)

    # -- what is shown ------------------------------------------------------------------------------------

    def _show(self, note: str = "") -> None:
        """Store the match as it stands, what the human may know of it beside what a spectator sees."""
        to_act = self._state.to_act
        assert to_act is not None
        moving = to_act in self._config.humans
        self._caught_up = True
        if moving:
            self._desk.open(Question(to_act, self._turn, self._attempt))
        partial = PartialRow(
            slot=SLOT,
            game=self._planned.game.name,
            a=self._planned.a,
            b=self._planned.b,
            pair=self._planned.pair,
            leg=self._planned.leg,
            turn=self._turn,
            seat=to_act,
            text="",
            board=self._state.board(),
            turns=json.dumps([asdict(row) for row in self._rows]),
        )
        self._job.store.set_ask(self._ask("move" if moving else "wait", note), partial)

    def _ask(self, status: str, note: str, returns: Sequence[float] | None = None) -> AskRow:
        """Nothing in it may tell the human what its seat may not know before the end."""
        seat = self._seat()
        secret = self._info.hidden and returns is None
        shown = [row for row in self._rows if row.seat == seat or not secret]
        self._number += 1
        return AskRow(
            slot=SLOT,
            number=self._number,
            game=self._planned.game.name,
            a=self._planned.a,
            b=self._planned.b,
            status=status,
            seat=seat,
            role=self._info.roles[seat],
            turn=self._turn,
            attempt=self._attempt,
            observation=self._state.observe(seat),
            board="" if secret else self._state.board(),
            rules=self._state.rules(seat),
            legal=json.dumps(self._state.legal() if status == "move" else None),
            illegal=self._illegal if status == "move" else "",
            note=note,
            moves=json.dumps([_move(row) for row in shown]),
            undo=returns is None and can_undo(self._info) and bool(self._decisions()),
            undos=self._undos,
            hidden=self._info.hidden,
            returns=json.dumps(returns),
            seen=self._desk.seen,
        )

    def _seat(self) -> int:
        """Whose view is shown: a human's who is to act, else the first human's."""
        to_act, humans = self._state.to_act, self._config.humans
        return to_act if to_act in humans else humans[0]


def _move(row: TurnRow) -> dict[str, Any]:
    names = ("turn", "attempt", "seat", "action", "answer", "illegal", "thought")
    return {name: getattr(row, name) for name in names}


@dataclass(frozen=True, slots=True)
class _Standing:
    """A player whose replies that stand are given again as they were."""

    player: Player
    rows: Mapping[tuple[int, int], TurnRow]

    @property
    def name(self) -> str:
        return self.player.name

    @property
    def sees_state(self) -> bool:
        return self.player.sees_state

    async def act(self, view: View) -> Reply:
        row = self.rows.get((view.turn, view.attempt))
        if row is None:
            return await self.player.act(view)
        usage = Usage(row.prompt_tokens, row.completion_tokens, row.reasoning_tokens)
        return Reply(row.text, row.thought, row.answer, row.finish_reason, usage, row.seconds)

    async def close(self) -> None:
        return None
