"""How many requests a model of a server gets at once: found out while playing, by what it refuses.

Each model has slots of its own, as providers count: one that hangs or is refused does not hold up another.

A reply of 429 shrinks the limit to four fifths, at most once in 15 seconds; a round of as many good answers as the
limit lets it grow by a twentieth. Other errors say nothing about the rate. A slot is held from a reply's first
request to its last, waits between them included: so a server that refuses is asked by fewer, not by others.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from weakref import WeakKeyDictionary

from arena.players._api.settings import MOST_AT_ONCE

START = 20
COOLDOWN_SECONDS = 15.0
_SHRINK, _GROW = 0.8, 1.05


class Pace:
    """The slots of one model of a server, for the coroutines of one event loop."""

    def __init__(self, most: int | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._most = most or MOST_AT_ONCE
        self._limit = float(min(most or START, self._most))
        self._now = now
        self._busy = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._good = 0
        self._shrunk_at = -COOLDOWN_SECONDS - 1 + now()

    @property
    def limit(self) -> int:
        """Requests at once."""
        return int(self._limit)

    @property
    def busy(self) -> int:
        return self._busy

    def cap(self, most: int) -> None:
        """Never more than this from now on."""
        self._most = min(self._most, most)
        self._limit = min(self._limit, float(self._most))

    def answered(self) -> None:
        """A request was answered well."""
        self._good += 1
        if self._good >= self.limit:
            self._good = 0
            self._limit = min(float(self._most), self._limit * _GROW)
            self._wake()

    def refused(self) -> None:
        """A request was refused for its rate."""
        self._good = 0
        if self._now() - self._shrunk_at >= COOLDOWN_SECONDS:
            self._shrunk_at = self._now()
            self._limit = max(1.0, self._limit * _SHRINK)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one of the slots, in the order of asking."""
        await self._take()
        try:
            yield
        finally:
            self._busy -= 1
            self._wake()

    async def _take(self) -> None:
        if self._busy < self.limit and not self._waiting:
            self._busy += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # cancelled between being given the slot and waking up
                self._busy -= 1
            else:
                with suppress(ValueError):
                    self._waiting.remove(turn)
            self._wake()
            raise

    def _wake(self) -> None:
        while self._waiting and self._busy < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._busy += 1
                turn.set_result(None)


_paces: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], Pace]] = WeakKeyDictionary()


def pace_of(host: str, model: str, most: int | None = None) -> Pace:
    """The pace of a server's model in the running event loop; the smallest `most` of those who ask holds for all."""
    paces = _paces.setdefault(asyncio.get_running_loop(), {})
    if (host, model) not in paces:
        paces[host, model] = Pace(most)
    elif most is not None:
        paces[host, model].cap(most)
    return paces[host, model]
