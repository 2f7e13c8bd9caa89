"""Where the time of a self-play step goes: the model, or everything else (the host).

    python tests/benchmarks/self_play_step.py [--preset quickstart] [--model ckpt:tiny] [--steps 12] [--json]

One rank, one thread. Model time is the engine's forward passes and draws, and the learner's forward and
backward passes and Adam; all the rest of a step is host time: matches, prompts, scheduling, advantages, batches.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from arena.config.base import apply_settings, find_toml, read_toml, validate
from arena.config.train import TrainConfig
from arena.core.player import Player
from training.distributed import Ranks
from training.loop import Parts, _start, _step
from training.setup import build

WARM_UP = 3


class Stopwatch:
    """Adds up the time spent in the functions that it wraps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - began

        return timed


def engine_seconds(player: Player) -> float:
    return float(player.engine.stats()["model_seconds"])  # type: ignore[attr-defined]


def measure(preset: str, model: str, steps: int) -> dict[str, float]:
    settings = ["ranks=1", "evaluation.every=0", "featured=0", f"model={model}"]
    data = apply_settings(read_toml(find_toml(preset)), settings)
    config = validate(TrainConfig, data, preset)
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        events = runner.get_loop()
        parts: Parts = build(Path(folder), config, Ranks()).parts
        events.run_until_complete(_start(parts, lambda _: None))
        for step in range(WARM_UP):
            _step(parts, events)
            parts.state.step = step + 1
        torch.Tensor.backward = watch.wrap(torch.Tensor.backward)  # type: ignore[method-assign]
        parts.learner.adam.step = watch.wrap(parts.learner.adam.step)  # type: ignore[method-assign]
        parts.learner._loss = _with_loss(parts, watch)  # type: ignore[method-assign]
        before, collect, learn = engine_seconds(parts.policy), 0.0, 0.0
        began = time.perf_counter()
        for step in range(steps):
            report = _step(parts, events)
            parts.state.step = WARM_UP + step + 1
            collect += report.seconds["collect"]
            learn += report.seconds["learn"]
        total = time.perf_counter() - began
        engine = engine_seconds(parts.policy) - before
    host = total - engine - watch.seconds
    return {
        "step_seconds": total / steps,
        "collect_seconds": collect / steps,
        "learn_seconds": learn / steps,
        "engine_model_seconds": engine / steps,
        "learner_model_seconds": watch.seconds / steps,
        "host_seconds": host / steps,
        "host_share": host / total,
    }


def _with_loss(parts: Parts, watch: Stopwatch) -> Callable[..., Any]:
    """The learner's loss, forward passes included, counted as the model's, but for collating, which is the host's."""
    from training import learner as module

    original, collate = parts.learner._loss, module.collate
    collating = Stopwatch()
    module.collate = collating.wrap(collate)  # type: ignore[attr-defined]

    def loss(*args: Any) -> Any:
        began, inside, host = time.perf_counter(), watch.seconds, collating.seconds
        result = original(*args)
        elapsed = time.perf_counter() - began
        watch.seconds = inside + elapsed - (collating.seconds - host)
        return result

    return loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="quickstart")
    parser.add_argument("--model", default="ckpt:tiny")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = measure(args.preset, args.model, args.steps)
    if args.json:
        print(json.dumps(result, indent=2))
        return
    for name, value in result.items():
        print(f"{name:24} {value:.3f}")


if __name__ == "__main__":
    main()
