"""The learner's forward against transformers' own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from training.policy import Policy


def reference(tied: bool) -> Qwen3ForCausalLM:
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=96,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        intermediate_size=48,
        tie_word_embeddings=tied,
    )
    model = Qwen3ForCausalLM(config).eval()
    for name, parameter in model.named_parameters():
        if "norm" in name:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    return model


@pytest.mark.parametrize("tied", [True, False])
def test_logits_and_gradients_equal_those_of_transformers(tied: bool, tmp_path: Path) -> None:
    model = reference(tied)
    model.save_pretrained(tmp_path)
    policy = Policy.from_folder(tmp_path)
    ids = torch.randint(0, 96, (5, 17))
    positions = torch.arange(5 * 17)
    expected = model(input_ids=ids).logits.view(-1, 96)
    got = policy.logits(ids, positions)
    torch.testing.assert_close(got, expected, atol=2e-5, rtol=1e-4)
    target = torch.randint(0, 96, (5 * 17,))
    torch.nn.functional.cross_entropy(expected, target).backward()
    torch.nn.functional.cross_entropy(got, target).backward()
    gradients = policy.state_dict(policy.grad)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(gradients[name], parameter.grad, atol=2e-5, rtol=1e-3)


def test_saved_weights_load_back_into_transformers_unchanged(tmp_path: Path) -> None:
    model = reference(tied=True)
    model.save_pretrained(tmp_path)
    policy = Policy.from_folder(tmp_path)
    weights = policy.state_dict()
    for name, parameter in model.named_parameters():
        assert torch.equal(weights[name], parameter)


def test_another_flat_vector_gives_another_models_logits(tmp_path: Path) -> None:
    model = reference(tied=True)
    model.save_pretrained(tmp_path)
    policy = Policy.from_folder(tmp_path)
    ids, positions = torch.randint(0, 96, (2, 9)), torch.arange(18)
    before = policy.logits(ids, positions)
    other = policy.flat.clone()
    policy.flat.mul_(0.5)
    with torch.no_grad():
        torch.testing.assert_close(policy.logits(ids, positions, other), before)
        assert not torch.allclose(policy.logits(ids, positions), before)
