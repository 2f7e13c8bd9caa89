"""How good the bundled model is: forfeits against `random` in every game, score, perception, ground truth.

python tests/benchmarks/bundled_model.py [--model ckpt:tiny] [--pairs 200] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from arena.core.registry import GameSpec, game_ids, load_player
from evals import ground_truth
from evals.perception import measure_claims
from evals.report import game_row, group_matches
from evals.runner import MatchList, run_matches
from evals.schedule import round_robin
from evals.statistics import proportion_interval

KUHN = "kuhn_poker?hands=1&payoff=chips"


async def measure(model: str, pairs: int, seed: int) -> dict[str, Any]:
    """All figures as JSON values."""
    player, opponent = load_player(model), load_player("random")
    games = [GameSpec.parse(name) for name in (*game_ids(), KUHN)]
    played = MatchList()
    schedule = round_robin(games, [player.name, opponent.name], pairs, seed)
    await run_matches(schedule, {player.name: player, opponent.name: opponent}, played, concurrency=512, retries=0)
    rows = []
    for encounter in group_matches(played.matches):
        row = game_row(encounter)
        free = proportion_interval(2 * pairs - row["forfeits_a"], 2 * pairs)
        rows.append({**row, "free_of_forfeits": free._asdict()})
    truths = []
    for game in games:
        if ground_truth.supported(game):
            truths += await ground_truth.measure(player, game, seed)
    return {
        "model": model,
        "games": rows,
        "claims": {name: share._asdict() for name, share in (await measure_claims(player, seed)).items()},
        "ground_truth": [
            {"game": t.game, "measure": t.measure, "value": t.value, "low": t.low, "high": t.high} for t in truths
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="ckpt:tiny")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = asyncio.run(measure(args.model, args.pairs, args.seed))
    if args.json:
        json.dump(result, sys.stdout, indent=2)
        return
    print(f"{args.model} against random, {args.pairs} pairs a game, no retries, temperature 1")
    for row in result["games"]:
        free = row["free_of_forfeits"]
        print(
            f"  {row['game']:34} free of forfeits {free['score']:.3f} ({free['low']:.3f}–{free['high']:.3f})"
            f"   score {row['score']:+.3f} ({row['low']:+.3f}–{row['high']:+.3f}) {row['unit']}"
        )
    print("Thoughts that are true, TicTacToe, all positions")
    for name, share in result["claims"].items():
        print(f"  {name:12} {share['score']:.3f} ({share['low']:.3f}–{share['high']:.3f})")
    print("Ground truth")
    for truth in result["ground_truth"]:
        print(
            f"  {truth['game']:34} {truth['measure']:18} {truth['value']:.3f} ({truth['low']:.3f}–{truth['high']:.3f})"
        )


if __name__ == "__main__":
    main()
