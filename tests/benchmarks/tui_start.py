"""How soon the terminal UI is there: its first frame beside a do-nothing Textual app's, and `--help` beside Typer's.

    python tests/benchmarks/tui_start.py [--rounds N] [--json]

Both sides take turns in one run, each a fresh process. First paint: in a pty of 120×36 columns, the time until the
first frame with a visible character (kept by `pyte`, as a terminal would). Times are means of the quickest quarter of
the rounds: what else the machine does only adds.
Exit code 1 where one of them is above 1.5.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pyte

ROOT = Path(__file__).resolve().parents[2]
TARGET = 1.5
COLUMNS, LINES = 120, 36
PATIENCE = 20.0

PLAIN_TEXTUAL = """
from textual.app import App, ComposeResult
from textual.widgets import Static

class Plain(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("hello")

Plain().run()
"""
PLAIN_TYPER = """
import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

@app.command()
def hello(name: str = "you") -> None:
    print(name)

@app.command()
def bye() -> None:
    print("bye")

app()
"""


def first_paint(command: Sequence[str], folder: Path) -> float:
    """Seconds from the start of the process to its first visible character."""
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvpe(command[0], list(command), os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    try:
        while time.perf_counter() - began < PATIENCE:
            if select.select([terminal], [], [], PATIENCE)[0]:
                stream.feed(os.read(terminal, 1 << 16))
                if any(line.strip() for line in screen.display):
                    return time.perf_counter() - began
        raise SystemExit(f"{command} painted nothing")
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def run_time(command: Sequence[str], folder: Path) -> float:
    """Seconds that the process takes."""
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def compare(
    measure: Callable[[Sequence[str], Path], float], ours: Sequence[str], theirs: Sequence[str], rounds: int, at: Path
) -> dict[str, float]:
    """Seconds of both, taking turns, after one round that warms the caches of the disk."""
    times: dict[str, list[float]] = {"ours": [], "plain": []}
    for number in range(rounds + 1):
        for name, command in (("ours", ours), ("plain", theirs)):
            seconds = measure(command, at)
            if number:
                times[name].append(seconds)
    quick = {name: statistics.mean(sorted(found)[: max(rounds // 4, 1)]) for name, found in times.items()}
    return {**quick, "ratio": quick["ours"] / quick["plain"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    script = Path(sys.executable).with_name("spiral-arena")
    ours = [str(script)] if script.exists() else [sys.executable, "-m", "arena"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "plain_textual.py").write_text(PLAIN_TEXTUAL)
        (folder / "plain_typer.py").write_text(PLAIN_TYPER)
        plain = [sys.executable, "plain_textual.py"]
        bare = [sys.executable, "plain_typer.py", "--help"]
        result = {
            "first paint": compare(first_paint, ours, plain, args.rounds, folder),
            "--help": compare(run_time, [*ours, "--help"], bare, args.rounds, folder),
        }
    if args.json:
        print(json.dumps({"target": TARGET, "rounds": args.rounds, **result}, indent=2))
    else:
        for what, found in result.items():
            print(f"{what:12} {found['ours'] * 1000:5.0f} ms, plain {found['plain'] * 1000:5.0f} ms,", end=" ")
            print(f"ratio {found['ratio']:.2f} (at most {TARGET})")
    return int(any(found["ratio"] > TARGET for found in result.values()))


if __name__ == "__main__":
    sys.exit(main())
