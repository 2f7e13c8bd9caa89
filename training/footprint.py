"""What training a model of some shape takes, from sizes alone: bytes, and floating-point operations.

Weights, gradients and Adam's two moments are float32, 4 bytes a parameter each; so are the magnet, the anchor and, in
main memory, a copy of the start. An engine holds the weights once more in the compute dtype, and what is published to
one passes as another such copy. Learning, drawing and publishing take turns.

A token that is read or drawn takes 2 operations a parameter, a trained one 6, or 8 where layers are recomputed (Kaplan
et al., arXiv 2001.08361, section 2.1; attention over the context is left out, as there).
"""

from __future__ import annotations

from dataclasses import dataclass

from arena.engines.shape import Shape

FLOAT = 4
_LOGITS = 6
"""Float32 tensors [reply tokens, vocab] alive at once: scores, log-probs, what metrics take, and their gradients."""
_GROWTH = 1.5
"""A cache that is being copied into a larger one takes so many times its size."""


@dataclass(frozen=True, slots=True)
class Load:
    """What of a run its memory depends on."""

    gpu: bool
    """Whether the device is one, with main memory beside its own."""
    compute: int
    """Bytes of a number in matrices, keys and values."""
    magnet: bool
    anchor: bool
    engines: int
    """Engines on the device, each with weights of its own."""
    microbatch: int
    """Tokens of the largest forward pass that is trained."""
    replies: int
    """Those of them that belong to replies, and have logits."""
    slots: int
    """Replies in flight at once at the most."""
    context: int
    """Tokens of prompt and reply at the most."""
    kv_limit: int
    """Bytes that an engine's cache may take."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on one device, part by part."""

    resident: dict[str, int]
    """What is always there."""
    learning: dict[str, int]
    drawing: dict[str, int]
    publishing: dict[str, int]

    @property
    def peak(self) -> int:
        """At the worst moment of a step."""
        phases = (self.learning, self.drawing, self.publishing)
        return sum(self.resident.values()) + max(sum(phase.values()) for phase in phases)


def memory(shape: Shape, load: Load) -> Memory:
    """What a run holds on one device."""
    weights, copy = FLOAT * shape.parameters, load.compute * shape.parameters
    cache = int(load.slots * load.context * shape.kv_bytes(load.compute) * _GROWTH)
    resident = {
        "weights": weights,
        "gradients": weights,
        "adam moments": 2 * weights,
        "magnet": weights if load.magnet else 0,
        "anchor": weights if load.anchor else 0,
        "copy of the start": 0 if load.gpu else weights,
        "engines": load.engines * copy,
    }
    learning = {
        "activations": kept_bytes(shape, load.compute, load.microbatch, load.replies) + cast_bytes(shape, load.compute),
        "logits": load.replies * _LOGITS * FLOAT * shape.vocab,
    }
    return Memory(resident, learning, {"kv cache": min(cache, load.kv_limit)}, {"published copy": copy})


def kept_bytes(shape: Shape, compute: int, tokens: int, replies: int) -> int:
    """Bytes that a microbatch of so many tokens leaves for the way back, in all layers.

    Where layers are recomputed, each leaves its input, and one at a time the rest. The last layer computes what
    follows its attention at the `replies` alone, from a copy of what attention gave there.
    """
    s, layer = shape, layer_bytes(shape, compute)
    if s.recomputes:
        return tokens * (s.layers * FLOAT * s.hidden + layer)
    outputs = (s.queries * compute if replies < tokens else 0) + output_bytes(s, compute)
    return tokens * (s.layers * layer - output_bytes(s, compute)) + replies * outputs


def layer_bytes(shape: Shape, compute: int) -> int:
    """Bytes that one token leaves in one layer, from the tensors that autograd saves."""
    s = shape
    norm = s.hidden * (FLOAT + compute) + FLOAT
    head_norms = (s.queries + s.keys + s.heads + s.kv_heads) * FLOAT if s.qk_norm else 0
    attention = (3 * s.queries + 3 * s.keys) * compute + s.heads * FLOAT
    return norm + head_norms + attention + output_bytes(s, compute)


def output_bytes(shape: Shape, compute: int) -> int:
    """Those of them that come after the layer's attention: of the second norm and of the gated unit."""
    s = shape
    return s.hidden * (FLOAT + compute) + FLOAT + 3 * s.feed_forward * compute


def cast_bytes(shape: Shape, compute: int) -> int:
    """Bytes of the matrices in the compute dtype that autograd saves, of one layer where layers are recomputed."""
    if compute == FLOAT:
        return 0
    s = shape
    matrices = 2 * s.hidden * (s.queries + s.keys) + 3 * s.hidden * s.feed_forward
    return compute * ((1 if s.recomputes else s.layers) * matrices + s.vocab * s.hidden)


def read_flops(shape: Shape) -> float:
    """Operations for a token that is read or drawn."""
    return 2.0 * shape.parameters


def trained_flops(shape: Shape, references: int) -> float:
    """Operations for a token that is trained, with so many further passes under other weights (magnet, anchor)."""
    return (8.0 if shape.recomputes else 6.0) * shape.parameters + references * read_flops(shape)
