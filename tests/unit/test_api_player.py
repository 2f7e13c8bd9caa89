"""API players against a server on loopback: what they send, what they make of the reply, and when they give up."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import random
import socket
import time
import tracemalloc
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest
from tiny_api import TinyApi, Written, error, said, tiny_api

from arena.core.errors import InfrastructureError, PlayerStopped
from arena.core.events import MatchEnded, Void
from arena.core.ledger import Ledger
from arena.core.match import make_view, play
from arena.core.player import Reply, Usage, View
from arena.core.registry import GameSpec, load_player
from arena.players._api import client, pace, waiting
from arena.players._api.player import ApiPlayer
from arena.players.random import RandomPlayer

GAME = GameSpec.parse("tictactoe")
GOOD = said("<think>centre</think>\\boxed{4}")
Replies = Callable[[int, dict[str, Any]], Written | None] | Written


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of milliseconds, and no key of the machine's own."""
    monkeypatch.setattr(waiting, "BASE_SECONDS", 0.002)
    monkeypatch.setattr(waiting, "CAP_SECONDS", 0.02)
    for name in ("OPENAI", "GEMINI", "MISTRAL", "OPENROUTER", "VLLM"):
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)


def view(key: int = 3, **changes: Any) -> View:
    return make_view(GAME, GAME.new(key), RandomPlayer(), key, **changes)


def player(api: TinyApi, options: str = "deadline=10", backend: str = "openai") -> ApiPlayer:
    return cast(ApiPlayer, load_player(f"{backend}:some/model@{api.url}?{options}"))


def ask(replies: Replies, options: str = "deadline=10", backend: str = "openai") -> tuple[Reply, TinyApi, ApiPlayer]:
    """One reply of a player whose server answers like this."""

    async def run() -> tuple[Reply, TinyApi, ApiPlayer]:
        async with tiny_api(replies) as api:
            one = player(api, options, backend)
            try:
                return await one.act(view()), api, one
            finally:
                await one.close()

    return asyncio.run(run())


def after(*first: Written | None) -> Callable[[int, dict[str, Any]], Written | None]:
    """These replies, then good ones."""
    return lambda number, body: first[number] if number < len(first) else GOOD


# What is sent, and what becomes of a good reply


def test_a_good_reply_is_taken_apart_and_booked() -> None:
    reply, api, one = ask(GOOD, "deadline=10&temperature=0.5&top_p=0.9&max_tokens=100")
    assert (reply.thought, reply.answer, reply.finish_reason) == ("centre", "4", "stop")
    assert (reply.thought_source, reply.thought_kind) == ("think", "raw")
    assert reply.usage == Usage(7, 5)
    assert reply.seconds > 0
    assert api.paths == ["/v1/chat/completions"]
    body = dict(api.bodies[0])
    assert [message["role"] for message in body.pop("messages")] == ["system", "user"]
    assert body == {"model": "some/model", "max_tokens": 100, "temperature": 0.5, "top_p": 0.9}
    (account,) = one.ledger.accounts()
    assert (account.requests, account.retries, account.prompt_tokens, account.completion_tokens) == (1, 0, 7, 5)


@pytest.mark.parametrize(
    ("backend", "options", "fields"),
    [
        ("openai", "seed=1&reasoning_effort=low", {"reasoning_effort": "low"}),
        ("mistral", "seed=1&reasoning_effort=high", {"reasoning_effort": "high"}),
        ("gemini", "reasoning_effort=none", {
            "reasoning_effort": "none",
            "extra_body": {"google": {"thinking_config": {"include_thoughts": True}}},
        }),
        ("gemini", "thinking=false", {}),
        ("openrouter", "thinking=true&reasoning_effort=high", {"reasoning": {"enabled": True, "effort": "high"}}),
        ("vllm", "thinking=false", {"chat_template_kwargs": {"enable_thinking": False}}),
    ],
)  # fmt: skip
def test_each_provider_gets_the_fields_that_it_knows(backend: str, options: str, fields: dict[str, Any]) -> None:
    _, api, _ = ask(GOOD, options, backend)
    body = api.bodies[0]
    seed = body.pop("random_seed" if backend == "mistral" else "seed", None)
    assert (seed is not None) == ("seed=" in options)
    assert {name: body[name] for name in body if name not in ("model", "messages", "max_tokens")} == fields


