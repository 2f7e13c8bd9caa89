"""Steps per second of a preset with two ranks over one, and what this machine allows, in one run.

    python tests/benchmarks/ranks.py [--preset quickstart] [--model ckpt:tiny] [--steps 4] [--rounds 5] [--json]

Evaluations are off, every process has one thread and is warm; parts alternate, the others waiting. A ratio is the
median of the rounds' ratios of wall time, with its range. Each round times the same number of steps of
  one      one rank, the whole batch
  two      two ranks that share the batch and exchange returns and gradients
  half     a process alone with half the batch
  halves   two such processes at once, which exchange nothing
so that  two ranks    = one / two                what is achieved
         no exchange  = one / halves             what would be, were waiting and exchanging free
         hardware     = 2 · half / halves        what two busy processes do over one: 2 on two whole cores
Meant for a quiet machine. Exit code 1 where the first ratio misses its target.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from arena.config.base import apply_settings, find_toml, read_toml, validate
from arena.config.train import TrainConfig

WARM_UP = 3
TARGET = 1.7
PARTS = {"one": (1, 1), "two": (2, 1), "half a": (1, 2), "half b": (1, 2)}
"""Ranks of each process, and by what its batch is divided."""


def config_of(preset: str, model: str, part: str) -> TrainConfig:
    ranks, divisor = PARTS[part]
    settings = [f"ranks={ranks}", "evaluation.every=0", "featured=0", f"model={model}"]
    config = validate(TrainConfig, apply_settings(read_toml(find_toml(preset)), settings), preset)
    games = [quota.model_copy(update={"turns": quota.turns // divisor}) for quota in config.games]
    optimiser = config.optimiser.model_copy(update={"minibatch": config.optimiser.minibatch // divisor})
    seed = list(PARTS).index(part) if divisor > 1 else config.seed
    return config.model_copy(update={"games": games, "optimiser": optimiser, "seed": seed})


def work(preset: str, model: str, part: str) -> None:
    """Answer each line of standard input, a number of steps, with the seconds that they took on the first rank."""
    from training.distributed import ranks
    from training.loop import _start, _step
    from training.setup import build

    config = config_of(preset, model, part)
    with tempfile.TemporaryDirectory() as folder, ranks(config.ranks) as group, asyncio.Runner() as runner:
        events = runner.get_loop()
        parts = build(Path(folder), config, group).parts
        events.run_until_complete(_start(parts, lambda _: None))
        while steps := group.from_first(_asked() if group.rank == 0 else 0):
            began = time.perf_counter()
            for _ in range(steps):
                _step(parts, events)
                parts.state.step += 1
            if group.rank == 0:
                print(time.perf_counter() - began, flush=True)


def _asked() -> int:
    return int(sys.stdin.readline() or 0)


class Worker:
    """A process of this script that does steps when asked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, steps: int) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()

    def seconds(self) -> float:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("A process has ended: see its message above.")
        return float(line)


@contextmanager
def worker(options: argparse.Namespace, part: str) -> Iterator[Worker]:
    command = [sys.executable, __file__, "--preset", options.preset, "--model", options.model, "--work", part]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    try:
        yield Worker(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def together(workers: Sequence[Worker], steps: int) -> float:
    """Seconds until all have done their steps."""
    for one in workers:
        one.ask(steps)
    return max(one.seconds() for one in workers)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with ExitStack() as stack:
        workers = {part: stack.enter_context(worker(options, part)) for part in PARTS}
        groups = {
            "one": [workers["one"]],
            "two": [workers["two"]],
            "half": [workers["half a"]],
            "halves": [workers["half a"], workers["half b"]],
        }
        for part in workers.values():
            together([part], WARM_UP)
        rounds = [
            {name: together(group, options.steps) for name, group in groups.items()} for _ in range(options.rounds)
        ]
    ratios = {
        "two ranks": [found["one"] / found["two"] for found in rounds],
        "no exchange": [found["one"] / found["halves"] for found in rounds],
        "hardware": [2 * found["half"] / found["halves"] for found in rounds],
    }
    return {
        "preset": options.preset,
        "steps_per_second": {
            name: options.steps / statistics.median(found[name] for found in rounds) for name in rounds[0]
        },
        "ratios": {
            name: {"median": statistics.median(values), "low": min(values), "high": max(values)}
            for name, values in ratios.items()
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="quickstart")
    parser.add_argument("--model", default="ckpt:tiny")
    parser.add_argument("--steps", type=int, default=4, help="steps of each part in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--work", choices=tuple(PARTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.preset, options.model, options.work)
        return 0
    report = measure(options)
    achieved = report["ratios"]["two ranks"]["median"]
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        for name, speed in report["steps_per_second"].items():
            print(f"{name:12s} {speed:6.2f} steps/s")
        for name, ratio in report["ratios"].items():
            print(f"{name:12s} {ratio['median']:6.2f}x ({ratio['low']:.2f}–{ratio['high']:.2f})")
        print(f"target {TARGET}x: {'ok' if achieved >= TARGET else 'MISSED'}")
    return 0 if achieved >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
