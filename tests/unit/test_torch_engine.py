"""The engine against transformers on the same weights, and against itself under other company."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from toy_model import make, reference

from arena.core.engine import Completion, Sampling
from arena.core.errors import ArenaError
from arena.engines.loading import read_weights
from arena.engines.sampler import draw, kept, log_probs
from arena.engines.torch_engine import TorchEngine

SETTINGS = [
    Sampling(max_tokens=12),
    Sampling(temperature=0.7, max_tokens=12),
    Sampling(top_k=7, max_tokens=12),
    Sampling(top_p=0.8, max_tokens=12),
    Sampling(min_p=0.05, max_tokens=12),
    Sampling(temperature=1.3, top_k=40, top_p=0.9, min_p=0.02, max_tokens=12),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def engine(folder: Path) -> TorchEngine:
    return TorchEngine(folder)


def prompts(count: int, seed: int = 0) -> list[tuple[int, ...]]:
    rng = random.Random(seed)
    return [tuple(rng.randrange(2, 512) for _ in range(rng.randrange(3, 40))) for _ in range(count)]


def run(engine: TorchEngine, asked: Sequence[tuple[Sequence[int], Sampling, str]]) -> list[Completion]:
    async def together() -> list[Completion]:
        return list(await asyncio.gather(*(engine.generate(*one) for one in asked)))

    return asyncio.run(together())


def ids(completions: Sequence[Completion]) -> list[tuple[int, ...]]:
    return [completion.token_ids for completion in completions]


SHAPES: list[dict[str, Any]] = [
    {},
    {"tie_word_embeddings": False},
    {"num_key_value_heads": 4},
    {"num_key_value_heads": 1, "hidden_size": 96, "num_hidden_layers": 2, "rope_theta": 500.0, "rms_norm_eps": 1e-3},
    {"num_hidden_layers": 1},
]


@pytest.mark.parametrize("shape", SHAPES, ids=["default", "untied", "no_groups", "one_kv_head", "one_layer"])
def test_greedy_equals_transformers(shape: dict[str, Any], tmp_path: Path) -> None:
    folder = make(tmp_path, **shape)
    model, asked = reference(folder), prompts(20)
    drawn = run(TorchEngine(folder), [(prompt, Sampling(temperature=0, max_tokens=16), "k") for prompt in asked])
    for prompt, completion in zip(asked, drawn, strict=True):
        expected = model.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=16)[0, len(prompt) :]
        assert completion.token_ids == tuple(expected.tolist())
        assert set(completion.logprobs) == {0.0}


@pytest.mark.parametrize("sampling", SETTINGS, ids=str)
def test_logprobs_are_those_of_transformers_renormalised_over_what_was_kept(
    folder: Path, engine: TorchEngine, sampling: Sampling
) -> None:
    model, asked = reference(folder), prompts(30)
    drawn = run(engine, [(prompt, sampling, f"key{n}") for n, prompt in enumerate(asked)])
    for prompt, completion in zip(asked, drawn, strict=True):
        whole = torch.tensor([[*prompt, *completion.token_ids]])
        logits = model(whole).logits[0, len(prompt) - 1 : -1].detach()
        probs = torch.softmax(logits / sampling.temperature, -1)
        probs = _kept_plainly(probs, sampling)
        expected = torch.log(probs / probs.sum(-1, keepdim=True))
        for step, (token, logprob) in enumerate(zip(completion.token_ids, completion.logprobs, strict=True)):
            assert logprob == pytest.approx(expected[step, token].item(), abs=1e-4)


def _kept_plainly(probs: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Truncation, one token at a time."""
    rows = []
    for row in probs.tolist():
        order = sorted(range(len(row)), key=lambda token: -row[token])
        if sampling.top_k:
            order = order[: sampling.top_k]
        total, mass, chosen = sum(row[token] for token in order), 0.0, []
        for token in order:
            if mass >= sampling.top_p * total:
                break
            chosen.append(token)
            mass += row[token]
        least = sampling.min_p * row[order[0]]
        rows.append([p if token in chosen and p >= least else 0.0 for token, p in enumerate(row)])
    return torch.tensor(rows)


def test_the_learners_log_probs_are_the_engines(engine: TorchEngine, folder: Path) -> None:
    model, sampling = reference(folder), SETTINGS[-1]
    (completion,) = run(engine, [((5, 6, 7, 8), sampling, "x")])
    logits = model(torch.tensor([[5, 6, 7, 8, *completion.token_ids]])).logits[0, 3:-1]
    expected = log_probs(logits, sampling)
    chosen = expected[torch.arange(len(completion.token_ids)), list(completion.token_ids)]
    assert completion.logprobs == pytest.approx(chosen.tolist(), abs=1e-4)
    chosen.sum().backward()
    assert model.model.embed_tokens.weight.grad.isfinite().all()