def test_every_request_has_a_seed_of_its_own_and_the_same_one_again() -> None:
    async def seeds() -> list[int]:
        async with tiny_api(GOOD) as api:
            one = player(api, "seed=1")
            for seen in (view(), view(4), view(turn=2), view(attempt=1)):
                await one.act(seen)
            await one.close()
            return [body["seed"] for body in api.bodies]

    first = asyncio.run(seeds())
    assert len(set(first)) == 4
    assert first == asyncio.run(seeds())


def test_only_our_own_headers_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-usual")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-canary-admin")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-canary")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Canary: sk-canary-custom")
    monkeypatch.setenv("GEMINI_API_KEY", "sk-gemini")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    _, api, _ = ask(GOOD, "deadline=10", "gemini")
    assert api.headers[0]["authorization"] == "Bearer sk-gemini"
    assert "canary" not in str(api.headers)
    monkeypatch.delenv("GEMINI_API_KEY")
    _, api, _ = ask(GOOD, "deadline=10", "gemini")
    assert "authorization" not in api.headers[0]


def test_list_content_reasoning_fields_and_counted_thoughts_are_told_apart() -> None:
    listed = said([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "[4]"}])
    reply, _, _ = ask(listed, backend="mistral")
    assert (reply.thought, reply.answer, reply.thought_source) == ("hm", "[4]", "content")
    reply, _, _ = ask(said("[4]", reasoning="hm"), backend="vllm")
    assert (reply.thought, reply.answer, reply.thought_source, reply.thought_kind) == ("hm", "[4]", "reasoning", "raw")
    data = json.loads(said("[4]")[2])
    data["usage"]["completion_tokens_details"] = {"reasoning_tokens": 3}
    reply, _, _ = ask((200, {}, json.dumps(data).encode()))
    assert (reply.thought, reply.thought_kind, reply.usage) == ("", "hidden", Usage(7, 5, 3))


def test_thought_tokens_that_only_the_total_counts_are_counted() -> None:
    data = json.loads(said("[4]")[2])
    data["usage"] = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 52}
    reply, _, _ = ask((200, {}, json.dumps(data).encode()), backend="gemini")
    assert reply.usage == Usage(10, 42, 40)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "many"}, {"prompt_tokens": -1}, [3], 10**30])
def test_usage_that_is_not_told_is_counted_by_what_can_be_seen(usage: Any) -> None:
    data = json.loads(said("[4]")[2]) | {"usage": usage}
    reply, _, one = ask((200, {}, json.dumps(data).encode()))
    assert 100 < reply.usage.prompt_tokens < 1000
    assert 0 < reply.usage.completion_tokens < 100
    assert one.ledger.accounts()[0].completion_tokens == reply.usage.completion_tokens


# What is tried again


TRANSIENT: dict[str, Written | None] = {
    "408": error(408, {}),
    "429": error(429, {"error": {"message": "slow down"}}),
    "429 with a wait": error(429, {}, retry_after="0.01"),
    "500": error(500, {"error": {"message": "boom"}}),
    "503 in an array": error(503, [{"error": {"code": 503, "message": "overloaded"}}]),
    "hangs up": None,
    "html": (200, {"content-type": "text/html"}, b"<html>hello</html>"),
    "bare text": (200, {}, b'"hello"'),
    "nothing": (204, {}, b""),
    "no choices": (200, {}, b'{"choices": []}'),
    "error inside": (200, {}, b'{"error": {"code": 502, "message": "upstream"}}'),
    "no message": (200, {}, b'{"choices": [{"finish_reason": "stop"}]}'),
    "cut short": (200, {"content-length": "5000"}, b'{"choices": ['),
    "not the length it says": (200, {"content-length": "3"}, b'{"choices": ['),
    "bad packing": (200, {"content-encoding": "gzip"}, b"no gzip"),
    "strange packing": (200, {"content-encoding": "br"}, b"no"),
}


