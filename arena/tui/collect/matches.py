"""Matches to look at: those that are being played, the stored ones of a run, and the runs that have any."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.runs.matches import ANY, MatchReader, Search, Unit
from arena.runs.paths import run_dirs
from arena.runs.reader import NoRows
from arena.runs.record import Status, read_record, run_status
from arena.runs.rows import MatchRow, PartialRow, TurnRow

PAGE = 200
ENDED = -1
"""`PartialRow.seat` where nobody is to act any more."""


@dataclass(frozen=True, slots=True)
class Match:
    """A match as far as it is known, stored or being played; players, returns and forfeit by seat."""

    run_dir: Path
    unit: Unit
    seats: tuple[str, str]
    step: int
    turns: tuple[TurnRow, ...]
    """Every reply, illegal ones too."""
    first: str = ""
    """The first position; empty where it is not known."""
    id: int | None = None
    """None until it is stored."""
    returns: tuple[float, float] | None = None
    forfeit: int | None = None
    live: bool = False
    """Whether it is being played."""
    seat: int = ENDED
    """Who is to act while it is."""
    text: str = ""
    """The growing reply."""
    raw: str = field(default="", repr=False)
    """What `turns` were read from."""

    @property
    def game(self) -> str:
        return self.unit[0]

    def same_as(self, other: Match) -> bool:
        """Whether both are one match, perhaps at different times."""
        return (self.run_dir, self.unit) == (other.run_dir, other.unit)

    def board(self, at: int) -> str:
        """The position once so many replies are given."""
        boards = (turn.board for turn in reversed(self.turns[:at]) if turn.action is not None)
        return next(boards, self.first)

    def to_act(self, at: int) -> int | None:
        """Whose reply comes next."""
        if at < len(self.turns):
            return self.turns[at].seat
        return self.seat if self.live and self.seat != ENDED else None


@dataclass(frozen=True, slots=True)
class Featured:
    """A match in the live view of a run."""

    run_dir: Path
    slot: int
    unit: Unit
    seats: tuple[str, str]
    step: int
    turn: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be looked at: a stored match, one of its kind, whatever a run plays, or whatever any run does."""

    run_dir: Path | None = None
    match_id: int | None = None
    unit: Unit | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A match in a list; players and returns by seat."""

    wanted: Wanted
    game: str
    seats: tuple[str, str]
    turns: int
    step: int
    returns: tuple[float, float] | None = None
    forfeit: bool = False
    live: bool = False

    @property
    def key(self) -> str:
        return str(self.wanted.match_id or self.wanted.unit)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found of what was wanted."""

    wanted: Wanted
    match: Match | None = None
    run_dir: Path | None = None
    name: str = ""
    """Of the run."""
    running: bool = False
    featured: tuple[Featured, ...] = ()
    """What the run shows of what it plays now."""
    note: str = ""
    """Why there is no match."""


@dataclass(frozen=True, slots=True)
class MatchSource:
    """A run as a place to find matches."""

    path: Path
    name: str
    kind: str
    status: str
    stored: int
    featured: int
    error: str = ""


def look(wanted: Wanted, root: Path, known: Match | None = None) -> Seen:
    """The match that is wanted as it is now. Raises ArenaError where it cannot be read.

    `known` is what was seen before: what has not changed is not read again.
    """
    run_dir = wanted.run_dir or _playing(root)
    if run_dir is None:
        return Seen(wanted, note="Nothing is being played.")
    record = read_record(run_dir)
    running = run_status(run_dir, record) is Status.RUNNING
    seen = Seen(wanted, run_dir=run_dir, name=record.name, running=running)
    try:
        with MatchReader(run_dir) as reader:
            partials = reader.partials()
            seen = replace(seen, featured=tuple(_featured(run_dir, row) for row in partials))
            match = _find(reader, run_dir, wanted, partials, known, running)
            return replace(seen, match=match, note="" if match else _why_none(reader, running))
    except NoRows:
        return replace(seen, note="It has not begun yet." if running else "It has no matches.")


def _playing(root: Path) -> Path | None:
    """The run that was started last among those that show what they play."""
    for path in reversed(run_dirs(root)):
        with suppress(ArenaError):
            record = read_record(path)
            if not record.alive or run_status(path, record) is not Status.RUNNING:
                continue
            with MatchReader(path) as reader:
                if reader.count("partial"):
                    return path
    return None


def _find(
    reader: MatchReader,
    run_dir: Path,
    wanted: Wanted,
    partials: Sequence[PartialRow],
    known: Match | None,
    running: bool,
) -> Match | None:
    if wanted.match_id is not None:
        if known is not None and (known.run_dir, known.id) == (run_dir, wanted.match_id):
            return known
        row = reader.match(wanted.match_id)
        if row is None:
            raise ArenaError(f"{run_dir.name} has no match {wanted.match_id}.")
        return _stored(reader, run_dir, row)
    if wanted.unit is not None:
        return _one_of_kind(reader, run_dir, wanted.unit, partials, known)
    going = [row for row in partials if row.seat != ENDED] if running else []
    if chosen := (going or list(partials))[:1]:
        return _partial(run_dir, chosen[0], known)
    if running:
        return None
    newest = reader.newest(1)
    return _stored(reader, run_dir, newest[0]) if newest else None


