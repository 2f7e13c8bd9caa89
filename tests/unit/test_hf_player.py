"""`hf:` specs: folders, the local cache, what is said offline; begin tokens; training and playing any model."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import huggingface_hub
import pytest
from tokenizers import Tokenizer, processors
from toy_model import make
from training_runs import rows, train

from arena.config.base import validate
from arena.config.checks import check_training
from arena.config.train import TrainConfig
from arena.core.errors import ArenaError, UnknownName, UsageError
from arena.core.match import play
from arena.core.player import Player, View
from arena.core.registry import GameSpec, PlayerSpec, load_player
from arena.engines.loading import open_model
from arena.engines.text import TextCodec
from arena.players.checkpoint import PolicyPlayer
from arena.players.hf import cached, locate
from arena.runs.launch import create_run
from training.distributed import Ranks
from training.rollout import collect, plan
from training.setup import build

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
FAMILIES = ("qwen3", "llama")


def stranger(folder: Path, family: str, template: bool = True) -> Path:
    """A random model as others publish them: no spiral_arena.json, a begin token for Llama."""
    make(folder, spread=0.02, family=family, max_position_embeddings=4096)
    (folder / "spiral_arena.json").unlink()
    if family == "llama":
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.post_processor = processors.TemplateProcessing(single="<|pad|> $A", special_tokens=[("<|pad|>", 1)])
        tokenizer.save(str(folder / "tokenizer.json"))
    named = {"bos_token": "<|pad|>", "eos_token": "<|end|>"} | ({"chat_template": TEMPLATE} if template else {})
    (folder / "tokenizer_config.json").write_text(json.dumps(named))
    return folder


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stranger(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put(cache: Path, name: str, folder: Path, commit: str = "c" * 40) -> Path:
    """The folder in the cache as the hub's client lays it out, as its revision main."""
    place = cache / f"models--{name.replace('/', '--')}"
    snapshot = Path(shutil.copytree(folder, place / "snapshots" / commit))
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(commit)
    return snapshot


def view() -> View:
    return View("kuhn_poker", {}, 0, "Rules.", "Your card Q.", ["[check]", "[bet]"], lambda rng: "[bet]", 7, 0)


def test_a_folder_plays_with_options_and_shares_its_engine(model: Path) -> None:
    one, other = load_player(f"hf:{model}?max_tokens=4"), load_player(f"hf:{model}?temperature=0&style=base")
    assert isinstance(one, PolicyPlayer)
    assert isinstance(other, PolicyPlayer)
    assert one.engine is other.engine
    assert one.sampling.max_tokens == 4
    reply = asyncio.run(one.act(view()))
    assert reply.sample is not None
    assert 1 <= len(reply.sample.token_ids) <= 4
    rough = load_player(f"hf:{model}?dtype=bf16&device=cpu&max_tokens=4")
    assert isinstance(rough, PolicyPlayer)
    assert rough.engine is not one.engine
    assert asyncio.run(rough.act(view())).text
    with pytest.raises(UsageError, match="Unknown dtype"):
        load_player(f"hf:{model}?dtype=int3")


def test_a_begin_token_is_put_once_before_every_prompt(tmp_path: Path) -> None:
    llama, qwen = (TextCodec(open_model(stranger(tmp_path / family, family))) for family in ("llama", "qwen3"))
    plain, chat = "Position", llama.chat([{"role": "user", "content": "Hi"}])
    assert chat.startswith("<|pad|>")
    assert [llama.encode(text).count(1) for text in (plain, chat)] == [1, 1]
    assert llama.encode(plain)[0] == 1
    assert qwen.encode(plain).count(1) == 0


def test_a_hub_id_is_found_in_the_cache_at_its_revision(model: Path, cache: Path) -> None:
    assert cached("some-one/Tiny-1.0") is None
    snapshot = put(cache, "some-one/Tiny-1.0", model)
    for target in ("some-one/Tiny-1.0", "some-one/Tiny-1.0@main", f"some-one/Tiny-1.0@{'c' * 40}"):
        assert locate(target).model == snapshot == cached(target)
    spec = PlayerSpec.parse("hf:some-one/Tiny-1.0@main?max_tokens=3")
    assert (spec.backend, spec.target) == ("hf", "some-one/Tiny-1.0@main")
    assert load_player(spec.name).name == spec.name
    with pytest.raises(ArenaError, match=r"^some-one/Tiny-1\.0 is not in the cache and cannot be downloaded: "):
        locate("some-one/Tiny-1.0@other")


@pytest.mark.parametrize("lost", ["config.json", "tokenizer.json", "model.safetensors"])
def test_offline_what_is_not_or_only_half_in_the_cache_is_told_in_one_line(model: Path, cache: Path, lost: str) -> None:
    for name in ("nobody/nothing", "some/half"):
        if name == "some/half":
            (put(cache, name, model) / lost).unlink()
        with pytest.raises(ArenaError) as caught:
            load_player(f"hf:{name}")
        expected = f"{name} is not in the cache and cannot be downloaded: HF_HUB_OFFLINE is set."
        assert str(caught.value) == expected


