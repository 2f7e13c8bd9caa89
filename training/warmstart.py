"""Make the bundled tiny model: a tokenizer and a small Qwen3, trained on transcripts of weak scripted play.

`spiral-arena warmstart` rebuilds `assets/models/tiny` from nothing but this repository. It goes on from its
last checkpoint after an interruption.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from arena.core.keys import derive_key, draw
from arena.engines.loading import load_tokenizer
from arena.runs.checkpoints import resolve, write_checkpoint
from training.batches import by_length
from training.distributed import Ranks, ranks
from training.policy import Policy
from training.supervised import GROUP, Pair, Trainer
from training.tokenizer import END, PAD, save_tokenizer, train_tokenizer
from training.transcripts import chunk

BUNDLED = Path(__file__).resolve().parents[1] / "assets" / "models" / "tiny"
VOCAB = 640
TOKENIZER_ROWS = 20_000
CHUNK = 2_048
GROUPS = 2
"""Groups of one Adam step, shared out over the ranks; each rank has at least one."""
CHECKPOINT_EVERY = 500
SAMPLING = {"temperature": 1.0, "min_p": 0.02, "max_tokens": 48}


def model_config(tokenizer: Tokenizer, layers: int) -> dict[str, Any]:
    """The config.json of the tiny model, as transformers reads it."""
    end, pad = tokenizer.token_to_id(END), tokenizer.token_to_id(PAD)
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 128,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "intermediate_size": 384,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
        "max_position_embeddings": 1_024,
        "attention_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": end,
        "pad_token_id": pad,
        "dtype": "float32",
    }


def save_model(folder: Path, policy: Policy, tokenizer: Tokenizer) -> None:
    """Write a folder that transformers and our own engine load."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(policy.config, indent=1) + "\n")
    generation = {"do_sample": True, "top_k": 0, "temperature": 1.0, "eos_token_id": policy.config["eos_token_id"]}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=1) + "\n")
    settings = {"style": "compact", "sampling": SAMPLING}
    (folder / "spiral_arena.json").write_text(json.dumps(settings, indent=1) + "\n")
    save_tokenizer(tokenizer, folder)
    save_file(policy.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})


def steps_of(tokenizer: Tokenizer, seed: int, group: Ranks, first: int) -> Iterator[list[list[Pair]]]:
    """From step `first` on, the groups of (prompt ids, reply ids) that this rank trains on, step by step."""
    end = int(tokenizer.token_to_id(END) or 0)
    mine = max(1, GROUPS // group.world)
    per_chunk = CHUNK // (GROUP * mine)
    index = first // per_chunk
    skip = first % per_chunk
    while True:
        rows = chunk(seed, index * group.world + group.rank, CHUNK)
        prompts = tokenizer.encode_batch([row.prompt for row in rows])
        replies = tokenizer.encode_batch([row.reply for row in rows])
        pairs = [(prompt.ids, [*reply.ids, end]) for prompt, reply in zip(prompts, replies, strict=True)]
        groups = by_length([len(prompt) + len(reply) for prompt, reply in pairs], GROUP)
        draw(derive_key("groups", seed, index), f"rank{group.rank}").shuffle(groups)
        for step in range(skip, per_chunk):
            yield [[pairs[i] for i in members] for members in groups[step * mine : (step + 1) * mine]]
        index, skip = index + 1, 0


def rate(steps: int, lr: float) -> Callable[[int], float]:
    """Learning rate by step: up over the first 200, then a linear decay."""
    return lambda step: lr * min(1.0, (step + 1) / 200) * max(1 - step / steps, 0.01)


def save(folder: Path, trainer: Trainer, tokenizer: Tokenizer) -> None:
    """Everything to go on from: the model folder and the Adam moments."""
    save_model(folder / "model", trainer.policy, tokenizer)
    save_file(trainer.state_tensors(), folder / "optimiser.safetensors")


def restore(folder: Path, trainer: Trainer) -> None:
    trainer.policy.load_state_dict(load_file(folder / "model" / "model.safetensors"))
    trainer.load_state_tensors(load_file(folder / "optimiser.safetensors"))


def _tokenizer(seed: int) -> Tokenizer:
    rows = chunk(derive_key("tokenizer", seed), 0, TOKENIZER_ROWS)
    return train_tokenizer((row.prompt + row.reply for row in rows), VOCAB)


def warm_start(work: Path, out: Path, seed: int, steps: int, lr: float, layers: int, group: Ranks) -> None:
    """Train to `steps`, checkpointing in `work`, and write the model to `out`."""
    found = resolve(work) if (work / "checkpoints").exists() else None
    tokenizer = load_tokenizer(found.folder / "model") if found else _tokenizer(seed)
    policy = Policy(model_config(tokenizer, layers))
    policy.initialise(seed)
    trainer = Trainer(policy, rate(steps, lr))
    first = 0
    if found:
        restore(found.folder, trainer)
        first = found.step
    began, tokens, recent = time.perf_counter(), 0, 0.0
    batches = steps_of(tokenizer, seed, group, first)
    for step in range(first, steps):
        groups = next(batches)
        tokens += group.world * sum(len(prompt) + len(reply) for rows in groups for prompt, reply in rows)
        loss = trainer.train(groups, step, group)
        recent = loss if step == first else 0.98 * recent + 0.02 * loss
        if group.rank == 0 and (step + 1) % 100 == 0:
            seconds = time.perf_counter() - began
            left = seconds / (step + 1 - first) * (steps - step - 1)
            print(
                f"step {step + 1}/{steps}  loss {recent:.4f}  {tokens / seconds:,.0f} tokens/s  "
                f"{left / 60:.1f} min left",
                file=sys.stderr,
                flush=True,
            )
        if group.rank == 0 and (step + 1) % CHECKPOINT_EVERY == 0:
            write_checkpoint(work / "checkpoints", step + 1, lambda folder: save(folder, trainer, tokenizer))
    if group.rank == 0:
        save_model(out, policy, tokenizer)
        print(f"Wrote {out}", file=sys.stderr)


def main() -> None:
    """Parse the arguments of `spiral-arena warmstart` and run."""
    parser = argparse.ArgumentParser(prog="spiral-arena warmstart", description=__doc__)
    parser.add_argument("--out", type=Path, default=BUNDLED, help="model folder to write")
    parser.add_argument("--work", type=Path, default=Path("runs/warmstart"), help="folder of the checkpoints")
    parser.add_argument("--fresh", action="store_true", help="forget the checkpoints and start anew")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=28_000)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--ranks", type=int, default=2, help="processes that share the work")
    args = parser.parse_args()
    if args.fresh and args.work.exists():
        shutil.rmtree(args.work)
    with ranks(args.ranks) as group:
        warm_start(args.work, args.out, args.seed, args.steps, args.lr, args.layers, group)


if __name__ == "__main__":
    main()
