"""Tokens per second of our engine against batched `generate` of transformers, in one run.

    python tests/benchmarks/generation.py [--model PATH] [--json] [--rounds N]

Same weights, prompts and sampling (temperature 1, nothing truncated) on both sides, one thread each, in processor
seconds. Rounds of either side alternate; a figure is the median of the rounds' ratios. Three parts:
  even      N distinct prompts, replies of 24 tokens each
  uneven    256 prompts in batches of 64, replies end at the end token: transformers waits for a batch's longest
  kuhn      512 one-hand matches of self-play at once through the match loop, against the same requests ply by ply
Without a model a random one of its shape is made; its draws are near uniform, so it shares few prefixes, and end
tokens are chosen so that one draw in ten ends a reply. Exit code 1 where a ratio misses its target.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))

import torch
from toy_model import make

from arena.core.engine import Completion, Sampling
from arena.core.events import IllegalReply, TurnTaken
from arena.core.game import Illegal
from arena.core.keys import draw
from arena.core.match import play
from arena.core.player import Player, Reply, View
from arena.core.registry import GameSpec
from arena.engines.loading import ModelFolder, open_model
from arena.engines.text import TextCodec
from arena.engines.torch_engine import TorchEngine
from arena.players.checkpoint import PolicyPlayer

ROOT = Path(__file__).resolve().parents[2]
GAMES = ("tictactoe", "kuhn_poker", "simple_negotiation", "snake", "pig_dice", "truth_and_deception")
TARGETS = {"even 1": 1.0, "even 16": 1.0, "even 64": 1.3, "even 256": 1.0, "uneven": 2.0, "kuhn": 4.0}
Prompts = Sequence[tuple[int, ...]]


@dataclass(frozen=True)
class Line:
    part: str
    ours: float
    """Tokens of replies per processor second."""
    theirs: float
    ratio: float
    target: float


def positions(codec: TextCodec, count: int) -> list[tuple[int, ...]]:
    """Distinct prompts from random positions of all games."""
    found: dict[tuple[int, ...], None] = {}
    for number in range(100 * count):
        rng = random.Random(number)
        state = GameSpec.parse(GAMES[number % len(GAMES)]).new(number)
        for _ in range(rng.randrange(6)):
            if state.to_act is None:
                break
            action = state.parse(state.sample(rng))
            assert not isinstance(action, Illegal)
            state = state.apply(action)
        if state.to_act is not None:
            found[codec.encode(state.observe(state.to_act)[:160] + "\n")] = None
        if len(found) == count:
            return list(found)
    raise SystemExit(f"The games have fewer than {count} distinct positions.")


class Transformers:
    """Batched `generate`, padded on the left, as its documentation shows it."""

    def __init__(self, folder: Path) -> None:
        from transformers import Qwen3ForCausalLM

        self.model = Qwen3ForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()

    def generate(self, prompts: Prompts, tokens: int, end: Sequence[int]) -> int:
        """Number of tokens of all replies, end tokens counted, padding not."""
        longest = max(map(len, prompts))
        padding = [longest - len(prompt) for prompt in prompts]
        ids = torch.tensor([(0,) * pad + prompt for pad, prompt in zip(padding, prompts, strict=True)])
        mask = torch.tensor([[0] * pad + [1] * (longest - pad) for pad in padding])
        options: dict[str, Any] = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
        options |= {"max_new_tokens": tokens, "eos_token_id": list(end) or None, "pad_token_id": 1}
        self.model.generation_config.eos_token_id = options["eos_token_id"]
        with torch.inference_mode():
            out = self.model.generate(ids, attention_mask=mask, **options)[:, longest:].tolist()
        return sum(next((n + 1 for n, token in enumerate(row) if token in end), len(row)) for row in out)


def ours(engine: TorchEngine, prompts: Prompts, tokens: int, salt: int) -> int:
    async def together() -> list[Completion]:
        asked = [engine.generate(p, Sampling(max_tokens=tokens), f"{salt}/{n}") for n, p in enumerate(prompts)]
        return list(await asyncio.gather(*asked))

    return sum(len(completion.token_ids) for completion in asyncio.run(together()))


def seconds(run: Callable[[], int]) -> tuple[int, float]:
    begin = time.process_time()
    tokens = run()
    return tokens, time.process_time() - begin


def compare(part: str, rounds: int, us: Callable[[int], int], them: Callable[[int], int]) -> Line:
    us(-1), them(-1)
    speeds = []
    for number in range(rounds):
        mine, theirs = seconds(lambda number=number: us(number)), seconds(lambda number=number: them(number))
        speeds.append((mine[0] / mine[1], theirs[0] / theirs[1]))
    ratio = statistics.median(mine / theirs for mine, theirs in speeds)
    mine, theirs = (statistics.median(column) for column in zip(*speeds, strict=True))
    return Line(part, mine, theirs, ratio, TARGETS[part])


def engine_of(folder: ModelFolder, weights: Path, **options: Any) -> TorchEngine:
    """A fresh memory for prompts each time: what counts is a first meeting with them."""
    return TorchEngine(folder, weights=weights, prompt_cache=0, **options)


def even(folder: ModelFolder, rival: Transformers, prompts: Prompts, rounds: int) -> Line:
    engine = engine_of(replace(folder, eos=()), folder.path)
    part = f"even {len(prompts)}"
    return compare(part, rounds, lambda n: ours(engine, prompts, 24, n), lambda n: rival.generate(prompts, 24, ()))


def uneven(folder: ModelFolder, rival: Transformers, prompts: Prompts, rounds: int) -> Line:
    engine = engine_of(folder, folder.path, max_rows=64)
    batches = [prompts[first : first + 64] for first in range(0, len(prompts), 64)]
    return compare(
        "uneven",
        rounds,
        lambda n: ours(engine, prompts, 96, n),
        lambda n: sum(rival.generate(batch, 96, folder.eos) for batch in batches),
    )


@dataclass
class Legal:
    """A player whose illegal answers are replaced, so that a random model's matches go on."""

    inner: PolicyPlayer
    name: str = "legal"
    sees_state: bool = False

    async def act(self, view: View) -> Reply:
        reply = await self.inner.act(view)
        assert view.legal is not None
        if reply.answer in view.legal:
            return reply
        return replace(reply, answer=draw(view.key, f"legal{view.seat}", view.turn).choice(view.legal))

    async def close(self) -> None:
        return None


