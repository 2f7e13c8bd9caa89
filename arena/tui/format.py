"""Figures as short text: numbers with their intervals, times, bars and lines of small blocks. All pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
MINUS = "−"


def number(value: float | None, digits: int = 2) -> str:
    """A figure without the zero before its point and with a real minus; "—" where there is none."""
    if value is None or not math.isfinite(value):
        return "—"
    text = f"{abs(value):.{digits}f}"
    short = text[1:] if text.startswith("0.") else text
    return f"{MINUS}{short}" if value < 0 and text.strip("0.") else short


def figure(value: float | None, low: float | None = None, high: float | None = None, digits: int = 2) -> str:
    """A figure with half its 95 % interval, such as ".86 ±.03"."""
    if value is None or low is None or high is None:
        return number(value, digits)
    return f"{number(value, digits)} ±{number((high - low) / 2, digits)}"


def duration(seconds: float) -> str:
    """Such as "42 s", "3:07", "1:02:07" or "2 d 4 h"; a clock that went back counts as no time."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole >= 48 * 3600:
        return f"{whole // 86400} d {whole % 86400 // 3600} h"
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def pace(seconds: float, unit: str) -> str:
    """How long one unit takes, or how many go by in a second, whichever reads better."""
    if seconds <= 0:
        return "—"
    return f"{seconds:.1f} s/{unit}" if seconds >= 1 else f"{1 / seconds:.0f} {_plural(unit)}/s"


def bar(share: float, width: int) -> str:
    """A bar of so many cells, full blocks for what is done."""
    done = round(min(max(share, 0.0), 1.0) * width)
    return "█" * done + "░" * (width - done)


def sparkline(values: Sequence[float | None], width: int) -> str:
    """The course of a figure in at most `width` blocks, lowest to highest; longer courses are averaged in stretches.

    Empty where there is no course yet.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if len(known) < 2 or width < 1:
        return ""
    if len(known) > width:
        edges = [round(i * len(known) / width) for i in range(width + 1)]
        known = [sum(known[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]
    low, span = min(known), max(known) - min(known)
    if span <= 0:
        return _BLOCKS[3] * len(known)
    return "".join(_BLOCKS[round((value - low) / span * (len(_BLOCKS) - 1))] for value in known)


def count(number: int, noun: str) -> str:
    """Such as "1 run" and "3 runs"; "1 match" and "3 matches"."""
    return f"{number} {noun if number == 1 else _plural(noun)}"


def _plural(noun: str) -> str:
    return noun + ("es" if noun.endswith(("s", "ch", "sh", "x")) else "s")
