"""`play` on a plain terminal, against an opponent who takes its time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminals import ARENA, Terminal

SERVER = Path(__file__).resolve().parents[1] / "servers" / "fault_server.py"


@pytest.fixture
def slow() -> Iterator[str]:
    """The spec of an opponent that needs two and a half seconds for a move."""
    command = [sys.executable, str(SERVER), "--script", "m=slow:2.5*"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield f"vllm:m@{server.stdout.readline().split()[-1]}"
    finally:
        server.terminate()
        server.communicate()


def asked(terminal: Terminal, times: int) -> bool:
    lines = terminal.text.splitlines()
    return len([line for line in lines if line.startswith(">")]) >= times


def test_a_slow_opponent_is_waited_for_in_words_and_nothing_typed_meanwhile_is_a_move(
    tmp_path: Path, slow: str
) -> None:
    command = (*ARENA, "play", "tictactoe", "--against", slow, "--seed", "3")
    with Terminal(command, folder=tmp_path, columns=100, lines=45) as terminal:
        terminal.wait(lambda: asked(terminal, 1), 60, "the first question")
        terminal.press("4", "enter")
        terminal.wait_for("waiting for an answer: 1 s")
        terminal.press("7")
        terminal.wait(lambda: "waiting" not in terminal.text and asked(terminal, 2), 60, "the second question")
        terminal.press("enter")
        terminal.wait(lambda: asked(terminal, 3), 60, "the same question, as nothing is asked of the opponent")
        assert terminal.text.count("3 X") == 2, "the board with one X, twice"
        terminal.press("\x03")
        assert terminal.end() == 1
        assert "Go on: spiral-arena play --resume" in terminal.text
        assert "waiting" not in terminal.text


def test_rules_are_wrapped_between_words(tmp_path: Path) -> None:
    command = (*ARENA, "play", "tictactoe", "--against", "random", "--seed", "3")
    with Terminal(command, folder=tmp_path, columns=61, lines=45) as terminal:
        terminal.wait(lambda: asked(terminal, 1), 60, "the first question")
        terminal.press("?", "enter")
        terminal.wait(lambda: asked(terminal, 2), 60, "the rules")
        words = set(" ".join(terminal.text.split()).split())
        assert {"numbered", "column", "diagonal", "without", "brackets,"} <= words
        terminal.press("\x03")
        assert terminal.end() == 1
