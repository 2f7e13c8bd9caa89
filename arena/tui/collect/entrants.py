"""What the form of a tournament offers and checks: players that are here, games, and how fast past ones went."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import comb
from pathlib import Path
from typing import Any, TypeVar

import arena
from arena.config.base import validate
from arena.config.checks import check_games, check_players
from arena.config.tournament import TRAINING_GAMES, TournamentConfig
from arena.core.errors import ArenaError
from arena.core.registry import PlayerSpec, adapters, discover, game_ids, load_game, player_info
from arena.runs.checkpoints import list_checkpoints
from arena.runs.launch import create_run, detach, job_command
from arena.runs.paths import CONFIG_JSON, checkpoints_dir, run_dirs, runs_root
from arena.runs.record import Status, read_record, run_status
from arena.runs.store import RunReader
from arena.tui.collect.apis import find_apis, is_api

T = TypeVar("T")
_BOTS = ("random", "optimal", "scripted")
_MODELS = Path(next(iter(arena.__path__))).parent / "assets" / "models"
_MOST_RUNS = 40
"""Past tournaments that the pace is taken from, the newest."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A player or a game that can be chosen."""

    spec: str
    about: str
    older: bool = False
    """A checkpoint before the newest of its run."""
    begins: str = ""
    """Where it is no player yet, because a model has to be named: how a spec of it begins."""
    ready: bool = True
    """Whether all that it needs is there: of an API its key."""


@dataclass(frozen=True, slots=True)
class Past:
    """How fast a finished tournament went."""

    backends: frozenset[str]
    games: frozenset[str]
    pace: float
    """Seconds a match."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is to choose from."""

    players: tuple[Choice, ...]
    games: tuple[Choice, ...]
    syntax: tuple[str, ...]
    """How games of others are written."""
    pasts: tuple[Past, ...]
    problem: str = ""
    """Why runs are left out."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A tournament as it stands in the form, all as text; `more_` are specs written by hand."""

    players: tuple[str, ...] = ()
    more_players: str = ""
    games: tuple[str, ...] = ()
    more_games: str = ""
    pairs: str = "100"
    seed: str = "0"
    concurrency: str = "64"
    max_cost: str = ""
    max_tokens: str = ""
    prices: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with a draft by field, and how much there would be to play."""

    errors: dict[str, str] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    matches: int | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long so many matches took in the past."""

    seconds: float
    runs: int
    same_games: bool


def read_offer(root: Path) -> Offer:
    """Bots, bundled models, checkpoints (newest runs first), games, and past paces."""
    paths: list[Path] = []
    problem = ""
    try:
        paths = run_dirs(root)[::-1]
    except ArenaError as error:
        problem = str(error)
    players = [Choice(name, player_info(name).title) for name in _BOTS if name in discover("arena.players")]
    players += [Choice(f"ckpt:{path.name}", "bundled model") for path in _bundled()]
    players += [Choice(api.template, api.about, begins=api.begins, ready=api.ready) for api in find_apis()]
    for path in paths:
        with suppress(ArenaError):
            players += _checkpoints(path, root)
    games = [Choice(name, _game(name)) for name in game_ids()]
    return Offer(tuple(players), tuple(games), tuple(adapters()), tuple(_pasts(paths)), problem)


def _bundled() -> list[Path]:
    return sorted(path for path in _MODELS.glob("*") if (path / "config.json").is_file())


def _checkpoints(path: Path, root: Path) -> list[Choice]:
    if not checkpoints_dir(path).is_dir():
        return []
    named = path.name if root.absolute() == runs_root().absolute() else str(path.absolute())
    steps = [found.step for found in list_checkpoints(path)][::-1]
    if not steps:
        return []
    more = f", {len(steps)} checkpoints" if len(steps) > 1 else ""
    newest = Choice(f"ckpt:{named}", f"{read_record(path).name}: newest, step {steps[0]}{more}")
    return [newest, *(Choice(f"ckpt:{named}@{step}", f"step {step}", older=True) for step in steps)]


def _game(name: str) -> str:
    info = load_game(name).INFO
    variants = "&".join(f"{key}={'|'.join(map(str, values))}" for key, values in info.variants.items())
    return f"{'training' if info.trained else 'OOD'}{f', ?{variants}' if variants else ''}"


def default_games() -> tuple[str, ...]:
    """What is chosen at first."""
    return TRAINING_GAMES


# Checking


