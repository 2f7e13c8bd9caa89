"""The lines above a training's plots: is it learning, what went wrong, and where its time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from arena.core.sanitise import one_line
from arena.tui.curves import Point, shown
from arena.tui.format import number
from arena.tui.text import join, line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arena.tui.collect.gains import Gain
    from arena.tui.collect.runs import RunRow
    from arena.tui.collect.training import Phase

_SIGNS = {"better": ("▲", "$text-success"), "worse": ("▼", "$text-error"), "unclear": ("≈", "$foreground-muted")}
_SHADES = "█▓▒░·"
_STYLES = ("$primary", "$accent", "$success", "$secondary", "$foreground-muted")
_LEAST = 0.005
"""Shares below this are summed up."""


def verdict(gains: Sequence[Gain], width: int) -> Content:
    """Whether the training clearly gained, then as many of the measures as fit into a line, each then and now."""
    parts = [_summary(gains)]
    for gain in sorted(gains, key=lambda gain: (gain.change == "unclear", gain.key.name == "score")):
        part = _measure(gain)
        if sum(done.cell_length + 3 for done in parts) + part.cell_length > width:
            break
        parts.append(part)
    return join(*parts, between="   ").truncate(width, ellipsis=True)


def _measure(gain: Gain) -> Content:
    name, now = _short(gain.name, 48), (shown(gain.last), "bold")
    if gain.first.step == gain.last.step:
        return join(name, " ", now)
    sign, style = _SIGNS[gain.change]
    return join((f"{sign} ", style), name, f" {number(gain.first.value)} → ", now)


def _summary(gains: Sequence[Gain]) -> Content:
    if not gains:
        return join(("not evaluated yet", "$foreground-muted"))
    if all(gain.first.step == gain.last.step for gain in gains):
        return join((f"evaluated at step {gains[0].last.step:.0f} alone", "$foreground-muted"))
    better, worse = (sum(gain.change == word for gain in gains) for word in ("better", "worse"))
    if better and not worse:
        return join(("▲ learning", "bold $text-success"), f" {better} of {len(gains)} clearly better")
    if worse and not better:
        return join(("▼ getting worse", "bold $text-error"), f" {worse} of {len(gains)} clearly worse")
    if better:
        return join(("◆ mixed", "bold $text-warning"), f" {better} better, {worse} worse of {len(gains)}")
    return join(("≈ no clear change yet", "bold"), f" in {len(gains)} measures")


def phase_line(phases: Sequence[Phase], width: int) -> Content:
    """Shares of the time as one bar of shades, longest first, with a key; the bar takes what room the key leaves."""
    if not phases:
        return Content()
    named = [(phase.name, phase.share) for phase in phases if phase.share >= _LEAST][: len(_SHADES) - 1]
    rest = 1.0 - sum(share for _, share in named)
    shares = [*named, ("other", rest)] if rest >= _LEAST else named
    keys = [
        join((f"{shade} ", style), _short(name, 16), f" {share:.0%}")
        for (name, share), shade, style in zip(shares, _SHADES, _STYLES, strict=False)
    ]
    key = join(("time", "$foreground-muted"), *keys, between="  ")
    room = min(width - key.cell_length - 2, 60)
    if room < 10:
        return key.truncate(width, ellipsis=True)
    edges = [round(sum(share for _, share in shares[:count]) * room) for count in range(len(shares) + 1)]
    cells = [
        (shade * (end - start), style)
        for start, end, shade, style in zip(edges, edges[1:], _SHADES, _STYLES, strict=False)
    ]
    return join(key, "  ", *cells)


def measured(values: Sequence[tuple[str, Point]]) -> Content:
    """What was measured of one checkpoint."""
    return join(*(join(_short(name, 48), f" {shown(point)}") for name, point in values), between=" · ")


def _short(name: str, most: int) -> Content:
    return line(name, "$foreground-muted").truncate(most, ellipsis=True)


def no_figures(row: RunRow) -> Content:
    if row.running:
        return join(("No figures yet.\n\n", "bold"), "The job is loading its model; the first step brings them.")
    word = one_line(row.status)
    return join(("No figures.\n\n", "bold"), f"The run is {word}, and it stored none.")
