"""The other side of a play job: somebody who reads what is asked and answers through control.db."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from arena.config.play import PlayConfig
from arena.core.game import State
from arena.core.keys import match_key
from arena.core.player import Player
from arena.core.registry import GameSpec
from arena.runs.job import run_job
from arena.runs.launch import create_run
from arena.runs.reader import NoRows, RunReader
from arena.runs.requests import RequestStore
from arena.runs.rows import AskRow, MatchRow, TurnRow
from evals.human_match import HumanMatch
from evals.schedule import PlannedMatch
from evals.suites import play

UNDO, RESIGN = ("undo",), ("resign",)
Wish = str | tuple[str] | None
"""A move's text, an undo, to resign, or to leave for now."""
Decide = Callable[[AskRow, State], Wish]


def new_match(run_dir: Path, config: PlayConfig) -> Path:
    return create_run(config, "play", run_dir)


def play_through(
    run_dir: Path, config: PlayConfig, decide: Decide, opponents: Mapping[str, Player] | None = None
) -> list[AskRow]:
    """Run the job with a human who decides so, to the end or until the human leaves; all that the human was shown.

    `opponents` replaces those that the configuration names.
    """
    shown: list[AskRow] = []
    with run_job(run_dir) as job:

        async def work() -> None:
            if opponents is None:
                await play.play(job, config)
            else:
                await HumanMatch(job, config, planned_of(config), opponents).run()

        async def both() -> None:
            working = asyncio.create_task(work())
            human = asyncio.create_task(_human(run_dir, config, decide, shown))
            done, _ = await asyncio.wait({working, human}, return_when=asyncio.FIRST_COMPLETED)
            if working not in done:
                human.result()
                job._asked = True
                await working
            human.cancel()
            working.result()

        asyncio.run(both())
    with RunReader(run_dir) as reader:
        if (last := reader.ask()) is not None and last.status == "end":
            shown.append(last)
    return shown


def planned_of(config: PlayConfig) -> PlannedMatch:
    game = GameSpec.parse(config.game)
    return PlannedMatch(0, game, *config.players, 0, 0, match_key(config.seed, game.name, 0))


async def _human(run_dir: Path, config: PlayConfig, decide: Decide, shown: list[AskRow]) -> None:
    """Ends when the human leaves."""
    answered = -1
    with RequestStore(run_dir) as requests:
        while True:
            await asyncio.sleep(0.001)
            ask, state = look(run_dir, config)
            if ask is None or (shown and ask.number == shown[-1].number):
                continue
            shown.append(ask)
            if ask.status != "move" or ask.seen < answered:
                continue
            match decide(ask, state):
                case str(text):
                    answered = requests.move(ask.seat, ask.turn, ask.attempt, text)
                case ("undo",):
                    answered = requests.undo(ask.seat, ask.turn)
                case ("resign",):
                    answered = requests.resign(ask.seat)
                case None:
                    return


def look(run_dir: Path, config: PlayConfig) -> tuple[AskRow | None, State]:
    """What the human is shown now, and the position as a spectator could work it out."""
    state = GameSpec.parse(config.game).new(match_key(config.seed, config.game, 0))
    try:
        with RunReader(run_dir) as reader:
            ask, partials = reader.ask(), reader.partials()
    except NoRows:
        return None, state
    for row in json.loads(partials[0].turns) if partials else []:
        state = state.apply(row["action"]) if row["action"] is not None else state
    return ask, state


def stored(run_dir: Path) -> tuple[MatchRow, list[TurnRow]]:
    """The finished match and its replies."""
    with RunReader(run_dir) as reader:
        (match,) = reader.all_matches()
        return match, reader.turns(match.id)
