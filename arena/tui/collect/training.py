"""A training run in detail: its figures as courses and plots, what they say, alarms, checkpoints, phase times.

Figures are read by cursor: a run of any length is read once, from then on its news alone.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from arena.config.checks import solved_games
from arena.core.errors import ArenaError, UsageError
from arena.runs.checkpoints import list_checkpoints
from arena.runs.paths import CONFIG_JSON, checkpoints_dir
from arena.runs.reader import NoRows, RunReader
from arena.runs.rows import HealthRow, MetricRow
from arena.tui.collect.charts import Chart, Key, charts
from arena.tui.collect.gains import Gain, gains
from arena.tui.collect.runs import RunRow, read_row
from arena.tui.curves import Columns, Point, Series, Thinner

PAGE = 4000
"""Rows of one query."""
MOST_ROWS = 20_000
"""Rows of one `read`; what is left comes with the next."""
_HEALTH = 1000
_FAMILY = re.compile(r"(.+)@\d+")
_PHASE = "seconds_"


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """One checkpoint and what was measured of it."""

    step: int
    folder: Path
    bytes: int
    at: float | None
    """Unix time at which it was written."""
    measured: tuple[tuple[str, Point], ...] = ()


@dataclass(frozen=True, slots=True)
class Phase:
    """What part of a step takes how long, over the whole run."""

    name: str
    seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class Training:
    """Everything that the screen shows of a run but its log."""

    row: RunRow
    games: tuple[str, ...] = ()
    courses: Mapping[Key, Series] | None = None
    """None where nothing was stored yet."""
    charts: tuple[Chart, ...] = ()
    gains: tuple[Gain, ...] = ()
    phases: tuple[Phase, ...] = ()
    """Longest first."""
    alarms: tuple[HealthRow, ...] = ()
    """Newest first; those of the level "ok" are none."""
    checkpoints: tuple[CheckpointRow, ...] = ()
    """Newest first."""
    config: tuple[tuple[str, str], ...] = ()
    """The resolved configuration, a dotted key and its value a line."""
    model: str = ""
    """What the training started from, as a player spec."""
    steps: tuple[int, int] = (0, 0)
    rows: int = 0
    """Figures read so far."""
    more: bool = False
    """Whether there are more to read at once."""


class _Course:
    """The growing course of one figure. Several figures of one step are one point: their mean."""

    def __init__(self) -> None:
        self.total = 0.0
        self._columns = Columns.of(())
        self._last: Point | None = None
        self._same = 0
        self._thinner = Thinner()
        self._series: Series | None = None

    def add(self, row: MetricRow) -> None:
        value = math.nan if row.value is None else row.value
        self.total += value if math.isfinite(value) else 0.0
        self._series = None
        last = self._last
        if last is not None and last.step == row.step:
            self._same += 1
            self._last = Point(row.step, last.value + (value - last.value) / (self._same + 1))
            return
        if last is not None:
            self._columns.append(last)
            self._thinner.add(last)
        self._same = 0
        self._last = Point(row.step, value, row.low, row.high)

    def series(self) -> Series:
        """The same object until a figure is added."""
        if self._series is None:
            assert self._last is not None
            columns = self._columns.copy()
            columns.append(self._last)
            thin = self._thinner.points()
            self._series = Series("", columns, None if thin is None else (*thin, self._last))
        return self._series


class TrainingReader:
    """Reads one run again and again; only one thread at a time may."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self._forget()
        self._config: tuple[int, dict[str, Any]] = (-1, {})
        self._saved: tuple[object, tuple[CheckpointRow, ...]] = (None, ())

    def _forget(self) -> None:
        self._after = self._after_health = self._rows = 0
        self._first = self._last = 0
        self._courses: dict[Key, _Course] = {}
        self._health: list[HealthRow] = []
        self._charts: tuple[Chart, ...] = ()
        self._gains: tuple[Gain, ...] = ()

    def read(self) -> Training:
        """What is stored now, at most `MOST_ROWS` figures more than before.

        Raises ArenaError where the run has vanished, is damaged or cannot be read.
        """
        row = read_row(self.run_dir, headline=False)
        config = self._read_config()
        games = tuple(str(game.get("game")) for game in config.get("games") or () if isinstance(game, dict))
        more, fresh = False, False
        with suppress(NoRows), RunReader(self.run_dir) as reader:
            fresh, more = self._read_news(reader)
        if fresh or not self._charts:
            courses = {key: course.series() for key, course in self._courses.items()}
            self._charts, self._gains = charts(courses, games), gains(courses, games)
        return Training(
            row, games, {key: course.series() for key, course in self._courses.items()} or None, self._charts,
            self._gains, self._phases(), tuple(self._health[::-1]), self._checkpoints(games), flat(config),
            str(config.get("model") or ""), (self._first, self._last), self._rows, more,
        )  # fmt: skip

    def _read_news(self, reader: RunReader) -> tuple[bool, bool]:
        """Take in new rows; whether there were any, and whether there are more."""
        # A resumed job deletes what came after its checkpoint, the last row first: then all is read anew.
        if self._after and not any(row.id == self._after for row in reader.metrics(self._after - 1, 1)):
            self._forget()
        before, page = self._rows, PAGE
        while page == PAGE and self._rows - before < MOST_ROWS:
            found = reader.metrics(self._after, PAGE)
            self._take(found)
            page = len(found)
        health = reader.health(self._after_health, _HEALTH)
        if health:
            self._after_health = health[-1].id
            self._health += [row for row in health if row.level != "ok"]
        return self._rows > before, page == PAGE

    def _take(self, rows: Sequence[MetricRow]) -> None:
        if not rows:
            return
        if not self._rows:
            self._first = rows[0].step
        for row in rows:
            key = Key(row.name, row.game, row.role, _FAMILY.sub(r"\1@*", row.opponent))
            course = self._courses.get(key)
            if course is None:
                course = self._courses[key] = _Course()
            course.add(row)
        self._first, self._last = min(self._first, rows[0].step), max(self._last, rows[-1].step)
        self._after = rows[-1].id
        self._rows += len(rows)

    def _phases(self) -> tuple[Phase, ...]:
        totals = {key.name: course.total for key, course in self._courses.items() if key.name.startswith(_PHASE)}
        whole = sum(totals.values())
        found = [
            Phase(name.removeprefix(_PHASE), seconds, seconds / whole)
            for name, seconds in totals.items()
            if seconds > 0
        ]
        return tuple(sorted(found, key=lambda phase: -phase.seconds))

    def _checkpoints(self, games: Sequence[str]) -> tuple[CheckpointRow, ...]:
        """Manifests are read again only where a checkpoint came or went; what was measured is looked up each time."""
        folder = checkpoints_dir(self.run_dir)
        stamp = _mtime(folder)
        if stamp is None:
            return ()
        if self._saved[0] != stamp:
            rows = [
                CheckpointRow(one.step, one.folder, one.bytes, _at(one.folder))
                for one in list_checkpoints(self.run_dir)
            ]
            self._saved = (stamp, tuple(rows[::-1]))
        return tuple(replace(row, measured=self._measured(row.step)) for row in self._saved[1])

    def _measured(self, step: int) -> tuple[tuple[str, Point], ...]:
        found = []
        for gain in self._gains:
            point = self._courses[gain.key].series().at(step)
            if point is not None and point.step == step:
                found.append((gain.name, point))
        return tuple(found)

    def _read_config(self) -> dict[str, Any]:
        """`config.json`; empty where it is missing. Raises ArenaError where it is damaged."""
        path = self.run_dir / CONFIG_JSON
        stamp = _mtime(path)
        if stamp is None:
            return {}
        if self._config[0] != stamp:
            try:
                data = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError) as error:
                raise ArenaError(f"{path} cannot be read: {error}.") from error
            self._config = (stamp, data if isinstance(data, dict) else {})
        return self._config[1]


