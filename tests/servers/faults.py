"""Every way to answer a chat request, well or badly: the steps that scripts of `fault_server.py` are made of."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from email.utils import formatdate
from functools import cache
from itertools import chain, repeat

from servers.call import Call, head, said

MISTRAL_FIELDS = {
    "model", "messages", "temperature", "top_p", "max_tokens", "random_seed", "stop", "stream", "reasoning_effort",
    "response_format", "n", "prompt_mode", "safe_prompt", "presence_penalty", "frequency_penalty",
}  # fmt: skip
GEMINI_REFUSES = {"seed", "frequency_penalty", "presence_penalty", "top_k", "reasoning", "store"}

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
