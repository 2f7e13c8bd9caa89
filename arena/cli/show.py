"""`show`: one run's figures as they stand, running or finished: what the TUI's screen of it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from arena.cli.common import print_json, print_rows
from arena.core.sanitise import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from arena.tui.collect.gains import Gain
    from arena.tui.collect.runs import RunRow
    from arena.tui.collect.training import Training


def register(app: typer.Typer) -> None:
    app.command()(show)


def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run directory or id.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print where a run is: step, pace, time left; of a training the newest figures with 95 % intervals, and alarms.

    Example: spiral-arena show runs/train-20260101-120000
    """
    from arena.runs.paths import find_run
    from arena.tui.collect.runs import read_row

    run_dir = find_run(run)
    row = read_row(run_dir)
    if not row.training:
        _show_other(row, as_json)
        return
    training = _read(run_dir)
    if as_json:
        print_json(_header(training.row) | _figures(training))
    else:
        _print(training)


def _read(run_dir: Path) -> Training:
    from arena.tui.collect.training import TrainingReader

    reader = TrainingReader(run_dir)
    while (found := reader.read()).more:
        pass
    return found


def _header(row: RunRow) -> dict[str, Any]:
    return {
        "schema": 1, "id": row.id, "name": row.name, "kind": row.kind, "status": str(row.status), "unit": row.unit,
        "done": row.done, "total": row.total, "seconds_per_unit": row.pace, "seconds_left": row.seconds_left,
        "started_at": row.started_at, "ended_at": row.ended_at, "parent": row.parent, "error": row.error or None,
    }  # fmt: skip


def _figures(training: Training) -> dict[str, Any]:
    return {
        "gains": [_gain(gain) for gain in training.gains],
        "latest": latest(training),
        "phases": {phase.name: phase.seconds for phase in training.phases},
        "alarms": [
            {"step": row.step, "name": row.name, "level": row.level, "message": row.message, "value": finite(row.value)}
            for row in training.alarms
        ],
        "checkpoints": [{"step": row.step, "bytes": row.bytes} for row in training.checkpoints],
    }


def _gain(gain: Gain) -> dict[str, Any]:
    names = {"name": gain.key.name, "game": gain.key.game, "opponent": gain.key.opponent}
    return names | {"first": finite(gain.first.value), "last": finite(gain.last.value), "change": gain.change}


def latest(training: Training) -> list[dict[str, Any]]:
    """The newest value of every figure; opponents that differ by their step alone, `pool@10`, are one: their mean."""
    from arena.tui.collect.charts import ordered

    courses = training.courses or {}
    rows = []
    for key in ordered(courses, training.games):
        if (point := courses[key].at()) is not None:
            interval = {"low": finite(point.low), "high": finite(point.high)}
            rows.append(key._asdict() | {"step": point.step, "value": finite(point.value)} | interval)
    return rows


def finite(value: float | None) -> float | None:
    """JSON has no other numbers."""
    import math

    return value if value is not None and math.isfinite(value) else None


def _print(training: Training) -> None:
    from arena.tui.curves import Point, shown

    _print_header(training.row)
    for gain in training.gains:
        if gain.first.step != gain.last.step:
            then, now = f"{shown(gain.first)} at step {gain.first.step:.0f}", shown(gain.last)
            print(one_line(f"{gain.name}: {then}, now {now}: {gain.change}"))
    for alarm in training.alarms:
        print(one_line(f"{alarm.level} at step {alarm.step}: {alarm.message}", 1000))
    rows = []
    for row in latest(training):
        value = shown(None if row["value"] is None else Point(row["step"], row["value"], row["low"], row["high"]))
        rows.append(row | {"value": value, "step": f"{row['step']:.0f}"})
    print()
    print_rows(rows, ("name", "game", "role", "opponent", "step", "value"), "No figures yet.")


def _print_header(row: RunRow) -> None:
    from arena.tui.format import duration, pace

    parts = [row.name, row.kind, str(row.status)]
    parts.append(f"{row.unit} {row.done}{f'/{row.total}' if row.total else ''}")
    parts += [pace(row.pace, row.unit)] if row.pace is not None else []
    parts += [f"{duration(row.seconds_left)} left"] if row.seconds_left is not None else []
    print(one_line(" · ".join(parts)))
    if row.error:
        print(one_line(f"error: {row.error}", 1000))


def _show_other(row: RunRow, as_json: bool) -> None:
    """An evaluation: where it is, and its standings so far."""
    from arena.tui.collect.runs import preview

    standings = preview(row).standings
    ratings = [{"player": one.player, "rating": one.rating, "low": one.low, "high": one.high} for one in standings]
    if as_json:
        print_json(_header(row) | {"ratings": ratings, "result": row.result or None})
        return
    _print_header(row)
    if row.result:
        print(one_line(row.result))
    else:
        print_rows(ratings, ("player", "rating", "low", "high"), "No ratings yet.")
