"""The options of API players' specs, checked."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from arena.core.errors import UsageError
from arena.core.registry import load_part
from arena.core.sanitise import one_line

COMMON = (
    *("temperature", "top_p", "max_tokens", "style", "deadline", "game_deadline", "timeout", "concurrency"),
    *("key_env", "key_file"),
)
"""Options that every API player takes; some take seed, reasoning_effort and thinking as well."""

MOST_AT_ONCE = 1000
_RANGES: dict[str, tuple[float, float, bool]] = {
    "temperature": (0, 2, False),
    "top_p": (0, 1, False),
    "max_tokens": (1, 1_000_000, True),
    "seed": (0, 2**31 - 1, True),
    "deadline": (0, 86_400, False),
    "game_deadline": (0, 604_800, False),
    "timeout": (0, 86_400, False),
    "concurrency": (1, MOST_AT_ONCE, True),
}
"""Lowest and highest value, and whether it is a whole number."""
_ABOVE = ("top_p", "deadline", "game_deadline", "timeout")
"""Options whose lowest value is not allowed itself."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a player asks. What is None is left to the server."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int = 8192
    """Of one reply, its thought included."""
    style: str = "chat"
    seed: int | None = None
    """Every request gets a seed of its own, made from this one and from the match, seat, turn and attempt."""
    reasoning_effort: str | None = None
    thinking: bool | None = None
    deadline: float = 900.0
    """Seconds for one answer, all tries together."""
    game_deadline: float | None = None
    """Seconds for all answers of one seat in one match."""
    timeout: float | None = None
    """Seconds for one try."""
    concurrency: int | None = None
    """Most requests at once to this model of the server; None: found out while playing."""
    given: frozenset[str] = frozenset()
    """Names of the options that the user wrote."""


def read_settings(options: Mapping[str, Any]) -> Settings:
    """Check a spec's options. Raises UsageError for a value that does not fit."""
    values: dict[str, Any] = {}
    for name, value in options.items():
        if name in _RANGES:
            values[name] = _number(name, value)
        elif name == "thinking":
            if not isinstance(value, bool):
                raise UsageError("The option thinking is true or false.")
            values[name] = value
        elif name == "reasoning_effort":
            if not isinstance(value, str) or not re.fullmatch(r"[a-z]{1,20}", value):
                raise UsageError("The option reasoning_effort is a word such as low, medium or high.")
            values[name] = value
        elif name == "style":
            values[name] = str(value)
            load_part("arena.prompts", "prompt style", str(value))
    return Settings(**values, given=frozenset(values))


def _number(name: str, value: object) -> float | int:
    low, high, whole = _RANGES[name]
    kind = int if whole else (int, float)
    fits = isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value) and low <= value <= high
    if not fits or (name in _ABOVE and value == low):
        words = f"{'a whole number' if whole else 'a number'} {'above' if name in _ABOVE else 'from'} {low:g}"
        raise UsageError(f"The option {name} cannot be {one_line(repr(value), 40)}: it is {words} to {high:,g}.")
    return value  # type: ignore[return-value]
