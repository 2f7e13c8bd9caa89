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
import hashlib
import json
import os
import random
import re
import time
import zlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cache
from itertools import chain, repeat
from typing import Any, Self

REASONS = {200: "OK", 401: "Unauthorized", 408: "Request Timeout", 422: "Unprocessable", 429: "Too Many Requests"}
MISTRAL_FIELDS = {
    "model", "messages", "temperature", "top_p", "max_tokens", "random_seed", "stop", "stream", "reasoning_effort",
    "response_format", "n", "prompt_mode", "safe_prompt", "presence_penalty", "frequency_penalty",
}  # fmt: skip
GEMINI_REFUSES = {"seed", "frequency_penalty", "presence_penalty", "top_k", "reasoning", "store"}


# -- legal moves ------------------------------------------------------------------------------------------------


def legal_move(messages: list[dict[str, Any]]) -> str:
    """An answer that is legal in the position of the last message; the same for the same messages."""
    text = "\n".join(str(message.get("content")) for message in messages)
    rng = random.Random(hashlib.sha256(text.encode()).digest())
    for name, choose in _MOVES.items():
        _, found, position = text.rpartition(name)
        if found:
            return choose(position, rng)
    return "[0]"


def _tictactoe(position: str, rng: random.Random) -> str:
    return f"[{rng.choice(re.findall(r'[0-8]', ' '.join(position.splitlines()[1:4])))}]"


def _connect_four(position: str, rng: random.Random) -> str:
    return f"[{rng.choice(re.findall(r'[0-6]', position.splitlines()[7]))}]"


def _kuhn(position: str, rng: random.Random) -> str:
    return rng.choice(("[fold]", "[call]") if "They bet." in position else ("[check]", "[bet]"))


def _pig(position: str, rng: random.Random) -> str:
    total = re.search(r"Turn total (\d+)", position)
    return "[hold]" if total is not None and int(total[1]) >= 15 else "[roll]"


def _liars_dice(position: str, rng: random.Random) -> str:
    return "[Call]" if "They bid" in position else "[Bid: 1, 1]"


def _snake(position: str, rng: random.Random) -> str:
    return f"[{rng.choice(re.findall(r'(Up|Down|Left|Right) (?:free|apple)', position) or ['Up']).lower()}]"


def _negotiation(position: str, rng: random.Random) -> str:
    return "[Deny]" if "They give" in position else "[Offer: 1 Wood -> 1 Gold]"


def _deception(position: str, rng: random.Random) -> str:
    return "I hold the first for true." if "\nMessage " in position else f"[Fact {rng.choice('12')}]"


_MOVES = {
    "TicTacToe. You are": _tictactoe,
    "Connect Four. You @": _connect_four,
    "Kuhn Poker. Hand": _kuhn,
    "Pig Dice. You": _pig,
    "Liar's Dice. You have": _liars_dice,
    "Snake. Round": _snake,
    "Simple Negotiation. Move": _negotiation,
    "Truth and Deception. You are": _deception,
}


# -- faults -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Call:
    """One request, and the connection that waits for its answer."""

    server: FaultServer
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


Fault = Callable[[Call], Awaitable[None]]
FAULTS: dict[str, Fault] = {}


def fault(name: str) -> Callable[[Fault], Fault]:
    def add(function: Fault) -> Fault:
        FAULTS[name] = function
        return function

    return add


@fault("ok")
async def ok(call: Call) -> None:
    await call.say(said(call.text))


@fault("slow")
async def slow(call: Call) -> None:
    await asyncio.sleep(float(call.option or 1))
    await ok(call)


