"""What players behind APIs cost, from a file of the user's; the program knows no price of its own.

    ["openai:MODEL"]
    prompt = 2.0
    completion = 8.0

Money per million tokens, in one currency all through. A table is named by a player's spec; its options, and then the
address of its server, may be left out.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

from arena.config.base import read_toml
from arena.core.errors import UnknownName, UsageError
from arena.core.ledger import Price, price_of
from arena.core.registry import PlayerSpec, player_module

_FIELDS = ("prompt", "completion")


def read_prices(path: str | None) -> dict[str, Price]:
    """The prices of a file by player, none without a file. Raises UsageError for what it gets wrong, by name."""
    if path is None:
        return {}
    prices: dict[str, Price] = {}
    for name, table in read_toml(Path(os.path.expanduser(path))).items():
        where = f"{path}: [{name!r}]".replace("'", '"')
        if not isinstance(table, dict):
            raise UsageError(f"{where} is no table.", f'Write: ["{name}"] prompt = 2.0, completion = 8.0, a line each.')
        if unknown := [key for key in table if key not in _FIELDS]:
            raise UnknownName(f"key in {where}", unknown[0], _FIELDS)
        prices[name] = Price(*(_amount(where, table, field) for field in _FIELDS))
    return prices


def _amount(where: str, table: dict[str, object], field: str) -> float:
    value = table.get(field)
    if value is None:
        raise UsageError(f"{where} has no {field} price.", "It is money per million tokens; 0 is a price too.")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise UsageError(f"{where}: {field} is money per million tokens, a number from 0.")
    return float(value)


def is_api(player: str) -> bool:
    """Whether a spec names a player behind an API, whose requests are booked in a ledger."""
    try:
        return hasattr(player_module(PlayerSpec.parse(player).backend), "PROVIDER")
    except UsageError:
        return False


def check_prices(path: str | None, max_cost: float | None, players: Iterable[str]) -> None:
    """Read the file, and see that a limited cost can be kept. Raises UsageError where an API player has no price."""
    prices = read_prices(path)
    if max_cost is None:
        return
    for player in players:
        if is_api(player) and price_of(prices, player) is None:
            hint = f'Add ["{player.partition("?")[0]}"] to {path}.' if path else "Name a file of prices with --prices."
            raise UsageError(f"The cost is limited, and {player} has no price.", hint)
