"""`python -m training.dryrun CONFIG [--set A.B=C]… [--json]`: what a training run would take; nothing is started.

Memory by part, tokens a step and in all, and time on a few devices, from the sizes of the model alone: of its folder
or the local cache where it is there, else of a table of public models. Nothing is downloaded. What players behind APIs
would be asked for is counted apart: see `training.dryrun_apis`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, cast

from arena.config.base import apply_settings, find_toml, read_toml, validate
from arena.config.limits import add_limits, with_limits
from arena.config.prices import is_api
from arena.config.train import GameQuota, TrainConfig
from arena.core.errors import ArenaError, UsageError
from arena.core.registry import GameSpec, PlayerSpec, load_part
from arena.core.sanitise import one_line
from arena.engines.known_shapes import SHAPES, known_shape
from arena.engines.loading import ModelFolder, open_model
from arena.engines.shape import Shape
from arena.engines.text import TextCodec
from arena.players.checkpoint import source_of, style_of
from arena.prompts import Style
from evals.forecast import ASSUMPTIONS, LETTERS, MATCHES, random_matches
from training.dryrun_apis import api_rows, evaluations_by, fixed_opponent
from training.dryrun_text import print_estimate
from training.footprint import Load, memory, read_flops, trained_flops

SCHEMA = 1
_EVALUATED = 64
"""Matches in flight at once in an evaluation."""
_ROWS = 512
"""Replies that an engine draws at once at the most."""
_BOTS = ("random", "scripted", "optimal")


@dataclass(frozen=True, slots=True)
class Device:
    """A device by its data sheet, and the shares of its speed that are taken for granted."""

    name: str
    memory: int
    """Bytes."""
    flops: float
    """Operations a second: dense bfloat16 of the data sheet, or what a product of matrices reached here."""
    training: float = 0.40
    drawing: float = 0.04
    """Small: each token reads all weights and its own keys and values from memory."""
    gpu: bool = True

    @property
    def compute(self) -> int:
        """Bytes of a number in matrices: of bfloat16 or float32."""
        return 2 if self.gpu else 4

    @property
    def kv_limit(self) -> int:
        """What an engine's cache may take: see `TorchEngine`."""
        return int(0.4 * self.memory) if self.gpu else 8 << 30


GPUS = (
    Device("H200 141 GB", 141 * 10**9, 989e12),
    Device("H100 80 GB", 80 * 10**9, 989e12),
    Device("A100 80 GB", 80 * 10**9, 312e12),
    Device("RTX 4090 24 GB", 24 * 10**9, 165e12),
)


@dataclass(frozen=True, slots=True)
class Model:
    """The model of a run, as far as it can be known without its weights."""

    shape: Shape
    source: str
    """Where its sizes are from."""
    style: str
    codec: TextCodec | None


class _Letters:
    """Stands in for a tokenizer's chat template: the messages with a few letters of markup each."""

    def chat(self, messages: list[dict[str, str]]) -> str:
        turns = [f"<|start|>{item['role']}\n{item['content']}<|end|>\n" for item in messages]
        return "".join(turns) + "<|start|>assistant\n"


def find_model(config: TrainConfig) -> Model:
    """The shape, style and tokenizer of the configured model. Raises UsageError where its sizes cannot be known."""
    spec = PlayerSpec.parse(config.model)
    asked = spec.options.get("style")
    folder = _folder(spec)
    if folder is not None:
        codec = TextCodec(folder) if (folder.path / "tokenizer.json").is_file() else None
        style = style_of(folder, spec.options)
        return Model(Shape.from_config(folder.config), one_line(str(folder.path)), style, codec)
    shape = known_shape(spec.target)
    if shape is None:
        raise UsageError(
            f"The sizes of {one_line(spec.target)} are not known here.", f"Known without a folder: {', '.join(SHAPES)}."
        )
    plain = "-Base" in spec.target or ("Llama" in spec.target and "Instruct" not in spec.target)
    style = str(asked or ("base" if plain else "chat"))
    return Model(shape, "a table of public models", style, None)


def _folder(spec: PlayerSpec) -> ModelFolder | None:
    """The model's folder if it is on this machine; an `hf:` id is looked for in the cache alone."""
    if spec.backend == "hf" and not Path(os.path.expanduser(spec.target)).is_dir():
        from arena.players.hf import cached

        found = cached(spec.target)
        return open_model(found) if found else None
    return open_model(source_of(spec).model)


