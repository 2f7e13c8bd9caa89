"""Configuration of the suites: tournament, head-to-head, ood, and a single match."""

from __future__ import annotations

from collections.abc import Iterable
from math import comb
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from arena.config.base import Config
from arena.config.limits import LimitsConfig
from arena.core.opening import Openings
from arena.core.registry import GameSpec, game_ids, load_game

TRAINING_GAMES = ("tictactoe", "kuhn_poker", "simple_negotiation")
"""Games of the suite `head-to-head` where none is named: those of self-play training."""
MOST_ELO = 1000
"""The largest Elo difference of a sequential test's hypotheses."""
TEST_PAIRS = 10_000
"""Pairs that a sequential test may take where it is not said."""
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


class PairsConfig(LimitsConfig):
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

    @property
    def entrants(self) -> list[str]:
        """Everybody whose scores are shown."""
        return self.players


class OpeningsConfig(Config):
    """Begin every pair a few random legal actions into the game, where the game draws nothing and hides nothing."""

    plies: Annotated[int, Field(ge=1)]
    """Actions of both seats together."""
    balanced: bool = False
    """Whether only positions that are a draw with best play will do; for solved games."""


class SprtConfig(Config):
    """A sequential test of the first player's Elo difference to the second, pair by pair, that ends the job early."""

    elo0: float
    """H0: it is no more than this."""
    elo1: float
    """H1: it is at least this."""
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Chance to accept H1 where H0 holds with exactly `elo0`."""
    beta: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Chance to accept H0 where H1 holds with exactly `elo1`."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not self.elo0 < self.elo1:
            raise ValueError("elo0 must be less than elo1")
        if max(abs(self.elo0), abs(self.elo1)) > MOST_ELO:
            raise ValueError(f"elo0 and elo1 must lie within ±{MOST_ELO}")
        return self


class TournamentConfig(PairsConfig):
    """Pairs between distinct players in one or more games: everybody with everybody, or as `format` says."""

    kind: Literal["tournament"] = "tournament"
    format: Literal["round-robin", "gauntlet", "swiss"] = "round-robin"
    """Who meets whom: everybody; the challengers and all others; in each round, those who stand next to each other."""
    challengers: Distinct = Field(default_factory=list)
    """Of a gauntlet: who meets all others and nobody else is met by them; the first player where none is named."""
    rounds: Annotated[int, Field(ge=1)] | None = None
    """Of a Swiss tournament; by default enough to part the best from the rest."""
    openings: OpeningsConfig | None = None
    """None: every match begins at the game's own first position."""
    sprt: SprtConfig | None = None
    """None: every pair is played. Else `pairs` is the most that are, of two players in one game."""
    ground_truth: bool = False
    """Whether API players are measured against the exact solution of the solved games too, as all others always are;
    that takes thousands of requests each."""

    @model_validator(mode="after")
    def _check_format(self) -> Self:
        if self.challengers and self.format != "gauntlet":
            raise ValueError("challengers are for the format gauntlet")
        if strangers := [name for name in self.challengers if name not in self.players]:
            raise ValueError(f"the challenger '{strangers[0]}' is not among the players")
        if len(self.challengers) == len(self.players):
            raise ValueError("a gauntlet needs somebody who is no challenger")
        if self.rounds is not None and self.format != "swiss":
            raise ValueError("rounds are for the format swiss")
        if self.sprt is not None and (len(self.players), len(self.games), self.format) != (2, 1, "round-robin"):
            raise ValueError("an SPRT is between two players in one game, of the format round-robin")
        return self

    @property
    def drawn_openings(self) -> Openings | None:
        """How openings are drawn, where there are any."""
        return None if self.openings is None else Openings(self.openings.plies, self.openings.balanced)

    @property
    def challenging(self) -> list[str]:
        """The challengers of a gauntlet."""
        return self.challengers or self.players[:1]

    @property
    def round_count(self) -> int:
        """How many rounds a Swiss tournament has: ⌈log₂ players⌉ + 2 by default, while nobody need meet twice."""
        if self.rounds is not None:
            return self.rounds
        count = len(self.players)
        return min((count - 1).bit_length() + 2, count - 1 + count % 2)

    @property
    def planned(self) -> int:
        """Matches that it has; with an SPRT the most that it may have."""
        count = len(self.players)
        match self.format:
            case "gauntlet":
                meetings = len(self.challenging) * (count - len(self.challenging))
            case "swiss":
                meetings = self.round_count * (count // 2)
            case _:
                meetings = comb(count, 2)
        return meetings * len(self.games) * self.pairs * 2


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


class MatchConfig(LimitsConfig):
    """One match; the first player has seat 0."""

    kind: Literal["match"] = "match"
    game: str
    players: tuple[str, str]
    seed: int = 0
    retries: Annotated[int, Field(ge=0)] = 1
    watch: bool = False
    """Whether the job prints the match on stderr while it is played."""

    @property
    def entrants(self) -> list[str]:
        """Both players."""
        return list(self.players)
