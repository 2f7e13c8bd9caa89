"""Sizes of a causal language model of the Llama or the Qwen3 family, read from its config.json. Loads no torch.

Both families are one architecture (RMSNorm, rotary positions, grouped queries, SwiGLU); Qwen3 also norms the
heads of queries and keys.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line

FAMILIES = {"Qwen3ForCausalLM": "qwen3", "LlamaForCausalLM": "llama"}
"""Architectures that are served and trained, with their model types."""
_LEAST_RECOMPUTED = 100_000_000


@dataclass(frozen=True, slots=True)
class Scaling:
    """How Llama 3.1 and later stretch the slow rotary frequencies (`rope_type` "llama3")."""

    factor: float
    low: float
    high: float
    positions: int
    """Positions of the original training."""

    def __call__(self, frequency: float) -> float:
        """Fast frequencies stay, slow ones are divided by `factor`, those between go over linearly in turns."""
        turns = self.positions * frequency / (2 * math.pi)
        smooth = min(1.0, max(0.0, (turns - self.low) / (self.high - self.low)))
        return frequency * (smooth + (1 - smooth) / self.factor)


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of one model."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int
    vocab: int
    max_positions: int
    rope_theta: float
    eps: float
    tied: bool
    qk_norm: bool = True
    scaling: Scaling | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Shape:
        """Read a config.json. Raises ArenaError for a feature that our forward passes do not have."""
        family = family_of(config)
        rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
        _refuse_unknown(config, rope)
        try:
            heads = int(config["num_attention_heads"])
            shape = cls(
                layers=int(config["num_hidden_layers"]),
                hidden=int(config["hidden_size"]),
                heads=heads,
                kv_heads=int(config.get("num_key_value_heads") or heads),
                head_dim=int(config.get("head_dim") or config["hidden_size"] // heads),
                feed_forward=int(config["intermediate_size"]),
                vocab=int(config["vocab_size"]),
                max_positions=int(config.get("max_position_embeddings", 32768)),
                rope_theta=float(rope.get("rope_theta", config.get("rope_theta", 10000.0))),
                eps=float(config.get("rms_norm_eps", 1e-6)),
                tied=bool(config.get("tie_word_embeddings", False)),
                qk_norm=family == "qwen3",
                scaling=_scaling(rope),
            )
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise ArenaError(f"The model's config.json lacks or garbles a size: {one_line(str(error))}.") from None
        shape._refuse_nonsense()
        return shape

    def _refuse_nonsense(self) -> None:
        sizes = (self.layers, self.hidden, self.heads, self.kv_heads, self.feed_forward, self.vocab, self.max_positions)
        if min(sizes) < 1 or self.heads % self.kv_heads or self.head_dim < 2 or self.head_dim % 2:
            raise ArenaError("The model's config.json gives sizes that no model can have.")

    @property
    def queries(self) -> int:
        """Width of all query heads together."""
        return self.heads * self.head_dim

    @property
    def keys(self) -> int:
        """Width of all key heads together, and of all value heads."""
        return self.kv_heads * self.head_dim

    @property
    def parameters(self) -> int:
        """Number of weights; tied embeddings count once."""
        attention = 2 * self.hidden * (self.queries + self.keys)
        norms = 2 * self.hidden + (2 * self.head_dim if self.qk_norm else 0)
        layer = attention + 3 * self.hidden * self.feed_forward + norms
        return (1 if self.tied else 2) * self.vocab * self.hidden + self.layers * layer + self.hidden

    @property
    def recomputes(self) -> bool:
        """Whether training computes a layer's activations again on the way back instead of keeping them."""
        return self.parameters >= _LEAST_RECOMPUTED

    def kv_bytes(self, item: int) -> int:
        """Bytes of keys and values of one token at `item` bytes a number."""
        return self.layers * 2 * self.keys * item

    def frequencies(self) -> list[float]:
        """Angle per position of each rotary pair, in radians [head_dim / 2]."""
        plain = [self.rope_theta ** (-pair / self.head_dim) for pair in range(0, self.head_dim, 2)]
        return plain if self.scaling is None else [self.scaling(frequency) for frequency in plain]


def family_of(config: Mapping[str, Any]) -> str:
    """The model type, by the first architecture that config.json names. Raises ArenaError for another one."""
    named = config.get("architectures")
    if not named and config.get("model_type") in FAMILIES.values():
        return str(config["model_type"])
    architecture = str(named[0]) if isinstance(named, list) and named else "none"
    if architecture not in FAMILIES:
        raise ArenaError(
            f"The architecture {one_line(architecture)} is not known to the engine.",
            f"It serves {', '.join(FAMILIES)}.",
        )
    return FAMILIES[architecture]


def _refuse_unknown(config: Mapping[str, Any], rope: Any) -> None:
    """Raise ArenaError, in one line, for what would make our forward pass another function than the model's."""
    if not isinstance(rope, Mapping):
        raise ArenaError("The model's config.json garbles its rotary positions.")
    kinds = config.get("layer_types") or []
    wanted = {
        "rope_type 'default' or 'llama3'": _rope_type(rope) in ("default", "llama3"),
        "whole rotary heads": rope.get("partial_rotary_factor", config.get("partial_rotary_factor", 1.0)) == 1.0,
        "no attention bias": not config.get("attention_bias", False),
        "no bias in the feed-forward": not config.get("mlp_bias", False),
        "no sliding window": not config.get("use_sliding_window", False) and set(kinds) <= {"full_attention"},
        "hidden_act 'silu'": config.get("hidden_act", "silu") == "silu",
        "weights that are not quantised": not config.get("quantization_config"),
    }
    if missing := [name for name, holds in wanted.items() if not holds]:
        raise ArenaError(f"This model cannot be served: the engine needs {', '.join(missing)}.")


def _rope_type(rope: Mapping[str, Any]) -> str:
    return str(rope.get("rope_type", rope.get("type", "default")))


def _scaling(rope: Mapping[str, Any]) -> Scaling | None:
    if _rope_type(rope) == "default":
        return None
    names = ("factor", "low_freq_factor", "high_freq_factor")
    factor, low, high = (float(rope[name]) for name in names)
    if not (factor > 0 and high > low):
        raise ValueError("rotary scaling")
    return Scaling(factor, low, high, int(rope["original_max_position_embeddings"]))
