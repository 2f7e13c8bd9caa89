"""One request to a chat completions endpoint, through the `openai` package, with what it leaves open closed.

Its own retries are off. A reply is cut off where it grows too large, packed or unpacked, while it arrives. Headers are
ours alone: what the environment holds for the `openai` package (organisation, admin key, custom headers) reaches no
server, and the key is put in by the transport, so that no object of that package has it. Imported on first use.
"""

from __future__ import annotations

import itertools
import logging
import os
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2
import openai

from arena.core.sanitise import one_line
from arena.players._api.secrets import scrub

MOST_BYTES = 8_000_000
CONNECT_SECONDS = 10.0
_IDLE_SECONDS = 4.0
"""How long an unused connection is kept: less than servers keep theirs."""
_POOLS = 16
"""Connection pools of one player: what a pool does for a request grows with its connections."""
_FILES = 8192
"""Open files that a process may need."""
_HEADERS = ("host", "content-type", "content-length", "accept", "user-agent")
_PATH = "chat/completions"


class Answer(NamedTuple):
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    text: str


class Broken(Exception):
    """No whole reply came back. `sent`: the server may have worked for it; `fatal`: none ever will."""

    def __init__(self, reason: str, sent: bool = True, fatal: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.sent, self.fatal = reason, sent, fatal


class Client:
    """The connections of one player to its server, in one event loop."""

    def __init__(self, base_url: str, key: str, local: bool) -> None:
        _allow_files()
        self._client = openai.AsyncOpenAI(
            api_key="not-here",
            base_url=base_url,
            max_retries=0,
            http_client=httpx2.AsyncClient(
                transport=_Transport(base_url, key, local),
                timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
                trust_env=False,
            ),
        )
        for name in ("openai", "httpx2", "httpcore2"):  # they log addresses and headers
            logging.getLogger(name).setLevel(logging.WARNING)

    async def post(self, body: Mapping[str, Any]) -> Answer:
        """Ask for one chat completion. Raises Broken where no whole reply came back."""
        try:
            response = await self._client.post(_PATH, cast_to=httpx2.Response, body=dict(body))
        except openai.APIStatusError as error:
            response = error.response
        except openai.APIConnectionError as error:
            raise _broken(error.__cause__ or error) from None
        except (openai.OpenAIError, httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            raise _broken(error) from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, scrub(response.content.decode("utf-8", "replace")))

    async def close(self) -> None:
        await self._client.close()


class _Transport(httpx2.AsyncBaseTransport):
    """Adds the key, keeps other headers back, spreads requests over pools and caps replies."""

    def __init__(self, base_url: str, key: str, local: bool) -> None:
        proxy = None if local else _proxy(base_url)
        verify = httpx2.create_ssl_context() if base_url.lower().startswith("https") else False
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=_IDLE_SECONDS)
        pools = [
            httpx2.AsyncHTTPTransport(verify=verify, limits=limits, proxy=proxy, socket_options=_socket_options())
            for _ in range(_POOLS)
        ]
        self._pools = pools
        self._next = itertools.cycle(pools)
        self._key = key

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = {name: request.headers[name] for name in _HEADERS if name in request.headers}
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        request.headers = httpx2.Headers(headers | {"accept-encoding": "identity"})
        response = await next(self._next).handle_async_request(request)
        packed = response.headers.pop("content-encoding", "identity").lower()
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Capped(response.stream, packed),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        for pool in self._pools:
            await pool.aclose()


class _Capped(httpx2.AsyncByteStream):
    """A body that raises Broken before more than `MOST_BYTES` of it, packed or unpacked, are in memory."""

    def __init__(self, stream: httpx2.AsyncByteStream, packed: str) -> None:
        self._stream, self._packed = stream, packed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        unpack = None
        if self._packed in ("gzip", "x-gzip", "deflate"):  # though we asked for none
            unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)
        elif self._packed != "identity":
            raise Broken(f"sent its reply packed as {one_line(self._packed, 20)}, which was not asked for")
        arrived = 0
        async for part in self._stream:
            if unpack is not None:
                try:
                    part = unpack.decompress(part, MOST_BYTES + 1)
                except zlib.error:
                    raise Broken("sent a packed reply that cannot be unpacked") from None
            arrived += len(part)
            if arrived > MOST_BYTES:
                raise Broken(f"sent a reply of more than {MOST_BYTES // 1_000_000} MB")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


def _proxy(base_url: str) -> str | None:
    """The proxy that the environment names for this address."""
    parts = urlsplit(base_url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def _allow_files() -> None:
    """Raise the process's soft limit of open files, where it allows fewer than the connections of a large job."""
    with suppress(ImportError, ValueError, OSError):  # not on Windows; not always to be had
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _socket_options() -> list[tuple[int, int, int]]:
    """A server that is gone without a word is noticed within two minutes, however long a reply may take."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options


def _broken(error: BaseException) -> Broken:
    chain = _chain(error)
    for found in chain:
        if isinstance(found, Broken):
            return found
        if isinstance(found, ssl.SSLCertVerificationError):
            why = one_line(found.verify_message, 100)
            return Broken(f"cannot be trusted: its certificate fails ({why})", sent=False, fatal=True)
    name = type(error).__name__
    if isinstance(error, httpx2.ConnectTimeout):
        return Broken(f"could not be reached within {CONNECT_SECONDS:g} s", sent=False)
    if isinstance(error, httpx2.ConnectError | httpx2.ProxyError | httpx2.PoolTimeout):
        why = next(filter(None, map(_system_words, chain)), "")
        return Broken(f"could not be reached ({one_line(scrub(why or str(error)), 100) or name})", sent=False)
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return Broken(f"cannot be asked ({one_line(scrub(str(error)), 100) or name})", sent=False, fatal=True)
    return Broken(f"broke off ({one_line(scrub(str(error)), 100) or name})")


def _system_words(error: BaseException) -> str:
    """What the operating system calls an error."""
    if not isinstance(error, OSError):
        return ""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or ""


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what led to it, groups opened."""
    found: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo and len(found) < 50:
        one = todo.pop(0)
        if one is not None and one not in found:
            found.append(one)
            todo += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return found
