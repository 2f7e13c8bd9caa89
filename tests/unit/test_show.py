"""`spiral-arena show`: one run's figures, the same as on its screen, running or finished."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import hostile_runs
import pytest
import run_dirs

from arena.cli.app import main
from arena.runs.paths import DB_NAME
from arena.runs.rows import MetricRow
from arena.runs.store import RunStore
from arena.tui.collect.training import TrainingReader


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPIRAL_ARENA_RUNS", "runs")
    Path("runs").mkdir()


def show(capsys: pytest.CaptureFixture[str], *args: str, code: int = 0) -> str:
    assert main(["show", *args]) == code
    return capsys.readouterr().out


def figures(capsys: pytest.CaptureFixture[str], run: str) -> dict[str, Any]:
    data = json.loads(show(capsys, run, "--json"), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert isinstance(data, dict)
    return data


def test_a_running_training_tells_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = run_dirs.training(Path("runs/a"), 84, of=120, end="", started=run_dirs.NOW - 168)
    data = figures(capsys, "a")
    header = {key: data[key] for key in ("schema", "id", "kind", "status", "unit", "done", "total", "seconds_left")}
    assert header == {
        "schema": 1, "id": "a", "kind": "train", "status": "running", "unit": "step", "done": 84, "total": 120,
        "seconds_left": pytest.approx(72.0),
    }  # fmt: skip
    assert data["alarms"] == [
        {"step": 70, "name": "draws", "level": "warn", "message": "94 % draws in self-play", "value": 0.94}
    ]
    assert data["phases"] == pytest.approx({"learn": 0.9 * 84, "collect": 0.8 * 84})
    assert figures(capsys, str(run_dir)) == data


def test_the_newest_figures_are_those_of_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = run_dirs.training(Path("runs/a"), 84, end="stopped")
    data = figures(capsys, "a")
    shown = {
        (game, line.name): line.at()
        for chart in TrainingReader(run_dir).read().charts
        for line in chart.series
        for game in (run_dirs.TICTACTOE, run_dirs.KUHN)
        if chart.id == f"score {game}"
    }
    printed = {(row["game"], row["opponent"]): row for row in data["latest"] if row["name"] == "score"}
    assert len(shown) == 6
    assert printed.keys() == shown.keys()
    for key, point in shown.items():
        assert point is not None
        row = printed[key]
        assert (row["step"], row["value"], row["low"], row["high"]) == point
    assert data["latest"][0]["name"] == "score", "what tells most comes first"
    assert {gain["change"] for gain in data["gains"]} == {"better"}


def test_as_text_it_says_the_same_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    run_dirs.training(Path("runs/a"), 84, of=120, end="failed", message="[no] model")
    text = show(capsys, "a")
    assert text.splitlines()[:2] == ["a · train · failed · step 84/120", "error: [no] model"]
    assert "optimal moves: .51 ±.02 at step 0, now .73 ±.02: better" in text
    assert "warn at step 70: 94 % draws in self-play" in text
    assert any(line.split()[:1] == ["entropy"] and line.split()[-2:] == ["84", ".39"] for line in text.splitlines())


def test_a_run_without_figures_and_one_of_many(capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = run_dirs.training(Path("runs/a"), 3, of=5, end="")
    for file in run_dir.glob(f"{DB_NAME}*"):
        file.unlink()
    data = figures(capsys, "a")
    assert (data["status"], data["done"], data["total"], data["latest"], data["gains"]) == ("running", 0, 5, [], [])
    assert "No figures yet." in show(capsys, "a")
    with RunStore(run_dir) as store:
        store.add_metrics(MetricRow(step, "entropy", 1 / step) for step in range(1, 30_001))
    assert figures(capsys, "a")["latest"][0]["step"] == 30_000


def test_what_is_not_a_number_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = run_dirs.training(Path("runs/a"), 3, end="")
    with RunStore(run_dir) as store:
        store.add_metrics([MetricRow(4, name, value) for name, value in (("x", float("inf")), ("y", None))])
    latest = {row["name"]: row["value"] for row in figures(capsys, "a")["latest"]}
    assert latest["x"] is None
    assert latest["y"] is None
    assert show(capsys, "a")


def test_an_evaluation_has_its_standings(capsys: pytest.CaptureFixture[str]) -> None:
    run_dirs.tournament(Path("runs/t"), 12)
    data = figures(capsys, "t")
    assert (data["kind"], data["unit"], data["done"], data["total"]) == ("tournament", "match", 12, 24)
    assert [row["player"] for row in data["ratings"]] == ["optimal", "random", "ckpt:tiny"]
    assert "optimal" in show(capsys, "t")


def test_hostile_text_reaches_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile_runs.training(Path("runs/h"))
    hostile_runs.tournament(Path("runs/t"))
    for args in (("h",), ("h", "--json"), ("t",), ("t", "--json")):
        text = show(capsys, *args)
        assert "PWNED" in text
        assert not set(text) & {chr(code) for code in (*range(9), *range(11, 32), *range(127, 160))}
        assert not set(text) & set(hostile_runs.BIDI)


def test_what_cannot_be_read_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = run_dirs.training(Path("runs/a"), 3)
    (run_dir / DB_NAME).write_bytes(b"by far no database" * 999)
    assert main(["show", "a"]) == 1
    assert "is damaged" in capsys.readouterr().err
    assert main(["show", "b"]) == 2
    assert "Unknown run 'b'" in capsys.readouterr().err


def test_it_loads_nothing_heavy() -> None:
    run_dirs.training(Path("runs/a"), 3)
    code = "import sys; from arena.cli.app import main; main(['show', 'a']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "arena" in loaded
    assert not loaded & {"torch", "transformers", "pandas", "numpy", "textual", "ray", "vllm"}
