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
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from arena.core.engine import Completion, Sampling
from arena.core.errors import ArenaError
from arena.engines.decoder import Decoder
from arena.engines.devices import device_of, dtype_of
from arena.engines.loading import ModelFolder, open_model, read_weights
from arena.engines.process import settle
from arena.engines.prompt_memory import PromptMemory
from arena.engines.sampler import draw
from arena.engines.shape import Shape
from arena.engines.shared_rows import Request, Row, hand_out

_PATIENCE = 8
"""Steps that an arrival waits at most for company while rows are in flight."""
_RESERVED = 256 << 20
"""Bytes up to which the cache is made for whole replies at once; a larger one grows as replies do."""
_PROMPTS = 1 << 30
"""Bytes of keys and values of prompts that are run before they are put into the cache."""
_KV_CPU, _KV_SHARE = 8 << 30, 0.4
"""The cache's default limit: so many bytes of main memory, or this share of a GPU's."""


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
    kv_bytes: int = 0
    """The largest the cache has been."""
    model_seconds: float = 0.0
    """Forward passes and draws."""
    host_seconds: float = 0.0
    """Everything else while requests were in flight: scheduling, and the coroutines between steps."""


class TorchEngine:
    """Serves one model of `Shape`'s families from its folder; satisfies `arena.core.engine.Engine`.

    `max_rows` caps the rows of one forward pass and the rows that new prompts may fill; splits may go beyond,
    and then a step takes several passes. `kv_cache` bounds, in bytes, the keys and values of the replies in flight:
    requests that might need more wait. `prompt_cache` bounds those kept for prompts that come again.
    `device` and `dtype` are as in `arena.engines.devices`: a GPU and bfloat16 where there is one.
    """

    def __init__(
        self,
        model: str | Path | ModelFolder,
        *,
        max_rows: int = 512,
        prompt_cache: int = 64 << 20,
        kv_cache: int | None = None,
        device: str = "auto",
        dtype: str = "auto",
        weights: Mapping[str, Tensor] | str | Path | None = None,
    ) -> None:
        settle()
        folder = model if isinstance(model, ModelFolder) else open_model(Path(model))
        self.folder = folder
        self._eos = frozenset(folder.eos)
        self._max_rows = max_rows
        place = device_of(device)
        self._model = Decoder(Shape.from_config(folder.config), place, dtype_of(dtype, place))
        self._kv_limit = _default_kv(place) if kv_cache is None else kv_cache
        self._model.load(_as_weights(folder.weights if weights is None else weights))
        self._version = 0
        self._stats = Stats()
        self._samplings: dict[Sampling, Sampling] = {}
        self._open: set[Request] = set()
        self._waiting: list[Request] = []
        self._waited = 0
        self._rows: list[Row] = []
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
        request = Request(prompt, sampling, key, loop.create_future(), on_token)
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

    def forget(self) -> None:
        """Forget the prompts run so far: what follows does not depend on them, to the last bit."""
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
            if self._kv.nbytes > _RESERVED:
                self._kv = self._empty_kv(0, 0)  # several engines share a device
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
        if not (self._waiting and self._due() and self._admit()) and self._rows:
            self._decode()

    def _due(self) -> bool:
        """Whether to run the waiting prompts now: few arrivals beside many rows wait a little for company."""
        self._waited += 1
        room = len(self._rows) < self._max_rows
        ready = not self._rows or self._waited > _PATIENCE or 4 * len(self._waiting) >= len(self._rows)
        return room and ready

    # -- prompts ------------------------------------------------------------------------------------------

    def _admit(self) -> bool:
        """Give waiting requests rows, one for each distinct prompt and sampling, and draw their first tokens.

        False where none fits.
        """
        self._waited = 0
        fresh = self._chosen()
        if not fresh:
            return False
        begin = time.perf_counter()
        found = self._prompts.run([row.requests[0].prompt for row in fresh])
        first = len(self._rows)
        self._reserve(first + len(fresh), max(row.length for row in fresh), max(row.need for row in fresh))
        for index, (row, (block, place)) in enumerate(zip(fresh, found, strict=True)):
            row.slot = first + index
            self._kv[:, :, row.slot, :, : row.length].copy_(block.kv[:, :, place, :, : row.length])
        logits = torch.stack([block.logits[place] for block, place in found])
        self._stats.model_seconds += time.perf_counter() - begin
        self._settle(self._rows + self._draw(fresh, logits))
        return True

    def _chosen(self) -> list[Row]:
        """New rows for the waiting requests that fit: below `max_rows`, and within the cache if all replies are long.

        Rows may come to be as many as requests. One request always fits where nothing is in flight.
        """
        rows: dict[tuple[tuple[int, ...], int], Row] = {}
        room, left = self._max_rows - len(self._rows), []
        prompts = _PROMPTS // self._kv_bytes
        count = sum(len(row.requests) for row in self._rows)
        need = max((row.need for row in self._rows), default=0)
        for request in self._waiting:
            if request.future.done():
                continue
            key = (request.prompt, id(request.sampling))
            row = rows.get(key) or self._new_row(request)
            need_then = max(need, row.need)
            full = key not in rows and rows and (len(rows) >= room or prompts < row.length)
            if full or (count and (count + 1) * need_then > self._kv_tokens):
                left.append(request)
                continue
            prompts -= 0 if key in rows else row.length
            rows[key], count, need = row, count + 1, need_then
            row.requests.append(request)
            row.watched |= request.on_token is not None
        self._waiting = left
        return list(rows.values())

    def _new_row(self, request: Request) -> Row:
        length = len(request.prompt)
        limit = max(1, min(request.sampling.max_tokens, self._model.shape.max_positions - length))
        return Row(-1, length, request.sampling, limit, self._version, length + limit, [])

    # -- tokens -------------------------------------------------------------------------------------------

    def _decode(self) -> None:
        """Feed every row its last token and draw the next ones."""
        rows: list[Row] = []
        longest = max(row.length for row in self._rows)
        if longest >= self._kv.shape[4]:
            self._reserve(0, longest + 1, max(row.need for row in self._rows))
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

    def _draw(self, rows: list[Row], logits: Tensor) -> list[Row]:
        """Draw for every request of the rows; returns the rows that go on, split ones with their parent's slot."""
        if all(row.sampling is rows[0].sampling for row in rows):
            return self._draw_alike(rows, logits)
        by_sampling: dict[Sampling, list[int]] = {}
        for index, row in enumerate(rows):
            by_sampling.setdefault(row.sampling, []).append(index)
        going: list[Row] = []
        for places in by_sampling.values():
            going += self._draw_alike([rows[place] for place in places], logits[places])
        return going

    def _draw_alike(self, rows: list[Row], logits: Tensor) -> list[Row]:
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
        return hand_out(rows, tokens, logprobs, self._eos)

    # -- the cache ----------------------------------------------------------------------------------------

    def _settle(self, rows: list[Row]) -> None:
        """Give every row a slot of its own below len(rows), moving and copying as few as can be."""
        placed: list[Row | None] = [None] * len(rows)
        movers = []
        for row in rows:
            if row.slot < len(placed) and placed[row.slot] is None:
                placed[row.slot] = row
            else:
                movers.append(row)
        if movers:
            free = [slot for slot, row in enumerate(placed) if row is None]
            self._reserve(len(rows), 0, 0)
            begin = time.perf_counter()
            for slot, row in zip(free, movers, strict=True):
                # A free slot is nobody's source: a source below len(rows) was kept by its first row.
                self._kv[:, :, slot, :, : row.length] = self._kv[:, :, row.slot, :, : row.length]
                row.slot = slot
                placed[slot] = row
            self._stats.model_seconds += time.perf_counter() - begin
        self._rows = [row for row in placed if row is not None]

    def _reserve(self, slots: int, tokens: int, most: int) -> None:
        """Grow the cache to this many slots, and to these tokens of at most `most` that any row may come to have.

        It grows by doubling, to half as much again in the moment of copying; `kv_cache` bounds that moment.
        """
        _, _, have_slots, _, have_tokens, _ = self._kv.shape
        if slots <= have_slots and tokens <= have_tokens:
            return
        if slots > have_slots:
            have_slots = max(slots, min(max(2 * have_slots, 8), self._kv_tokens // max(have_tokens, most, 1)))
        if have_slots * most * self._kv_bytes <= _RESERVED:
            tokens = most
        if tokens > have_tokens:
            have_tokens = max(tokens, min(2 * have_tokens, most))
        old, self._kv = self._kv, self._empty_kv(have_slots, have_tokens)
        self._stats.kv_bytes = max(self._stats.kv_bytes, self._kv.nbytes)
        self._kv[:, :, : old.shape[2], :, : old.shape[4]] = old

    @property
    def _kv_bytes(self) -> int:
        """Bytes of one token's keys and values."""
        return self._model.shape.kv_bytes(self._model.dtype.itemsize)

    @property
    def _kv_tokens(self) -> int:
        """Tokens that the cache may hold, so that growing by half at a time stays within its limit."""
        return int(self._kv_limit / 1.5) // self._kv_bytes

    def _empty_kv(self, slots: int, capacity: int) -> Tensor:
        s = self._model.shape
        size = (s.layers, 2, slots, s.kv_heads, capacity, s.head_dim)
        return torch.zeros(size, device=self._model.device, dtype=self._model.dtype)


def _default_kv(device: torch.device) -> int:
    if device.type == "cuda":
        return int(_KV_SHARE * torch.cuda.get_device_properties(device).total_memory)
    return _KV_CPU


def _as_weights(weights: object) -> Mapping[str, Tensor]:
    if isinstance(weights, str | Path):
        return read_weights(Path(weights))
    if isinstance(weights, Mapping):
        return weights
    raise ArenaError(f"Weights must be a state dict or a path, not {type(weights).__name__}.")