def test_what_the_hub_says_becomes_one_line(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is asked for a host that no network has."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ArenaError, match=r"^some/model is not in the cache and cannot be downloaded: .") as caught:
        locate("some/model")
    assert "\n" not in str(caught.value)


def test_wrong_targets_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a model"):
        locate("")
    with pytest.raises(UsageError, match="no folder"):
        locate("./no/such/folder")
    with pytest.raises(ArenaError, match="not a model folder"):
        locate(str(tmp_path))


# -- training -------------------------------------------------------------------------------------------------


def config(model: str, **changes: object) -> TrainConfig:
    games = [{"game": "tictactoe", "turns": 4}, {"game": "kuhn_poker?hands=1&payoff=chips", "turns": 4}]
    evaluation = {"every": 0, "pairs": 1, "opponents": ["random"], "ground_truth": False}
    rest = {"steps": 2, "checkpoint_every": 1, "sampling": {"max_tokens": 12}, "shaping": "spiral"}
    return validate(TrainConfig, {"model": model, "games": games, "evaluation": evaluation, **rest, **changes})


@pytest.mark.slow
@pytest.mark.parametrize("style", ["chat", "base", "spiral"])
def test_any_model_trains_and_then_plays_itself(model: Path, style: str, tmp_path: Path) -> None:
    resolved = config(f"hf:{model}?style={style}")
    check_training(resolved)
    run_dir = create_run(resolved, "train", tmp_path / "run")
    train(run_dir)
    metrics, _, _ = rows(run_dir)
    assert {row.step for row in metrics if row.name == "policy_loss"} == {1, 2}

    players: tuple[Player, Player] = (load_player(f"ckpt:{run_dir}"), load_player(f"hf:{model}?style={style}"))
    trained, base = players
    assert isinstance(trained, PolicyPlayer)
    assert isinstance(base, PolicyPlayer)
    assert trained.prompt_ids(view()) == base.prompt_ids(view())
    assert asyncio.run(trained.act(view())).text != "" != asyncio.run(base.act(view())).text

    async def match() -> list[object]:
        return [event async for event in play(GameSpec.parse("tictactoe"), players, 3, retries=1)]

    assert type(asyncio.run(match())[-1]).__name__ == "MatchEnded"


@pytest.mark.parametrize("style", ["compact", "chat", "base", "spiral"])
def test_trained_prompts_are_the_sampled_ones_byte_for_byte(model: Path, style: str, tmp_path: Path) -> None:
    """What the learner gets is what a player of the same model and style reads, and decodes to the style's text."""
    resolved = config(f"hf:{model}?style={style}")
    parts = build(create_run(resolved, "train", tmp_path / "run"), resolved, Ranks()).parts
    asked: list[tuple[int, ...]] = []
    engine = parts.policy.engine  # type: ignore[attr-defined]
    generate = engine.generate

    async def recorded(prompt: tuple[int, ...], *args: object) -> object:
        asked.append(prompt)
        return await generate(prompt, *args)

    engine.generate = recorded
    planned = plan(resolved.games, {"tictactoe": 4.0, "kuhn_poker?hands=1&payoff=chips": 2.0}, 0, 0)
    rollout = asyncio.run(collect(planned, parts.policy, parts.opponent, resolved.shaping))
    trained = [sample.prompt_ids for trajectory in rollout.trajectories for sample in trajectory.samples]
    assert trained
    assert sorted(trained) == sorted(asked)
    player = load_player(f"hf:{model}?style={style}")
    assert isinstance(player, PolicyPlayer)
    state = GameSpec.parse("kuhn_poker?hands=1&payoff=chips").new(planned[-1].key)
    first = View("kuhn_poker", {}, 0, state.rules(0), state.observe(0), None, state.sample, 1, 0)
    ids = player.prompt_ids(first)
    assert ids in trained
    text = player._style.build(state.rules(0), state.observe(0), player.codec)
    assert player.codec._tokenizer.decode(list(ids), skip_special_tokens=False).removeprefix("<|pad|>") == (
        text.removeprefix("<|pad|>")
    )
    assert (style == "compact") == (state.rules(0) not in text)


@pytest.mark.slow
def test_a_run_starts_again_from_its_own_first_checkpoint_in_its_style(model: Path, tmp_path: Path) -> None:
    resolved = config(f"hf:{model}?style=spiral", steps=1)
    run_dir = create_run(resolved, "train", tmp_path / "run")
    train(run_dir)
    settings = json.loads((run_dir / "checkpoints" / "step_0" / "model" / "spiral_arena.json").read_text())
    assert settings["style"] == "spiral"
    assert build(run_dir, resolved, Ranks()).parts.state.step == 1


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("hf:{model}?temperature=1", UsageError, "cannot start from"),
        ("hf:{model}?style=spirl", UnknownName, "spiral"),
        ("random", UsageError, "cannot start from"),
        ("hf:./nowhere/at/all", UsageError, "no folder"),
    ],
)
def test_a_model_that_training_cannot_start_from_is_refused_first(
    model: Path, spec: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        check_training(config(spec.format(model=model)))
