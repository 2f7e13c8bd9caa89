"""Specialists and a multi-game model at tiny scale, then the two tables that compare them.

Six ordinary runs: a training run for each of the presets, the suite `head-to-head` of these models and their base
in the training games, and the suite `ood` in the games that nobody was trained on. Given again, the same command
goes on where it was: finished runs are kept.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

from arena.config.base import Config, apply_settings, find_toml, read_json, read_toml, validate
from arena.config.checks import check_training
from arena.config.tournament import HeadToHeadConfig, OodConfig
from arena.config.train import TrainConfig
from arena.core.errors import UsageError
from arena.core.program import run_program
from arena.runs.launch import create_run
from arena.runs.paths import CONFIG_JSON, RECORD, runs_root
from arena.runs.record import Status, read_record, run_status
from training.foreground import run_one, run_trainings, say

PRESETS = ("specialist-tictactoe", "specialist-kuhn", "specialist-negotiation", "multi-game")
PAIRS = 100


class Part(NamedTuple):
    """One run of the whole, and where it is."""

    config: Config
    kind: str
    run_dir: Path

    @property
    def finished(self) -> bool:
        return run_status(self.run_dir, read_record(self.run_dir)) is Status.FINISHED


def main() -> int:
    """Parse the arguments of `spiral-arena specialists` and run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="spiral-arena specialists", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="seed of all runs")
    parser.add_argument("--name", help="what the runs' ids begin with; by default specialists-SEED")
    parser.add_argument("--out", type=Path, help="directory of the runs, instead of ./runs")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="pairs for each two players in each game")
    parser.add_argument("--at-once", type=int, default=2, metavar="N", help="training runs at a time, a core each")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", help="change one key of every preset")
    parser.add_argument("--json", action="store_true", help="print the two results as JSON")
    args = parser.parse_args()
    return run_program(lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    if args.at_once < 1 or args.pairs < 1:
        raise UsageError("--at-once and --pairs must be at least 1.")
    stem = args.name or f"specialists-{args.seed}"
    if not re.fullmatch(r"[\w.-]+", stem):
        raise UsageError("--name is made of letters, digits, '-', '_' and '.'.")
    root = args.out or runs_root()
    trainings = [
        _part(root, f"{stem}-{name.removeprefix('specialist-')}", "train", _training(name, args)) for name in PRESETS
    ]
    open_parts = [part for part in trainings if not part.finished]
    say(f"1/3  Self-play training of {', '.join(PRESETS)}: runs {root / stem}-…")
    sizes = [(part.run_dir, _steps(part)) for part in open_parts]
    ended = run_trainings(sizes, args.at_once)
    if ended.code or ended.asked:
        say("The same command goes on from here.")
        return ended.code or 1
    base, trained = _base(trainings[0]), [_spec(part, args.out) for part in trainings]
    shared = {"pairs": args.pairs, "seed": args.seed}
    suites = (
        ("head-to-head", HeadToHeadConfig(players=[base, *trained], **shared)),
        ("ood", OodConfig(players=trained, base=base, **shared)),
    )
    for number, (kind, config) in enumerate(suites, start=2):
        say(f"{number}/3  {kind}: {args.pairs} pairs each")
        part = _part(root, f"{stem}-{kind}", kind, config)
        ended = run_one("evals", part.run_dir, quiet=args.json)
        if ended.code or ended.asked:
            say("The same command goes on from here.")
            return ended.code or 1
    if args.json:
        _print_json(root, stem)
    return 0


def _training(preset: str, args: argparse.Namespace) -> TrainConfig:
    settings = ["ranks=1", *args.set, f"seed={args.seed}"]
    config = validate(TrainConfig, apply_settings(read_toml(find_toml(preset)), settings), preset)
    check_training(config)
    return config


def _steps(part: Part) -> int:
    assert isinstance(part.config, TrainConfig)
    return part.config.steps


def _base(part: Part) -> str:
    """The model that all presets start from."""
    assert isinstance(part.config, TrainConfig)
    return part.config.model


def _part(root: Path, name: str, kind: str, config: Config) -> Part:
    """The run of that name, made where there is none. Raises UsageError where it is another one."""
    run_dir = root / name
    if not (run_dir / RECORD).exists():
        return Part(config, kind, create_run(config, kind, run_dir, name=name))
    if read_record(run_dir).kind != kind or read_json(type(config), run_dir / CONFIG_JSON) != config:
        raise UsageError(f"{run_dir} is a run with another configuration.", "Choose another --name.")
    return Part(config, kind, run_dir)


def _spec(part: Part, out: Path | None) -> str:
    return f"ckpt:{part.run_dir if out else part.run_dir.name}"


def _print_json(root: Path, stem: str) -> None:
    from evals.suites import head_to_head, ood

    results = {
        "head_to_head": head_to_head.build_result(root / f"{stem}-head-to-head"),
        "ood": ood.build_result(root / f"{stem}-ood"),
    }
    print(json.dumps({"schema": 1, **results}, indent=2))


if __name__ == "__main__":
    sys.exit(main())
