"""No baseline: the advantage is the return itself. The ablation of SPIRAL's role-conditioned baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arena.config.train import NoBaselineConfig
from training.advantages import Outcome


class RawReturn:
    """Every turn of a trajectory gets its return."""

    needs_states = False

    def __init__(self, config: NoBaselineConfig) -> None:
        del config

    def advantages(self, outcomes: Sequence[Outcome]) -> list[list[float]]:
        return [[outcome.value] * outcome.turns for outcome in outcomes]

    def baselines(self) -> Mapping[tuple[str, int], float]:
        return {}

    def figures(self) -> Mapping[tuple[str, str], float]:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        del state


ESTIMATOR = RawReturn