KUHN = GameSpec.parse("kuhn_poker?hands=1&payoff=chips")
MATCHES = 512


def kuhn(folder: ModelFolder, rival: Transformers, rounds: int) -> tuple[Line, dict[str, float]]:
    """The ratio, and the engine's counters after all rounds."""
    engine, tokens = engine_of(folder, folder.path), 40
    codec, sampling = TextCodec(folder), Sampling(max_tokens=tokens)
    players: list[Player] = [Legal(PolicyPlayer(engine, codec, "compact", sampling, name)) for name in ("a", "b")]
    plies: dict[int, list[tuple[int, ...]]] = {}

    async def match(key: int) -> int:
        count = 0
        async for event in play(KUHN, (players[0], players[1]), key, retries=0):
            if isinstance(event, TurnTaken | IllegalReply) and event.reply.sample is not None:
                count += len(event.reply.sample.token_ids)
                plies.setdefault(event.turn, []).append(event.reply.sample.prompt_ids)
        return count

    async def all_matches(number: int) -> int:
        plies.clear()
        return sum(await asyncio.gather(*(match(number * MATCHES + key) for key in range(MATCHES))))

    def theirs(number: int) -> int:
        return sum(rival.generate(prompts, tokens, folder.eos) for prompts in plies.values())

    line = compare("kuhn", rounds, lambda n: asyncio.run(all_matches(n)), theirs)
    return line, engine.stats()


def with_ends(folder: ModelFolder) -> ModelFolder:
    """End tokens for a model without: as many of its ids as make one uniform draw in ten an end."""
    vocab = int(folder.config["vocab_size"])
    return replace(folder, eos=tuple(range(0, vocab, 10)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "assets" / "models" / "tiny")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if (options.model / "config.json").is_file():
            folder = open_model(options.model)
        else:
            print(f"{options.model} is not there; a random model of its shape stands in.", file=sys.stderr)
            folder = with_ends(open_model(make(Path(scratch), spread=0.05)))
        codec, rival = TextCodec(folder), Transformers(folder.path)
        prompts = positions(codec, 256)
        lines = [even(folder, rival, prompts[:count], options.rounds) for count in (1, 16, 64, 256)]
        lines.append(uneven(folder, rival, prompts, options.rounds))
        line, stats = kuhn(folder, rival, options.rounds)
        lines.append(line)
    share = stats["host_seconds"] / (stats["host_seconds"] + stats["model_seconds"])
    report = {"lines": [asdict(line) for line in lines], "kuhn_engine": stats, "kuhn_host_share": share}
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        for line in lines:
            verdict = "ok" if line.ratio >= line.target else "MISSED"
            print(
                f"{line.part:10s} {line.ours:9.0f} tok/s  transformers {line.theirs:8.0f} tok/s"
                f"  ratio {line.ratio:5.2f} (target {line.target}) {verdict}"
            )
        print(f"kuhn: {stats['tokens'] / stats['rows']:.2f} tokens a row fed, host time {share:.1%} of generation")
    return 0 if all(line.ratio >= line.target for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
