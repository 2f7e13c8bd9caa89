"""`python -m training RUN`: do the training that RUN/config.json describes, or go on from its last checkpoint."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from arena.config.base import read_json
from arena.config.train import TrainConfig
from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.runs.job import Job, run_job
from arena.runs.paths import CONFIG_JSON, find_run
from arena.runs.record import Status, read_record, run_status
from training.distributed import Ranks, is_first, ranks


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit code: 0 done, 1 failed or stopped, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m training", description="Do or continue a training run.")
    parser.add_argument("run", help="run directory or id")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    args = parser.parse_args(argv)
    try:
        return _main(args.run, args.json)
    except ArenaError as error:
        print(f"error: {one_line(str(error), 2000)}", file=sys.stderr)
        return error.exit_code


def _main(run: str, as_json: bool) -> int:
    from training.result import build_result, render

    run_dir = find_run(run)
    done = run_status(run_dir, read_record(run_dir)) is Status.FINISHED if is_first() else False
    if not done and not run_training(run_dir):
        resume = f"spiral-arena train --resume {run_dir}"
        if is_first():
            print(f"stopped; everything up to here is saved. Resume: {one_line(resume)}", file=sys.stderr)
        return 1
    if is_first():
        result = build_result(run_dir)
        if as_json:
            print(json.dumps(result, indent=2))
        else:
            Console(markup=False, highlight=False).print(render(result))
    return 0


def run_training(run_dir: Path) -> bool:
    """Train on all ranks; False where it was asked to stop before its end."""
    config = read_json(TrainConfig, run_dir / CONFIG_JSON)
    with ranks(config.ranks) as group, ExitStack() as stack:
        job = stack.enter_context(run_job(run_dir)) if group.rank == 0 else None
        finished = _train(run_dir, config, group, job, stack)
        if job is not None:
            job.stopped = not finished
        return finished


def _train(run_dir: Path, config: TrainConfig, group: Ranks, job: Job | None, stack: ExitStack) -> bool:
    from training import checkpoint
    from training.loop import StepReport, train
    from training.report import Live, Recorder
    from training.setup import build

    parts, tokenizer, warnings = build(run_dir, config, group)
    if job is None:
        return train(parts, stack.enter_context(asyncio.Runner()), lambda _: None, lambda: None, lambda: False)
    for warning in warnings:
        print(f"warning: {one_line(warning, 500)}", file=sys.stderr)
        job.store.add_event("warning", one_line(warning, 500), parts.state.step)
    job.store.drop_after(parts.state.step)
    recorder = Recorder(job.store, parts.estimator, config.name)
    live = stack.enter_context(Live(config, parts.state.step))

    def observe(report: StepReport) -> None:
        counters = {
            "empty_batches": float(parts.state.empty_batches),
            "skipped_total": float(parts.state.skipped_updates),
            "learning_rate": parts.learner.rate(max(report.step - 1, 0), config.steps),
        }
        recorder.record(report, counters)
        live.show(report)

    def save() -> None:
        checkpoint.save(run_dir, parts.learner, tokenizer, parts.state, config.has_magnet, config.keep_checkpoints)
        job.store.flush()

    return train(parts, stack.enter_context(asyncio.Runner()), observe, save, job.should_stop)


if __name__ == "__main__":
    sys.exit(main())
