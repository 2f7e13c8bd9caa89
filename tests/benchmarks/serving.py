"""Chat completions a second from the bundled model: `spiral-arena serve` beside `transformers serve`, in one run.

    python tests/benchmarks/serving.py [--rounds N]

All servers are up at once, one is asked at a time, in turns. The client is the `openai` package in this process, so
on two cores it and the server have one each; its own share of a round is printed too.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from model_servers import TINY, Server, serve, started, transformers_serve
from openai import APITimeoutError, AsyncOpenAI

from arena.core.game import State
from arena.core.registry import load_game

CONCURRENCY = (1, 16, 64)
SECONDS = 10
"""After which a request counts as never answered."""
BATCHED = ("--continuous-batching", "--cb-num-blocks", "64", "--cb-block-size", "256", "--cb-max-batch-tokens", "512")


class Round(NamedTuple):
    requests: float
    """A second."""
    tokens: float
    """A second."""
    client: float
    """Share of the time that the client's process was busy."""
    unanswered: float
    """Requests."""


def positions(count: int, seed: int) -> list[str]:
    """Observations of random play."""
    rng, found = random.Random(seed), list[str]()
    while len(found) < count:
        state: State = load_game("tictactoe").new(rng.getrandbits(40))
        while state.to_act is not None:
            found.append(state.observe(state.to_act))
            state = state.apply(rng.choice(state.legal() or []))
    return found[:count]


async def measure(server: Server, concurrency: int, texts: list[str]) -> Round:
    async with AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0, timeout=SECONDS) as client:
        left, tokens, lost = iter(texts), 0, 0

        async def worker() -> None:
            nonlocal tokens, lost
            for text in left:
                try:
                    reply = await client.chat.completions.create(
                        model=server.model, messages=[{"role": "user", "content": text}], temperature=1.0, max_tokens=48
                    )
                except APITimeoutError:
                    lost += 1
                    continue
                assert reply.usage is not None
                tokens += reply.usage.completion_tokens

        begin, busy = time.perf_counter(), time.process_time()
        await asyncio.gather(*(worker() for _ in range(concurrency)))
        seconds = time.perf_counter() - begin
        busy = time.process_time() - busy
        return Round((len(texts) - lost) / seconds, tokens / seconds, busy / seconds, lost)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by way of the servers' end
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        servers = {
            "spiral-arena serve": stack.enter_context(started(serve("ckpt:tiny"), place / "ours")),
            "transformers serve": stack.enter_context(transformers_serve(TINY, place / "plain")),
            "transformers serve, continuous batching": stack.enter_context(
                transformers_serve(TINY, place / "batched", *BATCHED)
            ),
        }
        found: dict[tuple[str, int], list[Round]] = {}
        for number in range(rounds + 1):  # the first warms up
            for concurrency in CONCURRENCY:
                texts = positions(max(16, 2 * concurrency), seed=number)
                for name, server in servers.items():
                    one = asyncio.run(measure(server, concurrency, texts))
                    print(f"round {number}, {concurrency} at once, {name}: {one.requests:.1f}/s", file=sys.stderr)
                    if number:
                        found.setdefault((name, concurrency), []).append(one)
        print(f"{'server':42}{'at once':>8}{'requests/s':>12}{'tokens/s':>10}{'client busy':>13}{'lost':>6}")
        for (name, concurrency), all_rounds in found.items():
            middle = Round(*map(statistics.median, zip(*all_rounds, strict=True)))
            lost = sum(one.unanswered for one in all_rounds)
            figures = f"{middle.requests:12.1f}{middle.tokens:10.0f}{middle.client:13.0%}{lost:6.0f}"
            print(f"{name:42}{concurrency:8}{figures}")
        print(f"medians of {rounds} rounds; lost: requests of all rounds without an answer in {SECONDS} s")


if __name__ == "__main__":
    main()