@dataclass(frozen=True, slots=True)
class Lengths:
    """What turns of one game look like, measured on random matches."""

    turns: float
    """Turns a match."""
    prompt: float
    """Tokens a prompt, in the mean."""
    longest: int
    """Tokens of the longest prompt seen."""


def lengths_of(quota: GameQuota, model: Model) -> Lengths:
    """Play the game at random and count what the model would read."""
    style = cast(Style, load_part("arena.prompts", "prompt style", model.style))
    counts = []
    for state in chain.from_iterable(random_matches(GameSpec.parse(quota.game))):
        seat = state.to_act or 0
        text = style.build(state.rules(seat), state.observe(seat), model.codec or _Letters())
        counts.append(len(model.codec.encode(text)) if model.codec else round(len(text) / LETTERS))
    return Lengths(len(counts) / MATCHES, sum(counts) / len(counts), max(counts))


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of a step of training, of one evaluation, and of the run."""

    turns: int
    prompt: int
    reply: int
    trained: int
    """Prompt and reply tokens through the learner, all epochs."""
    evaluation: int
    """Prompt and reply tokens of one evaluation's matches; ground truth and players behind APIs are not counted."""
    evaluations: int
    total: int
    """Read, drawn and trained, over the whole run."""


def count_tokens(config: TrainConfig, lengths: Sequence[Lengths]) -> Tokens:
    """With replies as long as they may be. Quotas count turns; a prompt that comes again counts anew."""
    reply = config.sampling.max_tokens
    turns = sum(quota.turns for quota in config.games)
    prompt = round(sum(quota.turns * one.prompt for quota, one in zip(config.games, lengths, strict=True)))
    both = prompt + turns * reply
    evaluations = evaluations_by(config, config.steps)
    sides = sum(2 if _draws_here(name) else 1 for name in config.evaluation.opponents)
    played = sum(one.turns / 2 * (one.prompt + reply) for one in lengths)
    evaluation = round(2 * config.evaluation.pairs * sides * played)
    trained = config.optimiser.epochs * both
    total = config.steps * (both + trained) + evaluations * evaluation
    return Tokens(turns, prompt, turns * reply, trained, evaluation, evaluations, total)


def _draws_here(player: str) -> bool:
    """Whether a player of a run is a model on this machine."""
    return player.partition("?")[0] not in _BOTS and not is_api(player)


def load_of(config: TrainConfig, lengths: Sequence[Lengths], device: Device, shape: Shape) -> Load:
    """What a run holds on one device."""
    from training.learner import MICROBATCH, MICROBATCH_TOKENS

    longest = max(one.longest for one in lengths) + config.sampling.max_tokens
    matches = sum(quota.turns / one.turns for quota, one in zip(config.games, lengths, strict=True)) / config.ranks
    microbatch = max(longest, min(MICROBATCH * longest, MICROBATCH_TOKENS[shape.recomputes]))
    models = [name for name in (*config.evaluation.opponents, *fixed_opponent(config)) if _draws_here(name)]
    kind = config.opponent.type
    extra = {"lagged": 1, "pool": getattr(config.opponent, "active", 0)}.get(kind, 0)
    return Load(
        gpu=device.gpu,
        compute=device.compute,
        magnet=config.has_magnet,
        anchor=any(quota.anchor > 0 for quota in config.games),
        engines=2 + len(models) + extra,
        microbatch=microbatch,
        replies=microbatch * config.sampling.max_tokens // longest,
        slots=min(_ROWS, max(round(matches), _EVALUATED)),
        context=min(longest, shape.max_positions),
        kv_limit=device.kv_limit,
    )


def this_cpu() -> Device:
    """This machine: its memory, and the float32 speed of one thread in a product of matrices."""
    import torch

    from arena.engines.kernels import matmul_t

    torch.set_num_threads(1)
    size, best = 1024, float("inf")
    x, y = torch.randn(size, size), torch.randn(size, size)
    for _ in range(8):
        began = time.process_time()
        matmul_t(x, y)
        best = min(best, time.process_time() - began)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Device("this CPU", pages, 2 * size**3 / best, training=0.5, drawing=0.2, gpu=False)


