"""The update as a plain loop of transformers and torch.optim: the learner's reference in tests and benchmarks.

Nothing is merged: every turn is a row of its own. Rows are padded on the right and grouped by length.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from arena.config.train import OptimiserConfig
from arena.core.keys import derive_key, draw
from training.learner import Turn, distinct_rows


class Padded(NamedTuple):
    """Rows of one forward pass."""

    ids: Tensor
    """[B, T]"""
    attended: Tensor
    """[B, T], 1 where there is a token, 0 on padding."""
    replied: Tensor
    """[B, T − 1], 1 where the next token is one of the reply."""
    old: Tensor
    """[B, T − 1], the reply's log-probabilities when it was drawn."""
    advantages: Tensor
    """[B, 1]"""


def padded(turns: Sequence[Turn]) -> Padded:
    longest = max(map(length, turns))
    shape = len(turns), longest
    ids, attended = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    replied, old = torch.zeros(shape), torch.zeros(shape)
    for row, turn in enumerate(turns):
        start, end = len(turn.sample.prompt_ids), length(turn)
        ids[row, :end] = torch.tensor(turn.sample.prompt_ids + turn.sample.token_ids)
        attended[row, :end] = 1
        replied[row, start - 1 : end - 1] = 1
        old[row, start - 1 : end - 1] = torch.tensor(turn.sample.logprobs)
    return Padded(ids, attended, replied[:, :-1], old[:, :-1], torch.tensor([[turn.advantage] for turn in turns]))


def length(turn: Turn) -> int:
    return len(turn.sample.prompt_ids) + len(turn.sample.token_ids)


def minibatches(turns: Sequence[Turn], config: OptimiserConfig, seed: int, step: int) -> list[list[Turn]]:
    """The turns of each Adam step of the learner's, with one rank, one epoch and no thinning."""
    rows = distinct_rows(turns)
    draw(derive_key("minibatches", seed, step, 0), "rows").shuffle(rows)
    count = max(1, round(len(turns) / config.minibatch))
    part = {id(row.sample): number % count for number, row in enumerate(rows)}
    samples = {(row.sample.prompt_ids, row.sample.token_ids): row.sample for row in rows}
    found: list[list[Turn]] = [[] for _ in range(count)]
    for turn in turns:
        found[part[id(samples[turn.sample.prompt_ids, turn.sample.token_ids])]].append(turn)
    return found


class PlainLearner:
    """AutoModelForCausalLM, PPO's clipped loss on the reply tokens, clip_grad_norm_ and AdamW without decay."""

    def __init__(self, folder: Path, config: OptimiserConfig, max_tokens: int, rows: int) -> None:
        from transformers import AutoModelForCausalLM

        self.model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
        self.config, self.max_tokens, self.rows = config, max_tokens, rows
        betas = config.beta1, config.beta2
        self.adam = torch.optim.AdamW(self.model.parameters(), lr=config.lr, betas=betas, weight_decay=0.0, fused=True)

    def accumulate(self, turns: Sequence[Turn]) -> None:
        """Add the gradient of the turns' mean loss."""
        ordered = sorted(turns, key=length)
        for start in range(0, len(ordered), self.rows):
            batch = padded(ordered[start : start + self.rows])
            out = self.model(input_ids=batch.ids, attention_mask=batch.attended, use_cache=False)
            logp = torch.log_softmax(out.logits[:, :-1], -1)
            taken = logp.gather(-1, batch.ids[:, 1:, None])[..., 0]
            ratio = torch.exp((taken - batch.old) * batch.replied)
            clipped = ratio.clamp(1 - self.config.clip, 1 + self.config.clip)
            surrogate = torch.minimum(ratio * batch.advantages, clipped * batch.advantages)
            loss = -(surrogate * batch.replied).sum() / self.max_tokens / len(turns)
            loss.backward()  # type: ignore[no-untyped-call]

    def update(self, parts: Sequence[Sequence[Turn]]) -> None:
        """One Adam step on each minibatch."""
        for turns in parts:
            self.adam.zero_grad()
            self.accumulate(turns)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
            self.adam.step()

    def gradient(self, turns: Sequence[Turn]) -> dict[str, Tensor]:
        """Gradient of the turns' mean loss, by transformers' names."""
        self.adam.zero_grad()
        self.accumulate(turns)
        return {
            name: parameter.grad.clone()
            for name, parameter in self.model.named_parameters()
            if parameter.grad is not None
        }


def difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Largest difference of two gradients, relative to the largest entry of each tensor."""
    names = one.keys() & other.keys()
    assert names, "the gradients share no tensor"
    return max(float((one[name] - other[name]).abs().max() / other[name].abs().max()) for name in names)
