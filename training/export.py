"""A training run in formats for elsewhere: tables of what it reached, all its figures, or TensorBoard's events.

`md` and `latex` are tables for people; `csv` and `json` every stored figure, one a row.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from arena.core.errors import ArenaError, MissingExtra
from arena.core.sanitise import one_line
from arena.runs.paths import CONFIG_JSON
from arena.runs.reader import RunReader
from arena.runs.rows import MetricRow
from evals.export import to_latex, to_markdown
from training.result import build_result

COLUMNS = ("step", "name", "game", "role", "opponent", "value", "low", "high", "n")
SUFFIX = ".spiral-arena"
"""Marks the event files that are ours: an export replaces those of the one before."""


def export(run_dir: Path, form: str, out: Path | None = None) -> None:
    """Write the run in one format, on stdout; `tensorboard` into the directory `out`.

    Raises ArenaError where the run cannot be read or the events not be written, MissingExtra without tensorboardX.
    """
    if form in ("md", "latex"):
        print((to_markdown if form == "md" else to_latex)(summary(run_dir)))
        return
    with RunReader(run_dir) as reader:
        rows = reader.all_metrics()
    if form == "json":
        print(json.dumps([{column: getattr(row, column) for column in COLUMNS} for row in rows], indent=2))
    elif form == "csv":
        csv.writer(sys.stdout, lineterminator="\n").writerows([COLUMNS, *map(_cells, rows)])
    else:
        out = out or run_dir / "tensorboard"
        count = write_events(rows, out)
        print(one_line(str(out), 4000))
        print(f"{count} values; look at them with: tensorboard --logdir {one_line(str(out), 4000)}", file=sys.stderr)


def _cells(row: MetricRow) -> list[str]:
    values = [getattr(row, column) for column in COLUMNS]
    return ["" if value is None else one_line(str(value)) for value in values]


def summary(run_dir: Path) -> dict[str, Any]:
    """The seed, and tables: the run, each figure at the first and the last evaluation, means of the end, the ledger."""
    result = build_result(run_dir)
    plain = {name: value for name, value in result.items() if name != "schema" and not isinstance(value, list)}
    series: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for figure in result["evaluations"]:
        series.setdefault(tuple(figure[name] for name in ("game", "measure", "opponent")), []).append(figure)
    games = list(dict.fromkeys(game for game, _, _ in series))
    rows = [_first_and_last(series[key]) for key in sorted(series, key=lambda key: games.index(key[0]))]
    tables = {"training": [plain], "evaluation": rows, "last_third": result["last_third"]}
    return {"seed": _seed(run_dir), **tables, "ledger": result.get("ledger", [])}


def _first_and_last(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first, last = figures[0], figures[-1]
    who = {name: last[name] for name in ("game", "measure", "opponent", "unit")}
    start = {"start": first["value"], "start_low": first["low"], "start_high": first["high"]}
    return (
        who
        | start
        | {"step": last["step"], "end": last["value"], "low": last["low"], "high": last["high"], "n": last["n"]}
    )


def _seed(run_dir: Path) -> int | None:
    try:
        seed = json.loads((run_dir / CONFIG_JSON).read_text(encoding="utf-8")).get("seed")
    except (OSError, ValueError, AttributeError):
        return None
    return seed if isinstance(seed, int) else None


def tag(row: MetricRow) -> str:
    """A figure's name in TensorBoard, which groups by what stands before the first slash."""
    return "/".join(part for part in (row.name, row.game, row.role, row.opponent) if part)


def write_events(rows: Iterable[MetricRow], out: Path) -> int:
    """Write one event file with every figure that has a value, at the time it was stored; returns how many.

    Values are single precision, as TensorBoard has them.
    """
    try:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary
    except ImportError:
        raise MissingExtra("TensorBoard's format", "tensorboard") from None
    count = 0
    try:
        out.mkdir(parents=True, exist_ok=True)
        for old in out.glob(f"events.out.tfevents.*{SUFFIX}"):
            old.unlink()
        writer = EventsWriter(str(out.absolute() / "events"), SUFFIX)
        for row in rows:
            if row.value is not None:
                value = Summary.Value(tag=tag(row), simple_value=row.value)
                writer.write_event(Event(wall_time=row.at, step=row.step, summary=Summary(value=[value])))
                count += 1
        writer.close()
    except OSError as error:
        raise ArenaError(f"Cannot write events into {out}: {error.strerror}.") from error
    return count
