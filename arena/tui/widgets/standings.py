"""Tables and lines beside a matrix: standings, ground truth, changes against a base, one meeting, the progress."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from textual.content import Content

from arena.tui.collect.evaluation import Evaluation, Plan
from arena.tui.collect.results import ALL_GAMES, Change, Meeting, Rated, Results, Span, Truth
from arena.tui.format import MINUS, bar, count, duration, number, pace, short_names
from arena.tui.text import join, line
from arena.tui.theme import EMPTY, status
from arena.tui.widgets.matrix_cells import UNMET, Grid, counts_text, interval_text, score_text, signed
from arena.tui.widgets.table import Column

UNDEFEATED, UNBOUNDED = "◆", "*"
_MEASURES = {"optimal_move_rate": "optimal moves", "blunder_rate": "blunders"}
_UNMET = {"gauntlet": "in a gauntlet challengers alone are met", "swiss": "not paired with each other so far"}
"""Why a cell is empty, by format."""
OWN, OTHER = "●", "○"
"""Marks behind a player in a matrix: a game that it was trained on, a training game that is not its own."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A line of the standings; without a player the head of a group."""

    name: str
    place: int
    group: int
    rated: Rated | None = None


def standing_lines(rated: Sequence[Rated]) -> list[Standing]:
    """Everybody by group; several groups have heads, for ratings compare within a group alone."""
    names = short_names([one.player for one in rated])
    groups = sorted({one.group for one in rated})
    lines = []
    for group in groups:
        if len(groups) > 1:
            lines.append(Standing("", 0, group))
        mine = [one for one in rated if one.group == group]
        lines += [Standing(names[one.player], place, group, one) for place, one in enumerate(mine, start=1)]
    return lines


def standing_columns() -> list[Column[Standing]]:
    return [
        Column("", 2, lambda it: join((f"{it.place}", "$foreground-muted")) if it.rated else EMPTY, right=True),
        Column("player", 10, _standing_name, grow=True),
        Column("rating", 6, lambda it: _rating(it, "value"), right=True),
        Column("95 %", 13, _rating_interval, right=True, rank=1),
        Column("α-rank", 6, _mass, right=True, rank=3),
        Column("W–D–L", 13, lambda it: _counts(it.rated), right=True, rank=4),
        Column("forf.", 5, lambda it: join(str(it.rated.forfeits)) if it.rated else Content(), right=True, rank=2),
    ]


def standing_key(it: Standing) -> str:
    return f"{it.group} {it.rated.player if it.rated else ''}"


def standing_legend(rated: Sequence[Rated]) -> str:
    """What the marks mean that these lines have."""
    parts = [f"{UNDEFEATED} undefeated"] * any(one.undefeated for one in rated)
    parts += [f"{UNBOUNDED} held by the prior"] * any(one.unbounded for one in rated)
    return " · ".join(parts)


def _standing_name(it: Standing) -> Content:
    if it.rated is None:
        return join((f"group {it.group + 1}, never met the others", "$foreground-muted"))
    return join(line(it.name), (f" {UNDEFEATED}", "$text-accent") if it.rated.undefeated else "")


def _rating(it: Standing, name: str) -> Content:
    span = it.rated.rating if it.rated else None
    return join(_elo(getattr(span, name))) if span else Content()


def _rating_interval(it: Standing) -> Content:
    if it.rated is None or it.rated.rating is None:
        return Content()
    span = it.rated.rating
    text = f"{_elo(span.low)} … {_elo(span.high)}{UNBOUNDED if it.rated.unbounded else ''}"
    return join((text, "$foreground-muted"))


def _mass(it: Standing) -> Content:
    """Its share in alpha-rank."""
    return join(number(it.rated.mass.value)) if it.rated and it.rated.mass else EMPTY if it.rated else Content()


def _elo(value: float) -> str:
    return f"{value:+.0f}".replace("-", MINUS) if round(value) else "0"


def _counts(rated: Rated | None) -> Content:
    return join((counts_text(rated.counts), "$foreground-muted")) if rated else Content()


# Ground truth


@dataclass(frozen=True, slots=True)
class TruthLine:
    name: str
    truth: Truth


