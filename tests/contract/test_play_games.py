"""A human can play every game from either seat, on the terminal and off it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from human_side import look, new_match, play_through, stored

from arena.config.play import PlayConfig
from arena.core.game import State
from arena.core.registry import GameSpec, game_ids
from arena.core.sanitise import plain
from arena.runs.record import read_record, run_status
from arena.runs.rows import AskRow


@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize("name", game_ids())
def test_a_human_who_gives_sampled_answers_plays_any_game_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, seat: int
) -> None:
    monkeypatch.setattr("evals.human_match.POLL_SECONDS", 0.001)
    players = ("human", "random") if seat == 0 else ("random", "human")
    config = PlayConfig(game=name, players=players, seed=6)
    rng = random.Random(seat)

    def decide(ask: AskRow, state: State) -> str:
        assert state.to_act == ask.seat == seat
        assert ask.observation == state.observe(seat)
        assert ask.rules == state.rules(seat)
        assert json.loads(ask.legal) == state.legal()
        return state.sample(rng)

    shown = play_through(new_match(tmp_path / "r", config), config, decide)
    row, turns = stored(tmp_path / "r")
    state = GameSpec.parse(name).new(row.key)
    for turn in turns:
        assert turn.action is not None
        state = state.apply(turn.action)
        assert turn.board == state.board()
    assert (row.return_a, row.return_b) == state.returns()
    assert shown[-1].observation == state.observe(seat)
    hidden = GameSpec.parse(name).game.INFO.hidden
    before = [ask for ask in shown if ask.status != "end"]
    assert all((ask.board == "") == hidden for ask in before)
    assert all(move["seat"] == seat or not hidden for ask in before for move in json.loads(ask.moves))


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "arena", "play", *args]


def talk(lines: str, *args: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        command(*args), input=lines, cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == code, (args, result.returncode, result.stdout, result.stderr)
    return result


CELLS = "".join(f"{cell}\n" for cell in range(9)) * 5


def test_a_match_on_the_terminal(tmp_path: Path) -> None:
    args = ["tictactoe", "--against", "scripted?skill=1", "--seed", "1", "--out", "r"]
    done = talk(f"?\n\nthoughts\nundo\nno\x1b[2Jsuch\n4\nthoughts\nundo\n{CELLS}", *args, cwd=tmp_path)
    talked = done.stderr
    assert talked.startswith("tictactoe: you are X (seat 0) against scripted?skill=1.\n")
    assert "TicTacToe on a 3x3 board." in talked
    assert talked.count("TicTacToe. You are X.\n0 1 2\n3 4 5\n6 7 8\n") >= 3
    assert "Legal: [0] [1] [2] [3] [4] [5] [6] [7] [8]" in talked
    assert "There is nothing to undo." in talked
    assert "That is not legal: " in talked
    assert "scripted?skill=1: [" in talked
    assert "No thoughts yet." in talked
    assert "Taken back." in talked
    assert "stored in r\n" in talked
    assert done.stdout.startswith("What the other side thought\n2. scripted?skill=1 [")
    assert " (seat " in done.stdout.splitlines()[-1]
    for text in (done.stdout, talked):
        assert text == plain(text)
    result = json.loads(talk("", "--resume", "r", "--json", cwd=tmp_path).stdout)
    assert (result["undos"], result["players"], result["seed"]) == (1, ["human", "scripted?skill=1"], 1)
    assert "no\x1b[2Jsuch" in [turn["answer"] for turn in result["turns"]] or result["undos"]


def test_the_end_of_the_input_stops_politely_and_resume_goes_on(tmp_path: Path) -> None:
    args = ["connect_four", "--against", "random", "--seat", "1", "--out", "r", "--json"]
    left = talk("1\n", *args, cwd=tmp_path, code=1)
    assert left.stdout == ""
    assert "spiral-arena play --resume r" in left.stderr
    assert run_status(tmp_path / "r", read_record(tmp_path / "r")) == "stopped"
    assert not read_record(tmp_path / "r").alive
    done = talk("resign\n", "--resume", "r", "--json", cwd=tmp_path)
    result = json.loads(done.stdout)
    assert (result["resigned"], result["forfeit"], result["returns"]) == (1, 1, [1.0, -1.0])
    assert result["turns"][1]["answer"] == "1"
    assert "seed" in result


def test_thoughts_wait_for_the_end_where_they_could_tell_a_secret(tmp_path: Path) -> None:
    lines = "thoughts\nundo\nbet\nfold\ncheck\n" + "check\nfold\n" * 20
    done = talk(lines, "kuhn_poker", "--against", "scripted", "--seed", "4", "--out", "r", cwd=tmp_path)
    assert "wait for the end" in done.stderr
    assert "has no undo" in done.stderr
    before, _, board = done.stderr.rpartition("\nHand 5 of 5")
    assert board
    assert "seat 1 J" not in before
    assert "seat 1 K" not in before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_while_it_waits_for_a_move_stops_politely(tmp_path: Path, number: int) -> None:
    config = PlayConfig(game="tictactoe", players=("human", "random"))
    process = subprocess.Popen(
        command("tictactoe", "--against", "random", "--seed", "0", "--out", "r"),
        cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "r" / "run.db").exists() or look(tmp_path / "r", config)[0] is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.2)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert "Traceback" not in err
    assert "--resume r" in err
    assert not read_record(tmp_path / "r").alive
    assert run_status(tmp_path / "r", read_record(tmp_path / "r")) == "stopped"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "needs a game and --against"),
        (["tictactoe"], "needs a game and --against"),
        (["tictacto", "--against", "random"], "Did you mean tictactoe"),
        (["tictactoe", "--against", "randm"], "Did you mean random"),
        (["snake", "--against", "optimal"], "optimal cannot play snake"),
        (["tictactoe", "--against", "random", "--seat", "2"], "--seat"),
        (["tictactoe", "--against", "random", "--retries", "-1"], "retries"),
        (["tictactoe", "--resume", "r"], "--resume"),
        (["--resume", "no-such-run"], "Unknown run"),
    ],
)
def test_wrong_usage_is_one_line_and_leaves_nothing(tmp_path: Path, args: list[str], message: str) -> None:
    refused = talk("", *args, cwd=tmp_path, code=2)
    assert message in refused.stderr
    assert (refused.stdout, refused.stderr.count("\n")) == ("", 1)
    assert list(tmp_path.iterdir()) == []
