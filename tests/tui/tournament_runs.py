"""Runs of many matches for tests of the screen Tournament: stored by the real writer, results by the real suites."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import run_dirs
from databases import changing

from arena.config.base import read_json
from arena.config.tournament import HeadToHeadConfig, OodConfig, PairsConfig, TournamentConfig
from arena.runs.launch import create_run
from arena.runs.paths import CONFIG_JSON, DB_NAME
from arena.runs.record import process_start, read_record
from arena.runs.rows import MatchRow, TruthRow, TurnRow
from arena.runs.store import RunStore
from evals.result_file import ResultFile
from evals.schedule import PlannedMatch
from evals.suites import head_to_head, ood, tournament

BASE = run_dirs.NOW - 3600
HOSTILE = (
    "[Bet]",
    "[/",
    "[@click=app.quit]x",
    "\x1b[31mred\x1b[0m",
    "a\u202eb\u200bc",
    "語" * 30,
    "é\u0301" * 20,
    "x" * 500,
)


def names(count: int) -> list[str]:
    """Specs of checkpoints; the earlier, the stronger."""
    return [f"ckpt:run-{place:02}@{place * 10}" for place in range(count)]


def played(
    run_dir: Path,
    players: Sequence[str] = ("ckpt:tiny", "ckpt:runs/kuhn-7@80", "random", "scripted", "optimal"),
    games: Sequence[str] = ("tictactoe", "kuhn_poker?hands=1&payoff=chips"),
    pairs: int = 10,
    share: float = 1.0,
    end: str = "finished",
    result: bool = True,
    message: str = "",
    **options: Any,
) -> Path:
    """A tournament of which `share` of the matches is stored; earlier players do better."""
    config = TournamentConfig(players=list(players), games=list(games), pairs=pairs, **options)
    return _write(run_dir, config, tournament, share, end, result, message)


def against_each_other(run_dir: Path) -> Path:
    """A finished head-to-head run."""
    config = HeadToHeadConfig(players=["ckpt:tiny", "ckpt:runs/ttt@80", "ckpt:runs/multi@80"], pairs=10)
    return _write(run_dir, config, head_to_head, 1.0, "finished", True, "")


def held_out(run_dir: Path) -> Path:
    """A finished ood run in two games."""
    config = OodConfig(players=["ckpt:runs/ttt@80", "ckpt:runs/multi@80"], games=["snake", "pig_dice"], pairs=10)
    return _write(run_dir, config, ood, 1.0, "finished", True, "")


def hostile(run_dir: Path) -> Path:
    """A finished tournament between players whose names are attacks on a terminal."""
    return played(run_dir, players=HOSTILE, games=["tictactoe"], pairs=2)


def many_matches(run_dir: Path, count: int = 100_000) -> Path:
    """Two players with so many matches; without a result, which takes long to make."""
    return played(run_dir, players=["random", "optimal"], games=["tictactoe"], pairs=count // 2, result=False)


def complete(run_dir: Path) -> None:
    """Write the result of a finished tournament."""
    ResultFile(tournament, run_dir, read_json(TournamentConfig, run_dir / CONFIG_JSON)).complete()


def _write(
    run_dir: Path, config: PairsConfig, suite: ModuleType, share: float, end: str, result: bool, message: str
) -> Path:
    create_run(config, config.kind, run_dir, name=run_dir.name)
    schedule = suite.schedule(config)
    planned = schedule[: round(len(schedule) * share)]
    order = {name: place for place, name in enumerate([*config.players, "ckpt:tiny", "random", "scripted", "optimal"])}
    luck = random.Random(0)
    with RunStore(run_dir) as store:
        store.add_event("started", "pid 1")
        store.add_matches((_match(match, order, len(order), luck), _turns(match.number)) for match in planned)
        if config.kind == "tournament" and planned:
            store.set_truths(_truths(config.players))
        if end:
            store.add_event(end, message)
    if result:
        file = ResultFile(suite, run_dir, config)
        if end == "finished":
            file.complete()
        elif planned:
            file._write(suite.build_result(run_dir), len(planned), False)
    _settle(run_dir, BASE + len(planned) * 0.01, alive=not end)
    return run_dir


def _match(planned: PlannedMatch, order: dict[str, int], count: int, luck: random.Random) -> MatchRow:
    edge = (order[planned.b] - order[planned.a]) / count
    drawn = luck.random()
    value = 1.0 if drawn < 0.4 + 0.5 * edge else 0.0 if drawn < 0.55 + 0.4 * edge else -1.0
    forfeit = "b" if value > 0 and planned.number % 37 == 3 else ""
    return MatchRow(
        planned.number, planned.game.name, planned.a, planned.b, planned.pair, planned.leg, planned.key, value, -value,
        forfeit, 5, int(planned.number % 50 == 7), 0.125, "board", at=BASE + planned.number * 0.01,
    )  # fmt: skip


def _turns(number: int) -> list[TurnRow]:
    if number > 20:
        return []
    return [
        TurnRow(0, 0, 0, "· · ·", "I play 4.", "4", "I play 4.\n\\boxed{4}", "4", "", "stop", 9, 9, 0, 0.1, "· X ·")
    ]


def _truths(players: Sequence[str]) -> list[TruthRow]:
    return [
        TruthRow(name, "tictactoe", measure, value, value - 0.02, value + 0.02, 800)
        for place, name in enumerate(players)
        for measure, value in (("optimal_move_rate", 0.9 - place * 0.02), ("blunder_rate", 0.05 + place * 0.02))
    ]


def _settle(run_dir: Path, ended: float, alive: bool) -> None:
    with changing(run_dir / DB_NAME) as db:
        db.execute("UPDATE event SET at = CASE kind WHEN 'started' THEN ? ELSE ? END", (BASE, ended))
    record = replace(read_record(run_dir), started_at=BASE, pid=2**22 + 1, pid_start="gone")
    if alive:
        record = replace(record, pid=os.getpid(), pid_start=process_start(os.getpid()) or "")
    record.write(run_dir)
