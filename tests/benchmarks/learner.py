"""Tokens per second of one training update: our learner, a plain transformers loop, and TRL's trainer, in one run.

    python tests/benchmarks/learner.py [--rounds N] [--trl-python PATH] [--json]

Same weights, one thread each, the batch of the `quickstart` preset's first step (TicTacToe and one-hand Kuhn Poker
played by the bundled model), cut into the same minibatches. Rounds of all sides alternate; ratios are medians of the
rounds' ratios of processor seconds, with their range. The loss is PPO's alone, without thinning, magnet and anchor,
so that all sides compute the same gradient, which is checked; the preset's own loss is timed beside it.
  all turns        every turn of the batch: the learner merges equal rows, the others do not
  distinct rows    each distinct row once: what is left when merging gains nothing
The plain loop is AutoModelForCausalLM with its rows grouped by length, fused AdamW, and the best of a few micro-batch
sizes. TRL (GRPOTrainer, Dr. GRPO's loss) pads and accumulates as it does in training, without its generation:
    python -m venv VENV && VENV/bin/pip install -c constraints.txt torch transformers trl
    python tests/benchmarks/learner.py --trl-python VENV/bin/python
Exit code 1 where the plain loop is not beaten by the target on all turns.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))

import torch
from plain_update import PlainLearner, difference, length, minibatches
from update_parts import breakdown, floor, padding, products

from arena.config.base import apply_settings, find_toml, read_toml, validate
from arena.config.train import OptimiserConfig, TrainConfig
from training.distributed import Ranks
from training.learner import Learner, Metrics, Turn, distinct_rows
from training.loop import _share, _start, _turns
from training.policy import Policy
from training.rollout import collect, plan
from training.setup import build

ROOT = Path(__file__).resolve().parents[2]
TARGET = 2.0
SIZES = (16, 32, 64, 128)
CHECKED = 64
"""Turns on which TRL's gradient is compared."""
SEED = STEP = 0
Timing = tuple[float, float]
"""Processor and wall seconds."""
Run = Callable[[], Timing]


@dataclass(frozen=True)
class Line:
    side: str
    rows: str
    cpu_seconds: float
    wall_seconds: float
    tokens_per_cpu_second: float
    """Tokens of the turns, merged or not."""
    distinct_per_cpu_second: float
    """Tokens of the distinct rows."""
    ratio: float
    """Processor seconds over those of our learner on the same turns."""
    low: float
    high: float


def batch_of(preset: str, model: Path) -> tuple[TrainConfig, list[Turn]]:
    """The trained turns of the preset's first step."""
    settings = ["ranks=1", "evaluation.every=0", "featured=0", f"model=ckpt:{model}"]
    config = validate(TrainConfig, apply_settings(read_toml(find_toml(preset)), settings), preset)
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        events = runner.get_loop()
        parts = build(Path(folder), config, Ranks()).parts
        events.run_until_complete(_start(parts, lambda _: None))
        planned = plan(config.games, parts.state.lengths, config.seed, 0)
        rollout = events.run_until_complete(collect(planned, parts.policy, parts.opponent, config.shaping))
        turns, _ = _turns(parts, rollout, [_share(parts, rollout)])
        return config, turns


def timed(action: Callable[[], object]) -> Timing:
    cpu, wall = time.process_time(), time.perf_counter()
    action()
    return time.process_time() - cpu, time.perf_counter() - wall


class Ours:
    """The learner, which starts each update from the same weights."""

    def __init__(self, folder: Path, config: TrainConfig, optimiser: OptimiserConfig) -> None:
        self.learner = Learner(Policy.from_folder(folder), optimiser, config.sampling.max_tokens, 1.0)
        self._start = self.learner.policy.flat.clone()

    def update(self, turns: Sequence[Turn]) -> Timing:
        self.learner.policy.flat.copy_(self._start)
        return timed(lambda: self.learner.update(turns, STEP, 300, SEED, Ranks()))

    def gradient(self, turns: Sequence[Turn]) -> dict[str, torch.Tensor]:
        """Of the turns' mean loss, not clipped, by transformers' names."""
        spare = Learner(self.learner.policy, self.learner.config.model_copy(update={"clip_norm": 1e9}), 1, 1.0)
        spare.max_tokens = self.learner.max_tokens
        spare.adam.step = lambda *_: None  # type: ignore[method-assign]
        spare._minibatch(distinct_rows(turns), Ranks(), Metrics())
        return spare.policy.state_dict(spare.policy.grad)


