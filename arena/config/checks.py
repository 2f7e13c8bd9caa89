"""Checks of names that need no player loaded, so that wrong usage is refused before anything starts."""

from __future__ import annotations

from collections.abc import Iterable

from arena.core.errors import UsageError
from arena.core.registry import GameSpec, PlayerSpec, discover, player_module


def check_games(specs: Iterable[str]) -> list[GameSpec]:
    """Read game specs. Raises UsageError for an unknown game, option or value."""
    return [GameSpec.parse(spec) for spec in specs]


def check_players(specs: Iterable[str], games: Iterable[GameSpec]) -> list[PlayerSpec]:
    """Read player specs, and see that a model which one names is there; nothing is loaded.

    Raises UsageError for an unknown backend, option or model, or a player that cannot play one of the games,
    ArenaError for a model that is damaged.
    """
    players = [PlayerSpec.parse(spec) for spec in specs]
    for player in players:
        if player.backend == "optimal":
            _check_oracles(games)
        locate = getattr(player_module(player.backend), "locate", None)
        if locate is not None:
            locate(player.target)
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
