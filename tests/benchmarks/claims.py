"""Three sentences of the SPIRAL paper, tested at tiny scale over several training seeds.

    python tests/benchmarks/claims.py [--seeds 0 1 2] [--out runs/claims] [--pairs 100] [--json]

For each seed: `spiral-arena specialists`, a training against a fixed random opponent, and a tournament of that model
with the TicTacToe specialist. What is there already is kept. The unit is a training seed: a sentence is "shown" where
the 95 % t-interval over the seeds' figures lies on its side, else "not shown".
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from evals.report import build_result as tournament_result
from evals.suites import head_to_head, ood

GAMES = {"tictactoe": "tictactoe", "kuhn_poker": "kuhn", "simple_negotiation": "negotiation"}
"""Each training game, and how the run of its specialist ends."""
T975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""97.5 % points of Student's t by degrees of freedom."""


class Figure(NamedTuple):
    """One quantity over the seeds, and what it is compared with."""

    name: str
    values: list[float]
    even: float

    @property
    def interval(self) -> tuple[float, float, float]:
        mean = statistics.fmean(self.values)
        if len(self.values) < 2:
            return mean, -math.inf, math.inf
        half = T975[len(self.values) - 1] * statistics.stdev(self.values) / math.sqrt(len(self.values))
        return mean, mean - half, mean + half

    @property
    def shown(self) -> bool:
        return self.interval[1] > self.even


def run(seed: int, out: Path, pairs: int, settings: Sequence[str]) -> None:
    """Do everything for one seed that is not there yet."""
    chosen = [word for setting in settings for word in ("--set", setting)]
    common = ["--seed", str(seed), "--pairs", str(pairs)]
    _arena("specialists", *common, "--name", f"seed{seed}", "--out", str(out), *chosen)
    fixed, own = out / f"seed{seed}-fixed-random", out / f"seed{seed}-tictactoe"
    if (fixed / "run.json").exists():
        _arena("train", "--resume", str(fixed))
    else:
        _arena("train", "fixed-random", "--set", "ranks=1", *chosen, "--set", f"seed={seed}", "--run-dir", str(fixed))
    rivals = out / f"seed{seed}-rivals"
    if (rivals / "run.json").exists():
        _arena("tournament", "--resume", str(rivals))
    else:
        players = [
            word for spec in (f"ckpt:{own}", f"ckpt:{fixed}", "random", "optimal") for word in ("--player", spec)
        ]
        _arena("tournament", *players, "--game", "tictactoe", *common, "--out", str(rivals))


def _arena(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "arena", *words], check=True, stdout=subprocess.DEVNULL)


def figures(seeds: Sequence[int], out: Path) -> dict[str, list[Figure]]:
    """Every sentence with the figures that test it; all of them must be shown."""
    own = {game: [_own_game(out / f"seed{seed}", game) for seed in seeds] for game in GAMES}
    margins = [_margin(out / f"seed{seed}") for seed in seeds]
    rivals = [_rivals(out / f"seed{seed}-rivals") for seed in seeds]
    return {
        "Each specialist wins on its own game": [
            Figure(f"{game}: score of its specialist against the two others", values, 0.5)
            for game, values in own.items()
        ],
        "Multi-game training beats the best specialist on the OOD average": [
            Figure("OOD average against all bots, less the best specialist's", margins, 0.0)
        ],
        "Self-play beats training against a fixed random opponent": [
            Figure(name, [found[name] for found in rivals], even)
            for name, even in (("score against it", 0.5), ("optimal moves, less its", 0.0))
        ],
    }


def _own_game(stem: Path, game: str) -> float:
    """Mean score of the game's specialist against the two others."""
    matrix = head_to_head.build_result(stem.with_name(f"{stem.name}-head-to-head"))["matrix"]
    specialists = {name: f"ckpt:{stem}-{name}" for name in GAMES.values()}
    return statistics.fmean(
        row["score"]
        for row in matrix
        if row["game"] == game and row["player"] == specialists[GAMES[game]] and row["opponent"] in specialists.values()
    )


def _margin(stem: Path) -> float:
    averages = ood.build_result(stem.with_name(f"{stem.name}-ood"))["averages"]
    scores = {row["player"]: row["score"] for row in averages if row["over"] == "all" and row["opponent"] == "all"}
    best = max(scores[f"ckpt:{stem}-{name}"] for name in GAMES.values())
    return float(scores[f"ckpt:{stem}-multi-game"] - best)


def _rivals(run_dir: Path) -> dict[str, float]:
    result = tournament_result(run_dir)
    match = result["results"][0]
    optimal = {row["player"]: row["value"] for row in result["ground_truth"] if row["measure"] == "optimal_move_rate"}
    return {"score against it": match["score"], "optimal moves, less its": optimal[match["a"]] - optimal[match["b"]]}


def as_json(found: dict[str, list[Figure]]) -> list[dict[str, Any]]:
    """The verdicts with their figures."""
    return [
        {
            "sentence": sentence,
            "shown": all(figure.shown for figure in tests),
            "figures": [
                {"name": f.name, "values": f.values, **dict(zip(("mean", "low", "high"), f.interval, strict=True))}
                for f in tests
            ],
        }
        for sentence, tests in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/claims"))
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", help="change one key of every preset")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    for seed in args.seeds:
        run(seed, args.out, args.pairs, args.set)
    rows = as_json(figures(args.seeds, args.out))
    if args.json:
        json.dump(rows, sys.stdout, indent=2)
        return
    for row in rows:
        print(f"{row['sentence']}: {'shown' if row['shown'] else 'not shown'}")
        for figure in row["figures"]:
            values = " ".join(f"{value:+.3f}" for value in figure["values"])
            print(
                f"  {figure['name']:56} {figure['mean']:+.3f} ({figure['low']:+.3f}–{figure['high']:+.3f})  "
                f"seeds {values}"
            )


if __name__ == "__main__":
    main()
