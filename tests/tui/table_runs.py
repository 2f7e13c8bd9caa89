"""Runs for tests of the tables."""

from __future__ import annotations

from pathlib import Path

import run_dirs
import tournament_runs


def one_of_each(root: Path) -> Path:
    """A run of every kind that tables are made of."""
    tournament_runs.played(root / "base-vs-7", pairs=6)
    tournament_runs.against_each_other(root / "specialists")
    tournament_runs.held_out(root / "transfer")
    run_dirs.training(root / "kuhn-ttt-6", steps=40)
    return root
