"""The value head: what it learns, that advantages come before, and that it goes on exactly."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from training_runs import checkpoint, finish, new_run, rows, train

from arena.config.base import find_toml, read_toml, validate
from arena.config.train import RoleValueConfig, TrainConfig
from arena.core.player import Sample
from training.advantages import Outcome, build
from training.advantages.role_value import RoleValue
from training.policy import Policy
from training.rollout import Trajectory
from training.states import with_states

WIDTH = 8


def estimator(**settings: float) -> RoleValue:
    found = build(RoleValueConfig.model_validate(settings))
    assert isinstance(found, RoleValue)
    return found


def outcome(rng: random.Random, role: int, value: float, mark: float = 0.0, turns: int = 2) -> Outcome:
    """A trajectory whose states are noise but for their first number."""
    states = np.array([[mark, *(rng.gauss(0, 1) for _ in range(WIDTH - 1))] for _ in range(turns)], dtype=np.float32)
    return Outcome("g", role, value, turns, states)


def batch(seed: int, value_of: dict[tuple[int, int], float], count: int = 150) -> list[Outcome]:
    """Outcomes whose value is a function of (role, sign of the state's first number)."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        for role in (0, 1):
            sign = rng.choice((-1, 1))
            found.append(outcome(rng, role, value_of[role, sign], float(sign)))
    return found


def test_a_new_head_says_zero_so_the_first_advantages_are_the_returns() -> None:
    outcomes = batch(0, {(0, 1): 1.0, (0, -1): -1.0, (1, 1): 0.5, (1, -1): 0.25})
    assert estimator().advantages(outcomes) == [[item.value] * item.turns for item in outcomes]


def test_the_head_fits_a_function_of_state_and_role() -> None:
    """The two roles' returns depend on the state in opposite ways: neither the state nor the role alone tells."""
    values = {(0, 1): 1.0, (0, -1): -1.0, (1, 1): -1.0, (1, -1): 1.0}
    found = estimator()
    losses = []
    for seed in range(40):
        found.advantages(batch(seed, values))
        losses.append(found.figures()["role_value_loss", "g"])
    assert losses[0] == 1
    assert losses[-1] < 0.05
    assert found.figures()["explained_variance", "g"] > 0.95
    advantages = found.advantages(batch(99, values, 20))
    assert max(abs(value) for row in advantages for value in row) < 0.7


def test_the_same_state_is_worth_another_value_in_another_role() -> None:
    found = estimator()
    rng = random.Random(3)
    for _ in range(30):
        found.advantages([outcome(rng, role, 1.0 - 2 * role) for _ in range(50) for role in (0, 1)])
    assert found.baselines()["g", 0] == pytest.approx(1.0, abs=0.15)
    assert found.baselines()["g", 1] == pytest.approx(-1.0, abs=0.15)
    same = outcome(rng, 0, 0.0)
    mirrored = Outcome("g", 1, 0.0, same.turns, same.states)
    for a, b in zip(*found.advantages([same, mirrored]), strict=True):
        assert a < -0.7
        assert b > 0.7


def test_each_turn_has_an_advantage_of_its_own() -> None:
    found = estimator()
    values = {(role, sign): float(sign) for role in (0, 1) for sign in (-1, 1)}
    for seed in range(30):
        found.advantages(batch(seed, values))
    states = np.zeros((2, WIDTH), dtype=np.float32)
    states[0, 0], states[1, 0] = 1, -1
    ((first, second),) = found.advantages([Outcome("g", 0, 1.0, 2, states)])
    assert first == pytest.approx(0, abs=0.3)
    assert second == pytest.approx(2, abs=0.3)


def test_games_have_heads_of_their_own() -> None:
    found = estimator()
    rng = random.Random(5)
    for _ in range(30):
        one = [outcome(rng, 0, 1.0) for _ in range(40)]
        found.advantages([*one, *(Outcome("h", 0, -2.0, item.turns, item.states) for item in one)])
    assert found.baselines()["g", 0] == pytest.approx(1, abs=0.1)
    assert found.baselines()["h", 0] == pytest.approx(-2, abs=0.2)


def test_a_batch_is_judged_by_the_head_as_it_was_before() -> None:
    values = {(0, 1): 1.0, (0, -1): -1.0, (1, 1): 0.0, (1, -1): 0.5}
    one, other = estimator(updates=1), estimator(updates=50)
    first, second = batch(1, values), batch(2, values)
    assert one.advantages(first) == other.advantages(first), "learning comes after"
    assert one.advantages(second) != other.advantages(second)


def test_trajectories_without_turns_and_roles_that_are_not_trained_are_no_trouble() -> None:
    found = estimator()
    rng = random.Random(7)
    assert found.advantages([Outcome("g", 0, 1.0, 0), Outcome("g", 1, -1.0, 0)]) == [[], []]
    for _ in range(20):
        found.advantages([outcome(rng, 0, 1.0), Outcome("g", 0, 1.0, 0)] * 20)
    assert set(found.baselines()) == {("g", 0)}


def test_states_that_are_not_finite_teach_the_head_nothing() -> None:
    found = estimator()
    values = {(0, 1): 1.0, (0, -1): -1.0, (1, 1): 0.0, (1, -1): 0.5}
    found.advantages(batch(1, values))
    before = found.state_dict()["heads"]
    bad = batch(2, values, 3)
    assert bad[0].states is not None
    bad[0].states[0, 0] = np.nan
    found.advantages(bad)
    assert found.state_dict()["heads"] == before


def test_the_state_goes_through_json_to_the_bit() -> None:
    values = {(0, 1): 1.0, (0, -1): -1.0, (1, 1): 0.0, (1, -1): 0.5}
    straight, resumed = estimator(), estimator()
    for seed in range(5):
        straight.advantages(batch(seed, values))
    resumed.load_state_dict(json.loads(json.dumps(straight.state_dict())))
    assert resumed.state_dict() == straight.state_dict()
    for seed in range(5, 10):
        assert resumed.advantages(batch(seed, values)) == straight.advantages(batch(seed, values))
    assert resumed.state_dict() == straight.state_dict()


def test_a_state_is_the_last_one_of_the_prompt_alone(small_model: Path) -> None:
    """Whatever else is in the batch, however long, and however often the prompt is there."""
    policy = Policy.from_folder(small_model)
    rng = random.Random(0)
    prompts = [tuple(rng.randrange(5, 200) for _ in range(rng.randrange(3, 30))) for _ in range(70)]
    samples = [Sample(prompt, (1,), (0.0,), 0) for prompt in [*prompts, *prompts[:20]]]
    trajectories = [
        Trajectory(number, "g", 0, 1.0, tuple(samples[number * 3 : number * 3 + 3])) for number in range(30)
    ]
    found = with_states(policy, [*trajectories, Trajectory(30, "g", 1, 0.0, ())])
    assert found[-1].states is None
    for trajectory, item in zip(trajectories, found, strict=False):
        assert item.states is not None
        assert item.states.shape == (3, policy.shape.hidden)
        for sample, state in zip(trajectory.samples, item.states, strict=True):
            with torch.no_grad():
                hidden = policy.hidden(torch.tensor([sample.prompt_ids]))[0, -1]
            expected = hidden / hidden.pow(2).mean().add(policy.shape.eps).sqrt()
            torch.testing.assert_close(torch.from_numpy(state), expected, atol=1e-4, rtol=1e-4)


SETTINGS = ("advantage={type='role_value', hidden=8}", "evaluation.every=0", "evaluation.pairs=1", "steps=6",
            "evaluation.opponents=['random']", "evaluation.ground_truth=false")  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, small_model: Path) -> Path:
    run_dir = new_run(tmp_path_factory.mktemp("role_value") / "run", small_model, *SETTINGS)
    train(run_dir)
    return run_dir


