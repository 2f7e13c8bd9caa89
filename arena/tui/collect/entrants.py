"""What the form of a tournament offers and checks: players that are here or can be asked, games, formats, limits."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import arena
from arena.config.base import validate
from arena.config.checks import check_games, check_players
from arena.config.limits import LIMITS
from arena.config.tournament import TEST_PAIRS, TRAINING_GAMES, TournamentConfig
from arena.core.errors import ArenaError
from arena.core.registry import GameSpec, PlayerSpec, adapters, discover, game_ids, load_game, player_info
from arena.runs.checkpoints import list_checkpoints
from arena.runs.entrants import Entrants, expand_checkpoints, read_players_file
from arena.runs.launch import create_run, detach, job_command
from arena.runs.paths import checkpoints_dir, run_dirs, runs_root
from arena.runs.record import read_record
from arena.tui.collect.apis import find_apis, is_api
from arena.tui.collect.extras import (
    GROUND_TRUTH,
    HYPOTHESES,
    NO,
    RATES,
    TEST,
    YES,
    fitting,
    read_openings,
    read_test,
)
from arena.tui.collect.limits import read_limits
from arena.tui.collect.paces import Past, read_pasts

T = TypeVar("T")
NUMBERS = ("pairs", "seed", "concurrency")
_BOTS = ("random", "optimal", "scripted")
_MODELS = Path(next(iter(arena.__path__))).parent / "assets" / "models"
_CHOICE = re.compile(r"[^:?]+@(all|every:\d*|\d+(,\d+)*)(\?.*)?")
"""A choice of a run's checkpoints: no backend is named before the run."""


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
    pairs: str = ""
    seed: str = ""
    concurrency: str = ""
    format: str = "round-robin"
    challenger: str = ""
    rounds: str = ""
    openings: str = ""
    """Plies."""
    balanced: str = NO
    elo0: str = ""
    elo1: str = ""
    alpha: str = ""
    beta: str = ""
    lead: str = ""
    """Whose lead over the other is tested."""
    ground_truth: str = NO
    max_cost: str = ""
    max_tokens: str = ""
    prices: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with a draft by field, and how much there would be to play."""

    errors: dict[str, str] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    matches: int | None = None
    apis: tuple[str, ...] = ()
    """Those of the players that are behind an API."""
    usual: dict[str, str] = field(default_factory=dict)
    """What fields that are left empty stand for."""
    fits: frozenset[str] = frozenset()
    """Which of the fields make sense that are not for every tournament: see `fitting`."""


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
    return Offer(tuple(players), tuple(games), tuple(adapters()), tuple(read_pasts(paths)), problem)


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
    """Everything that can be said without loading a player or asking a server."""
    errors: dict[str, str] = {}
    players, filed = _several(_specs("players", draft.players, draft.more_players, errors), errors)
    own = _specs("games", draft.games, draft.more_games, errors)
    games = own or filed
    apis = tuple(spec for spec in players if is_api(spec))
    parsed = _attempt(errors, "games", lambda: check_games(games))
    known = _attempt(errors, "players", lambda: [one for one in players if _is_known(one)])
    if parsed is not None and known is not None:
        _attempt(errors, "players", lambda: check_players(known, parsed))
    if "human" in players:
        errors["players"] = "A human plays in a match of their own, on the screen Play."
    if len(players) < 2:
        errors.setdefault("players", "Choose at least two players.")
    if not games:
        errors.setdefault("games", "Choose at least one game.")
    data: dict[str, Any] = {"players": list(players), "games": list(games)}
    fits = fitting(draft.format, players, parsed or (), apis)
    usual = {"more_games": "" if own else " ".join(filed)}
    usual |= _numbers(draft, data, errors) | _format(draft, players, data, errors)
    _extras(draft, parsed or (), fits, usual["lead"], data, errors)
    limits, wrong = read_limits({name: getattr(draft, name) for name in LIMITS} if apis else {}, players)
    errors |= wrong
    if not errors:
        config = _attempt(errors, "format", lambda: validate(TournamentConfig, data | limits, "tournament"))
        if config is not None:
            usual["rounds"] = str(config.round_count)
            return Checked({}, data | limits, config.planned, apis, usual, fits)
    return Checked(errors, apis=apis, usual=usual, fits=fits)


def _several(specs: Sequence[str], errors: dict[str, str]) -> Entrants:
    """With those that a choice of checkpoints such as RUN@every:16, or a players file, stands for; the files' games."""
    found: list[str] = []
    games: list[str] = []
    for spec in specs:
        if _CHOICE.fullmatch(spec):
            found += _attempt(errors, "players", partial(expand_checkpoints, spec)) or ()
        elif spec.endswith(".toml"):
            file = _attempt(errors, "players", partial(read_players_file, Path(os.path.expanduser(spec))))
            found += file.players if file is not None else ()
            games += file.games if file is not None else ()
        else:
            found.append(spec)
    return Entrants(list(dict.fromkeys(found)), list(dict.fromkeys(games)))


def _is_known(spec: str) -> bool:
    """Whether it can be checked without looking for a model. Raises UsageError for no player at all."""
    return PlayerSpec.parse(spec).backend in _BOTS or is_api(spec)


def _numbers(draft: Draft, data: dict[str, Any], errors: dict[str, str]) -> dict[str, str]:
    """Put the numbers into the data; what they are where nothing is filled in."""
    usual = {name: TournamentConfig.model_fields[name].default for name in NUMBERS}
    if any(getattr(draft, name).strip() for name in HYPOTHESES):
        usual["pairs"] = TEST_PAIRS
    for name, value in usual.items():
        text = getattr(draft, name)
        data[name] = _whole(name, text, None if name == "seed" else 1, errors) if text.strip() else value
    return {name: str(value) for name, value in usual.items()}


def _format(draft: Draft, players: Sequence[str], data: dict[str, Any], errors: dict[str, str]) -> dict[str, str]:
    """Put who meets whom into the data where that is not everybody; what its empty fields stand for."""
    models = [one for one in players if one.partition("?")[0] not in _BOTS]
    first = next(iter([*models, *players]), "")
    if draft.format != "round-robin":
        data["format"] = draft.format
    if draft.format == "gauntlet":
        data["challengers"] = [draft.challenger.strip() or first]
        if data["challengers"][0] not in players:
            errors["challenger"] = "One of the players."
    elif draft.format == "swiss" and draft.rounds.strip():
        data["rounds"] = _whole("rounds", draft.rounds, 1, errors)
    return {"challenger": first, "lead": first}


def _extras(
    draft: Draft,
    games: Sequence[GameSpec],
    fits: frozenset[str],
    lead: str,
    data: dict[str, Any],
    errors: dict[str, str],
) -> None:
    """Put openings, a sequential test and ground truth into the data; a test is about its first player's lead."""
    openings, wrong = read_openings(draft.openings, draft.balanced == YES, games)
    texts = {name: getattr(draft, name) for name in (*HYPOTHESES, *RATES)}
    test, wrong_test = read_test(texts, TEST in fits)
    errors |= wrong | wrong_test
    data |= openings | test
    if test:
        first = draft.lead.strip() or lead
        if first not in data["players"]:
            errors["lead"] = "One of the players."
        data["players"] = [first, *(one for one in data["players"] if one != first)]
    if draft.ground_truth == YES and GROUND_TRUTH in fits:
        data["ground_truth"] = True


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
