"""`spiral-arena tables`: the same figures as on screen, on stdout; why there are none, on stderr."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import table_runs
import tournament_runs

from arena.cli.app import main
from arena.runs.paths import RESULT_JSON


@pytest.fixture
def some(root: Path) -> Path:
    return table_runs.one_of_each(root)


def tables(capsys: pytest.CaptureFixture[str], *args: str, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    assert main(["tables", *args]) == code
    found = capsys.readouterr()
    return found.out, found.err


def test_text_has_titles_figures_and_intervals(some: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = tables(capsys)
    lines = out.splitlines()
    assert lines[0].split()[:4] == ["run", "player", "against", "game"]
    assert {line.split()[0] for line in lines[1:]} == {"base-vs-7", "specialists", "transfer", "kuhn-ttt-6"}
    assert " … " in lines[1]
    assert err.startswith("Score: ")


@pytest.mark.parametrize(
    ("kind", "column"),
    [("scores", "wins"), ("head-to-head", "score_low"), ("ood", "change_high"), ("transfer", "snake_kind"),
     ("truth", "measure")],
)  # fmt: skip
def test_every_kind_as_json_and_csv(some: Path, capsys: pytest.CaptureFixture[str], kind: str, column: str) -> None:
    out, _ = tables(capsys, "--kind", kind, "--json")
    rows = json.loads(out)["rows"]
    assert column in rows[0]
    assert json.loads(tables(capsys, "--kind", kind, "--format", "json")[0])["rows"] == rows
    table = list(csv.DictReader(io.StringIO(tables(capsys, "--kind", kind, "--format", "csv")[0])))
    assert len(table) == len(rows)
    assert column in table[0]


@pytest.mark.parametrize(("form", "start"), [("md", "**Ground truth**"), ("latex", "% \\usepackage"), ("svg", "<svg ")])
def test_formats_for_documents(some: Path, capsys: pytest.CaptureFixture[str], form: str, start: str) -> None:
    assert tables(capsys, "--kind", "truth", "--format", form)[0].startswith(start)


def test_only_named_runs_words_and_order(some: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ("transfer", str(some / "kuhn-ttt-6"), "--filter", "random", "--json")
    rows = json.loads(tables(capsys, *args, "--sort", "score")[0])["rows"]
    assert {row["run"] for row in rows} == {"transfer", "kuhn-ttt-6"}
    assert {row["opponent"] for row in rows} == {"random"}
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    turned = json.loads(tables(capsys, *args, "--sort", "-score")[0])["rows"]
    assert [row["score"] for row in turned] == sorted(scores)


def test_wrong_usage_is_one_line(some: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for args, words in (
        (("--sort", "scor"), "Did you mean score"),
        (("nowhere",), "Unknown run"),
        (("--kind", "skores"), "scores"),
        (("--format", "html"), "svg"),
    ):
        out, err = tables(capsys, *args, code=2)
        assert out == ""
        assert words in err
        assert len(err.splitlines()) == 1


@pytest.mark.parametrize("kind", ["scores", "head-to-head", "ood", "transfer", "truth", "reasoning", "api"])
def test_an_empty_table_says_what_fills_it(root: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    out, err = tables(capsys, "--kind", kind)
    assert out == ""
    assert "no rows yet" in err
    assert "\ntry: spiral-arena " in err
    assert json.loads(tables(capsys, "--kind", kind, "--json")[0])["rows"] == []


def test_a_damaged_run_is_told_and_one_that_is_named_fails(some: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (some / "transfer" / RESULT_JSON).write_text("{")
    out, err = tables(capsys)
    assert "specialists" in out
    assert "not read: transfer: " in err
    out, err = tables(capsys, "transfer", code=1)
    assert out == ""
    assert "error: transfer: " in err


def test_hostile_names_do_not_reach_the_terminal(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tournament_runs.hostile(root / "hostile")
    for args in ((), ("--format", "md"), ("--format", "csv"), ("--format", "latex"), ("--format", "svg"), ("--json",)):
        out, err = tables(capsys, *args)
        assert not {"\x1b", "\u202e", "\u200b"} & set(out + err)


def test_the_command_loads_no_textual(some: Path) -> None:
    code = (
        "import sys; from arena.cli.app import main; code = main(['tables', '--format', 'svg']);"
        "print(*sorted({'textual', 'torch', 'pandas', 'numpy'} & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""
