"""What the pane beside the list of runs says about one of them."""

from __future__ import annotations

import time
from itertools import groupby
from typing import TYPE_CHECKING

from textual.content import Content

from arena.tui.format import MINUS, count, duration, figure, number, pace, sparkline
from arena.tui.text import join, line
from arena.tui.theme import LEVEL, LOADING, status

if TYPE_CHECKING:
    from arena.tui.collect.runs import Course, RunPreview, RunRow

_EXACT = {"optimal_move_rate": "optimal moves", "exploitability": "exploitability"}
_FIGURES = {
    "thought_tokens": "thoughts {} tokens",
    "entropy": "entropy {}",
    "forfeit_rate": "forfeits {}",
    "self_play_draw_rate": "draws {}",
    "loss": "loss {}",
}
_SHARES = ("forfeit_rate", "self_play_draw_rate")


def about(row: RunRow, more: RunPreview | None, now: float, width: int) -> Content:
    """All lines of the pane, made for so many columns; `more` is None while it is being read."""
    blocks = [_state(row, now)]
    if row.error:
        blocks.append(join(("✗ ", "$text-error"), line(row.error, "$text-error", limit=600)))
    if more is None:
        return join(*blocks, *([] if row.status == "unreadable" else [LOADING]), between="\n\n")
    blocks += _alarms(more)
    blocks += _courses(more, width)
    if more.standings:
        blocks.append(_ratings(more, width))
    elif more.players:
        blocks.append(
            join(("players", "$foreground-muted"), *(join("  ", line(name)) for name in more.players), between="\n")
        )
    if row.result:
        blocks.append(line(row.result, "bold"))
    if not more.courses and more.games:
        blocks.append(
            join(("games", "$foreground-muted"), *(join("  ", line(name)) for name in more.games), between="\n")
        )
    blocks.append(_figures(more))
    if more.checkpoints:
        blocks.append(join((count(more.checkpoints, "checkpoint"), "$foreground-muted")))
    blocks.append(line(f"id {row.id}", "$foreground-muted"))
    return join(*blocks, between="\n\n")


def _state(row: RunRow, now: float) -> Content:
    total = f"/{row.total}" if row.total else ""
    parts: list[Content | str] = [status(row.status)]
    if row.done or row.total:
        parts.append(f"{row.unit} {row.done}{total}" if row.training else f"{row.done}{total} matches")
    if row.pace is not None:
        parts.append(pace(row.pace, row.unit))
    if row.seconds_left is not None:
        parts.append(f"{duration(row.seconds_left)} left")
    lines = [join(*parts, between=" · ")]
    if row.started_at is not None:
        when = time.strftime("%d %b %H:%M", time.localtime(row.started_at))
        took = row.took(now)
        text = "" if took is None else f", {'for' if row.running else 'took'} {duration(took)}"
        lines.append(join((f"started {when}{text}", "$foreground-muted")))
    if row.parent:
        lines.append(line(f"from {row.parent}", "$foreground-muted"))
    return join(*lines, between="\n")


def _alarms(more: RunPreview) -> list[Content]:
    rows = [
        join((f"{LEVEL[level].glyph} ", LEVEL[level].style), line(f"step {step}: {message}"))
        for step, level, message in more.alarms
        if level in LEVEL
    ]
    return [join(*rows, between="\n")] if rows else []


def _courses(more: RunPreview, width: int) -> list[Content]:
    blocks = []
    for game, mine in groupby(more.courses, key=lambda course: course.game):
        rows = [_course(course, width) for course in mine]
        blocks.append(join(line(game.partition("?")[0], "$text-primary"), *rows, between="\n"))
    return blocks


def _course(course: Course, width: int) -> Content:
    """First value, course and last value; without the first where there is little room."""
    roomy = width >= 37
    room = min(max(width - (32 if roomy else 26), 3), 24)
    name = _EXACT.get(course.measure) or f"vs {course.opponent}"
    first, shown = number(course.values[0]), figure(course.last, course.low, course.high)
    return join(
        "  ",
        line(name, limit=60).truncate(14, pad=True, ellipsis=True),
        (f"{first:>5} " if roomy else " ", "$foreground-muted"),
        (f"{sparkline(course.values, room):<{room}} ", "$text-primary"),
        shown,
    )


def _ratings(more: RunPreview, width: int) -> Content:
    rows = [join(("rating", "$foreground-muted"))]
    for place, standing in enumerate(more.standings, start=1):
        half = "" if standing.low is None or standing.high is None else f" ±{(standing.high - standing.low) / 2:.0f}"
        rating = f"{standing.rating:+.0f}".replace("-", MINUS)
        name = line(standing.player, limit=60).truncate(min(max(width - 18, 8), 40), pad=True, ellipsis=True)
        rows.append(join(f"  {place:>2} ", name, f" {rating:>6}", (half, "$foreground-muted")))
    return join(*rows, between="\n")


def _figures(more: RunPreview) -> Content:
    parts = []
    for name, value in more.figures:
        shown = f"{value:.0%}" if name in _SHARES else f"{value:.0f}" if name == "thought_tokens" else number(value)
        parts.append(_FIGURES[name].format(shown))
    return join((" · ".join(parts), ""))
