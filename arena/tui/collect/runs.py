"""What the list of runs shows: of every run its state, how far it is, when it will end, and how good it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import comb
from pathlib import Path
from typing import Any

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.runs.control import TRAINING_KINDS
from arena.runs.paths import CONFIG_JSON, DB_NAME, RECORD, RESULT_JSON, run_dirs, stop_asked
from arena.runs.reader import NoRows, RunReader
from arena.runs.record import TERMINAL, Status, read_record, run_status
from arena.runs.rows import EventRow, MetricRow
from arena.runs.speed import SpeedReader
from arena.tui.collect.stamp import Stamp, stamp_of

STOPPING, UNREADABLE = "stopping", "unreadable"
"""States beyond `Status`: asked to end, and not to be read."""
_STAMPED = (RECORD, CONFIG_JSON, RESULT_JSON, DB_NAME, f"{DB_NAME}-wal")
_RECENT = 20
"""Steps or matches that the pace is taken from."""
_SCORES = 20_000
_LOWER_IS_BETTER = ("exploitability", "blunder_rate", "value_loss")


@dataclass(frozen=True, slots=True)
class Course:
    """One measure over the evaluations of a training: its values, oldest first, and the last one's interval."""

    measure: str
    game: str
    opponent: str
    values: tuple[float | None, ...]
    low: float | None = None
    high: float | None = None

    @property
    def last(self) -> float | None:
        return self.values[-1] if self.values else None

    @property
    def falls_when_better(self) -> bool:
        return self.measure in _LOWER_IS_BETTER


@dataclass(frozen=True, slots=True)
class Standing:
    """A player's rating with its 95 % interval."""

    player: str
    rating: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in the list."""

    path: Path
    id: str
    name: str
    kind: str
    status: str
    started_at: float | None = None
    """Unix time."""
    ended_at: float | None = None
    parent: str | None = None
    unit: str = "match"
    done: int = 0
    total: int | None = None
    pace: float | None = None
    """Seconds for one unit lately, while it runs."""
    headline: Course | None = None
    leader: Standing | None = None
    """Of a tournament: who is first."""
    result: str = ""
    """Of a single match: how it ended."""
    error: str = ""
    """Why it failed or cannot be read."""

    @property
    def running(self) -> bool:
        return self.status in (Status.RUNNING, STOPPING)

    @property
    def training(self) -> bool:
        return self.kind in TRAINING_KINDS

    @property
    def share(self) -> float | None:
        """How much is done."""
        return min(self.done / self.total, 1.0) if self.total else None

    def took(self, now: float) -> float | None:
        """Seconds from its first start to its end, or to `now` while it runs; None where the clock went back."""
        end = now if self.running else self.ended_at
        if self.started_at is None or end is None or end < self.started_at:
            return None
        return end - self.started_at

    @property
    def seconds_left(self) -> float | None:
        if not self.running or self.pace is None or self.total is None:
            return None
        return max(self.total - self.done, 0) * self.pace


@dataclass(frozen=True, slots=True)
class RunScan:
    """All runs as they were found: running ones first, then the newest."""

    rows: tuple[RunRow, ...]

    @property
    def unreadable(self) -> tuple[RunRow, ...]:
        return tuple(row for row in self.rows if row.status == UNREADABLE)


@dataclass(frozen=True, slots=True)
class RunPreview:
    """What the pane beside the list adds for one run."""

    path: Path
    courses: tuple[Course, ...] = ()
    figures: tuple[tuple[str, float], ...] = ()
    """Latest figures of a training without an interval, by name."""
    standings: tuple[Standing, ...] = ()
    players: tuple[str, ...] = ()
    games: tuple[str, ...] = ()
    alarms: tuple[tuple[int, str, str], ...] = ()
    """(step, level, message), newest first."""
    checkpoints: int = 0


class RunScanner:
    """Reads all runs below a root again and again; what does not run and has not changed is not read twice."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[Path, tuple[Stamp, RunRow]] = {}

    def scan(self) -> RunScan:
        """Raises ArenaError where the root cannot be read; a run that cannot be is a row that says so."""
        found = run_dirs(self.root)
        self._known = {path: known for path, known in self._known.items() if path in set(found)}
        rows = [self._row(path) for path in found]
        rows.sort(key=lambda row: (not row.running, -(row.started_at or 0.0), row.id))
        return RunScan(tuple(rows))

    def _row(self, path: Path) -> RunRow:
        stamp = stamp_of(path, _STAMPED)
        known = self._known.get(path)
        if known is not None and known[0] == stamp and not known[1].running:
            return known[1]
        try:
            row = read_row(path)
        except (ArenaError, OSError) as error:
            before = known[1] if known else RunRow(path, path.name, path.name, "", UNREADABLE)
            row = replace(before, status=UNREADABLE, error=one_line(str(error), 400))
        self._known[path] = (stamp, row)
        return row


