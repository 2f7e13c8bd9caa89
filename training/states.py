"""What a value head reads of a turn: the policy's last hidden state at the last token of its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from training.advantages import Outcome, States
from training.batches import by_length, collate
from training.learner import MICROBATCH
from training.policy import Policy
from training.rollout import Trajectory

Prompt = tuple[int, ...]


def with_states(policy: Policy, trajectories: Sequence[Trajectory]) -> list[Outcome]:
    """The outcomes with the states of their trained turns; equal prompts are computed once."""
    prompts = dict.fromkeys(sample.prompt_ids for trajectory in trajectories for sample in trajectory.samples)
    found = prompt_states(policy, list(prompts))
    return [
        replace(trajectory.outcome, states=np.stack([found[sample.prompt_ids] for sample in trajectory.samples]))
        if trajectory.samples
        else trajectory.outcome
        for trajectory in trajectories
    ]


@torch.no_grad()
def prompt_states(policy: Policy, prompts: Sequence[Prompt]) -> dict[Prompt, States]:
    """The state [hidden] of each prompt under the current weights, of unit mean square."""
    found: dict[Prompt, States] = {}
    for group in by_length([len(prompt) for prompt in prompts], MICROBATCH):
        mine = [prompts[index] for index in group]
        # The place that predicts a reply's first token is the prompt's last one; attention never looks ahead.
        batch = collate([(prompt, (0,)) for prompt in mine])
        states = policy.hidden(batch.ids.to(policy.device)).flatten(0, 1)[batch.positions.to(policy.device)]
        states = F.rms_norm(states, states.shape[-1:], eps=policy.shape.eps)
        found |= zip(mine, states.cpu().numpy(), strict=True)
    return found
