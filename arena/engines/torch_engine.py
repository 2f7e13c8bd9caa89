"""Token generation on torch for many coroutines at once: continuous batching with prefix-shared rows.

Requests queue up; one task on the caller's event loop lets every ready coroutine submit, then runs a step:
new prompts are prefilled, every row is fed one token, every request draws its next one. Requests with equal
prompt, equal sampling and equal tokens so far share a row of the batch; each draws from its own stream, and a
row is split where they part. That is exact: sharing changes neither a distribution nor a stream.

Nothing here depends on time, so equal calls in equal order do equal arithmetic. Nothing is thread-safe.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from arena.core.engine import Completion, Sampling
from arena.core.errors import ArenaError
from arena.engines.loading import ModelFolder, open_model, read_weights
from arena.engines.process import settle
from arena.engines.prompt_memory import PromptMemory
from arena.engines.qwen3 import Qwen3, Shape
from arena.engines.sampler import draw

_PATIENCE = 8
"""Steps that an arrival waits at most for company while rows are in flight."""


@dataclass(slots=True)
class Stats:
    """What the engine has done since it was made."""

    steps: int = 0
    rows: int = 0
    """Rows fed through the model, one token each."""
    tokens: int = 0
    """Tokens drawn; more than `rows` where requests shared."""
    prompt_tokens: int = 0
    """Tokens of prompts run, each distinct prompt once."""
    requests: int = 0
    model_seconds: float = 0.0
    """Forward passes and draws."""
    host_seconds: float = 0.0
    """Everything else while requests were in flight: scheduling, and the coroutines between steps."""


class _Request:
    """One call of `generate`."""

    __slots__ = ("future", "on_token", "prompt", "sampling", "uniform")

    def __init__(
        self,
        prompt: tuple[int, ...],
        sampling: Sampling,
        key: str,
        future: asyncio.Future[Completion],
        on_token: Callable[[Sequence[int]], None] | None,
    ) -> None:
        self.prompt, self.sampling, self.future, self.on_token = prompt, sampling, future, on_token
        self.uniform = random.Random(key).random


@dataclass(slots=True, eq=False)
class _Row:
    """One sequence in the cache, shared by the requests whose prompt, sampling and tokens so far are just these."""

    slot: int
    length: int
    """Tokens whose keys and values are in the cache: all but the last one drawn."""
    sampling: Sampling
    limit: int
    version: int
    requests: list[_Request]
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    watched: bool = False


class TorchEngine:
    """Serves one Qwen3 model from its folder; satisfies `arena.core.engine.Engine`.

    `max_rows` caps the rows of one forward pass and the rows that new prompts may fill; splits may go beyond,
    and then a step takes several passes. `prompt_cache` bounds, in bytes, the memory kept for prompts that
    come again.
    """

    def __init__(
        self,
        model: str | Path | ModelFolder,
        *,
        max_rows: int = 512,
        prompt_cache: int = 64 << 20,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        weights: Mapping[str, Tensor] | str | Path | None = None,
    ) -> None:
        settle()
        folder = model if isinstance(model, ModelFolder) else open_model(Path(model))
        self.folder = folder
        self._eos = frozenset(folder.eos)
        self._max_rows = max_rows
        self._model = Qwen3(Shape.from_config(folder.config), torch.device(device), dtype)
        self._model.load(_as_weights(folder.weights if weights is None else weights))
        self._version = 0
        self._stats = Stats()
        self._samplings: dict[Sampling, Sampling] = {}
        self._open: set[_Request] = set()
        self._waiting: list[_Request] = []
        self._waited = 0
        self._rows: list[_Row] = []
        """Row i lives in slot i between steps."""
        self._kv = self._empty_kv(0, 0)
        self._prompts = PromptMemory(self._model, prompt_cache)
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # -- the contract -------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """Counts the calls of `load`."""
        return self._version

    async def generate(
        self,
        prompt_ids: Sequence[int],
        sampling: Sampling,
        key: str,
        on_token: Callable[[Sequence[int]], None] | None = None,
    ) -> Completion:
        """Draw one completion; token n takes number n of the stream `random.Random(key)`.

        Ends at an end token of the model ("stop"), or after `max_tokens` or at the model's last position
        ("length"). Raises ArenaError for a prompt that is empty, too long or of ids outside the vocabulary.
        """
        prompt = tuple(prompt_ids)
        room = self._model.shape.max_positions - len(prompt)
        if not prompt or min(prompt) < 0 or max(prompt) >= self._model.shape.vocab:
            raise ArenaError("A prompt must have at least one token, all of the model's vocabulary.")
        if room < 1:
            raise ArenaError(f"The prompt has {len(prompt)} tokens; the model takes {len(prompt) + room - 1}.")
        loop = asyncio.get_running_loop()
        sampling = self._samplings.setdefault(sampling, sampling)  # one object each, so that `is` tells
        request = _Request(prompt, sampling, key, loop.create_future(), on_token)
        if self._loop is not loop:
            self._forget(loop)
        self._open.add(request)
        self._waiting.append(request)
        self._stats.requests += 1
        if self._task is None:
            self._task = loop.create_task(self._run())
        try:
            return await request.future
        finally:
            self._open.discard(request)

    def load(self, weights: object) -> None:
        """Publish other weights of the same shape, from a state dict, a safetensors file or a model folder.

        Takes effect at once: rows in flight go on under the new weights with the keys and values that they have.
        Raises ArenaError, with the old weights in place, where tensors are missing or of another size.
        """
        self._model.load(_as_weights(weights))
        self._version += 1
        self._prompts.clear()

    def stats(self) -> dict[str, float]:
        """The counters of `Stats`, since the engine was made."""
        self._stats.prompt_tokens = self._prompts.tokens_run
        return asdict(self._stats)

    # -- the task -----------------------------------------------------------------------------------------

    def _forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """Drop what a closed event loop left in flight."""
        self._loop, self._task = loop, None
        self._open.clear()
        self._waiting, self._rows = [], []

    async def _run(self) -> None:
        begin, model = time.perf_counter(), self._stats.model_seconds
        try:
            while self._waiting or self._rows:
                await self._arrivals()
                self._step()
        except Exception as error:
            self._fail(error)
        finally:
            self._stats.host_seconds += time.perf_counter() - begin - (self._stats.model_seconds - model)
            self._task = None

    async def _arrivals(self) -> None:
        """Let every coroutine that is ready submit its next request."""
        seen = -1
        while seen != len(self._waiting):
            seen = len(self._waiting)
            await asyncio.sleep(0)

    def _fail(self, error: Exception) -> None:
        self._waiting, self._rows = [], []
        for request in self._open:
            if not request.future.done():
                request.future.set_exception(error)

    @torch.inference_mode()
    def _step(self) -> None:
        self._stats.steps += 1
        if self._waiting and self._due():
            self._admit()
        else:
            self._decode()

    def _due(self) -> bool:
        """Whether to run the waiting prompts now: few arrivals beside many rows wait a little for company."""
        self._waited += 1
        room = len(self._rows) < self._max_rows
        ready = not self._rows or self._waited > _PATIENCE or 4 * len(self._waiting) >= len(self._rows)
        return room and ready

    # -- prompts ------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        """Give waiting requests rows, one for each distinct prompt and sampling, and draw their first tokens."""
        self._waited = 0
        rows: dict[tuple[tuple[int, ...], int], _Row] = {}
        room, left = self._max_rows - len(self._rows), []
        for request in self._waiting:
            if request.future.done():
                continue
            key = (request.prompt, id(request.sampling))
            row = rows.get(key)
            if row is None:
                if len(rows) >= room:
                    left.append(request)
                    continue
                row = rows[key] = self._new_row(request)
            row.requests.append(request)
            row.watched |= request.on_token is not None
        self._waiting = left
        fresh = list(rows.values())
        if not fresh:
            return
        begin = time.perf_counter()
        found = self._prompts.run([prompt for prompt, _ in rows])
        first = len(self._rows)
        self._reserve(first + len(fresh), max(row.length + row.limit for row in fresh))
        for index, (row, (block, place)) in enumerate(zip(fresh, found, strict=True)):
            row.slot = first + index
            self._kv[:, :, row.slot, :, : row.length].copy_(block.kv[:, :, place, :, : row.length])
        logits = torch.stack([block.logits[place] for block, place in found])
        self._stats.model_seconds += time.perf_counter() - begin
        self._settle(self._rows + self._draw(fresh, logits))

    def _new_row(self, request: _Request) -> _Row:
        length = len(request.prompt)
        limit = max(1, min(request.sampling.max_tokens, self._model.shape.max_positions - length))
        return _Row(-1, length, request.sampling, limit, self._version, [])

    # -- tokens -------------------------------------------------------------------------------------------

    def _decode(self) -> None:
        """Feed every row its last token and draw the next ones."""
        rows: list[_Row] = []
        for first in range(0, len(self._rows), self._max_rows):
            part = self._rows[first : first + self._max_rows]
            begin = time.perf_counter()
            logits = self._model.decode([row.tokens[-1] for row in part], [row.length for row in part], self._kv, first)
            self._stats.model_seconds += time.perf_counter() - begin
            self._stats.rows += len(part)
            for row in part:
                row.length += 1
            rows += self._draw(part, logits)
        self._settle(rows)

    def _draw(self, rows: list[_Row], logits: Tensor) -> list[_Row]:
        """Draw for every request of the rows; returns the rows that go on, split ones with their parent's slot."""
        if all(row.sampling is rows[0].sampling for row in rows):
            return self._draw_alike(rows, logits)
        by_sampling: dict[Sampling, list[int]] = {}
        for index, row in enumerate(rows):
            by_sampling.setdefault(row.sampling, []).append(index)
        going: list[_Row] = []
        for places in by_sampling.values():
            going += self._draw_alike([rows[place] for place in places], logits[places])
        return going

    def _draw_alike(self, rows: list[_Row], logits: Tensor) -> list[_Row]:
        uniforms = [request.uniform() for row in rows for request in row.requests]
        begin = time.perf_counter()
        where = None
        if len(uniforms) > len(rows):
            counts = torch.tensor([len(row.requests) for row in rows])
            where = torch.repeat_interleave(counts).to(logits.device)
        tokens, logprobs = draw(logits, rows[0].sampling, where, uniforms)
        self._stats.model_seconds += time.perf_counter() - begin
        self._stats.tokens += len(tokens)
        if not math.isfinite(sum(logprobs)):
            raise ArenaError("The model's logits are not finite; its weights are damaged.")
        return self._hand_out(rows, tokens, logprobs)

    def _hand_out(self, rows: list[_Row], tokens: list[int], logprobs: list[float]) -> list[_Row]:
        """Give each request its token, in order; a row goes on as one row for each token that its requests drew."""
        going: list[_Row] = []
        at = 0
        for row in rows:
            if len(row.requests) == 1:
                if self._extend(row, tokens[at], logprobs[at]):
                    going.append(row)
                at += 1
                continue
            parts: dict[int, tuple[float, list[_Request]]] = {}
            for request in row.requests:
                token = tokens[at]
                if token in parts:
                    parts[token][1].append(request)
                else:
                    parts[token] = logprobs[at], [request]
                at += 1
            for token, (logprob, requests) in parts.items():
                part = row if len(parts) == 1 else self._part(row, requests)
                if self._extend(part, token, logprob):
                    going.append(part)
        return going

    def _part(self, row: _Row, requests: list[_Request]) -> _Row:
        tokens, logprobs = row.tokens[:], row.logprobs[:]
        return _Row(row.slot, row.length, row.sampling, row.limit, row.version, requests, tokens, logprobs, row.watched)

    def _extend(self, row: _Row, token: int, logprob: float) -> bool:
        """Append a token; False where the row ends here, or nobody waits for it any more."""
        row.tokens.append(token)
        row.logprobs.append(logprob)
        if row.watched:
            for request in row.requests:
                if request.on_token is not None:
                    request.on_token(row.tokens)
        stop = token in self._eos
        if not stop and len(row.tokens) < row.limit:
            return not row.requests[0].future.done() or not all(request.future.done() for request in row.requests)
        reason = "stop" if stop else "length"
        done = Completion(tuple(row.tokens), tuple(row.logprobs), reason, row.version)
        for request in row.requests:
            if not request.future.done():
                request.future.set_result(done)
        return False

    # -- the cache ----------------------------------------------------------------------------------------

    def _settle(self, rows: list[_Row]) -> None:
        """Give every row a slot of its own below len(rows), moving and copying as few as can be."""
        placed: list[_Row | None] = [None] * len(rows)
        movers = []
        for row in rows:
            if row.slot < len(placed) and placed[row.slot] is None:
                placed[row.slot] = row
            else:
                movers.append(row)
        if movers:
            free = [slot for slot, row in enumerate(placed) if row is None]
            self._reserve(len(rows), 0)
            begin = time.perf_counter()
            for slot, row in zip(free, movers, strict=True):
                # A free slot is nobody's source: a source below len(rows) was kept by its first row.
                self._kv[:, :, slot, :, : row.length] = self._kv[:, :, row.slot, :, : row.length]
                row.slot = slot
                placed[slot] = row
            self._stats.model_seconds += time.perf_counter() - begin
        self._rows = [row for row in placed if row is not None]

    def _reserve(self, slots: int, capacity: int) -> None:
        """Grow the cache, at least by doubling, to this many slots of this many tokens."""
        _, _, have_slots, _, have_capacity, _ = self._kv.shape
        if slots <= have_slots and capacity <= have_capacity:
            return
        if slots > have_slots:
            have_slots = max(slots, 2 * have_slots, 8)
        if capacity > have_capacity:
            have_capacity = max(capacity, min(2 * have_capacity, self._model.shape.max_positions))
        old, self._kv = self._kv, self._empty_kv(have_slots, have_capacity)
        self._kv[:, :, : old.shape[2], :, : old.shape[4]] = old

    def _empty_kv(self, slots: int, capacity: int) -> Tensor:
        s = self._model.shape
        size = (s.layers, 2, slots, s.kv_heads, capacity, s.head_dim)
        return torch.zeros(size, device=self._model.device, dtype=self._model.dtype)


def _as_weights(weights: object) -> Mapping[str, Tensor]:
    if isinstance(weights, str | Path):
        return read_weights(Path(weights))
    if isinstance(weights, Mapping):
        return weights
    raise ArenaError(f"Weights must be a state dict or a path, not {type(weights).__name__}.")
