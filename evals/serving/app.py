"""The endpoints `/v1/chat/completions`, `/v1/models` and `/health`, as OpenAI's clients and vLLM's users know them.

A thought stands in the message's `reasoning`, as vLLM names it, and not in its `content`. No page of a browser can
use the server: requests must be of the type application/json and name a host that it serves, and no origin is allowed.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import secrets
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.players.checkpoint import PolicyPlayer
from evals.serving.replies import Growth, Parts, follow
from evals.serving.requests import ApiError, ChatRequest, read_request

MOST_BYTES = 1 << 20
"""Of a request's body."""
MOST_REQUESTS = 1024
"""In flight at once; one more is asked to come again."""
_GONE = 499
_KEEP_SECONDS, _GRACE_SECONDS = 75, 3


@dataclass(slots=True)
class Service:
    """One model under one name."""

    player: PolicyPlayer
    model: str
    positions: int
    """Tokens of a prompt and its reply together, at most."""
    hosts: frozenset[str] = frozenset()
    """Names that requests may know the server by; empty: any."""
    key: str | None = None
    """What every request must show, if anything."""
    since: int = field(default_factory=lambda: int(time.time()))
    in_flight: int = 0
    answered: int = 0

    @contextmanager
    def occupied(self) -> Iterator[None]:
        """Count a request while it is drawn."""
        self.in_flight += 1
        try:
            yield
            self.answered += 1
        finally:
            self.in_flight -= 1


def build(service: Service) -> Starlette:
    """The application."""

    async def chat(request: Request) -> Response:
        return await _chat(service, request)

    async def models(request: Request) -> Response:
        model = {"id": service.model, "object": "model", "created": service.since, "owned_by": "spiral-arena"}
        return JSONResponse({"object": "list", "data": [model | {"max_model_len": service.positions}]})

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "in_flight": service.in_flight, "answered": service.answered})

    routes = [
        Route("/v1/chat/completions", _guarded(service, chat), methods=["POST"]),
        Route("/v1/models", _guarded(service, models)),
        Route("/health", health),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _not_there})


Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


def _guarded(service: Service, endpoint: Endpoint) -> Endpoint:
    """The endpoint for those who may use it; whatever goes wrong is told in OpenAI's shape."""

    async def guarded(request: Request) -> Response:
        try:
            _admit(service, request)
            return await endpoint(request)
        except ApiError as error:
            return _told(error)
        except ClientDisconnect:
            return Response(status_code=_GONE)
        except Exception as error:
            return _told(_fault(error))

    return guarded


def _admit(service: Service, request: Request) -> None:
    """Raise ApiError for a request under a stranger's name or without the key."""
    if service.hosts and (request.url.hostname or "").lower() not in service.hosts:
        raise ApiError(403, "This host is not served here.", code="unknown_host")
    if service.key is not None:
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(shown.encode(), service.key.encode()):
            raise ApiError(401, "The API key is missing or wrong.", code="invalid_api_key", kind="authentication_error")


def _told(error: ApiError) -> Response:
    return JSONResponse(error.body(), error.status, {"Retry-After": "1"} if error.status == 503 else None)


def _fault(error: Exception) -> ApiError:
    """An error of ours: told to the server's terminal, and to the asker without what it is about."""
    print(f"error: {one_line(f'{type(error).__name__}: {error}', 1000)}", file=sys.stderr, flush=True)
    return ApiError(500, "The server failed; its terminal says why.")


async def _not_there(request: Request, error: Exception) -> Response:
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (404, "Not Found")
    return _told(ApiError(status, f"{detail}: {request.method} {request.url.path}"))


async def _chat(service: Service, request: Request) -> Response:
    asked = read_request(await _body(request), service.model, service.player.sampling)
    prompt = _prompt(service, asked)
    if service.in_flight >= MOST_REQUESTS:
        raise ApiError(503, "Too many requests are in flight; come again.", code="overloaded")
    if asked.stream:
        return StreamingResponse(_events(service, prompt, asked), media_type="text/event-stream")
    whole = await _unless_gone(request, _whole(service, prompt, asked))
    return JSONResponse(_completion(service, len(prompt), whole))


async def _body(request: Request) -> bytes:
    """The body, if it is JSON by its type and not too long. Raises ApiError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "A request must be of the type application/json.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise ApiError(413, f"A request may have {MOST_BYTES} bytes.", code="request_too_large")
    return bytes(body)


def _prompt(service: Service, asked: ChatRequest) -> tuple[int, ...]:
    """The ids that the model reads. Raises ApiError where they are none, or too many, or no chat for its template."""
    try:
        prompt = service.player.conversation_ids(asked.messages)
    except ArenaError as error:
        raise ApiError(400, error.message, "messages") from None
    if not prompt or len(prompt) >= service.positions:
        message = f"The messages make {len(prompt)} tokens; the model takes 1 to {service.positions - 1}."
        raise ApiError(400, message, "messages", "context_length_exceeded")
    return prompt


async def _whole(service: Service, prompt: tuple[int, ...], asked: ChatRequest) -> Growth:
    with service.occupied():
        async with aclosing(follow(service.player, prompt, asked)) as growing:
            async for growth in growing:
                if growth.finish_reason:
                    return growth
    raise AssertionError("a reply ends with a reason")


async def _unless_gone(request: Request, work: Coroutine[Any, Any, Growth]) -> Growth:
    """Do the work while the client waits for it. Raises ClientDisconnect where it goes away."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_departure(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _departure(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _completion(service: Service, prompt_tokens: int, whole: Growth) -> dict[str, Any]:
    message = {"role": "assistant", "content": whole.parts.content, "refusal": None}
    if whole.parts.reasoning:
        message["reasoning"] = whole.parts.reasoning
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": whole.finish_reason}
    head = _head(service, "chat.completion")
    return head | {"choices": [choice], "usage": _usage(prompt_tokens, whole.tokens)}


async def _events(service: Service, prompt: tuple[int, ...], asked: ChatRequest) -> AsyncIterator[str]:
    """The reply as server-sent events."""
    head = _head(service, "chat.completion.chunk")

    def event(delta: dict[str, str], reason: str | None = None) -> str:
        return _event(head | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]})

    try:
        with service.occupied():
            yield event({"role": "assistant", "content": ""})
            sent = Parts("", "")
            async with aclosing(follow(service.player, prompt, asked)) as growing:
                async for growth in growing:
                    for name, old, new in zip(Parts._fields, sent, growth.parts, strict=True):
                        if len(new) > len(old):
                            yield event({name: new[len(old) :]})
                    sent = growth.parts
            yield event({}, growth.finish_reason)
            if asked.stream_usage:
                yield _event(head | {"choices": [], "usage": _usage(len(prompt), growth.tokens)})
    except Exception as error:
        yield _event(_fault(error).body())
    yield "data: [DONE]\n\n"


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


def _head(service: Service, kind: str) -> dict[str, Any]:
    id = f"chatcmpl-{secrets.token_hex(12)}"
    return {"id": id, "object": kind, "created": int(time.time()), "model": service.model}


def _usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def run(service: Service, listener: socket.socket, announce: Callable[[], None]) -> None:
    """Answer requests until a signal; those in flight then get a few seconds."""

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            announce()

    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # the server puts its own in place, and raises the signal again after
    config = uvicorn.Config(
        build(service),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    Server(config).run(sockets=[listener])