def _one_of_kind(
    reader: MatchReader, run_dir: Path, unit: Unit, partials: Sequence[PartialRow], known: Match | None
) -> Match | None:
    """Stored if it is, else as the live view has it, else as it was when it was last seen."""
    if known is not None and known.unit == unit and known.id is not None:
        return known
    shown = next((row for row in partials if _unit(row) == unit), None)
    if shown is not None and shown.seat != ENDED:
        return _partial(run_dir, shown, known)
    if (row := reader.match_of(unit)) is not None:
        return _stored(reader, run_dir, row)
    if shown is not None:
        return _partial(run_dir, shown, known)
    return replace(known, live=False, text="") if known is not None and known.unit == unit else None


def _why_none(reader: MatchReader, running: bool) -> str:
    if running:
        return "Waiting for its first moves…"
    event = reader.last_event(("failed", "stopped"))
    return f"It {event.kind}. {one_line(event.message, 400)}".strip() if event else "It has no matches."


def _stored(reader: MatchReader, run_dir: Path, row: MatchRow) -> Match:
    a_first = row.leg == 0
    return Match(
        run_dir,
        row.unit,
        (row.a, row.b) if a_first else (row.b, row.a),
        row.step,
        tuple(reader.turns(row.id)),
        first=row.board,
        id=row.id,
        returns=(row.return_a, row.return_b) if a_first else (row.return_b, row.return_a),
        forfeit={"a": row.leg, "b": 1 - row.leg}.get(row.forfeit),
    )


def _partial(run_dir: Path, row: PartialRow, known: Match | None) -> Match:
    unit = _unit(row)
    same = known if known is not None and (known.run_dir, known.unit) == (run_dir, unit) else None
    turns = same.turns if same is not None and same.raw == row.turns else _turns(run_dir, row.turns)
    first = same.first if same is not None else ""
    if not any(turn.action is not None for turn in turns):
        first = row.board
    return Match(
        run_dir,
        unit,
        (row.a, row.b) if row.leg == 0 else (row.b, row.a),
        row.step,
        turns,
        first=first,
        live=row.seat != ENDED,
        seat=row.seat,
        text=row.text,
        raw=row.turns,
    )


def _turns(run_dir: Path, raw: str) -> tuple[TurnRow, ...]:
    try:
        return tuple(TurnRow(**turn) for turn in json.loads(raw))
    except (TypeError, ValueError) as error:
        raise ArenaError(f"The live view of {run_dir.name} cannot be read.") from error


def _unit(row: PartialRow) -> Unit:
    return (row.game, row.a, row.b, row.pair, row.leg)


def _featured(run_dir: Path, row: PartialRow) -> Featured:
    seats = (row.a, row.b) if row.leg == 0 else (row.b, row.a)
    return Featured(run_dir, row.slot, _unit(row), seats, row.step, row.turn, row.seat == ENDED)


def choices(run_dir: Path, search: Search = ANY, limit: int = PAGE) -> list[Choice]:
    """What a run shows of what it plays, then its newest stored matches. Raises ArenaError."""
    with suppress(NoRows), MatchReader(run_dir) as reader:
        shown = [_featured(run_dir, row) for row in reader.partials()]
        going = [_live_choice(one) for one in shown if search.fits(*one.unit[:3])]
        return [*going, *(_stored_choice(run_dir, row) for row in reader.newest(limit, None, search))]
    return []


def more_choices(run_dir: Path, before_id: int, search: Search = ANY, limit: int = PAGE) -> list[Choice]:
    """The next page of stored matches."""
    with MatchReader(run_dir) as reader:
        return [_stored_choice(run_dir, row) for row in reader.newest(limit, before_id, search)]


def _live_choice(one: Featured) -> Choice:
    return Choice(Wanted(one.run_dir, unit=one.unit), one.unit[0], one.seats, one.turn, one.step, live=not one.ended)


def _stored_choice(run_dir: Path, row: MatchRow) -> Choice:
    turned = row.leg != 0
    seats, returns = (row.a, row.b), (row.return_a, row.return_b)
    return Choice(
        Wanted(run_dir, row.id),
        row.game,
        seats[::-1] if turned else seats,
        row.turns,
        row.step,
        returns[::-1] if turned else returns,
        bool(row.forfeit),
    )


def next_featured(shown: Sequence[Featured], unit: Unit, forward: bool) -> Featured | None:
    """The match in the slots after (or before) this one's that goes on; if none does, one that has ended."""
    place = next((i for i, one in enumerate(shown) if one.unit == unit), -1 if forward else 0)
    turned = [*shown[place + 1 :], *shown[: max(place, 0)]]
    others = turned if forward else turned[::-1]
    return min((one for one in others if one.unit != unit), key=lambda one: one.ended, default=None)


def neighbour(run_dir: Path, match_id: int, forward: bool, search: Search = ANY) -> int | None:
    """The id of the next stored match, or of the one before."""
    with MatchReader(run_dir) as reader:
        row = reader.neighbour(match_id, forward, search)
    return row.id if row else None


def sources(root: Path) -> list[MatchSource]:
    """Every run, running ones first, then the newest. Raises ArenaError where the root cannot be read."""
    found = [_source(path) for path in reversed(run_dirs(root))]
    return sorted(found, key=lambda source: source.status != Status.RUNNING)


def _source(path: Path) -> MatchSource:
    try:
        record = read_record(path)
        source = MatchSource(path, record.name, record.kind, run_status(path, record), 0, 0)
        with suppress(NoRows), MatchReader(path) as reader:
            return replace(source, stored=reader.count("match"), featured=reader.count("partial"))
        return source
    except ArenaError as error:
        return MatchSource(path, path.name, "", "unreadable", 0, 0, str(error))
