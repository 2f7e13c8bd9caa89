"""The update: exact merging of equal rows, the loss against a plain one, magnet, skipping what is not finite."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
import torch
from toy_model import make

from arena.config.train import OptimiserConfig
from arena.core.player import Sample
from training.batches import by_length, collate
from training.distributed import Ranks
from training.learner import SURE, Learner, Metrics, Turn, distinct_rows, merged, share_of, thinned
from training.policy import Policy

MAX_TOKENS = 16


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("model"), spread=0.05)


def learner(model: Path, **options: float) -> Learner:
    config = OptimiserConfig.model_validate({"clip_norm": 1e9, **options})
    return Learner(Policy.from_folder(model), config, MAX_TOKENS, 1.0)


def turns(count: int, distinct: int, magnet: float = 0.1, anchor: float = 0.0) -> list[Turn]:
    rng = random.Random(3)
    samples = []
    for _ in range(distinct):
        prompt = tuple(rng.randrange(2, 500) for _ in range(rng.randint(3, 9)))
        reply = tuple(rng.randrange(2, 500) for _ in range(rng.randint(2, 6)))
        samples.append(Sample(prompt, reply, tuple(rng.uniform(-7, -5) for _ in reply), 0))
    return [Turn(rng.choice(samples), rng.uniform(-1, 1), magnet, anchor) for _ in range(count)]


def plain_loss(learner: Learner, batch: list[Turn]) -> torch.Tensor:
    """The loss of the module's docstring, turn by turn, with no merging and no padding."""
    total = torch.zeros(())
    for turn in batch:
        sample = turn.sample
        ids = torch.tensor([[*sample.prompt_ids, *sample.token_ids]])
        at = torch.arange(len(sample.prompt_ids) - 1, ids.shape[1] - 1)
        logp = torch.log_softmax(learner.policy.logits(ids, at), -1)
        with torch.no_grad():
            reference = torch.log_softmax(learner.policy.logits(ids, at, learner.magnet), -1)
        taken = logp.gather(1, torch.tensor(sample.token_ids)[:, None])[:, 0]
        ratio = torch.exp(taken - torch.tensor(sample.logprobs))
        clip = learner.config.clip
        surrogate = torch.minimum(ratio * turn.advantage, ratio.clamp(1 - clip, 1 + clip) * turn.advantage)
        kl = (logp.exp() * (logp - reference)).sum(-1)
        with torch.no_grad():
            start = torch.log_softmax(learner.policy.logits(ids, at, learner.start), -1)
        held = (logp.exp() * (logp - start)).sum(-1) * (start.exp().max(-1).values >= SURE)
        total = total + (turn.magnet * kl + turn.anchor * held - surrogate).sum() / MAX_TOKENS
    return total / len(batch)


def gradient_of(learner: Learner, batch: list[Turn]) -> torch.Tensor:
    learner.policy.grad.zero_()
    plain_loss(learner, batch).backward()  # type: ignore[no-untyped-call]
    return learner.policy.grad.clone()


@pytest.mark.parametrize(("distinct", "anchor"), [(3, 0.0), (40, 0.0), (40, 0.5)])
def test_merged_rows_give_the_plain_loss_and_gradient(model: Path, distinct: int, anchor: float) -> None:
    subject = learner(model)
    subject.magnet.mul_(0.9)
    subject.start.mul_(8.0)
    batch = turns(60, distinct, anchor=anchor)
    expected = gradient_of(subject, batch)
    subject.adam.step = lambda *_: None  # type: ignore[method-assign,assignment]
    metrics = Metrics()
    subject._minibatch(distinct_rows(batch), Ranks(), metrics)
    torch.testing.assert_close(subject.policy.grad, expected, atol=2e-6, rtol=2e-3)
    assert metrics.policy_loss == pytest.approx(float(plain_loss(subject, batch).detach()), rel=1e-4, abs=1e-6)
    assert metrics.rows == len(distinct_rows(batch)) <= distinct


def test_merging_keeps_positive_and_negative_advantages_apart() -> None:
    sample = Sample((1, 2), (3,), (-1.0,), 0)
    (row,) = distinct_rows([Turn(sample, 2.0, 0.1), Turn(sample, -0.5, 0.1), Turn(sample, 1.0, 0.3)])
    assert (row.gains, row.losses, row.count) == (3.0, -0.5, 3)
    assert row.magnet == pytest.approx(0.5)


def test_thinning_keeps_the_expected_weights_and_drops_turns_that_teach_little() -> None:
    sample = Sample((1, 2), (3,), (-1.0,), 0)
    batch = [Turn(sample, 1.0, 0.1)] * 500 + [Turn(sample, -0.1, 0.1)] * 4000
    kept = thinned(batch, 0.5, random.Random(0))
    assert len(kept) == pytest.approx(500 + 800, rel=0.1)
    (whole,), (part,) = distinct_rows(batch), distinct_rows(kept)
    assert part.gains == pytest.approx(whole.gains)
    assert part.losses == pytest.approx(whole.losses, rel=0.1)
    assert part.magnet == pytest.approx(whole.magnet, rel=0.1)
    assert thinned(batch, 0.0, random.Random(0)) == batch