@pytest.mark.parametrize("trouble", TRANSIENT.values(), ids=TRANSIENT)
def test_trouble_of_the_moment_costs_nothing_but_time(trouble: Written | None) -> None:
    def replies(number: int, body: dict[str, Any]) -> Written | None:
        return trouble if number < 2 else GOOD

    if trouble is not None and trouble[1].get("content-length") == "5000":

        def replies(number: int, body: dict[str, Any]) -> Written | None:
            # The connection has to end for the reply to be short.
            return (200, {"content-length": "5000", "connection": "close"}, b"{") if number < 1 else GOOD

        reply, api, one = ask(replies, "deadline=10&timeout=0.3")
    else:
        reply, api, one = ask(replies)
    assert reply.answer == "4"
    assert one.ledger.accounts()[0].retries == len(api.bodies) - 1 > 0


def test_a_packed_reply_is_read_though_none_was_asked_for() -> None:
    status, headers, body = GOOD
    reply, api, _ = ask((status, headers | {"content-encoding": "gzip"}, gzip.compress(body)))
    assert reply.answer == "4"
    assert api.headers[0]["accept-encoding"] == "identity"


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_a_reply_without_end_is_cut_off_while_it_arrives(packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_BYTES", 100_000)
    flood = b" " * 3_000_000
    sent = (200, {"content-encoding": "gzip"}, gzip.compress(flood)) if packed else (200, {}, flood)
    reply, _, _ = ask(after(sent))
    assert reply.answer == "4"
    with pytest.raises(InfrastructureError, match="more than"):
        ask(sent, "deadline=0.3")


def test_a_packed_flood_is_never_unpacked_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_BYTES", 100_000)
    bomb = gzip.compress(b" " * 40_000_000)
    assert len(bomb) < 60_000
    ask(GOOD)
    tracemalloc.start()
    try:
        ask(after((200, {"content-encoding": "gzip"}, bomb)))
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_what_may_have_been_worked_for_is_booked_as_the_most_and_errors_as_nothing() -> None:
    _, _, one = ask(after(None), "max_tokens=100&deadline=10")
    (account,) = one.ledger.accounts()
    assert (account.requests, account.completion_tokens) == (2, 105)
    _, _, one = ask(after(error(503, {}), error(429, {})), "max_tokens=100&deadline=10")
    (account,) = one.ledger.accounts()
    assert (account.requests, account.retries, account.completion_tokens) == (1, 2, 5)


def test_an_outage_shorter_than_the_deadline_costs_nothing() -> None:
    async def run() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        one = cast(ApiPlayer, load_player(f"openai:m@http://127.0.0.1:{port}/v1?deadline=20"))
        acting = asyncio.ensure_future(one.act(view()))
        await asyncio.sleep(0.3)
        assert not acting.done()
        api = TinyApi(lambda number, body: GOOD)
        server = await asyncio.start_server(api.serve, "127.0.0.1", port)
        assert (await acting).answer == "4"
        (account,) = one.ledger.accounts()
        assert (account.requests, account.prompt_tokens) == (1, 7)
        await one.close()
        server.close()

    asyncio.run(run())


def test_after_the_deadline_the_match_is_void_and_says_why() -> None:
    begin = time.monotonic()
    with pytest.raises(InfrastructureError, match=r"no answer within 0.4 s.*answered 503: boom") as caught:
        ask(error(503, {"error": {"message": "boom"}}), "deadline=0.4")
    assert 0.35 < time.monotonic() - begin < 3
    assert not isinstance(caught.value, PlayerStopped)


def test_a_server_that_never_answers_is_given_up_at_the_deadline() -> None:
    async def run() -> None:
        async with tiny_api(GOOD) as api:
            api.seconds = 30
            one = player(api, "deadline=0.3")
            begin = time.monotonic()
            with pytest.raises(InfrastructureError, match="gave no answer"):
                await one.act(view())
            assert time.monotonic() - begin < 2
            tried = player(api, "deadline=0.5&timeout=0.1")
            with pytest.raises(InfrastructureError):
                await tried.act(view())
            assert len(api.bodies) >= 4
            await one.close()
            await tried.close()

    asyncio.run(run())


def test_the_time_for_a_match_is_shared_by_its_turns() -> None:
    async def run() -> None:
        async with tiny_api(GOOD) as api:
            api.seconds = 0.2
            one = player(api, "game_deadline=0.7")
            events = [event async for event in play(GAME, (one, RandomPlayer()), 3, retries=9)]
            assert isinstance(events[-1], Void)
            assert "no answer within" in events[-1].reason
            await one.close()

    asyncio.run(run())


def test_waiting_for_a_slot_does_not_use_up_the_deadline() -> None:
    async def run() -> None:
        async with tiny_api(GOOD) as api:
            api.seconds = 0.2
            one = player(api, "deadline=0.6&concurrency=1")
            replies = await asyncio.gather(*(one.act(view(key)) for key in range(6)))
            assert [reply.answer for reply in replies] == ["4"] * 6
            assert max(reply.seconds for reply in replies) < 0.6
            await one.close()

    asyncio.run(run())


# What is not tried again


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (error(401, {"error": {"message": "Incorrect API key provided"}}), "key"),
        (error(403, {"error": {"message": "no access"}}), "key"),
        (error(404, {"error": {"message": "The model does not exist"}}), "model"),
        (error(402, {"error": {"message": "Insufficient credits"}}), "credit"),
        (error(429, {"error": {"message": "free-models-per-day"}}), "day"),
        (error(400, {"error": {"message": "no"}}), "request"),
        (error(301, {}), "base URL"),
    ],
)
def test_what_no_retry_mends_stops_the_player_for_good(written: Written, words: str) -> None:
    async def run() -> None:
        async with tiny_api(written) as api:
            one = player(api)
            for _ in range(2):
                with pytest.raises(PlayerStopped, match=words) as caught:
                    await one.act(view())
                assert "\n" not in str(caught.value)
            assert len(api.bodies) == 1
            assert sum(account.prompt_tokens for account in one.ledger.accounts()) == 0
            await one.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("written", "finish"),
    [
        (said("I think that \\boxed{4} may", "length"), "length"),
        (said("\\boxed{4}", "content_filter"), "content_filter"),
        (said(None, "length"), "length"),
        (said(""), "stop"),
        (said(None), "stop"),
        ((200, {}, b'{"choices": [{"message": null, "finish_reason": "length"}]}'), "length"),
        ((200, {}, b'{"choices": [{"message": "4", "finish_reason": "length"}]}'), "length"),
        (error(400, {"error": {"message": "x", "code": "content_filter"}}), "content_filter"),
    ],
)
def test_a_reply_that_ends_without_an_answer_is_the_models_own(written: Written, finish: str) -> None:
    reply, api, _ = ask(written)
    assert (reply.answer, reply.finish_reason, len(api.bodies)) == ("", finish, 1)


