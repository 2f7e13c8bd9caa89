"""The forward pass of `Shape`'s families (RMSNorm, rotary positions, grouped queries, SwiGLU), for generation only.

Written by hand because at small sizes the cost is the number of torch operations and the memory they touch:
weights are fused and stored [in, out], q and k are permuted so that a rotation is one complex multiplication,
and the last layer of a prefill computes queries for last tokens alone. In float32 norm gains are folded into the
weights. In other dtypes they are not, as folding would round the weights once more; there the residual stream,
norms, rotations and logits are float32, and matrices, attention, keys and values have the dtype.
Formulas: Qwen3 and Llama as in their public configurations; no gradient, no dropout.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from arena.core.errors import ArenaError
from arena.engines.kernels import prefers_onednn
from arena.engines.shape import Shape

_ONEDNN_FROM = 1 << 20
"""Multiply-adds from which oneDNN, where it is preferred, beats `torch.mm`: it costs about 10 µs a call more."""


class Prefill(NamedTuple):
    """What a batch of prompts left behind."""

    kv: Tensor
    """[layers, 2, prompts, kv_heads, longest prompt, head_dim], keys first."""
    logits: Tensor
    """[prompts, vocab], float32, after each prompt's last token."""


class _Layer(NamedTuple):
    qkv: Tensor  # [hidden, q | k | v]
    out: Tensor  # [q, hidden]
    gate_up: Tensor  # [hidden, gate | up]
    down: Tensor  # [feed_forward, hidden]
    qk_gain: Tensor  # [heads + kv_heads, head_dim] in float32; holds the attention scale
    attention_gain: Tensor  # [hidden] in float32, like the next; folded into the weights where those are float32
    feed_gain: Tensor