def read_row(path: Path, headline: bool = True) -> RunRow:
    """One run, without a training's course of scores where that is not wanted.

    Raises ArenaError where it is damaged or cannot be read.
    """
    record = read_record(path)
    status: str = run_status(path, record)
    if status == Status.RUNNING and stop_asked(path):
        status = STOPPING
    row = RunRow(
        path, record.id, record.name, record.kind, status, record.started_at,
        parent=record.parent, unit="step" if record.kind in TRAINING_KINDS else "match",
    )  # fmt: skip
    config = _json(path / CONFIG_JSON)
    try:
        with SpeedReader(path) as reader:
            row = _with_end(row, reader.last_event(("started", *TERMINAL)))
            if not row.training:
                return _evaluation(row, config, reader)
            row = _training(row, config, reader)
            return replace(row, headline=_headline(reader, _games(config))) if headline else row
    except NoRows:
        return replace(row, total=_planned(row.kind, config))


def preview(row: RunRow) -> RunPreview:
    """What the pane shows of a run beyond its row. Raises ArenaError where it cannot be read."""
    read_record(row.path)  # one that is gone or damaged has no preview, not an empty one
    config = _json(row.path / CONFIG_JSON)
    games = config.get("games") or [config.get("game")]
    names = tuple(str(game.get("game") if isinstance(game, dict) else game) for game in games if game)
    found = RunPreview(row.path, games=names, players=tuple(str(player) for player in config.get("players") or ()))
    with suppress(NoRows), RunReader(row.path) as reader:
        if row.training:
            found = replace(found, courses=_courses(reader, names), figures=_figures(reader))
        alarms = [(one.step, one.level, one.message) for one in reader.health(limit=_SCORES) if one.level != "ok"]
        found = replace(found, alarms=tuple(alarms[::-1][:5]))
    checkpoints = row.path / "checkpoints"
    count = sum(1 for step in checkpoints.glob("step_*") if not step.name.endswith(".tmp"))
    return replace(found, standings=_standings(_json(row.path / RESULT_JSON)), checkpoints=count)


def running(root: Path) -> int:
    """How many runs are at work. Raises ArenaError where the root cannot be read."""
    count = 0
    for path in run_dirs(root):
        with suppress(ArenaError):
            count += run_status(path, read_record(path)) is Status.RUNNING
    return count


def _with_end(row: RunRow, event: EventRow | None) -> RunRow:
    if event is None or event.kind == "started":
        return row
    return replace(row, ended_at=event.at, error=event.message if event.kind == "failed" else "")


def _training(row: RunRow, config: Mapping[str, Any], reader: SpeedReader) -> RunRow:
    recent = reader.recent_metrics("seconds_learn", _RECENT)
    done = recent[-1].step if recent else reader.last_step()
    total = config.get("steps")
    return replace(
        row,
        done=done,
        total=total if isinstance(total, int) else None,
        pace=reader.step_pace(recent[0].step - 1) if row.running and recent else None,
    )