async def status(call: Call, code: int) -> None:
    """An error with OpenAI's body. Options: seconds or "date:SECONDS" for Retry-After, "daily", "echo", a URL."""
    kind, _, seconds = call.option.partition(":")
    message, headers = f"fault {code}", []
    if kind == "date":
        headers = [f"Retry-After: {formatdate(time.time() + float(seconds or 1), usegmt=True)}"]
    elif kind == "daily":
        message = "You exceeded your current quota: requests per day. Please try again tomorrow."
    elif kind == "echo":
        message = f"Incorrect API key provided: {call.headers.get('authorization', '')}"
        headers = [f"X-Debug: {call.headers.get('authorization', '')}"]
    elif kind.startswith("http"):
        headers = [f"Location: {call.option}"]
    elif kind:
        headers = [f"Retry-After: {kind}"]
    error = {"message": message, "type": "server_error" if code >= 500 else "invalid_request_error", "code": None}
    await call.send(code, {"error": error}, *headers)


@fault("reset")
async def reset(call: Call) -> None:
    """Half of the body, then the connection is reset."""
    data = json.dumps(call.completion(said(call.text))).encode()
    call.writer.write(head(200, "Content-Type: application/json", f"Content-Length: {len(data)}"))
    call.writer.write(data[: len(data) // 2])
    await call.writer.drain()
    call.writer.transport.abort()


@fault("cut")
async def cut(call: Call) -> None:
    """Content-Length promises more than comes; then the connection is closed in good order."""
    data = json.dumps(call.completion(said(call.text))).encode()
    call.writer.write(head(200, "Content-Type: application/json", f"Content-Length: {len(data) + 500}") + data)
    await call.writer.drain()
    call.writer.close()


@fault("over")
async def over(call: Call) -> None:
    """Content-Length promises less than comes."""
    data = json.dumps(call.completion(said(call.text))).encode()
    call.writer.write(head(200, "Content-Type: application/json", f"Content-Length: {len(data) - 100}") + data)
    await call.writer.drain()


@fault("drip")
async def drip(call: Call) -> None:
    """A good answer, one byte a second; the option is another time between two bytes."""
    data = json.dumps(call.completion(said(call.text))).encode()
    call.writer.write(head(200, "Content-Type: application/json", f"Content-Length: {len(data)}"))
    for byte in data:
        call.writer.write(bytes([byte]))
        await call.writer.drain()
        await asyncio.sleep(float(call.option or 1))


@fault("hang")
async def hang(call: Call) -> None:
    """Never answers."""
    await call.reader.read()


@fault("refuse")
async def refuse(call: Call) -> None:
    """Closes the connection without a word."""
    call.writer.close()


@fault("garbage")
async def garbage(call: Call) -> None:
    """No HTTP at all."""
    call.writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20)
    await call.writer.drain()
    call.writer.close()


@cache
def _bomb(megabytes: int) -> bytes:
    packer, block = zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16), b" " * (1 << 20)
    return b"".join([*(packer.compress(block) for _ in range(megabytes)), packer.flush()])


@fault("bomb")
async def bomb(call: Call) -> None:
    """A small gzip body that unpacks to 200 MB, or to so many as the option says."""
    await call.send(200, _bomb(int(call.option or 200)), "Content-Encoding: gzip")


@fault("huge")
async def huge(call: Call) -> None:
    """A good answer in a body of 50 MB, or of so many MB as the option says."""
    start, _, end = json.dumps(call.completion(said("PAD" + call.text))).encode().partition(b"PAD")
    block, blocks = b"x" * (1 << 20), int(call.option or 50)
    length = len(start) + blocks * len(block) + len(end)
    call.writer.write(head(200, "Content-Type: application/json", f"Content-Length: {length}") + start)
    for _ in range(blocks):
        call.writer.write(block)
        await call.writer.drain()
        call.server.sent_megabytes += 1
    call.writer.write(end)
    await call.writer.drain()


@fault("headers")
async def headers(call: Call) -> None:
    """Headers without end."""
    call.writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(4000):
        call.writer.write(f"X-Pad-{number}: {'x' * 4000}\r\n".encode())
        await call.writer.drain()


@fault("endless")
async def endless(call: Call) -> None:
    """A chunked body without end."""
    call.writer.write(head(200, "Content-Type: application/json", "Transfer-Encoding: chunked"))
    while True:
        call.writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        await call.writer.drain()


