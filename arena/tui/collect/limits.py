"""What API players may spend, as a form has it: a cost, tokens, and the file with the prices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from arena.config.limits import given_limits
from arena.config.prices import check_prices
from arena.core.errors import ArenaError


def read_limits(texts: Mapping[str, str], players: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of what is filled in, and what is wrong with them, both by name of the field.

    A cost can be limited where the prices of all API players among `players` are known.
    """
    data: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, read, words in (
        ("max_cost", _money, "A sum from 0, such as 2.50, in the money of the prices."),
        ("max_tokens", _whole, "A whole number from 0, such as 500000."),
        ("prices", str, ""),
    ):
        if text := texts.get(name, "").strip():
            try:
                data[name] = read(text)
            except ValueError:
                errors[name] = words
    try:
        check_prices(data.get("prices"), data.get("max_cost"), players)
    except ArenaError as error:
        errors["prices"] = str(error) if "prices" in data else "A limit of the cost needs a file with prices."
    return given_limits(data), errors


def _money(text: str) -> float:
    value = float(text.replace(",", "."))
    if not (math.isfinite(value) and value >= 0):
        raise ValueError
    return value


def _whole(text: str) -> int:
    value = int(text.replace(" ", "").replace("_", ""))
    if value < 0:
        raise ValueError
    return value