class Decoder:
    """The weights of one model on one device, and its forward pass for prompts and for single tokens."""

    def __init__(self, shape: Shape, device: torch.device, dtype: torch.dtype) -> None:
        self.shape, self.device, self.dtype = shape, device, dtype
        s = shape
        self._q = s.queries
        self._folds = dtype is torch.float32

        def empty(*size: int) -> Tensor:
            return torch.empty(size, device=device, dtype=dtype)

        self._embed = empty(s.vocab, s.hidden)
        self._head = self._embed.t() if s.tied else empty(s.hidden, s.vocab)
        self._gain = torch.empty(s.hidden, device=device)
        # The last layer's queries apart from its keys and values, for prompts (oneDNN refuses a slice).
        self._last_q = empty(s.hidden, self._q)
        self._last_kv = empty(s.hidden, 2 * s.keys)
        self._layers = [
            _Layer(
                qkv=empty(s.hidden, self._q + 2 * s.keys),
                out=empty(self._q, s.hidden),
                gate_up=empty(s.hidden, 2 * s.feed_forward),
                down=empty(s.feed_forward, s.hidden),
                qk_gain=torch.empty(s.heads + s.kv_heads, s.head_dim, device=device),
                attention_gain=torch.ones(s.hidden, device=device),
                feed_gain=torch.ones(s.hidden, device=device),
            )
            for _ in range(s.layers)
        ]
        self._frequencies = torch.tensor(s.frequencies())
        self._turns = torch.empty(0, s.head_dim // 2, dtype=torch.complex64, device=device)
        self._floor = torch.tensor(math.sqrt(s.eps * s.hidden), device=device)
        self._head_floor = torch.tensor(math.sqrt(s.eps * s.head_dim), device=device)

    # -- weights ------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Copy a checkpoint's tensors (Hugging Face names and layout) in place.

        Raises ArenaError, before anything is changed, for a missing tensor or one of another size.
        """
        parts = dict(self._parts())
        for name, size in parts.items():
            if name not in weights:
                raise ArenaError(f"The weights lack the tensor {name}.")
            if tuple(weights[name].shape) != size:
                raise ArenaError(f"The tensor {name} is {tuple(weights[name].shape)}, the model needs {size}.")

        def get(name: str) -> Tensor:
            return weights[name].detach().to(self.device, torch.float32)

        self._embed.copy_(get("model.embed_tokens.weight"))
        self._gain.copy_(get("model.norm.weight") * (math.sqrt(self.shape.hidden) if self._folds else 1.0))
        if not self.shape.tied:
            self._head.copy_(get("lm_head.weight").t())
        for index, layer in enumerate(self._layers):
            self._load_layer(layer, f"model.layers.{index}.", get)
        self._last_q.copy_(self._layers[-1].qkv[:, : self._q])
        self._last_kv.copy_(self._layers[-1].qkv[:, self._q :])

    def _load_layer(self, layer: _Layer, prefix: str, get: Any) -> None:
        s = self.shape
        pairs = self._pairs()

        def heads(name: str) -> Tensor:
            return get(prefix + name).view(-1, s.head_dim, s.hidden)[:, pairs].reshape(-1, s.hidden)  # type: ignore[no-any-return]

        def gained(rows: list[Tensor], gain: Tensor, norm: str) -> Tensor:
            """The rows as [in, out], with the norm before them folded in or put by."""
            weight = torch.cat(rows)
            if self._folds:
                weight = weight * (get(prefix + norm) * math.sqrt(s.hidden))
            else:
                gain.copy_(get(prefix + norm))
            return weight.t()

        layer.qkv.copy_(
            gained(
                [
                    heads("self_attn.q_proj.weight"),
                    heads("self_attn.k_proj.weight"),
                    get(prefix + "self_attn.v_proj.weight"),
                ],
                layer.attention_gain,
                "input_layernorm.weight",
            )
        )
        layer.out.copy_(get(prefix + "self_attn.o_proj.weight").t())
        both = [get(prefix + "mlp.gate_proj.weight"), get(prefix + "mlp.up_proj.weight")]
        layer.gate_up.copy_(gained(both, layer.feed_gain, "post_attention_layernorm.weight"))
        layer.down.copy_(get(prefix + "mlp.down_proj.weight").t())
        self._load_qk_gain(layer.qk_gain, prefix, get)

    def _load_qk_gain(self, gain: Tensor, prefix: str, get: Any) -> None:
        """The gains of q and k with the attention scale, 1 / sqrt(head_dim), in those of q.

        A head's norm divides by its length, not by length / sqrt(head_dim): that root goes into the gain, and
        for queries it cancels against the scale.
        """
        s, root = self.shape, math.sqrt(self.shape.head_dim)
        if not s.qk_norm:
            gain[: s.heads], gain[s.heads :] = 1 / root, 1.0
            return
        gain[: s.heads] = get(prefix + "self_attn.q_norm.weight")[self._pairs()]
        gain[s.heads :] = get(prefix + "self_attn.k_norm.weight")[self._pairs()] * root

    def _pairs(self) -> Tensor:
        """(0, half, 1, half + 1, …): the two numbers that rotary positions turn together become neighbours."""
        return torch.arange(self.shape.head_dim).view(2, -1).t().reshape(-1).to(self.device)

    def _parts(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        s = self.shape
        kv = s.keys
        yield "model.embed_tokens.weight", (s.vocab, s.hidden)
        yield "model.norm.weight", (s.hidden,)
        if not s.tied:
            yield "lm_head.weight", (s.vocab, s.hidden)
        for index in range(s.layers):
            prefix = f"model.layers.{index}."
            yield prefix + "input_layernorm.weight", (s.hidden,)
            yield prefix + "post_attention_layernorm.weight", (s.hidden,)
            yield prefix + "self_attn.q_proj.weight", (self._q, s.hidden)
            yield prefix + "self_attn.k_proj.weight", (kv, s.hidden)
            yield prefix + "self_attn.v_proj.weight", (kv, s.hidden)
            yield prefix + "self_attn.o_proj.weight", (s.hidden, self._q)
            if s.qk_norm:
                yield prefix + "self_attn.q_norm.weight", (s.head_dim,)
                yield prefix + "self_attn.k_norm.weight", (s.head_dim,)
            yield prefix + "mlp.gate_proj.weight", (s.feed_forward, s.hidden)
            yield prefix + "mlp.up_proj.weight", (s.feed_forward, s.hidden)
            yield prefix + "mlp.down_proj.weight", (s.hidden, s.feed_forward)

    # -- forward ------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def prefill(self, prompts: list[tuple[int, ...]]) -> Prefill:
        """Run whole prompts, padded on the right to the longest of them (give prompts of like lengths)."""
        s, count, longest = self.shape, len(prompts), max(map(len, prompts))
        padded = torch.tensor([prompt + (0,) * (longest - len(prompt)) for prompt in prompts], device=self.device)
        last = torch.tensor([row * longest + len(prompt) - 1 for row, prompt in enumerate(prompts)], device=self.device)
        turns = self._rotations(longest).view(1, longest, 1, -1)
        kv = torch.empty(
            s.layers, 2, count, s.kv_heads, longest, s.head_dim, device=self.device, dtype=self.dtype
        )  # fmt: skip
        x = self._embedded(padded.view(-1))
        for index, layer in enumerate(self._layers[:-1]):
            qkv = self._normed_heads(
                layer, _mm(self._normed(x, layer.attention_gain), layer.qkv), turns.expand(count, -1, -1, -1)
            )
            q = qkv[:, : self._q].view(count, longest, s.heads, s.head_dim).transpose(1, 2)
            k, v = self._store(kv[index], qkv[:, self._q :], count, longest)
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1.0, enable_gqa=True)
            x = self._rest(layer, x, mixed.transpose(1, 2).reshape(count * longest, self._q))
        x = self._prefill_last(kv[-1], x, last, turns, count, longest)
        return Prefill(kv, self._logits(x))

    def _prefill_last(self, kv: Tensor, x: Tensor, last: Tensor, turns: Tensor, count: int, longest: int) -> Tensor:
        """The last layer: keys and values of every token, the rest for last tokens alone -> [prompts, hidden]."""
        s, layer = self.shape, self._layers[-1]
        y = self._normed(x, layer.attention_gain)
        qkv = y.new_empty(count * longest, layer.qkv.shape[1])
        qkv[:, self._q :] = _mm(y, self._last_kv)
        qkv[:, : self._q] = 1.0  # only the last tokens' queries are used
        qkv[last, : self._q] = _mm(y[last], self._last_q)
        qkv = self._normed_heads(layer, qkv, turns.expand(count, -1, -1, -1))
        k, v = self._store(kv, qkv[:, self._q :], count, longest)
        q = qkv[last, : self._q].view(count, s.kv_heads, -1, s.head_dim)
        ends = last - torch.arange(0, count * longest, longest, device=self.device)
        seen = torch.arange(longest, device=self.device) <= ends[:, None]
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None, None], scale=1.0)
        return self._rest(layer, x[last], mixed.reshape(count, self._q))

    @torch.inference_mode()
    def decode(self, tokens: list[int], positions: list[int], kv: Tensor, first: int = 0) -> Tensor:
        """Feed one token to each row and return the logits after it, [rows, vocab] in float32.

        `kv` is [layers, 2, slots, kv_heads, capacity, head_dim], contiguous; row r lives in slot first + r,
        gets its keys and values at positions[r], and attends to everything up to there.
        """
        s, rows, longest = self.shape, len(tokens), max(positions) + 1
        at = torch.tensor(positions, device=self.device)
        turns = self._rotations(longest)[at][:, None]
        where, hidden = self._where(at, kv, first), None
        if min(positions) + 1 < longest:
            hidden = self._hidden(at, longest)
        x = self._embedded(torch.tensor(tokens, device=self.device))
        for layer, store in zip(self._layers, kv, strict=True):
            qkv = self._normed_heads(layer, _mm(self._normed(x, layer.attention_gain), layer.qkv), turns)
            fresh = qkv[:, self._q :].reshape(-1, s.head_dim)
            store.view(-1, s.head_dim).index_copy_(0, where, fresh)
            q = qkv[:, : self._q].reshape(rows * s.kv_heads, -1, s.head_dim)
            k, v = store[:, first : first + rows].flatten(1, 2)[:, :, :longest]
            x = self._rest(layer, x, self._attend(q, k, v, hidden).view(rows, self._q))
        return self._logits(x)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, hidden: Tensor | None) -> Tensor:
        """Attention of [batch, group, head_dim] queries over [batch, tokens, head_dim]; float32 is fastest by hand."""
        if not self._folds:
            # Fused kernels want four dimensions.
            q, k, v = (part.view(-1, self.shape.kv_heads, *part.shape[1:]) for part in (q, k, v))
            mask = None if hidden is None else hidden.view(len(q), -1, 1, k.shape[2]).expand(-1, -1, q.shape[2], -1)
            return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1.0)
        k = k.transpose(1, 2)
        scores = torch.bmm(q, k) if hidden is None else torch.baddbmm(hidden, q, k)
        return torch.bmm(torch.softmax(scores, -1), v)

    def _where(self, at: Tensor, kv: Tensor, first: int) -> Tensor:
        """Flat index of each row's new key and value vectors in one layer's store, [rows × 2 × kv_heads]."""
        _, _, slots, heads, capacity, _ = kv.shape
        row = torch.arange(first, first + len(at), device=self.device) * (heads * capacity) + at
        offsets = torch.arange(0, heads * capacity, capacity, device=self.device)
        both = torch.cat([offsets, offsets + slots * heads * capacity])
        return (row[:, None] + both).view(-1)

    def _hidden(self, at: Tensor, longest: int) -> Tensor:
        """Additive mask, [rows × kv_heads, 1, longest]: minus infinity beyond each row's position."""
        beyond = torch.arange(longest, device=self.device) > at[:, None]
        mask = torch.zeros(beyond.shape, device=self.device, dtype=self.dtype).masked_fill_(beyond, -math.inf)
        return mask[:, None].expand(-1, self.shape.kv_heads, -1).reshape(-1, 1, longest)

    def _embedded(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, self._embed).float()

    def _normed(self, x: Tensor, gain: Tensor) -> Tensor:
        """RMSNorm for the next product.

        With folded gains as x / hypot(‖x‖, sqrt(eps · n)), short of the factor sqrt(n), which is folded in too.
        """
        if not self._folds:
            return F.rms_norm(x, gain.shape, gain, self.shape.eps).to(self.dtype)
        length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return x / length.hypot_(self._floor)

    def _normed_heads(self, layer: _Layer, qkv: Tensor, turns: Tensor) -> Tensor:
        """Norm (where the family does) and rotate the q and k heads of [tokens, q | k | v], in place.

        `turns` is [..., 1, head_dim / 2].
        """
        gain = layer.qk_gain
        qk = qkv[:, : gain.numel()].view(-1, *gain.shape)
        work = qk.float()
        if self.shape.qk_norm:
            length = torch.linalg.vector_norm(work, dim=-1, keepdim=True).hypot_(self._head_floor)
            work = (work * gain).div_(length)
        else:
            work = work * gain
        pairs = torch.view_as_complex(work.view(*turns.shape[:-2], gain.shape[0], -1, 2))
        qk.copy_(torch.view_as_real(pairs.mul_(turns)).view_as(qk))
        return qkv

    def _store(self, kv: Tensor, fresh: Tensor, count: int, longest: int) -> Tensor:
        s = self.shape
        kv.copy_(fresh.view(count, longest, 2, s.kv_heads, s.head_dim).permute(2, 0, 3, 1, 4))
        return kv

    def _rest(self, layer: _Layer, x: Tensor, mixed: Tensor) -> Tensor:
        """A layer after its attention: output projection, feed-forward, both residuals."""
        x = _add_mm(x, mixed, layer.out)
        both = _mm(self._normed(x, layer.feed_gain), layer.gate_up)
        half = self.shape.feed_forward
        return _add_mm(x, F.silu(both[:, :half]).mul_(both[:, half:]), layer.down)

    def _logits(self, x: Tensor) -> Tensor:
        if not self._folds:
            return _mm(self._normed(x, self._gain), self._head).float()
        return _mm(self._normed(x, self._gain).mul_(self._gain), self._head)

    def _rotations(self, longest: int) -> Tensor:
        """e^(i · position · frequency), [longest, head_dim / 2]."""
        if len(self._turns) < longest:
            angles = torch.arange(2 * longest)[:, None] * self._frequencies
            self._turns = torch.polar(torch.ones_like(angles), angles).to(self.device)
        return self._turns[:longest]


def _onednn(x: Tensor, weight: Tensor) -> bool:
    return (
        x.shape[0] * weight.numel() >= _ONEDNN_FROM
        and x.dtype is torch.float32
        and x.device.type == "cpu"
        and prefers_onednn()
    )


def _mm(x: Tensor, weight: Tensor) -> Tensor:
    if _onednn(x, weight):
        return torch.ops.mkldnn._linear_pointwise(x, weight.t(), None, "none", [], "")  # type: ignore[no-any-return]
    return torch.mm(x, weight)


def _add_mm(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """The sum x + y @ weight; may reuse x's memory."""
    if x.dtype is not y.dtype or _onednn(y, weight):
        return x.add_(_mm(y, weight))
    return torch.addmm(x, y, weight)
