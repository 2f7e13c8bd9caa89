"""What an evaluation of many matches has found so far: the result of a tournament, a head-to-head or an ood run.

Jobs alone compute results. Here one is checked, and turned so that every two players have a meeting from each one's
side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.tui.collect.sprt import Sprt, figure, openings_words, read_sprt

SCHEMA = 1
ALL_GAMES = ""
"""Stands for all games together."""

Row = Mapping[str, Any]
Unit = Literal["points", "utility"]


@dataclass(frozen=True, slots=True)
class Span:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def excludes(self, even: float) -> bool:
        return not self.low <= even <= self.high


@dataclass(frozen=True, slots=True)
class Meeting:
    """How a player did against an opponent in one game, or in all together, from the player's side."""

    player: str
    opponent: str
    score: Span
    unit: Unit = "points"
    """Points are wins and half the draws per match; utility is the mean return, which may be negative."""
    counts: tuple[int, int, int] | None = None
    """Wins, draws and losses; None for an average over games."""
    forfeits: tuple[int, int] | None = None
    """The player's and the opponent's."""
    voids: int = 0
    seat_effect: Span | None = None
    """Mean return as seat 0 less that as seat 1: the same from both sides."""
    distinct: int | None = None
    """How many of the matches differ, where the job counted them."""
    few: bool = False
    """Whether they are so few that the interval pretends more."""
    games: int | None = None
    """Of an average: over how many games."""

    @property
    def even(self) -> float:
        return 0.5 if self.unit == "points" else 0.0

    @property
    def sure(self) -> bool:
        """Whether the interval excludes even play."""
        return self.score.excludes(self.even)

    @property
    def matches(self) -> int | None:
        return sum(self.counts) if self.counts else None


@dataclass(frozen=True, slots=True)
class Rated:
    """A line of the standings: a player's rating within its group, and all its matches."""

    player: str
    rating: Span | None
    group: int = 0
    matches: int = 0
    counts: tuple[int, int, int] = (0, 0, 0)
    forfeits: int = 0
    mass: Span | None = None
    """Its share in alpha-rank, where the job computed that."""
    unbounded: bool = False
    """The results alone would put the player infinitely far from the rest of its group."""

    @property
    def undefeated(self) -> bool:
        return self.matches > 0 and self.counts[2] == 0


@dataclass(frozen=True, slots=True)
class Truth:
    """One measure of a player against the exact solution of a game."""

    player: str
    game: str
    measure: str
    value: Span
    n: int


@dataclass(frozen=True, slots=True)
class Change:
    """A player's score less the base's against the same opponent, pair by pair; `over` games where `game` is empty."""

    player: str
    opponent: str
    game: str
    score: float
    change: Span | None
    unit: Unit = "points"
    over: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """All that a result says."""

    rows: tuple[str, ...] = ()
    """Players whose lines the matrix has."""
    columns: tuple[str, ...] = ()
    games: tuple[str, ...] = ()
    meetings: Mapping[tuple[str, str, str], Meeting] = field(default_factory=dict)
    """By game (or `ALL_GAMES`), player and opponent."""
    standings: tuple[Rated, ...] = ()
    truths: tuple[Truth, ...] = ()
    changes: tuple[Change, ...] = ()
    base: str = ""
    """Of an ood run: what change is measured against."""
    marks: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """By game and player what the game is to it: "own", "other" or "ood"."""
    held_out: frozenset[str] = frozenset()
    """Games that self-play never trains on."""
    played: int | None = None
    planned: int | None = None
    finished: bool = False
    format: str = ""
    """Who met whom, where that is not everybody: gauntlet or swiss."""
    notes: tuple[str, ...] = ()
    """What else there is to say: with what pairs begin, and the round."""
    test: Sprt | None = None
    """How a sequential test stands, where there is one."""
    warnings: tuple[str, ...] = ()
    """What a reader of the figures should mind."""

    @property
    def empty(self) -> bool:
        return not self.meetings

    @property
    def views(self) -> tuple[str, ...]:
        """Games to look at, and all together where there are several and the result has their average."""
        together = any(game == ALL_GAMES for game, _, _ in self.meetings)
        return (ALL_GAMES, *self.games) if together and len(self.games) > 1 else self.games


def parse(result: Row) -> Results:
    """Take a result apart. Raises ArenaError where it is not of the shape that jobs write."""
    if result.get("schema") != SCHEMA:
        raise ArenaError(f"The result is of schema {one_line(str(result.get('schema')), 20)}, not {SCHEMA}.")
    try:
        return _parse(result)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ArenaError(f"The result is damaged ({one_line(repr(error), 80)}).") from error


def _parse(result: Row) -> Results:
    results = list(result["results"])
    meetings = _meetings(results, result)
    named = [str(row["player"]) for row in result.get("players", ())]
    rated = [str(row["player"]) for row in result.get("ratings", ())]
    met = [str(row[side]) for row in results for side in ("a", "b")]
    everybody = tuple(dict.fromkeys([*named, *met, *rated]))
    against = tuple(dict.fromkeys(str(row["b"]) for row in results)) if "base" in result else everybody
    base = str(result.get("base", ""))
    return Results(
        rows=tuple(named) if base else everybody,
        columns=tuple(dict.fromkeys([*(name for name in against if name != base), base])) if base else everybody,
        games=tuple(dict.fromkeys(str(row["game"]) for row in results)),
        meetings=meetings,
        standings=_standings(result.get("ratings", ()), results, result.get("alpha_rank", ())),
        truths=tuple(_truth(row) for row in result.get("ground_truth", ())),
        changes=_changes(result),
        base=base,
        marks=_marks(result),
        held_out=frozenset(str(row["game"]) for row in results if row.get("ood")),
        played=whole(result.get("played")),
        planned=whole(result.get("planned")),
        finished=result.get("finished") is True,
        format=str(result.get("format", "")),
        notes=_notes(result),
        test=read_sprt(result["sprt"]) if result.get("sprt") else None,
        warnings=tuple(str(row["message"]) for row in result.get("warnings", ())),
    )