def evaluation(training: Training, player: str) -> dict[str, Any]:
    """A tournament of a checkpoint against what it started from, random and, where all games are solved, optimal.

    Raises UsageError where the run names no game.
    """
    games = training.games or tuple(dict.fromkeys(key.game for key in training.courses or () if key.game))
    if not games:
        raise UsageError("This run names no game to evaluate in.", "Press t for a tournament of your own.")
    solved = solved_games()
    exact = ["optimal"] if all(game.partition("?")[0] in solved for game in games) else []
    players = dict.fromkeys(spec for spec in (player, training.model, "random", *exact) if spec)
    return {"players": list(players), "games": list(dict.fromkeys(games))}


def flat(config: object, prefix: str = "") -> tuple[tuple[str, str], ...]:
    """A nested configuration as dotted keys and values; lists of tables are numbered from 0."""
    if isinstance(config, Mapping) and (config or not prefix):
        items: Iterable[tuple[str, object]] = ((str(key), value) for key, value in config.items())
    elif isinstance(config, list) and any(isinstance(item, (Mapping, list)) for item in config):
        items = ((str(number), value) for number, value in enumerate(config))
    else:
        return ((prefix, config if isinstance(config, str) else json.dumps(config, ensure_ascii=False)),)
    rows: list[tuple[str, str]] = []
    for key, value in items:
        rows += flat(value, f"{prefix}.{key}" if prefix else key)
    return tuple(rows)


def _mtime(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _at(path: Path) -> float | None:
    stamp = _mtime(path)
    return None if stamp is None else stamp / 1e9
