"""Configuration of a tournament and of a single match."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from arena.config.base import Config


class TournamentConfig(Config):
    """A round-robin of pairs between distinct players in one or more games."""

    kind: Literal["tournament"] = "tournament"
    players: list[str] = Field(min_length=2)
    """Player specs, as the user wrote them."""
    games: list[str] = Field(min_length=1)
    """Games with their variants, as the user wrote them."""
    pairs: Annotated[int, Field(ge=1)] = 100
    """Pairs for each two players in each game; a pair is two matches with the same luck and swapped seats."""
    seed: int = 0
    retries: Annotated[int, Field(ge=0)] = 1
    """Further attempts after an illegal reply before it is a forfeit."""
    concurrency: Annotated[int, Field(ge=1)] = 64
    """Matches in flight at once; changes the speed, never a result of a bot."""

    @field_validator("players", "games")
    @classmethod
    def _distinct(cls, values: list[str]) -> list[str]:
        for value in values:
            if values.count(value) > 1:
                raise ValueError(f"'{value}' is given more than once")
        return values


class MatchConfig(Config):
    """One match; the first player has seat 0."""

    kind: Literal["match"] = "match"
    game: str
    players: tuple[str, str]
    seed: int = 0
    retries: Annotated[int, Field(ge=0)] = 1
    watch: bool = False
    """Whether the job prints the match on stderr while it is played."""
