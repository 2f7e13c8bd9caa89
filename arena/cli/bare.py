"""`spiral-arena` without a command opens the terminal UI; imports stay few, since people wait for its first frame."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

_SWITCHES = {"--no-motion", "--no-mouse"}


def is_bare(argv: Sequence[str]) -> bool:
    """Whether these arguments ask for the terminal UI and need no parser to say so."""
    return set(argv) <= _SWITCHES and on_terminal()


def on_terminal() -> bool:
    """Whether somebody can see and steer a terminal UI, which Textual draws on stderr."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(stream.isatty() for stream in streams) and os.environ.get("TERM") != "dumb"


def use_root(root: Path) -> None:
    """Let this process, and the jobs that it starts, have their runs in `root`."""
    from arena.runs.paths import ROOT_VARIABLE

    os.environ[ROOT_VARIABLE] = str(root)


def open_tui(motion: bool = True, mouse: bool = True) -> int:
    """Show the terminal UI until it is left; returns the exit code."""
    from arena.tui.app import run

    return run(motion=motion, mouse=mouse)
