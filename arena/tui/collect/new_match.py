"""Start one match as a job of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arena.config.base import validate
from arena.config.checks import check_games, check_players
from arena.config.tournament import MatchConfig
from arena.core.errors import UsageError
from arena.runs.launch import create_run, detach, job_command
from arena.runs.paths import runs_root


def start_match(
    root: Path, game: str, first: str, second: str, seed: str, limits: Mapping[str, Any] | None = None
) -> Path:
    """Check what was asked for, write the run below `root` and start its job; returns its directory.

    `limits` are what API players may spend, as `read_limits` gives them.

    Raises UsageError for what does not fit, ArenaError where it cannot be written or started.
    """
    try:
        number = int(seed)
    except ValueError:
        raise UsageError(f"The seed '{seed}' is no whole number.") from None
    if "human" in (first, second):
        raise UsageError("A human plays on the screen Play.", "Press 4.")
    data = {"game": game, "players": (first, second), "seed": number, **(limits or {})}
    config = validate(MatchConfig, data, "match")
    check_players(config.players, check_games([config.game]))
    run_dir = create_run(config, "match", _place(root)).absolute()
    detach(job_command("evals", str(run_dir)), run_dir)
    return run_dir


def _place(root: Path) -> Path | None:
    """None where runs go by themselves."""
    if root.absolute() == runs_root().absolute():
        return None
    stem = f"match-{time.strftime('%Y%m%d-%H%M%S')}"
    return next(
        path for number in range(1, 1000) if not (path := root / (stem if number == 1 else f"{stem}-{number}")).exists()
    )
