"""Former selves: the offered weights as they were, kept for the evaluations to come that will meet them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from arena.config.sft import SftConfig
from arena.config.train import TrainConfig
from arena.core.player import Player
from training.opponents import Frozen

if TYPE_CHECKING:
    from torch import Tensor

SELF = "self"
"""The word for it among an evaluation's opponents."""
_PREFIX = "self_"


def evaluates(config: TrainConfig | SftConfig, step: int) -> bool:
    """Whether the run evaluates after so many steps; the start, step 0, apart."""
    every = config.evaluation.every
    return step == config.steps or (every > 0 and step % every == 0)


class FormerSelves:
    """Offered weights by the step they are of, as flat vectors: only those that an evaluation will ask for."""

    def __init__(self, config: TrainConfig, freeze: Callable[[], Frozen]) -> None:
        self._config = config
        self._frozen = freeze() if SELF in config.evaluation.opponents else None
        self._kept: dict[int, Tensor] = {}

    def keep(self, step: int, offered: Tensor) -> None:
        """Keep a copy of what is offered after so many steps, if it will be asked for."""
        later = step + self._config.evaluation.lag
        if self._frozen is not None and later <= self._config.steps and evaluates(self._config, later):
            self._kept[step] = offered.clone()

    def players(self, step: int) -> dict[str, Player]:
        """Who plays the former self in the evaluation after so many steps, by name; nobody before step `lag`.

        Weights of that step and before are dropped then.
        """
        wanted = step - self._config.evaluation.lag
        weights = self._kept.get(wanted)
        self._kept = {at: kept for at, kept in self._kept.items() if at > wanted}
        if self._frozen is None or weights is None:
            return {}
        name = self._config.evaluation.former_self
        self._frozen.load(weights, name)
        return {name: self._frozen.player}

    def tensors(self) -> dict[str, Tensor]:
        """What is kept, by name, for a checkpoint."""
        return {f"{_PREFIX}{step}": weights for step, weights in self._kept.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what a checkpoint kept; names of others are passed over."""
        names = [name for name in tensors if name.startswith(_PREFIX)]
        self._kept = {int(name.removeprefix(_PREFIX)): tensors[name] for name in names}
