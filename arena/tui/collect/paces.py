"""How fast past tournaments went, and so how long a new one may take."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.core.errors import ArenaError
from arena.runs.paths import CONFIG_JSON
from arena.runs.record import Status, read_record, run_status
from arena.runs.speed import SpeedReader

_MOST_RUNS = 40
"""Past tournaments that the pace is taken from, the newest."""


@dataclass(frozen=True, slots=True)
class Past:
    """How fast a finished tournament went."""

    backends: frozenset[str]
    games: frozenset[str]
    pace: float
    """Seconds a match."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long so many matches took in the past."""

    seconds: float
    runs: int
    same_games: bool


def estimate(pasts: Iterable[Past], data: dict[str, Any], matches: int) -> Estimate | None:
    """From past tournaments of the same kinds of players, of the same games where there are any; None without."""
    backends = frozenset(_backend(spec) for spec in data["players"])
    alike = [past for past in pasts if past.backends == backends]
    same = [past for past in alike if past.games == frozenset(data["games"])]
    paces = sorted(past.pace for past in same or alike)
    return Estimate(paces[len(paces) // 2] * matches, len(paces), bool(same)) if paces else None


def _backend(spec: str) -> str:
    return spec.partition("?")[0].partition(":")[0]


def read_pasts(paths: Sequence[Path]) -> list[Past]:
    """Of the newest finished tournaments among these runs, newest first."""
    found: list[Past] = []
    for path in paths:
        with suppress(ArenaError, OSError, ValueError, KeyError, TypeError):
            record = read_record(path)
            if record.kind == "tournament" and run_status(path, record) is Status.FINISHED:
                found += _past(path)
        if len(found) >= _MOST_RUNS:
            break
    return found


def _past(path: Path) -> list[Past]:
    """Its pace from the first match to the last; nothing where it was interrupted, or too short to tell."""
    config = json.loads((path / CONFIG_JSON).read_text(encoding="utf-8"))
    with SpeedReader(path) as reader:
        if sum(event.kind == "started" for event in reader.events(limit=100)) > 1:
            return []
        pace = reader.match_pace()
    if pace is None:
        return []
    backends = frozenset(_backend(str(spec)) for spec in config["players"])
    return [Past(backends, frozenset(str(game) for game in config["games"]), pace)]
