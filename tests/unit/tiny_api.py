"""A chat completions endpoint on loopback that answers what a test tells it to, request by request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Written = tuple[int, dict[str, str], bytes]
"""Status, headers and body of a reply."""


def said(content: object, finish: str = "stop", **message: Any) -> Written:
    """A good reply with this content and these further fields of the message."""
    data = {
        "choices": [{"message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
    }
    return 200, {"content-type": "application/json"}, json.dumps(data).encode()


def error(status: int, body: Any, **headers: str) -> Written:
    """An error with this JSON body; `retry_after` and the like become headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"content-type": "application/json", **named}, json.dumps(body).encode()


@dataclass
class TinyApi:
    """Answers with what `reply` gives for the number of the request, from 0, and its body; None hangs up."""

    reply: Callable[[int, dict[str, Any]], Written | None]
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """How long an answer takes."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                named = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:]) if k}
                body = json.loads(await reader.readexactly(int(named["content-length"])))
                number = len(self.bodies)
                self.bodies.append(body)
                self.headers.append(named)
                self.paths.append(lines[0].split()[1])
                if self.seconds:
                    await asyncio.sleep(self.seconds)
                written = self.reply(number, body)
                if written is None:
                    break
                status, headers, content = written
                out = {"content-length": str(len(content)), **headers}
                text = "".join(f"{k}: {v}\r\n" for k, v in out.items())
                writer.write(f"HTTP/1.1 {status} X\r\n{text}\r\n".encode() + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def tiny_api(reply: Callable[[int, dict[str, Any]], Written | None] | Written) -> AsyncIterator[TinyApi]:
    """The endpoint, on a port of its own, for as long as the block lasts."""
    api = TinyApi(reply if callable(reply) else lambda number, body: reply)
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
    api.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield api
    finally:
        server.close()
