"""The dry run's arithmetic against real tensors, and its command."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from toy_model import make, reference

from arena.cli.app import main
from arena.config.base import apply_settings, find_toml, read_toml, validate
from arena.config.train import TrainConfig
from arena.core.errors import UsageError
from arena.core.registry import PlayerSpec
from arena.engines.known_shapes import SHAPES, known_shape
from arena.engines.loading import open_model
from arena.engines.shape import Shape
from arena.engines.torch_engine import TorchEngine
from arena.runs.launch import job_environment
from training import dryrun
from training.dryrun import Device, Lengths, count_tokens, estimate, find_model, lengths_of
from training.footprint import Load, cast_bytes, kept_bytes, layer_bytes, memory, trained_flops
from training.learner import Learner
from training.policy import Policy

CPU = Device("this CPU", 16 << 30, 2e11, training=0.5, drawing=0.2, gpu=False)


def preset(name: str, *settings: str) -> TrainConfig:
    return validate(TrainConfig, apply_settings(read_toml(find_toml(name)), settings), name)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Qwen/Qwen3-0.6B", 596_049_920),
        ("Qwen/Qwen3-1.7B-Base", 1_720_574_976),
        ("Qwen/Qwen3-4B-Base@main", 4_022_468_096),
        ("Qwen/Qwen3-8B", 8_190_735_360),
        ("meta-llama/Llama-3.2-1B", 1_235_814_400),
        ("meta-llama/Llama-3.2-3B-Instruct", 3_212_749_824),
        ("meta-llama/Meta-Llama-3.1-8B", 8_030_261_248),
    ],
)
def test_public_models_have_their_published_number_of_parameters(name: str, parameters: int) -> None:
    shape = known_shape(name)
    assert shape is not None
    assert shape.parameters == parameters
    assert len(SHAPES) == 7
    assert known_shape("Qwen/Qwen3-5B") is None


SMALL: list[dict[str, Any]] = [{}, {"tie_word_embeddings": False, "head_dim": 16}, {"family": "llama"}]


@pytest.mark.parametrize("options", SMALL, ids=["qwen3", "untied", "llama"])
def test_sizes_are_those_of_the_tensors(options: dict[str, Any], tmp_path: Path) -> None:
    folder = make(tmp_path, **options)
    shape = Shape.from_config(open_model(folder).config)
    assert shape.parameters == sum(parameter.numel() for parameter in reference(folder).parameters())
    policy = Policy.from_folder(folder)
    learner = Learner(policy, preset("quickstart").optimiser, 16, 1.0)
    policy.grad.normal_()
    learner.adam.step()
    load = Load(
        gpu=False, compute=4, magnet=True, anchor=True, engines=1, microbatch=0, replies=0, slots=8, context=100,
        kv_limit=1 << 40,
    )  # fmt: skip
    parts = memory(shape, load)
    state = learner.state_tensors()
    real = {
        "weights": policy.flat,
        "gradients": policy.grad,
        "magnet": learner.magnet,
        "anchor": learner.start,
    }
    assert {name: parts.resident[name] for name in real} == {name: tensor.nbytes for name, tensor in real.items()}
    assert parts.resident["adam moments"] == state["exp_avg"].nbytes + state["exp_avg_sq"].nbytes
    engine = TorchEngine(folder)
    held = [getattr(layer, name) for layer in engine._model._layers for name in ("qkv", "out", "gate_up", "down")]
    held += [engine._model._embed] + ([] if shape.tied else [engine._model._head])
    assert parts.resident["engines"] == pytest.approx(sum(tensor.nbytes for tensor in held), rel=0.01)
    assert parts.drawing["kv cache"] == engine._empty_kv(8, 100).nbytes * 3 // 2
    assert memory(shape, replace(load, magnet=False, anchor=False)).resident["magnet"] == 0
    assert memory(shape, replace(load, kv_limit=1000)).drawing["kv cache"] == 1000
    assert parts.peak == sum(parts.resident.values()) + max(
        sum(phase.values()) for phase in (parts.learning, parts.drawing, parts.publishing)
    )


@pytest.mark.parametrize("replies", [384, 128], ids=["all", "replies"])
@pytest.mark.parametrize("compute", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("options", SMALL, ids=["qwen3", "untied", "llama"])
def test_activations_are_what_autograd_keeps(
    options: dict[str, Any], compute: torch.dtype, replies: int, tmp_path: Path
) -> None:
    policy = Policy.from_folder(make(tmp_path, **options))
    policy.compute = compute
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() != policy.flat.data_ptr():
            kept[storage.data_ptr()] = storage
        return tensor

    ids = torch.randint(2, 512, (4, 96))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        states = policy.hidden(ids, positions=None if replies == ids.numel() else torch.arange(0, ids.numel(), 3))
    assert states.requires_grad
    real, item, shape = sum(storage.nbytes() for storage in kept.values()), compute.itemsize, policy.shape
    # The head's matrix is cast where the logits are made, not here.
    head = shape.vocab * shape.hidden * item if item != 4 else 0
    expected = kept_bytes(shape, item, ids.numel(), replies) + cast_bytes(shape, item) - head
    assert real == pytest.approx(expected, rel=0.02)


def test_recomputing_keeps_a_layers_input_alone() -> None:
    shape = SHAPES["Qwen3-4B"]
    assert shape.recomputes
    assert kept_bytes(shape, 2, 10, 4) == 10 * (36 * 2560 * 4 + layer_bytes(shape, 2))
    assert trained_flops(shape, 0) == 8 * shape.parameters
    assert trained_flops(replace(shape, layers=1, hidden=64), 2) == 10 * replace(shape, layers=1, hidden=64).parameters


def test_tokens_follow_from_quotas_lengths_and_epochs() -> None:
    config = preset(
        "quickstart", "games=[{game='tictactoe', turns=10}]", "steps=4", "sampling.max_tokens=5",
        "optimiser.epochs=3", "evaluation.every=2", "evaluation.pairs=2", "evaluation.opponents=['random','start']",
    )  # fmt: skip
    tokens = count_tokens(config, [Lengths(turns=8, prompt=20, longest=30)])
    assert (tokens.turns, tokens.prompt, tokens.reply, tokens.trained) == (10, 200, 50, 750)
    # Four matches against each opponent; in those against the start both seats are models.
    assert tokens.evaluation == 4 * (4 + 8) * 25
    assert tokens.evaluations == 3
    assert tokens.total == 4 * (250 + 750) + 3 * 1200


def test_evaluations_are_those_of_the_loop() -> None:
    for every, steps in ((0, 7), (2, 7), (2, 8), (10, 3)):
        config = preset("quickstart", f"steps={steps}", f"evaluation.every={every}")
        at = {step for step in range(1, steps + 1) if step == steps or (every and step % every == 0)}
        expected = len(at) + (1 if every else 0)
        assert count_tokens(config, [Lengths(1, 1, 1)] * 2).evaluations == expected, (every, steps)


def test_prompts_are_counted_by_the_models_own_tokenizer_in_its_style(tmp_path: Path) -> None:
    config = preset("quickstart", f"model=hf:{make(tmp_path)}?style=base", "games=[{game='tictactoe', turns=1}]")
    model = find_model(config)
    assert (model.style, model.codec is not None) == ("base", True)
    measured = lengths_of(config.games[0], model)
    letters = lengths_of(config.games[0], replace(model, codec=None))
    assert measured.prompt == pytest.approx(4 * letters.prompt, rel=0.05), "the toy tokenizer has a token a byte"
    assert 5 <= measured.turns <= 9
    assert measured.longest > measured.prompt


def test_the_4b_preset_is_the_papers_and_is_estimated_without_a_download(monkeypatch: pytest.MonkeyPatch) -> None:
    config = preset("qwen3-4b")
    faithful = preset("spiral-faithful")
    assert (config.games, config.advantage, config.shaping) == (faithful.games, faithful.advantage, faithful.shaping)
    assert config.optimiser == faithful.optimiser.model_copy(update={"lr": 1e-6})
    assert (config.steps, config.sampling.max_tokens) == (400, 4096)
    assert PlayerSpec.parse(config.model).target == "Qwen/Qwen3-4B-Base"
    monkeypatch.setattr(dryrun, "_folder", lambda spec: None)
    found = estimate(config, CPU)
    assert found["model"]["parameters"] == 4_022_468_096
    assert found["style"] == "spiral"
    assert found["tokens"]["turns"] == 129
    assert found["tokens"]["reply"] == 129 * 4096
    devices = {device["device"]: device for device in found["devices"]}
    for device in devices.values():
        resident, *phases = (sum(part.values()) for part in device["memory"].values())
        assert device["needed_bytes"] == resident + max(phases)
        assert device["fits"] == (device["needed_bytes"] <= device["memory_bytes"])
        assert device["memory"]["resident"]["adam moments"] == 8 * 4_022_468_096
    assert not devices["RTX 4090 24 GB"]["fits"]
    h100, a100 = devices["H100 80 GB"], devices["A100 80 GB"]
    assert h100["memory"]["drawing"]["kv cache"] == 32 * 10**9, "64 replies of 4k need more than the engine takes"
    assert h100["load"]["slots"] == 64
    assert a100["seconds_total"] == pytest.approx(h100["seconds_total"] * 989 / 312)
    learned = found["tokens"]["trained"] * 8 * 4_022_468_096 / (989e12 * 0.4)
    assert h100["seconds_learn"] == pytest.approx(learned)
    json.dumps(found)


def test_an_unknown_size_is_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError, match=r"other/Model are not known here.*Qwen3-4B"):
        find_model(preset("quickstart", "model=hf:other/Model"))


def test_the_command_prints_json_or_text_and_starts_nothing(tmp_path: Path) -> None:
    folder = make(tmp_path / "model")
    command = [sys.executable, "-m", "arena", "train", "quickstart", "--set", f"model=hf:{folder}", "--dry-run"]
    environment = job_environment() | {"HF_HUB_OFFLINE": "1"}
    done = [
        subprocess.run(
            [*command, *more], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True, env=environment
        )
        for more in (["--json"], [])
    ]
    found, text = json.loads(done[0].stdout), done[1].stdout
    shape = Shape.from_config(open_model(folder).config)
    assert found["model"]["sizes"] == asdict(shape)
    assert [device["fits"] for device in found["devices"]] == [True] * 5
    assert found["devices"][-1]["flops_per_second"] > 1e9
    assert "adam moments" in text
    assert "Assumed" in text
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_dry_run_takes_a_configuration_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--dry-run"]) == 2
    assert main(["train", "quickstart", "--dry-run", "--detach"]) == 2
    assert capsys.readouterr().err.count("--dry-run takes a configuration") == 2
