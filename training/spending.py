"""What the players behind APIs of a training spend, on all ranks together.

Every rank has a ledger of its own. After each step or slice of transcripts, and each evaluation, all of them begin anew
from what was spent in total, each with the same share of what the limits leave: so a limit holds for all ranks together
at any moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path

from arena.config.limits import LimitsConfig
from arena.core.ledger import Account, Ledger, add_up
from arena.core.player import Player
from arena.runs.store import RunStore
from evals.spending import kept_ledger, open_ledger
from training.distributed import Ranks


class Spending:
    """One rank's ledger; begun with what all ranks had spent when they told each other last."""

    def __init__(self, ledger: Ledger, group: Ranks) -> None:
        self._ledger, self._group = ledger, group
        self._begin(group.from_first(ledger.accounts()))  # the others may have read later rows

    def exchange(self) -> None:
        """Tell each other what was spent; on every rank at the same place."""
        shares = self._group.gather(self._ledger.gained())
        self._begin(add_up([*self._before, *chain.from_iterable(shares)]))

    def _begin(self, total: list[Account]) -> None:
        self._before = total
        self._ledger.begin(total, self._group.world)


@contextmanager
def at_play(
    run_dir: Path,
    players: Iterable[Player],
    limits: LimitsConfig,
    group: Ranks,
    events: asyncio.AbstractEventLoop,
    store: RunStore | None,
) -> Iterator[Spending | None]:
    """Around the work of players: those behind APIs get their ledger, and all are closed in the end.

    The first rank has a `store`, where the ledger is kept. None where no player is behind an API. Raises UsageError for
    prices.
    """
    met = list(players)
    with ExitStack() as stack:
        stack.callback(lambda: [events.run_until_complete(player.close()) for player in met])
        ledger = open_ledger(run_dir, met, limits, group.world)
        if ledger is None:
            yield None
            return
        spending = Spending(ledger, group)
        if store is not None:
            stack.enter_context(kept_ledger(store, ledger, events))
        yield spending
