"""Both families, in every layout that a folder may have: engine and learner against transformers."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from toy_model import LLAMA3, make, reference

from arena.core.engine import Completion, Sampling
from arena.core.errors import ArenaError, UsageError
from arena.engines import torch_engine
from arena.engines.devices import device_of, dtype_of
from arena.engines.loading import open_model, read_weights
from arena.engines.shape import Shape
from arena.engines.torch_engine import TorchEngine
from training.checkpoint import load_policy

LLAMA: dict[str, Any] = {"family": "llama"}
FOLDERS: dict[str, dict[str, Any]] = {
    "qwen3": {"shards": 3},
    "qwen3_untied": {"tie_word_embeddings": False},
    "qwen3_wide_heads": {"head_dim": 48, "dtype": torch.bfloat16},
    "llama": LLAMA,
    "llama_untied_sharded": LLAMA | {"tie_word_embeddings": False, "shards": 2},
    "llama_narrow_heads": LLAMA | {"head_dim": 16, "num_key_value_heads": 4, "dtype": torch.float16},
    "llama3": LLAMA | {"rope_parameters": LLAMA3},
    "llama3_old_names": LLAMA | {"rope_parameters": LLAMA3, "old_names": True},
}
GPU = pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")])


@pytest.fixture(scope="module", params=FOLDERS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = dict(FOLDERS[request.param])
    old_names = options.pop("old_names", False)
    path = make(tmp_path_factory.mktemp(request.param), spread=0.1, **options)
    if old_names:
        described = json.loads((path / "config.json").read_text())
        rope = described.pop("rope_parameters")
        described |= {"rope_theta": rope.pop("rope_theta"), "rope_scaling": rope}
        (path / "config.json").write_text(json.dumps(described))
    return path


def prompts(count: int, seed: int = 0) -> list[tuple[int, ...]]:
    rng = random.Random(seed)
    return [tuple(rng.randrange(2, 512) for _ in range(rng.randrange(3, 150))) for _ in range(count)]


def run(engine: TorchEngine, asked: Sequence[tuple[int, ...]], sampling: Sampling) -> list[Completion]:
    async def together() -> list[Completion]:
        return list(await asyncio.gather(*(engine.generate(one, sampling, f"key{n}") for n, one in enumerate(asked))))

    return asyncio.run(together())


def expected_logprobs(model: Any, prompt: Sequence[int], completion: Completion) -> torch.Tensor:
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *completion.token_ids]]).to(model.device)).logits[
            0, len(prompt) - 1 : -1
        ]
    logp = torch.log_softmax(logits.float(), -1)
    return logp[torch.arange(len(logp)), list(completion.token_ids)].cpu()


@pytest.mark.parametrize("device", ["cpu", GPU])
def test_greedy_tokens_and_log_probs_are_those_of_transformers(folder: Path, device: str) -> None:
    model, engine = reference(folder).to(device), TorchEngine(folder, device=device, dtype="fp32")
    for prompt, drawn in zip(prompts(8), run(engine, prompts(8), Sampling(temperature=0, max_tokens=12)), strict=True):
        ids = torch.tensor([prompt]).to(device)
        greedy = model.generate(ids, do_sample=False, max_new_tokens=12)[0, len(prompt) :]
        assert drawn.token_ids == tuple(greedy.tolist())
    for prompt, drawn in zip(prompts(8), run(engine, prompts(8), Sampling(max_tokens=12)), strict=True):
        torch.testing.assert_close(
            torch.tensor(drawn.logprobs), expected_logprobs(model, prompt, drawn), atol=1e-4, rtol=0
        )


@pytest.mark.parametrize("device", ["cpu", GPU])
def test_in_bf16_log_probs_are_near_those_of_fp32(folder: Path, device: str) -> None:
    """As near as transformers' own bf16 is, within a factor of two."""
    exact, own = reference(folder), reference(folder, torch.bfloat16).to(device)
    engine = TorchEngine(folder, device=device, dtype="bf16")
    ours, theirs = [], []
    for prompt, drawn in zip(prompts(12), run(engine, prompts(12), Sampling(max_tokens=12)), strict=True):
        right = expected_logprobs(exact, prompt, drawn)
        ours.append((torch.tensor(drawn.logprobs) - right).abs())
        theirs.append((expected_logprobs(own, prompt, drawn) - right).abs())
    assert 0 < torch.cat(ours).mean() < 2 * torch.cat(theirs).mean()


@pytest.mark.parametrize("device", ["cpu", GPU])
def test_the_policys_logits_and_gradients_are_those_of_transformers(folder: Path, device: str) -> None:
    model = reference(folder).to(device)
    policy = load_policy(open_model(folder), folder, device)
    ids = torch.tensor([prompt[:3] * 30 for prompt in prompts(4)]).to(device)
    where, target = torch.arange(ids.numel(), device=device), ids.flatten().roll(1)
    expected = model(input_ids=ids).logits.flatten(0, 1)
    if device == "cuda":
        policy.compute = torch.float32
    got = policy.logits(ids, where)
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
    torch.nn.functional.cross_entropy(expected, target).backward()
    torch.nn.functional.cross_entropy(got, target).backward()
    gradients = policy.state_dict(policy.grad)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, atol=1e-5, rtol=2e-3)


