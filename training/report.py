"""What rank 0 does with each step: rows for `run.db`, and a line for whoever is watching."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from arena.config.sft import SftConfig
from arena.config.train import TrainConfig
from arena.core.events import MatchStarted
from arena.core.registry import GameSpec
from arena.core.sanitise import one_line
from arena.runs.job import Job
from arena.runs.rows import MatchRow, MetricRow, TurnRow
from arena.runs.store import RunStore
from evals.featured import Featured
from evals.match_log import MatchLog, match_row
from evals.progress import LINE_SECONDS, Shown, clock
from training.advantages import Estimator
from training.evaluation import Evaluation
from training.loop import StepReport
from training.metrics import baseline_metrics, estimator_metrics, game_metrics, plain_metrics
from training.rollout import LiveView, Played, shown_match

_EXACT = {"optimal_move_rate": "optimal moves", "exploitability": "exploitability", "value_loss": "value loss"}
"""The measures against exact solutions that a line has room for."""


class Recorder:
    """Stores each step's figures, evaluation and featured matches."""

    def __init__(self, store: RunStore, estimator: Estimator, name: str) -> None:
        self.store = store
        self.estimator = estimator
        self.name = name

    def record(self, report: StepReport, counters: dict[str, float]) -> None:
        """Write everything of one step. A batch is committed at most four times a second."""
        step, seconds = report.step, report.seconds
        rows = game_metrics(step, report.matches)
        rows += baseline_metrics(step, self.estimator)
        rows += estimator_metrics(step, self.estimator) if step else []
        if report.matches:
            rows += plain_metrics(step, [("voids", float(report.voids))])
        rows += plain_metrics(step, report.update.items())
        rows += plain_metrics(step, counters.items())
        rows += plain_metrics(step, [(f"seconds_{phase}", value) for phase, value in seconds.items()])
        collecting = seconds.get("collect", 0.0)
        if collecting:
            tokens = sum(match.tokens for match in report.matches)
            rows += plain_metrics(step, [("tokens_per_second", tokens / collecting)])
            whole = sum(value for phase, value in seconds.items() if phase != "evaluate")
            rows += plain_metrics(step, [("matches_per_second", len(report.matches) / whole)])
        if report.evaluation is not None:
            rows += report.evaluation.metrics
            self._evaluation(step, report.evaluation)
        self.store.add_metrics(rows)
        self.store.add_matches([_featured(match, f"{self.name}@{step}", step) for match in report.featured])

    @contextmanager
    def saving(self, step: int) -> Iterator[None]:
        """Around the writing of a step's checkpoint: stores the step's rows before, and how long it took after."""
        # Rows first: a checkpoint whose rows were lost would be gone on from without them.
        self.store.flush()
        began = time.perf_counter()
        yield
        self.store.add_metrics(plain_metrics(step, [("seconds_checkpoint", time.perf_counter() - began)]))

    @contextmanager
    def live(self, count: int, step: Callable[[], int]) -> Iterator[LiveView | None]:
        """Shows `count` matches of the running step while they are played; `step` tells its number."""
        if not count:
            yield None
            return
        featured = Featured(self.store, slots=count)
        try:
            yield LiveView(featured, count, self.name, step)
        finally:
            featured.close()

    def _evaluation(self, step: int, evaluation: Evaluation) -> None:
        self.store.set_truths(evaluation.truths)
        name = f"{self.name}@{step}"
        self.store.add_matches([(_named(match, name, step), turns) for match, turns in evaluation.matches])


class Absences:
    """Says of each opponent once that it is not in the evaluations."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._told: set[str] = set()

    def tell(self, report: StepReport) -> None:
        missing = report.evaluation.missing if report.evaluation is not None else {}
        for name, reason in missing.items():
            if name not in self._told:
                self._told.add(name)
                words = f"evaluations lack {name}, from step {report.step} until it answers: {reason}"
                self._job.say(f"warning: {words}")
                self._job.store.add_event("warning", one_line(words, 500), report.step)


def _named(match: MatchRow, name: str, step: int) -> MatchRow:
    """The offered weights under the name of this step, so that each evaluation's matches are its own."""
    return replace(match, a=name, step=step)


