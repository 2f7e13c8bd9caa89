"""Whole training runs against others than the present policy: what they store, keep and refuse."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from training_runs import KUHN, config, finish, new_run, rows, train

from arena.cli.app import main
from arena.config.base import apply_settings, find_toml, read_toml, validate
from arena.config.train import TrainConfig
from arena.core.errors import InfrastructureError
from arena.core.player import Reply, View
from arena.players.random import RandomPlayer
from arena.runs.checkpoints import list_checkpoints
from arena.runs.launch import create_run
from training.opponents import learner_seat
from training.policy import Policy

PRESETS = ("fixed-random", "fixed-scripted", "lagged", "pool")
QUICK = ("evaluation.every=0", "evaluation.opponents=['random']", "evaluation.ground_truth=false", "evaluation.pairs=1")
FIXED = "opponent={type='fixed', player='random'}"
LAGGED = "opponent={type='lagged', every=2}"
POOL = "opponent={type='pool', every=1, size=3, self_play=0.2}"


def metrics(run_dir: Path, name: str) -> dict[tuple[int, str, str, str], tuple[float | None, int | None]]:
    return {
        (row.step, row.game, row.role, row.opponent): (row.value, row.n) for row in rows(run_dir)[0] if row.name == name
    }


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trains(name: str, small_model: Path, tmp_path: Path) -> None:
    settings = ["steps=2", "ranks=1", "evaluation.every=0", "evaluation.pairs=1", "evaluation.ground_truth=false"]
    settings += [f"model=ckpt:{small_model}", "sampling.max_tokens=16"]
    asked = validate(TrainConfig, apply_settings(read_toml(find_toml(name)), settings), name)
    assert (asked.name, asked.opponent.type) == (name, name.partition("-")[0])
    assert "self" in asked.evaluation.opponents
    run_dir = create_run(asked, "train", tmp_path / "run")
    train(run_dir)
    met = {opponent for _, _, _, opponent in metrics(run_dir, "training_score")}
    expected = {"fixed-random": {"random"}, "fixed-scripted": {"scripted"}, "lagged": {"lagged@0"}, "pool": {"pool@0"}}
    assert met == expected[name]


def test_the_presets_differ_from_the_main_job_in_opponent_length_and_games_alone() -> None:
    given: dict[str, Any] = read_toml(find_toml("quickstart"))
    for name in PRESETS:
        mine = read_toml(find_toml(name))
        assert mine["games"] == given["games"][:1]
        assert mine["optimiser"] == given["optimiser"]
        assert (mine["steps"], mine["ranks"]) == (80 if name == "fixed-random" else 150, 2)


@pytest.mark.parametrize("opponent", [FIXED, LAGGED, POOL])
def test_returns_and_baselines_are_those_of_the_policys_role(small_model: Path, tmp_path: Path, opponent: str) -> None:
    decay = "advantage={type='rae', decay=0.5}"
    run_dir = new_run(tmp_path / "run", small_model, *QUICK, opponent, decay, "steps=3", "featured=8")
    train(run_dir)
    found = metrics(run_dir, "return")
    matches = metrics(run_dir, "forfeit_rate")
    for step in (1, 2, 3):
        for game in ("tictactoe", KUHN):
            counts = [found[step, game, role, ""][1] or 0 for role in ("0", "1")]
            played = matches[step, game, "", ""][1] or 0
            assert sum(counts) == played or (opponent == POOL and sum(counts) > played)
            assert abs(counts[0] - counts[1]) <= 2
    scores = metrics(run_dir, "training_score")
    names = {name for _, _, _, name in scores}
    assert names <= {"random", "lagged@0", "lagged@2", "pool@0", "pool@1", "pool@2"}
    assert {name.partition("@")[0] for name in names} == {"random" if opponent == FIXED else opponent.split("'")[1]}
    assert all(value == (0.0, None) for value in metrics(run_dir, "voids").values())
    featured = [match for match, _ in rows(run_dir)[1] if match.b.endswith(" (training)")]
    assert {match.b.removesuffix(" (training)") for match in featured} <= names
    assert {match.step for match in featured} == {1, 2, 3}
    assert all(match.leg == learner_seat(match.number) and match.a == f"small@{match.step}" for match in featured)


@pytest.mark.parametrize(("opponent", "seats"), [(FIXED, 1.0), (LAGGED, 1.0), (POOL, 1.2)])
def test_a_quota_counts_trained_turns_from_the_first_step_on(
    small_model: Path, tmp_path: Path, opponent: str, seats: float
) -> None:
    games = "games=[{game='tictactoe', turns=400}]"
    for name, setting in (("own", "opponent.type=self_play"), ("other", opponent)):
        train(new_run(tmp_path / name, small_model, *QUICK, setting, games, "steps=1"))
    own, other = (metrics(tmp_path / name, "forfeit_rate")[1, "tictactoe", "", ""][1] or 0 for name in ("own", "other"))
    assert abs(other - 2 / seats * own) < 3


@pytest.mark.parametrize("opponent", [FIXED, POOL])
def test_two_ranks_play_the_matches_of_one(small_model: Path, tmp_path: Path, opponent: str) -> None:
    """At step 1 both runs have the same weights: the same matches, so the same figures."""
    train(new_run(tmp_path / "1", small_model, *QUICK, opponent, "steps=1"))
    finish(new_run(tmp_path / "2", small_model, *QUICK, opponent, "steps=1", "ranks=2"))
    names = {"return", "baseline", "distinct_matches", "training_score", "opponent_forfeit_rate", "forfeit_rate"}
    one, two = ([row for row in rows(tmp_path / ranks)[0] if row.name in names] for ranks in "12")
    assert one == two
    assert len({row.name for row in one}) == len(names)


def kept(run_dir: Path, small_model: Path) -> list[tuple[int, dict[str, torch.Tensor], torch.Tensor, torch.Tensor]]:
    """Step, earlier weights, the policy's weights and the offered ones of every checkpoint."""
    policy, found = Policy.from_folder(small_model), []
    for checkpoint in list_checkpoints(run_dir):
        file = checkpoint.folder / "kept.safetensors"
        weights = load_file(checkpoint.folder / "model" / "model.safetensors")
        offered = load_file(checkpoint.folder / "magnet.safetensors")
        earlier = load_file(file) if file.exists() else {}
        found.append((checkpoint.step, earlier, policy.pack(weights), policy.pack(offered)))
    return found


