"""The learner's gradient and its step against a plain loop of transformers and autograd that merges nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from plain_update import PlainLearner, difference, minibatches
from toy_model import make

from arena.config.train import OptimiserConfig
from arena.core.player import Sample
from training.distributed import Ranks
from training.learner import Learner, Metrics, Turn, distinct_rows
from training.policy import Policy

MAX_TOKENS = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("model"), spread=0.05)


def turns(count: int, distinct: int) -> list[Turn]:
    """Repeated rows; the replies' old log-probabilities are such that some ratios are clipped and some are not."""
    rng = random.Random(5)
    samples = []
    for _ in range(distinct):
        prompt = tuple(rng.randrange(2, 500) for _ in range(rng.randint(3, 20)))
        reply = tuple(rng.randrange(2, 500) for _ in range(rng.randint(1, 12)))
        samples.append(Sample(prompt, reply, tuple(rng.uniform(-7, -5) for _ in reply), 0))
    return [Turn(rng.choice(samples), rng.uniform(-1, 1)) for _ in range(count)]


def gradient(learner: Learner, batch: list[Turn]) -> dict[str, torch.Tensor]:
    """The learner's gradient by transformers' names."""
    learner.adam.step = lambda *_: None  # type: ignore[method-assign]
    learner._minibatch(distinct_rows(batch), Ranks(), Metrics())
    return learner.policy.state_dict(learner.policy.grad)


@pytest.mark.parametrize("distinct", [4, 70])
def test_the_gradient_is_that_of_transformers_on_unmerged_rows(folder: Path, distinct: int) -> None:
    config, batch = OptimiserConfig(clip_norm=1e9), turns(90, distinct)
    ours = gradient(Learner(Policy.from_folder(folder), config, MAX_TOKENS, 1.0), batch)
    theirs = PlainLearner(folder, config, MAX_TOKENS, rows=32).gradient(batch)
    assert ours.keys() == theirs.keys()
    assert difference(ours, theirs) < 2e-5
    other = PlainLearner(folder, config, MAX_TOKENS, rows=32).gradient(batch[1:])
    assert difference(ours, other) > 1e-3


def test_an_update_takes_the_steps_that_adamw_takes(folder: Path) -> None:
    config, batch = OptimiserConfig(lr=1e-3, minibatch=45), turns(90, 30)
    learner, plain = Learner(Policy.from_folder(folder), config, MAX_TOKENS, 1.0), PlainLearner(folder, config, 16, 32)
    before = learner.policy.state_dict()
    parts = minibatches(batch, config, seed=3, step=0)
    learner.update(batch, 0, 10, 3, Ranks())
    plain.update(parts)
    after, reached = learner.policy.state_dict(), dict(plain.model.named_parameters())
    assert len(parts) == 2
    moved = max(float((after[name] - before[name]).abs().max()) for name in after)
    apart = [(after[name] - reached[name].detach()).abs().mean() for name in after]
    assert moved > 1e-3
    assert float(max(apart)) < 1e-2 * moved
