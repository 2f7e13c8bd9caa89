"""`python -m evals RUN`: do the job that RUN/config.json describes, or go on with it, and print its result.

What is stored is never played again, so running it on a finished run prints that run's table. With `--show`
nothing is played: the result is built from what is stored so far.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from rich.console import Console

from arena.config.base import Config, read_json, validate
from arena.config.limits import LimitsConfig, add_limits, with_limits
from arena.config.prices import check_prices
from arena.core.program import run_program
from arena.core.registry import load_part
from arena.core.sanitise import one_line
from arena.runs.damage import check_run
from arena.runs.job import Job, run_job
from arena.runs.paths import CONFIG_JSON, DB_NAME, find_run
from arena.runs.record import Status, read_record, run_status
from evals.export import to_csv, to_latex, to_markdown
from evals.match_lines import write_matches
from evals.page.document import write_page
from evals.result_file import ResultFile, whole_result
from evals.spending import keep_limits, render_ledger

FORMATS = ("table", "json", "md", "csv", "latex", "html", "jsonl")
_EXPORTS = {"md": to_markdown, "csv": to_csv, "latex": to_latex}
MIN_WIDTH = 160
"""Columns of a table that goes to no terminal."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit code: 0 done, 1 failed or stopped, 2 wrong usage."""
    args = _arguments().parse_args(argv)
    return run_program(lambda: _main(args))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals", description="Do or continue the job of a run directory.")
    parser.add_argument("run", help="run directory or id")
    parser.add_argument("--concurrency", type=int, help="matches in flight at once, instead of the configured number")
    add_limits(parser)
    parser.add_argument("--format", choices=FORMATS, default="table", help="how to print the result")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    parser.add_argument("--show", action="store_true", help="play nothing, print what is stored")
    return parser


def _main(args: argparse.Namespace) -> int:
    run_dir = find_run(args.run)
    record = read_record(run_dir)
    suite = load_part("evals.suites", "kind of job", record.kind.replace("-", "_"))
    finished = run_status(run_dir, record) is Status.FINISHED
    if args.show or finished:
        check_run(run_dir / DB_NAME)
    if args.show:
        _write(suite, run_dir, whole_result(suite, run_dir), args.format)
        return 0
    config = read_json(cast("type[Config]", suite.CONFIG), run_dir / CONFIG_JSON)
    file = ResultFile(suite, run_dir, config)
    if finished:
        file.complete()
    else:
        if args.concurrency is not None:
            config = validate(suite.CONFIG, config.model_dump() | {"concurrency": args.concurrency}, record.kind)
        if isinstance(config, LimitsConfig):
            config = with_limits(config, vars(args))
            # Before anything is written: a limit that cannot be kept would stand in the way of every further resume.
            check_prices(config.prices, config.max_cost, _names(config))
        if not _play(suite, run_dir, config, file, vars(args)):
            resume = one_line(record.resume_command(run_dir))
            print(f"stopped; what was played is stored. Resume: {resume}", file=sys.stderr)
            return 1
    _write(suite, run_dir, file.result or whole_result(suite, run_dir), args.format)
    return 0


def _names(config: Config) -> list[str]:
    """Everybody who plays."""
    return list(getattr(config, "entrants", getattr(config, "players", ())))


def _play(suite: ModuleType, run_dir: Path, config: Config, file: ResultFile, limits: dict[str, Any]) -> bool:
    """Do the work; False where it was asked to stop before its end."""

    async def work(job: Job) -> None:
        async with file.kept(job):
            await suite.play(job, config)

    with run_job(run_dir) as job:
        if isinstance(config, LimitsConfig):
            keep_limits(run_dir, limits)
        asyncio.run(work(job))
    return not job.stopped


def _write(suite: ModuleType, run_dir: Path, result: dict[str, Any], form: str) -> None:
    """The result on stdout; what holds the matches too is written piece by piece."""
    if form == "html":
        write_page(run_dir, result, sys.stdout.write)
    elif form == "jsonl":
        write_matches(run_dir, sys.stdout.write)
    else:
        _print(suite, result, form)


def _print(suite: ModuleType, result: dict[str, Any], form: str) -> None:
    if form == "json":
        text = json.dumps(result, indent=2)
    elif form in _EXPORTS:
        text = _EXPORTS[form](result)
    else:
        console = Console(markup=False, highlight=False)
        if not console.is_terminal:
            console = Console(markup=False, highlight=False, width=MIN_WIDTH)
        console.print(suite.render(result))
        if "ledger" in result:
            console.print("", render_ledger(result["ledger"]), sep="\n")
        return
    print(text)


if __name__ == "__main__":
    sys.exit(main())
