"""The command line from outside: what it loads, what it prints where, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from arena.cli.app import main
from arena.cli.evaluate import spread
from arena.runs.record import read_record, run_status

HEAVY = {"torch", "transformers", "pandas", "textual", "ray", "vllm"}


def arena(*args: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command in `cwd`, where its ./runs is; it must end with `code`."""
    environment = {key: value for key, value in os.environ.items() if key != "SPIRAL_ARENA_RUNS"}
    command = [sys.executable, "-m", "arena", *args]
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == code, (args, result.returncode, result.stdout, result.stderr)
    return result


@pytest.mark.parametrize("args", [["--help"], ["games"], ["players"], ["runs"], ["checkpoints"], []])
def test_light_commands_load_nothing_heavy(tmp_path: Path, args: list[str]) -> None:
    code = f"""
import json, sys
from arena.cli.app import main
code = main({args!r})
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
sys.exit(code)
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(result.stderr.splitlines()[-1])}
    assert loaded & HEAVY == set()
    assert "arena" in loaded


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["tornament"], "tornament"),
        (["games", "--jsn"], "--jsn"),
        (["tournament", "--player", "random", "optimal"], "--game"),
        (["tournament", "--game", "tictactoe"], "--player"),
        (["tournament", "--player", "random", "--game", "tictactoe"], "at least 2"),
        (["tournament", "--player", "random", "random", "--game", "tictactoe"], "'random' is given more than once"),
        (["tournament", "--player", "random", "optimal", "--game", "tictacto"], "Did you mean tictactoe"),
        (["tournament", "--player", "randm", "optimal", "--game", "tictactoe"], "Did you mean random"),
        (["tournament", "--player", "random", "optimal", "--game", "kuhn_poker?hand=1"], "Did you mean hands"),
        (["tournament", "--player", "random", "optimal", "--game", "kuhn_poker?hands=99"], "Allowed: "),
        (["tournament", "--player", "random", "optimal", "--game", "snake"], "optimal cannot play snake"),
        (["tournament", "--player", "random", "optimal", "--game", "tictactoe", "--pairs", "0"], "pairs"),
        (["tournament", "--player", "random", "optimal", "--game", "tictactoe", "--pairs", "many"], "--pairs"),
        (["tournament", "--resume", "no-such-run"], "Unknown run 'no-such-run'"),
        (["tournament", "--resume", "no-such-run", "--pairs", "3"], "--resume"),
        (["head-to-head"], "A head-to-head needs players"),
        (["head-to-head", "random"], "at least 2"),
        (["head-to-head", "random", "random"], "'random' is given more than once"),
        (["head-to-head", "random", "scriptd"], "Did you mean scripted"),
        (["head-to-head", "random", "optimal"], "optimal cannot play simple_negotiation"),
        (["head-to-head", "random", "scripted", "--game", "tictactoe", "--game", "tictactoe"], "more than once"),
        (["head-to-head", "random", "scripted", "--base", "random"], "--base"),
        (["head-to-head", "--resume", "no-such-run", "--ground-truth"], "--resume"),
        (["ood"], "An ood needs a player"),
        (["ood", "random", "--base", "ckpt:no-such-run"], "no-such-run"),
        (["ood", "random", "--base", "optimal"], "optimal cannot play"),
        (["ood", "random", "--game", "snak"], "Did you mean snake"),
        (["ood", "random", "--pairs", "0"], "pairs"),
        (["ood", "--resume", "no-such-run"], "Unknown run 'no-such-run'"),
        (["ood", "random", "--resume", "no-such-run"], "--resume"),
        (["match"], "A match needs a game"),
        (["match", "tictactoe", "random"], "A match needs two players"),
        (["match", "tictactoe", "--resume", "no-such-run"], "--resume"),
        (["match", "tictactoe", "random", "optimal\x1b[2J"], "optimal"),
        (["match", "tictactoe", "random", "ckpt:no-such-run"], "no-such-run"),
        (["export", "no-such-run", "--format", "md"], "Unknown run"),
        (["export", "no-such-run", "--format", "pdf"], "'pdf' is not one of"),
        (["train", "no-such-preset"], "Unknown preset"),
        (["train"], "needs a configuration"),
    ],
)
def test_wrong_usage_is_one_line_on_stderr_exit_2_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], args: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "\x1b" not in err
    assert message in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["runs", "games", "players", "checkpoints"])
def test_every_listing_has_json(tmp_path: Path, command: str) -> None:
    rows = json.loads(arena(command, "--json", cwd=tmp_path).stdout)
    assert isinstance(rows, list)
    if command in ("games", "players"):
        assert {row["id"] for row in rows} >= ({"tictactoe"} if command == "games" else {"random", "optimal"})


def test_a_tournament_ends_in_the_json_of_the_contract(tmp_path: Path) -> None:
    game = "kuhn_poker?hands=1&payoff=chips"
    args = ["tournament", "--player", "random", "--player", "optimal", "--game", "tictactoe", "--game", game]
    run = arena(*args, "--pairs", "3", "--seed", "5", "--out", "t", "--json", cwd=tmp_path)
    result = json.loads(run.stdout)
    assert (result["schema"], result["seed"]) == (1, 5)
    assert [(row["game"], row["a"], row["b"]) for row in result["results"]] == [
        ("tictactoe", "random", "optimal"),
        (game, "random", "optimal"),
    ]
    for row in result["results"]:
        assert row["pairs"] == 3
        assert row["wins"] + row["draws"] + row["losses"] == 6
        assert {"score", "low", "high", "forfeits_a", "forfeits_b", "voids", "seat_effect"} <= row.keys()
    assert {row["player"] for row in result["ratings"]} == {"random", "optimal"}
    assert {(row["player"], row["game"]) for row in result["ground_truth"]} >= {
        ("random", "tictactoe"),
        ("optimal", game),
    }
    again = arena("tournament", "--resume", "t", "--json", cwd=tmp_path)
    assert json.loads(again.stdout) == result
    assert again.stderr == "", "a finished run plays nothing"
    assert "optimal" in arena("tournament", "--resume", "t", cwd=tmp_path).stdout


def test_an_existing_run_is_refused_with_a_hint_to_resume(tmp_path: Path) -> None:
    args = ["tournament", "--player", "random", "scripted", "--game", "tictactoe", "--pairs", "1", "--out", "t"]
    arena(*args, cwd=tmp_path)
    before = (tmp_path / "t" / "run.json").read_bytes()
    assert "--resume t" in arena(*args, cwd=tmp_path, code=2).stderr
    assert (tmp_path / "t" / "run.json").read_bytes() == before


def test_runs_are_listed_with_derived_status_and_damaged_ones_with_the_reason(tmp_path: Path) -> None:
    arena("match", "tictactoe", "random", "optimal", cwd=tmp_path)
    (run_dir,) = (tmp_path / "runs").iterdir()
    broken = tmp_path / "runs" / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{")
    for args in (["runs", "--json"], ["--"]):
        listed = arena(*args, cwd=tmp_path).stdout
        assert "finished" in listed
        assert "damaged" in listed
    rows = {row["id"]: row for row in json.loads(arena("runs", "--json", cwd=tmp_path).stdout)}
    assert (rows[run_dir.name]["status"], rows[run_dir.name]["progress"]) == ("finished", "1 matches")
    assert rows["broken"]["status"] == "unreadable"


def test_a_match_prints_its_transcript_or_json(tmp_path: Path) -> None:
    args = ["match", "tictactoe", "random", "optimal", "--seed", "4"]
    data = json.loads(arena(*args, "--json", cwd=tmp_path).stdout)
    assert data["players"] == ["random", "optimal"]
    assert sum(data["returns"]) == 0
    text = arena(*args, cwd=tmp_path).stdout
    for turn in data["turns"]:
        assert f"{turn['turn'] + 1}. {data['players'][turn['seat']]}: {turn['action']}" in text
    watched = arena(*args, "--watch", cwd=tmp_path)
    assert data["turns"][-1]["board"] in watched.stderr
    assert len(watched.stdout.splitlines()) == 1


@pytest.mark.parametrize("form", ["md", "csv", "latex", "json"])
def test_a_result_is_exported(tmp_path: Path, form: str) -> None:
    game = "kuhn_poker?hands=1"
    arena("tournament", "--player", "random", "scripted", "--game", game, "--pairs", "1", "--out", "t", cwd=tmp_path)
    text = arena("export", "t", "--format", form, cwd=tmp_path).stdout
    assert (game.replace("_", "\\_") if form == "latex" else game) in text
    if form == "json":
        assert json.loads(text)["results"][0]["pairs"] == 1
    else:
        assert ("seat effect" if form == "latex" else "seat_effect") in text


def test_an_export_that_does_not_fit_says_why(tmp_path: Path) -> None:
    arena("match", "tictactoe", "random", "random", "--out", "m", cwd=tmp_path)
    assert "has no figures over steps" in arena("export", "m", "--format", "tensorboard", cwd=tmp_path, code=2).stderr
    assert "--out is for" in arena("export", "m", "--format", "md", "--out", "x", cwd=tmp_path, code=2).stderr
    assert not (tmp_path / "x").exists()


def test_a_job_in_the_foreground_leaves_a_log_of_its_attempt(tmp_path: Path) -> None:
    args = ["tournament", "--player", "random", "scripted", "--game", "tictactoe", "--pairs", "1", "--out", "t"]
    arena(*args, cwd=tmp_path)
    (log,) = (tmp_path / "t" / "logs").glob("*/*")
    assert (log.parent.name, log.name) == ("attempt_1", "job.log")
    first, last = log.read_text().splitlines()
    assert " started, pid " in first
    assert last.endswith(" finished")


def test_a_detached_tournament_runs_on_its_own_and_logs_to_files(tmp_path: Path) -> None:
    args = ["tournament", "--player", "random", "scripted", "--game", "tictactoe", "--pairs", "2", "--out", "t"]
    started = json.loads(arena(*args, "--detach", "--json", cwd=tmp_path).stdout)
    assert started["id"] == "t"
    deadline = time.monotonic() + 60
    while read_record(tmp_path / "t").alive:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert run_status(tmp_path / "t", read_record(tmp_path / "t")) == "finished"
    (logs,) = (tmp_path / "t" / "logs").iterdir()
    assert logs.name == "attempt_1"
    assert "random" in (logs / "stdout.log").read_text()
    assert (logs / "job.log").read_text().endswith(" finished\n")


def test_a_strangers_package_in_the_current_directory_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "evals").mkdir()
    (tmp_path / "evals" / "__init__.py").write_text("raise SystemExit(7)")
    (tmp_path / "evals" / "__main__.py").write_text("raise SystemExit(7)")
    arena("match", "tictactoe", "random", "random", cwd=tmp_path)


def test_a_run_of_another_kind_is_not_resumed(tmp_path: Path) -> None:
    arena("head-to-head", "random", "scripted", "--game", "snake", "--pairs", "1", "--out", "h", cwd=tmp_path)
    refused = arena("ood", "--resume", "h", cwd=tmp_path, code=2)
    assert "spiral-arena head-to-head --resume" in refused.stderr


def test_after_games_what_is_no_game_is_a_player_again() -> None:
    args = ["random", "--game", "snake", "pig_dice?target=20", "ckpt:x", "--pairs", "3"]
    assert spread(args, lambda arg: arg.startswith(("snake", "pig_dice"))) == [
        "random", "--game", "snake", "--game", "pig_dice?target=20", "ckpt:x", "--pairs", "3",
    ]  # fmt: skip


def test_list_options_take_several_values() -> None:
    args = ["--player", "a", "b", "--game=x", "y", "--pairs", "3", "--player", "c", "--json"]
    assert spread(args) == [
        "--player", "a", "--player", "b", "--game=x", "--game", "y", "--pairs", "3", "--player", "c", "--json",
    ]  # fmt: skip
