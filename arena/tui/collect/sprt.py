"""A sequential test and openings, as a configuration asks for them and a result tells of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Sprt:
    """How a test of the first player's lead stands."""

    elo0: float
    elo1: float
    alpha: float
    beta: float
    verdict: str = "open"
    """Or the hypothesis that is accepted, H0 or H1."""
    pairs: int = 0
    """How many count."""
    ratio: float | None = None
    """Logarithm of the likelihood of H1 over that of H0; None where nothing was computed yet."""
    lower: float = 0.0
    """At or below it H0 is accepted."""
    upper: float = 0.0
    """At or above it H1 is."""


def read_sprt(row: Mapping[str, Any]) -> Sprt:
    """Read `sprt` of a result, or of a configuration, which knows no state. Raises KeyError, TypeError, ValueError."""
    asked = Sprt(figure(row["elo0"]), figure(row["elo1"]), figure(row["alpha"]), figure(row["beta"]))
    if "llr" not in row:
        return asked
    return replace(
        asked,
        verdict=str(row["verdict"]),
        pairs=int(row["pairs"]),
        ratio=figure(row["llr"]),
        lower=figure(row["lower"]),
        upper=figure(row["upper"]),
    )


def openings_words(row: Mapping[str, Any]) -> str:
    """What `openings` of a result or of a configuration says. Raises KeyError, TypeError, ValueError."""
    plies, kind = int(row["plies"]), "balanced" if row.get("balanced") is True else "random"
    return f"Each pair begins after {plies} {kind} {'ply' if plies == 1 else 'plies'}."


def figure(value: Any) -> float:
    """A figure of a result. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no figure")
    return float(value)
