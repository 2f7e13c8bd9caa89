"""What the suites of many matches share: play what a run does not hold yet, and measure what it has not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from arena.config.tournament import PairsConfig
from arena.core.errors import ArenaError
from arena.core.ledger import Ledger
from arena.core.player import Player
from arena.core.registry import GameSpec
from arena.core.sanitise import one_line
from arena.runs.job import Job
from arena.runs.reader import RunReader
from arena.runs.record import read_record
from arena.runs.stops import note_stop
from evals import ground_truth
from evals.progress import Progress, clock
from evals.runner import Outcome, Room, run_matches
from evals.schedule import PlannedMatch, Unit

_REASON_LENGTH = 400
_POLL_SECONDS = 0.1


async def play_schedule(
    job: Job,
    config: PairsConfig,
    schedule: Sequence[PlannedMatch],
    players: Mapping[str, Player],
    title: str = "matches",
    enough: Callable[[], bool] = lambda: False,
) -> None:
    """Play every match that is not stored yet; sets `job.stopped` where it was asked to end.

    Once there are `enough`, asked often, none is begun any more, and all is well.

    Raises ArenaError where matches are left: they stayed void, or were those of stopped players. A resume tries them
    again, and every player begins afresh.
    """
    with RunReader(job.run_dir) as reader:
        stored = reader.units()
    waiting = [planned for planned in schedule if planned.unit not in stored]
    done = len(schedule) - len(waiting)
    if enough():
        return
    with Progress(title, len(schedule), done) as progress:
        outcome = await run_matches(
            waiting,
            players,
            job.store,
            concurrency=config.concurrency,
            retries=config.retries,
            on_progress=lambda played, _: progress.update(done + played),
            should_stop=lambda: job.should_stop() or enough(),
            on_void=partial(note_void, job),
            on_stopped=partial(tell_stopped, job),
            room=room_of(players, stored),
            on_quiet=partial(tell_quiet, job),
        )
    if enough():
        return
    job.stopped = outcome.stopped
    if outcome.unplayed and not outcome.stopped:
        raise ArenaError(
            f"{len(outcome.unplayed)} of {len(schedule)} matches are open: {why_open(outcome)}",
            f"All others are stored. Resume: {one_line(read_record(job.run_dir).resume_command(job.run_dir))}",
        )


def room_of(players: Mapping[str, Player], finished: Iterable[Unit]) -> Room | None:
    """Room within the limits of those that have a ledger, which all of them share.

    By what the run has spent so far, over its `finished` matches.
    """
    ledgers: dict[str, Ledger] = {name: one.ledger for name, one in players.items() if hasattr(one, "ledger")}
    ledger = next(iter(ledgers.values()), None)
    if ledger is None:
        return None
    allows, paid = ledger.allows_match, sum(a in ledgers or b in ledgers for _, a, b, _, _ in finished)
    return Room(frozenset(ledgers), lambda in_flight, ended: allows(in_flight, paid + ended))


def note_void(job: Job, planned: PlannedMatch, reason: str) -> None:
    """Note in the log why a match was void."""
    match = f"{planned.game.name}, {planned.a} against {planned.b}, pair {planned.pair}, leg {planned.leg}"
    job.note(f"void: {match}: {reason}")


def tell_quiet(job: Job, names: Sequence[str], seconds: float) -> None:
    """Say who is waited for."""
    job.say(f"no reply for {clock(seconds)}; waiting for {', '.join(names)}")


def tell_stopped(job: Job, player: str, reason: str) -> None:
    """Say that a player cannot go on, and why; viewers find it among the events."""
    job.say(note_stop(job.store, player, _bare(player, reason)))


def _bare(player: str, reason: str) -> str:
    """The reason without the player's name, which stands before it already."""
    return reason.replace(f"{player}: ", "", 1).rstrip(".")


def why_open(outcome: Outcome) -> str:
    """Why matches were left unplayed, in one line."""
    stops = [f"{player} was stopped ({_bare(player, why)})" for player, why in outcome.stopped_players.items()]
    others = [planned for planned in outcome.unplayed if outcome.stopped_players.keys().isdisjoint(planned.seats)]
    if others:
        stops.append(f"{len(others)} stayed void ({outcome.reason.rstrip('.')})")
    return one_line(f"{'; '.join(one_line(stop, _REASON_LENGTH) for stop in stops)}.", 3 * _REASON_LENGTH)


async def measure(
    job: Job, games: Sequence[GameSpec], players: Mapping[str, Player], seed: int, apis: bool = False
) -> None:
    """Ground truth of every player in every solved game, one transaction each; may set `job.stopped`.

    That takes thousands of requests a player, so those with a ledger are measured only where `apis` says so.
    """
    with RunReader(job.run_dir) as reader:
        measured = {(row.player, row.game) for row in reader.truths()}
    solved = [game for game in games if ground_truth.supported(game)]
    left_out = [] if apis else [name for name in players if hasattr(players[name], "ledger")]
    tasks = [(name, game) for game in solved for name in players if name not in left_out]
    if solved and left_out:
        job.say(f"not measured against exact solutions, for thousands of requests each: {', '.join(left_out)}")
    with Progress("ground truth", len(tasks)) as progress:
        for done, (name, game) in enumerate(tasks, start=1):
            if (name, game.name) not in measured:
                measuring = asyncio.create_task(ground_truth.measure(players[name], game, seed))
                if not await _done_before_a_stop(job, measuring):
                    job.stopped = True
                    return
                job.store.set_truths([ground_truth.truth_row(row) for row in measuring.result()])
            progress.update(done)


async def _done_before_a_stop(job: Job, task: asyncio.Task[list[ground_truth.GroundTruth]]) -> bool:
    """Wait for a measure; given up where somebody asks to stop meanwhile. Raises what it raises."""
    while not job.should_stop():
        await asyncio.wait({task}, timeout=_POLL_SECONDS)
        if task.done():
            await task
            return True
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False
