"""The suite `tournament`: a round-robin of pairs, then ground truth where a game has an exact solution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import RenderableType

from arena.config.checks import check_games
from arena.config.tournament import TournamentConfig
from arena.runs.job import Job
from evals import report
from evals.players import open_players
from evals.schedule import PlannedMatch, round_robin
from evals.stored import measure, play_schedule

CONFIG = TournamentConfig


async def play(job: Job, config: TournamentConfig) -> None:
    """Play every match that is not stored yet, then measure; sets `job.stopped` where it was asked to end.

    Raises ArenaError where matches stayed void; they are tried again on resume.
    """
    games = check_games(config.games)
    async with open_players(job, config.players, games) as players:
        await play_schedule(job, config, schedule(config), players)
        if not job.stopped:
            await measure(job, games, players, config.seed)


def schedule(config: TournamentConfig) -> list[PlannedMatch]:
    """Every match of the suite."""
    return round_robin(check_games(config.games), config.players, config.pairs, config.seed)


def build_result(run_dir: Path) -> dict[str, Any]:
    """The tournament's JSON, from what is stored so far."""
    return report.build_result(run_dir)


def render(result: dict[str, Any]) -> RenderableType:
    """The tables for a terminal."""
    return report.render_table(result)
