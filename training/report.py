"""What rank 0 does with each step: rows for `run.db`, and a line for whoever is watching."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from arena.config.train import TrainConfig
from arena.core.registry import GameSpec
from arena.runs.rows import MatchRow, MetricRow, TurnRow
from arena.runs.store import RunStore
from evals.runner import MatchLog, match_row
from evals.schedule import PlannedMatch
from training.advantages import Estimator
from training.evaluation import Evaluation
from training.loop import StepReport
from training.metrics import baseline_metrics, game_metrics, plain_metrics
from training.rollout import Played

LINE_SECONDS = 10.0
_ABBREVIATED = {"optimal_move_rate": "optimal moves", "exploitability": "exploitability", "value_loss": "value loss"}


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

    def _evaluation(self, step: int, evaluation: Evaluation) -> None:
        self.store.set_truths(evaluation.truths)
        name = f"{self.name}@{step}"
        self.store.add_matches([(_named(match, name, step), turns) for match, turns in evaluation.matches])


def _named(match: MatchRow, name: str, step: int) -> MatchRow:
    """The offered weights under the name of this step, so that each evaluation's matches are its own."""
    return replace(match, a=name, step=step)


def _featured(match: Played, name: str, step: int) -> tuple[MatchRow, list[TurnRow]]:
    log = MatchLog()
    for event in match.events:
        log.add(event)
    spec = GameSpec.parse(match.game)
    planned = PlannedMatch(match.number, spec, name, name, match.number, 0, 0)
    row = match_row(planned, log, 0, 0.0)
    return replace(row, step=step), log.turns


class Live:
    """Progress on stderr: a bar on a terminal, a line now and then elsewhere; evaluations as lines in both."""

    def __init__(self, config: TrainConfig, first: int) -> None:
        self._config = config
        self._first = first
        self._began = self._told = time.monotonic()
        self._console = Console(stderr=True, markup=False, highlight=False)
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            columns = (
                TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn(),
                TimeElapsedColumn(), TextColumn("{task.fields[left]} left", style="dim"),
                TextColumn("{task.fields[news]}"),
            )  # fmt: skip
            self._bar = Progress(*columns, console=self._console)
            self._task = self._bar.add_task(config.name, total=config.steps, completed=first, left="–", news="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, report: StepReport) -> None:
        """Tell of one finished step."""
        if report.evaluation is not None:
            for line in evaluation_lines(report.step, report.evaluation):
                self._console.print(line, soft_wrap=True)
        left = self._left(report.step)
        news = _news(report)
        if self._bar is not None:
            self._bar.update(self._task, completed=report.step, left=left, news=news)
            return
        now = time.monotonic()
        if now - self._told >= LINE_SECONDS or report.step == self._config.steps:
            self._told = now
            print(f"step {report.step}/{self._config.steps}, {left} left, {news}", file=sys.stderr, flush=True)

    def _left(self, step: int) -> str:
        done = step - self._first
        if done < 1:
            return "–"
        seconds = (time.monotonic() - self._began) / done * (self._config.steps - step)
        return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _news(report: StepReport) -> str:
    if not report.matches:
        return ""
    forfeits = sum(match.forfeit is not None for match in report.matches) / len(report.matches)
    entropy = report.update.get("entropy", 0.0)
    return f"{len(report.matches)} matches, forfeits {forfeits:.1%}, entropy {entropy:.2f}"


def evaluation_lines(step: int, evaluation: Evaluation) -> list[str]:
    """One line a game: scores against the opponents, and the exact measure, each with its interval."""
    lines = []
    for game in dict.fromkeys(row.game for row in evaluation.metrics):
        parts = []
        for row in evaluation.metrics:
            if row.game != game:
                continue
            if row.name == "score":
                parts.append(f"{row.opponent} {_figure(row)}")
            elif row.name in _ABBREVIATED:
                parts.append(f"{_ABBREVIATED[row.name]} {_figure(row)}")
        lines.append(f"step {step:4d}  {game.partition('?')[0]}: {'  '.join(parts)}")
    return lines


def _figure(row: MetricRow) -> str:
    if row.value is None:
        return "—"
    if row.low is None or row.high is None:
        return f"{row.value:.3f}"
    return f"{row.value:.3f} ({row.low:.3f}–{row.high:.3f})"
