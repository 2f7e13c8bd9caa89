"""Supervised training on the reply tokens of (prompt, reply) rows: what the warm start and `sft` share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from training import adam
from training.batches import collate
from training.distributed import Ranks
from training.policy import Policy

Pair = tuple[Sequence[int], Sequence[int]]
"""Prompt ids and reply ids, the end token included."""
GROUP = 32
"""Rows of like length that go through the model together."""


class Trainer:
    """Adam on the mean cross-entropy a reply token, at a rate by step, the gradient clipped."""

    def __init__(
        self,
        policy: Policy,
        rate: Callable[[int], float],
        betas: tuple[float, float] = (0.9, 0.99),
        clip_norm: float = 1.0,
    ) -> None:
        self.policy = policy
        self.magnet = policy.flat
        """What is offered: there is no magnet here but the weights themselves."""
        self.rate = rate
        self.clip_norm = clip_norm
        self.flat = torch.nn.Parameter(policy.flat)
        self.flat.grad = policy.grad
        self.adam = torch.optim.Adam([self.flat], lr=rate(0), betas=betas, fused=True)

    def train(self, groups: Sequence[Sequence[Pair]], step: int, group: Ranks) -> float:
        """One Adam step on the ranks' groups of rows; returns the mean loss a reply token, in nats, over all ranks."""
        self.policy.grad.zero_()
        batches = [collate(rows) for rows in groups]
        loss = torch.zeros(2, dtype=torch.float64)
        for batch in batches:
            ids, positions, targets = (part.to(self.policy.device) for part in batch[:3])
            part = F.cross_entropy(self.policy.logits(ids, positions), targets, reduction="sum")
            part.backward()  # type: ignore[no-untyped-call]
            loss += torch.tensor([float(part.detach()), float(len(targets))], dtype=torch.float64)
        group.add(self.policy.grad)
        group.add(loss)
        self.policy.grad.div_(float(loss[1]))
        norm = float(torch.linalg.vector_norm(self.policy.grad))
        if norm > self.clip_norm:
            self.policy.grad.div_(norm / self.clip_norm)
        for parameters in self.adam.param_groups:
            parameters["lr"] = self.rate(step)
        self.adam.step()
        return float(loss[0] / loss[1])

    def state_tensors(self) -> dict[str, Tensor]:
        """The Adam moments as flat vectors, for a checkpoint."""
        return adam.state_tensors(self.adam, self.flat)

    def load_state_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Continue from a checkpoint's Adam moments."""
        adam.load_state_tensors(self.adam, self.flat, tensors)
