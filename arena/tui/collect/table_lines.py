"""What one run adds to each table: lines of an evaluation's result, or of a training's last evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from arena.core.sanitise import one_line
from arena.runs.rows import MetricRow
from arena.tui.collect.charts import short_names
from arena.tui.collect.evaluation import Evaluation
from arena.tui.collect.results import ALL_GAMES, Change, Meeting, Results, Span
from arena.tui.collect.runs import RunRow
from arena.tui.collect.spending import Spending
from arena.tui.collect.table_kinds import HEAD_TO_HEAD, OOD, SCORES, TRUTH
from arena.tui.sheet import KINDS, Cell, Counts, Figure, Heading, Line, Sheet, make_line

MEASURES = {
    "optimal_move_rate": "optimal moves",
    "blunder_rate": "blunders",
    "exploitability": "exploitability",
    "value_loss": "value loss",
}
"""Ground truth among the metrics of a training, and what it is called on screen."""
EVALUATED = ("score", "eval_forfeit_rate", *MEASURES)
ALL_BOTS = "all bots"
_BOTS = ("random", "scripted", "optimal")
_ALL = "all"
_UTILITY = "utility"
_PLACES = 4
"""Digits of a cost."""

Bounds = Mapping[tuple[str, str, str], tuple[float, float, int]]
"""Intervals of averages, and their numbers of games, by what they are over, player and opponent."""


# Evaluations


def evaluation_lines(shown: Evaluation, bounds: Bounds) -> dict[str, list[Line]]:
    """The lines of a tournament, head-to-head or ood run by the table that they belong to."""
    run, results = shown.run, shown.results
    lines = {SCORES: _scores(run, results), TRUTH: _truths(run, results)}
    if run.kind == "head-to-head":
        lines[HEAD_TO_HEAD] = _both_sides(run, results)
    if results.base:
        lines[OOD] = _transfer(run, results, bounds)
    return lines


def _scores(run: RunRow, results: Results) -> list[Line]:
    """Every meeting once, a bot being the opponent of what is none."""
    seen: set[tuple[str, frozenset[str]]] = set()
    lines = []
    for (game, player, opponent), meeting in results.meetings.items():
        unit = (game, frozenset((player, opponent)))
        if game == ALL_GAMES or unit in seen or (_is_bot(player) and not _is_bot(opponent)):
            continue
        seen.add(unit)
        lines.append(_scored(run, results, game, meeting))
    return lines


def _both_sides(run: RunRow, results: Results) -> list[Line]:
    order = {name: place for place, name in enumerate(results.rows)}
    games = {game: place for place, game in enumerate(results.views)}
    found = [(game, meeting) for (game, _, _), meeting in results.meetings.items() if game in games]
    found.sort(key=lambda it: (games[it[0]], order.get(it[1].player, 0), order.get(it[1].opponent, 0)))
    return [_scored(run, results, game, meeting) for game, meeting in found]


def _scored(run: RunRow, results: Results, game: str, meeting: Meeting) -> Line:
    name = game or all_games(len(results.games))
    forfeits = meeting.forfeits or (None, None)
    cells: list[Cell] = [
        run.name,
        meeting.player,
        meeting.opponent,
        name,
        _kind(results, game, meeting.player),
        _figure(meeting.score, meeting.even, meeting.unit == _UTILITY),
        Counts(*meeting.counts) if meeting.counts else None,
        meeting.matches,
        *forfeits,
        meeting.voids,
        meeting.unit,
        str(run.status),
    ]
    return make_line(_key(run, game, meeting.player, meeting.opponent), run.path, cells)


def _transfer(run: RunRow, results: Results, bounds: Bounds) -> list[Line]:
    """Scores with their changes, game by game, then the averages."""
    changes = {(one.game, one.player, one.opponent, one.over): one for one in results.changes}
    lines = []
    for game in results.games:
        for player in results.rows:
            for opponent in results.columns:
                meeting = results.meetings.get((game, player, opponent))
                if meeting is None:
                    continue
                change = changes.get((game, player, opponent, ""))
                figures = (
                    _figure(meeting.score, meeting.even, meeting.unit == _UTILITY),
                    _changed(change.change if change else None),
                )
                about = (game, _kind(results, game, player), meeting.matches, meeting.unit)
                lines.append(_moved(run, player, opponent, figures, about, ""))
    for one in results.changes:
        if one.game == ALL_GAMES:
            games = _over(results, one.over)
            low, high, count = bounds.get((one.over, one.player, one.opponent), (None, None, len(games)))
            figures = (Figure(one.score, low, high, 0.5), _changed(one.change))
            whole = all_games(count) if one.over == _ALL else f"{count} OOD games"
            name = whole if count == len(games) else f"{count} of {len(games)} games"
            about = (name, "", _matches(results, one, games), "points")
            lines.append(_moved(run, one.player, _opponent(one), figures, about, one.over))
    return lines


def _moved(
    run: RunRow,
    player: str,
    opponent: str,
    figures: tuple[Figure, Figure | None],
    about: tuple[str, str, int | None, str],
    over: str,
) -> Line:
    game, kind, count, unit = about
    cells: list[Cell] = [run.name, player, opponent, game, kind, *figures, count, unit, str(run.status)]
    return make_line(_key(run, over or game, player, opponent, over), run.path, cells)


def _over(results: Results, over: str) -> list[str]:
    return [game for game in results.games if over == _ALL or game in results.held_out]


def _matches(results: Results, average: Change, games: Sequence[str]) -> int:
    """How many matches an average is made of."""
    opponents = _BOTS if average.opponent == _ALL else (average.opponent,)
    met = (results.meetings.get((game, average.player, bot)) for game in games for bot in opponents)
    return sum(meeting.matches or 0 for meeting in met if meeting is not None)


def _truths(run: RunRow, results: Results) -> list[Line]:
    return [
        _measured(run, truth.player, truth.game, truth.measure, Figure(*_parts(truth.value), digits=3), truth.n)
        for truth in results.truths
    ]


def _measured(run: RunRow, player: str, game: str, measure: str, value: Figure, count: int | None) -> Line:
    cells: list[Cell] = [run.name, player, game, measure, value, count, str(run.status)]
    return make_line(_key(run, game, player, measure), run.path, cells)


def all_games(count: int) -> str:
    return f"all {count} games" if count != 1 else "the one game"


# Players × games


def crossed(shown: Sequence[Evaluation], sheet: Sheet) -> Sheet:
    """The changes of ood runs: two columns for the averages, and one for each game."""
    games = list(dict.fromkeys(game for one in shown for game in one.results.games))
    titles = {(ALL_GAMES, _ALL): "all games", (ALL_GAMES, "ood"): "OOD games"}
    titles |= {(game, ""): one_line(name, 60) for game, name in short_names(games).items()}
    lines = [line for one in shown for line in _crossed(one, list(titles))]
    heads = [*_CROSSED]
    for place, ((game, _), title) in enumerate(titles.items()):
        taken = {head.name for head in heads}
        name = game or title
        head = Heading(f"game {name}" if name in taken else name, title, 12, right=True, rank=3 + place if game else 1)
        heads.append(head)
    kept = [place for place in range(len(heads)) if place < 3 or any(line.cells[place] for line in lines)]
    lines = [replace(line, cells=tuple(line.cells[place] for place in kept)) for line in lines]
    return Sheet(sheet.kind, "Change against the base", tuple(heads[place] for place in kept), tuple(lines), sheet.note)


_CROSSED = (
    Heading("run", "run", 10, grow=True, rank=2),
    Heading("player", "player", 12, grow=True),
    Heading("opponent", "against", 9),
)


def _crossed(shown: Evaluation, columns: Sequence[tuple[str, str]]) -> list[Line]:
    """A line for each player and opponent with a change; `columns` are games, or averages and what they are over."""
    run, results = shown.run, shown.results
    found: dict[tuple[str, str], dict[tuple[str, str], Figure]] = {}
    for one in results.changes:
        kind = "" if one.over else results.marks.get((one.game, one.player), "")
        if (figure := _changed(one.change, kind)) is not None:
            found.setdefault((one.player, _opponent(one)), {})[one.game, one.over] = figure
    order = {name: place for place, name in enumerate(results.rows)}
    return [
        make_line(_key(run, *who), run.path, [run.name, *who, *(found[who].get(column) for column in columns)])
        for who in sorted(found, key=lambda it: order.get(it[0], len(order)))
    ]


# Trainings


def training_lines(
    run: RunRow, metrics: Mapping[str, Sequence[MetricRow]], units: Mapping[str, str]
) -> dict[str, list[Line]]:
    """The lines of a training's last evaluation; `metrics` are recent ones of `EVALUATED`."""
    scores = _last(metrics.get("score", ()))
    forfeits = {(row.game, row.opponent, row.step): row for row in metrics.get("eval_forfeit_rate", ())}
    lines: dict[str, list[Line]] = {SCORES: [], TRUTH: []}
    for row in scores:
        if row.value is None:
            continue
        unit = _unit(row, units)
        rate = forfeits.get((row.game, row.opponent, row.step))
        lost = round(rate.value * row.n) if rate and rate.value is not None and row.n is not None else None
        figure = Figure(row.value, row.low, row.high, 0.0 if unit == _UTILITY else 0.5, unit == _UTILITY)
        player = f"{run.name}@{row.step}"
        cells: list[Cell] = [
            run.name, player, row.opponent, row.game, KINDS["own"], figure, None, row.n, lost, None, None, unit,
            str(run.status),
        ]  # fmt: skip
        lines[SCORES].append(make_line(_key(run, row.game, "", row.opponent), run.path, cells))
    for name in MEASURES:
        for row in _last(metrics.get(name, ())):
            if row.value is not None:
                figure = Figure(row.value, row.low, row.high, digits=3)
                lines[TRUTH].append(_measured(run, f"{run.name}@{row.step}", row.game, name, figure, row.n))
    return lines


