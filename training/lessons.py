"""What `sft` learns from: stored matches of strong players, as rows of (prompt ids, reply ids).

The matches are in the run's own `run.db`, as of step `BEFORE`: teachers play them there, or they are copied from
the run that `transcripts` names. Whatever becomes of the players or of that run, a resume learns from the same rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from arena.config.sft import SftConfig, TeachingConfig
from arena.core.errors import ArenaError
from arena.core.keys import match_key
from arena.core.player import Player, View
from arena.core.registry import GameSpec, load_player
from arena.core.sanitise import one_line
from arena.engines.text import TextCodec
from arena.players.checkpoint import PolicyPlayer
from arena.runs.paths import find_run
from arena.runs.rows import MatchRow, TurnRow
from arena.runs.store import NoRows, RunReader, RunStore
from evals.runner import MatchList, run_matches
from evals.schedule import PlannedMatch
from training.distributed import Ranks
from training.supervised import Pair
from training.transcripts import reply_text

BEFORE = -1
"""The step of the transcripts: before the start, which is step 0, so that no resume drops them."""
SLICE = 64
"""Matches that a rank plays between two looks at whether to stop."""

Unit = tuple[str, str, str, int, int]
Stored = tuple[MatchRow, list[TurnRow]]
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
    """How matches are played: by whom they are shared, in which event loop, until when."""

    group: Ranks
    events: asyncio.AbstractEventLoop
    should_stop: Callable[[], bool]
    tell: Callable[[int, int], None]
    """Called with how many matches are stored and how many there will be."""


def play_teachers(config: SftConfig, store: RunStore | None, stored: set[Unit], how: Play) -> bool:
    """Play what is not stored yet, all ranks their share, and store it on rank 0 (`store`); False where stopped.

    Raises ArenaError where a player cannot be loaded, or a teacher does not answer.
    """
    planned = schedule(config.games, config.seed)
    missing = [match for match in planned if match.unit not in stored]
    names = dict.fromkeys(name for match in missing for name in match.seats)
    players = {name: load_player(name) for name in names}
    size = SLICE * how.group.world
    for first in range(0, len(missing), size):
        how.tell(len(planned) - len(missing) + first, len(planned))
        if how.group.from_first(how.should_stop()):
            return False
        found = _play(missing[first : first + size], players, how)
        if store is not None:
            store.add_matches([(replace(match, step=BEFORE), turns) for match, turns in found])
    how.tell(len(planned), len(planned))
    return True


def _play(planned: Sequence[PlannedMatch], players: Mapping[str, Player], how: Play) -> list[Stored]:
    """The matches of all ranks, in the order of the schedule."""
    played, group = MatchList(), how.group
    mine = planned[group.rank :: group.world]
    outcome = how.events.run_until_complete(run_matches(mine, players, played, retries=0))
    if reasons := [reason for reason in group.gather(outcome.reason) if reason and outcome.unplayed]:
        raise ArenaError(f"A teacher does not answer: {one_line(reasons[0])}.", "What was played is stored; resume.")
    return sorted((item for share in group.gather(played.finished) for item in share), key=lambda item: item[0].number)


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