def truth_lines(results: Results, game: str) -> list[TruthLine]:
    """The measures of a game, or of all games."""
    truths = [truth for truth in results.truths if game in (ALL_GAMES, truth.game)]
    names = short_names(list(dict.fromkeys(truth.player for truth in truths)))
    return [TruthLine(names[truth.player], truth) for truth in truths]


def truth_columns() -> list[Column[TruthLine]]:
    return [
        Column("player", 10, lambda it: line(it.name), grow=True),
        Column("measure", 14, lambda it: line(_MEASURES.get(it.truth.measure, it.truth.measure.replace("_", " ")))),
        Column("game", 11, lambda it: line(it.truth.game), rank=3),
        Column("value", 5, lambda it: join(number(it.truth.value.value, 3)), right=True),
        Column("95 %", 11, lambda it: _muted_span(it.truth.value, False, 3), right=True, rank=1),
        Column("replies", 7, lambda it: join((str(it.truth.n), "$foreground-muted")), right=True, rank=2),
    ]


def truth_key(it: TruthLine) -> str:
    return f"{it.truth.player} {it.truth.game} {it.truth.measure}"


# Changes against the base


@dataclass(frozen=True, slots=True)
class ChangeLine:
    name: str
    opponent: str
    change: Change


def change_lines(results: Results, game: str) -> list[ChangeLine]:
    """What the game, or the average over all, says of every player and opponent; the players together."""
    mine = [one for one in results.changes if one.game == game and one.over in ("", "all")]
    found = [one for one in mine if one.player != results.base]
    players = [*results.rows, *results.columns, "all"]
    names = short_names(list(dict.fromkeys([*results.rows, *results.columns])))
    found.sort(key=lambda one: (_index(players, one.player), _index(players, one.opponent)))
    return [
        ChangeLine(names.get(it.player, it.player), "all bots" if it.over and it.opponent == "all" else name, it)
        for it in found
        for name in (names.get(it.opponent, it.opponent),)
    ]


