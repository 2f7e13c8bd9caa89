"""What a run's API players have spent, against its limits, and which of them were stopped: its ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from arena.config.limits import limit_arguments
from arena.core.ledger import Account
from arena.runs.control import resume_run
from arena.runs.paths import CONFIG_JSON
from arena.runs.reader import NoRows, RunReader
from arena.runs.record import Status, read_record, run_status
from arena.runs.stops import stops
from arena.tui.collect.apis import find_apis

_RESUMABLE = (Status.STOPPED, Status.FAILED, Status.DEAD)


@dataclass(slots=True)
class Spender(Account):
    """A player's account, and why it could not go on."""

    stopped: str = ""


@dataclass(frozen=True, slots=True)
class Spending:
    """A run's ledger; without accounts where no API player takes part."""

    accounts: tuple[Spender, ...] = ()
    max_cost: float | None = None
    max_tokens: int | None = None
    prices: str = ""
    """The file with the prices."""
    resumable: bool = False
    """Whether the run has ended before its end."""

    @property
    def cost(self) -> float | None:
        """Of all whose prices are known; None where none is."""
        known = [one.cost for one in self.accounts if one.cost is not None]
        return sum(known) if known else None

    @property
    def tokens(self) -> int:
        return sum(one.tokens for one in self.accounts)

    @property
    def stopped(self) -> tuple[Spender, ...]:
        return tuple(one for one in self.accounts if one.stopped)


NOTHING = Spending()


def read_spending(run_dir: Path) -> Spending:
    """The ledger as it stands. Raises ArenaError where the database cannot be read."""
    text = ""
    with suppress(OSError, UnicodeDecodeError):
        text = (run_dir / CONFIG_JSON).read_text(encoding="utf-8")
    if not any(f'"{api.begins}' in text for api in find_apis()):
        return NOTHING
    config = _object(text)
    with suppress(NoRows), RunReader(run_dir) as reader:
        rows = reader.spends()
        why = stops(reader) if rows else {}
        accounts = tuple(Spender(**asdict(row), stopped=why.get(row.player, "")) for row in rows)
        limits = _figure(config.get("max_cost")), _whole(config.get("max_tokens")), str(config.get("prices") or "")
        return Spending(accounts, *limits, run_status(run_dir, read_record(run_dir)) in _RESUMABLE)
    return NOTHING


def _object(text: str) -> dict[str, Any]:
    with suppress(ValueError, RecursionError):
        data = json.loads(text)
        if isinstance(data, dict):
            return data
    return {}


def resume(run_dir: Path, limits: Mapping[str, Any]) -> int:
    """Start the run's job again with these limits in place of the old ones; returns its pid. Raises ArenaError."""
    return resume_run(run_dir, limit_arguments(limits))


def _figure(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
