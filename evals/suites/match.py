"""The suite `match`: one match, stored as every other, printed as a transcript."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from arena.config.base import read_json
from arena.config.checks import check_games
from arena.config.tournament import MatchConfig
from arena.core.errors import ArenaError
from arena.core.events import Event, Forfeit, IllegalReply, MatchEnded, MatchStarted, Partial, TurnTaken, Void
from arena.core.keys import match_key
from arena.core.player import Reply
from arena.core.sanitise import one_line, plain
from arena.runs.job import Job
from arena.runs.paths import CONFIG_JSON
from arena.runs.reader import RunReader
from arena.runs.record import read_record
from arena.runs.transcript import thought_lines
from evals.players import open_players
from evals.runner import run_matches
from evals.schedule import PlannedMatch

CONFIG = MatchConfig


async def play(job: Job, config: MatchConfig) -> None:
    """Play the match unless it is stored. Raises ArenaError where it stayed void."""
    (game,) = check_games([config.game])
    with RunReader(job.run_dir) as reader:
        if reader.count("match"):
            return
    a, b = config.players
    planned = PlannedMatch(0, game, a, b, 0, 0, match_key(config.seed, game.name, 0))
    watcher = Watcher() if config.watch else None
    async with open_players(job, config.players, [game], config) as players:
        outcome = await run_matches(
            [planned], players, job.store, retries=config.retries, watch=watcher, should_stop=job.should_stop
        )
    resume = f"Resume: {one_line(read_record(job.run_dir).resume_command(job.run_dir))}"
    if outcome.stopped:
        raise ArenaError("The match was given up before its end; nothing of it is stored.", resume)
    if outcome.unplayed:
        raise ArenaError(f"The match stayed void: {one_line(outcome.reason.rstrip('.'), 400)}.", resume)


class Watcher:
    """Prints a match on stderr as it goes, a model's reply while it grows."""

    def __init__(self) -> None:
        self._shown = ""

    def __call__(self, planned: PlannedMatch, event: Event) -> None:
        match event:
            case MatchStarted():
                _tell(f"{planned.game.name}: {planned.a} (seat 0) against {planned.b} (seat 1)\n\n{event.board}\n")
            case Partial():
                _tell(event.text.removeprefix(self._shown), end="")
                self._shown = event.text
            case TurnTaken():
                self._end_reply(event.reply)
                _tell(f"{event.turn + 1}. {planned.seats[event.seat]}: {event.action}\n\n{event.board}\n")
            case IllegalReply():
                self._end_reply(event.reply)
                _tell(f"{event.turn + 1}. {planned.seats[event.seat]}: {event.reply.answer} is illegal: {event.reason}")
            case Forfeit():
                _tell(f"{planned.seats[event.seat]} forfeits.")
            case Void():
                _tell(f"Void: {event.reason}")
            case MatchEnded():
                _tell(f"Ended after {event.turns} turns.")
            case _:
                pass

    def _end_reply(self, reply: Reply) -> None:
        if self._shown:
            _tell(reply.text.removeprefix(self._shown))
        elif reply.thought:
            _tell("\n".join(thought_lines(reply.thought, reply.thought_kind)))
        self._shown = ""


def _tell(text: str, end: str = "\n") -> None:
    print(plain(text), end=end, file=sys.stderr, flush=True)


def build_result(run_dir: Path) -> dict[str, Any]:
    """The match's JSON: players and returns by seat, and every reply. Raises ArenaError where it is not played."""
    config = read_json(MatchConfig, run_dir / CONFIG_JSON)
    with RunReader(run_dir) as reader:
        found = stored_match(reader, run_dir, config.seed)
    return found | {"watched": config.watch}


def stored_match(reader: RunReader, run_dir: Path, seed: int) -> dict[str, Any]:
    """What is stored of a run's one match. Raises ArenaError where it is not played to its end."""
    matches = reader.all_matches()
    if not matches:
        raise unfinished(run_dir)
    (match,) = matches
    return {
        "schema": 1,
        "seed": seed,
        "game": match.game,
        "players": [match.a, match.b],
        "returns": [match.return_a, match.return_b],
        "forfeit": {"a": 0, "b": 1}.get(match.forfeit),
        "board": match.board,
        "turns": [asdict(turn) for turn in reader.turns(match.id)],
    }


def unfinished(run_dir: Path) -> ArenaError:
    """A match that is not played to its end has no result."""
    hint = f"Go on with it: {read_record(run_dir).resume_command(run_dir)}"
    return ArenaError(f"{run_dir} holds no finished match.", hint)


def render(result: dict[str, Any]) -> RenderableType:
    """The transcript; only the outcome where the match was watched."""
    players, lines = result["players"], []
    if not result["watched"]:
        lines.append(f"{result['game']}: {players[0]} (seat 0) against {players[1]} (seat 1)\n\n{result['board']}\n")
        lines += [_turn(turn, players[turn["seat"]]) for turn in result["turns"]]
    first, second = result["returns"]
    lines.append(f"{players[0]} {first:+g}, {players[1]} {second:+g}: {_outcome(result)}.")
    return Text(plain("\n".join(lines)))


def _turn(turn: dict[str, Any], player: str) -> str:
    number = turn["turn"] + 1
    thought = "".join(f"{line}\n" for line in thought_lines(turn["thought"], turn["thought_kind"]))
    if turn["action"] is None:
        return f"{thought}{number}. {player}: {turn['answer']} is illegal: {turn['illegal']}"
    return f"{thought}{number}. {player}: {turn['action']}\n\n{turn['board']}\n"


def _outcome(result: dict[str, Any]) -> str:
    first, second = result["returns"]
    if first == second:
        return "a draw"
    winner, loser = (0, 1) if first > second else (1, 0)
    how = f"{result['players'][loser]} (seat {loser}) forfeited" if result["forfeit"] == loser else ""
    won = f"{result['players'][winner]} (seat {winner}) wins"
    return f"{won}, {how}" if how else won
