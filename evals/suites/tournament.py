"""The suite `tournament`: pairs of everybody with everybody, a gauntlet or Swiss rounds; then ground truth where a
game has an exact solution.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from arena.config.base import read_json
from arena.config.checks import check_games
from arena.config.tournament import SprtConfig, TournamentConfig
from arena.core.player import Player
from arena.core.sanitise import one_line
from arena.runs.job import Job
from arena.runs.paths import CONFIG_JSON
from arena.runs.reader import RunReader
from evals import report, sprt, swiss
from evals.players import open_players
from evals.schedule import PlannedMatch, gauntlet, round_robin, with_openings
from evals.stored import measure, play_schedule

CONFIG = TournamentConfig

_WAVES = 16
"""Matches a slot in each part of a sequential test."""


async def play(job: Job, config: TournamentConfig) -> None:
    """Play every match that is not stored yet, then measure; sets `job.stopped` where it was asked to end.

    Raises ArenaError where matches stayed void; they are tried again on resume.
    """
    games = check_games(config.games)
    async with open_players(job, config.players, games, config) as players:
        if config.format == "swiss":
            await _play_rounds(job, config, players)
        elif config.sprt is not None:
            await _play_test(job, config, config.sprt, players)
        else:
            await play_schedule(job, config, schedule(config), players)
        if not job.stopped:
            await measure(job, games, players, config.seed, apis=config.ground_truth)


async def _play_rounds(job: Job, config: TournamentConfig, players: Mapping[str, Player]) -> None:
    for _ in range(config.round_count):
        with RunReader(job.run_dir) as reader:
            *_, found = swiss.planned_rounds(config, reader.all_matches())
        title = f"round {found.number}/{config.round_count}: matches"
        await play_schedule(job, config, found.schedule, players, title=title)
        if job.stopped:
            return


async def _play_test(job: Job, config: TournamentConfig, test: SprtConfig, players: Mapping[str, Player]) -> None:
    """In parts: a void match is replayed at the end of its part, and until then no pair after it counts."""
    matches = schedule(config)
    size = _WAVES * config.concurrency
    with sprt.Watch(test, job.run_dir) as watch:
        for first in range(0, len(matches), size):
            part = matches[first : first + size]
            title = f"pairs {part[0].pair + 1} to {part[-1].pair + 1} of at most {config.pairs}: matches"
            await play_schedule(job, config, part, players, title=title, enough=watch.decided)
            if job.stopped or watch.decided():
                return


def planned(config: TournamentConfig) -> int:
    """How many matches it has; with an SPRT the most that it may have."""
    return config.planned


def schedule(config: TournamentConfig) -> list[PlannedMatch]:
    """Every match of the suite, but for Swiss rounds, which are paired as they come."""
    games = check_games(config.games)
    if config.format == "gauntlet":
        field = [player for player in config.players if player not in config.challenging]
        matches = gauntlet(games, config.challenging, field, config.pairs, config.seed)
    else:
        matches = round_robin(games, config.players, config.pairs, config.seed)
    return with_openings(matches, config.drawn_openings)


def build_result(run_dir: Path) -> dict[str, Any]:
    """The tournament's JSON, from what is stored so far.

    Beside what a round-robin has: `format` and `challengers` or `rounds` of other formats, `openings` where there are
    any, and `sprt`, how the test stands; then all else is of the pairs that it counts.
    """
    config = read_json(TournamentConfig, run_dir / CONFIG_JSON)
    with RunReader(run_dir) as reader:
        matches = reader.all_matches() if config.format == "swiss" or config.sprt is not None else []
    result: dict[str, Any] = {}
    if config.sprt is None:
        result |= report.build_result(run_dir)
    else:
        state = sprt.run_test(config.sprt, matches)
        result |= report.build_result(run_dir, lambda match: match.pair < state.pairs)
        result["warnings"] += sprt.early_end(state)
        result["sprt"] = sprt.row(config.sprt, state)
    if config.format != "round-robin":
        result["format"] = config.format
    if config.format == "gauntlet":
        result["challengers"] = config.challenging
    if config.format == "swiss":
        result["rounds"] = swiss.round_rows(config, matches)
    if config.openings is not None:
        result["openings"] = config.openings.model_dump()
    return result


def render(result: Mapping[str, Any]) -> RenderableType:
    """The tables for a terminal."""
    parts: list[RenderableType] = []
    if rounds := result.get("rounds"):
        parts += [swiss.render_rounds(rounds), Text()]
    parts.append(report.render_table(result))
    notes = [sprt.words(result["sprt"])] if "sprt" in result else []
    if challengers := result.get("challengers"):
        notes.append(f"Gauntlet: {one_line(', '.join(challengers), 400)} against all others, who do not meet.")
    if openings := result.get("openings"):
        kind = "balanced" if openings["balanced"] else "random"
        notes.append(f"Every pair begins after {openings['plies']} {kind} plies, the same in both of its matches.")
    return Group(*parts, *([Text("\n".join(notes))] if notes else []))
