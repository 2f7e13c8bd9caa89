"""What `sft` learns from: stored matches of strong players, as rows of (prompt ids, reply ids).

The matches are in the run's own `run.db`, as of step `BEFORE`: teachers play them there, or they are copied from
the run that `transcripts` names. Whatever becomes of the players or of that run, a resume learns from the same rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from arena.config.sft import SftConfig, TeachingConfig
from arena.core.errors import ArenaError, PlayerStopped
from arena.core.keys import match_key
from arena.core.player import Player, View
from arena.core.registry import GameSpec, load_player
from arena.core.sanitise import one_line
from arena.engines.text import TextCodec
from arena.players.checkpoint import PolicyPlayer
from arena.runs.job import Job
from arena.runs.paths import find_run
from arena.runs.reader import NoRows, RunReader
from arena.runs.rows import MatchRow, TurnRow
from arena.runs.store import RunStore
from evals.runner import MatchList, Outcome, Recorder, run_matches
from evals.schedule import PlannedMatch, Unit
from evals.stored import note_void, room_of, tell_quiet, tell_stopped, why_open
from training.distributed import Ranks
from training.spending import at_play
from training.supervised import Pair
from training.transcripts import reply_text

BEFORE = -1
"""The step of the transcripts: before the start, which is step 0, so that no resume drops them."""
SLICE = 64
"""Matches that a rank plays between two looks at whether to stop, and two exchanges."""

Keep = Callable[[MatchRow, int], bool]
"""Whether the turns of a seat of a match are learnt."""


def schedule(games: Sequence[TeachingConfig], seed: int) -> list[PlannedMatch]:
    """Every teacher against each of its opponents, seats in turn, every match with luck of its own."""
    planned: list[PlannedMatch] = []
    for item in games:
        spec = GameSpec.parse(item.game)
        for other in item.met:
            for number in range(item.matches):
                key = match_key(seed, item.game, number)
                planned.append(PlannedMatch(len(planned), spec, item.teacher, other, number, number % 2, key))
    return planned


class Play(NamedTuple):
    """How matches are played: for which run, by whom they are shared, in which event loop, until when."""

    run_dir: Path
    group: Ranks
    events: asyncio.AbstractEventLoop
    job: Job | None
    """On the first rank."""
    tell: Callable[[int, int], None]
    """Called with how many matches are played and how many there will be."""

    def should_stop(self) -> bool:
        return self.job is not None and self.job.should_stop()


class AtOnce(NamedTuple):
    """Stores every transcript as soon as its match is finished."""

    store: RunStore

    def add_match(self, match: MatchRow, turns: Sequence[TurnRow]) -> None:
        self.store.add_match(replace(match, step=BEFORE), turns)


def play_teachers(config: SftConfig, how: Play) -> bool:
    """Play what is not stored yet, all ranks their share, and store it; False where stopped.

    The matches of a slice are stored together, so that a resume plays the same slices. Where players are behind APIs,
    which are paid for and never repeat to the bit, the first rank stores each match when it is finished.

    Raises ArenaError where a player cannot be loaded, and PlayerStopped where one cannot go on or does not answer: all
    others have played then, with several ranks those of the slice.
    """
    group, store = how.group, how.job.store if how.job is not None else None
    stored = group.from_first(stored_units(how.run_dir) if store is not None else set())
    planned = schedule(config.games, config.seed)
    missing = [match for match in planned if match.unit not in stored]
    players = {name: load_player(name) for name in dict.fromkeys(name for match in missing for name in match.seats)}
    with at_play(how.run_dir, players.values(), config, group, how.events, store) as spending:
        # Several ranks share out anew what the limits leave.
        size = max(len(missing), 1) if spending is not None and group.world == 1 else SLICE * group.world
        for first in range(0, len(missing), size):
            done, some = len(planned) - len(missing) + first, missing[first : first + size]
            tell = partial(_tell, how, done, len(planned))
            tell(0)
            if group.from_first(how.should_stop()):
                return False
            held = stored | {match.unit for match in missing[:first]}
            outcome = _play(some, players, held, how, spending is not None, tell)
            if spending is not None:
                spending.exchange()
            if outcome.stopped:
                return False
            if outcome.unplayed:
                left = len(planned) - done - outcome.played
                raise PlayerStopped(f"{left} of {len(planned)} transcripts are open: {why_open(outcome)}")
    how.tell(len(planned), len(planned))
    return True


def _tell(how: Play, done: int, planned: int, played: int, share: int = 0) -> None:
    """Tell of the matches of a slice that this rank has played of its `share`; the others are about as far."""
    del share
    how.tell(min(done + played * how.group.world, planned), planned)


def _play(
    planned: Sequence[PlannedMatch],
    players: Mapping[str, Player],
    held: set[Unit],
    how: Play,
    paid: bool,
    tell: Callable[[int, int], None],
) -> Outcome:
    """Play the matches and store them on the first rank; what became of those of all ranks."""
    played, group, job = MatchList(), how.group, how.job
    recorder: Recorder = AtOnce(job.store) if paid and job is not None else played
    own = how.events.run_until_complete(
        run_matches(
            planned[group.rank :: group.world],
            players,
            recorder,
            retries=0,
            room=room_of(players, held),
            on_progress=tell,
            should_stop=how.should_stop if paid else None,
            on_void=None if job is None else partial(note_void, job),
            on_stopped=None if job is None else partial(tell_stopped, job),
            on_quiet=None if job is None else partial(tell_quiet, job),
        )
    )
    shares = group.gather((played.finished, [match.number for match in own.unplayed], replace(own, unplayed=[])))
    finished = [item for share, _, _ in shares for item in share]
    numbers = {number for _, share, _ in shares for number in share}
    found = Outcome(unplayed=[match for match in planned if match.number in numbers])
    for _, _, one in shares:
        found.played += one.played
        found.reason = found.reason or one.reason
        found.stopped_players |= one.stopped_players
        found.stopped |= one.stopped
    if job is not None:
        finished.sort(key=lambda item: item[0].number)
        job.store.add_matches((replace(match, step=BEFORE), turns) for match, turns in finished)
        for player, reason in found.stopped_players.items():
            if player not in own.stopped_players:
                tell_stopped(job, player, reason)
    return found


def copy_transcripts(run: str, store: RunStore) -> None:
    """Copy the matches of a run, all in one transaction. Raises ArenaError where it has none."""
    with RunReader(find_run(run)) as reader:
        matches = reader.all_matches()
        if not matches:
            raise ArenaError(f"{one_line(run)} has no stored match to learn from.", "Name a tournament, for example.")
        store.add_matches((replace(match, step=BEFORE, at=0.0), reader.turns(match.id)) for match in matches)


def stored_units(run_dir: Path) -> set[Unit]:
    """The unit of every transcript that the run holds."""
    try:
        with RunReader(run_dir) as reader:
            return {match.unit for match in reader.all_matches() if match.step == BEFORE}
    except NoRows:
        return set()


def keeper(config: SftConfig) -> Keep:
    """Which seats teach: those of the teachers, where the match ended for them as `keep` asks."""
    teachers = {(item.game, item.teacher) for item in config.games}

    def keep(match: MatchRow, seat: int) -> bool:
        lead = match.return_a - match.return_b
        player, gain = (match.a, lead) if seat == match.seat_a else (match.b, -lead)
        if teachers and (match.game, player) not in teachers:
            return False
        return config.keep == "all" or gain > 0 or (config.keep == "not_lost" and gain == 0)

    return keep


@dataclass(frozen=True, slots=True)
class Student:
    """What makes rows of turns: the model's own prompts and tokens."""

    player: PolicyPlayer
    codec: TextCodec
    end: int
    """The token that ends a reply."""
    longest_reply: int
    longest: int
    """The most tokens that the model takes."""

    def row(self, view: View, turn: TurnRow) -> Pair:
        """The prompt as the model is sampled with it, and the turn's thought and answer in the form of its replies."""
        text = reply_text(self.codec.neutral(turn.thought.strip()), self.codec.neutral(turn.action or ""))
        return self.player.prompt_ids(view), (*self.codec.encode(text), self.end)

    def takes(self, row: Pair) -> bool:
        return len(row[1]) <= self.longest_reply and len(row[0]) + len(row[1]) <= self.longest


