"""One request to the fault server and the plain ways to answer it, of which its faults are made."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

REASONS = {200: "OK", 401: "Unauthorized", 408: "Request Timeout", 422: "Unprocessable", 429: "Too Many Requests"}


class Server(Protocol):
    """What an answer needs of the server, and counts on it."""

    rng: random.Random
    tokens: int
    sent_megabytes: int

    def move(self, messages: list[dict[str, Any]], /) -> str: ...


@dataclass(slots=True)
class Call:
    """One request, and the connection that waits for its answer."""

    server: Server
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    headers: Mapping[str, str]
    body: dict[str, Any]
    option: str = ""

    @property
    def move(self) -> str:
        return self.server.move(self.body.get("messages", []))

    @property
    def text(self) -> str:
        """A whole reply: a thought, and the move in a box."""
        return f"I look at the position.\n\\boxed{{{self.move}}}"

    async def send(self, status: int, body: object, *headers: str, kind: str = "application/json") -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.writer.write(head(status, f"Content-Type: {kind}", f"Content-Length: {len(data)}", *headers) + data)
        await self.writer.drain()

    async def say(self, message: object, finish_reason: str = "stop", reasoning_tokens: int = 0) -> None:
        """A good answer with this message."""
        await self.send(200, self.completion(message, finish_reason, reasoning_tokens))

    def completion(self, message: object, finish_reason: str = "stop", reasoning_tokens: int = 0) -> dict[str, Any]:
        prompt = sum(len(str(item.get("content"))) for item in self.body.get("messages", [])) // 4
        usage: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": 20, "total_tokens": prompt + 20}
        self.server.tokens += prompt + 20
        if reasoning_tokens:
            usage["completion_tokens_details"] = {"reasoning_tokens": reasoning_tokens}
        choice = {"index": 0, "message": message, "finish_reason": finish_reason}
        return {
            "id": "c1", "object": "chat.completion", "created": int(time.time()), "model": self.body.get("model", ""),
            "choices": [choice], "usage": usage,
        }  # fmt: skip


def head(status: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}", *headers]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


def said(content: object, **more: object) -> dict[str, object]:
    return {"role": "assistant", "content": content, **more}
