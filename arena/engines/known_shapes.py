"""Sizes of public models, as their config.json give them, for estimates without a download."""

from __future__ import annotations

from dataclasses import replace

from arena.engines.shape import Scaling, Shape

_QWEN3 = Shape(
    layers=36, hidden=2560, heads=32, kv_heads=8, head_dim=128, feed_forward=9728, vocab=151936, max_positions=32768,
    rope_theta=1e6, eps=1e-6, tied=True,
)  # fmt: skip
_LLAMA3 = Shape(
    layers=32, hidden=4096, heads=32, kv_heads=8, head_dim=128, feed_forward=14336, vocab=128256, max_positions=131072,
    rope_theta=5e5, eps=1e-5, tied=False, qk_norm=False, scaling=Scaling(8.0, 1.0, 4.0, 8192),
)  # fmt: skip
SHAPES = {
    "Qwen3-0.6B": replace(_QWEN3, layers=28, hidden=1024, heads=16, feed_forward=3072),
    "Qwen3-1.7B": replace(_QWEN3, layers=28, hidden=2048, heads=16, feed_forward=6144),
    "Qwen3-4B": _QWEN3,
    "Qwen3-8B": replace(_QWEN3, hidden=4096, feed_forward=12288, tied=False),
    "Llama-3.2-1B": replace(
        _LLAMA3, layers=16, hidden=2048, head_dim=64, feed_forward=8192, tied=True,
        scaling=Scaling(32.0, 1.0, 4.0, 8192),
    ),
    "Llama-3.2-3B": replace(
        _LLAMA3, layers=28, hidden=3072, heads=24, feed_forward=8192, tied=True, scaling=Scaling(32.0, 1.0, 4.0, 8192)
    ),
    "Llama-3.1-8B": _LLAMA3,
}  # fmt: skip


def known_shape(name: str) -> Shape | None:
    """The shape of a hub id such as `Qwen/Qwen3-4B-Base@main`, by the name of its size; None for others."""
    plain = name.partition("@")[0].rpartition("/")[2].removeprefix("Meta-")
    return SHAPES.get(plain.removesuffix("-Base").removesuffix("-Instruct"))