def _index(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def change_columns() -> list[Column[ChangeLine]]:
    return [
        Column("player", 10, lambda it: line(it.name), grow=True),
        Column("against", 9, lambda it: line(it.opponent)),
        Column("score", 5, lambda it: join(_scored(it.change)), right=True, rank=1),
        Column("change", 6, _change, right=True),
        Column("95 %", 13, _change_interval, right=True, rank=2),
    ]


def change_key(it: ChangeLine) -> str:
    return f"{it.change.player} {it.change.opponent}"


def _scored(change: Change) -> str:
    return signed(change.score) if change.unit == "utility" else number(change.score)


def _change(it: ChangeLine) -> Content:
    span = it.change.change
    if span is None:
        return EMPTY
    return join((signed(span.value), "bold")) if span.excludes(0) else join((f"~{signed(span.value)}", "dim"))


def _change_interval(it: ChangeLine) -> Content:
    return EMPTY if it.change.change is None else _muted_span(it.change.change, True)


def _muted_span(span: Span, sign: bool, digits: int = 2) -> Content:
    show = signed if sign else number
    return join((f"{show(span.low, digits)} … {show(span.high, digits)}", "$foreground-muted"))


# The matrix and one of its cells


def make_grid(results: Results, plan: Plan, game: str, by_rating: bool) -> Grid:
    """The matrix of a game; players that have not met yet are there with empty lines."""
    ood = bool(results.base)
    rows = list(results.rows if ood else dict.fromkeys([*plan.players, *results.rows]))
    columns = list(results.columns) if ood else rows
    if by_rating and not ood:
        places = {one.player: place for place, one in enumerate(results.standings)}
        rows = columns = sorted(rows, key=lambda name: places.get(name, len(places)))
    cells = {(a, b): meeting for (played, a, b), meeting in results.meetings.items() if played == game}
    if ood:
        columns = [name for name in columns if any((player, name) in cells for player in rows)]
    glyphs = {"own": OWN, "other": OTHER}
    marks = {name: glyphs.get(results.marks.get((game, name), ""), "") for name in rows}
    trained = any(mark == OWN for mark in marks.values())
    shown = {name: mark for name, mark in marks.items() if mark and trained}
    return Grid(tuple(rows), tuple(columns), cells, shown, _UNMET.get(results.format, UNMET))


def meeting_facts(meeting: Meeting) -> Iterator[tuple[str, Content]]:
    """Everything known of a meeting as names and figures."""
    mean = "mean return" if meeting.unit == "utility" else "score"
    unsure = "" if meeting.sure else " ~"
    yield mean, join((score_text(meeting), "bold"), f" ({interval_text(meeting)}){unsure}")
    if meeting.counts:
        yield "W–D–L", join(counts_text(meeting.counts))
        yield "matches", join(str(meeting.matches))
    if meeting.games is not None:
        yield "games", join(str(meeting.games))
    if (effect := meeting.seat_effect) is not None:
        yield "seat effect", join(signed(effect.value), f" ({signed(effect.low)} … {signed(effect.high)})")
    if meeting.distinct is not None:
        yield "distinct", join((f"⚠ {meeting.distinct}" if meeting.few else str(meeting.distinct), _few(meeting)))
    if meeting.forfeits is not None:
        yield "forfeits", join(f"{meeting.forfeits[0]} / {meeting.forfeits[1]}")
        yield "voids", join(str(meeting.voids))


def _few(meeting: Meeting) -> str:
    return "$text-warning" if meeting.few else ""


def meeting_line(player: str, opponent: str, meeting: Meeting | None, width: int, unmet: str = UNMET) -> Content:
    """The cell under the cursor in words, made for so many columns."""
    who = join(line(player, "bold", 60), (" against ", "$foreground-muted"), line(opponent, "bold", 60))
    if player == opponent:
        return join(line(player, "bold", 60), ("  nobody meets itself", "$foreground-muted"))
    if meeting is None:
        return join(who, (f"  {unmet}", "$foreground-muted"))
    return join(who, packed_facts(meeting, width), between="\n")


def packed_facts(meeting: Meeting, width: int) -> Content:
    """All that is known of a meeting, in lines of at most so many columns."""
    return packed((join((f"{name} ", "$foreground-muted"), text) for name, text in meeting_facts(meeting)), width)


def packed(facts: Iterable[Content], width: int) -> Content:
    """Facts one after the other, in lines of at most so many columns."""
    lines: list[Content] = []
    for fact in facts:
        longer = join(lines[-1], fact, between="   ") if lines else fact
        if lines and longer.cell_length <= width:
            lines[-1] = longer
        else:
            lines.append(fact)
    return join(*lines, between="\n")


def progress_line(shown: Evaluation, now: float, width: int) -> Content:
    """How far the schedule is and when it ends, or how long it took; what has no room is left out."""
    run = shown.run
    parts: list[Content | str] = [status(run.status)]
    if run.running and run.share is not None:
        parts.append(join((bar(run.share, 16), "$text-success"), f" {run.share:.0%}"))
    most = "at most " if shown.test and not shown.results.finished else ""
    total = f" of {most}{run.total}" if run.total else ""
    parts.append(f"{run.done}{total} {'match' if run.total == 1 else 'matches'}")
    if run.running:
        if run.total and run.done >= run.total:
            parts.append("measuring")
        elif run.pace is not None:
            parts.append(pace(run.pace, "match"))
        if run.seconds_left:
            parts.append(f"{most}{duration(run.seconds_left)} left")
    if (took := run.took(now)) is not None:
        parts.append(join((f"{'for' if run.running else 'took'} {duration(took)}", "$foreground-muted")))
    parts += [join((text, "$foreground-muted")) for text in _about(shown)]
    while len(parts) > 2 and join(" ", *parts, between="   ").cell_length > width:
        parts.pop()
    return join(" ", join(*parts, between="   "))


def _about(shown: Evaluation) -> list[str]:
    plan, results = shown.plan, shown.results
    about = [results.format] if results.format else []
    about += [count(len(results.rows or plan.players), "player"), count(len(results.games or plan.games), "game")]
    most = "at most " if shown.test else ""
    about += [] if plan.pairs is None else [f"{most}{count(plan.pairs, 'pair')}"]
    return about + ([] if plan.seed is None else [f"seed {plan.seed}"])
