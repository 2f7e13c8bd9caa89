"""`spiral-arena specialists` from outside, and jobs that are run to their end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from training_runs import processes_of, steps_stored, wait_for

from arena.runs.launch import job_environment
from arena.runs.reader import RunReader
from arena.runs.record import Status, read_record, run_status
from arena.runs.rows import MetricRow
from training.foreground import Ended, run_trainings

TRAININGS = ["tictactoe", "kuhn", "negotiation", "multi-game"]
SUITES = ["head-to-head", "ood"]


def command(model: Path, out: Path, *args: str, steps: int = 1) -> list[str]:
    settings = [f"steps={steps}", f"model=ckpt:{model}", "sampling.max_tokens=16", "checkpoint_every=1000"]
    settings += ["games=[{game='tictactoe', turns=8}]"]
    settings += ["evaluation={every=0, pairs=1, ground_truth=false, opponents=['random']}"]
    options = [word for setting in settings for word in ("--set", setting)]
    words = ["specialists", "--name", "few", "--out", str(out), "--pairs", "1", *options, *args]
    return [sys.executable, "-m", "arena", *words]


def run(words: list[str], code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False, env=job_environment())
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


def statuses(out: Path) -> dict[str, Status]:
    runs = sorted(out.glob("few-*"), key=lambda path: [*TRAININGS, *SUITES].index(path.name.removeprefix("few-")))
    return {path.name.removeprefix("few-"): run_status(path, read_record(path)) for path in runs}


def changed(out: Path) -> dict[Path, int]:
    """When the files were written that only training and playing write."""
    files = [
        path for path in out.rglob("*") if path.is_file() and ("checkpoints" in path.parts or path.suffix == ".db")
    ]
    return {path: path.stat().st_mtime_ns for path in files}


def metrics(run_dir: Path) -> list[MetricRow]:
    with RunReader(run_dir) as reader:
        return reader.metrics(limit=10**6)


@pytest.mark.slow
def test_six_runs_and_two_tables_that_come_again_without_training(small_model: Path, tmp_path: Path) -> None:
    first = run(command(small_model, tmp_path))
    assert statuses(tmp_path) == dict.fromkeys([*TRAININGS, *SUITES], Status.FINISHED)
    assert "simple_negotiation (training game)" in first.stdout
    assert "OOD games, in points" in first.stdout
    before = changed(tmp_path)
    assert len([path for path in before if path.name == "trainer.json"]) >= len(TRAININGS)

    again = run(command(small_model, tmp_path))
    assert again.stdout == first.stdout

    result = json.loads(run(command(small_model, tmp_path, "--json")).stdout)
    base, trained = f"ckpt:{small_model}", [f"ckpt:{tmp_path / f'few-{name}'}" for name in TRAININGS]
    assert {row["player"] for row in result["head_to_head"]["matrix"]} == {base, *trained}
    assert {row["player"] for row in result["ood"]["averages"]} == {base, *trained}

    for other in (["--seed", "1"], ["--set", "optimiser.lr=1e-4"], ["--pairs", "2"]):
        refused = run(command(small_model, tmp_path, *other), code=2)
        assert "another configuration" in refused.stderr
        assert refused.stdout == ""
    assert changed(tmp_path) == before


@pytest.mark.slow
def test_ctrl_c_ends_politely_and_the_same_command_goes_on(small_model: Path, tmp_path: Path) -> None:
    words = command(small_model, tmp_path, "--at-once", "1", steps=60)
    one, next_one = tmp_path / "few-tictactoe", tmp_path / "few-kuhn"
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | job_environment()
    )
    wait_for(lambda: steps_stored(one) > 0, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert "The same command goes on from here." in err
    assert "Traceback" not in err
    assert run_status(one, read_record(one)) is Status.STOPPED
    assert steps_stored(next_one) == -1
    assert processes_of(one) == []
    reached, stored = steps_stored(one), metrics(one)
    assert 0 < reached < 60

    run(words)
    assert steps_stored(one) == 60
    assert [path.name for path in sorted((one / "logs").iterdir())] == ["attempt_1", "attempt_2"]
    assert [row for row in metrics(one) if row.step <= reached] == stored, "nothing was trained again"
    assert set(statuses(tmp_path).values()) == {Status.FINISHED}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--pairs", "0"], "at least 1"),
        (["--at-once", "0"], "at least 1"),
        (["--name", "../elsewhere"], "--name"),
        (["--name", "a?style=base"], "--name"),
        (["--set", "stps=3"], "Did you mean steps"),
        (["--set", "model=ckpt:tinny"], "'tinny'"),
    ],
)
def test_wrong_usage_is_refused_before_any_run_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], args: list[str], message: str
) -> None:
    from training import specialists

    monkeypatch.setattr(sys, "argv", ["specialists", "--out", str(tmp_path / "runs"), *args])
    assert specialists.main() == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_after_a_failure_no_further_job_is_begun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [tmp_path / "one", tmp_path / "two"]
    for path in runs:
        path.mkdir()
    assert run_trainings([(path, 1) for path in runs], at_once=1) == Ended(2, asked=False)
    assert f"one: stopped or failed, see its logs: {runs[0] / 'logs'}" in capsys.readouterr().err
    assert "is no run" in (runs[0] / "logs" / "attempt_1" / "stderr.log").read_text()
    assert list(runs[1].iterdir()) == []
