"""Draw tokens from logits: temperature, truncation, and an inverse CDF over uniforms that the caller gives.

Truncation follows the usual order (top_k, top_p, min_p), each on what the one before kept. What is kept is
renormalised, so a log-prob returned here is that of the distribution drawn from. A learner that recomputes
log-probs must apply the same truncation: `log_probs` does it, with gradients.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from arena.core.engine import Sampling


class Draws(NamedTuple):
    tokens: list[int]
    logprobs: list[float]


def kept(probs: Tensor, sampling: Sampling) -> Tensor:
    """Probabilities [..., vocab] with the tokens that truncation drops set to 0; not renormalised."""
    if 0 < sampling.top_k < probs.shape[-1]:
        least = probs.topk(sampling.top_k).values[..., -1:]
        probs = probs.where(probs >= least, 0.0)
    if sampling.top_p < 1.0:
        ordered, places = probs.sort(descending=True, stable=True)
        before = ordered.cumsum(-1) - ordered
        ordered = ordered.where(before < sampling.top_p * ordered.sum(-1, keepdim=True), 0.0)
        probs = torch.zeros_like(probs).scatter(-1, places, ordered)
    if sampling.min_p > 0.0:
        probs = probs.where(probs >= sampling.min_p * probs.amax(-1, keepdim=True), 0.0)
    return probs


def log_probs(logits: Tensor, sampling: Sampling) -> Tensor:
    """Natural log-probabilities [..., vocab] of the distribution drawn from, -inf for dropped tokens.

    Differentiable in `logits`. At temperature 0 the distribution has one token, of log-prob 0.
    """
    if sampling.temperature <= 0.0:
        best = logits.argmax(-1, keepdim=True)
        return torch.full_like(logits, -torch.inf).scatter(-1, best, 0.0)
    scaled = logits.float() / sampling.temperature
    with torch.no_grad():
        dropped = kept(torch.softmax(scaled, -1), sampling) == 0.0
    return torch.log_softmax(scaled.masked_fill(dropped, -torch.inf), -1)


def draw(logits: Tensor, sampling: Sampling, rows: Tensor | None, uniforms: list[float]) -> Draws:
    """Draw one token per uniform in [0, 1); uniform i reads row rows[i] of `logits` (row i where rows is None).

    A token depends on its row and its uniform alone. The CDF is summed in float64, over all rows at once:
    row r then owns the interval between the running sums at its two ends.
    """
    if sampling.temperature <= 0.0:
        best = logits.argmax(-1)
        return Draws((best if rows is None else best[rows]).tolist(), [0.0] * len(uniforms))
    scaled = logits if sampling.temperature == 1.0 else logits / sampling.temperature
    probs = kept(torch.softmax(scaled, -1, dtype=torch.float32), sampling)
    vocab = probs.shape[-1]
    flat = probs.view(-1)
    running = torch.cumsum(flat, 0, dtype=torch.float64)
    ends = running[vocab - 1 :: vocab]
    starts = torch.cat([ends.new_zeros(1), ends[:-1]])
    if rows is None:
        rows = torch.arange(len(uniforms), device=logits.device)
    else:
        starts, ends = starts[rows], ends[rows]
    mass = ends - starts
    target = torch.tensor(uniforms, dtype=torch.float64, device=logits.device).mul_(mass).add_(starts)
    target = torch.minimum(target, torch.nextafter(ends, starts))  # rounding must not reach the next row
    found = torch.searchsorted(running, target, right=True).clamp_(max=len(flat) - 1)
    logprobs = torch.log(flat[found] / mass)
    tokens = found - rows * vocab
    if logits.is_cuda:  # one wait for the GPU, not two
        both = torch.stack([tokens.double(), logprobs]).tolist()
        return Draws([int(token) for token in both[0]], both[1])
    return Draws(tokens.tolist(), logprobs.tolist())
