"""Self-play: the policy meets itself, and both seats are trained."""

from __future__ import annotations

from arena.config.train import SelfPlayConfig
from arena.core.player import Player
from training.opponents import Seating


class SelfPlay:
    """The same weights on both seats."""

    def __init__(self, config: SelfPlayConfig) -> None:
        del config

    def seat(self, policy: Player, match: int) -> Seating:
        del match
        return Seating((policy, policy), (True, True))


OPPONENT = SelfPlay
