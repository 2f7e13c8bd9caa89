"""The result of a training run, from `run.db` alone: how good it was at the start and is at the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from arena.core.sanitise import one_line
from arena.runs.paths import CONFIG_JSON
from arena.runs.rows import MetricRow
from arena.runs.store import RunReader

SCHEMA = 1
EXACT = ("optimal_move_rate", "blunder_rate", "exploitability", "value_loss")
_PAGE = 10_000


def build_result(run_dir: Path) -> dict[str, Any]:
    """Everything measured, as JSON values. Raises ArenaError where the run cannot be read."""
    with RunReader(run_dir) as reader:
        rows = _all_metrics(reader)
    steps = max((row.step for row in rows), default=0)
    evaluations = [_figure(row) for row in rows if row.name in ("score", "draw_rate", *EXACT)]
    return {
        "schema": SCHEMA,
        "run": run_dir.name,
        "config": (run_dir / CONFIG_JSON).name,
        "steps": steps,
        "training_seconds": round(sum(row.value or 0.0 for row in rows if row.name.startswith("seconds_")), 1),
        "evaluations": evaluations,
        "last_third": _last_third(rows, steps),
        "empty_batches": _last(rows, "empty_batches"),
        "skipped_updates": _last(rows, "skipped_total"),
    }


def _all_metrics(reader: RunReader) -> list[MetricRow]:
    rows: list[MetricRow] = []
    while page := reader.metrics(after_id=rows[-1].id if rows else 0, limit=_PAGE):
        rows += page
    return rows


def _figure(row: MetricRow) -> dict[str, Any]:
    return {
        "step": row.step,
        "measure": row.name,
        "game": row.game,
        "opponent": row.opponent or None,
        "value": row.value,
        "low": row.low,
        "high": row.high,
        "n": row.n,
    }


def _last_third(rows: Sequence[MetricRow], steps: int) -> list[dict[str, Any]]:
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


def render(result: dict[str, Any]) -> RenderableType:
    """A table: each figure at the first and at the last evaluation."""
    title = f"{one_line(result['run'])}: {result['steps']} steps, {result['training_seconds']:.0f} s"
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("game", "measure"):
        table.add_column(name)
    for name in ("start", "95 %", "end", "95 %", "last third"):
        table.add_column(name, justify="right")
    means = {(row["game"], row["measure"]): row["mean"] for row in result["last_third"]}
    for (game, measure, opponent), figures in _series(result["evaluations"]).items():
        first, last = figures[0], figures[-1]
        label = {"score": "score against", "draw_rate": "draws against"}.get(measure, measure.replace("_", " "))
        mean = means.get((game, measure)) if opponent is None else None
        table.add_row(
            Text(one_line(game)),
            Text(f"{label} {one_line(opponent)}" if opponent else label),
            *_cells(first),
            *_cells(last),
            "—" if mean is None else f"{mean:.3f}",
        )
    return table


def _series(figures: Sequence[dict[str, Any]]) -> dict[tuple[str, str, str | None], list[dict[str, Any]]]:
    series: dict[tuple[str, str, str | None], list[dict[str, Any]]] = {}
    for figure in figures:
        series.setdefault((figure["game"], figure["measure"], figure["opponent"]), []).append(figure)
    return series


def _cells(figure: dict[str, Any]) -> tuple[str, str]:
    value, low, high = figure["value"], figure["low"], figure["high"]
    return (
        "—" if value is None else f"{value:.3f}",
        "—" if low is None or high is None else f"{low:.3f} – {high:.3f}",
    )
