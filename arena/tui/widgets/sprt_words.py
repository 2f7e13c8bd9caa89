"""How a sequential test stands, in words and as a mark between its two bounds."""

from __future__ import annotations

from collections.abc import Iterator

from textual.content import Content

from arena.tui.collect.sprt import Sprt
from arena.tui.format import MINUS, count
from arena.tui.text import join, line
from arena.tui.widgets.matrix_cells import signed

_MUTED = "$foreground-muted"
_NAME, _GAUGE = 40, 21
"""Columns, of a name at most."""


def sprt_facts(test: Sprt, player: str) -> Iterator[Content]:
    """What there is to say, in short parts: the verdict, and where the ratio is between both hypotheses' bounds."""
    yield join(("SPRT of ", _MUTED), line(player, "bold").truncate(_NAME, ellipsis=True), ("'s lead", _MUTED))
    lowest = join(("H0 ", _MUTED), f"≤ {_elo(test.elo0)} Elo")
    highest = join(("H1 ", _MUTED), f"≥ {_elo(test.elo1)} Elo")
    if test.ratio is None:
        yield lowest
        yield highest
    else:
        verdict = "open" if test.verdict == "open" else f"{test.verdict} accepted"
        style = "bold" if verdict == "open" else "bold $text-accent"
        said = line(verdict, style).truncate(_NAME, ellipsis=True)
        yield join(said, f" after {count(test.pairs, 'pair')}")
        yield join(("LLR ", _MUTED), (signed(test.ratio), "bold"))
        drawn = gauge(test.ratio, test.lower, test.upper)
        yield join(lowest, signed(test.lower), drawn, signed(test.upper), highest, between=" ")
    yield join((f"α {test.alpha:g}  β {test.beta:g}", _MUTED))


def gauge(value: float, low: float, high: float, width: int = _GAUGE) -> Content:
    """Where a figure is between two bounds, beyond which it counts as on them; a tick stands at 0."""
    cells = ["─"] * width
    cells[_place(0.0, low, high, width)] = "┼"
    place = _place(value, low, high, width)
    rest = "".join(cells)
    return join((f"├{rest[:place]}", _MUTED), ("●", "$text-accent bold"), (f"{rest[place + 1 :]}┤", _MUTED))


def _place(value: float, low: float, high: float, width: int) -> int:
    share = (value - low) / (high - low) if high > low else 0.5
    return round(min(max(share, 0.0), 1.0) * (width - 1))


def _elo(value: float) -> str:
    return f"{value:g}".replace("-", MINUS)