@fault("chunks")
async def chunks(call: Call) -> None:
    """A chunked body whose second size is no number."""
    call.writer.write(head(200, "Content-Type: application/json", "Transfer-Encoding: chunked"))
    call.writer.write(b'2\r\n{"\r\nzz\r\n')
    await call.writer.drain()


@fault("informational")
async def informational(call: Call) -> None:
    """Many preliminary answers, then a good one."""
    call.writer.write(head(102) * 2000)
    await ok(call)


@fault("fuzz")
async def fuzz(call: Call) -> None:
    """A good answer in which a few bytes are changed, left out or put in, its headers included."""
    data = json.dumps(call.completion(said(call.text))).encode()
    lines = ["Content-Type: application/json", f"Content-Length: {len(data)}", "Date: Tue, 24 Nov 2026 00:00:00 GMT"]
    answer, rng = bytearray(head(200, *lines) + data), call.server.rng
    for _ in range(rng.randint(1, 4)):
        at, most = rng.randrange(len(answer)), rng.choice((len(answer), 140))
        at %= most
        change = rng.choice((b"", bytes([rng.randrange(256)]), rng.choice(_ODD_BYTES)))
        answer[at : at + rng.choice((0, 1, 1, 5))] = change
    call.writer.write(answer)
    await call.writer.drain()
    call.writer.close()


_ODD_BYTES = (
    b"\r\n",
    b"\n",
    b"\0",
    b"\x80",
    b": ",
    b"\r\n\r\n",
    b"99999999999999999999",
    b"-1",
    b"chunked",
    b"gzip",
    b"\xff",
)


@fault("html")
async def html(call: Call) -> None:
    page = b"<!doctype html><title>Sign in</title><script>alert(1)</script>"
    await call.send(200, page, kind="text/html; charset=utf-8")


def _fixed(name: str, body: Callable[[Call], object], code: int = 200) -> None:
    async def answer(call: Call) -> None:
        await call.send(code, body(call))

    FAULTS[name] = answer


_fixed("blank", lambda call: b"")
_fixed("string", lambda call: "a bare string")
_fixed("null", lambda call: None)
_fixed("number", lambda call: 7)
_fixed("list", lambda call: [call.completion(said(call.text))])
_fixed("deep", lambda call: b"[" * 200_000)
_fixed("digits", lambda call: b'{"choices": ' + b"9" * 200_000 + b"}")
_fixed(
    "nan",
    lambda call: json.dumps({**call.completion(said(call.text)), "usage": {"prompt_tokens": float("nan")}}).encode(),
)
_fixed(
    "latin",
    lambda call: json.dumps(call.completion(said("\x00" + call.text))).encode().replace(b"\\u0000", b"\xff\xfe"),
)
_fixed("notjson", lambda call: b'{"id": "c1", "choices": [{')
_fixed("nochoices", lambda call: {**call.completion(None), "choices": []})
_fixed("nullchoices", lambda call: {**call.completion(None), "choices": None})
_fixed("error200", lambda call: {"error": {"message": "overloaded", "code": 503}})
_fixed("nomessage", lambda call: {**call.completion(None), "choices": [{"index": 0, "finish_reason": "stop"}]})
_fixed("nullmessage", lambda call: call.completion(None))
_fixed("stringmessage", lambda call: call.completion("hello"))
_fixed("nousage", lambda call: {"choices": [{"message": said(call.text)}]})
_fixed("badusage", lambda call: {**call.completion(said(call.text)), "usage": {"prompt_tokens": "many"}})


def _said(name: str, message: Callable[[Call], object], finish_reason: str = "stop", reasoning: int = 0) -> None:
    async def answer(call: Call) -> None:
        await call.say(message(call), finish_reason, reasoning)

    FAULTS[name] = answer


THOUGHT = "The centre matters most."

