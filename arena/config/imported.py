"""Configuration of a run that holds matches played elsewhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from arena.config.base import Config

Form = Literal["csv", "jsonl", "textarena", "pgn"]


class ImportConfig(Config):
    """A file of results, and what was found in it when the run was made."""

    kind: Literal["imported"] = "imported"
    source: str
    """The file, as an absolute path."""
    format: Form
    sha256: str
    """Of the file."""
    game: str | None = None
    """Name of the game in rows that have none."""
    skip_bad: bool = False
    """Whether rows that cannot be read are left out."""
    players: list[str] = Field(default_factory=list)
    games: list[str] = Field(default_factory=list)
    matches: Annotated[int, Field(ge=0)] = 0
