"""The main job: train the bundled model by self-play, then prove it in a tournament with its former self.

Two ordinary runs, each resumable by itself: a training run of the preset `quickstart`, and a tournament of
the base model, the trained one, `random` and `optimal`.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from arena.config.base import apply_settings, find_toml, read_toml, validate
from arena.config.tournament import TournamentConfig
from arena.config.train import TrainConfig
from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.runs.launch import create_run, job_command, job_environment
from training.result import build_result, render

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
    try:
        return _run(args)
    except ArenaError as error:
        print(f"error: {one_line(str(error), 2000)}", file=sys.stderr)
        return error.exit_code


def _run(args: argparse.Namespace) -> int:
    data = apply_settings(read_toml(find_toml(PRESET)), [*args.set, f"seed={args.seed}"])
    config = validate(TrainConfig, data, PRESET)
    training = create_run(config, "train", args.out and args.out / "training", name=config.name)
    _say(f"1/2  Self-play training, {config.steps} steps on {config.ranks} ranks, in {training}")
    if code := _foreground("training", training, quiet=True):
        return code
    result = build_result(training)
    if not args.json:
        Console(markup=False, highlight=False).print(render(result))
    rivals = TournamentConfig(
        players=[config.model, f"ckpt:{training}", "random", "optimal"],
        games=[quota.game for quota in config.games],
        pairs=args.pairs,
        seed=args.seed,
    )
    tournament = create_run(rivals, "tournament", args.out and args.out / "tournament")
    _say(f"2/2  Tournament of base, trained, random and optimal, {args.pairs} pairs each, in {tournament}")
    if code := _foreground("evals", tournament, quiet=args.json):
        return code
    if args.json:
        from evals.report import build_result as tournament_result

        print(json.dumps({**tournament_result(tournament), "training": result}, indent=2))
    return 0


def _foreground(module: str, run_dir: Path, quiet: bool) -> int:
    """Run a job to its end; signals reach it directly, since it shares our terminal."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = subprocess.Popen(
            job_command(module, str(run_dir)),
            env=job_environment(),
            stdout=subprocess.DEVNULL if quiet else None,
            preexec_fn=_listen,
        )
        return process.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def _listen() -> None:
    """In the job: undo our own ignoring of Ctrl-C, which children inherit."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _say(text: str) -> None:
    print(one_line(text), file=sys.stderr, flush=True)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.exit(code)
