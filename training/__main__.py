"""`python -m training RUN`: do the training that RUN/config.json describes, or go on from its last checkpoint.

Nothing heavy is loaded before the run is held and signals are answered politely.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from arena.config.base import validate
from arena.config.limits import add_limits, with_limits
from arena.config.prices import check_prices
from arena.config.sft import SftConfig
from arena.config.train import TrainConfig
from arena.core.errors import ArenaError, PlayerStopped
from arena.core.program import run_program
from arena.core.sanitise import one_line
from arena.runs.job import Job, run_job
from arena.runs.paths import CONFIG_JSON, find_run
from arena.runs.record import Status, read_record, run_status
from evals.spending import keep_limits
from training.distributed import Ranks, is_first, ranks

FORMATS = ("md", "csv", "json", "latex", "tensorboard")
"""What `--export` writes."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit code: 0 done, 1 failed or stopped, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m training", description="Do or continue a training run.")
    parser.add_argument("run", help="run directory or id")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--export", choices=FORMATS, help="train nothing, write what is stored in this format")
    parser.add_argument("--out", type=Path, help="directory for --export tensorboard, instead of RUN/tensorboard")
    add_limits(parser)
    args = parser.parse_args(argv)
    if args.export:
        return run_program(lambda: _export(args.run, args.export, args.out))
    return run_program(lambda: _main(args.run, args.json, vars(args)), f"interrupted. {_resume_line(args.run)}")


def _main(run: str, as_json: bool, limits: dict[str, Any]) -> int:
    run_dir = find_run(run)
    config = read_config(run_dir)
    finished = run_status(run_dir, read_record(run_dir)) is Status.FINISHED
    if not finished and not run_training(run_dir, config, limits):
        print(f"stopped; everything up to here is saved. {_resume_line(str(run_dir))}", file=sys.stderr)
        return 1
    _print_result(run_dir, as_json)
    return 0


def _export(run: str, form: str, out: Path | None) -> int:
    from training.export import export

    export(find_run(run), form, out)
    return 0


def _resume_line(run: str) -> str:
    kind = "train"
    with suppress(ArenaError):
        kind = read_record(find_run(run)).kind
    return f"Resume: spiral-arena {one_line(kind)} --resume {one_line(shlex.quote(run), 2000)}"


def read_config(run_dir: Path) -> TrainConfig | SftConfig:
    """The run's resolved configuration. Raises UsageError for a key or value that does not fit, by name."""
    path = run_dir / CONFIG_JSON
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArenaError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise ArenaError(f"{path} is damaged: {error}.", "Restore it from a copy; nothing was overwritten.") from error
    if isinstance(data, dict) and data.get("kind") == "sft":
        return validate(SftConfig, data, str(path))
    return validate(TrainConfig, data, str(path))


def run_training(run_dir: Path, config: TrainConfig | SftConfig, limits: Mapping[str, Any] | None = None) -> bool:
    """Train on all ranks; False where it was asked to stop before its end. Ranks 1 and up end with the process.

    `limits` change what the configuration says about players behind APIs, for later resumes too. Raises ArenaError
    with how to go on where a player cannot.
    """
    config = with_limits(config, limits or {})
    check_prices(config.prices, config.max_cost, config.players)
    if not is_first():
        with ranks(config.ranks) as group, ExitStack() as stack:
            _work(run_dir, config, group, None, stack)
        sys.exit(0)
    with run_job(run_dir) as job, ranks(config.ranks) as group, ExitStack() as stack:
        keep_limits(run_dir, limits or {})
        try:
            finished = _work(run_dir, config, group, job, stack)
        except PlayerStopped as error:
            hint = f"Everything up to here is saved. {_resume_line(str(run_dir))}"
            raise ArenaError(error.message, hint) from error
        job.stopped = not finished
    return finished


def _work(run_dir: Path, config: TrainConfig | SftConfig, group: Ranks, job: Job | None, stack: ExitStack) -> bool:
    if isinstance(config, TrainConfig):
        return _train(run_dir, config, group, job, stack)
    from training.sft import teach

    return teach(run_dir, config, group, job, stack)


def _train(run_dir: Path, config: TrainConfig, group: Ranks, job: Job | None, stack: ExitStack) -> bool:
    import asyncio

    from training import checkpoint
    from training.loop import StepReport, train
    from training.report import Absences, Live, Recorder
    from training.setup import build
    from training.spending import at_play

    parts, files, warnings = build(run_dir, config, group)
    events = stack.enter_context(asyncio.Runner()).get_loop()
    met, store = [*parts.players.values(), *parts.opponent.players], job.store if job is not None else None
    parts.spending = stack.enter_context(at_play(run_dir, met, config, group, events, store))
    if job is None:
        return train(parts, events, lambda _: None, lambda: None, lambda: False)
    state = parts.state
    if state.started:
        job.store.drop_after(state.step)
    else:
        # No checkpoint yet: what a start cut short has stored, its events too, gives way.
        job.store.drop_after(-1)
        job.store.add_event("started", f"pid {os.getpid()}")
    for warning in warnings:
        job.say(f"warning: {warning}")
        job.store.add_event("warning", one_line(warning, 500), state.step)
    job.say(f"Run {run_dir}; Ctrl-C finishes the step and saves.")
    recorder = Recorder(job.store, parts.estimator, config.name)
    parts.live = stack.enter_context(recorder.live(config.featured, lambda: state.step + 1))
    live = stack.enter_context(Live(config, state.step))
    absences = Absences(job)

    def observe(report: StepReport) -> None:
        counters = {
            "empty_batches": float(state.empty_batches),
            "skipped_total": float(state.skipped_updates),
            "learning_rate": parts.learner.rate(max(report.step - 1, 0), config.steps),
        }
        recorder.record(report, counters)
        live.show(report)
        absences.tell(report)

    def save() -> None:
        with recorder.saving(state.step):
            kept = {**parts.opponent.tensors(), **parts.former.tensors()}
            checkpoint.save(run_dir, parts.learner, files, state, config.has_magnet, config.keep_checkpoints, kept)

    return train(parts, events, observe, save, job.should_stop)


def _print_result(run_dir: Path, as_json: bool) -> None:
    from training.result import build_result, print_result

    result = build_result(run_dir)
    if as_json:
        print(json.dumps(result, indent=2))
    else:
        print_result(result)


if __name__ == "__main__":
    sys.exit(main())