class Plain:
    """The plain loop, with its best micro-batch size."""

    def __init__(self, folder: Path, config: TrainConfig, optimiser: OptimiserConfig) -> None:
        self.learner = PlainLearner(folder, optimiser, config.sampling.max_tokens, SIZES[0])
        self._start = {name: tensor.clone() for name, tensor in self.learner.model.state_dict().items()}

    def update(self, parts: Sequence[Sequence[Turn]], rows: int) -> Timing:
        self.learner.model.load_state_dict(self._start)
        self.learner.rows = rows
        return timed(lambda: self.learner.update(parts))


class Trl:
    """TRL's trainer in a process of its own Python."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._heard("ready")

    def update(self, name: str, rows: int) -> Timing:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name} {rows}\n")
        self._process.stdin.flush()
        cpu, wall = map(float, self._heard().split())
        return cpu, wall

    def _heard(self, expected: str | None = None) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line or (expected and line != expected):
            raise SystemExit("TRL's process has ended: see its message above.")
        return line


@contextmanager
def trl_of(python: str, folder: Path, options: dict[str, Any], data: dict[str, Any]) -> Iterator[tuple[Trl, Path]]:
    """The process, and the file with the gradient of the checked turns."""
    with tempfile.TemporaryDirectory() as scratch:
        batch, gradient = Path(scratch) / "batch.json", Path(scratch) / "gradient.pt"
        batch.write_text(json.dumps({"options": options, **data}), encoding="utf-8")
        script = Path(__file__).with_name("trl_update.py")
        command = [python, str(script), str(folder), str(batch), str(gradient)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=scratch)
        try:
            yield Trl(process), gradient
        finally:
            process.kill()
            process.wait()


def as_json(turns: Sequence[Turn]) -> list[Any]:
    return [[t.sample.prompt_ids, t.sample.token_ids, t.sample.logprobs, t.advantage] for t in turns]


def best(run: Callable[[int], Timing]) -> int:
    """The micro-batch size that takes the least processor time, best of two."""
    run(SIZES[0])
    return min(SIZES, key=lambda rows: min(run(rows)[0] for _ in range(2)))


def alternate(runs: dict[tuple[str, str], Run], rounds: int) -> dict[tuple[str, str], list[Timing]]:
    for run in runs.values():
        run()
    found: dict[tuple[str, str], list[Timing]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run())
    return found


def line_of(name: tuple[str, str], timings: dict[tuple[str, str], list[Timing]], tokens: int, distinct: int) -> Line:
    side, rows = name
    cpu, wall = (statistics.median(column) for column in zip(*timings[name], strict=True))
    ours = timings["learner", rows]
    ratios = [theirs[0] / mine[0] for theirs, mine in zip(timings[name], ours, strict=True)]
    return Line(
        side, rows, cpu, wall, tokens / cpu, distinct / cpu, statistics.median(ratios), min(ratios), max(ratios)
    )


def measure(folder: Path, rounds: int, trl_python: str | None) -> dict[str, Any]:
    config, turns = batch_of("quickstart", folder)
    plain_turns = [replace(turn, magnet=0.0, anchor=0.0) for turn in turns]
    once = [Turn(row.sample, row.gains + row.losses) for row in distinct_rows(plain_turns)]
    optimiser = config.optimiser.model_copy(update={"thin": 0.0})
    # As many minibatches of distinct rows as of all turns.
    fewer = optimiser.model_copy(update={"minibatch": optimiser.minibatch * len(once) / len(turns)})
    batches = {"all turns": (plain_turns, optimiser), "distinct rows": (once, fewer)}
    cut = {name: minibatches(batch, options, SEED, STEP) for name, (batch, options) in batches.items()}
    ours = {name: Ours(folder, config, options) for name, (_, options) in batches.items()}
    preset, plain = Ours(folder, config, config.optimiser), Plain(folder, config, optimiser)
    first = cut["all turns"][0]
    checked = plain.learner.gradient(first[:CHECKED])
    differences = {
        "learner and plain loop": difference(ours["all turns"].gradient(first), plain.learner.gradient(first))
    }
    runs: dict[tuple[str, str], Run] = {}
    sizes: dict[str, int] = {}
    for name, (batch, _) in batches.items():
        runs["learner", name] = lambda name=name, batch=batch: ours[name].update(batch)  # type: ignore[misc]
        rows = sizes[f"plain, {name}"] = best(lambda rows, name=name: plain.update(cut[name], rows))  # type: ignore[misc]
        runs["plain", name] = lambda name=name, rows=rows: plain.update(cut[name], rows)  # type: ignore[misc]
    runs["learner, preset's loss", "all turns"] = lambda: preset.update(turns)
    if trl_python is None:
        timings = alternate(runs, rounds)
    else:
        data = {name.replace(" ", "_"): [as_json(part) for part in parts] for name, parts in cut.items()}
        data["check"] = as_json(first[:CHECKED])
        options = optimiser.model_dump() | {"max_tokens": config.sampling.max_tokens}
        with trl_of(trl_python, folder, options, data) as (trl, gradient):
            theirs = torch.load(gradient, weights_only=True)
            differences["TRL and plain loop"] = difference(theirs, checked)
            for name in batches:
                key = name.replace(" ", "_")
                rows = sizes[f"trl, {name}"] = best(lambda rows, key=key: trl.update(key, rows))  # type: ignore[misc]
                runs["trl", name] = lambda key=key, rows=rows: trl.update(key, rows)  # type: ignore[misc]
            timings = alternate(runs, rounds)
    distinct = sum(map(length, once))
    tokens = {"all turns": sum(map(length, turns)), "distinct rows": distinct}
    lines = [line_of(name, timings, tokens[name[1]], distinct) for name in runs]
    return {
        "turns": len(turns),
        "tokens": tokens["all turns"],
        "distinct_rows": len(once),
        "distinct_tokens": distinct,
        "gradient_differences": differences,
        "microbatch_rows": sizes,
        "lines": [asdict(line) for line in lines],
        "floor": against_floor(ours["all turns"], plain_turns, lines[0].cpu_seconds),
    }


def against_floor(ours: Ours, turns: Sequence[Turn], seconds: float) -> dict[str, Any]:
    def update() -> None:
        ours.update(turns)

    real, places = padding(update)
    least = floor(products(update))
    shares = breakdown(update, ours.learner.policy.shape.vocab)
    return {
        **least,
        "update_seconds": seconds,
        "padding": 1 - real / places,
        "parts": {part: share * seconds for part, share in shares.items()},
    }


def show(report: dict[str, Any], trl: bool) -> None:
    print(
        f"{report['turns']} turns of {report['tokens']} tokens, of which {report['distinct_rows']} rows of"
        f" {report['distinct_tokens']} tokens are distinct"
    )
    for name, value in report["gradient_differences"].items():
        print(f"gradients of {name}: largest relative difference {value:.1e}")
    print(f"{'':25s}{'rows':15s}{'CPU ms':>8s}{'wall ms':>9s}{'tok/s':>9s}{'distinct/s':>12s}  time over learner's")
    for line in report["lines"]:
        print(
            f"{line['side']:25s}{line['rows']:15s}{line['cpu_seconds'] * 1e3:8.0f}{line['wall_seconds'] * 1e3:9.0f}"
            f"{line['tokens_per_cpu_second']:9.0f}{line['distinct_per_cpu_second']:12.0f}"
            f"  {line['ratio']:.2f} ({line['low']:.2f}–{line['high']:.2f})"
        )
    print("micro-batches:", ", ".join(f"{name} {rows}" for name, rows in report["microbatch_rows"].items()))
    if not trl:
        print("TRL is left out: --trl-python PATH takes a Python with trl (see --help).")
    least = report["floor"]
    print(
        f"products: {least['gflop']:.1f} GFLOP, alone {least['seconds'] * 1e3:.0f} ms at"
        f" {least['gflop_a_second']:.0f} GFLOP/s (best shape {least['best_rate']:.0f}): the floor."
        f" The update takes {least['update_seconds'] / least['seconds']:.2f} times that;"
        f" padding is {least['padding']:.1%} of its places"
    )
    for part, seconds in sorted(least["parts"].items(), key=lambda item: -item[1]):
        print(f"  {part:40s}{seconds * 1e3:7.0f} ms {seconds / least['update_seconds']:6.1%}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "assets" / "models" / "tiny")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--trl-python", metavar="PATH", help="a Python that has trl")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = measure(options.model.resolve(), options.rounds, options.trl_python)
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        show(report, options.trl_python is not None)
    ratio = next(line["ratio"] for line in report["lines"] if (line["side"], line["rows"]) == ("plain", "all turns"))
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
