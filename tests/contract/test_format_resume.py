"""Gauntlets, Swiss rounds, openings and sequential tests survive a kill, and no timing changes what they show."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from stored_rows import Matches, count_matches, match_rows

from arena.runs.paths import RESULT_JSON

SERVER = Path(__file__).resolve().parents[1] / "servers" / "fault_server.py"
BOTS = ["random", "scripted", "scripted?skill=1", "scripted?skill=0", "scripted?skill=0.5"]
COMMANDS = {
    "gauntlet": ["--player", *BOTS, "--game", "tictactoe", "--format", "gauntlet", "--pairs", "30"],
    "swiss": ["--player", *BOTS, "--game", "tictactoe", "pig_dice", "--format", "swiss", "--pairs", "6"],
    "openings": ["--player", *BOTS[:3], "--game", "connect_four", "tictactoe", "--openings", "3", "--pairs", "12"],
    "sprt": ["--player", *BOTS[1:3], "--game", "tictactoe", "--sprt", "elo0=-40,elo1=-10", "--pairs", "2000"],
}


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "arena", "tournament", *args]


def finish(*args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(command(*args), capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == code, (args, result.returncode, result.stderr)
    return result


def first_rows(run_dir: Path, pairs: int | None) -> Matches:
    """The rows of the first `pairs` alone; of all where it is None."""
    return [(match, turns) for match, turns in match_rows(run_dir) if pairs is None or match.pair < pairs]


@pytest.fixture(scope="module", params=COMMANDS)
def undisturbed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, Matches]:
    """A kind of tournament, its JSON and its rows, played one match at a time by nobody disturbed."""
    run_dir = tmp_path_factory.mktemp(request.param) / "run"
    done = finish(*COMMANDS[request.param], "--seed", "4", "--concurrency", "1", "--out", str(run_dir), "--json")
    result = json.loads(done.stdout)
    return request.param, done.stdout, first_rows(run_dir, _counted(result))


def _counted(result: dict[str, Any]) -> int | None:
    return result["sprt"]["pairs"] if "sprt" in result else None


@pytest.mark.parametrize("instant", range(2))
def test_killed_at_any_instant_it_resumes_to_the_same_rows_and_json(
    tmp_path: Path, undisturbed: tuple[str, str, Matches], instant: int
) -> None:
    kind, expected, expected_rows = undisturbed
    rng, run_dir = random.Random(f"{kind}/{instant}"), tmp_path / "run"
    args = [*COMMANDS[kind], "--seed", "4", "--concurrency", str(1 + instant * 7), "--out", str(run_dir)]
    for _ in range(2):
        process = subprocess.Popen(command(*args), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wanted, deadline = count_matches(run_dir) + rng.randrange(len(expected_rows) // 3), time.monotonic() + 60
        while count_matches(run_dir) <= wanted and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(rng.random() * 0.01)
        process.kill()
        process.wait()
        args = ["--resume", str(run_dir)]
    assert count_matches(run_dir) > 0
    assert finish("--resume", str(run_dir), "--json").stdout == expected
    assert first_rows(run_dir, _counted(json.loads(expected))) == expected_rows
    shown = json.loads((run_dir / RESULT_JSON).read_text())
    count = count_matches(run_dir)
    assert shown == {**json.loads(expected), "finished": True, "played": count, "planned": count}
    again = finish("--resume", str(run_dir))
    assert again.stderr == "", "a finished run plays nothing"
    assert count_matches(run_dir) == count


@pytest.mark.parametrize("concurrency", ["2", "64"])
def test_concurrency_changes_nothing(tmp_path: Path, undisturbed: tuple[str, str, Matches], concurrency: str) -> None:
    kind, expected, expected_rows = undisturbed
    run_dir = tmp_path / "run"
    args = [*COMMANDS[kind], "--seed", "4", "--concurrency", concurrency, "--out", str(run_dir), "--json"]
    assert finish(*args).stdout == expected
    assert first_rows(run_dir, _counted(json.loads(expected))) == expected_rows


def test_each_shows_what_it_is(undisturbed: tuple[str, str, Matches]) -> None:
    kind, expected, expected_rows = undisturbed
    result = json.loads(expected)
    played = [(row["a"], row["b"]) for row in result["results"]]
    match kind:
        case "gauntlet":
            assert played == [("random", other) for other in BOTS[1:]]
            assert {row["matches"] for row in result["ratings"]} == {60, 240}
        case "swiss":
            assert [row["round"] for row in result["rounds"]] == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5]
            assert len(expected_rows) == 5 * 2 * 2 * 6 * 2
            assert len(result["ratings"]) == 5
        case "openings":
            assert {match.board.count("X") for match, _ in expected_rows} == {2}
        case _:
            assert result["sprt"]["verdict"] in ("H0", "H1")
            assert result["results"][0]["pairs"] == result["sprt"]["pairs"] < 2000
            assert [row["kind"] for row in result["warnings"]][-1] == "early_end"


def test_a_test_that_is_decided_plays_few_pairs_more_and_an_undecided_one_all(tmp_path: Path) -> None:
    pair = ["--player", "optimal", "random", "--game", "tictactoe", "--seed", "1"]
    result = json.loads(
        finish(*pair, "--sprt", "elo0=0,elo1=100", "--concurrency", "8", "--out", str(tmp_path / "a"), "--json").stdout
    )
    assert result["sprt"]["verdict"] == "H1"
    assert 2 * result["sprt"]["pairs"] <= count_matches(tmp_path / "a") <= 2 * result["sprt"]["pairs"] + 8
    result = json.loads(
        finish(*pair, "--sprt", "elo0=0,elo1=1", "--pairs", "30", "--out", str(tmp_path / "b"), "--json").stdout
    )
    assert (result["sprt"]["verdict"], result["sprt"]["pairs"], count_matches(tmp_path / "b")) == ("open", 30, 60)


def test_a_void_match_does_not_hold_the_test_up_for_long(tmp_path: Path) -> None:
    command_line = [sys.executable, str(SERVER), "--script", "m=ok*20,slow:30,ok*"]
    server = subprocess.Popen(command_line, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        api = f"vllm:m@{server.stdout.readline().split()[-1]}?deadline=1"
        args = ["--player", "scripted?skill=1", api, "--game", "tictactoe", "--sprt", "elo0=0,elo1=200"]
        done = finish(*args, "--concurrency", "4", "--pairs", "1000", "--out", str(tmp_path / "run"), "--json")
    finally:
        server.terminate()
        server.communicate()
    result = json.loads(done.stdout)
    assert result["sprt"]["verdict"] == "H1"
    assert result["results"][0]["voids"] == 1
    assert count_matches(tmp_path / "run") < 200


def test_stopped_politely_between_two_rounds_it_goes_on_to_the_same_end(tmp_path: Path) -> None:
    args = [*COMMANDS["swiss"], "--seed", "4"]
    expected = finish(*args, "--out", str(tmp_path / "calm"), "--json").stdout
    run_dir = tmp_path / "run"
    process = subprocess.Popen(
        command(*args, "--concurrency", "1", "--out", str(run_dir)), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while count_matches(run_dir) < 50 and process.poll() is None:
        time.sleep(0.001)
    (run_dir / "stop").touch()
    process.communicate(timeout=60)
    assert process.returncode == 1
    shown = json.loads((run_dir / RESULT_JSON).read_text())
    assert (shown["finished"], shown["planned"]) == (False, 240)
    assert 50 <= shown["played"] == count_matches(run_dir) < 240
    assert finish("--resume", str(run_dir), "--json").stdout == expected
