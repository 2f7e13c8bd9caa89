"""What every advantage estimator and every training opponent keeps to: a new file is tested by existing."""

from __future__ import annotations

import json
import random
import typing
from dataclasses import replace

import numpy as np
import pytest
import torch
from opponent_bench import Bench

from arena.config import train as configs
from arena.config.base import Config
from arena.core.player import Reply, View
from arena.core.registry import discover
from training import advantages, opponents
from training.advantages import Outcome
from training.opponents import Opponent, Result

ESTIMATORS, OPPONENTS = discover("training.advantages"), discover("training.opponents")


def config_of(field: str, name: str) -> Config:
    """The default configuration of the part that a config names by its `type`."""
    kinds = typing.get_args(configs.TrainConfig.model_fields[field].annotation) or (
        configs.TrainConfig.model_fields[field].annotation,
    )
    (kind,) = [kind for kind in kinds if kind.model_fields["type"].default == name]
    return typing.cast(Config, kind())


def outcomes(seed: int, count: int) -> list[Outcome]:
    rng = random.Random(seed)
    found = []
    for role in (0, 1) * count:
        turns = rng.randrange(4)
        states = np.array([[rng.gauss(0, 1) for _ in range(6)] for _ in range(turns)], dtype=np.float32)
        value = rng.choice([-1.0, 0.0, 1.0, -1.5])
        found.append(Outcome(rng.choice(["a", "b?x=1"]), role, value, turns, states if turns else None))
    return found


class Policy:
    name, sees_state = "policy", False

    async def act(self, view: View) -> Reply:
        raise AssertionError("nobody plays here")

    async def close(self) -> None:
        return None


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_gives_one_finite_advantage_a_turn(name: str) -> None:
    batch = outcomes(1, 50)
    found = advantages.build(config_of("advantage", name)).advantages(batch)
    assert [len(values) for values in found] == [outcome.turns for outcome in batch]
    assert all(abs(value) < 10 for values in found for value in values)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_goes_on_exactly_from_its_state_as_json(name: str) -> None:
    config = config_of("advantage", name)
    straight, first, second = (advantages.build(config) for _ in range(3))
    straight.advantages(outcomes(1, 50))
    first.advantages(outcomes(1, 50))
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert second.advantages(outcomes(2, 50)) == straight.advantages(outcomes(2, 50))
    assert dict(second.baselines()) == dict(straight.baselines())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_no_advantage_depends_on_later_matches_nor_without_a_head_on_where_a_batch_is_cut(name: str) -> None:
    config = config_of("advantage", name)
    whole, parts = advantages.build(config), advantages.build(config)
    for found in (whole, parts):
        found.advantages(outcomes(4, 40))
    batch = outcomes(3, 40)
    together, first, second = whole.advantages(batch), parts.advantages(batch[:30]), parts.advantages(batch[30:])
    for one, other in zip(together, first, strict=False):
        assert one == pytest.approx(other, abs=1e-6)
    # A head learns from a batch as a whole.
    assert whole.needs_states or together == first + second


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_learns_what_a_role_returns(name: str) -> None:
    """All but the ablation: where a role always gets the same, its advantages shrink."""
    estimator = advantages.build(config_of("advantage", name))
    for seed in range(60):
        found = estimator.advantages([replace(item, value=0.5 - item.role) for item in outcomes(seed, 20)])
    sizes = [abs(value) for values in found for value in values]
    assert all(size == 0.5 for size in sizes) if name == "none" else max(sizes) < 0.2
    assert all(isinstance(value, float) for value in estimator.figures().values())


@pytest.mark.parametrize("name", OPPONENTS)
def test_an_opponent_seats_the_policy_and_trains_only_its_seats(name: str) -> None:
    opponent, policy = opponents.build(config_of("opponent", name), Bench().context()), Policy()
    opponent.before_step(0)
    seats = []
    for match in range(40):
        seating = opponent.seat(policy, match)
        assert opponent.seat(policy, match) == seating, "the seats depend on the match's number alone"
        assert any(seating.trained)
        for player, trained in zip(seating.players, seating.trained, strict=True):
            assert trained == (player is policy)
        seats += [seat for seat in (0, 1) if seating.trained[seat]]
    assert abs(seats.count(0) - seats.count(1)) <= 2, "both roles are trained alike"
    assert len(seats) / 40 == opponent.trained_seats


def play_steps(opponent: Opponent, bench: Bench, steps: range) -> list[object]:
    """Everything that the opponent does in these steps; in every third match of a step the policy wins."""
    policy, done = Policy(), list[object]()
    for step in steps:
        done.append(bench.begin(opponent, step))
        matches = range(step * 30, step * 30 + 30)
        seatings = {match: opponent.seat(policy, match) for match in matches}
        done += [([player.name for player in seating.players], seating.trained) for seating in seatings.values()]
        one = [match for match, seating in seatings.items() if not all(seating.trained)]
        opponent.observe([Result(match, float(match % 3 == 0)) for match in one])
        done.append(opponent.state_dict())
    return done


@pytest.mark.parametrize("cut", [0, 1, 17, 32])
@pytest.mark.parametrize("name", OPPONENTS)
def test_an_opponent_goes_on_exactly_from_its_state_as_json_and_its_weights(name: str, cut: int) -> None:
    config = config_of("opponent", name)
    benches = [Bench() for _ in range(3)]
    straight, first, second = (opponents.build(config, bench.context()) for bench in benches)
    expected = play_steps(straight, benches[0], range(50))
    found = play_steps(first, benches[1], range(cut))
    state, tensors = json.loads(json.dumps(first.state_dict())), first.tensors()
    second.load_state_dict(state, {"another's": torch.zeros(1), **tensors})
    found += play_steps(second, benches[2], range(cut, 50))
    assert found == expected, "and so it does on another rank, which makes its own choices"
    assert second.tensors() == straight.tensors()


@pytest.mark.parametrize("name", OPPONENTS)
def test_the_weights_an_opponent_keeps_are_never_trained(name: str) -> None:
    bench = Bench()
    weights = torch.zeros(1)
    context = replace(bench.context(), weights=lambda: weights.clone())
    opponent = opponents.build(config_of("opponent", name), context)
    opponent.before_step(0)
    kept = {key: value.clone() for key, value in opponent.tensors().items()}
    weights.fill_(1.0)
    opponent.before_step(1)
    assert opponent.tensors() == kept
