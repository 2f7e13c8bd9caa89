"""Prompts run through the model, each distinct one once: many matches come to the same position."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from torch import Tensor

from arena.engines.decoder import Decoder

_PREFILL_TOKENS = 1024
"""Prompt tokens of one forward pass: enough for full matrix speed, few enough for the processor's caches."""

Prompt = tuple[int, ...]


class Block(NamedTuple):
    """Prompts that were run together, and what they left: see `decoder.Prefill`."""

    prompts: list[Prompt]
    kv: Tensor
    logits: Tensor


class Place(NamedTuple):
    """Where one prompt's keys, values and logits are."""

    block: Block
    row: int


class PromptMemory:
    """Keeps the blocks run last, up to `limit` bytes; the owner clears it when the weights change."""

    def __init__(self, model: Decoder, limit: int) -> None:
        self._model, self._limit = model, limit
        self._places: dict[Prompt, Place] = {}
        self._blocks: OrderedDict[int, Block] = OrderedDict()
        self._bytes = 0
        self.tokens_run = 0

    def run(self, prompts: list[Prompt]) -> list[Place]:
        """The place of each prompt, from memory or by running it, those of like lengths together."""
        found = {prompt: self._places[prompt] for prompt in prompts if prompt in self._places}
        missing = sorted(
            {prompt for prompt in prompts if prompt not in found}, key=lambda prompt: (len(prompt), prompt)
        )
        start = 0
        while start < len(missing):
            stop = start + 1
            while stop < len(missing) and (stop + 1 - start) * len(missing[stop]) <= _PREFILL_TOKENS:
                stop += 1
            block = Block(missing[start:stop], *self._model.prefill(missing[start:stop]))
            self.tokens_run += sum(map(len, block.prompts))
            found.update((prompt, Place(block, row)) for row, prompt in enumerate(block.prompts))
            self._keep(block)
            start = stop
        return [found[prompt] for prompt in prompts]

    def clear(self) -> None:
        self._places.clear()
        self._blocks.clear()
        self._bytes = 0

    def _keep(self, block: Block) -> None:
        """Remember a block; the oldest go where the memory is full."""
        self._places.update((prompt, Place(block, row)) for row, prompt in enumerate(block.prompts))
        self._blocks[id(block)] = block
        self._bytes += block.kv.nbytes + block.logits.nbytes
        while self._bytes > self._limit:
            _, oldest = self._blocks.popitem(last=False)
            self._bytes -= oldest.kv.nbytes + oldest.logits.nbytes
            for prompt in oldest.prompts:
                del self._places[prompt]