def estimate(config: TrainConfig, cpu: Device) -> dict[str, Any]:
    """Everything that is printed, as JSON. Raises ArenaError for a model that cannot be read or is not known."""
    apis = api_rows(config)
    model = find_model(config)
    shape = model.shape
    lengths = [lengths_of(quota, model) for quota in config.games]
    tokens = count_tokens(config, lengths)
    return {
        "schema": SCHEMA,
        "name": config.name,
        "model": {"spec": config.model, "parameters": shape.parameters, "sizes": asdict(shape), "from": model.source},
        "steps": config.steps,
        "ranks": config.ranks,
        "style": model.style,
        "reply_tokens": config.sampling.max_tokens,
        "games": {quota.game: asdict(one) for quota, one in zip(config.games, lengths, strict=True)},
        "tokens": asdict(tokens),
        "devices": [_device_row(config, lengths, tokens, shape, device) for device in (*GPUS, cpu)],
        **apis,
        "assumptions": [*_assumptions(model, config), *(ASSUMPTIONS if apis["apis"] else ())],
    }


def _device_row(
    config: TrainConfig, lengths: Sequence[Lengths], tokens: Tokens, shape: Shape, device: Device
) -> dict[str, Any]:
    load = load_of(config, lengths, device, shape)
    parts = memory(shape, load)
    needed = parts.peak * (1 if device.gpu else config.ranks)
    return {
        "device": device.name,
        "memory_bytes": device.memory,
        "needed_bytes": needed,
        "fits": needed <= device.memory,
        "flops_per_second": device.flops,
        "utilisation_training": device.training,
        "utilisation_drawing": device.drawing,
        **_seconds(config, shape, tokens, device),
        "memory": asdict(parts),
        "load": asdict(load),
    }


def _seconds(config: TrainConfig, shape: Shape, tokens: Tokens, device: Device) -> dict[str, float]:
    """Seconds a step, an evaluation and in all, with the ranks sharing the work."""
    references = int(config.has_magnet) + int(any(quota.anchor > 0 for quota in config.games))
    drawing = read_flops(shape) / (device.flops * device.drawing * config.ranks)
    reading = read_flops(shape) / (device.flops * device.training * config.ranks)
    learning = trained_flops(shape, references) / (device.flops * device.training * config.ranks)
    collect = tokens.prompt * reading + tokens.reply * drawing
    learn = tokens.trained * learning
    evaluate = tokens.evaluation * drawing
    total = config.steps * (collect + learn) + tokens.evaluations * evaluate
    return {
        "seconds_collect": collect, "seconds_learn": learn, "seconds_evaluate": evaluate, "seconds_total": total,
    }  # fmt: skip


def _assumptions(model: Model, config: TrainConfig) -> list[str]:
    counted = "by the model's tokenizer" if model.codec else f"at {LETTERS:g} letters a token"
    return [
        f"Every reply has {config.sampling.max_tokens} tokens, the most that sampling.max_tokens allows.",
        f"Prompts of style {model.style} are counted {counted}, on {MATCHES} random matches a game.",
        "No two turns share a prompt or a reply; prompts are run anew each turn.",
        f"2 N operations a token read or drawn, {8 if model.shape.recomputes else 6} N a token trained; "
        "attention is left out.",
        "Speeds are data-sheet bfloat16 times the utilisation shown; this CPU's is a measured float32 product.",
        "Needed is what is resident and the largest of learning, drawing and publishing, which take turns.",
        "An engine bounds its cache at 40% of a GPU or 8 GiB of main memory: replies beyond wait.",
        "Ranks share the work evenly, one GPU each, or the memory of this machine. Ground truth is not counted.",
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the estimate; returns the exit code: 0 done, 1 failed, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m training.dryrun", description=__doc__)
    parser.add_argument("config", help="TOML file or preset")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", dest="settings")
    parser.add_argument("--json", action="store_true")
    add_limits(parser)
    args = parser.parse_args(argv)
    try:
        path = find_toml(args.config)
        config = validate(TrainConfig, apply_settings(read_toml(path), args.settings), path.name)
        found = estimate(with_limits(config, vars(args)), this_cpu())
    except ArenaError as error:
        print(f"error: {one_line(str(error), 2000)}", file=sys.stderr)
        return error.exit_code
    if args.json:
        print(json.dumps(found, indent=2))
    else:
        print_estimate(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
