"""Configuration of the suites: tournament, head-to-head, ood, and a single match."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from arena.config.base import Config
from arena.core.registry import GameSpec, game_ids, load_game

TRAINING_GAMES = ("tictactoe", "kuhn_poker", "simple_negotiation")
"""Games of the suite `head-to-head` where none is named: those of self-play training."""
BOTS = ("random", "scripted", "optimal")
"""Opponents of the suite `ood`, where they can play."""


def held_out_games() -> list[str]:
    """Ids of the games that self-play never trains on; adapters of others' games name none by themselves."""
    return [name for name in game_ids() if not load_game(name).INFO.trained]


def _distinct(values: list[str]) -> list[str]:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"'{value}' is given more than once")
    return values


Distinct = Annotated[list[str], AfterValidator(_distinct)]
"""Specs as the user wrote them, none twice."""


class PairsConfig(Config):
    """What every suite of many matches has."""

    kind: str
    players: Annotated[Distinct, Field(min_length=2)]
    """Player specs, as the user wrote them."""
    games: Annotated[Distinct, Field(min_length=1)]
    """Games with their variants, as the user wrote them."""
    pairs: Annotated[int, Field(ge=1)] = 100
    """Pairs for each two players in each game; a pair is two matches with the same luck and swapped seats."""
    seed: int = 0
    retries: Annotated[int, Field(ge=0)] = 1
    """Further attempts after an illegal reply before it is a forfeit."""
    concurrency: Annotated[int, Field(ge=1)] = 64
    """Matches in flight at once; changes the speed, never a result of a bot."""


class TournamentConfig(PairsConfig):
    """A round-robin of pairs between distinct players in one or more games."""

    kind: Literal["tournament"] = "tournament"


class HeadToHeadConfig(PairsConfig):
    """Specialists, multi-game models and their base against each other, a matrix for each game."""

    kind: Literal["head-to-head"] = "head-to-head"
    games: Annotated[Distinct, Field(min_length=1)] = Field(default_factory=lambda: list(TRAINING_GAMES))
    """By default the games of self-play training."""
    ground_truth: bool = False
    """Whether to measure every player against the exact solution of the solved games too."""


class OodConfig(PairsConfig):
    """Players and their base in games that self-play never trains on, against the same opponents with the same luck."""

    kind: Literal["ood"] = "ood"
    players: Annotated[Distinct, Field(min_length=1)]
    """Player specs, as the user wrote them; the base joins them where it is not among them."""
    games: Annotated[Distinct, Field(min_length=1)] = Field(default_factory=held_out_games)
    """By default every game that self-play never trains on."""
    base: str = "ckpt:tiny"
    """The player against which change is measured, and which everybody meets."""

    @property
    def entrants(self) -> list[str]:
        """Everybody whose scores are shown: the base first."""
        return list(dict.fromkeys([self.base, *self.players]))

    def opponents(self, game: GameSpec, solved: Iterable[str]) -> list[str]:
        """Whom everybody meets in the game: the bots that can play it, the base last. `solved` are ids of games."""
        info = game.game.INFO
        bots = [bot for bot in BOTS if (info.id in solved if bot == "optimal" else info.samples)]
        return list(dict.fromkeys([*bots, self.base]))


class MatchConfig(Config):
    """One match; the first player has seat 0."""

    kind: Literal["match"] = "match"
    game: str
    players: tuple[str, str]
    seed: int = 0
    retries: Annotated[int, Field(ge=0)] = 1
    watch: bool = False
    """Whether the job prints the match on stderr while it is played."""
