"""What a user sees of training: the table at the end, and the lines on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from arena.runs.rows import MetricRow
from arena.runs.store import RunStore
from training.evaluation import Evaluation
from training.report import evaluation_lines
from training.result import build_result, render

KUHN = "kuhn_poker?hands=1&payoff=chips"


def evaluation(step: int, good: float) -> list[MetricRow]:
    rows = []
    for game in ("tictactoe", KUHN):
        for opponent in ("random", "optimal", "start"):
            for name in ("draw_rate", "score"):
                rows.append(MetricRow(step, name, good - 0.5, game, "", opponent, good - 0.53, good - 0.47, 400))
    rows.append(MetricRow(step, "optimal_move_rate", good, "tictactoe", low=good - 0.02, high=good + 0.02, n=900))
    rows.append(MetricRow(step, "blunder_rate", 1 - good, "tictactoe", low=0.98 - good, high=1.02 - good, n=900))
    rows.append(MetricRow(step, "exploitability", 0.3 * (1 - good), KUHN, low=0.0, high=0.3, n=12288))
    return rows


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    with RunStore(tmp_path) as store:
        for step, good in ((0, 0.5), (4, 0.7), (5, 0.8), (6, 0.9)):
            store.add_metrics(evaluation(step, good))
            store.add_metrics([MetricRow(step, "seconds_collect", 20.0), MetricRow(step, "empty_batches", 1.0)])
    return tmp_path


def text(run_dir: Path, width: int = 100) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"), markup=False)  # noqa: SIM115
    console.print(render(build_result(run_dir)))
    return console.export_text()


def test_the_result_is_json_from_the_database_alone(run_dir: Path) -> None:
    result = build_result(run_dir)
    assert json.loads(json.dumps(result)) == result
    assert (result["steps"], result["training_seconds"], result["empty_batches"]) == (6, 80.0, 1.0)
    exact = {(row["game"], row["measure"]): row for row in result["last_third"]}
    assert exact["tictactoe", "optimal_move_rate"]["mean"] == pytest.approx(0.85)
    assert exact["tictactoe", "optimal_move_rate"]["evaluations"] == 2
    units = {(row["game"], row["measure"]): row["unit"] for row in result["evaluations"]}
    assert units["tictactoe", "score"] == "points"
    assert units[KUHN, "score"] == units[KUHN, "exploitability"] == "chips"


def test_the_table_fits_a_hundred_columns_with_one_row_a_figure(run_dir: Path) -> None:
    lines = text(run_dir).splitlines()
    assert max(map(len, lines)) <= 100
    assert sum(line.strip() == "tictactoe" for line in lines) == 1
    (moves,) = [line for line in lines if "optimal moves" in line]
    assert moves.split() == [
        "optimal",
        "moves",
        "0.500",
        "0.48",
        "…",
        "0.52",
        "→",
        "0.900",
        "0.88",
        "…",
        "0.92",
        "0.850",
    ]
    (chips,) = [line for line in lines if "score against random (chips)" in line]
    assert "+0.400" in chips
    assert "0.000" in chips
    draws = [line for line in lines if "draws" in line and "Score:" not in line]
    assert [line.split()[:3] for line in draws] == [["draws", "against", "optimal"]]


def test_exact_measures_come_first(run_dir: Path) -> None:
    labels = [line.strip().split("  ")[0] for line in text(run_dir).splitlines() if line.strip() and line[0] == " "]
    tictactoe = labels[labels.index("optimal moves") : labels.index("exploitability (chips)")]
    assert tictactoe == [
        "optimal moves", "blunders", "score against random", "score against optimal", "score against start",
        "draws against optimal",
    ]  # fmt: skip


def test_a_run_without_an_evaluation_says_so(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.add_metrics([MetricRow(1, "seconds_collect", 1.0)])
    assert "No evaluation yet" in text(tmp_path)


def test_hostile_names_print_literally(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.add_metrics([MetricRow(0, "score", 0.5, "[bold]x\x1b[2J", "", "[/]\x1b]0;y\x07", 0.4, 0.6, 2)])
    shown = text(tmp_path, 160)
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[bold]x" in shown


def test_evaluation_lines_fit_a_hundred_columns() -> None:
    lines = evaluation_lines(120, 120, Evaluation(metrics=evaluation(120, 0.9)))
    assert len(lines) == 2
    assert max(map(len, lines)) <= 100
    assert lines[0] == ("step 120  tictactoe   optimal moves .900±.02  random .40±.03  optimal .40±.03  start .40±.03")


def test_an_opponent_that_was_not_there_at_the_start_has_no_figure_there(run_dir: Path) -> None:
    with RunStore(run_dir) as store:
        for step in (4, 6):
            store.add_metrics([MetricRow(step, "score", 0.6, "tictactoe", "", "self(t-2)", 0.55, 0.65, 400)])
    (line,) = [line for line in text(run_dir).splitlines() if "self(t-2)" in line]
    assert line.split()[3:6] == ["—", "→", "0.600"]