def _meetings(results: Sequence[Row], result: Row) -> dict[tuple[str, str, str], Meeting]:
    found: dict[tuple[str, str, str], Meeting] = {}
    warned = [row for row in result.get("warnings", ()) if row.get("kind") == "few_distinct"]
    few = {(row["game"], row["a"], row["b"]) for row in warned}
    for game, row in [*((str(row["game"]), row) for row in results), *((ALL_GAMES, r) for r in _overall(result))]:
        meeting = replace(_meeting(row), few=(game, row["a"], row["b"]) in few)
        found[game, meeting.player, meeting.opponent] = meeting
        mirrored = mirror(meeting)
        found[game, mirrored.player, mirrored.opponent] = mirrored
    for row in result.get("averages", ()):
        if row["over"] == "all" and row["opponent"] != "all":
            score = _span(row, "score", "low", "high")
            meeting = Meeting(str(row["player"]), str(row["opponent"]), score, games=int(row["games"]))
            found[ALL_GAMES, meeting.player, meeting.opponent] = meeting
    return found


def _overall(result: Row) -> Iterable[Row]:
    rows: Iterable[Row] = result.get("overall", ())
    return rows


def _meeting(row: Row) -> Meeting:
    effect = _span(row, "seat_effect", "seat_effect_low", "seat_effect_high") if "seat_effect" in row else None
    unit: Unit = "utility" if row.get("unit") == "utility" else "points"
    return Meeting(
        str(row["a"]),
        str(row["b"]),
        _span(row, "score", "low", "high"),
        unit,
        (int(row["wins"]), int(row["draws"]), int(row["losses"])),
        (int(row["forfeits_a"]), int(row["forfeits_b"])),
        int(row["voids"]),
        effect,
        whole(row.get("distinct")),
    )


def mirror(meeting: Meeting) -> Meeting:
    """The same from the opponent's side."""
    top, score = 2 * meeting.even, meeting.score
    return replace(
        meeting,
        player=meeting.opponent,
        opponent=meeting.player,
        score=Span(top - score.value, top - score.high, top - score.low),
        counts=meeting.counts and (meeting.counts[2], meeting.counts[1], meeting.counts[0]),
        forfeits=meeting.forfeits and (meeting.forfeits[1], meeting.forfeits[0]),
    )


def _notes(result: Row) -> tuple[str, ...]:
    notes = [openings_words(openings)] if (openings := result.get("openings")) else []
    if (rounds := result.get("rounds")) and not result.get("finished"):
        last = max(int(row["round"]) for row in rounds)
        byes = [str(row["a"]) for row in rounds if row["round"] == last and row["b"] is None]
        notes.append(f"Round {last}." + (f" {byes[0]} sits out." if byes else ""))
    return tuple(notes)


def _standings(ratings: Iterable[Row], results: Sequence[Row], masses: Iterable[Row]) -> tuple[Rated, ...]:
    """Groups in their order, the best of each first."""
    meetings = [_meeting(row) for row in results]
    meetings += [mirror(meeting) for meeting in meetings]
    totals: dict[str, list[int]] = {}
    for meeting in meetings:
        total = totals.setdefault(meeting.player, [0, 0, 0, 0])
        for place, count in enumerate((*(meeting.counts or (0, 0, 0)), (meeting.forfeits or (0, 0))[0])):
            total[place] += count
    shares = {str(row["player"]): _span(row, "mass", "low", "high") for row in masses}
    found = []
    for row in ratings:
        wins, draws, losses, forfeits = totals.get(str(row["player"]), [0, 0, 0, 0])
        rating, counts = _span(row, "rating", "low", "high"), (wins, draws, losses)
        unbounded = row.get("prior_limited") is True
        group, matches = int(row.get("group", 0)), int(row.get("matches", 0))
        mass = shares.get(str(row["player"]))
        found.append(Rated(str(row["player"]), rating, group, matches, counts, forfeits, mass, unbounded))
    return tuple(sorted(found, key=lambda one: (one.group, -(one.rating.value if one.rating else 0.0))))


def _truth(row: Row) -> Truth:
    measure, value = str(row["measure"]), _span(row, "value", "low", "high")
    return Truth(str(row["player"]), str(row["game"]), measure, value, int(row["n"]))


def _changes(result: Row) -> tuple[Change, ...]:
    found = [
        Change(
            str(row["player"]),
            str(row["opponent"]),
            str(row["game"]),
            figure(row["score"]),
            _span(row, "change", "low", "high"),
            "utility" if row.get("unit") == "utility" else "points",
        )
        for row in result.get("changes", ())
    ]
    for row in result.get("averages", ()):
        change = None if row["change"] is None else _span(row, "change", "change_low", "change_high")
        name, opponent, score = str(row["player"]), str(row["opponent"]), figure(row["score"])
        found.append(Change(name, opponent, ALL_GAMES, score, change, over=str(row["over"])))
    return tuple(found)


def _marks(result: Row) -> dict[tuple[str, str], str]:
    rows = [*result.get("matrix", ()), *result.get("changes", ())]
    return {(str(row["game"]), str(row["player"])): str(row["kind"]) for row in rows}


def _span(row: Row, *names: str) -> Span:
    return Span(*(figure(row[name]) for name in names))


def whole(value: Any) -> int | None:
    """The value where it is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
