"""The player on a model of ours: what it refuses to load, and that its samples are exactly what was drawn."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toy_model import END, make, reference

from arena.core.engine import Sampling
from arena.core.errors import ArenaError, UnknownName, UsageError
from arena.core.events import IllegalReply, Partial, TurnTaken
from arena.core.match import play
from arena.core.player import Reply, View
from arena.core.registry import GameSpec, load_player
from arena.engines.loading import open_model
from arena.engines.text import TextCodec
from arena.players import checkpoint
from arena.players.checkpoint import PolicyPlayer, load, locate
from arena.runs.checkpoints import write_checkpoint

CHAT = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|reply|>{% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def view(observation: str = "Your card Q.", **changes: object) -> View:
    plain = {"game": "kuhn_poker", "variant": {}, "seat": 0, "rules": "Rules.", "legal": ["[check]", "[bet]"]}
    rest = {"observation": observation, "sample": lambda rng: "[bet]", "key": 7, "turn": 0}
    return View(**(plain | rest | changes))  # type: ignore[arg-type]


def act(player: object, *views: View) -> list[Reply]:
    async def together() -> list[Reply]:
        return list(await asyncio.gather(*(player.act(one) for one in views)))  # type: ignore[attr-defined]

    return asyncio.run(together())


def edit(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_sample_is_what_was_drawn_and_the_text_is_its_decoding(folder: Path) -> None:
    player = load_player(f"ckpt:{folder}?max_tokens=9")
    (reply,) = act(player, view())
    sample = reply.sample
    assert sample is not None
    assert len(sample.token_ids) == len(sample.logprobs) == reply.usage.completion_tokens <= 9
    assert reply.usage.prompt_tokens == len(sample.prompt_ids) == len("Your card Q.\n")
    codec = TextCodec(open_model(folder))
    assert codec.decode(sample.prompt_ids) == "Your card Q.\n"
    assert codec.decode(sample.token_ids) == reply.text
    assert reply.finish_reason in ("stop", "length")
    assert sample.weights_version == 0


def test_the_key_of_a_draw_is_match_seat_turn_and_attempt(folder: Path) -> None:
    player = load_player(f"ckpt:{folder}")
    views = [view(), view(), view(key=8), view(seat=1), view(turn=1), view(attempt=1, illegal="no")]
    replies = [reply.sample for reply in act(player, *views)]
    assert replies[0] == replies[1]
    assert len({sample.token_ids for sample in replies if sample}) == 5
    assert len({sample.prompt_ids for sample in replies if sample}) == 1


def test_the_end_token_is_in_the_sample_and_not_in_the_text(copy: Path) -> None:
    edit(copy / "config.json", eos_token_id=list(range(512)))
    (reply,) = act(load_player(f"ckpt:{copy}"), view())
    assert reply.sample is not None
    assert (len(reply.sample.token_ids), reply.finish_reason) == (1, "stop")
    assert END not in reply.text


def test_greedy_play_is_that_of_transformers(folder: Path) -> None:
    import torch

    (reply,) = act(load_player(f"ckpt:{folder}?temperature=0&max_tokens=8"), view())
    assert reply.sample is not None
    prompt = torch.tensor([reply.sample.prompt_ids])
    expected = reference(folder).generate(prompt, do_sample=False, max_new_tokens=8)[0, prompt.shape[1] :]
    assert reply.sample.token_ids == tuple(expected.tolist())


def test_options_go_over_the_models_own_sampling_and_style(copy: Path) -> None:
    edit(copy / "spiral_arena.json", style="compact", sampling={"temperature": 0.8, "min_p": 0.03, "max_tokens": 5})
    plain, changed = load_player(f"ckpt:{copy}"), load_player(f"ckpt:{copy}?temperature=0.5&top_k=3&style=base")
    assert isinstance(plain, PolicyPlayer)
    assert isinstance(changed, PolicyPlayer)
    assert plain.sampling == Sampling(temperature=0.8, min_p=0.03, max_tokens=5)
    assert changed.sampling == Sampling(temperature=0.5, top_k=3, min_p=0.03, max_tokens=5)
    assert plain.engine is changed.engine
    assert len(changed.prompt_ids(view())) > len(plain.prompt_ids(view()))
    assert plain.name == f"ckpt:{copy}"


@pytest.mark.parametrize(
    "query", ["temperature=-1", "temperature=hot", "top_p=0", "top_p=1.5", "min_p=2", "max_tokens=0", "top_k=1.5"]
)
def test_sampling_out_of_range_is_wrong_usage(folder: Path, query: str) -> None:
    with pytest.raises(UsageError):
        load_player(f"ckpt:{folder}?{query}")


def test_an_unknown_style_or_option_names_the_nearest(folder: Path) -> None:
    with pytest.raises(UnknownName, match="compact"):
        load_player(f"ckpt:{folder}?style=compct")
    with pytest.raises(UnknownName, match="temperature"):
        load_player(f"ckpt:{folder}?temprature=1")


def test_without_settings_a_chat_template_decides_the_style(copy: Path) -> None:
    (copy / "spiral_arena.json").unlink()
    base = load_player(f"ckpt:{copy}?max_tokens=2")
    assert isinstance(base, PolicyPlayer)
    assert base.codec.decode(base.prompt_ids(view())).startswith("Rules\n")
    edit(copy / "tokenizer_config.json", chat_template=CHAT)
    chat = load(_parsed(f"ckpt:{copy}?max_tokens=2"))
    text = chat.codec.decode(chat.prompt_ids(view()))
    assert text.startswith("<|system|>Rules.<|user|>Your card Q.")
    assert text.endswith("<|reply|>")


def _parsed(spec: str):  # type: ignore[no-untyped-def]
    from arena.core.registry import PlayerSpec
    from arena.players import checkpoint

    checkpoint._engines.clear()
    return PlayerSpec.parse(spec)


def test_control_tokens_in_what_a_player_said_are_broken_up(folder: Path) -> None:
    player = load_player(f"ckpt:{folder}")
    assert isinstance(player, PolicyPlayer)
    ids = player.prompt_ids(view(f'They said "{END}You won."'))
    assert 0 not in ids
    assert 0 in player.codec.encode(END)


def shown(folder: Path) -> list[str]:
    """What a watched turn of twenty tokens shows of its reply."""
    player, texts = load_player(f"ckpt:{folder}?max_tokens=20"), list[str]()
    act(player, view(partial=texts.append))
    return texts


def test_watched_turns_show_the_text_as_it_grows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "SHOW_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "_SHOW_SHARE", 1e9)
    texts = shown(folder)
    assert len(texts) == 20
    assert texts == sorted(texts, key=len)
    assert len(texts[-1]) > len(texts[1])


def test_a_growing_reply_is_looked_at_now_and_then_and_not_at_every_token(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SHOW_SECONDS", 60.0)
    assert len(shown(folder)) == 1


def test_a_watched_match_tells_of_the_growing_replies(folder: Path) -> None:
    player = load_player(f"ckpt:{folder}?max_tokens=20")

    async def match() -> list[object]:
        game = GameSpec.parse("kuhn_poker?hands=1&payoff=chips")
        return [event async for event in play(game, (player, player), 3, retries=0, watched=True)]

    assert any(isinstance(event, Partial) for event in asyncio.run(match()))


def test_a_match_between_checkpoints_repeats_itself_at_any_company(folder: Path) -> None:
    player = load_player(f"ckpt:{folder}")
    game = GameSpec.parse("kuhn_poker?hands=1&payoff=chips")

    async def one(key: int) -> list[str]:
        events = [event async for event in play(game, (player, player), key, retries=1)]
        return [event.reply.text for event in events if isinstance(event, TurnTaken | IllegalReply)]

    async def many() -> list[list[str]]:
        return list(await asyncio.gather(*map(one, range(20))))

    assert asyncio.run(many()) == [asyncio.run(one(key)) for key in range(20)]


# -- what is refused ------------------------------------------------------------------------------------------


def refused(folder: Path, reason: str) -> None:
    with pytest.raises(ArenaError, match=reason) as caught:
        load(_parsed(f"ckpt:{folder}"))
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, "not a model folder")
    with pytest.raises(ArenaError, match=r"no config\.json"):
        open_model(tmp_path)


def test_code_of_its_own_is_refused(copy: Path) -> None:
    edit(copy / "config.json", auto_map={"AutoModelForCausalLM": "evil.Model"})
    refused(copy, "auto_map")


def test_a_tokenizer_with_code_of_its_own_is_refused(copy: Path) -> None:
    edit(copy / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Tokenizer", None]})
    refused(copy, "auto_map")


def test_pickles_are_refused_and_not_run(copy: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(copy / "sprung"),)

    (copy / "model.safetensors").unlink()
    refused(copy, r"no \*\.safetensors")
    (copy / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    refused(copy, "pickle")
    shutil.copy(copy / "pytorch_model.bin", copy / "model.safetensors")
    refused(copy, "cannot be read")
    assert not (copy / "sprung").exists()


def test_another_architecture_is_refused_by_name(copy: Path) -> None:
    edit(copy / "config.json", architectures=["MistralForCausalLM"])
    refused(copy, "MistralForCausalLM.*Qwen3ForCausalLM")


def test_features_that_the_engine_lacks_are_refused(copy: Path) -> None:
    edit(copy / "config.json", use_sliding_window=True)
    refused(copy, "sliding window")


def test_truncated_weights_are_refused(copy: Path) -> None:
    os.truncate(copy / "model.safetensors", 1000)
    refused(copy, "cannot be read")


def test_garbled_files_are_refused(copy: Path) -> None:
    (copy / "tokenizer.json").write_text("{")
    refused(copy, r"tokenizer\.json cannot be read")
    (copy / "config.json").write_text("[]")
    refused(copy, "not a JSON object")


def test_an_unknown_run_is_wrong_usage() -> None:
    with pytest.raises(UnknownName) as caught:
        locate("nosuchrun")
    assert caught.value.exit_code == 2
    with pytest.raises(UsageError):
        locate("")


# -- runs -----------------------------------------------------------------------------------------------------


def run_of(folder: Path, where: Path, magnet: Path | None = None) -> Path:
    def fill(step: Path) -> None:
        shutil.copytree(folder, step / "model")
        if magnet is not None:
            shutil.copy(magnet / "model.safetensors", step / "magnet.safetensors")

    for step in (1, 2):
        write_checkpoint(where / "checkpoints", step, fill)
    return where


def test_a_runs_newest_checkpoint_plays_and_the_magnets_weights_are_offered(folder: Path, tmp_path: Path) -> None:
    magnet = make(tmp_path / "magnet", seed=3)
    plain, steered = run_of(folder, tmp_path / "a"), run_of(folder, tmp_path / "b", magnet)
    specs = [f"ckpt:{folder}", f"ckpt:{plain}", f"ckpt:{plain}@1", f"ckpt:{magnet}", f"ckpt:{steered}@latest"]
    replies = [act(load_player(spec), view())[0].text for spec in specs]
    assert replies[0] == replies[1] == replies[2] != replies[3]
    assert replies[3] == replies[4]
    assert locate(f"{plain}@1").model == plain / "checkpoints" / "step_1" / "model"


def test_a_damaged_checkpoint_is_passed_over_and_said(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(folder, tmp_path / "run")
    os.truncate(run / "checkpoints" / "step_2" / "model" / "model.safetensors", 99)
    player = load_player(f"ckpt:{run}")
    assert "step_2" in capsys.readouterr().err
    assert act(player, view())[0].sample is not None
    with pytest.raises(ArenaError, match="damaged"):
        load_player(f"ckpt:{run}@2")


def test_finding_a_player_loads_no_torch() -> None:
    code = "import sys, arena.players.checkpoint, arena.runs.checkpoints; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
