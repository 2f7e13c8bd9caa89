"""Swiss tournaments: in each round, players who stand next to each other meet, and nobody twice while that can be.

A meeting is `pairs` pairs in every game; it brings its share of wins + draws / 2 as points, so at most 1. The pairings
of a round are a pure function of the configuration and of the matches of the rounds before it, so a run that was cut
off goes on as if it had not been.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple

from rich.table import Table
from rich.text import Text

from arena.config.checks import check_games
from arena.config.tournament import TournamentConfig
from arena.core.keys import draw, match_key
from arena.runs.rows import MatchRow
from evals.matching import matching_size
from evals.report import Encounter, from_side, group_matches, overall_rows
from evals.schedule import PlannedMatch, with_openings
from evals.statistics import points
from evals.tables import ABSENT, figure, make_table, name_cell


class Pairings(NamedTuple):
    """Who meets whom in one round, better placed first, the best pair first."""

    pairs: list[tuple[str, str]]
    bye: str | None
    """Who sits out, where the number of players is odd."""


@dataclass(slots=True)
class Standing:
    """What the rounds so far came to."""

    order: Sequence[str]
    """All players, in the order that breaks ties."""
    halves: Counter[str] = field(default_factory=Counter)
    """Half points of each player over all its matches; a round that it sat out counts as even play."""
    met: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """How often each player met each other."""
    byes: Counter[str] = field(default_factory=Counter)

    def ranked(self) -> list[str]:
        """All players, the best first."""
        return sorted(self.order, key=lambda player: -self.halves[player])


def pair_round(standing: Standing) -> Pairings:
    """Pair the best with the next one below whom it has not met, and so on down.

    As few as possible meet again, and those who met least often. The bye goes to the last of those who had the
    fewest, unless it would make others meet again.
    """
    players, bye = standing.ranked(), None
    if len(players) % 2:
        bye = _bye(players, standing)
        players.remove(bye)
    pairs: list[tuple[str, str]] = []
    fresh = _most_fresh(players, standing)
    while players:
        best, *others = players
        met = standing.met[best]
        for other in sorted(others, key=lambda other: met[other]):
            rest = [player for player in others if player != other]
            left = fresh - (not met[other])
            # Somebody fits: of a largest matching, whoever the best is with, or another one who is left over.
            if _most_fresh(rest, standing) >= left:
                pairs.append((best, other))
                players, fresh = rest, left
                break
    return Pairings(pairs, bye)


def _bye(ranked: Sequence[str], standing: Standing) -> str:
    least = min(standing.byes[player] for player in ranked)
    found = [player for player in reversed(ranked) if standing.byes[player] == least]
    return max(found, key=lambda one: _most_fresh([player for player in ranked if player != one], standing))


def _most_fresh(players: Sequence[str], standing: Standing) -> int:
    """The most pairs of players who have not met, nobody in two of them."""
    graph = []
    for player in players:
        met = standing.met[player]
        graph.append([place for place, other in enumerate(players) if other != player and not met[other]])
    return matching_size(graph)


@dataclass(frozen=True, slots=True)
class Round:
    """One round as it is planned, and how everybody stood before it."""

    number: int
    """From 1."""
    pairings: Pairings
    halves: Mapping[str, int]
    """Half points before it."""
    schedule: list[PlannedMatch]
    """Its matches, numbered on from those of the rounds before it."""


def planned_rounds(config: TournamentConfig, matches: Iterable[MatchRow]) -> Iterator[Round]:
    """The rounds that can be paired by now: all whose earlier rounds are stored whole, and the one after them."""
    stored = {match.number: match for match in matches}
    # The players' own order breaks no ties: among checkpoints of one run it would be their age.
    order = list(config.players)
    draw(config.seed, "swiss").shuffle(order)
    standing = Standing(order)
    first = 0
    for number in range(1, config.round_count + 1):
        pairings = pair_round(standing)
        schedule = _schedule(config, pairings, standing, first)
        yield Round(number, pairings, dict(standing.halves), schedule)
        found = [stored.get(planned.number) for planned in schedule]
        if None in found:
            return
        _count(standing, pairings, [match for match in found if match is not None])
        first += len(schedule)


def _schedule(config: TournamentConfig, pairings: Pairings, standing: Standing, first: int) -> list[PlannedMatch]:
    """The matches of a round; who meet again go on with the pairs after those they played."""
    place = {player: number for number, player in enumerate(config.players)}
    meetings = [tuple(sorted(pair, key=lambda player: place[player])) for pair in pairings.pairs]
    matches: list[PlannedMatch] = []
    games = check_games(config.games)
    for number, game in product(range(config.pairs), games):
        for (a, b), leg in product(meetings, (0, 1)):
            pair = standing.met[a][b] * config.pairs + number
            key = match_key(config.seed, game.name, pair)
            matches.append(PlannedMatch(first + len(matches), game, a, b, pair, leg, key))
    return with_openings(matches, config.drawn_openings)


def _count(standing: Standing, pairings: Pairings, matches: Sequence[MatchRow]) -> None:
    """Add a round's matches to the standing."""
    for match in matches:
        standing.halves[match.a] += int(2 * points(match.return_a))
        standing.halves[match.b] += int(2 * points(match.return_b))
    for a, b in pairings.pairs:
        standing.met[a][b] += 1
        standing.met[b][a] += 1
    if pairings.bye is not None:
        standing.byes[pairings.bye] += 1
        standing.halves[pairings.bye] += len(matches) // max(len(pairings.pairs), 1)


