"""A run that evaluates, as it stands: its plan, and `result.json` read anew whenever its job has written it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.runs.paths import CONFIG_JSON, RESULT_JSON
from arena.tui.collect.results import Results, parse, whole
from arena.tui.collect.runs import RunRow, read_row
from arena.tui.collect.sprt import Sprt, openings_words, read_sprt


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run was asked to do."""

    players: tuple[str, ...] = ()
    games: tuple[str, ...] = ()
    pairs: int | None = None
    seed: int | None = None
    notes: tuple[str, ...] = ()
    test: Sprt | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A run and its result as they stand."""

    run: RunRow
    plan: Plan
    results: Results
    missing: bool = False
    """There is no result yet."""
    problem: str = ""
    """Why the result cannot be read; `results` is then the last good one."""

    @property
    def test(self) -> Sprt | None:
        """The sequential test, before there is a result as it was asked for."""
        return self.results.test or self.plan.test

    @property
    def notes(self) -> tuple[str, ...]:
        return self.results.notes or self.plan.notes


class ResultsReader:
    """Reads one run again and again; a result that has not changed is not taken apart twice."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self._stamp: tuple[int, int] | None = None
        self._results: Results | None = None
        self._problem = ""

    def read(self) -> Evaluation:
        """Raises ArenaError where the run itself cannot be read."""
        run = read_row(self.run_dir)
        plan = read_plan(self.run_dir)
        self._refresh()
        results = self._results or Results(rows=plan.players, columns=plan.players, games=plan.games)
        return Evaluation(run, plan, results, self._results is None and not self._problem, self._problem)

    def take(self, text: str) -> None:
        """Show this result, made by `compute`, until the file says otherwise. Raises ArenaError."""
        self._results = parse(_object(text, "The result"))

    def _refresh(self) -> None:
        path = self.run_dir / RESULT_JSON
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if stamp == self._stamp:
                return
            self._results, self._problem = parse(_object(path.read_text(encoding="utf-8"), str(path))), ""
        except FileNotFoundError:
            self._problem = ""
            return
        except (OSError, UnicodeDecodeError) as error:
            self._problem = f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}."
            return
        except ArenaError as error:
            self._problem = str(error)
        self._stamp = stamp


def read_plan(run_dir: Path) -> Plan:
    """What `config.json` says; nothing where it is missing or damaged, since a result says most of it again."""
    try:
        config = _object((run_dir / CONFIG_JSON).read_text(encoding="utf-8"), CONFIG_JSON)
    except (OSError, UnicodeDecodeError, ArenaError):
        return Plan()
    base = config.get("base")
    players = dict.fromkeys([*([base] if isinstance(base, str) else []), *_texts(config.get("players"))])
    test: Sprt | None = None
    notes: tuple[str, ...] = ()
    with suppress(KeyError, TypeError, ValueError, OverflowError, AttributeError):
        notes = (openings_words(openings),) if (openings := config.get("openings")) else ()
        test = read_sprt(config["sprt"]) if config.get("sprt") else None
    return Plan(
        tuple(players), tuple(_texts(config.get("games"))), whole(config.get("pairs")), whole(config.get("seed")),
        notes, test,
    )  # fmt: skip


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _object(text: str, source: str) -> dict[str, Any]:
    with suppress(ValueError, RecursionError):
        data = json.loads(text)
        if isinstance(data, dict):
            return data
    raise ArenaError(f"{one_line(source, 400)} is damaged: it is no JSON object.")
