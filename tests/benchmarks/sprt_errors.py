"""Error rates and lengths of the sequential test, by simulation.

    python tests/benchmarks/sprt_errors.py [--runs 2000] [--json]

Pairs are drawn from distributions with a known Elo difference: even matches, many draws, a seat that nearly always
wins, and hardly anything but draws. With alpha = beta = 0.05 at most 5 % of the tests at either hypothesis should end
in the other one. "Fixed" is how many pairs a test of the same errors with a fixed number would take.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np

from arena.config.tournament import SprtConfig
from evals.sprt import bounds, expected_score, likelihood_ratio

WORTH = np.array([1.0, 0.75, 0.5, 0.25, 0.0])
SHAPES = {
    "even": np.array([0.22, 0.08, 0.4, 0.08, 0.22]),
    "draws": np.array([0.03, 0.17, 0.6, 0.17, 0.03]),
    "seat": np.array([0.02, 0.03, 0.9, 0.03, 0.02]),
    "nearly all draws": np.array([0.002, 0.018, 0.96, 0.018, 0.002]),
}
HYPOTHESES = ((0.0, 20.0), (0.0, 100.0), (-50.0, 50.0))
Z = 1.6448536269514722


def shares(shape: np.ndarray, score: float) -> np.ndarray:
    """The shape tilted to a mean score."""
    low, high = -50.0, 50.0
    for _ in range(200):
        tilt = (low + high) / 2
        found: np.ndarray = shape * np.exp(tilt * WORTH)
        found /= found.sum()
        low, high = (tilt, high) if found @ WORTH < score else (low, tilt)
    return found


def simulate(config: SprtConfig, probabilities: np.ndarray, runs: int, seed: int) -> tuple[float, float]:
    """Share of tests that accept H1, and pairs a test on average."""
    rng = np.random.default_rng(seed)
    lower, upper = bounds(config)
    accepted = pairs = 0
    for _ in range(runs):
        counts, ratio = np.zeros(5, dtype=int), 0.0
        while lower < ratio < upper:
            for one in rng.choice(5, size=256, p=probabilities):
                counts[one] += 1
                pairs += 1
                ratio = likelihood_ratio(counts.tolist(), config.elo0, config.elo1)
                if not lower < ratio < upper:
                    break
        accepted += ratio >= upper
    return accepted / runs, pairs / runs


def measure(runs: int) -> list[dict[str, Any]]:
    rows = []
    for elo0, elo1 in HYPOTHESES:
        config = SprtConfig(elo0=elo0, elo1=elo1)
        s0, s1 = expected_score(elo0), expected_score(elo1)
        for name, shape in SHAPES.items():
            first, second = shares(shape, s0), shares(shape, s1)
            variance = first @ (WORTH - s0) ** 2
            wrong1, pairs0 = simulate(config, first, runs, 1)
            right1, pairs1 = simulate(config, second, runs, 2)
            rows.append(
                {
                    "elo0": elo0, "elo1": elo1, "pairs like": name, "false H1": wrong1, "false H0": 1 - right1,
                    "pairs at elo0": round(pairs0), "pairs at elo1": round(pairs1),
                    "fixed": round(float(variance) * (2 * Z / (s1 - s0)) ** 2),
                }
            )  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    began = time.perf_counter()
    rows = measure(args.runs)
    if args.json:
        print(json.dumps(rows, indent=2))
        return
    print("\t".join(rows[0]))
    for row in rows:
        print("\t".join(f"{value:.3f}" if name.startswith("false") else str(value) for name, value in row.items()))
    print(f"{args.runs} tests each, standard error about {(0.05 * 0.95 / args.runs) ** 0.5:.3f}; "
          f"{time.perf_counter() - began:.0f} s")  # fmt: skip


if __name__ == "__main__":
    main()
