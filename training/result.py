"""The result of a training run, from `run.db` alone: how good it was at the start and is at the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from arena.core.errors import ArenaError
from arena.core.registry import GameSpec
from arena.core.sanitise import one_line
from arena.runs.reader import RunReader
from arena.runs.rows import MetricRow
from evals.spending import ledger_rows, render_ledger

SCHEMA = 1
EXACT = ("exploitability", "optimal_move_rate", "blunder_rate", "value_loss")
"""Measures against a game's exact solution, as the table orders them."""
_LABELS = {"optimal_move_rate": "optimal moves", "blunder_rate": "blunders", "value_loss": "value loss"}
_LOWER_IS_BETTER = {"exploitability", "blunder_rate", "value_loss"}
_WIDTH = 100
"""Columns of a table that goes to no terminal."""
_ABSENT = "—"

Figure = dict[str, Any]


def build_result(run_dir: Path) -> dict[str, Any]:
    """Everything measured, as JSON values. Raises ArenaError where the run cannot be read."""
    with RunReader(run_dir) as reader:
        rows = reader.all_metrics()
    steps = max((row.step for row in rows), default=0)
    ledger = ledger_rows(run_dir)
    evaluations = [_figure(row) for row in rows if row.name in ("score", "draw_rate", *EXACT)]
    return {
        "schema": SCHEMA,
        "run": run_dir.absolute().name,
        "steps": steps,
        "training_seconds": round(sum(row.value or 0.0 for row in rows if row.name.startswith("seconds_")), 1),
        "evaluations": evaluations,
        "last_third": _last_third(rows, steps),
        "empty_batches": _last(rows, "empty_batches"),
        "skipped_updates": _last(rows, "skipped_total"),
        **({"ledger": ledger} if ledger else {}),
    }


def _figure(row: MetricRow) -> Figure:
    return {
        "step": row.step,
        "measure": row.name,
        "game": row.game,
        "opponent": row.opponent or None,
        "value": row.value,
        "low": row.low,
        "high": row.high,
        "n": row.n,
        "unit": _unit(row),
    }


def _unit(row: MetricRow) -> str:
    """What a score counts: wins and half the draws, or what the game pays."""
    if row.name != "score":
        return "chips" if row.name == "exploitability" else "share"
    try:
        game = GameSpec.parse(row.game)
    except ArenaError:  # a game that this program no longer has
        return "points"
    if game.new(0).utility == (-1.0, 1.0):
        return "points"
    return str(game.variant.get("payoff", "utility"))


def _last_third(rows: Sequence[MetricRow], steps: int) -> list[Figure]:
    """Means of the exact measures over the evaluations in the last third of training."""
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row.name in EXACT and row.step > 2 * steps / 3 and row.value is not None:
            found.setdefault((row.game, row.name), []).append(row.value)
    return [
        {"game": game, "measure": measure, "mean": sum(values) / len(values), "evaluations": len(values)}
        for (game, measure), values in found.items()
    ]


def _last(rows: Sequence[MetricRow], name: str) -> float | None:
    return next((row.value for row in reversed(rows) if row.name == name), None)


def print_result(result: dict[str, Any]) -> None:
    """The table on stdout, as wide as the terminal, `_WIDTH` columns where there is none."""
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, width=_WIDTH)
    console.print(render(result))
    if "ledger" in result:
        console.print("", render_ledger(result["ledger"]), sep="\n")


def render(result: dict[str, Any]) -> RenderableType:
    """One row a figure, at the first and at the last evaluation, grouped by game; fits 100 columns."""
    seconds = result["training_seconds"]
    title = Text(f"Training: {one_line(result['run'])}", style="bold")
    title.append(f"   {result['steps']} steps, {_clock(seconds)}", style="dim")
    series = _series(result["evaluations"])
    if not series:
        return Group(title, Text("No evaluation yet.", style="dim"))
    means = {(row["game"], row["measure"]): row["mean"] for row in result["last_third"]}
    start = min(figures[0]["step"] for figures in series.values())
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("", "start", "95 %", "", "end", "95 %", "last third"):
        side = "right" if name in ("start", "end", "last third") else "left"
        table.add_column(name, justify=side, no_wrap=True, overflow="ellipsis")  # type: ignore[arg-type]
    for number, game in enumerate(dict.fromkeys(game for game, _, _ in series)):
        if number:
            table.add_row()
        table.add_row(Text(one_line(game), style="bold"))
        for measure, opponent in _order(series, game):
            figures = series[game, measure, opponent]
            mean = means.get((game, measure)) if opponent is None else None
            first = figures[0] if figures[0]["step"] == start else None
            table.add_row(*_row(measure, opponent, first, figures[-1], mean))
    return Group(title, Text(), table, Text(), _legend(result, series))


