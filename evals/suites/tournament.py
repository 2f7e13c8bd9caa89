"""The suite `tournament`: a round-robin of pairs, then ground truth where a game has an exact solution."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from arena.config.checks import check_games, check_players
from arena.config.tournament import TournamentConfig
from arena.core.errors import ArenaError
from arena.core.player import Player
from arena.core.registry import GameSpec, load_player
from arena.core.sanitise import one_line
from arena.runs.job import Job
from arena.runs.rows import TruthRow
from arena.runs.store import RunReader
from evals import ground_truth, report
from evals.progress import Progress
from evals.runner import Outcome, run_matches
from evals.schedule import PlannedMatch, round_robin

CONFIG = TournamentConfig


async def play(job: Job, config: TournamentConfig) -> None:
    """Play every match that is not stored yet, then measure; sets `job.stopped` where it was asked to end.

    Raises ArenaError where matches stayed void; they are tried again on resume.
    """
    games = check_games(config.games)
    check_players(config.players, games)
    async with AsyncExitStack() as stack:
        players: dict[str, Player] = {}
        for name in config.players:
            players[name] = load_player(name)
            stack.push_async_callback(players[name].close)
        outcome = await _play_matches(job, config, games, players)
        if outcome.stopped:
            job.stopped = True
            return
        _refuse_unplayed(outcome)
        await _measure(job, config, games, players)


async def _play_matches(
    job: Job, config: TournamentConfig, games: Sequence[GameSpec], players: Mapping[str, Player]
) -> Outcome:
    schedule = round_robin(games, config.players, config.pairs, config.seed)
    with RunReader(job.run_dir) as reader:
        stored = reader.units()
    waiting: list[PlannedMatch] = [planned for planned in schedule if planned.unit not in stored]
    done = len(schedule) - len(waiting)
    with Progress("matches", len(schedule), done) as progress:
        return await run_matches(
            waiting,
            players,
            job.store,
            concurrency=config.concurrency,
            retries=config.retries,
            on_progress=lambda played, _: progress.update(done + played),
            should_stop=job.should_stop,
        )


def _refuse_unplayed(outcome: Outcome) -> None:
    if outcome.unplayed:
        raise ArenaError(
            f"{len(outcome.unplayed)} matches could not be played: {one_line(outcome.reason)}",
            "All others are stored; resume to try these again.",
        )


async def _measure(
    job: Job, config: TournamentConfig, games: Sequence[GameSpec], players: Mapping[str, Player]
) -> None:
    """Ground truth of every player in every solved game, one transaction each."""
    with RunReader(job.run_dir) as reader:
        measured = {(row.player, row.game) for row in reader.truths()}
    solved = [game for game in games if ground_truth.supported(game)]
    tasks = [(name, game) for game in solved for name in config.players]
    with Progress("ground truth", len(tasks)) as progress:
        for done, (name, game) in enumerate(tasks, start=1):
            if job.should_stop():
                job.stopped = True
                return
            if (name, game.name) not in measured:
                rows = await ground_truth.measure(players[name], game, config.seed)
                job.store.set_truths([_truth_row(row) for row in rows])
            progress.update(done)


def _truth_row(row: ground_truth.GroundTruth) -> TruthRow:
    return TruthRow(
        player=row.player,
        game=row.game,
        measure=row.measure,
        value=row.value,
        low=row.low,
        high=row.high,
        n=row.n,
        detail=json.dumps(row.detail),
    )


def build_result(run_dir: Path) -> dict[str, Any]:
    """The tournament's JSON, from what is stored so far."""
    return report.build_result(run_dir)


def render(result: dict[str, Any]) -> RenderableType:
    """The tables for a terminal."""
    return report.render_table(result)
