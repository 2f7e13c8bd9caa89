"""Advantage estimators: one file each, with `ESTIMATOR` the class that its config builds.

An estimator turns a batch of finished trajectories, in match order, into one advantage a turn. It carries
its state between steps in `state_dict`, which every checkpoint saves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from arena.config.base import Config
from arena.core.registry import load_part

States = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an estimator sees of one trajectory: one role's part in one finished match."""

    game: str
    """The game with its variant, as configured."""
    role: int
    value: float
    """The role's return, after shaping."""
    turns: int
    """Turns that the policy took and that are trained; 0 still counts as a game for the baseline."""
    states: States | None = field(default=None, compare=False, repr=False)
    """[turns, hidden] what the policy makes of each trained turn's prompt, for an estimator that needs it."""


class Estimator(Protocol):
    @property
    def needs_states(self) -> bool:
        """Whether `Outcome.states` is filled in, which costs a forward pass over the prompts."""

    def advantages(self, outcomes: Sequence[Outcome]) -> list[list[float]]:
        """One advantage a turn for each trajectory, in the order given, which is match order."""

    def baselines(self) -> Mapping[tuple[str, int], float]:
        """The current baseline per game and role, for the metrics."""

    def figures(self) -> Mapping[tuple[str, str], float]:
        """Further figures of the last batch as (name of the metric, game) to value."""

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on, as JSON values."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from another estimator's state."""


def build(config: Config) -> Estimator:
    """The estimator that a config names by its `type`."""
    name = str(config.model_dump()["type"])
    return cast(Estimator, load_part("training.advantages", "advantage", name).ESTIMATOR(config))