def _last(rows: Sequence[MetricRow]) -> list[MetricRow]:
    """Those of the newest step, each game and opponent once."""
    newest = max((row.step for row in rows), default=0)
    return list({(row.game, row.opponent, row.role): row for row in rows if row.step == newest}.values())


def _unit(row: MetricRow, units: Mapping[str, str]) -> str:
    """A training does not store it: what evaluations say of the game, else what the figures and the variant tell."""
    below = any(value is not None and value < 0 for value in (row.value, row.low))
    return units.get(row.game) or (_UTILITY if below or "payoff=chips" in row.game else "points")


def units_of(shown: Iterable[Evaluation]) -> dict[str, str]:
    """In which unit the scores of each game are."""
    return {game: met.unit for one in shown for (game, _, _), met in one.results.meetings.items() if game != ALL_GAMES}


# API players


def spent_lines(run: RunRow, spending: Spending) -> list[Line]:
    """The ledger of a run."""
    return [
        make_line(
            _key(run, one.player), run.path,
            [
                run.name, one.player, one.model, one.requests, one.retries, one.prompt_tokens, one.completion_tokens,
                one.reasoning_tokens, None if one.cost is None else Figure(one.cost, digits=_PLACES), one.stopped,
                str(run.status),
            ],
        )
        for one in spending.accounts
    ]  # fmt: skip


# Parts


def _key(run: RunRow, *about: str) -> str:
    return "\x1f".join((str(run.path), *about))


def _is_bot(spec: str) -> bool:
    return spec.partition("?")[0] in _BOTS


def _kind(results: Results, game: str, player: str) -> str:
    return KINDS.get(results.marks.get((game, player), "ood" if game in results.held_out else ""), "")


def _opponent(change: Change) -> str:
    return ALL_BOTS if change.opponent == _ALL and not change.game else change.opponent


def _parts(span: Span) -> tuple[float, float, float]:
    return span.value, span.low, span.high


def _figure(span: Span, even: float, signed: bool) -> Figure:
    return Figure(*_parts(span), even, signed)


def _changed(span: Span | None, kind: str = "") -> Figure | None:
    return None if span is None else Figure(*_parts(span), 0.0, True, kind=kind)
