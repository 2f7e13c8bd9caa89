"""Checks of names that need no player loaded, so that wrong usage is refused before anything starts."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from arena.config.prices import check_prices
from arena.config.sft import SftConfig
from arena.config.train import TrainConfig
from arena.core.errors import UnknownName, UsageError
from arena.core.registry import GameSpec, PlayerSpec, discover, load_part, player_module


def check_games(specs: Iterable[str]) -> list[GameSpec]:
    """Read game specs. Raises UsageError for an unknown game, option or value."""
    return [GameSpec.parse(spec) for spec in specs]


def check_players(specs: Iterable[str], games: Iterable[GameSpec], online: bool = True) -> list[PlayerSpec]:
    """Read player specs, and see that a model or a key which one names is there; nothing is loaded.

    A model of the hub is downloaded; unless `online`, only its name is looked at.
    Raises UsageError for an unknown backend, option or model, or a player that cannot play one of the games,
    ArenaError for a model that is damaged.
    """
    players = [PlayerSpec.parse(spec) for spec in specs]
    for player in players:
        if player.backend == "optimal":
            _check_oracles(games)
        if player.backend in ("random", "scripted"):
            _check_samples(player, games)
        module = player_module(player.backend)
        locate = getattr(module, "locate", None)
        if not online:
            locate = getattr(module, "look", locate)
        if locate is not None:
            locate(player.target)
        if (check := getattr(module, "check", None)) is not None:
            check(player)
    return players


def solved_games() -> list[str]:
    """Ids of the games that have an exact solution."""
    return discover("arena.oracles")


def _check_oracles(games: Iterable[GameSpec]) -> None:
    solved = solved_games()
    for game in games:
        if game.game.INFO.id not in solved:
            raise UsageError(
                f"The player optimal cannot play {game.name}: no exact solution is known here.",
                f"It plays {', '.join(solved)}.",
            )


def _check_samples(player: PlayerSpec, games: Iterable[GameSpec]) -> None:
    for game in games:
        if not game.game.INFO.samples:
            raise UsageError(
                f"The player {player.name} cannot play {game.name}: no valid move of it can be named.",
                "Let models or humans play it.",
            )


class Check(NamedTuple):
    """One name of a configuration that has to be looked up: `see` raises ArenaError where there is no such thing."""

    key: tuple[str | int, ...]
    """Where it stands, as in `arena.config.base.Problem`."""
    see: Callable[[], object]


def check_training(config: TrainConfig) -> None:
    """See that the model and the opponents which a training configuration names are there; nothing is loaded.

    Raises UsageError for an unknown one, or for a model that training cannot start from.
    """
    for check in training_checks(config):
        check.see()


def check_sft(config: SftConfig) -> None:
    """The same for supervised training: its model, its teachers and whom they meet."""
    for check in sft_checks(config):
        check.see()


def training_checks(config: TrainConfig, online: bool = True) -> list[Check]:
    """What `check_training` looks up, one by one; unless `online`, nothing is downloaded."""
    checks = _common_checks(config, online)
    if config.opponent.type == "fixed":
        games = [GameSpec.parse(quota.game) for quota in config.games]
        see = partial(check_players, [config.opponent.player], games, online)
        checks.append(Check(("opponent", "fixed", "player"), see))
    return checks


def sft_checks(config: SftConfig, online: bool = True) -> list[Check]:
    """What `check_sft` looks up, one by one; unless `online`, nothing is downloaded."""
    checks = _common_checks(config, online)
    for place, item in enumerate(config.games):
        games = [GameSpec.parse(item.game)]
        checks.append(Check(("games", place, "teacher"), partial(check_players, [item.teacher], games, online)))
        checks.append(Check(("games", place, "opponents"), partial(check_players, item.opponents, games, online)))
    return checks


def _common_checks(config: TrainConfig | SftConfig, online: bool) -> list[Check]:
    checks = [
        Check(("model",), partial(_check_model, config.model, online)),
        Check(("evaluation", "opponents"), partial(check_players, config.evaluation.players, [], online)),
    ]
    if config.prices is not None or config.max_cost is not None:
        checks.append(Check(("prices",), partial(check_prices, config.prices, config.max_cost, config.players)))
    return checks


def _check_model(spec: str, online: bool) -> None:
    model = PlayerSpec.parse(spec)
    if model.backend not in ("ckpt", "hf") or set(model.options) - {"style", "device"}:
        hint = "model is a ckpt: or hf: spec, with style and device at most as its options."
        raise UsageError(f"Training cannot start from '{spec}'.", hint)
    if "style" in model.options:
        load_part("arena.prompts", "prompt style", str(model.options["style"]))
    try:
        check_players([spec], [], online)
    except UnknownName:
        known = sorted(path.name for path in Path(player_module("ckpt").BUNDLED).iterdir())
        if difflib.get_close_matches(model.target, known, cutoff=0.5):
            raise UnknownName("model", model.target, known) from None
        raise
