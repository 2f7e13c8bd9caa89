"""A lagged opponent: a frozen copy of the policy, taken anew every so many steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from arena.config.train import LaggedConfig
from arena.core.player import Player
from training.opponents import Context, Opponent, Seating, against

if TYPE_CHECKING:
    from torch import Tensor


class Lagged(Opponent):
    """The policy as it was at the last step that `every` divides, on the seat that is not trained."""

    def __init__(self, config: LaggedConfig, context: Context) -> None:
        self.every = config.every
        self._context = context
        self._frozen = context.freeze()
        self._copy: tuple[int, Tensor] | None = None
        """The step at whose beginning it was taken, and the weights."""

    def before_step(self, step: int) -> None:
        if self._copy is None or step % self.every == 0:
            self._copy = step, self._context.weights()
        taken, weights = self._copy
        self._frozen.load(weights, f"lagged@{taken}")

    def seat(self, policy: Player, match: int) -> Seating:
        return against(policy, self._frozen.player, match)

    def state_dict(self) -> dict[str, Any]:
        return {} if self._copy is None else {"step": self._copy[0]}

    def tensors(self) -> dict[str, Tensor]:
        return {} if self._copy is None else {"lagged": self._copy[1]}

    def load_state_dict(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        self._copy = (int(state["step"]), tensors["lagged"]) if state else None


OPPONENT = Lagged
