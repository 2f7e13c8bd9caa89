"""The policy that learns: any local Qwen3 or Llama folder as one flat vector of fp32 parameters and a fast forward.

Weights of one kind are fused (q|k|v, gate|up), all parameters are views of one vector and all gradients
views of another, so that Adam, the gradient norm, the all-reduce over ranks and the magnet are each one
call. Rotary pairs are stored side by side, which makes the rotation one complex product; `state_dict`
gives back the names and the order of transformers.

On a GPU matrices and attention compute in bfloat16; weights, the residual stream, norms and logits stay fp32.
Large models recompute a layer's activations on the way back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from arena.engines.devices import dtype_of
from arena.engines.kernels import linear, rms_norm, swiglu
from arena.engines.loading import read_weights
from arena.engines.shape import Shape

POSITION_STEP = 128
"""The head's rows are rounded up to a multiple: few distinct shapes for oneDNN to compile."""


def fused_shapes(s: Shape) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the fused parameters, in the order of the flat vector."""
    queries, keys = s.queries, s.keys
    norms = {"q_norm": (s.head_dim,), "k_norm": (s.head_dim,)} if s.qk_norm else {}
    shapes: dict[str, tuple[int, ...]] = {"embed": (s.vocab, s.hidden)}
    for layer in range(s.layers):
        shapes |= {
            f"{layer}.norm1": (s.hidden,),
            f"{layer}.qkv": (queries + 2 * keys, s.hidden),
            **{f"{layer}.{name}": size for name, size in norms.items()},
            f"{layer}.out": (s.hidden, queries),
            f"{layer}.norm2": (s.hidden,),
            f"{layer}.gate_up": (2 * s.feed_forward, s.hidden),
            f"{layer}.down": (s.hidden, s.feed_forward),
        }
    shapes["norm"] = (s.hidden,)
    if not s.tied:
        shapes["head"] = (s.vocab, s.hidden)
    return shapes


class Policy:
    """A causal language model with its parameters and gradients as flat vectors."""

    def __init__(self, config: Mapping[str, Any], device: torch.device | str = "cpu") -> None:
        self.config = dict(config)
        self.shape = Shape.from_config(config)
        self.device = torch.device(device)
        self.compute = dtype_of("auto", self.device)
        """The dtype of matrix products and attention."""
        self.recompute = self.shape.recomputes
        shapes = fused_shapes(self.shape)
        sizes = [torch.Size(shape).numel() for shape in shapes.values()]
        self.flat = torch.zeros(sum(sizes), device=self.device)
        self.grad = torch.zeros(sum(sizes), device=self.device)
        self.p: dict[str, nn.Parameter] = {}
        at = 0
        for (name, shape), size in zip(shapes.items(), sizes, strict=True):
            parameter = nn.Parameter(self.flat[at : at + size].view(shape))
            parameter.grad = self.grad[at : at + size].view(shape)
            self.p[name] = parameter
            at += size
        self._names = _transformers_names(self.shape)
        self._rotations = torch.empty(0, device=self.device)

    @classmethod
    def from_folder(cls, folder: Path) -> Policy:
        """Load config.json and the weights of a local model folder."""
        policy = cls(json.loads((folder / "config.json").read_text()))
        policy.load_state_dict(read_weights(folder))
        return policy

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Draw fresh weights: normal, scaled by fan-in and, into the residual stream, by depth; norms are one."""
        generator = torch.Generator(self.device).manual_seed(seed)
        for name, parameter in self.p.items():
            if parameter.dim() == 1:
                parameter.fill_(1.0)
                continue
            deviation = parameter.shape[1] ** -0.5
            if name.endswith(("out", "down")):
                deviation /= (2 * self.shape.layers) ** 0.5
            parameter.normal_(0.0, 0.04 if name == "embed" else deviation, generator=generator)

    def state_dict(self, flat: Tensor | None = None, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
        """Copies of the weights under transformers' names; of another flat vector of the same layout if given."""
        source = self._views(self.flat if flat is None else flat)
        weights: dict[str, Tensor] = {}
        for name, parts in self._names.items():
            whole = _split_halves(name, source[name], self.shape)
            at = 0
            for key, rows in parts:
                weights[key] = whole[at : at + rows].to(dtype, copy=True)
                at += rows
        return weights

    @torch.no_grad()
    def load_state_dict(self, weights: Mapping[str, Tensor]) -> None:
        """Copy weights with transformers' names in. Raises KeyError where one is missing."""
        self.flat.copy_(self.pack(weights))

    def pack(self, weights: Mapping[str, Tensor]) -> Tensor:
        """Weights with transformers' names as one flat vector of this layout. Raises KeyError where one is missing."""
        flat = torch.empty_like(self.flat)
        for name, view in self._views(flat).items():
            whole = torch.cat([weights[key].to(self.device, torch.float32) for key, _ in self._names[name]])
            view.copy_(_interleave(name, whole, self.shape).view_as(view))
        return flat

    def _views(self, flat: Tensor) -> dict[str, Tensor]:
        views, at = {}, 0
        for name, parameter in self.p.items():
            views[name] = flat[at : at + parameter.numel()].view(parameter.shape)
            at += parameter.numel()
        return views

    def hidden(self, ids: Tensor, flat: Tensor | None = None, positions: Tensor | None = None) -> Tensor:
        """Last hidden states [B, T, hidden] for ids [B, T], padded on the right (causal: padding is never seen).

        With flat positions [n] (row · T + column), the states [n, hidden] at these alone, and less work.
        """
        p: Mapping[str, Tensor] = self.p if flat is None else self._views(flat)
        rotations = self._rotation(ids.shape[1])
        x = F.embedding(ids, p["embed"])
        for layer in range(self.shape.layers):
            kept = positions if layer == self.shape.layers - 1 else None
            if self.recompute and torch.is_grad_enabled():
                x = checkpoint(self._layer, p, layer, x, rotations, kept, use_reentrant=False, preserve_rng_state=False)
            else:
                x = self._layer(p, layer, x, rotations, kept)
        return x

    def _layer(self, p: Mapping[str, Tensor], layer: int, x: Tensor, rotations: Tensor, kept: Tensor | None) -> Tensor:
        """One layer on the residual stream x [B, T, hidden]; after attention at flat positions `kept` alone."""
        s, compute = self.shape, self.compute
        batch, length, _ = x.shape
        queries_keys = s.heads + s.kv_heads
        h = rms_norm(x, p[f"{layer}.norm1"], s.eps).to(compute)
        qkv = linear(h, p[f"{layer}.qkv"]).view(batch, length, queries_keys + s.kv_heads, s.head_dim)
        qk, v = torch.split(qkv, [queries_keys, s.kv_heads], 2)
        qk = qk.float()
        if s.qk_norm:
            weight = torch.cat([p[f"{layer}.q_norm"].expand(s.heads, -1), p[f"{layer}.k_norm"].expand(s.kv_heads, -1)])
            qk = rms_norm(qk, weight, s.eps)
        pairs = torch.view_as_complex(qk.reshape(batch, length, queries_keys, s.head_dim // 2, 2))
        qk = torch.view_as_real(pairs * rotations).flatten(3).to(compute)
        q, k, v = (heads.transpose(1, 2) for heads in (*torch.split(qk, [s.heads, s.kv_heads], 2), v))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        mixed = mixed.transpose(1, 2).reshape(batch, length, -1)
        if kept is not None:
            x, mixed = (states.flatten(0, 1).index_select(0, kept) for states in (x, mixed))
        x = x + linear(mixed, p[f"{layer}.out"])
        h = rms_norm(x, p[f"{layer}.norm2"], s.eps).to(compute)
        return x + linear(swiglu(linear(h, p[f"{layer}.gate_up"])), p[f"{layer}.down"])

    def logits(self, ids: Tensor, positions: Tensor, flat: Tensor | None = None) -> Tensor:
        """Logits [n, vocab] in float32 at the flat positions [n] (row · T + column) of ids [B, T]."""
        p: Mapping[str, Tensor] = self.p if flat is None else self._views(flat)
        count = len(positions)
        positions = F.pad(positions, (0, -count % POSITION_STEP))
        states = rms_norm(self.hidden(ids, flat, positions), p["norm"], self.shape.eps)
        return linear(states.to(self.compute), p["embed" if self.shape.tied else "head"])[:count].float()

    def _rotation(self, length: int) -> Tensor:
        """Unit complex numbers [length, 1, head_dim / 2]."""
        if len(self._rotations) < length:
            frequencies = torch.tensor(self.shape.frequencies(), dtype=torch.float64)
            angles = torch.outer(torch.arange(max(length, 128), dtype=torch.float64), frequencies)
            self._rotations = torch.polar(torch.ones_like(angles), angles).to(torch.complex64)[:, None].to(self.device)
        return self._rotations[:length]


def _transformers_names(shape: Shape) -> dict[str, list[tuple[str, int]]]:
    """Fused name to transformers' names with their row counts, in the order they are stacked."""
    queries, keys = shape.queries, shape.keys
    names = {"embed": [("model.embed_tokens.weight", shape.vocab)], "norm": [("model.norm.weight", shape.hidden)]}
    for layer in range(shape.layers):
        prefix = f"model.layers.{layer}."
        attention, mlp = f"{prefix}self_attn.", f"{prefix}mlp."
        names |= {
            f"{layer}.norm1": [(f"{prefix}input_layernorm.weight", shape.hidden)],
            f"{layer}.qkv": [
                (f"{attention}{part}_proj.weight", size) for part, size in (("q", queries), ("k", keys), ("v", keys))
            ],
            **{
                f"{layer}.{norm}": [(f"{attention}{norm}.weight", shape.head_dim)]
                for norm in ("q_norm", "k_norm")
                if shape.qk_norm
            },
            f"{layer}.out": [(f"{attention}o_proj.weight", shape.hidden)],
            f"{layer}.norm2": [(f"{prefix}post_attention_layernorm.weight", shape.hidden)],
            f"{layer}.gate_up": [
                (f"{mlp}gate_proj.weight", shape.feed_forward),
                (f"{mlp}up_proj.weight", shape.feed_forward),
            ],
            f"{layer}.down": [(f"{mlp}down_proj.weight", shape.hidden)],
        }
    if not shape.tied:
        names["head"] = [("lm_head.weight", shape.vocab)]
    return names


def _rotated_rows(name: str, shape: Shape) -> int:
    """How many leading rows of a fused weight are in rotary pairs."""
    if name.endswith(("q_norm", "k_norm")):
        return shape.head_dim
    return shape.queries + shape.keys if name.endswith("qkv") else 0


def _interleave(name: str, weight: Tensor, shape: Shape) -> Tensor:
    """From transformers' order (all first halves of the pairs, then all second ones) to pairs side by side."""
    rows, half = _rotated_rows(name, shape), shape.head_dim // 2
    if not rows:
        return weight
    pairs = weight[:rows].view(-1, 2, half, *weight.shape[1:]).transpose(1, 2).reshape(rows, *weight.shape[1:])
    return torch.cat([pairs, weight[rows:]])


def _split_halves(name: str, weight: Tensor, shape: Shape) -> Tensor:
    """The inverse of `_interleave`."""
    rows, half = _rotated_rows(name, shape), shape.head_dim // 2
    if not rows:
        return weight
    halves = weight[:rows].view(-1, half, 2, *weight.shape[1:]).transpose(1, 2).reshape(rows, *weight.shape[1:])
    return torch.cat([halves, weight[rows:]])
