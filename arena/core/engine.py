"""What generates tokens: prompt ids in, drawn ids and their log-probabilities out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw.

    Truncations (top_k, top_p, min_p) renormalise over the kept set, and so do the log-probs returned.
    """

    temperature: float = 1.0
    """0 is greedy."""
    top_k: int = 0
    """0 keeps all."""
    top_p: float = 1.0
    min_p: float = 0.0
    """Tokens less likely than this share of the likeliest are dropped."""
    max_tokens: int = 64


@dataclass(frozen=True, slots=True)
class Completion:
    """One finished generation. `finish_reason` is "stop" (end token, kept as the last id) or "length"."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: str
    version: int
    """Version of the weights that drew the first token."""


class Engine(Protocol):
    """Many coroutines call `generate` at once; batching emerges inside."""

    @property
    def version(self) -> int:
        """Counts the calls of `load`."""

    async def generate(
        self,
        prompt_ids: Sequence[int],
        sampling: Sampling,
        key: str,
        on_token: Callable[[Sequence[int]], None] | None = None,
    ) -> Completion:
        """Draw one completion. The draw depends on (weights, prompt, sampling, key) alone."""

    def load(self, weights: object) -> None:
        """Publish other weights of the same shape; `version` grows by one."""
