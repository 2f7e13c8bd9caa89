"""The player behind a chat completions API: asks, tries again where that may help, and takes the reply apart."""

from __future__ import annotations

import asyncio
import importlib
import random
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from arena.core.errors import InfrastructureError, PlayerStopped
from arena.core.keys import derive_key
from arena.core.ledger import Ledger
from arena.core.player import Reply, Usage, View
from arena.core.registry import PlayerSpec
from arena.core.sanitise import one_line
from arena.players._api.failures import Failure, of_status, read_body
from arena.players._api.messages import Message, build_messages, upper_tokens
from arena.players._api.pace import Pace, pace_of
from arena.players._api.provider import Provider, read_spec
from arena.players._api.thoughts import capture
from arena.players._api.usage import read_usage
from arena.players._api.waiting import backoff

if TYPE_CHECKING:
    from arena.players._api.client import Client

_LIMIT_FIELDS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""The two names of the same field: servers know one of them."""
_NO_ANSWER = ("length", "content_filter")
"""Ends of a reply that has no answer: a box in it is a draft."""
_NOTHING: dict[str, Any] = {"message": {"content": ""}}


class _Question(NamedTuple):
    """What one reply is asked for with, however many requests it takes."""

    view: View
    messages: list[Message]
    tokens: int
    """More than the messages can be."""
    end: float
    """When the time for the answer is over, by time.monotonic."""
    seconds: float
    """How much time there was for it."""


class ApiPlayer:
    """A model behind a provider's chat completions endpoint.

    An answer has `deadline` seconds, all tries together, from when one of the model's slots is free; that passed, the
    match is void. A request that may have reached the server and brought no usage is booked in the ledger as the most
    that it can have taken; one that was answered by an error is not booked.
    """

    sees_state = False

    def __init__(self, provider: Provider, spec: PlayerSpec) -> None:
        """Check the spec and look up the key; nothing is sent. Raises UsageError."""
        account = read_spec(provider, spec)
        importlib.import_module("arena.players._api.client")  # takes seconds, which no answer's time should pay for
        self.name, self.model = spec.name, account.endpoint.model
        self.ledger = Ledger()
        self.left_out: list[str] = []
        """Fields that the server did not take, and that no longer are sent."""
        self.sent: list[str] = []
        """Fields of the newest request."""
        self._provider, self._settings, self._endpoint = provider, account.settings, account.endpoint
        self._key = account.key
        # Servers of others know the old name best.
        self._limit_field = "max_tokens" if account.endpoint.own else provider.max_tokens_field
        self._limit_renamed = False
        self._client: tuple[asyncio.AbstractEventLoop, Client] | None = None
        self._stopped: tuple[str, str] | None = None
        self._random = random.Random()

    def __repr__(self) -> str:
        return f"ApiPlayer({self.name!r})"

    @property
    def host(self) -> str:
        """The server's host, and its port where it is given."""
        return self._endpoint.host

    async def act(self, view: View) -> Reply:
        settings = self._settings
        messages = build_messages(settings.style, view)
        pace = pace_of(self.host, self.model, settings.concurrency)
        async with pace.slot():
            begin = time.monotonic()
            seconds = settings.deadline
            if settings.game_deadline is not None:
                seconds = min(seconds, max(0.0, settings.game_deadline - view.spent))
            asked = _Question(view, messages, upper_tokens(messages), begin + seconds, seconds)
            choice, usage = await self._answer(asked, pace)
            return self._reply(choice, usage, time.monotonic() - begin)

    async def close(self) -> None:
        if self._client is not None:
            loop, client = self._client
            self._client = None
            if loop is asyncio.get_running_loop():
                await client.close()

    async def _answer(self, asked: _Question, pace: Pace) -> tuple[dict[str, Any], Usage]:
        """The choice that answers, and its usage. Raises InfrastructureError after the deadline, or PlayerStopped."""
        tries = 0
        reason = "was not asked: no time was left"
        while time.monotonic() < asked.end:
            if self._stopped:
                raise PlayerStopped(*self._stopped)
            if tries:
                self.ledger.retried(self.name)
            found = await self._once(asked)
            if not isinstance(found, Failure):
                pace.answered()
                return found
            if found.kind == "stop":
                raise self._stop(found.reason, found.hint)
            if found.kind == "outcome":
                return _NOTHING | {"finish_reason": found.finish}, Usage()
            if found.kind == "field":
                self._give_way(found)
                continue
            if found.kind == "limited":
                pace.refused()
            tries += 1
            if tries == 1 or time.monotonic() < asked.end:  # what the end cut off says nothing
                reason = found.reason
            wait = backoff(tries, found.wait, self._random)
            await asyncio.sleep(max(0.0, min(wait, asked.end - time.monotonic())))
        raise InfrastructureError(
            f"{self.name}: no answer within {asked.seconds:,.4g} s; at last {self._endpoint.host} {reason}."
        )

    async def _once(self, asked: _Question) -> tuple[dict[str, Any], Usage] | Failure:
        """One request: the choice and its usage, or why there is none. The ledger knows of it before it is sent."""
        from arena.players._api.client import Broken

        body = self._body(asked)
        most = Usage(asked.tokens, self._settings.max_tokens)
        try:
            async with asyncio.timeout(asked.end - time.monotonic()):
                reservation = await self.ledger.reserve_soon(
                    self.name, self.model, most.prompt_tokens, most.completion_tokens
                )
        except TimeoutError:
            return Failure("retry", "was not asked: requests in flight may use up the limit")
        took: Usage | None = most
        try:
            answer = await self._send(body, asked.end)
            if not 200 <= answer.status < 300:
                took = None
                return of_status(answer.status, answer.headers, answer.text, self._may_change(body))
            data = read_body(answer.text)
            if isinstance(data, Failure):
                return data
            took = read_usage(data, most)
            return data["choices"][0], took
        except Broken as error:
            took = most if error.sent else None
            return Failure("stop" if error.fatal else "retry", error.reason)
        finally:
            if took is None:
                reservation.release()
            else:
                reservation.settle(took)

    async def _send(self, body: dict[str, Any], end: float) -> Any:
        from arena.players._api.client import Broken, Client

        loop = asyncio.get_running_loop()
        if self._client is None or self._client[0] is not loop:
            self._client = loop, Client(self._endpoint.base_url, self._key, self._endpoint.local)
        seconds = min(end - time.monotonic(), self._settings.timeout or float("inf"))
        try:
            async with asyncio.timeout(seconds):
                return await self._client[1].post(body)
        except TimeoutError:
            raise Broken(f"gave no answer within {max(0.0, seconds):,.3g} s") from None

    def _body(self, asked: _Question) -> dict[str, Any]:
        settings, view = self._settings, asked.view
        body: dict[str, Any] = {"model": self.model, "messages": asked.messages, self._limit_field: settings.max_tokens}
        if settings.temperature is not None:
            body["temperature"] = settings.temperature
        if settings.top_p is not None:
            body["top_p"] = settings.top_p
        if settings.seed is not None:
            own = derive_key(settings.seed, view.game, view.key, view.seat, view.turn, view.attempt)
            body[self._provider.seed_field] = own % 2**31
        body |= self._provider.reasoning(settings)
        body = {name: value for name, value in body.items() if name not in self.left_out}
        self.sent = list(body)
        return body

    def _may_change(self, body: dict[str, Any]) -> dict[str, str]:
        """Names that an error may use for a field of the body, and the field."""
        named = {name: name for name in body if name not in ("model", "messages")}
        return named | {name: field for name, field in self._provider.also_named.items() if field in body}

    def _give_way(self, failure: Failure) -> None:
        """Rename or leave out a field that the server does not take. Raises PlayerStopped where the user asked for it.

        Many requests may fail in the same way at once: the first changes what is sent, the others only try again.
        """
        field = failure.field
        if field in self.left_out or (field in _LIMIT_FIELDS and field != self._limit_field):
            return
        if field in _LIMIT_FIELDS and failure.finish != "length" and not self._limit_renamed:
            self._limit_field, self._limit_renamed = _LIMIT_FIELDS[field], True
            return
        option = {self._provider.seed_field: "seed", **dict.fromkeys(_LIMIT_FIELDS, "max_tokens")}.get(field, field)
        if option in self._settings.given or (field not in _LIMIT_FIELDS and not self._is_default(field)):
            too_long = failure.finish == "length"
            hint = "Give a smaller max_tokens." if too_long else f"Take what asks for {option} out of its spec."
            raise self._stop(failure.reason, hint)
        self.left_out.append(field)

    def _is_default(self, field: str) -> bool:
        """Whether a field is sent of our own accord."""
        return field in self._provider.reasoning(type(self._settings)())

    def _stop(self, reason: str, hint: str) -> PlayerStopped:
        self._stopped = f"{self.name}: {self._endpoint.host} {reason.rstrip('.')}.", hint
        return PlayerStopped(*self._stopped)

    def _reply(self, choice: dict[str, Any], usage: Usage, seconds: float) -> Reply:
        message = choice.get("message")
        message = message if isinstance(message, dict) else {}
        finish = one_line(str(choice.get("finish_reason") or "stop"), 40)
        found = capture(message, self._provider.thought_kind, usage.reasoning_tokens)
        return Reply(
            text=found.text,
            thought=found.thought,
            answer="" if finish in _NO_ANSWER else found.answer,
            finish_reason=finish,
            usage=usage,
            seconds=seconds,
            thought_source=found.source,
            thought_kind=found.kind,
        )