def test_such_replies_forfeit_the_match() -> None:
    async def run() -> None:
        async with tiny_api(said("\\boxed{", "length")) as api:
            one = player(api)
            events = [event async for event in play(GAME, (one, RandomPlayer()), 3)]
            assert isinstance(events[-1], MatchEnded)
            assert events[-1].forfeit == 0
            assert len(api.bodies) == 2
            await one.close()

    asyncio.run(run())


# Fields that a server does not take


def test_the_limits_other_name_is_tried_once() -> None:
    def replies(number: int, body: dict[str, Any]) -> Written:
        if "max_tokens" in body:
            return error(400, {"error": {"message": "Unsupported parameter: 'max_tokens'", "param": "max_tokens"}})
        return GOOD

    _, api, one = ask(replies)
    assert api.bodies[1]["max_completion_tokens"] == 8192
    assert one.left_out == []


def test_a_server_that_takes_neither_name_fills_its_own_limit_or_stops_who_asked_for_one() -> None:
    def replies(number: int, body: dict[str, Any]) -> Written:
        found = [name for name in body if "tokens" in name]
        return error(422, {"detail": [{"loc": ["body", found[0]], "msg": "extra"}]}) if found else GOOD

    _, api, one = ask(replies)
    assert (len(api.bodies), one.left_out) == (3, ["max_completion_tokens"])
    with pytest.raises(PlayerStopped, match="max_tokens out of its spec"):
        ask(replies, "max_tokens=100")


def test_what_we_send_of_our_own_accord_is_left_out_where_it_is_refused() -> None:
    def replies(number: int, body: dict[str, Any]) -> Written:
        if "extra_body" in body:
            return error(400, [{"error": {"code": 400, "message": "Thinking is not supported by this model"}}])
        return GOOD

    reply, api, one = ask(replies, backend="gemini")
    assert reply.answer == "4"
    assert (len(api.bodies), one.left_out) == (2, ["extra_body"])


