"""Rows of a batch that requests share for as long as they have drawn the same tokens, and how they part."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field

from arena.core.engine import Completion, Sampling


class Request:
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
class Row:
    """One sequence in the cache, shared by the requests whose prompt, sampling and tokens so far are just these."""

    slot: int
    length: int
    """Tokens whose keys and values are in the cache: all but the last one drawn."""
    sampling: Sampling
    limit: int
    version: int
    need: int
    """The most tokens it may come to have in the cache."""
    requests: list[Request]
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    watched: bool = False

    def extend(self, token: int, logprob: float, ends: Container[int]) -> bool:
        """Append a token; False where the row ends here, by one of `ends` or its limit, or nobody waits for it."""
        self.tokens.append(token)
        self.logprobs.append(logprob)
        if self.watched:
            for request in self.requests:
                if request.on_token is not None:
                    request.on_token(self.tokens)
        stop = token in ends
        if not stop and len(self.tokens) < self.limit:
            return not self.requests[0].future.done() or not all(request.future.done() for request in self.requests)
        reason = "stop" if stop else "length"
        done = Completion(tuple(self.tokens), tuple(self.logprobs), reason, self.version)
        for request in self.requests:
            if not request.future.done():
                request.future.set_result(done)
        return False

    def part(self, requests: list[Request]) -> Row:
        """A row for some of its requests, with the same slot until it is given one of its own."""
        tokens, logprobs = self.tokens[:], self.logprobs[:]
        return Row(
            self.slot,
            self.length,
            self.sampling,
            self.limit,
            self.version,
            self.need,
            requests,
            tokens,
            logprobs,
            self.watched,
        )


def hand_out(rows: Sequence[Row], tokens: Sequence[int], logprobs: Sequence[float], ends: Container[int]) -> list[Row]:
    """Give each request its token, in order; a row goes on as one row for each token that its requests drew.

    Returns the rows that go on, split ones with their parent's slot.
    """
    going: list[Row] = []
    at = 0
    for row in rows:
        if len(row.requests) == 1:
            if row.extend(tokens[at], logprobs[at], ends):
                going.append(row)
            at += 1
            continue
        parts: dict[int, tuple[float, list[Request]]] = {}
        for request in row.requests:
            token = tokens[at]
            if token in parts:
                parts[token][1].append(request)
            else:
                parts[token] = logprobs[at], [request]
            at += 1
        for token, (logprob, requests) in parts.items():
            part = row if len(parts) == 1 else row.part(requests)
            if part.extend(token, logprob, ends):
                going.append(part)
    return going
