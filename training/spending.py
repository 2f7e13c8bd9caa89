"""What the players behind APIs of a training spend, on all ranks together.

Every rank has a ledger of its own. After each step, and each evaluation, all of them begin anew from what was spent in
total, each with the same share of what the limits leave: so a limit holds for all ranks together at any moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

from arena.config.limits import LimitsConfig
from arena.core.errors import ArenaError
from arena.core.ledger import Account, Ledger, add_up
from arena.runs.store import RunStore
from evals.spending import SECONDS, open_ledger, write_accounts
from training.distributed import Ranks


class Spending:
    """One rank's ledger; begun with what all ranks had spent when they told each other last."""

    def __init__(self, ledger: Ledger, group: Ranks) -> None:
        self._ledger, self._group = ledger, group
        self._begin(group.from_first(ledger.accounts()))  # the others may have read later rows

    @classmethod
    def of(cls, run_dir: Path, players: Iterable[Any], limits: LimitsConfig, group: Ranks) -> Spending | None:
        """Give the players their ledger; None where none is behind an API. Raises UsageError for prices."""
        ledger = open_ledger(run_dir, players, limits, group.world)
        return None if ledger is None else cls(ledger, group)

    def exchange(self) -> None:
        """Tell each other what was spent; on every rank at the same place."""
        shares = self._group.gather(self._ledger.gained())
        self._begin(add_up([*self._before, *chain.from_iterable(shares)]))

    def _begin(self, total: list[Account]) -> None:
        self._before = total
        self._ledger.begin(total, self._group.world)

    @contextmanager
    def kept(self, store: RunStore, events: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Store it now and then while the loop runs, and at the end, however that comes; on the first rank."""
        keeping = events.create_task(self._keep(store))
        try:
            yield
        except BaseException:
            with suppress(ArenaError):
                self._store(store)
            raise
        else:
            self._store(store)
        finally:
            keeping.cancel()

    async def _keep(self, store: RunStore) -> None:
        while True:
            await asyncio.sleep(SECONDS)
            with suppress(ArenaError):  # the rows of the step will say so
                self._store(store)

    def _store(self, store: RunStore) -> None:
        write_accounts(store, self._ledger.accounts())
