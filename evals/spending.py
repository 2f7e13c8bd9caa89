"""The ledger of a job: one for all its players behind APIs, stored while it grows, so that a resume goes on from it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from arena.config.limits import LimitsConfig, given_limits
from arena.config.prices import check_prices, read_prices
from arena.core.errors import ArenaError
from arena.core.ledger import Account, Ledger
from arena.core.player import Player
from arena.runs.paths import CONFIG_JSON, write_atomic
from arena.runs.reader import NoRows, RunReader
from arena.runs.store import RunStore
from evals.tables import ABSENT, make_table, name_cell

SECONDS = 1.0
"""Shortest time between two versions of what is stored: a kill loses that of so long."""


def open_ledger(run_dir: Path, players: Iterable[Player], limits: LimitsConfig, share: int = 1) -> Ledger | None:
    """One ledger for all those players that book their requests, begun with what the run has spent; None without any.

    Of what the limits leave, one `share`-th is for it. Raises UsageError for prices that cannot be read, or that are
    missing while the cost is limited.
    """
    apis: list[Any] = [player for player in players if hasattr(player, "ledger")]
    if not apis:
        return None
    check_prices(limits.prices, limits.max_cost, [player.name for player in apis])
    ledger = Ledger(read_prices(limits.prices), limits.max_cost, limits.max_tokens)
    ledger.begin(read_accounts(run_dir), share)
    for player in apis:
        player.ledger = ledger
    return ledger


@contextmanager
def kept_ledger(store: RunStore, ledger: Ledger, events: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Around the work of a job: its ledger is stored now and then while the loop runs, and at the end, however that
    comes.
    """
    keeping = events.create_task(_keep(store, ledger))
    try:
        yield
    except BaseException:
        # Where the store itself is what failed, the first error is the one to report.
        with suppress(ArenaError):
            store.set_spends(ledger.accounts())
        raise
    else:
        store.set_spends(ledger.accounts())
    finally:
        keeping.cancel()


async def _keep(store: RunStore, ledger: Ledger) -> None:
    stored = ledger.accounts()
    while True:
        await asyncio.sleep(SECONDS)
        accounts = ledger.accounts()
        if accounts != stored:
            with suppress(ArenaError):  # the next rows will say so
                store.set_spends(accounts)
                stored = accounts


def keep_limits(run_dir: Path, limits: Mapping[str, Any]) -> None:
    """Write changed limits into the run's configuration, so that viewers and a further resume know them.

    Only while the run is held. Raises ArenaError.
    """
    path = run_dir / CONFIG_JSON
    if changed := given_limits(limits):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ArenaError(f"{path} cannot be read.") from error
        write_atomic(path, json.dumps(data | changed, indent=2) + "\n")


def read_accounts(run_dir: Path) -> list[Account]:
    """What a run's players have spent so far, as it was stored last. Raises ArenaError."""
    with suppress(NoRows), RunReader(run_dir) as reader:
        return reader.spends()
    return []


def ledger_rows(run_dir: Path) -> list[dict[str, Any]]:
    """The list `ledger` of a result; empty where no player behind an API took part."""
    return [asdict(account) for account in read_accounts(run_dir)]


def render_ledger(rows: Iterable[Mapping[str, Any]]) -> RenderableType:
    """A line for each player, and one for all where there are several."""
    found = list(rows)
    columns = [("player", "name"), *((name, "number") for name in ("requests", "retries", "prompt", "completion"))]
    table = make_table("Ledger", [*columns, ("of it thought", "number"), ("cost", "number")])
    fields = ("requests", "retries", "prompt_tokens", "completion_tokens", "reasoning_tokens")
    for row in found:
        table.add_row(name_cell(row["player"]), *(Text(f"{row[name]:,}") for name in fields), _money(row["cost"]))
    if len(found) > 1:
        known = [row["cost"] for row in found if row["cost"] is not None]
        sums = (Text(f"{sum(row[name] for row in found):,}") for name in fields)
        table.add_row(Text("all"), *sums, _money(sum(known) if len(known) == len(found) else None))
    return table


def _money(cost: float | None) -> Text:
    return Text(ABSENT if cost is None else f"{cost:,.4f}")
