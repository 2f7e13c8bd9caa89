"""The player `human`: whoever sits at the terminal. Its moves come through the run's control.db.

It exists in a play job alone, which gives it a `Desk`; every other job refuses the spec before it starts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

from arena.core.errors import UsageError
from arena.core.player import PlayerInfo, Reply, View
from arena.core.registry import PlayerSpec
from arena.runs.requests import MOVE, Request, RequestReader

INFO = PlayerInfo(id="human", title="You, in a match of your own: spiral-arena play", syntax="human")
POLL_SECONDS = 0.05
"""How long a request waits at most until it is seen."""


class Question(NamedTuple):
    """The attempt at a turn that a seat is asked for."""

    seat: int
    turn: int
    attempt: int


class Desk:
    """Where the requests of control.db arrive, each once and in order; moves go to the seat that is asked for them."""

    def __init__(self, run_dir: Path, seen: int = 0) -> None:
        self._reader = RequestReader(run_dir)
        # Somebody may have deleted the file: its ids then begin again.
        self.seen = min(seen, self._reader.last_id())
        """Id of the last request that was taken up."""
        self._question: Question | None = None
        self._answer: asyncio.Future[str] | None = None

    def open(self, question: Question) -> asyncio.Future[str]:
        """Ask: from now on a move that is addressed to the question answers it."""
        if self._answer is None or self._question != question or self._answer.cancelled():
            self._question, self._answer = question, asyncio.get_running_loop().create_future()
        return self._answer

    async def answer(self, question: Question) -> str:
        """Wait for the move that answers the question."""
        try:
            return await self.open(question)
        finally:
            self._question = self._answer = None

    def requests(self) -> Iterator[Request]:
        """Those not seen yet. Moves that answer the open question are handed over, not returned.

        Ends after one that was: what follows it was written for the position that it leads to.
        """
        for request in self._reader.requests(self.seen):
            self.seen = request.id
            if request.kind == MOVE and self._hand_over(request):
                return
            yield request

    def _hand_over(self, move: Request) -> bool:
        if self._answer is None or self._answer.done() or self._question != (move.seat, move.turn, move.attempt):
            return False
        self._answer.set_result(move.text)
        return True


class HumanPlayer:
    """Waits for as long as it takes; a job that is asked to stop cancels it."""

    name = "human"
    sees_state = False

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def act(self, view: View) -> Reply:
        began = time.perf_counter()
        text = await self._desk.answer(Question(view.seat, view.turn, view.attempt))
        return Reply(text=text, thought="", answer=text.strip(), seconds=time.perf_counter() - began)

    async def close(self) -> None:
        return None


def locate(target: str) -> NoReturn:
    """Refuse the spec wherever players are looked for: a play job seats its humans itself. Raises UsageError."""
    raise UsageError("The player human plays in a match of its own.", "Use: spiral-arena play GAME --against SPEC")


def load(spec: PlayerSpec) -> NoReturn:
    """Refuse, as `locate` does. Raises UsageError."""
    locate(spec.target)
