"""Self-play: the policy meets itself, and both seats are trained."""

from __future__ import annotations

from arena.config.train import SelfPlayConfig
from arena.core.player import Player
from training.opponents import Context, Opponent, Seating


class SelfPlay(Opponent):
    """The same weights on both seats."""

    trained_seats = 2.0

    def __init__(self, config: SelfPlayConfig, context: Context | None = None) -> None:
        del config, context

    def seat(self, policy: Player, match: int) -> Seating:
        del match
        return Seating((policy, policy), (True, True))


OPPONENT = SelfPlay
