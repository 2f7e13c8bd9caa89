"""Matches per second of a tournament with a live view against the same without one, in one run.

    python tests/benchmarks/live_view.py [--json] [--rounds N] [--pairs N] [--player SPEC]… [--game ID]…

Both play the same schedule into databases of their own, as a tournament does, and go first in turn; the ratio is the
median over the rounds. Exit code 1 where it misses its target.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from arena.config.checks import check_games
from arena.core.player import Player
from arena.core.registry import load_player
from arena.runs.store import RunStore
from evals.featured import SLOTS
from evals.runner import run_matches
from evals.schedule import PlannedMatch, round_robin

TARGET = 0.97


def rate(schedule: Sequence[PlannedMatch], players: Mapping[str, Player], featured: int) -> float:
    """Matches per second."""
    gc.collect()
    with tempfile.TemporaryDirectory() as folder, RunStore(Path(folder)) as store:
        began = time.perf_counter()
        asyncio.run(run_matches(schedule, players, store, featured=featured))
        return len(schedule) / (time.perf_counter() - began)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--player", action="append", help="by default random, scripted and optimal")
    parser.add_argument("--game", action="append", help="by default tictactoe and kuhn_poker")
    options = parser.parse_args()
    names = options.player or ["random", "scripted", "optimal"]
    players = {name: load_player(name) for name in names}
    schedule = round_robin(check_games(options.game or ["tictactoe", "kuhn_poker"]), names, options.pairs, 0)
    seen, blind = list[float](), list[float]()
    for number in range(options.rounds + 1):
        for featured in (0, SLOTS) if number % 2 else (SLOTS, 0):
            (seen if featured else blind).append(rate(schedule, players, featured))
    ratio = statistics.median(mine / other for mine, other in zip(seen[1:], blind[1:], strict=True))
    with_view, without = statistics.median(seen[1:]), statistics.median(blind[1:])
    if options.json:
        figures = {"matches_per_second": with_view, "without_live_view": without, "ratio": ratio, "target": TARGET}
        print(json.dumps(figures, indent=2))
    else:
        print(f"{with_view:,.0f} matches/s with a live view, {without:,.0f} without: {ratio:.3f} (target {TARGET})")
    return int(ratio < TARGET)


if __name__ == "__main__":
    sys.exit(main())
