"""The main job over several seeds, as the table of the README.

    python tests/benchmarks/seeds.py [--seeds 0 1 2] [--out runs/seeds] [--json]

Runs `spiral-arena quickstart` once a seed in OUT/N; what is there already is only read.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from evals.report import build_result as tournament_result
from training.result import build_result as training_result

TICTACTOE, KUHN = "tictactoe", "kuhn_poker?hands=1&payoff=chips"


def run(seed: int, folder: Path) -> None:
    """Do the main job with this seed unless its tournament is there."""
    if not (folder / "tournament" / "run.db").exists():
        command = [sys.executable, "-m", "arena", "quickstart", "--seed", str(seed), "--out", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def figures(seed: int, folder: Path) -> dict[str, Any]:
    """Every figure of the table, with intervals as (value, low, high) where there is one."""
    training, tournament = training_result(folder / "training"), tournament_result(folder / "tournament")
    base = tournament["results"][0]["a"]
    trained = tournament["results"][0]["b"]
    against = {(row["game"], row["a"], row["b"]): row for row in tournament["results"]}
    truth = {
        (row["game"], row["player"], row["measure"]): (row["value"], row["low"], row["high"])
        for row in tournament["ground_truth"]
    }
    versus_base = against[TICTACTOE, base, trained]
    random, optimal = against[TICTACTOE, trained, "random"], against[TICTACTOE, trained, "optimal"]
    last = {(row["game"], row["measure"]): row["mean"] for row in training["last_third"]}
    return {
        "seed": seed,
        "training seconds": training["training_seconds"],
        "score against base": (1 - versus_base["score"], 1 - versus_base["high"], 1 - versus_base["low"]),
        "score against random": (random["score"], random["low"], random["high"]),
        "draws against optimal": optimal["draws"] / (2 * optimal["pairs"]),
        "forfeits": sum(row["forfeits_a"] for row in (random, optimal)) + versus_base["forfeits_b"],
        "optimal moves, base": truth[TICTACTOE, base, "optimal_move_rate"],
        "optimal moves, trained": truth[TICTACTOE, trained, "optimal_move_rate"],
        "exploitability, base": truth[KUHN, base, "exploitability"],
        "exploitability, trained": truth[KUHN, trained, "exploitability"],
        "exploitability, last third": last[KUHN, "exploitability"],
    }


def _cell(value: Any) -> str:
    if isinstance(value, tuple):
        return f"{value[0]:.3f} ({value[1]:.3f}–{value[2]:.3f})"
    return f"{value:.3f}" if isinstance(value, float) and value < 2 else f"{value:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/seeds"))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = []
    for seed in args.seeds:
        folder = args.out / str(seed)
        run(seed, folder)
        rows.append(figures(seed, folder))
    if args.json:
        print(json.dumps(rows, indent=2))
        return
    print("| | " + " | ".join(f"seed {row['seed']}" for row in rows) + " |")
    print("|---|" + "---|" * len(rows))
    for name in list(rows[0])[1:]:
        print(f"| {name} | " + " | ".join(_cell(row[name]) for row in rows) + " |")


if __name__ == "__main__":
    main()