def test_training_stores_the_heads_figures(run: Path) -> None:
    metrics, _, _ = rows(run)
    for name in ("role_value_loss", "explained_variance"):
        for step in range(1, 7):
            assert {row.game for row in metrics if (row.name, row.step) == (name, step)} == {
                "tictactoe", "kuhn_poker?hands=1&payoff=chips",
            }  # fmt: skip
    assert {row.role for row in metrics if row.name == "baseline"} == {"0", "1"}


def test_training_goes_on_exactly_from_a_checkpoint(run: Path, small_model: Path, tmp_path: Path) -> None:
    from training.loop import _refuse_to_go_on

    other = new_run(tmp_path / "run", small_model, *SETTINGS)

    def interrupt(parts: object) -> None:
        if parts.state.step == 5:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        _refuse_to_go_on(parts)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.loop._refuse_to_go_on", interrupt)
        train(other, code=1)
    train(other)
    (tensors, state), (tensors2, state2) = checkpoint(run, 6), checkpoint(other, 6)
    assert state == state2
    assert state["estimator"]["heads"]
    assert all(tensor.equal(tensors2[name]) for name, tensor in tensors.items())
    assert rows(run)[0] == rows(other)[0]


@pytest.mark.slow
def test_two_ranks_learn_one_head(run: Path, small_model: Path, tmp_path: Path) -> None:
    """Step 1 is the same at any number of ranks; then their heads stay equal, or the advantages would part them."""
    code = (
        "import training.advantages.role_value as r, os, hashlib\n"
        "real = r.RoleValue.state_dict\n"
        "def told(self):\n"
        "    state = real(self)\n"
        "    rank = os.environ.get('SPIRAL_ARENA_RANK', '0')\n"
        "    with open(os.environ['HEADS'] + rank, 'a') as f: f.write(repr(state) + '\\n')\n"
        "    return state\n"
        "r.RoleValue.state_dict = told\n"
    )
    (tmp_path / "sitecustomize.py").write_text(code)
    run_dir = new_run(tmp_path / "run", small_model, *SETTINGS, "ranks=2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADS", str(tmp_path / "heads"))
        patch.setenv("PYTHONPATH", str(tmp_path))
        finish(run_dir)
    first, second = ((tmp_path / f"heads{rank}").read_text() for rank in (0, 1))
    assert first.count("\n") >= 6
    assert first == second
    one, two = (
        [row.value for row in rows(found)[0] if row.step == 1 and row.name == "role_value_loss"]
        for found in (run, run_dir)
    )
    assert one == pytest.approx(two)


@pytest.mark.parametrize("opponent", ["{type='fixed', player='random'}", "{type='lagged'}"])
def test_the_one_trained_seat_has_its_values_where_the_opponent_does_not_learn(
    small_model: Path, tmp_path: Path, opponent: str
) -> None:
    run_dir = new_run(tmp_path / "run", small_model, *SETTINGS, f"opponent={opponent}", "steps=3")
    train(run_dir)
    metrics, _, _ = rows(run_dir)
    assert {row.role for row in metrics if row.name == "baseline"} == {"0", "1"}, "seats alternate"
    assert all(row.value is not None and 0 < row.value < 4 for row in metrics if row.name == "role_value_loss")


def test_the_preset_is_quickstarts_tictactoe_with_a_head() -> None:
    ours, other = (validate(TrainConfig, read_toml(find_toml(name)), name) for name in ("role-value", "quickstart"))
    assert ours.advantage == RoleValueConfig()
    assert ours.games == other.games[:1]
    assert (ours.name, ours.steps, ours.ranks) == ("role-value", 150, 2)
    same = {"optimiser", "sampling", "shaping", "opponent", "model", "seed"}
    assert ours.model_dump(include=same) == other.model_dump(include=same)
