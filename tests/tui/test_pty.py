"""What reaches a real terminal from run directories full of hostile text: nothing but what Textual itself writes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import hostile_runs
import pytest
from hostile_runs import MARK
from terminals import ARENA, FRAME_END, Terminal

SEQUENCE = re.compile(
    r"\x1b(?:\[(?P<csi>[0-?]*[ -/]*[@-~])|\](?P<osc>.*?)(?:\x07|\x1b\\)|[PX^_].*?\x1b\\|[ -/]*[0-~])", re.DOTALL
)
COLOUR = re.compile(r"(?:[0-9]|[34]8;2;\d+;\d+;\d+)(?:;(?:[0-9]|[34]8;2;\d+;\d+;\d+))*m")
MODES = {
    "?1049h", "?1049l", "?25h", "?25l", "?1004h", "?1004l", "?2004h", "?2004l", "?2026$p", "?2026h", "?2026l",
    "?2048$p", "?2048h", "?2048l", "?1000h", "?1000l", "?1002h", "?1002l", "?1003h", "?1003l", "?1006h", "?1006l",
    "?1015h", "?1015l", "?7h", "?7l", ">25u", "<u",
}  # fmt: skip
"""What Textual asks of a terminal when it starts and when it ends."""
POINTER = re.compile(r"22;[a-z-]+")
CURSOR = re.compile(r"\d+;\d+H|\d*[A-DJK]")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of `hostile_runs`, for tests that change none of them."""
    return hostile_runs.hostile_root(tmp_path_factory.mktemp("hostile") / "runs")


def strange(data: bytes, columns: int = 0, lines: int = 0, plain: str = "\r\n") -> list[str]:
    """Everything in what a terminal got that is neither text nor of Textual's own sequences.

    Without a size no sequence is right but for colours; `plain` are control characters that are.
    """
    text = data.decode("utf-8")  # a lone C1 byte is no UTF-8
    found = []
    for match in SEQUENCE.finditer(text):
        if not _known(match["csi"] or "", match["osc"] or "", columns, lines):
            found.append(match.group())
    rest = SEQUENCE.sub("", text)
    return found + sorted({char for char in rest if char not in plain and unicodedata.category(char) in ("Cc", "Cf")})


def _known(csi: str, osc: str, columns: int, lines: int) -> bool:
    if COLOUR.fullmatch(csi):
        return True
    if CURSOR.fullmatch(csi):
        row, _, column = csi[:-1].partition(";")
        return int(row or 1) <= lines and int(column or 1) <= columns
    return lines > 0 and (csi in MODES or POINTER.fullmatch(osc) is not None)