@pytest.mark.parametrize("device", ["cpu", GPU])
def test_the_policy_in_bf16_and_with_recomputed_layers_has_nearly_the_same_gradient(folder: Path, device: str) -> None:
    ids = torch.tensor([prompt[:3] * 30 for prompt in prompts(4)])
    where, target = torch.arange(ids.numel()), ids.flatten().roll(1)

    def gradient(place: str, compute: torch.dtype, recompute: bool) -> torch.Tensor:
        policy = load_policy(open_model(folder), folder, place)
        policy.compute, policy.recompute = compute, recompute
        logits = policy.logits(ids.to(place), where.to(place))
        assert logits.dtype == torch.float32
        torch.nn.functional.cross_entropy(logits, target.to(place)).backward()
        return policy.grad.cpu()

    plain = gradient("cpu", torch.float32, False)
    torch.testing.assert_close(gradient(device, torch.float32, True), plain, atol=1e-5, rtol=1e-3)
    rough = gradient(device, torch.bfloat16, True)
    assert torch.nn.functional.cosine_similarity(rough, plain, dim=0) > 0.99
    assert not torch.equal(rough, plain)


def test_a_policys_weights_are_those_of_the_folder_under_the_same_names(folder: Path) -> None:
    policy, weights = load_policy(open_model(folder), folder), read_weights(folder)
    back = policy.state_dict()
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], weights[name].float()) for name in weights)
    assert policy.flat.numel() == Shape.from_config(open_model(folder).config).parameters


# -- the cache ------------------------------------------------------------------------------------------------


def test_a_cache_that_grows_with_the_replies_or_is_short_keeps_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, sampling, asked = make(tmp_path, spread=0.1), Sampling(max_tokens=100), prompts(30)
    model = reference(folder)

    def check(engine: TorchEngine, count: int) -> float:
        drawn = run(engine, asked[:count], sampling)
        for prompt, one in zip(asked, drawn, strict=False):
            right = expected_logprobs(model, prompt, one)
            torch.testing.assert_close(torch.tensor(one.logprobs), right, atol=1e-4, rtol=0)
        return engine.stats()["kv_bytes"]

    eager = check(TorchEngine(folder), 30)
    monkeypatch.setattr(torch_engine, "_RESERVED", 0)
    monkeypatch.setattr(torch_engine, "_PROMPTS", 200 * 3 * 2 * 64 * 4)
    limit = 8 << 20
    assert check(TorchEngine(folder, kv_cache=limit), 30) <= limit < min(eager, check(TorchEngine(folder), 30))
    assert check(TorchEngine(folder, kv_cache=1), 4) < limit


# -- what is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"architectures": ["MistralForCausalLM"]}, "MistralForCausalLM.*LlamaForCausalLM"),
        ({"architectures": []}, "none"),
        ({"attention_bias": True}, "no attention bias"),
        ({"mlp_bias": True}, "no bias in the feed-forward"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "no sliding window"),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 4.0}}, "rope_type"),
        ({"rope_parameters": {"rope_type": "llama3"}}, "factor"),
        ({"rope_parameters": {"rope_type": "llama3", **dict.fromkeys(list(LLAMA3)[2:], 1.0)}}, "rotary scaling"),
        ({"rope_parameters": "fast"}, "garbles"),
        ({"quantization_config": {"bits": 4}}, "not quantised"),
        ({"num_key_value_heads": 3}, "no model can have"),
        ({"hidden_size": "wide"}, "garbles a size"),
        ({"num_attention_heads": 0}, "garbles a size|no model"),
    ],
)  # fmt: skip
def test_what_the_forward_pass_lacks_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    folder = make(tmp_path, family="llama", num_hidden_layers=1)
    described = json.loads((folder / "config.json").read_text()) | {"head_dim": None, "model_type": "other"} | changes
    (folder / "config.json").write_text(json.dumps(described))
    with pytest.raises(ArenaError, match=reason) as caught:
        open_model(folder)
    assert "\n" not in str(caught.value)


def test_a_lost_shard_is_missed_by_name(tmp_path: Path) -> None:
    folder = make(tmp_path, shards=2)
    os.remove(folder / "model-00002-of-00002.safetensors")
    with pytest.raises(ArenaError, match="model-00002-of-00002"):
        open_model(folder)


def test_devices_and_precisions_have_names(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    assert device_of("auto") == cpu, "tests compute on the CPU unless they say otherwise"
    monkeypatch.setenv("SPIRAL_ARENA_DEVICE", "gpu")
    with pytest.raises(UsageError, match="Unknown device gpu"):
        device_of("auto")
    assert (device_of("cpu"), dtype_of("auto", cpu), dtype_of("bf16", cpu)) == (cpu, torch.float32, torch.bfloat16)
    assert dtype_of("auto", torch.device("cuda")) == torch.bfloat16
    for wrong in ("gpu", "cpu:1", "cuda:x", "cuda:99"):
        with pytest.raises(UsageError):
            device_of(wrong)
    with pytest.raises(UsageError, match="bf16"):
        dtype_of("float8", cpu)