_said("none", lambda call: said(None))
_said("empty", lambda call: said(""))
_said("emptylist", lambda call: said([]))
_said("number-content", lambda call: said(7))
_said("parts", lambda call: said([{"type": "text", "text": call.text}]))
_said("reasoning", lambda call: said(f"\\boxed{{{call.move}}}", reasoning=THOUGHT), reasoning=9)
_said("reasoning_content", lambda call: said(f"\\boxed{{{call.move}}}", reasoning_content=THOUGHT), reasoning=9)
_said(
    "details",
    lambda call: said(f"\\boxed{{{call.move}}}", reasoning_details=[{"type": "reasoning.text", "text": THOUGHT}]),
)
_said("think", lambda call: said(f"<think>{THOUGHT}</think>\n\\boxed{{{call.move}}}"))
_said("unopened", lambda call: said(f"{THOUGHT}</think>\n\\boxed{{{call.move}}}"))
_said("unclosed", lambda call: said(f"<think>{THOUGHT} Perhaps \\boxed{{{call.move}}}"))
_said("nested", lambda call: said(f"<think>a <think>{THOUGHT}</think> b</think>\n\\boxed{{{call.move}}}"))
_said("length", lambda call: said("I look at the pos"), "length")
_said("length-empty", lambda call: said(None), "length", 20)
_said("filter", lambda call: said(""), "content_filter")
_said("illegal", lambda call: said("\\boxed{[castle]}"))
_said("flood", lambda call: said("x" * (1 << 20) + f"\n\\boxed{{{call.move}}}"))
_said("surrogate", lambda call: said(f"\ud800\x1b]0;x\x07\n\\boxed{{{call.move}}}"))


@fault("gemini")
async def gemini(call: Call) -> None:
    """Plays, but refuses what Gemini refuses; with a status as option, that error: a JSON array around the object."""
    code, message = int(call.option or 400), "overloaded"
    if not call.option:
        unknown = sorted(GEMINI_REFUSES & call.body.keys())
        if not unknown:
            return await ok(call)
        message = f'Invalid JSON payload received. Unknown name "{unknown[0]}": Cannot find field.'
    names = {400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
    await call.send(code, [{"error": {"code": code, "message": message, "status": names.get(code, "INTERNAL")}}])
    return None


@fault("mistral")
async def mistral(call: Call) -> None:
    """Plays with content as a list, but refuses every field that Mistral does not know with 422."""
    unknown = sorted(call.body.keys() - MISTRAL_FIELDS)
    if unknown:
        detail = [
            {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"}
            for name in unknown
        ]
        await call.send(422, {"object": "error", "message": {"detail": detail}, "type": "invalid_request_error"})
        return
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}
    await call.say(said([thinking, {"type": "text", "text": f"\\boxed{{{call.move}}}"}]))


_CHAOS = (
    "429:0.1", "500", "502", "503", "504", "408", "gemini:503", "reset", "cut", "over", "refuse", "garbage", "html",
    "blank", "string", "notjson", "nochoices", "nomessage", "error200", "chunks",
)  # fmt: skip


@fault("chaos")
async def chaos(call: Call) -> None:
    """Trouble of the moment in three requests of ten, or in so large a share as the option says; else a good answer."""
    rng = call.server.rng
    play, call.option = step_of(rng.choice(_CHAOS) if rng.random() < float(call.option or 0.3) else "ok")
    await play(call)


def step_of(name: str) -> tuple[Fault, str]:
    """The fault that a step names, and its option. Raises KeyError."""
    kind, _, option = name.partition(":")
    if kind in FAULTS:
        return FAULTS[kind], option
    if kind.isdecimal() and 300 <= int(kind) <= 599:
        return (lambda call: status(call, int(kind))), option
    raise KeyError(f"no such fault: {name}")


def steps_of(script: str) -> Iterator[str]:
    """The steps of "a,b*3,c*", then "ok" for ever."""
    parts: list[Iterator[str]] = []
    for item in filter(None, script.split(",")):
        name, star, count = item.partition("*")
        step_of(name)
        parts.append(repeat(name) if star and not count else repeat(name, int(count or 1)))
    return chain(*parts, repeat("ok"))


# -- the server -------------------------------------------------------------------------------------------------


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
