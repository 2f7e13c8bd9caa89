"""A tiny model whose replies are mostly legal, made in seconds: what tests of training start from."""

from __future__ import annotations

import random
from pathlib import Path

from arena.core.game import State
from arena.core.registry import GameSpec
from training.distributed import Ranks
from training.policy import Policy
from training.supervised import Pair, Trainer
from training.tokenizer import END, train_tokenizer
from training.transcripts import compact_prompt, reply_text
from training.warmstart import model_config, rate, save_model

GAMES = ("tictactoe", "kuhn_poker?hands=1&payoff=chips")
THOUGHTS = ("Go.", "Go on.")
STEPS, ROWS, RATE = 200, 96, 1e-2


def make(folder: Path, seed: int = 0) -> Path:
    """Train it on random legal replies in `GAMES`, and write its folder. About one reply in seven is illegal."""
    rng = random.Random(seed)
    tokenizer = train_tokenizer((prompt + reply for prompt, reply in _rows(rng, 2000)), 340)
    end = int(tokenizer.token_to_id(END) or 0)
    sizes = {"hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 128}
    policy = Policy(model_config(tokenizer, layers=1) | sizes)
    policy.initialise(seed)
    trainer = Trainer(policy, rate(STEPS, RATE))
    for step in range(STEPS):
        batch: list[Pair] = [
            (tokenizer.encode(prompt).ids, [*tokenizer.encode(reply).ids, end]) for prompt, reply in _rows(rng, ROWS)
        ]
        trainer.train([batch], step, Ranks())
    save_model(folder, policy, tokenizer)
    return folder


def _rows(rng: random.Random, count: int) -> list[tuple[str, str]]:
    """Prompts of random play, each with the legal reply that was played."""
    found: list[tuple[str, str]] = []
    while len(found) < count:
        state: State = GameSpec.parse(rng.choice(GAMES)).new(rng.getrandbits(40))
        while state.to_act is not None:
            action = rng.choice(state.legal() or [])
            prompt = compact_prompt(state.observe(state.to_act))
            found.append((prompt, reply_text(rng.choice(THOUGHTS), action)))
            state = state.apply(action)
    return found