def test_a_pools_members_and_former_selves_are_the_weights_they_are_named_after(
    small_model: Path, tmp_path: Path
) -> None:
    evaluation = ("evaluation.every=3", "evaluation.lag=2", "evaluation.opponents=['self']")
    pool = "opponent={type='pool', every=2, size=2, active=3}"
    run_dir = new_run(tmp_path / "run", small_model, *evaluation, pool, "steps=6", "checkpoint_every=1")
    train(run_dir)
    checkpoints = kept(run_dir, small_model)
    trained = {step: weights for step, _, weights, _ in checkpoints}
    offered = {step: weights for step, _, _, weights in checkpoints}
    names = {step: set(earlier) for step, earlier, _, _ in checkpoints}
    assert names == {
        0: set(),
        1: {"pool_0", "self_1"},
        2: {"pool_0", "self_1"},
        3: {"pool_0", "pool_2"},
        4: {"pool_0", "pool_2", "self_4"},
        5: {"pool_2", "pool_4", "self_4"},
        6: {"pool_2", "pool_4"},
    }
    for _, earlier, _, _ in checkpoints:
        for name, weights in earlier.items():
            kind, _, step = name.partition("_")
            assert torch.equal(weights, (trained if kind == "pool" else offered)[int(step)])
    scores = metrics(run_dir, "score")
    assert {(step, name) for step, _, _, name in scores} == {(3, "self(t-2)"), (6, "self(t-2)")}
    assert {match.b for match, _ in rows(run_dir)[1] if match.step == 6 and match.a == "small@6"} >= {"self(t-2)"}


def test_where_most_matches_are_void_the_run_ends_with_one_line(
    small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def act(self: RandomPlayer, view: View) -> Reply:
        raise InfrastructureError("nobody answers")

    run_dir = new_run(tmp_path / "run", small_model, FIXED, "evaluation.every=0", "evaluation.opponents=['start']")
    monkeypatch.setattr(RandomPlayer, "act", act)
    train(run_dir, code=1)
    err = capsys.readouterr().err
    words = r"error: Training ends after step 0: \d+ of \d+ matches of step 1 against random were void: nobody answers"
    assert re.search(words, err)
    assert f"Resume: spiral-arena train --resume {run_dir}" in err
    assert "Traceback" not in err


def test_matches_that_stay_void_are_counted_and_left_out(
    small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = RandomPlayer.act

    async def act(self: RandomPlayer, view: View) -> Reply:
        if view.key % 3 == 0:
            raise InfrastructureError("nobody answers")
        return await real(self, view)

    run_dir = new_run(tmp_path / "run", small_model, FIXED, "steps=2", *QUICK, "evaluation.opponents=['start']")
    monkeypatch.setattr(RandomPlayer, "act", act)
    train(run_dir)
    voids = metrics(run_dir, "voids")
    assert all((value or 0) > 0 for value, _ in voids.values())
    assert set(voids) == {(1, "", "", ""), (2, "", "", "")}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["opponent={type='fixed', player='optimal'}"], "optimal cannot play simple_negotiation"),
        (["opponent={type='fixed', player='randm'}"], "Did you mean random"),
        (["opponent={type='fixed', player='ckpt:nowhere'}"], "nowhere"),
        (["opponent={type='fixed', player='scripted?skil=1'}"], "Did you mean skill"),
        (["opponent={type='lagged', every=0}"], "opponent.lagged.every"),
        (["opponent={type='pol'}"], "opponent"),
        (["opponent={type='pool', sampling='pfsp'}"], "sampling"),
        (["evaluation.opponents=['slef']"], "slef"),
        (["evaluation.lag=0"], "evaluation.lag"),
    ],
)
def test_wrong_usage_is_one_line_exit_2_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], settings: list[str],
    message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    args = [item for setting in settings for item in ("--set", setting)]
    assert main(["train", "multi-game", *args]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_self_play_keeps_nothing_in_its_checkpoints(small_model: Path, tmp_path: Path) -> None:
    run_dir = new_run(tmp_path / "run", small_model, *QUICK, "steps=1")
    train(run_dir)
    assert not list(run_dir.rglob("kept.safetensors"))
    assert config(small_model).opponent.type == "self_play"
