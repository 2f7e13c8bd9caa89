"""Run directories for tests of viewers, written by the real writers, the same at any time: fixed ids and times."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from databases import changing

from arena.config.base import find_toml, read_toml, validate
from arena.config.tournament import TournamentConfig
from arena.config.train import TrainConfig
from arena.runs.launch import create_run
from arena.runs.paths import DB_NAME, RECORD, RESULT_JSON
from arena.runs.record import process_start, read_record
from arena.runs.rows import HealthRow, MatchRow, MetricRow, TurnRow
from arena.runs.store import RunStore

NOW = 1_790_000_000.0
"""What the clock of the tests shows: 2026-09-21 14:13:20 UTC."""
STEP_SECONDS = 2.0
TICTACTOE, KUHN = "tictactoe", "kuhn_poker?hands=1&payoff=chips"


def training(
    run_dir: Path,
    steps: int = 120,
    of: int = 120,
    end: str = "finished",
    message: str = "",
    started: float = NOW - 3600,
) -> Path:
    """A training that got to `steps`: scores, exact measures, figures, an alarm, featured matches.

    `end` is the event that ended it, or empty where it runs; then this very process is the one that runs it.
    """
    config = validate(TrainConfig, {**read_toml(find_toml("quickstart")), "steps": of, "name": run_dir.name})
    create_run(config, "train", run_dir, name=run_dir.name)
    with RunStore(run_dir) as store:
        store.add_event("started", "pid 1")
        for step in range(steps + 1):
            store.add_metrics(_metrics(step, started + step * STEP_SECONDS))
        if steps >= 70:
            store.add_health([HealthRow(70, "draws", "warn", "94 % draws in self-play", 0.94, started + 140)])
        store.add_matches(_featured(run_dir.name, steps, started))
        if end:
            store.add_event(end, message, steps)
    _settle(run_dir, started, started + steps * STEP_SECONDS, alive=not end)
    return run_dir


def tournament(
    run_dir: Path,
    played: int = 12,
    pairs: int = 2,
    end: str = "",
    players: Sequence[str] = ("ckpt:tiny", "random", "optimal"),
    started: float = NOW - 60,
) -> Path:
    """A tournament with `played` of its matches and its standings so far."""
    config = TournamentConfig(players=list(players), games=[TICTACTOE, KUHN], pairs=pairs)
    create_run(config, "tournament", run_dir, name=run_dir.name)
    with RunStore(run_dir) as store:
        store.add_event("started", "pid 1")
        for number in range(played):
            store.add_match(_match(number, players[0], players[1], started + number), _turns())
        if end:
            store.add_event(end, "")
    ratings = [
        {"player": player, "rating": 90.0 - 80 * place, "low": 60.0 - 80 * place, "high": 120.0 - 80 * place}
        for place, player in enumerate(reversed(players))
    ]
    planned = len(players) * (len(players) - 1) // 2 * 2 * pairs * 2
    result = {"schema": 1, "seed": 0, "results": [], "ratings": ratings, "played": played, "planned": planned}
    (run_dir / RESULT_JSON).write_text(json.dumps(result), encoding="utf-8")
    _settle(run_dir, started, started + played, alive=not end)
    return run_dir


def corrupt(run_dir: Path) -> Path:
    """A run whose record is damaged."""
    run_dir.mkdir(parents=True)
    (run_dir / RECORD).write_text('{"id": ', encoding="utf-8")
    return run_dir


def all_kinds(root: Path) -> Path:
    """A root with a running and a finished training, a tournament at work, a stopped, a failed and a corrupt run."""
    root.mkdir(parents=True, exist_ok=True)
    corrupt(root / "broken")
    training(root / "nan-3", 31, end="failed", message="the loss was not finite for 5 steps", started=NOW - 86_400)
    training(root / "no-rae-1", 74, end="stopped", started=NOW - 7200)
    training(root / "kuhn-ttt-6", started=NOW - 3600)
    tournament(root / "base-vs-7", started=NOW - 60)
    training(root / "kuhn-ttt-7", 84, end="", started=NOW - 84 * STEP_SECONDS)
    return root


def _metrics(step: int, at: float) -> list[MetricRow]:
    if not step % 10:
        return [replace(row, at=at) for row in _evaluation(step)] + _phases(step, at)
    return _phases(step, at)


def _phases(step: int, at: float) -> list[MetricRow]:
    if not step:
        return []
    rows = [("seconds_collect", 0.8), ("seconds_learn", 0.9), ("entropy", 0.6 - step / 400)]
    games = [("thought_tokens", 17.0), ("forfeit_rate", 0.0), ("self_play_draw_rate", step / 130)]
    return [MetricRow(step, name, value, at=at) for name, value in rows] + [
        MetricRow(step, name, value, TICTACTOE, at=at) for name, value in games
    ]


def _evaluation(step: int) -> list[MetricRow]:
    gained = 0.3 * step / (step + 30)
    starts = {"random": 0.59, "optimal": 0.2, "start": 0.5}
    rows = [
        MetricRow(step, "score", start + gained, game, "", name, start + gained - 0.03, start + gained + 0.03, 64)
        for game in (TICTACTOE, KUHN)
        for name, start in starts.items()
    ]
    better, worse = 0.51 + gained, 0.19 - gained / 3
    rows.append(MetricRow(step, "optimal_move_rate", better, TICTACTOE, low=better - 0.02, high=better + 0.02, n=800))
    rows.append(MetricRow(step, "exploitability", worse, KUHN, low=worse - 0.01, high=worse + 0.01, n=12_288))
    return rows


def _featured(name: str, step: int, at: float) -> list[tuple[MatchRow, list[TurnRow]]]:
    player = f"{name}@{step}"
    return [(replace(_match(number, player, player, at), step=step), _turns()) for number in range(2)]


def _match(number: int, a: str, b: str, at: float) -> MatchRow:
    won = 1.0 if number % 3 else 0.0
    board = "0 │ 1 │ 2\n──┼───┼──\n3 │ 4 │ 5\n──┼───┼──\n6 │ 7 │ 8"
    return MatchRow(number, TICTACTOE, a, b, number // 2, number % 2, 7, won, -won, "", 2, 0, 0.4, board, at=at)


def _turns() -> list[TurnRow]:
    rows = []
    for turn, cell in enumerate("40"):
        text = f"Wins -. Risks -. I play {cell}.\n\\boxed{{{cell}}}"
        row = TurnRow(
            turn, 0, turn % 2, "· · ·\n· · ·\n· · ·", f"Wins -. Risks -. I play {cell}.", cell, text, cell, "", "stop",
            40, 16, 0, 0.2, "· · ·\n· X ·\n· · ·",
        )  # fmt: skip
        rows.append(row)
    return rows


def _settle(run_dir: Path, started: float, ended: float, alive: bool) -> None:
    """Give the run its fixed times, and the process that is said to run it."""
    with changing(run_dir / DB_NAME) as db:
        db.execute("UPDATE event SET at = CASE kind WHEN 'started' THEN ? ELSE ? END", (started, ended))
    record = replace(read_record(run_dir), started_at=started)
    if alive:
        record = replace(record, pid=os.getpid(), pid_start=process_start(os.getpid()) or "")
    record.write(run_dir)
