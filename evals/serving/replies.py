"""A reply as it grows: drawn by the player's engine, cut at a stop string, its thought split off."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from arena.players.checkpoint import PolicyPlayer
from evals.serving.requests import ChatRequest

OPENER, CLOSER = "<think>", "</think>"
LOOK_SECONDS = 0.02
"""Shortest time between two looks at a growing reply: each decodes all of it."""


class Parts(NamedTuple):
    """A reply, or its beginning, without the tags. One part of a longer reply begins with that of a shorter one."""

    reasoning: str
    content: str


@dataclass(frozen=True, slots=True)
class Growth:
    """A reply so far."""

    parts: Parts
    tokens: int
    finish_reason: str = ""
    """Empty until the end."""


def divide(text: str, opened: bool, finished: bool = True) -> Parts:
    """Split the thought off. `opened`: the prompt ends with the tag that opens it.

    Where more may follow, a beginning that may yet be the tag counts for nothing so far.
    """
    if not opened:
        lead = text.lstrip()
        if not finished and len(lead) < len(OPENER) and OPENER.startswith(lead):
            return Parts("", "")
        if not lead.startswith(OPENER):
            return Parts("", text)
        text = lead.removeprefix(OPENER)
    reasoning, _, content = text.partition(CLOSER)
    return Parts(reasoning, content)


def settled(text: str, marks: Sequence[str]) -> str:
    """The text without an end that may grow into one of the marks."""
    longest = max(map(len, marks), default=0)
    for length in range(min(longest - 1, len(text)), 0, -1):
        if any(mark.startswith(text[-length:]) for mark in marks if len(mark) > length):
            return text[:-length]
    return text


def cut(text: str, stops: Sequence[str]) -> str | None:
    """The text before the first stop string; None where it has none."""
    found = [place for stop in stops if (place := text.find(stop)) >= 0]
    return text[: min(found)] if found else None


async def follow(player: PolicyPlayer, prompt: Sequence[int], request: ChatRequest) -> AsyncGenerator[Growth]:
    """Draw a reply: the last item is the whole of it; before that come looks at it, if the request streams.

    Leaving the iteration early ends the drawing. Raises ArenaError as the engine does.
    """
    opened = player.codec.decode(tuple(prompt[-8:])).rstrip().endswith(OPENER)
    drawn: Sequence[int] = ()
    news = asyncio.Event()

    def on_token(ids: Sequence[int]) -> None:
        nonlocal drawn
        drawn = ids
        news.set()

    watcher = on_token if request.stream or request.stop else None
    drawing = asyncio.create_task(player.engine.generate(prompt, request.sampling, _key(request, prompt), watcher))
    drawing.add_done_callback(lambda _: news.set())
    try:
        while not drawing.done():
            await news.wait()
            news.clear()
            if drawing.done():
                break
            text, tokens = player.codec.partial(drawn), len(drawn)
            if (whole := cut(text, request.stop)) is not None:
                yield Growth(divide(whole, opened), tokens, "stop")
                return
            if request.stream:
                yield Growth(divide(settled(text, (CLOSER, *request.stop)), opened, finished=False), tokens)
            await asyncio.sleep(LOOK_SECONDS)
        done = await drawing
        text = player.codec.decode(done.token_ids)
        whole = cut(text, request.stop)
        reason = done.finish_reason if whole is None else "stop"
        yield Growth(divide(text if whole is None else whole, opened), len(done.token_ids), reason)
    finally:
        drawing.cancel()


def _key(request: ChatRequest, prompt: Sequence[int]) -> str:
    """The draw's stream: with a seed, one of the prompt's own, whatever else is being drawn."""
    if request.seed is None:
        return f"served/{secrets.token_hex(16)}"
    return f"served/{request.seed}/{' '.join(map(str, prompt))}"
