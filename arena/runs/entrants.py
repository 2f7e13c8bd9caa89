"""Who takes part: checkpoints of a run chosen by their steps, and files that name players and games.

    RUN@all            every checkpoint of a run
    RUN@every:16       those whose step is a multiple of 16, and the first and the last one
    RUN@10,20,30       those of these steps

Options may stand behind, as in any spec: RUN@all?temperature=0. A players file is TOML:

    players = ["random", "ckpt:tiny"]
    checkpoints = ["RUN@every:16"]
    games = ["tictactoe", "kuhn_poker"]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import Field

from arena.config.base import Config, problems, read_toml, validate
from arena.config.checks import check_games, check_players
from arena.core.errors import UsageError
from arena.runs.checkpoints import list_checkpoints

SYNTAX = "RUN@all, RUN@every:16 or RUN@10,20,30"
_MOST_NAMED = 12
"""Steps that an error lists."""

T = TypeVar("T")


class PlayersFile(Config):
    """What a players file may hold."""

    players: list[str] = Field(default_factory=list)
    """Player specs."""
    checkpoints: list[str] = Field(default_factory=list)
    """Checkpoints of runs, chosen by their steps; they come after the players."""
    games: list[str] = Field(default_factory=list)
    """Games with their variants, where the command line names none."""


class Entrants(NamedTuple):
    """Specs of players and of games, none twice."""

    players: list[str]
    games: list[str]


def expand_checkpoints(choice: str) -> list[str]:
    """Specs of the chosen checkpoints, such as `ckpt:RUN@16`, oldest first.

    Raises UsageError for what cannot be read, or a run without the checkpoints that are asked for.
    """
    text, question, options = choice.partition("?")
    run, _, which = text.rpartition("@")
    if not run or not which:
        raise UsageError(f"Cannot read the checkpoints '{choice}'.", f"Write them as {SYNTAX}.")
    steps = [found.step for found in list_checkpoints(run)]
    if not steps:
        raise UsageError(f"{run} has no checkpoint.", "A training run writes them as it goes on.")
    return [f"ckpt:{run}@{step}{question}{options}" for step in _choose(run, which, steps)]


def _choose(run: str, which: str, steps: Sequence[int]) -> list[int]:
    """The steps that are asked for. Raises UsageError."""
    word, colon, number = which.partition(":")
    if which == "all":
        return list(steps)
    if word == "every" and number.isdecimal() and int(number) > 0:
        found = [step for step in steps if step % int(number) == 0]
        if not found:
            raise UsageError(f"No checkpoint of {run} has a step that is a multiple of {number}.", _known(steps))
        return sorted({*found, steps[0], steps[-1]})
    wanted = which.split(",")
    if colon or not all(part.strip().isdecimal() for part in wanted):
        raise UsageError(f"Cannot read '@{which}' as a choice of checkpoints.", f"Write {SYNTAX}.")
    for step in map(int, wanted):
        if step not in steps:
            raise UsageError(f"{run} has no checkpoint of step {step}.", _known(steps))
    return list(dict.fromkeys(map(int, wanted)))


def _known(steps: Sequence[int]) -> str:
    shown = ", ".join(map(str, steps[-_MOST_NAMED:]))
    return f"It has {len(steps)}, the last ones: {shown}." if len(steps) > _MOST_NAMED else f"It has {shown}."


def read_players_file(path: Path) -> Entrants:
    """What a players file names, its checkpoints chosen.

    Raises UsageError with the file and the number of the entry for one that is not right.
    """
    data = read_toml(path)
    for problem in problems(PlayersFile, data):
        match problem.key:
            case (str(name), int(place)):
                raise UsageError(f"{path}: {name}, entry {place + 1}: {problem.words}")
    file = validate(PlayersFile, data, str(path))
    if not (file.players or file.checkpoints):
        raise UsageError(f"{path} names no players.", 'Write: players = ["random", "ckpt:tiny"].')
    for name, specs, see in (("players", file.players, _see_player), ("games", file.games, _see_game)):
        _entries(path, name, specs, see)
    chosen = _entries(path, "checkpoints", file.checkpoints, expand_checkpoints)
    players = dict.fromkeys([*file.players, *(spec for specs in chosen for spec in specs)])
    return Entrants(list(players), file.games)


def _see_player(spec: str) -> object:
    return check_players([spec], [], online=False)


def _see_game(spec: str) -> object:
    return check_games([spec])


def _entries(path: Path, name: str, specs: Sequence[str], read: Callable[[str], T]) -> list[T]:
    found = []
    for number, spec in enumerate(specs, start=1):
        if spec in specs[: number - 1]:
            raise UsageError(f"{path}: {name}, entry {number}: '{spec}' stands there already.")
        try:
            found.append(read(spec))
        except UsageError as error:
            raise UsageError(f"{path}: {name}, entry {number}: {error.message}", error.hint) from error
    return found


def gather(given: Sequence[str], choices: Sequence[str], file: Path | None, games: Sequence[str]) -> Entrants:
    """Everybody that a command names: players first, then checkpoints, then those of a file who are not among them.

    The file's games count where no others are given. Raises UsageError.
    """
    chosen = [spec for choice in choices for spec in expand_checkpoints(choice)]
    found = read_players_file(file) if file is not None else Entrants([], [])
    more = [spec for spec in dict.fromkeys([*chosen, *found.players]) if spec not in given]
    return Entrants([*given, *more], list(games) or found.games)
