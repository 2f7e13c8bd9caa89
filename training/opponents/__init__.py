"""Who sits where in training matches: one file each, with `OPPONENT` the class that its config builds."""

from __future__ import annotations

from typing import NamedTuple, Protocol, cast

from arena.config.base import Config
from arena.core.player import Player
from arena.core.registry import load_part


class Seating(NamedTuple):
    """The players of one match by seat, and which seats' turns are trained."""

    players: tuple[Player, Player]
    trained: tuple[bool, bool]


class Opponent(Protocol):
    def seat(self, policy: Player, match: int) -> Seating:
        """Seat the learning policy in match number `match` of the run."""


def build(config: Config) -> Opponent:
    """The opponent that a config names by its `type`."""
    name = str(config.model_dump()["type"])
    return cast(Opponent, load_part("training.opponents", "opponent", name).OPPONENT(config))
