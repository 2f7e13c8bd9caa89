"""What the players behind APIs of a training spend, on all ranks together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from arena.config.limits import LimitsConfig
from arena.core.errors import ArenaError
from arena.core.ledger import Account, Ledger, add_up
from arena.runs.store import RunStore
from evals.spending import SECONDS, open_ledger, write_accounts
from training.distributed import Ranks


class Spending:
    """One rank's ledger, and what it knows of the others'. Of what the limits leave, each rank has the same share."""

    def __init__(self, ledger: Ledger, group: Ranks) -> None:
        self._ledger, self._group = ledger, group
        self._others: list[Account] = []

    @classmethod
    def of(cls, run_dir: Path, players: Iterable[Any], limits: LimitsConfig, group: Ranks) -> Spending | None:
        """Give the players their ledger; None where none is behind an API. Raises UsageError for prices."""
        ledger = open_ledger(run_dir, players, limits, group.world)
        return None if ledger is None else cls(ledger, group)

    def exchange(self) -> None:
        """Tell each other what was spent; on every rank at the same place."""
        gained = self._group.gather(self._ledger.gained())
        self._others = [account for rank, some in enumerate(gained) if rank != self._group.rank for account in some]

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
            self._store(store)

    def _store(self, store: RunStore) -> None:
        write_accounts(store, add_up([*self._ledger.accounts(), *self._others]))
