"""`spiral-arena train` and `quickstart` from outside: presets, wrong usage, the main job in small."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from training_runs import KUHN, rows, train

from arena.cli.app import main
from arena.config.base import apply_settings, find_toml, preset_names, read_toml, validate
from arena.config.train import TrainConfig
from arena.runs.launch import create_run, job_environment
from arena.runs.record import read_record, run_status

PRESETS = {"quickstart", "multi-game", "spiral-faithful", "ablation-no-rae"}


def preset(name: str) -> TrainConfig:
    return validate(TrainConfig, read_toml(find_toml(name)), name)


def test_the_presets_are_there() -> None:
    assert set(preset_names()) >= PRESETS
    games = {name: [quota.game for quota in preset(name).games] for name in PRESETS}
    assert games["quickstart"] == ["tictactoe", KUHN]
    assert games["multi-game"] == ["tictactoe", KUHN, "kuhn_poker", "simple_negotiation"]
    assert all(preset(name).name == name and preset(name).model == "ckpt:tiny" for name in PRESETS)


def test_spiral_faithful_leaves_out_what_is_ours() -> None:
    config = preset("spiral-faithful")
    assert not config.has_magnet
    assert all(quota.opening_plies == 0 and quota.random_start == 0 and quota.weight == 1 for quota in config.games)
    assert (config.shaping, config.advantage.type, config.sampling.temperature) == ("spiral", "rae", 1.0)
    assert (config.optimiser.beta1, config.optimiser.beta2, config.optimiser.final_lr) == (0.9, 0.95, 1.0)
    assert [quota.game for quota in config.games] == ["tictactoe", "kuhn_poker", "simple_negotiation"]


def test_the_ablation_differs_in_the_estimator_alone() -> None:
    one, other = (preset(name).model_dump() for name in ("spiral-faithful", "ablation-no-rae"))
    assert {key for key in one if one[key] != other[key]} == {"name", "advantage"}
    assert other["advantage"] == {"type": "none"}


QUICK = ["steps=2", "ranks=1", "evaluation.every=0", "evaluation.pairs=1", "evaluation.ground_truth=false"]


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_trains(name: str, small_model: Path, tmp_path: Path) -> None:
    settings = [*QUICK, f"model=ckpt:{small_model}", "sampling.max_tokens=16"]
    config = validate(TrainConfig, apply_settings(read_toml(find_toml(name)), settings), name)
    run_dir = create_run(config, "train", tmp_path / "run")
    train(run_dir)
    metrics, _, _ = rows(run_dir)
    assert bool([row for row in metrics if row.name == "baseline"]) == (name != "ablation-no-rae")
    games = {row.game for row in metrics if row.name == "return"}
    assert games == {quota.game for quota in preset(name).games}
    assert {row.step for row in metrics} == {0, 1, 2}


def test_train_ends_in_a_table_or_json_and_stores_the_configuration_as_given(small_model: Path, tmp_path: Path) -> None:
    toml = tmp_path / "mine.toml"
    toml.write_text(
        f"# mine\nsteps = 1\nmodel = 'ckpt:{small_model}'\ngames = [{{ game = 'tictactoe', turns = 8 }}]\n"
        "evaluation = { pairs = 1, ground_truth = false, opponents = ['random'] }\n"
    )
    command = [sys.executable, "-m", "arena", "train", str(toml), "--run-dir", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=job_environment())
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Training: run   1 steps")
    assert "score against random" in done.stdout
    assert (tmp_path / "run" / "config.toml").read_text() == toml.read_text()
    again = [sys.executable, "-m", "arena", "train", "--resume", str(tmp_path / "run"), "--json"]
    done = subprocess.run(again, capture_output=True, text=True, timeout=300, check=True, env=job_environment())
    assert json.loads(done.stdout)["steps"] == 1
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["quickstrt"], "Did you mean quickstart"),
        (["no-such-file.toml"], "There is no file no-such-file.toml"),
        (["quickstart", "--set", "stps=3"], "Did you mean steps"),
        (["quickstart", "--set", "optimiser.learning_rate=3"], "'optimiser.learning_rate'"),
        (["quickstart", "--set", "optimiser.lrr=3"], "Did you mean optimiser.lr"),
        (["quickstart", "--set", "steps=0"], "steps"),
        (["quickstart", "--set", "steps"], "--set"),
        (["quickstart", "--set", "games=[{game='tictacto', turns=3}]"], "Did you mean tictactoe"),
        (["quickstart", "--set", "games=[{game='kuhn_poker?hand=1', turns=3}]"], "Did you mean hands"),
        (["quickstart", "--set", "games=[{game='tictactoe', turn=3}]"], "Did you mean games.turns"),
        (["quickstart", "--set", "model=ckpt:tinny"], "'tinny'"),
        (["quickstart", "--set", "model=random"], "cannot start from 'random'"),
        (["quickstart", "--set", "model=cpkt:tiny"], "Did you mean ckpt"),
        (["{model}", "--set", "evaluation.opponents=['randm']"], "Did you mean random"),
        (["{model}", "--set", "evaluation.opponents=['ckpt:nowhere']"], "nowhere"),
        (["quickstart", "--set", "advantage.type=rea"], "advantage"),
        (["--resume", "no-such-run"], "Unknown run 'no-such-run'"),
        (["quickstart", "--resume", "x"], "--resume"),
    ],
)
def test_wrong_usage_is_one_line_exit_2_and_leaves_nothing(
    tmp_path: Path, small_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    args: list[str], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    if args[0] == "{model}":
        args = ["quickstart", "--set", f"model=ckpt:{small_model}", *args[1:]]
    assert main(["train", *args]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert list(tmp_path.iterdir()) == []


def quickstart(small_model: Path, out: Path, *args: str) -> list[str]:
    settings = ["steps=2", "ranks=1", f"model=ckpt:{small_model}", "sampling.max_tokens=16", "evaluation.pairs=2"]
    settings += ["games=[{game='tictactoe', turns=20, magnet=0.03}]", "evaluation.positions=0.02"]
    options = [item for setting in settings for item in ("--set", setting)]
    return [sys.executable, "-m", "arena", "quickstart", "--pairs", "2", "--out", str(out), *options, *args]


def test_the_main_job_prints_json_alone_on_stdout(small_model: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        quickstart(small_model, tmp_path / "q", "--json", "--seed", "4"),
        capture_output=True, text=True, timeout=300, check=False, env=job_environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    base, trained = f"ckpt:{small_model}", f"ckpt:{tmp_path / 'q' / 'training'}"
    assert [(row["a"], row["b"]) for row in result["results"]] == [
        (base, trained), (base, "random"), (base, "optimal"), (trained, "random"), (trained, "optimal"),
        ("random", "optimal"),
    ]  # fmt: skip
    assert result["training"]["steps"] == 2
    assert result["seed"] == 4
    assert {row["player"] for row in result["ground_truth"]} >= {base, trained}
    for part in ("training", "tournament"):
        assert run_status(tmp_path / "q" / part, read_record(tmp_path / "q" / part)) == "finished"


@pytest.mark.parametrize("stage", ["training", "tournament"])
def test_ctrl_c_at_either_stage_prints_how_to_go_on(small_model: Path, tmp_path: Path, stage: str) -> None:
    out = tmp_path / "q"
    args = ["--set", "steps=2000"] if stage == "training" else ["--pairs", "3000"]
    command = quickstart(small_model, out, *args)
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | job_environment()
    )
    deadline = time.monotonic() + 90
    while not (out / stage / "run.db").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    command_word = "train" if stage == "training" else "tournament"
    assert f"spiral-arena {command_word} --resume {out / stage}" in err
    assert ("Afterwards, the tournament: spiral-arena tournament --player" in err) == (stage == "training")
    assert "Traceback" not in err
    assert not read_record(out / stage).alive
