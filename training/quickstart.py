"""The main job: train the bundled model by self-play, then prove it in a tournament with its former self.

Two ordinary runs, each resumable by itself: a training run of the preset `quickstart`, and a tournament of
the base model, the trained one, `random` and `optimal`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path

from arena.config.base import apply_settings, find_toml, read_toml, validate
from arena.config.checks import check_training
from arena.config.tournament import TournamentConfig
from arena.config.train import TrainConfig
from arena.core.program import run_program
from arena.runs.launch import create_run
from training.foreground import run_one, say
from training.result import build_result, print_result

PRESET = "quickstart"
PAIRS = 200


def main() -> int:
    """Parse the arguments of `spiral-arena quickstart` and run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="spiral-arena quickstart", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--seed", type=int, default=0, help="seed of training and tournament")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="pairs for each two players in each game")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", help="change one key of the preset")
    parser.add_argument("--out", type=Path, help="directory for the two runs, instead of two below ./runs")
    args = parser.parse_args()
    return run_program(lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    data = apply_settings(read_toml(find_toml(PRESET)), [*args.set, f"seed={args.seed}"])
    config = validate(TrainConfig, data, PRESET)
    check_training(config)
    training = create_run(config, "train", args.out and args.out / "training", name=config.name)
    rivals = TournamentConfig(
        players=[config.model, f"ckpt:{training}", "random", "optimal"],
        games=[quota.game for quota in config.games],
        pairs=args.pairs,
        seed=args.seed,
    )
    say(f"1/2  Self-play training: {config.steps} steps, {config.ranks} ranks")
    code, asked = run_one("training", training, quiet=True)
    if code == 1 or asked:
        say(f"Afterwards, the tournament: {_tournament_command(rivals, args)}")
    if code or asked:
        return code or 1
    result = build_result(training)
    if not args.json:
        print_result(result)
        print(flush=True)
    tournament = create_run(rivals, "tournament", args.out and args.out / "tournament")
    say(f"2/2  Tournament of base, trained, random and optimal: {args.pairs} pairs each, run {tournament}")
    code, _ = run_one("evals", tournament, quiet=args.json)
    if args.json and not code:
        from evals.report import build_result as tournament_result

        print(json.dumps({**tournament_result(tournament), "training": result}, indent=2))
    return code


def _tournament_command(config: TournamentConfig, args: argparse.Namespace) -> str:
    """What a user types to play the second half alone."""
    words = ["spiral-arena", "tournament", "--player", *config.players, "--game", *config.games]
    words += ["--pairs", str(config.pairs), "--seed", str(config.seed)]
    return shlex.join([*words, *(["--out", str(args.out / "tournament")] if args.out else [])])


if __name__ == "__main__":
    sys.exit(main())