def test_draws_follow_the_softmax(folder: Path, engine: TorchEngine) -> None:
    count, prompt = 4000, (9, 8, 7, 30)
    drawn = run(engine, [(prompt, Sampling(max_tokens=1), f"draw{n}") for n in range(count)])
    probs = torch.softmax(reference(folder)(torch.tensor([prompt])).logits[0, -1], -1)
    seen = torch.bincount(torch.tensor([completion.token_ids[0] for completion in drawn]), minlength=512)
    common = probs * count >= 5
    expected = torch.cat([probs[common] * count, (probs[~common].sum() * count)[None]])
    observed = torch.cat([seen[common], seen[~common].sum()[None]])
    freedom = len(expected) - 1
    chi_square = ((observed - expected) ** 2 / expected).sum().item()
    assert freedom > 10
    assert chi_square < freedom + 4 * (2 * freedom) ** 0.5


def test_draws_do_not_depend_on_company_or_order(engine: TorchEngine) -> None:
    asked = [(prompt, SETTINGS[n % 6], f"key{n}") for n, prompt in enumerate(prompts(60))]
    together = run(engine, asked)
    alone = [run(engine, [one])[0] for one in asked]
    backwards = run(engine, asked[::-1])[::-1]
    assert ids(together) == ids(alone) == ids(backwards)