def test_a_context_smaller_than_our_limit_is_the_servers_to_fill() -> None:
    def replies(number: int, body: dict[str, Any]) -> Written:
        if "max_tokens" in body:
            return error(400, {"error": {"message": "This model's maximum context length is 4096 tokens"}})
        return GOOD

    _, api, _ = ask(replies, backend="vllm")
    assert len(api.bodies) == 2
    with pytest.raises(PlayerStopped, match="smaller max_tokens"):
        ask(replies, "max_tokens=9000", "vllm")


def test_a_field_that_the_user_asked_for_is_never_dropped_in_silence() -> None:
    refused = error(400, {"error": {"message": "'temperature' is not supported", "param": "temperature"}})
    with pytest.raises(PlayerStopped, match="temperature"):
        ask(refused, "temperature=0")
    detail = [{"type": "extra_forbidden", "loc": ["body", "random_seed"], "msg": "Extra inputs are not permitted"}]
    with pytest.raises(PlayerStopped, match="seed"):
        ask(error(422, {"detail": detail}), "seed=1", "mistral")


def test_many_requests_that_fail_alike_change_what_is_sent_once() -> None:
    def replies(number: int, body: dict[str, Any]) -> Written:
        if "max_tokens" in body:
            return error(400, {"error": {"message": "use max_completion_tokens", "param": "max_tokens"}})
        return GOOD

    async def run() -> None:
        async with tiny_api(replies) as api:
            api.seconds = 0.05
            one = player(api)
            found = await asyncio.gather(*(one.act(view(key)) for key in range(15)))
            assert [reply.answer for reply in found] == ["4"] * 15
            assert len(api.bodies) == 30
            await one.close()

    asyncio.run(run())


# Keys


SPILLS: dict[str, Callable[[str], Written]] = {
    "401": lambda key: error(401, {"error": {"message": f"bad key {key}\n\x1b]52;c;{key}\x07"}}),
    "500": lambda key: error(500, {"error": {"message": f"at Bearer {key}"}}),
    "html": lambda key: (200, {}, f"<html>{key}</html>".encode()),
    "429": lambda key: error(429, {"error": {"message": f"{key} used its daily quota"}}),
    "field": lambda key: error(422, {"detail": [{"loc": ["body", "x"], "msg": key}]}),
}


