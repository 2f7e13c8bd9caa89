"""What every advantage estimator and every training opponent keeps to: a new file is tested by existing."""

from __future__ import annotations

import json
import random
import typing

import pytest

from arena.config import train as configs
from arena.config.base import Config
from arena.core.player import Reply, View
from arena.core.registry import discover
from training import advantages, opponents
from training.advantages import Outcome

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
    return [
        Outcome(rng.choice(["a", "b?x=1"]), role, rng.choice([-1.0, 0.0, 1.0, -1.5]), rng.randrange(4))
        for _ in range(count)
        for role in (0, 1)
    ]


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
def test_an_estimator_does_not_see_where_a_batch_is_cut(name: str) -> None:
    config = config_of("advantage", name)
    whole, parts = advantages.build(config), advantages.build(config)
    batch = outcomes(3, 40)
    assert whole.advantages(batch) == parts.advantages(batch[:30]) + parts.advantages(batch[30:])


@pytest.mark.parametrize("name", OPPONENTS)
def test_an_opponent_seats_the_policy_and_trains_only_its_seats(name: str) -> None:
    opponent, policy = opponents.build(config_of("opponent", name)), Policy()
    seats = set()
    for match in range(20):
        seating = opponent.seat(policy, match)
        again = opponent.seat(policy, match)
        assert seating.trained == again.trained, "the seats depend on the match's number alone"
        assert any(seating.trained)
        for player, trained in zip(seating.players, seating.trained, strict=True):
            assert not trained or player is policy
        seats |= {seat for seat in (0, 1) if seating.trained[seat]}
    assert seats == {0, 1}, "both roles are trained"
