"""RAE against its formula, the ablation, and state across a resume; contract for every estimator found."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from arena.config.train import NoBaselineConfig, RaeConfig, RoleValueConfig
from arena.core.registry import discover
from training.advantages import Outcome, build

CONFIGS = {"rae": RaeConfig(), "none": NoBaselineConfig(), "role_value": RoleValueConfig()}


def outcomes(count: int, seed: int = 0) -> list[Outcome]:
    rng = random.Random(seed)
    found = []
    for role in (0, 1) * count:
        game, value, turns = rng.choice(("tictactoe", "kuhn_poker")), rng.choice((-1.0, 0.0, 1.0)), rng.randrange(4)
        states = np.array([[rng.random() for _ in range(5)] for _ in range(turns)], dtype=np.float32)
        found.append(Outcome(game, role, value, turns, states))
    return found


def test_every_estimator_has_a_config_here() -> None:
    assert set(discover("training.advantages")) == set(CONFIGS)


def test_rae_subtracts_the_baseline_before_the_match_moves_it() -> None:
    estimator = build(RaeConfig(decay=0.5))
    first = Outcome("g", 0, 1.0, 2)
    assert estimator.advantages([first, first, first]) == [[1.0, 1.0], [0.5, 0.5], [0.25, 0.25]]
    assert estimator.baselines() == {("g", 0): 0.875}


def test_rae_can_update_before_subtracting_as_the_paper_prints_it() -> None:
    estimator = build(RaeConfig(decay=0.5, baseline_update="before"))
    assert estimator.advantages([Outcome("g", 0, 1.0, 1)] * 2) == [[0.5], [0.25]]


def test_rae_keeps_games_variants_and_roles_apart() -> None:
    estimator = build(RaeConfig(decay=0.9))
    estimator.advantages([Outcome("g", 0, 1.0, 1), Outcome("g", 1, -1.0, 1), Outcome("g?hands=1", 0, 0.5, 1)])
    baselines = estimator.baselines()
    assert baselines["g", 0] == pytest.approx(0.1)
    assert baselines["g", 1] == pytest.approx(-0.1)
    assert baselines["g?hands=1", 0] == pytest.approx(0.05)


def test_rae_gives_a_draw_a_signal_once_the_baseline_has_moved_and_none_does_not() -> None:
    rae, none = build(RaeConfig()), build(NoBaselineConfig())
    history = [Outcome("g", 0, 1.0, 1)] * 20
    draw = Outcome("g", 0, 0.0, 1)
    assert rae.advantages([*history, draw])[-1][0] < -0.5
    assert none.advantages([*history, draw])[-1] == [0.0]


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_an_estimator_gives_one_advantage_a_turn(name: str) -> None:
    batch = outcomes(50)
    result = build(CONFIGS[name]).advantages(batch)
    assert [len(values) for values in result] == [outcome.turns for outcome in batch]


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_an_estimator_goes_on_exactly_from_its_saved_state(name: str) -> None:
    straight, resumed = build(CONFIGS[name]), build(CONFIGS[name])
    first, second = outcomes(30, 1), outcomes(30, 2)
    straight.advantages(first)
    resumed.load_state_dict(json.loads(json.dumps(straight.state_dict())))
    assert resumed.advantages(second) == straight.advantages(second)
    assert resumed.state_dict() == straight.state_dict()