def test_a_good_action_becomes_likelier_and_a_bad_one_less_likely(model: Path) -> None:
    subject = learner(model, lr=1e-3)
    good, bad = Sample((5, 6), (7, 8), (-6.0, -6.0), 0), Sample((9, 10), (11, 12), (-6.0, -6.0), 0)

    def logp(sample: Sample) -> float:
        ids = torch.tensor([[*sample.prompt_ids, *sample.token_ids]])
        with torch.no_grad():
            scores = torch.log_softmax(subject.policy.logits(ids, torch.tensor([1, 2])), -1)
        return float(scores.gather(1, torch.tensor(sample.token_ids)[:, None]).sum())

    before = logp(good), logp(bad)
    for step in range(3):
        subject.update([Turn(good, 1.0, 0.0), Turn(bad, -1.0, 0.0)], step, 10, 0, Ranks())
    assert logp(good) > before[0]
    assert logp(bad) < before[1]


def test_an_update_that_is_not_finite_is_skipped_and_counted(model: Path) -> None:
    subject = learner(model)
    weights = subject.policy.flat.clone()
    broken = Turn(Sample((5, 6), (7, 8), (math.nan, -6.0), 0), 1.0, 0.0)
    metrics = subject.update([broken], 0, 10, 0, Ranks())
    assert metrics.skipped == 1
    assert metrics.updates == 0
    assert torch.equal(subject.policy.flat, weights)


def test_the_rate_falls_to_its_final_share() -> None:
    subject = Learner.__new__(Learner)
    subject.config = OptimiserConfig(lr=1.0, final_lr=0.1, warmup=2)
    assert subject.rate(0, 100) == pytest.approx(0.5)
    assert subject.rate(50, 100) == pytest.approx(0.55)
    assert subject.rate(100, 100) == pytest.approx(0.1)


def test_the_magnet_follows_the_weights_slowly(model: Path) -> None:
    subject = learner(model)
    start = subject.magnet.clone()
    subject.policy.flat.add_(1.0)
    subject.follow(0.95)
    torch.testing.assert_close(subject.magnet, start + 0.05, atol=1e-6, rtol=1e-5)


def test_adam_goes_on_exactly_from_its_saved_moments(model: Path) -> None:
    straight, batch = learner(model), turns(30, 10)
    straight.update(batch, 0, 10, 0, Ranks())
    resumed = learner(model)
    resumed.policy.flat.copy_(straight.policy.flat)
    resumed.magnet.copy_(straight.magnet)
    resumed.load_state_tensors(straight.state_tensors())
    for subject in (straight, resumed):
        subject.update(batch, 1, 10, 0, Ranks())
    assert torch.equal(straight.policy.flat, resumed.policy.flat)


def test_long_rows_are_cut_into_microbatches_by_their_tokens_and_get_no_padding_rows() -> None:
    lengths = [10, 900, 20, 1000, 30, 2000]
    assert by_length(lengths, 2) == [[0, 2], [4, 1], [3, 5]]
    assert by_length(lengths, 4, 2000) == [[0, 2, 4], [1, 3], [5]]
    assert by_length(lengths, 4, 10) == [[0], [2], [4], [1], [3], [5]]
    assert collate([((1,) * 600, (2, 3))]).ids.shape == (1, 604)
    short = collate([((1,) * 6, (2, 3)), ((4,), (5,))])
    assert short.ids.shape == (16, 8)
    assert short.ids.flatten()[short.positions + 1].tolist() == [2, 3, 5] == short.targets.tolist()


def test_without_magnet_and_anchor_no_copies_are_held(model: Path) -> None:
    plain = Learner(Policy.from_folder(model), OptimiserConfig(), MAX_TOKENS, 1.0, magnet=False, anchor=False)
    assert plain.magnet is plain.start is plain.policy.flat
    before = plain.policy.flat.clone()
    plain.update(turns(30, 10, magnet=0.0), 0, 10, 0, Ranks())
    assert not torch.equal(plain.policy.flat, before)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_ranks_share_all_rows_evenly_and_each_once(world: int) -> None:
    rows = distinct_rows(turns(90, 40) + turns(30, 20, magnet=0.0, anchor=0.2))
    shares = [share_of(rows, rank, world) for rank in range(world)]
    assert sorted(id(row) for share in shares for row in share) == sorted(map(id, rows))
    work = [sum(row.work for row in share) for share in shares]
    assert max(work) - min(work) <= 2 * max(row.work for row in rows)
    assert share_of([], 0, world) == []


def test_rows_merged_in_two_goes_are_those_merged_at_once() -> None:
    batch = turns(60, 10)
    at_once = {(row.sample.prompt_ids, row.sample.token_ids): row for row in distinct_rows(batch)}
    in_two = merged([*distinct_rows(batch[:25]), *distinct_rows(batch[25:])])
    assert len(in_two) == len(at_once)
    for row in in_two:
        other = at_once[row.sample.prompt_ids, row.sample.token_ids]
        mine = (row.count, row.gains, row.losses, row.magnet, row.anchor)
        assert mine == pytest.approx((other.count, other.gains, other.losses, other.magnet, other.anchor))
