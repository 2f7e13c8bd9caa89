"""Role-conditioned advantage estimation (SPIRAL, arXiv 2506.24119).

A self-play match of one policy against itself is not symmetric: a role may win more often whatever it does.
So each (game, role) has a baseline of its own, a moving average b of that role's returns:

    A = R − b,   then   b ← α·b + (1 − α)·R

with b = 0 at the start. The advantage is taken before this match moves b (`baseline_update = "after"`), which
keeps it unbiased; "before" is the order the paper prints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arena.config.train import RaeConfig
from training.advantages import Outcome


class RoleConditioned:
    """One baseline per game and role, one shared copy for the whole run."""

    needs_states = False

    def __init__(self, config: RaeConfig) -> None:
        self.decay = config.decay
        self.update_first = config.baseline_update == "before"
        self.baseline: dict[tuple[str, int], float] = {}

    def advantages(self, outcomes: Sequence[Outcome]) -> list[list[float]]:
        result = []
        for outcome in outcomes:
            key = (outcome.game, outcome.role)
            before = self.baseline.get(key, 0.0)
            after = self.decay * before + (1 - self.decay) * outcome.value
            self.baseline[key] = after
            advantage = outcome.value - (after if self.update_first else before)
            result.append([advantage] * outcome.turns)
        return result

    def baselines(self) -> Mapping[tuple[str, int], float]:
        return dict(self.baseline)

    def figures(self) -> Mapping[tuple[str, str], float]:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {"baseline": [[game, role, value] for (game, role), value in self.baseline.items()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.baseline = {(game, role): value for game, role, value in state["baseline"]}


ESTIMATOR = RoleConditioned