@pytest.mark.parametrize("spill", SPILLS.values(), ids=SPILLS)
def test_no_text_of_ours_holds_a_key(
    spill: Callable[[str], Written], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    canary = "sk-canary-0123456789"
    monkeypatch.setenv("OPENAI_API_KEY", canary)
    monkeypatch.setenv("OPENAI_LOG", "debug")
    caplog.set_level(logging.DEBUG)
    with pytest.raises(InfrastructureError) as caught:
        ask(spill(canary), "deadline=0.1")
    told = f"{caught.value!s} {caught.value!r} {caught.value.__cause__!r} {caplog.text}"
    assert canary not in told
    assert "\x1b" not in told


def test_a_reply_that_repeats_the_key_is_scrubbed_before_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-echo")
    reply, _, _ = ask(said("sk-canary-echo \\boxed{4}", reasoning="sk-canary-echo"))
    assert "canary" not in f"{reply}"
    assert reply.answer == "4"


# Limits


def test_a_limit_stops_a_player_only_when_nothing_in_flight_may_still_leave_room() -> None:
    async def run() -> None:
        async with tiny_api(GOOD) as api:
            api.seconds = 0.02
            one = player(api, "max_tokens=300")
            one.ledger = Ledger(max_tokens=1500)
            found = await asyncio.gather(*(one.act(view(key)) for key in range(40)), return_exceptions=True)
            assert [reply.answer for reply in found if isinstance(reply, Reply)] == ["4"] * 40
            (account,) = one.ledger.accounts()
            spent = account.prompt_tokens + account.completion_tokens
            assert spent == 40 * 12
            while spent <= 1500 - 476:  # what another request may take
                await one.act(view())
                spent += 12
            with pytest.raises(PlayerStopped, match="1,500"):
                await one.act(view())
            one.ledger = Ledger(max_tokens=3000)
            assert (await one.act(view())).answer == "4"
            await one.close()

    asyncio.run(run())


# Many at once, and ends


def test_cancelled_replies_give_back_their_slots_and_count_as_spent() -> None:
    async def run() -> None:
        async with tiny_api(GOOD) as api:
            api.seconds = 5
            one = player(api, "concurrency=4&max_tokens=10")
            acting = [asyncio.ensure_future(one.act(view(key))) for key in range(8)]
            await asyncio.sleep(0.2)
            for task in acting:
                task.cancel()
            found = await asyncio.gather(*acting, return_exceptions=True)
            assert all(isinstance(one_found, asyncio.CancelledError) for one_found in found)
            assert pace.pace_of(one.host, one.model).busy == 0
            (account,) = one.ledger.accounts()
            assert account.completion_tokens == 40
            api.seconds = 0
            assert (await one.act(view())).answer == "4"
            await one.close()

    asyncio.run(run())


def test_a_player_works_in_one_event_loop_after_another() -> None:
    players: list[ApiPlayer] = []

    async def run(end: Coroutine[Any, Any, None] | None = None) -> str:
        async with tiny_api(GOOD) as api:
            if not players:
                players.append(player(api))
            one = players[0]
            one._endpoint = one._endpoint._replace(base_url=api.url)
            return (await one.act(view())).answer

    assert [asyncio.run(run()), asyncio.run(run())] == ["4", "4"]


def test_a_server_with_room_for_few_is_asked_by_few_and_loses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "COOLDOWN_SECONDS", 0.05)
    inside = 0

    async def run() -> None:
        nonlocal inside
        refused = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal inside, refused
            inside += 1
            try:
                if inside > 5:
                    refused += 1
                    await TinyApi(lambda number, body: error(429, {}) if inside > 5 else GOOD).serve(reader, writer)
                else:
                    await TinyApi(lambda number, body: GOOD, seconds=0.02).serve(reader, writer)
            finally:
                inside -= 1

        async with tiny_api(GOOD) as api:
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            api.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            one = player(api, "deadline=30")
            replies = await asyncio.gather(*(one.act(view(key)) for key in range(80)))
            assert [reply.answer for reply in replies] == ["4"] * 80
            assert refused > 0
            assert pace.pace_of(one.host, one.model).limit < 20
            await one.close()
            server.close()

    asyncio.run(run())


@pytest.mark.parametrize("seed", range(6))
def test_after_any_run_of_faults_nothing_is_left_reserved_or_held(seed: int) -> None:
    rng = random.Random(seed)
    faults = [*TRANSIENT.values(), GOOD, said("", "length"), said(None)]

    def replies(number: int, body: dict[str, Any]) -> Written | None:
        return rng.choice(faults) if number < 40 else GOOD

    async def run() -> None:
        async with tiny_api(replies) as api:
            one = player(api, "deadline=20&timeout=0.2&max_tokens=100")
            one.ledger = Ledger(max_tokens=1_000_000)
            acting = [asyncio.ensure_future(one.act(view(key))) for key in range(20)]
            await asyncio.sleep(rng.random() * 0.05)
            for task in rng.sample(acting, 5):
                task.cancel()
            found = await asyncio.gather(*acting, return_exceptions=True)
            assert all(isinstance(reply, Reply | asyncio.CancelledError) for reply in found)
            assert pace.pace_of(one.host, one.model).busy == 0
            spent = sum(account.prompt_tokens + account.completion_tokens for account in one.ledger.accounts())
            one.ledger.reserve("all that is left", "", 1_000_000 - spent, 0).release()
            assert (await one.act(view())).answer == "4"
            await one.close()

    asyncio.run(run())


def test_refusals_for_rate_lower_the_pace_and_errors_do_not() -> None:
    async def limit(trouble: Written) -> int:
        async with tiny_api(after(trouble, trouble)) as api:
            one = player(api)
            await one.act(view())
            await one.close()
            return pace.pace_of(one.host, one.model).limit

    assert asyncio.run(limit(error(429, {}))) == 16
    assert asyncio.run(limit(error(503, {}))) == 20
