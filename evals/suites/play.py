"""The suite `play`: one match in which a human has a seat, stored as every other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from arena.config.base import read_json
from arena.config.checks import check_games
from arena.config.play import PlayConfig
from arena.core.keys import match_key
from arena.core.sanitise import plain
from arena.runs.job import Job
from arena.runs.paths import CONFIG_JSON
from arena.runs.reader import RunReader
from arena.runs.requests import RESIGN
from evals.human_match import HumanMatch
from evals.players import open_players
from evals.schedule import PlannedMatch
from evals.suites import match as transcripts

CONFIG = PlayConfig


async def play(job: Job, config: PlayConfig) -> None:
    """Play the match to its end unless it is stored; sets `job.stopped` where it was asked to end before that.

    Raises ArenaError where the opponent cannot answer.
    """
    (game,) = check_games([config.game])
    with RunReader(job.run_dir) as reader:
        if reader.count("match"):
            return
    first, second = config.players
    planned = PlannedMatch(0, game, first, second, 0, 0, match_key(config.seed, game.name, 0))
    async with open_players(job, config.opponents, [game], config) as opponents:
        await HumanMatch(job, config, planned, opponents).run()


def build_result(run_dir: Path) -> dict[str, Any]:
    """The match's JSON as the suite `match` has it, with `undos` and the seat that `resigned`, if one did.

    Raises ArenaError where it is not played to its end.
    """
    config = read_json(PlayConfig, run_dir / CONFIG_JSON)
    with RunReader(run_dir) as reader:
        found = transcripts.stored_match(reader, run_dir, config.seed)
        ask, resigned = reader.ask(), reader.last_event((RESIGN,))
    if ask is None:
        raise transcripts.unfinished(run_dir)
    seat = json.loads(resigned.detail)["seat"] if resigned else None
    return found | {"watched": True, "undos": ask.undos, "resigned": seat}


def render(result: dict[str, Any]) -> RenderableType:
    """The opponent's thoughts, which the human has not seen yet, and the outcome."""
    lines = [_line(turn, result["players"]) for turn in result["turns"] if turn["thought"]]
    if lines:
        lines = ["What the other side thought", *lines, ""]
    if result["resigned"] is not None:
        lines.append(f"Seat {result['resigned']} resigned.")
    return Text(plain("\n".join([*lines, str(transcripts.render(result))])))


def _line(turn: dict[str, Any], players: list[str]) -> str:
    answer = turn["action"] or f"{turn['answer']} (illegal)"
    return f"{turn['turn'] + 1}. {players[turn['seat']]} {answer}: {turn['thought']}"
