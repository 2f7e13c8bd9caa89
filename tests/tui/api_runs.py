"""Runs in which players behind APIs take part: stored by the real writer, their ledger too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import match_runs
import run_details
import tournament_runs

from arena.core.ledger import Account
from arena.runs.paths import CONFIG_JSON
from arena.runs.stops import note_stop
from arena.runs.store import RunStore

GEMINI, MISTRAL = "gemini:gemini-2.5-flash?reasoning_effort=low", "mistral:magistral-small"
SPENDS = (
    Account(GEMINI, "gemini-2.5-flash", 1234, 3, 123_456, 812_345, 700_123, 4.3125),
    Account(MISTRAL, "magistral-small", 96, 0, 9120, 48_211, 0, None),
)
REFUSED = "The key is refused (401)."
LIMITS = {"max_cost": 5.0, "max_tokens": 2_000_000}


def tournament(run_dir: Path, spends: Sequence[Account] = SPENDS, stopped: str = MISTRAL, why: str = REFUSED) -> Path:
    """A running tournament of which half is played, with limits; one of the API players was stopped."""
    players = ["ckpt:tiny", *(row.player for row in spends), "random"]
    run = tournament_runs.played(run_dir, players=players, games=["tictactoe"], share=0.5, end="")
    spend(run, spends, stopped, why)
    return run


def spent(run_dir: Path) -> Path:
    """A tournament that ended since its API player, on a server that nobody runs, had spent what it may."""
    player = "vllm:m@http://127.0.0.1:9"
    run = tournament_runs.played(run_dir, players=["random", player], games=["tictactoe"], share=0.5, end="failed")
    spend(run, [Account(player, "m", 9, 0, 600, 400, 0, None)], "")
    configure(run, max_cost=None, max_tokens=1000)
    return run


def training(run_dir: Path) -> Path:
    """A training at work against a fixed API player."""
    run = run_details.training(run_dir)
    configure(run, opponent={"type": "fixed", "player": GEMINI})
    spend(run, SPENDS[:1], "")
    return run


def match(run_dir: Path, kind: str, thought: str = "I want the centre.") -> Path:
    """A match of which one player's thoughts are of this kind."""
    row, turns = match_runs.played(match_runs.BLUNDER, a=GEMINI, b="ckpt:tiny")
    marked = [
        replace(turn, thought=thought, thought_kind=kind, thought_source="reasoning", reasoning_tokens=412)
        if turn.seat == 0 else turn
        for turn in turns
    ]  # fmt: skip
    run = match_runs.match_run(run_dir, (row, marked))
    configure(run, players=[GEMINI, "ckpt:tiny"])
    spend(run, SPENDS[:1], "")
    return run


def spend(run_dir: Path, spends: Sequence[Account], stopped: str, why: str = REFUSED) -> None:
    """Set the limits and the ledger, and say who was stopped as a job does."""
    configure(run_dir, **LIMITS)
    with RunStore(run_dir) as store:
        store.set_spends(spends)
        if stopped:
            note_stop(store, stopped, why)


def configure(run_dir: Path, **values: Any) -> None:
    path = run_dir / CONFIG_JSON
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")
