"""The main job: train the bundled model by self-play, then prove it in a tournament with its former self.

Two ordinary runs, each resumable by itself: a training run of the preset `quickstart`, and a tournament of
the base model, the trained one, `random` and `optimal`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from arena.config.base import apply_settings, find_toml, read_toml, validate
from arena.config.checks import check_training
from arena.config.tournament import TournamentConfig
from arena.config.train import TrainConfig
from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.runs.launch import create_run, job_command, job_environment
from training.result import build_result, print_result

PRESET = "quickstart"
PAIRS = 200
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 1


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
    _say(f"1/2  Self-play training: {config.steps} steps, {config.ranks} ranks")
    code, asked = _foreground("training", training, quiet=True)
    if code == 1 or asked:
        _say(f"Afterwards, the tournament: {_tournament_command(rivals, args)}")
    if code or asked:
        return code or 1
    result = build_result(training)
    if not args.json:
        print_result(result)
        print(flush=True)
    tournament = create_run(rivals, "tournament", args.out and args.out / "tournament")
    _say(f"2/2  Tournament of base, trained, random and optimal: {args.pairs} pairs each, run {tournament}")
    code, _ = _foreground("evals", tournament, quiet=args.json)
    if args.json and not code:
        from evals.report import build_result as tournament_result

        print(json.dumps({**tournament_result(tournament), "training": result}, indent=2))
    return code


def _tournament_command(config: TournamentConfig, args: argparse.Namespace) -> str:
    """What a user types to play the second half alone."""
    words = ["spiral-arena", "tournament", "--player", *config.players, "--game", *config.games]
    words += ["--pairs", str(config.pairs), "--seed", str(config.seed)]
    return shlex.join([*words, *(["--out", str(args.out / "tournament")] if args.out else [])])


def _foreground(module: str, run_dir: Path, quiet: bool) -> tuple[int, bool]:
    """Run a job to its end; returns its exit code, and whether somebody asked it to stop.

    The job is in a process group of its own, and each signal that comes here is passed on: it gets every one
    just once, whether from the terminal or from another program.
    """
    jobs: list[subprocess.Popen[bytes]] = []
    asked: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        for job in jobs:
            job.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in _SIGNALS}
    try:
        command = job_command(module, str(run_dir))
        out = subprocess.DEVNULL if quiet else None
        job = subprocess.Popen(command, env=job_environment(), stdout=out, process_group=0)
        jobs.append(job)
        for number in asked[:1]:
            job.send_signal(number)
        code = job.wait()
        return (code if code >= 0 else 1), bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    print(one_line(text, 2000), file=sys.stderr, flush=True)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.exit(code)
