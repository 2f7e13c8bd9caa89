"""Servers of language models on loopback, as real processes: ours, and `transformers serve`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, cast

from arena.core.events import IllegalReply, TurnTaken
from arena.core.match import play
from arena.core.player import Player
from arena.core.registry import GameSpec, load_player

TINY = Path(__file__).parents[1] / "assets" / "models" / "tiny"
_START_SECONDS = 120.0


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    url: str
    """With `/v1`."""
    model: str
    process: subprocess.Popen[str]

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
        """Status and body of a GET; `path` begins after the host."""
        return ask(urllib.request.Request(self.url.removesuffix("/v1") + path, headers=headers))

    def post(self, body: object, **headers: str) -> tuple[int, dict[str, Any]]:
        """Status and body of a chat completion; bytes are sent as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"}
        return ask(urllib.request.Request(f"{self.url}/chat/completions", data, kind | headers))


def ask(request: urllib.request.Request) -> tuple[int, dict[str, Any]]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return answer.status, cast("dict[str, Any]", json.load(answer))
    except urllib.error.HTTPError as error:
        with error:
            return error.code, cast("dict[str, Any]", json.load(error))


def serve(player: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "arena", "serve", player, "--port", "0", "--json", *options]


@contextmanager
def started(command: list[str], log: Path, **environment: str) -> Iterator[Server]:
    """Our server from its command line; its stderr goes to `log`. Stopped in the end."""
    with _process(command, log, **environment) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log.read_text()
        told = json.loads(line)
        yield Server(told["url"], told["model"], process)


@contextmanager
def transformers_serve(model: Path, log: Path, *options: str, **environment: str) -> Iterator[Server]:
    """`transformers serve MODEL`; killed in the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cache = log.parent / "cache"
    cache.mkdir(exist_ok=True)
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(model), "--device", "cpu"]
    command += ["--dtype", "float32", "--host", "127.0.0.1", "--port", str(port), *options]
    offline = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    with _process(command, log, **(offline | environment)) as process:
        server = Server(f"http://127.0.0.1:{port}/v1", str(model), process)
        deadline = time.monotonic() + _START_SECONDS
        while not _healthy(server):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield server


def _healthy(server: Server) -> bool:
    try:
        return server.get("/health")[0] == 200
    except OSError:
        return False


@contextmanager
def _process(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    with log.open("w") as err:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=err, text=True, start_new_session=True
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=30)


def tournament(player: str, out: Path, pairs: int = 3) -> dict[str, Any]:
    """Result of a whole tournament of `random` and the player, a process of its own."""
    command = [sys.executable, "-m", "arena", "tournament", "--player", "random", "--player", player, "--json"]
    command += ["--game", "tictactoe", "--game", "kuhn_poker", "--pairs", str(pairs), "--seed", "3", "--out", str(out)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    return cast("dict[str, Any]", json.loads(result.stdout))


def turns_of(player: Player, keys: Iterable[int]) -> list[tuple[str, str]]:
    """Thought and answer of all of the player's turns in matches with `random`, from either seat."""

    async def matches() -> list[tuple[str, str]]:
        found = []
        for game, key, seat in product(("tictactoe", "kuhn_poker"), keys, (0, 1)):
            pair = (player, load_player("random"))
            async for event in play(GameSpec.parse(game), pair if seat == 0 else pair[::-1], key):
                if isinstance(event, TurnTaken | IllegalReply) and event.seat == seat:
                    found.append((event.reply.thought, event.reply.answer))
        await player.close()
        return found

    return asyncio.run(matches())
