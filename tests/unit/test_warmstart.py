"""Warm-start data, its tokenizer, and the trainer that makes the bundled model."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from arena.core.answer import split_reply
from arena.core.game import Illegal
from arena.core.registry import GameSpec, game_ids, load_game
from arena.oracles.tictactoe import features, reachable
from arena.players.scripted import decide
from evals.perception import claimed
from training import transcripts
from training.distributed import Ranks
from training.tokenizer import END, train_tokenizer
from training.transcripts import SHARES, chunk
from training.warmstart import warm_start

SMALL = 400


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer((row.prompt + row.reply for row in chunk(9, 0, 3000)), 640)


def test_a_chunk_depends_on_its_seed_and_index_alone() -> None:
    assert chunk(1, 5, SMALL) == chunk(1, 5, SMALL)
    assert chunk(1, 5, SMALL) != chunk(1, 6, SMALL)
    assert chunk(2, 5, SMALL) != chunk(1, 5, SMALL)


def test_every_game_has_its_share_of_the_rows() -> None:
    counts = Counter(row.game for row in chunk(0, 0, 2000))
    assert set(game_ids()) <= set(counts)
    for source, share in SHARES.items():
        assert counts[source] == pytest.approx(share * 2000, abs=1)


def test_replies_are_taken_apart_into_a_tagged_thought_and_an_answer() -> None:
    for row in chunk(3, 0, SMALL):
        parts = split_reply(row.reply)
        assert parts.answer
        if row.game != "arithmetic":
            assert parts.thought.partition(":")[0] in {"Pattern", "Cases", "Value"}, row


def test_arithmetic_is_right() -> None:
    rows = [row for row in chunk(4, 0, 3000) if row.game == "arithmetic"]
    assert len(rows) >= 90
    for row in rows:
        left, sign, right = row.prompt.removeprefix("What is ").rstrip("?\n").split(" ")
        expected = int(left) + int(right) if sign == "+" else int(left) - int(right)
        assert split_reply(row.reply).answer == str(expected)


def test_scripted_thoughts_claim_what_is_there() -> None:
    rng = transcripts.draw(0, "test")
    for state in list(reachable())[::29]:
        if state.to_act is not None:
            thought = decide("tictactoe", state, rng, 0.5).thought
            assert claimed(thought) == features(state)._asdict()


@pytest.mark.parametrize("game", game_ids())
@pytest.mark.parametrize("skill", [0.0, 1.0])
def test_scripted_decisions_are_legal_in_every_position_of_a_match(game: str, skill: float) -> None:
    for key in range(10):
        state, rng = load_game(game).new(key), transcripts.draw(key, "script")
        while state.to_act is not None:
            action = state.parse(decide(game, state, rng, skill).action)
            assert not isinstance(action, Illegal), action
            state = state.apply(action)


def test_skill_makes_the_script_stronger_against_random_play() -> None:
    def score(skill: float) -> float:
        won, spec = 0.0, GameSpec.parse("tictactoe")
        for key in range(300):
            state, rng = spec.new(key), transcripts.draw(key, "skill")
            while state.to_act is not None:
                scripted = state.to_act == key % 2
                answer = decide("tictactoe", state, rng, skill).action if scripted else state.sample(rng)
                action = state.parse(answer)
                assert not isinstance(action, Illegal)
                state = state.apply(action)
            returns = state.returns()
            assert returns is not None
            won += (returns[key % 2] + 1) / 2
        return won / 300

    assert score(1.0) > score(0.2) + 0.15 > score(0.0) + 0.15


def test_the_tokenizer_gives_every_text_back_and_splits_prompt_from_reply(tokenizer: Tokenizer) -> None:
    for row in chunk(5, 0, SMALL):
        prompt, reply = tokenizer.encode(row.prompt).ids, tokenizer.encode(row.reply).ids
        assert tokenizer.encode(row.prompt + row.reply).ids == prompt + reply
        assert tokenizer.decode(prompt + reply, skip_special_tokens=False) == row.prompt + row.reply


def test_every_digit_is_a_token_of_its_own(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode("Your gain +125. Move 10 of 10, 49 + 50").tokens
    assert all(sum(char.isdigit() for char in token) <= 1 for token in tokens)


def test_a_tictactoe_prompt_is_short(tokenizer: Tokenizer) -> None:
    lengths = [len(tokenizer.encode(row.prompt).ids) for row in chunk(6, 0, 1000) if row.game == "tictactoe"]
    assert max(lengths) < 60


def test_warm_start_goes_on_from_its_checkpoint_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.warmstart.CHECKPOINT_EVERY", 2)
    monkeypatch.setattr("training.warmstart.CHUNK", 128)
    monkeypatch.setattr("training.warmstart.TOKENIZER_ROWS", 1000)
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    warm_start(tmp_path / "a", straight, seed=1, steps=4, lr=1e-3, layers=1, group=Ranks())
    with monkeypatch.context() as patch:
        patch.setattr("training.warmstart.Trainer.train", _interrupted_after(3))
        with pytest.raises(KeyboardInterrupt):
            warm_start(tmp_path / "b", resumed, seed=1, steps=4, lr=1e-3, layers=1, group=Ranks())
    assert not resumed.exists()
    warm_start(tmp_path / "b", resumed, seed=1, steps=4, lr=1e-3, layers=1, group=Ranks())
    first, second = load_file(straight / "model.safetensors"), load_file(resumed / "model.safetensors")
    assert all(torch.equal(first[name], second[name]) for name in first)


def _interrupted_after(steps: int):  # type: ignore[no-untyped-def]
    from training.warmstart import Trainer

    train = Trainer.train

    def stop(self: Trainer, groups: object, step: int, group: Ranks) -> float:
        if step == steps:
            raise KeyboardInterrupt
        return train(self, groups, step, group)  # type: ignore[arg-type]

    return stop


def test_the_saved_folder_loads_in_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    monkeypatch.setattr("training.warmstart.CHUNK", 128)
    monkeypatch.setattr("training.warmstart.TOKENIZER_ROWS", 1000)
    warm_start(tmp_path / "work", tmp_path / "out", seed=0, steps=1, lr=1e-3, layers=1, group=Ranks())
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out", local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out", local_files_only=True)
    assert tokenizer.eos_token == END
    ids = tokenizer("TicTacToe. You are X.\n", return_tensors="pt").input_ids
    assert model(ids).logits.shape[-1] == json.loads((tmp_path / "out" / "config.json").read_text())["vocab_size"]
