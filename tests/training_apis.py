"""For tests of trainings with players behind APIs: a server in a thread, its players, what a run stored of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers.fault_server import FaultServer
from training_runs import finish

from arena.core.ledger import Account
from arena.runs.reader import RunReader
from training.__main__ import main

KEY = "canary-5e7d0c0ffee"


@contextmanager
def serving(server: FaultServer) -> Iterator[FaultServer]:
    """The server in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.down(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def spec(api: FaultServer, model: str = "m") -> str:
    return f"openai:{model}@{api.url}?max_tokens=64&deadline=20"


def run(run_dir: Path, ranks: int, *args: str, code: int = 0) -> None:
    """In this process where one rank is enough."""
    if ranks == 1:
        assert main([str(run_dir), *args]) == code
    else:
        finish(run_dir, *args, code=code)


def spends(run_dir: Path) -> list[Account]:
    with RunReader(run_dir) as reader:
        return reader.spends()


def tokens(run_dir: Path) -> int:
    return sum(row.prompt_tokens + row.completion_tokens for row in spends(run_dir))


def events(run_dir: Path, kind: str = "failed") -> list[str]:
    """The messages of one kind."""
    with RunReader(run_dir) as reader:
        return [event.message for event in reader.events() if event.kind == kind]


def assert_no_key(run_dir: Path) -> None:
    for path in run_dir.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path