def round_rows(config: TournamentConfig, matches: Sequence[MatchRow]) -> list[dict[str, Any]]:
    """The list `rounds` of a result: a line for each meeting, b None for a bye; points are those before the round.

    Counts are of complete pairs, from a's side and over all games; None where nothing is played yet.
    """
    meeting = 2 * config.pairs * len(config.games)
    rows: list[dict[str, Any]] = []
    for found in planned_rounds(config, matches):
        units = {planned.unit for planned in found.schedule}
        played = group_matches(match for match in matches if match.unit in units)
        for a, b in found.pairings.pairs:
            rows.append(_row(found, a, b, meeting) | _counts(a, [one for one in played if {one.a, one.b} == {a, b}]))
        if found.pairings.bye is not None:
            rows.append(_row(found, found.pairings.bye, None, meeting) | _counts(found.pairings.bye, []))
    return rows


def _row(found: Round, a: str, b: str | None, meeting: int) -> dict[str, Any]:
    points_a, points_b = (
        None if player is None else round(found.halves.get(player, 0) / (2 * meeting), 6) for player in (a, b)
    )
    return {"round": found.number, "a": a, "b": b, "points_a": points_a, "points_b": points_b}


def _counts(a: str, played: Sequence[Encounter]) -> dict[str, Any]:
    """The pairs, matches won, drawn and lost by a, and its points of at most 1."""
    if not played:
        return {"pairs": 0, "wins": 0, "draws": 0, "losses": 0, "score": None}
    sides = [from_side(row, a) for row in overall_rows(played)]
    return {name: sides[0][name] for name in ("pairs", "wins", "draws", "losses", "score")}


def render_rounds(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The rounds as a table."""
    columns = (("round", "number"), ("a", "name"), ("points", "number"), ("b", "name"), ("points", "number"))
    table = make_table("Rounds", (*columns, ("W–D–L", "number"), ("score", "number")))
    width = max(len(str(row[name])) for row in rows for name in ("wins", "draws", "losses"))
    shown = 0
    for row in rows:
        bye = row["b"] is None
        table.add_row(
            Text(str(row["round"]) if row["round"] != shown else ""),
            name_cell(row["a"]),
            Text(f"{row['points_a']:.2f}"),
            Text("sits out", style="dim") if bye else name_cell(row["b"]),
            Text(ABSENT if bye else f"{row['points_b']:.2f}"),
            Text("–".join(f"{row[name]:>{width}}" for name in ("wins", "draws", "losses")) if row["pairs"] else ABSENT),
            Text(ABSENT if row["score"] is None else figure(row["score"], False)),
        )
        shown = row["round"]
    return table