def _series(figures: Sequence[Figure]) -> dict[tuple[str, str, str | None], list[Figure]]:
    series: dict[tuple[str, str, str | None], list[Figure]] = {}
    for figure in figures:
        series.setdefault((figure["game"], figure["measure"], figure["opponent"]), []).append(figure)
    return series


def _order(series: dict[tuple[str, str, str | None], list[Figure]], game: str) -> list[tuple[str, str | None]]:
    """The rows of a game: exact measures, then scores; draws only against `optimal`, whom nobody beats."""
    mine = [(measure, opponent) for found, measure, opponent in series if found == game]
    exact = sorted((row for row in mine if row[0] in EXACT), key=lambda row: EXACT.index(row[0]))
    scores = [row for row in mine if row[0] == "score"]
    draws = [row for row in mine if row == ("draw_rate", "optimal") and series[game, *row][0]["n"]]
    return [*exact, *scores, *(draws if not _chips(series, game) else [])]


def _chips(series: dict[tuple[str, str, str | None], list[Figure]], game: str) -> bool:
    """Whether the game's scores are what it pays instead of wins and draws."""
    return any(
        figures[0]["unit"] != "points"
        for (found, measure, _), figures in series.items()
        if found == game and measure == "score"
    )


def _row(measure: str, opponent: str | None, first: Figure | None, last: Figure, mean: float | None) -> list[Text]:
    """`first` is None for an opponent that was not there at the start, such as the former self."""
    signed = measure == "score" and last["unit"] != "points"
    unit = f" ({one_line(last['unit'])})" if signed or measure == "exploitability" else ""
    name = {"score": "score", "draw_rate": "draws"}.get(measure, _LABELS.get(measure, measure.replace("_", " ")))
    label = Text("  " + name + (f" against {one_line(opponent, 40)}" if opponent else "") + unit)
    return [
        label,
        *((Text(_ABSENT), Text()) if first is None else _cells(first, signed)),
        Text("→", style="dim"),
        *_cells(last, signed, "" if first is None else _verdict(measure, first, last)),
        Text(_ABSENT if mean is None else _number(mean, False), style="dim" if mean is None else ""),
    ]


def _verdict(measure: str, first: Figure, last: Figure) -> str:
    """Bold where the two intervals do not touch: a change beyond doubt, red where it is for the worse."""
    if first is last or None in (first["low"], first["high"], last["low"], last["high"]):
        return ""
    if first["low"] <= last["high"] and last["low"] <= first["high"]:
        return ""
    better = (last["value"] > first["value"]) != (measure in _LOWER_IS_BETTER)
    return "bold green" if better else "bold red"


def _cells(figure: Figure, signed: bool, style: str = "") -> tuple[Text, Text]:
    value, low, high = figure["value"], figure["low"], figure["high"]
    interval = "" if low is None or high is None else f"{_number(low, signed, 2)} … {_number(high, signed, 2)}"
    return Text(_ABSENT if value is None else _number(value, signed), style=style), Text(interval, style="dim")


def _number(value: float, signed: bool, digits: int = 3) -> str:
    """A figure; where it may be negative with its sign, zero without one, and a real minus."""
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    return (text[1:] if signed and float(text) == 0 else text).replace("-", "−")


def _legend(result: dict[str, Any], series: dict[tuple[str, str, str | None], list[Figure]]) -> Text:
    lines = ["Score: wins + draws / 2, per match. Last third: mean over the last third of the steps."]
    if any(_chips(series, game) for game, _, _ in series):
        lines.insert(1, "Where it carries a sign, a score is the mean return per match.")
    if result["empty_batches"] or result["skipped_updates"]:
        empty, skipped = (int(result[name] or 0) for name in ("empty_batches", "skipped_updates"))
        lines.append(f"Batches without an advantage: {empty}. Updates skipped, not finite: {skipped}.")
    return Text("\n".join(lines), style="dim")


def _clock(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60:02} s"