def _featured(match: Played, name: str, step: int) -> tuple[MatchRow, list[TurnRow]]:
    log = MatchLog()
    for event in match.events:
        log.add(event)
    started = match.events[0]
    key = started.key if isinstance(started, MatchStarted) else 0
    leg = match.trained.index(True)
    planned = shown_match(match.number, GameSpec.parse(match.game), key, name, match.opponent, leg)
    row = match_row(planned, log, 0, 0.0)
    return replace(row, step=step), log.turns


class Live(Shown):
    """Progress on stderr: a bar on a terminal, a line now and then elsewhere; evaluations as lines in both."""

    def __init__(self, config: TrainConfig | SftConfig, first: int) -> None:
        self._config = config
        self._first = first
        self._began = self._told = time.monotonic()
        self._console = Console(stderr=True, markup=False, highlight=False)
        if sys.stderr.isatty():
            columns = (
                TextColumn("{task.description}", markup=False), BarColumn(bar_width=20), MofNCompleteColumn(),
                TimeElapsedColumn(), TextColumn("{task.fields[left]}", markup=False),
                TextColumn("{task.fields[news]}", style="dim", markup=False),
            )  # fmt: skip
            self._bar = Progress(*columns, console=self._console)
            news = "" if first else "measuring the start"
            name = one_line(config.name, 16)
            self._task = self._bar.add_task(name, total=config.steps, completed=first, left="", news=news)

    def show(self, report: StepReport) -> None:
        """Tell of one finished step; of step 0, the start, before the clock for the time left begins."""
        if report.evaluation is not None:
            for line in evaluation_lines(report.step, self._config.steps, report.evaluation):
                self._console.print(line, soft_wrap=True)
        if report.step <= self._first:
            self._began = time.monotonic()
        left, news = self._left(report.step), _news(report)
        if self._bar is not None:
            self._bar.update(self._task, completed=report.step, left=left, news=news)
            return
        now = time.monotonic()
        if now - self._told >= LINE_SECONDS or report.step == self._config.steps:
            self._told = now
            parts = [f"step {report.step}/{self._config.steps}", left, news]
            print(", ".join(part for part in parts if part), file=sys.stderr, flush=True)

    def _left(self, step: int) -> str:
        done = step - self._first
        if done < 1:
            return ""
        seconds = (time.monotonic() - self._began) / done * (self._config.steps - step)
        return f"{clock(seconds)} left"


def _news(report: StepReport) -> str:
    if not report.matches:
        return f"loss {report.update['loss']:.3f}" if "loss" in report.update else ""
    forfeits = sum(match.forfeited for match in report.matches) / len(report.matches)
    news = f"forfeits {forfeits:.1%}"
    if "entropy" in report.update:
        news += f", entropy {report.update['entropy']:.2f}"
    return news + (", update skipped" if report.update.get("skipped_updates") else "")


def evaluation_lines(step: int, steps: int, evaluation: Evaluation) -> list[str]:
    """One line a game, below 100 columns: the exact measure, then the scores, each ± half its 95 % interval."""
    games = list(dict.fromkeys(row.game for row in evaluation.metrics))
    short = {game: game.partition("?")[0] for game in games}
    width = max((len(name) for name in short.values()), default=0)
    lines = []
    for game in games:
        mine = [row for row in evaluation.metrics if row.game == game]
        exact = [f"{_EXACT[row.name]} {_figure(row, 3)}" for row in mine if row.name in _EXACT]
        scores = [f"{one_line(row.opponent, 40)} {_figure(row, 2)}" for row in mine if row.name == "score"]
        head = f"step {step:>{len(str(steps))}}  {one_line(short[game]):<{width}}"
        lines.append("  ".join([head, *exact, *scores]))
    return lines


def _figure(row: MetricRow, digits: int) -> str:
    if row.value is None:
        return "—"
    if row.low is None or row.high is None:
        return _short(row.value, digits)
    return f"{_short(row.value, digits)}±{_short((row.high - row.low) / 2, 2)}"


def _short(value: float, digits: int) -> str:
    """Without the zero before the point."""
    text = f"{abs(value):.{digits}f}".removeprefix("0")
    return f"−{text}" if value < 0 and text.strip(".0") else text
