"""An OpenAI-compatible chat endpoint that plays our games legally, and fails in every way that a script asks for.

    python tests/servers/fault_server.py [--port 0] [--script 'MODEL=STEP,STEP*3,STEP*'…] [--latency 0.2-0.8]

It prints its base URL on stdout and ends with the process that started it. In a test: `async with FaultServer(...)`.

A script is a list of steps for one model's requests, one each in the order in which they come in; `STEP*3` stands for
three of them and `STEP*` for all that follow; after the last one, and for models without a script, everything is "ok".
Steps are the keys of `FAULTS`, or a status of 300 to 599; what follows a colon is an option: "429:2" has a Retry-After
of 2 seconds, "429:date:2" an HTTP date, "slow:0.3" answers after 0.3 seconds, "huge:50" has a body of 50 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from servers.call import Call
from servers.faults import step_of, steps_of
from servers.legal_moves import legal_move


@dataclass(slots=True)
class FaultServer:
    """Listens on loopback while it is entered; counts what it was asked."""

    scripts: Mapping[str, str] = field(default_factory=dict)
    """By model."""
    port: int = 0
    latency: tuple[float, float] = (0.0, 0.0)
    """Seconds before every answer, drawn evenly."""
    key: str = ""
    """Where given, requests with another key get 401."""
    move: Callable[[list[dict[str, Any]]], str] = legal_move
    requests: Counter[str] = field(default_factory=Counter)
    """By model."""
    answered: Counter[str] = field(default_factory=Counter)
    """By step; those that were begun."""
    times: list[float] = field(default_factory=list)
    """When each request came in, on the monotonic clock; kept only where `keep_times`."""
    bodies: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=100))
    """Of the newest requests."""
    headers: deque[Mapping[str, str]] = field(default_factory=lambda: deque(maxlen=100))
    """Of the newest requests, by lower-case name."""
    in_flight: int = 0
    most_in_flight: int = 0
    connections: int = 0
    """Accepted so far."""
    sent_megabytes: int = 0
    tokens: int = 0
    """In the usage of all replies."""
    waited: float = 0.0
    """Seconds of latency that were drawn in all."""
    keep_times: bool = True
    _steps: dict[str, Iterator[str]] = field(default_factory=dict)
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Self:
        self._steps = {model: steps_of(script) for model, script in self.scripts.items()}
        await self.up()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.down()

    def script(self, model: str, steps: str) -> None:
        """Give a model another script from now on."""
        self._steps[model] = steps_of(steps)

    async def up(self) -> None:
        """Listen, after an outage on the same port as before it."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=4096, limit=1 << 24)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """A total outage: connections are refused, and those that are open are reset."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        try:
            while not writer.is_closing():
                await self._answer_one(reader, writer)
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        data = await reader.readexactly(int(headers.get("content-length", 0)))
        path = first.split(" ")[1]
        call = Call(self, reader, writer, headers, {})
        if path.endswith("/models"):
            return await call.send(200, {"object": "list", "data": [{"id": name} for name in self.scripts]})
        if path.endswith("/stats"):
            return await call.send(200, self.stats())
        if not path.endswith("/chat/completions"):
            return await call.send(404, {"error": {"message": f"no {path}"}})
        call.body = json.loads(data)
        await self._play(call)
        return None

    async def _play(self, call: Call) -> None:
        model = str(call.body.get("model"))
        self.requests[model] += 1
        if self.keep_times:
            self.times.append(time.monotonic())
        self.bodies.append(call.body)
        self.headers.append(call.headers)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.latency[1]:
                wait = self.rng.uniform(*self.latency)
                self.waited += wait
                await asyncio.sleep(wait)
            if self.key and call.headers.get("authorization") != f"Bearer {self.key}":
                step = "401"
            else:
                step = next(self._steps[model]) if model in self._steps else "ok"
            self.answered[step] += 1
            play, call.option = step_of(step)
            await play(call)
        finally:
            self.in_flight -= 1

    def stats(self) -> dict[str, Any]:
        """Counts, for who asks from another process."""
        return {
            "requests": dict(self.requests),
            "answered": dict(self.answered),
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
            "connections": self.connections,
            "waited": self.waited,
            "cpu": time.process_time(),
        }


async def _main(args: argparse.Namespace) -> None:
    low, _, high = args.latency.partition("-")
    scripts = dict(item.split("=", 1) for item in args.script)
    parent = os.getppid()
    latency = (float(low), float(high or low))
    async with FaultServer(scripts, args.port, latency, os.environ.get(args.key_env, ""), keep_times=False) as server:
        print(server.url, flush=True)
        began, away = time.monotonic(), False
        after, _, length = args.outage.partition(":")
        while os.getppid() == parent:
            await asyncio.sleep(0.1)
            now = time.monotonic() - began
            out = bool(after) and float(after) <= now < float(after) + float(length)
            if out != away:
                away = out
                await (server.down() if out else server.up())


def main() -> None:
    parser = argparse.ArgumentParser(description="A chat endpoint that fails as its script says.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", action="append", default=[], metavar="MODEL=STEPS")
    parser.add_argument("--latency", default="0", metavar="LOW-HIGH", help="seconds before every answer")
    parser.add_argument("--outage", default="", metavar="AFTER:SECONDS", help="a total outage, in seconds")
    parser.add_argument("--key-env", default="", metavar="NAME", help="variable that holds the key that is asked for")
    with suppress(KeyboardInterrupt, BrokenPipeError):
        asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
