"""The figures of many runs as tables: scores, head-to-head, transfer to other games, ground truth.

Of evaluations `result.json` is read, of trainings the last evaluation in `run.db`; nothing is computed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.runs.control import TRAINING_KINDS
from arena.runs.paths import CONFIG_JSON, DB_NAME, RECORD, RESULT_JSON, run_dirs
from arena.runs.reader import NoRows, RunReader
from arena.runs.record import read_record
from arena.runs.rows import MetricRow
from arena.tui.collect import charts
from arena.tui.collect.evaluation import Evaluation, ResultsReader
from arena.tui.collect.runs import RunRow, read_row
from arena.tui.collect.spending import NOTHING, Spending, read_spending
from arena.tui.collect.stamp import Stamp, stamp_of
from arena.tui.collect.table_kinds import API, HEAD_TO_HEAD, KINDS, OOD
from arena.tui.collect.table_lines import (
    EVALUATED,
    MEASURES,
    Bounds,
    crossed,
    evaluation_lines,
    spent_lines,
    training_lines,
    units_of,
)
from arena.tui.format import short_names
from arena.tui.sheet import Line, Sheet

EVALUATIONS = ("tournament", "head-to-head", "ood", "imported")
_RECENT = 500
"""Figures of one name in which the last evaluation is found."""
_MOST_NAMES = 300
"""More players keep their whole names: which short ones stay distinct takes the square of their number."""
_FILES = (RECORD, CONFIG_JSON, RESULT_JSON, DB_NAME, f"{DB_NAME}-wal")


@dataclass(frozen=True, slots=True)
class Tables:
    """All tables as they stand."""

    sheets: Mapping[str, Sheet]
    """By the names of `KINDS`, in their order."""
    transfer: Sheet
    """The table ood with a column for each game."""
    meetings: tuple[Evaluation, ...] = ()
    """Head-to-head runs, for their matrices."""
    runs: int = 0
    waiting: int = 0
    """Evaluations without a result yet."""
    problems: tuple[str, ...] = ()
    """Why runs cannot be read."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What one run holds; `problem` where it cannot be read, then beside what it held before."""

    stamp: Stamp = field(compare=False)
    run: RunRow | None = None
    shown: Evaluation | None = None
    bounds: Bounds = field(default_factory=dict)
    metrics: Mapping[str, Sequence[MetricRow]] = field(default_factory=dict)
    spending: Spending = NOTHING
    problem: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing can have changed while the files have not."""
        return not self.problem and not (self.run and self.run.running)


class TablesReader:
    """Reads the runs below a root, or those given, again and again; one that has not changed is not read twice."""

    def __init__(self, root: Path, given: Sequence[Path] = ()) -> None:
        self._root = root
        self._given = tuple(given)
        self._known: dict[Path, _Found] = {}
        self._readers: dict[Path, ResultsReader] = {}
        self._tables: Tables | None = None

    def read(self) -> Tables:
        """The same object while nothing has changed. Raises ArenaError where the root cannot be read."""
        before = self._known
        paths = self._given or tuple(reversed(run_dirs(self._root)))
        self._known = {path: self._find(path, before.get(path)) for path in paths}
        self._readers = {path: reader for path, reader in self._readers.items() if path in self._known}
        if self._tables is None or list(before.items()) != list(self._known.items()):
            self._tables = _make(self._known.values())
        return self._tables

    def _find(self, path: Path, before: _Found | None) -> _Found:
        stamp = stamp_of(path, _FILES)
        if before is not None and before.settled and before.stamp == stamp:
            return before
        try:
            return self._read(path, stamp)
        except (ArenaError, OSError) as error:
            return replace(before or _Found(stamp), stamp=stamp, problem=one_line(f"{path.name}: {error}", 400))

    def _read(self, path: Path, stamp: Stamp) -> _Found:
        kind = read_record(path).kind
        spending = read_spending(path)
        if kind in EVALUATIONS:
            shown = self._readers.setdefault(path, ResultsReader(path)).read()
            problem = one_line(f"{path.name}: {shown.problem}", 400) if shown.problem else ""
            # How far it is changes all the time, and is not shown.
            shown = replace(shown, run=_still(shown.run))
            bounds = _bounds(path) if kind == "ood" else {}
            return _Found(stamp, shown.run, shown, bounds, spending=spending, problem=problem)
        if kind not in TRAINING_KINDS:
            return _Found(stamp, _still(read_row(path)) if spending.accounts else None, spending=spending)
        metrics: dict[str, Sequence[MetricRow]] = {}
        with suppress(NoRows), RunReader(path) as reader:
            metrics = {name: reader.recent_metrics(name, _RECENT) for name in EVALUATED}
        return _Found(stamp, _still(read_row(path, headline=False)), metrics=metrics, spending=spending)


def _still(run: RunRow) -> RunRow:
    """Without how far it is, which changes all the time and is not shown here."""
    return replace(run, done=0, total=None, pace=None, leader=None, result="")


def _bounds(run_dir: Path) -> Bounds:
    """Intervals of the average scores of an ood run, and how many games they are over."""
    bounds: dict[tuple[str, str, str], tuple[float, float, int]] = {}
    with suppress(OSError, ValueError, RecursionError, AttributeError, KeyError, TypeError):
        for row in json.loads((run_dir / RESULT_JSON).read_text(encoding="utf-8")).get("averages", ()):
            about = str(row["over"]), str(row["player"]), str(row["opponent"])
            bounds[about] = float(row["low"]), float(row["high"]), int(row["games"])
    return bounds


def _make(known: Collection[_Found]) -> Tables:
    found = _labelled(known)
    shown = [one.shown for one in found if one.shown is not None]
    units = units_of(shown)
    lines: dict[str, list[Line]] = {name: [] for name in KINDS}
    for one in found:
        added: Mapping[str, list[Line]] = {}
        if one.shown is not None:
            added = evaluation_lines(one.shown, one.bounds)
        elif one.run is not None:
            added = training_lines(one.run, one.metrics, units)
        for name, more in added.items():
            lines[name] += more
        if one.run is not None:
            lines[API] += spent_lines(one.run, one.spending)
    names = _names(line for mine in lines.values() for line in mine)
    sheets = {name: replace(kind.sheet(), lines=tuple(lines[name]), names=names) for name, kind in KINDS.items()}
    moved = [one for one in shown if one.results.base]
    return Tables(
        sheets,
        replace(crossed(moved, sheets[OOD]), names=names),
        tuple(one for one in shown if one.run.kind == HEAD_TO_HEAD and not one.results.empty),
        len(found),
        sum(one.missing for one in shown),
        tuple(one.problem for one in found if one.problem),
    )


def _labelled(known: Collection[_Found]) -> list[_Found]:
    """Runs called by their names, and where several have the same one by their ids, or their paths."""
    runs = [one.run for one in known if one.run is not None]
    names, ids = (Counter(texts) for texts in ([run.name for run in runs], [run.path.name for run in runs]))
    found = []
    for one in known:
        if one.run is not None:
            path = one.run.path
            label = one.run.name if names[one.run.name] == 1 else path.name if ids[path.name] == 1 else str(path)
            run = replace(one.run, name=label)
            one = replace(one, run=run, shown=replace(one.shown, run=run) if one.shown else None)
        found.append(one)
    return found


def _names(lines: Iterable[Line]) -> dict[str, str]:
    """How long names of players and games are shown."""
    texts = list(dict.fromkeys(cell for line in lines for cell in line.cells if isinstance(cell, str)))
    games = [text for text in texts if "?" in text and ":" not in text]
    players = [text for text in texts if ":" in text]
    names = charts.short_names(games) | MEASURES
    return names | (short_names(players) if len(players) <= _MOST_NAMES else {})
