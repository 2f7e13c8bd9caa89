"""Figures as short text: numbers with their intervals, times, bars and lines of small blocks. All pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

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


def amount(number: int) -> str:
    """A count in at most five cells, such as "9,120", "48.2k" and "3M"."""
    if number < 10_000:
        return f"{number:,}"
    for unit, size in (("k", 1e3), ("M", 1e6), ("G", 1e9)):
        if number < 999.5 * size:
            digits = f"{number / size:.1f}".removesuffix(".0") if number < 99.95 * size else f"{number / size:.0f}"
            return f"{digits}{unit}"
    return f"{number / 1e9:,.0f}G"


def money(value: float) -> str:
    """A sum in whatever money prices are given in: small ones to four digits."""
    return f"{value:,.2f}" if value >= 1 or value == 0 else f"{value:.4f}"


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


def size(bytes: int) -> str:
    """Such as "980 B", "10.8 MB" or "1.2 GB"; thousands, not 1024s."""
    amount, unit = float(bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 999.5:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.95 else f"{amount:.1f} {unit}"


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


def short_names(specs: Sequence[str]) -> dict[str, str]:
    """Names of players as short as they stay distinct: of a checkpoint's path the last part, or more where it must."""
    shown: dict[str, str] = {}
    for spec in specs:
        head, colon, target = spec.partition(":")
        parts = target.partition("?")[0].split("/") if colon and head in ("ckpt", "hf") else []
        ends = ("/".join(parts[-length:]) for length in range(1, len(parts) + 1))
        tails = [f"{end}{spec[len(spec.partition('?')[0]) :]}" for end in ends if end]
        others = [other for other in specs if other != spec]
        taken = {*others, *shown.values()}
        free = (tail for tail in tails if tail not in taken and not any(other.endswith(f"/{tail}") for other in others))
        shown[spec] = next(free, spec)
    return shown


def squeeze(text: str, width: int) -> str:
    """Text cut in its middle to at most so many terminal cells: names of runs often begin alike."""
    if cell_len(text) <= width:
        return text
    tail = max(width - 1, 0) * 2 // 3
    head = max(width - 1 - tail, 0)
    return f"{set_cell_size(text, head)}…{set_cell_size(text[::-1], tail)[::-1]}" if width > 0 else ""
