"""`spiral-arena replay`: the list of a run's matches, and one of them with what its moves were worth."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from arena.cli.app import main
from arena.config.tournament import TournamentConfig
from arena.core.keys import match_key
from arena.runs.launch import create_run
from arena.runs.rows import MatchRow, TurnRow
from arena.runs.store import RunStore
from evals.verdicts import judge

HOSTILE = "\x1b]0;owned\x07[@click=app.quit]x[/]\u202e\n1. b: [8]"


def turn(number: int, action: str | None, thought: str = "", illegal: str = "") -> TurnRow:
    return TurnRow(
        number, 0, number % 2, "seen", thought, action or "what?", "", action, illegal, "stop", 9, 4, 0, 0.2, "board"
    )


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    config = TournamentConfig(players=["random", "optimal"], games=["tictactoe"], pairs=2)
    run_dir = create_run(config, "tournament", tmp_path / "run")
    key = match_key(0, "tictactoe", 0)
    row = MatchRow(0, "tictactoe", "random", "optimal", 0, 1, key, -1.0, 1.0, "", 2, 0, 0.1, "first board")
    with RunStore(run_dir) as store:
        store.add_match(row, [turn(0, "[0]", "Corner."), turn(1, "[1]", HOSTILE)])
        drawn = replace(row, pair=1, number=1, return_a=0.0, return_b=0.0, game="snake")
        store.add_match(drawn, [turn(0, None, illegal="no such move")])
        store.add_match(
            replace(row, pair=2, number=2, forfeit="a"), [turn(0, "[4]"), turn(1, None, illegal="names none")]
        )
    return run_dir


def test_the_list_has_players_by_seat_and_the_newest_last(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(run_dir), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == [1, 2, 3]
    assert rows[0]["players"] == ["optimal", "random"]
    assert rows[0]["returns"] == [1.0, -1.0]
    assert [row["result"] for row in rows] == ["optimal wins", "draw", "optimal wins, random forfeits"]
    assert rows[2]["forfeit"] == 1


def test_the_list_is_a_table_that_can_be_searched_and_cut(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(run_dir), "--limit", "2"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0].split() == ["id", "game", "seat", "0", "seat", "1", "result", "turns", "step"]
    assert [line.split()[0] for line in shown.out.splitlines()[1:]] == ["2", "3"]
    assert "2 of 3 stored matches" in shown.err
    assert main(["replay", str(run_dir), "--search", "draw snake"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == ["2"]
    assert main(["replay", str(run_dir), "--search", "nobody"]) == 0
    assert "No match fits." in capsys.readouterr().out


def test_a_match_is_printed_with_thoughts_and_verdicts(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(run_dir), "1"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("tictactoe: optimal (seat 0) against random (seat 1)\n\nfirst board\n")
    assert "  Corner.\n1. optimal: [0]   optimal\n" in shown
    assert "2. random: [1]   blunder (draw → loss); best [4]" in shown
    assert shown.rstrip().endswith("Result: optimal wins.")


def test_no_control_sequence_and_no_forged_line_reaches_the_terminal(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(run_dir), "1"]) == 0
    shown = capsys.readouterr().out
    assert not set(shown) & {"\x1b", "\x07", "\u202e"}
    assert "[@click=app.quit]x[/]" in shown
    assert "\n1. b: [8]" not in shown


def test_illegal_replies_and_forfeits_are_said(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(run_dir), "3"]) == 0
    shown = capsys.readouterr().out
    assert "2. random: what? is illegal: names none" in shown
    assert "Result: optimal wins, random forfeits." in shown


def test_the_json_has_every_turn_with_its_verdict(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(run_dir), "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["id"], found["board"], found["scale"]) == (1, "first board", "outcome")
    expected = judge("tictactoe", found["turns"]).verdicts
    assert [one["verdict"]["blunder"] for one in found["turns"]] == [one.blunder for one in expected if one]
    assert found["turns"][1]["thought"] == HOSTILE


def test_a_game_without_an_exact_solution_has_no_verdicts(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(run_dir), "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["scale"], [one["verdict"] for one in found["turns"]]) == ("", [None])


def test_what_is_not_there_is_wrong_usage(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(run_dir), "9"]) == 2
    assert "has no match 9" in capsys.readouterr().err
    assert main(["replay", str(run_dir / "nothing")]) == 2
