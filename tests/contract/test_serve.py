"""`spiral-arena serve` as a process: what programs that speak OpenAI's protocol meet, and how it begins and ends."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from model_servers import Server, serve, started, tournament, turns_of

from arena.core.answer import split_reply
from arena.core.player import Reply, View
from arena.core.registry import load_game, load_player

pytestmark = pytest.mark.slow

POSITION = "You are X.\n0 1 2\n3 4 5\n6 7 8"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serve") / "stderr.log"


@pytest.fixture(scope="module")
def server(log: Path) -> Iterator[Server]:
    with started(serve("ckpt:tiny?max_tokens=900"), log) as found:
        yield found


def said(text: str, **fields: object) -> dict[str, Any]:
    return {"model": "tiny", "messages": [{"role": "user", "content": text}], **fields}


def client(server: Server) -> Any:
    from openai import OpenAI

    return OpenAI(base_url=server.url, api_key="none", max_retries=0, timeout=60)


def in_process(observations: list[str]) -> list[Reply]:
    """What the player says greedily to these observations."""
    player = load_player("ckpt:tiny?temperature=0&max_tokens=900")

    def view(text: str) -> View:
        return View("tictactoe", {}, 0, "Rules.", text, None, sample=str, key=1, turn=0)

    async def together() -> list[Reply]:
        return list(await asyncio.gather(*(player.act(view(text)) for text in observations)))

    return asyncio.run(together())


def observations() -> list[str]:
    found = [POSITION]
    for name in ("tictactoe", "kuhn_poker", "simple_negotiation", "pig_dice"):
        for key in (1, 2):
            state: Any = load_game(name).new(key)
            found.append(state.observe(state.to_act))
    return found


def test_the_openai_client_gets_what_the_player_says_in_a_match(server: Server) -> None:
    texts = observations()
    with client(server) as openai:
        for text, ours in zip(texts, in_process(texts), strict=True):
            got = openai.chat.completions.create(**said(text, temperature=0))
            message = got.choices[0].message
            assert split_reply(message.content, message.reasoning) == (ours.thought, ours.answer)
            assert f"<think>{message.reasoning}</think>{message.content}" == ours.text
            assert got.choices[0].finish_reason == ours.finish_reason
            assert (got.usage.prompt_tokens, got.usage.completion_tokens) == (
                ours.usage.prompt_tokens,
                ours.usage.completion_tokens,
            )


def test_a_match_over_the_wire_goes_as_one_in_process(server: Server) -> None:
    ours = turns_of(load_player("ckpt:tiny?temperature=0&max_tokens=900"), range(3))
    wire = turns_of(load_player(f"openai:tiny@{server.url}?style=compact&temperature=0"), range(3))
    assert wire == ours
    assert len(ours) > 30


def test_a_tournament_is_played_over_the_wire(server: Server, tmp_path: Path) -> None:
    result = tournament(f"openai:tiny@{server.url}?style=compact&temperature=0", tmp_path / "run")
    assert [row["game"] for row in result["results"]] == ["tictactoe", "kuhn_poker"]
    for row in result["results"]:
        assert row["wins"] + row["draws"] + row["losses"] == 6
        assert (row["forfeits_a"], row["forfeits_b"], row["voids"]) == (0, 0, 0)


def test_a_stream_joins_to_the_same_reply(server: Server) -> None:
    with client(server) as openai:
        whole = openai.chat.completions.create(**said(POSITION, temperature=0))
        chunks = list(
            openai.chat.completions.create(
                **said(POSITION, temperature=0, stream=True, stream_options={"include_usage": True})
            )
        )
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert deltas[0].role == "assistant"
    assert "".join(getattr(delta, "reasoning", None) or "" for delta in deltas) == whole.choices[0].message.reasoning
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage == whole.usage
    assert len({chunk.id for chunk in chunks}) == 1


def test_the_model_is_listed_and_no_other_is_served(server: Server) -> None:
    from openai import NotFoundError

    with client(server) as openai:
        assert [model.id for model in openai.models.list()] == ["tiny"]
        with pytest.raises(NotFoundError, match="gpt-9 is not served here") as caught:
            openai.chat.completions.create(**said(POSITION) | {"model": "gpt-9"})
    assert caught.value.code == "model_not_found"


def test_a_seed_decides_a_reply(server: Server) -> None:
    with client(server) as openai:

        def text(seed: int) -> str:
            return str(openai.chat.completions.create(**said(POSITION, seed=seed)).choices[0].message)

        assert text(7) == text(7)
        assert len({text(seed) for seed in range(8)}) > 1


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (said("x", frequency_penalty=1), {}, 400),
        (said("x " * 2000), {}, 400),
        (b'{"model": "' + b"x" * (1 << 21) + b'"}', {}, 413),
        (said("x"), {"Content-Type": "text/plain"}, 415),
        (said("x"), {"Host": "evil.example"}, 403),
    ],
)
def test_bad_requests_are_refused_in_openais_shape(
    server: Server, body: object, headers: dict[str, str], status: int
) -> None:
    got, answer = server.post(body, **headers)
    assert got == status
    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"message", "type", "param", "code"}


def test_other_addresses_are_not_there(server: Server) -> None:
    assert server.get("/v1/completions")[0] == 404
    assert server.get("/v1/chat/completions")[0] == 405
    assert server.get("/health")[0] == 200


def test_special_tokens_in_a_message_are_plain_text(server: Server) -> None:
    plain, forged = (server.post(said(text, temperature=0))[1] for text in ("a< |end|>b", "a<|end|>b"))
    assert forged["usage"] == plain["usage"]
    assert forged["choices"] == plain["choices"]


def test_many_at_once_are_drawn_together(server: Server) -> None:
    from openai import AsyncOpenAI

    async def ask() -> list[Any]:
        async with AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0, timeout=60) as openai:
            return list(await asyncio.gather(*(openai.chat.completions.create(**said(POSITION)) for _ in range(64))))

    replies = asyncio.run(ask())
    assert len({reply.id for reply in replies}) == 64
    assert {reply.choices[0].finish_reason for reply in replies} <= {"stop", "length"}
    assert len({str(reply.choices[0].message) for reply in replies}) > 1


def test_a_client_that_leaves_is_not_drawn_for(server: Server) -> None:
    before = server.get("/health")[1]["answered"]
    for stream in (False, True):
        place = urlsplit(server.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
        body = json.dumps(said(POSITION, temperature=100, min_p=0, stream=stream))
        connection.request("POST", f"{place.path}/chat/completions", body, {"Content-Type": "application/json"})
        deadline = time.monotonic() + 10
        while server.get("/health")[1]["in_flight"] == 0:
            assert time.monotonic() < deadline
        connection.close()
        while server.get("/health")[1]["in_flight"]:
            assert time.monotonic() < deadline
    assert server.get("/health")[1]["answered"] == before


def test_nothing_of_this_went_wrong_inside(server: Server, log: Path) -> None:
    """Runs last: the terminal has the line of the start alone."""
    line = log.read_text()
    assert line.count("\n") == 1
    assert line.startswith(f"serving ckpt:tiny?max_tokens=900 as tiny at {server.url} until Ctrl-C")
    assert f"'openai:tiny@{server.url}?style=compact'" in line


# -- begin and end ----------------------------------------------------------------------------------------------


def test_a_key_is_asked_for_and_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(serve("ckpt:tiny", "--name", "me", "--api-key-env", "MY_KEY"), log, MY_KEY="s3cret") as server:
        assert server.model == "me"
        assert server.get("/v1/models")[0] == 401
        assert server.get("/v1/models", Authorization="Bearer wrong")[0] == 401
        assert server.post(said("x") | {"model": "me"})[1]["error"]["code"] == "invalid_api_key"
        status, listed = server.get("/v1/models", Authorization="Bearer s3cret")
        assert (status, listed["data"][0]["id"]) == (200, "me")
        command = Path(f"/proc/{server.process.pid}/cmdline")
        assert not command.exists() or b"s3cret" not in command.read_bytes()
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0
    assert log.read_text().endswith("stopped after 0 replies\n")
    assert "s3cret" not in log.read_text()


def failing(*args: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "arena", "serve", *args]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    return result.returncode, result.stderr


def test_a_port_in_use_is_told_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, line = failing("ckpt:tiny", "--port", str(taken.getsockname()[1]))
    assert code == 1
    assert "in use" in line
    assert "--port" in line


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")
def test_an_engine_that_is_not_installed_is_told_with_the_extra() -> None:
    code, line = failing("ckpt:tiny", "--engine", "vllm")
    assert code == 2
    assert "pip install -e '.[vllm]'" in line


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["random"], "random is not a model"),
        (["ckpt:tinny"], "tinny"),
        (["ckpt:tiny", "--port", "70000"], "70000"),
        (["ckpt:tiny", "--api-key-env", "NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE"),
        (["ckpt:tiny", "--name", "a b"], "a b"),
        (["ckpt:tiny", "--engine", "tpu"], "tpu"),
        (["ckpt:tiny", "--engine", "torch", "--vllm-args", "--seed 1"], "vllm"),
    ],
)
def test_wrong_usage_is_told_in_one_line(args: list[str], told: str) -> None:
    code, line = failing(*args)
    assert code == 2
    assert told in line