def check(draft: Draft) -> Checked:
    """Everything that can be said without loading a player."""
    errors: dict[str, str] = {}
    players = _specs("players", draft.players, draft.more_players, errors)
    games = _specs("games", draft.games, draft.more_games, errors)
    parsed = _attempt(errors, "games", lambda: check_games(games))
    bots = _attempt(errors, "players", lambda: [one for one in players if PlayerSpec.parse(one).backend in _BOTS])
    if parsed is not None and bots is not None:
        _attempt(errors, "players", lambda: check_players(bots, parsed))
    if "human" in players:
        errors["players"] = "A human plays in a match of their own, on the screen Play."
    if len(players) < 2:
        errors.setdefault("players", "Choose at least two players.")
    if not games:
        errors.setdefault("games", "Choose at least one game.")
    data: dict[str, Any] = {"players": list(players), "games": list(games)}
    for name, text, least in (
        ("pairs", draft.pairs, 1),
        ("seed", draft.seed, None),
        ("concurrency", draft.concurrency, 1),
    ):
        data[name] = _whole(name, text, least, errors)
    if errors:
        return Checked(errors)
    return Checked({}, data, comb(len(players), 2) * len(games) * data["pairs"] * 2)


def _specs(name: str, chosen: Sequence[str], written: str, errors: dict[str, str]) -> list[str]:
    try:
        more = shlex.split(written)
    except ValueError:
        errors[name] = "A quotation mark is missing."
        more = []
    found = [*chosen, *more]
    for spec in found:
        if found.count(spec) > 1:
            errors.setdefault(name, f"'{spec}' is given more than once.")
    return found


def _attempt(errors: dict[str, str], name: str, work: Callable[[], T]) -> T | None:
    try:
        return work()
    except ArenaError as error:
        errors.setdefault(name, str(error))
    return None


def _whole(name: str, text: str, least: int | None, errors: dict[str, str]) -> int:
    try:
        value = int(text.strip())
    except ValueError:
        errors[name] = "A whole number, such as 100." if least else "A whole number, such as 0."
        return 0
    if least is not None and value < least:
        errors[name] = f"At least {least}."
    return value


def start(data: dict[str, Any]) -> Path:
    """Check what a start would check, write the run, start its job detached; returns its directory.

    Raises UsageError for a player or a game that is not there, ArenaError where the run cannot be written.
    """
    config = validate(TournamentConfig, data, "tournament")
    check_players(config.players, check_games(config.games))
    run_dir = create_run(config, "tournament").absolute()
    detach(job_command("evals", str(run_dir)), run_dir)
    return run_dir


# Past paces


def estimate(pasts: Iterable[Past], data: dict[str, Any], matches: int) -> Estimate | None:
    """From past tournaments of the same kinds of players, of the same games where there are any; None without."""
    backends = frozenset(_backend(spec) for spec in data["players"])
    alike = [past for past in pasts if past.backends == backends]
    same = [past for past in alike if past.games == frozenset(data["games"])]
    paces = sorted(past.pace for past in same or alike)
    return Estimate(paces[len(paces) // 2] * matches, len(paces), bool(same)) if paces else None


def _backend(spec: str) -> str:
    return spec.partition("?")[0].partition(":")[0]


def _pasts(paths: Sequence[Path]) -> list[Past]:
    found: list[Past] = []
    for path in paths:
        with suppress(ArenaError, OSError, ValueError, KeyError, TypeError):
            record = read_record(path)
            if record.kind == "tournament" and run_status(path, record) is Status.FINISHED:
                found += _past(path)
        if len(found) >= _MOST_RUNS:
            break
    return found


def _past(path: Path) -> list[Past]:
    """Its pace from the first match to the last; nothing where it was interrupted, or too short to tell."""
    config = json.loads((path / CONFIG_JSON).read_text(encoding="utf-8"))
    with RunReader(path) as reader:
        if sum(event.kind == "started" for event in reader.events(limit=100)) > 1:
            return []
        matches = reader.count("match")
        ends = [*reader.matches(limit=1), *reader.matches(after_id=matches - 1, limit=1)]
    if len(ends) < 2 or matches < 2 or ends[1].at <= ends[0].at:
        return []
    backends = frozenset(_backend(str(spec)) for spec in config["players"])
    pace = (ends[1].at - ends[0].at) / (matches - 1)
    return [Past(backends, frozenset(str(game) for game in config["games"]), pace)]