class Lessons(NamedTuple):
    rows: list[Pair]
    games: list[str]
    """In the order of the transcripts."""
    left_out: int
    """Turns whose replies are longer than the student's."""


def read_lessons(run_dir: Path, keep: Keep, student: Student) -> Lessons:
    """The rows of a run's transcripts in the order of the schedule. Raises ArenaError where none is left."""
    with RunReader(run_dir) as reader:
        matches = [match for match in reader.all_matches() if match.step == BEFORE]
        rows = [student.row(view, turn) for match in matches for view, turn in _turns(reader, match, keep)]
    taken = [row for row in rows if student.takes(row)]
    if not taken:
        why = "all replies are longer than sampling.max_tokens" if rows else "no turn is kept"
        raise ArenaError(f"There is nothing to learn from: {why}.", "Choose keep = all, or other players.")
    return Lessons(taken, list(dict.fromkeys(match.game for match in matches)), len(rows) - len(taken))


def _turns(reader: RunReader, match: MatchRow, keep: Keep) -> Iterator[tuple[View, TurnRow]]:
    """The kept turns of a match that were legal, as their player saw them at the first attempt."""
    seats = [seat for seat in (0, 1) if keep(match, seat)]
    if not seats:
        return
    spec = GameSpec.parse(match.game)
    state = spec.new(match.key)
    rules = (state.rules(0), state.rules(1))
    for turn in reader.turns(match.id):
        if turn.seat in seats and turn.action is not None:
            view = View(
                spec.game.INFO.id, spec.variant, turn.seat, rules[turn.seat], turn.observation, None, state.sample,
                match.key, turn.turn,
            )  # fmt: skip
            yield view, turn


def minibatch(rows: int, size: int, order: Callable[[int], Iterable[int]], step: int) -> list[int]:
    """Indices of the rows of one step: `order(e)` is all of them in the order of epoch e, one epoch after another."""
    first = step * size
    epochs = range(first // rows, (first + size - 1) // rows + 1)
    indices = [index for epoch in epochs for index in order(epoch)]
    start = first - epochs[0] * rows
    return indices[start : start + size]
