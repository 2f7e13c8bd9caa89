"""Configuration of the suite `play`: one match in which a human has a seat."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from arena.config.limits import LimitsConfig

HUMAN = "human"
"""The spec of a human's seat."""


class PlayConfig(LimitsConfig):
    """One match with a human in one seat or both."""

    kind: Literal["play"] = "play"
    game: str
    players: tuple[str, str]
    """Who has seat 0 and who seat 1: `human` and the opponent's spec."""
    seed: int = 0
    retries: Annotated[int, Field(ge=0)] = 1
    """Further attempts of the opponent after an illegal reply before it forfeits; a human has as many as it takes."""

    @field_validator("players")
    @classmethod
    def _a_human(cls, players: tuple[str, str]) -> tuple[str, str]:
        if HUMAN not in players:
            raise ValueError(f"one of them must be '{HUMAN}'")
        return players

    @property
    def humans(self) -> tuple[int, ...]:
        """The seats that humans have."""
        return tuple(seat for seat, player in enumerate(self.players) if player == HUMAN)

    @property
    def opponents(self) -> list[str]:
        """The players that are no humans: one, or none."""
        return [player for player in self.players if player != HUMAN]
