"""A pool of former selves: every so many steps the policy joins it, and each step meets a few of its members.

Members are drawn alike (fictitious self-play), or by how hard they are: prioritised fictitious self-play with
AlphaStar's f_hard(p) = (1 − p)^power (Vinyals et al., "Grandmaster level in StarCraft II using multi-agent
reinforcement learning", Nature 575, 2019, Methods), with p the policy's rate of wins, draws as halves, against
the member: here (1 + score) / (2 + matches) of sums that fade as the policy changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arena.config.train import PoolConfig
from arena.core.keys import derive_key, draw
from arena.core.player import Player
from training.opponents import Context, Opponent, Result, Seating, against

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(slots=True)
class Member:
    """The policy as it was at the beginning of a step."""

    step: int
    weights: Tensor
    score: float = 0.0
    """The policy's score against it, fading."""
    matches: float = 0.0
    """Matches behind the score, fading alike."""

    @property
    def rate(self) -> float:
        """How often the policy beats it: 1/2 before they have met, never 0 or 1."""
        return (1 + self.score) / (2 + self.matches)


class Pool(Opponent):
    """One of a few members drawn for the step on the seat that is not trained; now and then the policy itself."""

    def __init__(self, config: PoolConfig, context: Context) -> None:
        self.config = config
        self.members: list[Member] = []
        """Oldest first."""
        self.trained_seats = 1 + config.self_play
        self._context = context
        self._key = derive_key("pool", context.seed)
        self._engines = [context.freeze() for _ in range(min(config.active, config.size))]
        self._met: list[Member] = []
        """The member of each of the step's draws."""
        self._players: dict[int, Player] = {}
        """Those members' players, by the members' steps."""

    def before_step(self, step: int) -> None:
        if not self.members or step % self.config.every == 0:
            self.members.append(Member(step, self._context.weights()))
            del self.members[: -self.config.size]
        rng, self._players = draw(self._key, "members", step), {}
        self._met = rng.choices(self.members, self.priorities(), k=self.config.active)
        distinct = {member.step: member for member in self._met}
        for frozen, member in zip(self._engines, distinct.values(), strict=False):
            frozen.load(member.weights, f"pool@{member.step}")
            self._players[member.step] = frozen.player

    def priorities(self) -> list[float]:
        """How likely each member is to be drawn, up to a factor."""
        if self.config.sampling == "uniform":
            return [1.0] * len(self.members)
        return [(1 - member.rate) ** self.config.power for member in self.members]

    def seat(self, policy: Player, match: int) -> Seating:
        drawn = self._drawn(match)
        if drawn is None:
            return Seating((policy, policy), (True, True))
        return against(policy, self._players[self._met[drawn].step], match)

    def _drawn(self, match: int) -> int | None:
        """Which of the step's draws plays this match; None is self-play."""
        rng = draw(self._key, "match", match)
        return None if rng.random() < self.config.self_play else rng.randrange(len(self._met))

    def observe(self, results: Sequence[Result]) -> None:
        by_step: dict[int, list[float]] = {}
        for result in results:
            drawn = self._drawn(result.match)
            assert drawn is not None, "matches of self-play are left out"
            by_step.setdefault(self._met[drawn].step, []).append(result.score)
        for member in self.members:
            if scores := by_step.get(member.step):
                member.score = self.config.memory * member.score + sum(scores)
                member.matches = self.config.memory * member.matches + len(scores)

    def state_dict(self) -> dict[str, Any]:
        return {"members": [[member.step, member.score, member.matches] for member in self.members]}

    def tensors(self) -> dict[str, Tensor]:
        return {f"pool_{member.step}": member.weights for member in self.members}

    def load_state_dict(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        self.members = [
            Member(step, tensors[f"pool_{step}"], score, matches) for step, score, matches in state.get("members", [])
        ]


OPPONENT = Pool
