"""The whole of it on a real terminal: launch a training, watch it, play meanwhile, stop it, leave."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from databases import read_rows
from terminals import Terminal

from arena.core.errors import UsageError
from arena.runs.control import kill_run
from arena.runs.paths import DB_NAME
from arena.runs.paths import run_dirs as found_runs

SHORT = """
name = "from-a-file"
checkpoint_every = 2000

[[games]]
game = "tictactoe"
turns = 48
random_start = 0.5

[optimiser]
minibatch = 48

[evaluation]
every = 5
pairs = 1
opponents = ["random"]
positions = 0.01
"""
PLOTTED = re.compile("[\u2801-\u28ff]")
STEP = re.compile(r"step (\d+)/4000")


@pytest.mark.slow
def test_launch_watch_play_stop_and_leave(tmp_path: Path) -> None:
    (tmp_path / "short.toml").write_text(SHORT)
    variables = {"SPIRAL_ARENA_RUNS": "runs", "OMP_NUM_THREADS": "1", "SPIRAL_ARENA_DEVICE": "cpu"}
    with no_job_left(tmp_path), Terminal(folder=tmp_path, variables=variables) as terminal:
        terminal.wait_for("No runs yet", "n new")
        run_dir = launch(terminal, tmp_path)
        see_the_score_grow(terminal)
        watch_a_live_game(terminal)
        play_a_game(terminal)
        stop_politely(terminal)
        terminal.press("q")
        assert terminal.end() == 0
        assert "continue" not in terminal.data[-200:].decode()
    events = [kind for (kind,) in read_rows(run_dir / DB_NAME, "SELECT kind FROM event ORDER BY id")]
    assert (events[0], events[-1]) == ("started", "stopped")
    assert processes_below(tmp_path) == []
    assert not Path("state/spiral-arena/tui.log").exists()


@contextmanager
def no_job_left(folder: Path) -> Iterator[None]:
    """Jobs are nobody's children: what a test that failed has started is ended here."""
    try:
        yield
    finally:
        for run_dir in found_runs(folder / "runs"):
            with suppress(UsageError):
                kill_run(run_dir)


def launch(terminal: Terminal, folder: Path) -> Path:
    """Fill the form from a file, change two fields, start."""
    terminal.type("n")
    terminal.wait_for("quickstart", "Start  ^s", "checkpoint_every")
    terminal.type("o")
    terminal.wait_for("TOML file to read")
    terminal.type("short.toml", "enter")
    terminal.wait_for("preset  short ", "from-a-file")
    fill(terminal, 'name = "short"', "tab", "ctrl+u", "short")
    fill(terminal, "steps = 4000", "tab", "tab", "ctrl+u", "4000")
    terminal.type("ctrl+s")
    terminal.wait_for("Started ", " Run   short")
    (run_dir,) = (folder / "runs").iterdir()
    return run_dir


def fill(terminal: Terminal, seen: str, *keys: str) -> None:
    terminal.settle(0.5)
    terminal.type(*keys)
    terminal.wait_for(seen)


def see_the_score_grow(terminal: Terminal) -> None:
    terminal.wait_for("● running", "score · tictactoe", seconds=120)
    terminal.wait(lambda: step(terminal) >= 5, 120, "step 5")
    terminal.wait(lambda: PLOTTED.search(terminal.text), 60, "a plot")
    first = step(terminal)
    terminal.wait(lambda: last_on_axis(terminal) > first, 120, f"the axis beyond {first}")


def watch_a_live_game(terminal: Terminal) -> None:
    terminal.type("l")
    terminal.wait_for("TicTacToe", "LIVE", seconds=60)
    seen = set[str]()

    def new_moves() -> int:
        if found := re.search(r"─ moves ─.*?╰", terminal.text, re.DOTALL):
            seen.add(found.group())
        return len(seen)

    terminal.wait(lambda: new_moves() > 3, 60, "moves as they are played")
    terminal.type("escape")
    terminal.wait_for("score · tictactoe")


def play_a_game(terminal: Terminal) -> None:
    """Against a random player, whatever cell is free."""
    terminal.type("4")
    terminal.wait_for("▸ TicTacToe", "↵ choose")
    terminal.type("enter")
    terminal.wait_for("Against", "↵ play")
    for _ in range(5):
        if "▸ random" not in terminal.text:
            terminal.type("j")
    terminal.wait_for("▸ random")
    terminal.type("enter")
    for _ in range(5):
        terminal.wait(lambda: over(terminal) or "Your move" in terminal.text, 60, "my turn")
        if over(terminal):
            break
        before = moves(terminal)
        free = next(cell for cell in "402681357" if cell not in before)
        terminal.type(free)
        terminal.wait(lambda: over(terminal) or len(moves(terminal)) > len(before), 60, f"{free} played")  # noqa: B023
    assert over(terminal), terminal.text
    terminal.wait_for("n again")  # until then keys are the board's
    terminal.type("escape")


def stop_politely(terminal: Terminal) -> None:
    terminal.type("1")
    terminal.wait_for("2 runs")
    terminal.type("g")
    terminal.wait(lambda: re.search(r"▸ short .* running", terminal.text), 10, "the cursor on the training")
    terminal.type("s")
    terminal.wait_for("short will end politely")
    terminal.wait(lambda: re.search(r"short .* ■ stopped", terminal.text), 60, "the end of the training")


def step(terminal: Terminal) -> int:
    found = STEP.search(terminal.text)
    return int(found[1]) if found else 0


def last_on_axis(terminal: Terminal) -> int:
    """The newest step that the plots show."""
    return max((int(found) for found in re.findall(r"─(\d+)\s", terminal.text)), default=0)


def over(terminal: Terminal) -> bool:
    return re.search(r"You (won|lost)|with thoughts", terminal.text) is not None


def moves(terminal: Terminal) -> list[str]:
    """The cells that were played, first to last."""
    return re.findall(r"│ +\d+ [XO] (\d)", terminal.text)


def processes_below(folder: Path) -> list[str]:
    """Command lines of processes that work in a run of the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if str(folder) in words and state not in "ZX":
                found.append(words.replace("\0", " "))
    return found
