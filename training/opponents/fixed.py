"""A fixed opponent: any player, which never learns."""

from __future__ import annotations

from arena.config.train import FixedConfig
from arena.core.player import Player
from training.opponents import Context, Opponent, Seating, against


class Fixed(Opponent):
    """The player that the configuration names, on the seat that is not trained."""

    def __init__(self, config: FixedConfig, context: Context) -> None:
        self._context = context
        self.player = context.load(config.player)
        self.players = (self.player,)

    def before_step(self, step: int) -> None:
        del step
        self._context.forget(self.player)

    def seat(self, policy: Player, match: int) -> Seating:
        return against(policy, self.player, match)


OPPONENT = Fixed
