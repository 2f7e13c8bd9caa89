"""What the suites of many matches share: play what a run does not hold yet, and measure what it has not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from arena.config.tournament import PairsConfig
from arena.core.errors import ArenaError
from arena.core.player import Player
from arena.core.registry import GameSpec
from arena.core.sanitise import one_line
from arena.runs.job import Job
from arena.runs.store import RunReader
from evals import ground_truth
from evals.progress import Progress
from evals.runner import run_matches
from evals.schedule import PlannedMatch


async def play_schedule(
    job: Job, config: PairsConfig, schedule: Sequence[PlannedMatch], players: Mapping[str, Player]
) -> None:
    """Play every match that is not stored yet; sets `job.stopped` where it was asked to end.

    Raises ArenaError where matches stayed void; they are tried again on resume.
    """
    with RunReader(job.run_dir) as reader:
        stored = reader.units()
    waiting = [planned for planned in schedule if planned.unit not in stored]
    done = len(schedule) - len(waiting)
    with Progress("matches", len(schedule), done) as progress:
        outcome = await run_matches(
            waiting,
            players,
            job.store,
            concurrency=config.concurrency,
            retries=config.retries,
            on_progress=lambda played, _: progress.update(done + played),
            should_stop=job.should_stop,
        )
    job.stopped = outcome.stopped
    if outcome.unplayed and not outcome.stopped:
        raise ArenaError(
            f"{len(outcome.unplayed)} matches could not be played: {one_line(outcome.reason)}",
            "All others are stored; resume to try these again.",
        )


async def measure(job: Job, games: Sequence[GameSpec], players: Mapping[str, Player], seed: int) -> None:
    """Ground truth of every player in every solved game, one transaction each; may set `job.stopped`."""
    with RunReader(job.run_dir) as reader:
        measured = {(row.player, row.game) for row in reader.truths()}
    solved = [game for game in games if ground_truth.supported(game)]
    tasks = [(name, game) for game in solved for name in players]
    with Progress("ground truth", len(tasks)) as progress:
        for done, (name, game) in enumerate(tasks, start=1):
            if job.should_stop():
                job.stopped = True
                return
            if (name, game.name) not in measured:
                rows = await ground_truth.measure(players[name], game, seed)
                job.store.set_truths([ground_truth.truth_row(row) for row in rows])
            progress.update(done)