def _evaluation(row: RunRow, config: Mapping[str, Any], reader: SpeedReader) -> RunRow:
    result = _json(row.path / RESULT_JSON)
    done = reader.count("match")
    planned = result.get("planned")
    standings = _standings(result)
    ended = ""
    if row.kind == "match" and (found := reader.matches(limit=1)):
        a, b = found[0].return_a, found[0].return_b
        ended = "draw" if a == b else f"{found[0].a if a > b else found[0].b} wins"
    return replace(
        row,
        done=done,
        total=planned if isinstance(planned, int) else _planned(row.kind, config),
        pace=reader.match_pace(max(done - _RECENT, 0)) if row.running else None,
        leader=standings[0] if standings else None,
        result=ended,
    )


def _planned(kind: str, config: Mapping[str, Any]) -> int | None:
    """How many units a run has, as far as its configuration alone tells."""
    if kind in TRAINING_KINDS:
        steps = config.get("steps")
        return steps if isinstance(steps, int) else None
    if kind == "match":
        return 1
    players, pairs = config.get("players"), config.get("pairs")
    if config.get("format", "round-robin") != "round-robin":
        return None  # the job tells
    if kind not in ("tournament", "head-to-head") or not isinstance(players, list) or not isinstance(pairs, int):
        return None
    return comb(len(players), 2) * len(_games(config)) * pairs * 2


def _games(config: Mapping[str, Any]) -> list[str]:
    games = config.get("games")
    return [str(game.get("game") if isinstance(game, dict) else game) for game in games or ()]


def _headline(reader: RunReader, games: Sequence[str]) -> Course | None:
    """The score in the first game, against random where that was an opponent."""
    courses = _grouped(reader.metrics(name="score", limit=_SCORES))
    order = {game: place for place, game in enumerate(games)}
    return min(courses, key=lambda one: (order.get(one.game, 99), one.opponent != "random"), default=None)


def _courses(reader: RunReader, games: Sequence[str]) -> tuple[Course, ...]:
    """Scores and exact measures, game by game."""
    names = ("score", "optimal_move_rate", "exploitability")
    found = [course for name in names for course in _grouped(reader.metrics(name=name, limit=_SCORES))]
    order = {game: place for place, game in enumerate(games)}
    return tuple(sorted(found, key=lambda course: order.get(course.game, 99)))


def _grouped(rows: Sequence[MetricRow]) -> list[Course]:
    found: dict[tuple[str, str], list[MetricRow]] = {}
    for row in rows:
        found.setdefault((row.game, row.opponent), []).append(row)
    return [
        Course(mine[0].name, game, opponent, tuple(row.value for row in mine), mine[-1].low, mine[-1].high)
        for (game, opponent), mine in found.items()
    ]


def _figures(reader: RunReader) -> tuple[tuple[str, float], ...]:
    """The latest mean over games of some figures of the last step."""
    found = []
    for name in ("thought_tokens", "entropy", "forfeit_rate", "self_play_draw_rate", "loss"):
        rows = reader.recent_metrics(name, 20)
        values = [row.value for row in rows if row.step == rows[-1].step and row.value is not None]
        if values:
            found.append((name, sum(values) / len(values)))
    return tuple(found)


def _standings(result: Mapping[str, Any]) -> tuple[Standing, ...]:
    """The overall ratings, best first; of groups that never met the first alone."""
    ratings = result.get("ratings")
    found = []
    for row in ratings if isinstance(ratings, list) else ():
        with suppress(KeyError, TypeError, ValueError):
            if not row.get("game"):
                found.append(Standing(str(row["player"]), float(row["rating"]), row.get("low"), row.get("high")))
    return tuple(sorted(found, key=lambda standing: -standing.rating))


def _json(path: Path) -> dict[str, Any]:
    """A JSON object; empty where it is missing or damaged, since a job may not have written it yet."""
    with suppress(OSError, ValueError, RecursionError):
        data = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(data, dict):
            return data
    return {}
