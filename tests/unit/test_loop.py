"""The training loop where things go wrong, and the figures it stores."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from training_runs import KUHN, checkpoint, new_run, rows, train

from arena.players import checkpoint as checkpoint_player
from arena.runs.checkpoints import list_checkpoints
from arena.runs.reader import RunReader
from evals import featured
from training.learner import Learner

QUICK = ("evaluation.every=0", "evaluation.opponents=['random']", "evaluation.ground_truth=false")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, small_model: Path) -> Path:
    run_dir = new_run(tmp_path_factory.mktemp("loop") / "run", small_model, "steps=3")
    train(run_dir)
    return run_dir


def test_every_promised_metric_is_stored_by_name(run: Path) -> None:
    with RunReader(run) as reader:
        metrics = reader.metrics(limit=10**6)
    found = {(row.step, row.name, row.game, row.role) for row in metrics}
    for step in (1, 2, 3):
        for game in ("tictactoe", KUHN):
            for name in ("return", "baseline"):
                assert {(step, name, game, "0"), (step, name, game, "1")} <= found
            for name in (
                "forfeit_rate",
                "self_play_draw_rate",
                "thought_tokens",
                "distinct_matches",
                "turns_per_match",
            ):
                assert (step, name, game, "") in found
        for name in (
            "entropy", "old_kl", "magnet_kl", "clip_fraction", "gradient_norm", "policy_loss", "trained_turns",
            "tokens_per_second", "matches_per_second", "empty_batches", "skipped_total", "learning_rate",
            "seconds_collect", "seconds_advantages", "seconds_learn", "seconds_publish",
        ):  # fmt: skip
            assert (step, name, "", "") in found
    names_of = {step: {name for at, name, _, _ in found if at == step} for step in (0, 2, 3)}
    assert {"score", "draw_rate", "eval_forfeit_rate", "optimal_move_rate", "exploitability"} <= names_of[0] & names_of[
        3
    ]
    assert {"seconds_evaluate", "seconds_checkpoint"} <= names_of[3]
    assert "score" not in names_of[2]
    scores = [row for row in metrics if row.name == "score"]
    assert {row.opponent for row in scores} == {"random", "optimal", "start"}
    assert all(
        row.low is not None and row.high is not None and row.low <= (row.value or 0) <= row.high for row in scores
    )


def test_the_figures_are_those_of_the_matches(run: Path) -> None:
    metrics, _, _ = rows(run)
    for row in metrics:
        assert row.value is None or math.isfinite(row.value), row
        if row.name.endswith(("_rate", "_fraction")) or row.name == "distinct_matches":
            assert row.value is None or 0 <= row.value <= 1, row
    returns = {(row.step, row.game, row.role): row.value for row in metrics if row.name == "return"}
    for (step, game, role), value in returns.items():
        assert value == pytest.approx(-(returns[step, game, str(1 - int(role))] or 0)), "zero-sum"


def test_featured_matches_are_stored_whole_with_their_thoughts(run: Path) -> None:
    _, matches, _ = rows(run)
    featured = [(match, turns) for match, turns in matches if match.a == match.b]
    assert {match.step for match, _ in featured} == {1, 2, 3}
    assert {match.game for match, _ in featured} == {"tictactoe", KUHN}
    assert len(featured) == 3 * 4
    assert any(turn.thought for _, turns in featured for turn in turns)


def test_a_live_view_changes_no_bit(small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(featured, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint_player, "SHOW_SECONDS", 0.0)
    runs = [new_run(tmp_path / str(count), small_model, *QUICK, "steps=3", f"featured={count}") for count in (0, 8)]
    for run_dir in runs:
        train(run_dir)
    (blind, state), (seen, state2) = (checkpoint(run_dir, 3) for run_dir in runs)
    assert state == state2
    assert blind.keys() == seen.keys()
    assert all(tensor.equal(seen[name]) for name, tensor in blind.items())
    assert rows(runs[0])[0] == rows(runs[1])[0], "every metric but timings"
    with RunReader(runs[1]) as reader:
        assert reader.partials() == []
    assert sum(match.a == match.b for match, _ in rows(runs[1])[1]) == 24


def test_a_batch_without_any_advantage_is_skipped_and_counted(small_model: Path, tmp_path: Path) -> None:
    """Without a baseline and with a weight of 0, no turn has an advantage."""
    games = "games=[{game='tictactoe', turns=8, weight=0.0}]"
    run_dir = new_run(tmp_path / "run", small_model, *QUICK, games, "advantage={type='none'}", "steps=2")
    train(run_dir)
    assert checkpoint(run_dir, 2)[1]["empty_batches"] == 2
    metrics, _, _ = rows(run_dir)
    assert [row.value for row in metrics if row.name == "empty_batches"] == [0, 1, 2]
    assert not [row for row in metrics if row.name == "entropy"], "nothing was measured"
    (first, _), (last, _) = checkpoint(run_dir, 0), checkpoint(run_dir, 2)
    assert all(tensor.equal(last[name]) for name, tensor in first.items())


def test_updates_that_are_not_finite_are_counted_and_end_the_run_in_time(
    small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = new_run(tmp_path / "run", small_model, *QUICK, "steps=9", "max_bad_steps=3", "checkpoint_every=1")
    real = Learner._loss
    calls = iter(range(10**6))

    def broken(self: Learner, *args: object) -> torch.Tensor:
        loss = real(self, *args)  # type: ignore[arg-type]
        return loss * math.nan if next(calls) >= 4 else loss

    monkeypatch.setattr(Learner, "_loss", broken)
    train(run_dir, code=1)
    err = capsys.readouterr().err
    assert "the loss or the gradient was not finite for 3 steps." in err
    assert "error: Training has diverged at step" in err
    assert "Traceback" not in err
    steps = [found.step for found in list_checkpoints(run_dir)]
    tensors, state = checkpoint(run_dir, steps[-1])
    assert state["skipped_updates"] >= 2
    assert all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())
    monkeypatch.undo()
    train(run_dir)
    assert checkpoint(run_dir, 9)[1]["bad_streak"] == 0


@pytest.mark.parametrize("rate", ["1e3", "1e30"])
def test_a_run_that_diverges_ends_with_a_clear_line(
    small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], rate: str
) -> None:
    run_dir = new_run(tmp_path / "run", small_model, *QUICK, f"optimiser.lr={rate}", "steps=60")
    train(run_dir, code=1)
    err = capsys.readouterr().err
    last = err.splitlines()[-1]
    assert last.startswith("error: ")
    assert "diverged" in last or "not finite" in last
    assert "Traceback" not in err
    for found in list_checkpoints(run_dir):
        assert all(bool(torch.isfinite(tensor).all()) for tensor in checkpoint(run_dir, found.step)[0].values())