class Tour:
    """Every screen, page and dialog, by keys."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal

    def go(self, *keys: str, until: str = "") -> None:
        """Press keys one by one, and wait until something like this is painted."""
        terminal = self.terminal
        terminal.type(*keys)
        terminal.wait(lambda: re.search(until, terminal.text), 30, until)
        terminal.settle(0.04, 0.3)
        terminal.wait(lambda: "Loading" not in terminal.text, 30, f"the end of loading after {keys}")

    def home(self) -> None:
        """Back to the list of runs."""
        for _ in range(9):
            shown = self.terminal.text
            if shown.startswith(" Runs ") and shown.count("╭") <= 2:  # no dialog
                return
            self.go("escape")
        raise AssertionError(f"esc does not lead back from:\n{self.terminal.text}")

    def run(self, kind: str, title: str) -> str:
        """Open the run of the kind from the list, and wait for the title."""
        self.home()
        self.go("g", until=r"name .*\n. ▸ ")
        rows = self.terminal.text.split("\n")[3:]
        place = next(i for i, row in enumerate(rows) if re.match(rf".{{5,}}  {kind[:9]}", row))
        self.go(*"j" * place, until=rf"▸ .*  {kind[:9]}")
        self.go("enter", until=f"^ {title} +\\S")
        return kind

    def place(self, key: str, title: str) -> str:
        """A screen by its digit."""
        self.home()
        self.go(key, until=f"^ {title} ")
        return title

    def go_round(self) -> Iterator[str]:
        """The name of each place once it is painted."""
        go = self.go
        go("j", "j", "j", "j", "j", "j", "j")
        yield "runs"
        go("?", until="Help: Runs")
        yield "help"
        go("escape", "g", "e", until="Name of the run")
        yield "rename"
        yield self.run("train", "Run")
        go(until="learning")
        for page, word in (("o", "Log"), ("a", "message"), ("c", "written"), ("f", "filter")):
            go(page, "pagedown", "end", until=word)
            yield word
        go("f", "left", "left", "enter", "right")
        yield "plots"
        go("l", until="^ Live .*live")
        go("t", "end", "left", until="thinking")
        yield "thoughts"
        go("right", "left", "enter", until="shown to it")
        yield "full reply"
        go("escape", "n")
        go("o", until="listed")
        go("down", "up")
        yield "pick"
        go("enter", "m", until="New match")
        go("tab", "tab")
        yield "new match"
        yield self.run("match", "Live")
        go(until="0 of 3")
        go("end", until="3 of 3")
        go("left", "enter", until="shown to it")
        go("end", "pageup")
        yield "long reply"
        yield self.run("play", "Play")
        yield self.run("tournament", "Tournament")
        go("right", "down", "o", "up", "up", "left", "right", "enter", until="Matches|Change")
        yield "meeting"
        yield self.run("head-to-head", "Tournament")
        go("g", "down", "right")
        yield "cells"
        yield self.run("ood", "Tournament")
        go("tab", "down", "n", until="a new one")
        go("tab", "j", "tab", "j")
        yield "tournament form"
        yield self.place("4", "Play")
        go("j", "j", "tab", "j", "j")
        yield self.place("6", "Tables")
        for page in "svotba":
            go(page, "j", "right", "j")
            yield f"Tables {page}"
        yield self.place("7", "Launch")
        go("tab", until="steps")
        go("f2", until="Start from")
        self.home()


@pytest.mark.slow
def test_no_screen_lets_a_control_sequence_through(hostile: Path) -> None:
    seen, before = set(), 0
    with Terminal(variables={"SPIRAL_ARENA_RUNS": str(hostile)}) as terminal:
        terminal.wait_for("quit", "ood")
        for place in Tour(terminal).go_round():
            whole = terminal.data.rfind(FRAME_END) + len(FRAME_END)
            data, before = terminal.data[before:whole], whole
            assert not strange(data, terminal.columns, terminal.lines), place
            seen |= {place} if MARK in terminal.text else set()
        assert {"runs", "Log", "message", "filter", "thoughts", "full reply", "meeting", "cells", "ood"} <= seen
        terminal.press("q")
        assert terminal.end() == 0
        assert "[@click=app.quit]x[/]" in terminal.data.decode()
    assert not Path("state/spiral-arena/tui.log").exists()


COMMANDS = (
    ("runs",), ("runs", "--json"), ("show", "training"), ("show", "training", "--json"), ("show", "match"),
    ("show", "ood"), ("show", "broken"), ("show", "no\x1b[2Jne"), ("checkpoints",), ("runs", "stop", "ood"),
    ("replay", "match"), ("replay", "match", "1"), ("replay", "training", "--json"),
    ("export", "training", "--format", "csv"), ("export", "training", "--format", "md"),
    ("export", "tournament", "--format", "md"), ("export", "ood", "--format", "latex"), ("ood", "--resume", "ood"),
    ("head-to-head", "--resume", "meeting"),
)  # fmt: skip
"""Commands that show what is in a run, whose name stands for its directory's."""


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_lets_a_control_sequence_through(hostile: Path, command: tuple[str, ...]) -> None:
    names = {path.name.partition("\x1b")[0]: path.name for path in hostile.iterdir()}
    words = [command[0], *(names.get(word, word) for word in command[1:])]
    with Terminal([*ARENA, *words], variables={"SPIRAL_ARENA_RUNS": str(hostile)}) as terminal:
        terminal.end()
        assert terminal.data
        assert b"Traceback" not in terminal.data
        assert not strange(terminal.data, plain="\r\n\t")