def test_sharing_rows_changes_no_draw_and_saves_rows(folder: Path) -> None:
    engine, sampling = TorchEngine(folder), Sampling(temperature=0.4, max_tokens=10)
    asked = [(prompt, sampling, f"key{n}") for n in range(40) for prompt in prompts(3)]
    shared = run(engine, asked)
    stats = engine.stats()
    assert stats["rows"] < 0.8 * (stats["tokens"] - stats["requests"])
    assert stats["prompt_tokens"] == sum(map(len, prompts(3)))
    alone = [run(engine, [one])[0] for one in asked]
    assert ids(shared) == ids(alone)
    for one, other in zip(shared, alone, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


def test_equal_keys_draw_equal_tokens_and_other_keys_do_not(engine: TorchEngine) -> None:
    first, second, other = run(engine, [((3, 4, 5), SETTINGS[0], key) for key in ("a", "a", "b")])
    assert first == second
    assert first.token_ids != other.token_ids


def test_more_requests_than_rows_are_all_served_alike(folder: Path, engine: TorchEngine) -> None:
    asked = [(prompt, SETTINGS[0], f"key{n}") for n, prompt in enumerate(prompts(50) + prompts(30))]
    narrow = TorchEngine(folder, max_rows=7, prompt_cache=1 << 16)
    assert ids(run(narrow, asked)) == ids(run(engine, asked))


def test_requests_that_arrive_later_join(engine: TorchEngine) -> None:
    asked = [(prompt, SETTINGS[0], f"late{n}") for n, prompt in enumerate(prompts(12))]

    async def staggered() -> list[Completion]:
        async def one(number: int) -> Completion:
            for _ in range(3 * number):
                await asyncio.sleep(0)
            return await engine.generate(*asked[number])

        return list(await asyncio.gather(*map(one, range(len(asked)))))

    assert ids(asyncio.run(staggered())) == ids(run(engine, asked))


def test_an_end_token_stops_and_is_kept(folder: Path) -> None:
    weights = read_weights(folder)
    weights["model.embed_tokens.weight"] *= 0.05  # nearly uniform draws over the 512 tokens
    engine = TorchEngine(folder, weights=weights)
    drawn = run(engine, [((n, 5), Sampling(max_tokens=400), f"key{n}") for n in range(2, 40)])
    stopped = [completion for completion in drawn if completion.finish_reason == "stop"]
    assert stopped
    assert all(0 not in completion.token_ids[:-1] for completion in drawn)
    assert all((completion.token_ids[-1] == 0) == (completion.finish_reason == "stop") for completion in drawn)
    assert {len(c.token_ids) for c in drawn if c.finish_reason == "length"} <= {400}


def test_the_last_position_of_the_model_ends_a_reply(tmp_path: Path) -> None:
    engine = TorchEngine(make(tmp_path, end=False, max_position_embeddings=20))
    (completion,) = run(engine, [((5,) * 15, Sampling(max_tokens=50), "k")])
    assert (len(completion.token_ids), completion.finish_reason) == (5, "length")


@pytest.mark.parametrize("prompt", [(), (512,), (-1, 3), (5,) * 512], ids=["empty", "large", "negative", "long"])
def test_prompts_that_do_not_fit_are_refused(engine: TorchEngine, prompt: tuple[int, ...]) -> None:
    with pytest.raises(ArenaError):
        run(engine, [(prompt, Sampling(), "k")])


def test_loading_other_weights_changes_draws_and_version(folder: Path, tmp_path: Path) -> None:
    engine, other = TorchEngine(folder), make(tmp_path, seed=1)
    asked = [(prompt, SETTINGS[0], f"key{n}") for n, prompt in enumerate(prompts(5))]
    before = run(engine, asked)
    engine.load(other)
    after = run(engine, asked)
    assert ids(after) == ids(run(TorchEngine(other), asked)) != ids(before)
    assert {completion.version for completion in before} == {0}
    assert {completion.version for completion in after} == {1} == {engine.version}
    engine.load(read_weights(folder / "model.safetensors"))
    assert ids(run(engine, asked)) == ids(before)


def test_weights_that_do_not_fit_leave_the_old_ones(folder: Path, engine: TorchEngine) -> None:
    asked = [((4, 5, 6), SETTINGS[0], "k")]
    before, weights = run(engine, asked), read_weights(folder)
    with pytest.raises(ArenaError, match=r"lack the tensor model\.norm\.weight"):
        engine.load({name: tensor for name, tensor in weights.items() if name != "model.norm.weight"})
    with pytest.raises(ArenaError, match=r"is \(3,\)"):
        engine.load(weights | {"model.norm.weight": torch.ones(3)})
    assert run(engine, asked) == before
    assert engine.version == 0


def test_weights_that_are_not_finite_are_an_error_not_a_draw(folder: Path) -> None:
    weights = read_weights(folder)
    weights["model.norm.weight"][0] = torch.nan
    engine = TorchEngine(folder, weights=weights)
    with pytest.raises(ArenaError, match="not finite"):
        run(engine, [((4, 5, 6), SETTINGS[0], "k")])
    engine.load(folder)
    assert run(engine, [((4, 5, 6), SETTINGS[0], "k")])[0].token_ids


def test_on_token_sees_the_reply_grow(engine: TorchEngine) -> None:
    seen: list[tuple[int, ...]] = []

    async def watch() -> Completion:
        return await engine.generate((7, 8, 9), SETTINGS[0], "k", lambda tokens: seen.append(tuple(tokens)))

    completion = asyncio.run(watch())
    assert seen == [completion.token_ids[:n] for n in range(1, len(completion.token_ids) + 1)]


def test_a_cancelled_request_leaves_the_others_alone(engine: TorchEngine) -> None:
    asked = [(prompt, SETTINGS[0], f"key{n}") for n, prompt in enumerate(prompts(6))]

    async def some() -> list[Completion]:
        tasks = [asyncio.create_task(engine.generate(*one)) for one in asked]
        for _ in range(4):
            await asyncio.sleep(0)
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return [task.result() for number, task in enumerate(tasks) if number != 2]

    expected = run(engine, asked)
    del expected[2]
    assert ids(asyncio.run(some())) == ids(expected)


def test_an_engine_survives_the_end_of_its_event_loop(engine: TorchEngine) -> None:
    async def abandon() -> None:
        task = asyncio.create_task(engine.generate((3, 3, 3), Sampling(max_tokens=100), "gone"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not task.done()

    expected = run(engine, [((4, 5), SETTINGS[0], "k")])
    asyncio.run(abandon())
    assert run(engine, [((4, 5), SETTINGS[0], "k")]) == expected


def test_extreme_uniforms_stay_within_what_is_kept() -> None:
    logits = torch.tensor([[0.0, 5.0, 5.0, 0.0], [5.0, 0.0, 0.0, 5.0]]).repeat(300, 1)
    sampling = Sampling(min_p=0.5)
    low = draw(logits, sampling, None, [0.0] * 600)
    high = draw(logits, sampling, None, [1 - 2**-53] * 600)
    assert low.tokens == [1, 0] * 300
    assert high.tokens == [2, 3] * 300
    assert high.logprobs == pytest.approx([-0.6931472] * 600)


def test_truncation_keeps_the_smallest_set_that_suffices() -> None:
    probs = torch.tensor([[0.1, 0.4, 0.3, 0.2]])
    assert (kept(probs, Sampling(top_k=2)) > 0).tolist() == [[False, True, True, False]]
    assert (kept(probs, Sampling(top_p=0.65)) > 0).tolist() == [[False, True, True, False]]
    assert (kept(probs, Sampling(top_p=0.75)) > 0).tolist() == [[False, True, True, True]]
    assert (kept(probs, Sampling(min_p=0.6)) > 0).tolist() == [[False, True, True, False]]
    assert (kept(probs, Sampling(top_k=3, top_p=0.7)) > 0).tolist() == [[False, True, True, False]]
