"""A training run survives: killed at any instant, resumed, it is the run that nobody disturbed, to the bit."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from training_runs import (
    assert_same_run,
    checkpoint,
    finish,
    launch,
    new_run,
    processes_of,
    rows,
    steps_stored,
    train,
    wait_for,
)

from arena.runs.checkpoints import list_checkpoints
from arena.runs.reader import RunReader
from arena.runs.record import read_record, run_status

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
STEPS = 12


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, small_model: Path) -> Path:
    """A run of one rank that nobody disturbed."""
    run_dir = new_run(tmp_path_factory.mktemp("straight") / "run", small_model)
    finish(run_dir)
    return run_dir


@pytest.fixture(scope="module")
def straight2(tmp_path_factory: pytest.TempPathFactory, small_model: Path) -> Path:
    """The same with two ranks."""
    run_dir = new_run(tmp_path_factory.mktemp("straight2") / "run", small_model, "ranks=2")
    finish(run_dir)
    return run_dir


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


def test_the_undisturbed_run_plays_for_real(straight: Path) -> None:
    metrics, matches, truths = rows(straight)
    forfeits = [row.value for row in metrics if row.name == "forfeit_rate"]
    assert any(value is not None and 0 < value < 1 for value in forfeits), "both sorts of ends are needed below"
    assert {match.step for match, _ in matches} == set(range(STEPS + 1))
    assert {truth.step for truth in truths} == set(range(0, STEPS + 1, 3))
    (first, _), (last, _) = checkpoint(straight, 0), checkpoint(straight, STEPS)
    name = "model.safetensors/model.embed_tokens.weight"
    assert not first[name].equal(last[name])


def test_the_same_seed_gives_the_same_run(straight: Path, small_model: Path, tmp_path: Path) -> None:
    train(new_run(tmp_path / "run", small_model))
    assert_same_run(straight, tmp_path / "run", STEPS)


def test_evaluation_does_not_disturb_training(straight: Path, small_model: Path, tmp_path: Path) -> None:
    train(new_run(tmp_path / "run", small_model, "evaluation.every=0", "evaluation.opponents=['random']"))
    (tensors, state), (tensors2, state2) = checkpoint(straight, STEPS), checkpoint(tmp_path / "run", STEPS)
    assert state == state2
    assert all(tensor.equal(tensors2[name]) for name, tensor in tensors.items())


def test_killed_at_any_instant_it_resumes_to_the_same_run(straight: Path, small_model: Path, tmp_path: Path) -> None:
    rng, run_dir = random.Random(), new_run(tmp_path / "run", small_model)
    for _ in range(3):
        process = launch(run_dir)
        goal = min(steps_stored(run_dir) + rng.randrange(1, 3), STEPS)
        wait_for(lambda goal=goal: steps_stored(run_dir) >= goal, process)  # type: ignore[misc]
        time.sleep(rng.random() * 0.2)
        kill(process)
    train(run_dir)
    assert_same_run(straight, run_dir, STEPS)


def test_killed_while_it_writes_a_checkpoint_it_resumes_to_the_same_run(
    straight: Path, small_model: Path, tmp_path: Path
) -> None:
    run_dir = new_run(tmp_path / "run", small_model)
    for step in (0, 4):
        process = launch(run_dir)
        half = run_dir / "checkpoints" / f"step_{step}.tmp"
        wait_for(lambda half=half: half.exists() and any(half.iterdir()), process)  # type: ignore[misc]
        kill(process)
    train(run_dir)
    assert_same_run(straight, run_dir, STEPS)


OPPONENTS = {
    "fixed": "opponent={{type='fixed', player='ckpt:{model}?temperature=1.5&max_tokens=16'}}",
    "lagged": "opponent={{type='lagged', every=4}}",
    "pool": "opponent={{type='pool', every=2, size=3, self_play=0.2}}",
}
FORMER = (
    "steps=8", "games=[{game='tictactoe', turns=24, magnet=0.03}]", "evaluation.every=4", "evaluation.lag=3",
    "evaluation.opponents=['self', 'start']", "evaluation.ground_truth=false",
)  # fmt: skip


@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", OPPONENTS)
def test_against_others_it_resumes_to_the_same_run(small_model: Path, tmp_path: Path, name: str, ranks: int) -> None:
    """Cut between checkpoints, between two copies of the policy, and with weights kept for the evaluation at 8."""
    settings = (*FORMER, OPPONENTS[name].format(model=small_model), f"ranks={ranks}")
    whole, cut = (new_run(tmp_path / part, small_model, *settings) for part in ("whole", "cut"))
    run = train if ranks == 1 else finish
    process = launch(cut)
    wait_for(lambda: steps_stored(cut) >= 5, process)
    kill(process)
    run(cut)
    run(whole)
    assert_same_run(whole, cut, 8)
    met = {row.opponent for row in rows(whole)[0] if row.name == "training_score"}
    assert len(met) >= {"fixed": 1, "lagged": 2, "pool": 3}[name]
    assert {row.step for row in rows(whole)[0] if row.opponent == "self(t-3)"} == {4, 8}


@pytest.mark.slow
def test_two_ranks_repeat_and_resume_to_the_bit(straight2: Path, small_model: Path, tmp_path: Path) -> None:
    run_dir = new_run(tmp_path / "run", small_model, "ranks=2")
    process = launch(run_dir)
    wait_for(lambda: steps_stored(run_dir) >= 6, process)
    kill(process)
    finish(run_dir)
    assert_same_run(straight2, run_dir, STEPS)


def test_ranks_share_the_matches_and_keep_one_set_of_baselines(straight: Path, straight2: Path) -> None:
    """At step 1 both runs have the same weights: the same matches, so the same returns and baselines."""
    one, two = (
        [row for row in rows(run_dir)[0] if row.step == 1 and row.name in {"return", "baseline", "distinct_matches"}]
        for run_dir in (straight, straight2)
    )
    assert one == two
    assert len(one) == 10


def test_a_finished_run_prints_its_table_and_trains_no_more(straight: Path) -> None:
    before = checkpoint(straight, STEPS)[1]
    done = finish(straight, "--json")
    assert json.loads(done.stdout)["steps"] == STEPS
    assert done.stderr == ""
    assert checkpoint(straight, STEPS)[1] == before


def test_ctrl_c_finishes_the_step_saves_and_a_second_process_is_refused_meanwhile(
    straight: Path, small_model: Path, tmp_path: Path
) -> None:
    run_dir = new_run(tmp_path / "run", small_model)
    process = launch(run_dir, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    wait_for(lambda: steps_stored(run_dir) >= 1, process)
    process.send_signal(signal.SIGSTOP)
    refused = finish(run_dir, code=1)
    assert f"already being run by pid {process.pid}" in refused.stderr
    assert refused.stderr.count("\n") == 1
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert f"Resume: spiral-arena train --resume {run_dir}\n" in err
    assert "Traceback" not in err
    assert list_checkpoints(run_dir)[-1].step == steps_stored(run_dir) < STEPS
    assert run_status(run_dir, read_record(run_dir)) == "stopped"
    train(run_dir)
    metrics, _, _ = rows(run_dir)
    assert metrics == rows(straight)[0]


@pytest.mark.parametrize("how", ["file", "term"])
def test_other_ways_to_ask_are_as_polite(small_model: Path, tmp_path: Path, how: str) -> None:
    run_dir = new_run(tmp_path / "run", small_model, "steps=400", "evaluation.every=0")
    process = launch(run_dir, stderr=subprocess.PIPE)
    wait_for(lambda: steps_stored(run_dir) >= 1, process)
    if how == "file":
        (run_dir / "stop").touch()
    else:
        process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "--resume" in err
    assert list_checkpoints(run_dir)[-1].step == steps_stored(run_dir)


@linux
@pytest.mark.slow
def test_ctrl_c_twice_ends_all_ranks_at_once(small_model: Path, tmp_path: Path) -> None:
    run_dir = new_run(tmp_path / "run", small_model, "ranks=2", "steps=400", "games=[{game='tictactoe', turns=4000}]")
    process = launch(run_dir)
    wait_for(lambda: steps_stored(run_dir) >= 0 and len(processes_of(run_dir)) == 2, process)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=5) == 1
    wait_for(lambda: not processes_of(run_dir), seconds=5)


@linux
@pytest.mark.slow
def test_the_other_ranks_end_with_the_first_however_it_ends(small_model: Path, tmp_path: Path) -> None:
    run_dir = new_run(tmp_path / "run", small_model, "ranks=2", "steps=400")
    process = launch(run_dir)
    wait_for(lambda: steps_stored(run_dir) >= 1, process)
    assert len(processes_of(run_dir)) == 2
    kill(process)
    wait_for(lambda: not processes_of(run_dir), seconds=5)


@linux
@pytest.mark.slow
def test_a_rank_that_dies_ends_the_run_with_one_line_and_it_can_be_resumed(small_model: Path, tmp_path: Path) -> None:
    run_dir = new_run(tmp_path / "run", small_model, "ranks=2", "steps=400", "evaluation.every=0")
    process = launch(run_dir, stderr=subprocess.PIPE)
    wait_for(lambda: steps_stored(run_dir) >= 2, process)
    (other,) = set(processes_of(run_dir)) - {process.pid}
    os.kill(other, signal.SIGKILL)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert [line for line in err.splitlines() if line.startswith("error")] == [
        "error: Training cannot go on: rank 1 of 2 has ended (killed by SIGKILL). "
        "Everything up to the last checkpoint is saved; resume the run."
    ]
    assert "Traceback" not in err
    assert run_status(run_dir, read_record(run_dir)) == "failed"
    process = launch(run_dir, stderr=subprocess.PIPE)
    wait_for(lambda: steps_stored(run_dir) >= 5, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 1
    assert list_checkpoints(run_dir)[-1].step >= 5


def test_it_resumes_without_the_model_it_began_with(straight: Path, small_model: Path, tmp_path: Path) -> None:
    model = shutil.copytree(small_model, tmp_path / "model")
    run_dir = new_run(tmp_path / "run", model)
    process = launch(run_dir)
    wait_for(lambda: steps_stored(run_dir) >= 3, process)
    kill(process)
    shutil.rmtree(model)
    train(run_dir)
    assert rows(run_dir) == rows(straight)


def test_killed_before_anything_is_stored_it_starts_anew(small_model: Path, tmp_path: Path) -> None:
    game = "games=[{game='tictactoe', turns=4}]"
    run_dir = new_run(tmp_path / "run", small_model, "steps=1", "evaluation.every=0", game)
    process = launch(run_dir)
    wait_for(lambda: (run_dir / "run.db").exists(), process)
    kill(process)
    train(run_dir)
    with RunReader(run_dir) as reader:
        assert [event.kind for event in reader.events()] == ["started", "finished"]


def test_a_stop_before_the_first_step_leaves_a_run_that_starts_anew(small_model: Path, tmp_path: Path) -> None:
    run_dir = new_run(tmp_path / "run", small_model, "steps=1", "evaluation.every=0")
    process = launch(run_dir, stderr=subprocess.PIPE)
    wait_for(lambda: (run_dir / "run.db").exists(), process)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "--resume" in err
    assert "Traceback" not in err
    train(run_dir)
    assert steps_stored(run_dir) == 1
