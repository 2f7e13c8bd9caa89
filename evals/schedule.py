"""Which matches are to be played: pairs, in an order that stays balanced wherever it is cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

from arena.core.game import Action, State
from arena.core.keys import match_key
from arena.core.opening import Openings, position_after
from arena.core.registry import GameSpec

Unit = tuple[str, str, str, int, int]
"""Of a match: game, a, b, pair, leg."""


@dataclass(frozen=True, slots=True)
class PlannedMatch:
    """One match to play: player a has seat 0 in leg 0 and seat 1 in leg 1."""

    number: int
    """Place in the schedule, from 0."""
    game: GameSpec
    a: str
    b: str
    pair: int
    leg: int
    key: int
    """The same in both legs: the same luck by seat."""
    opening: tuple[Action, ...] = ()
    """Actions that are taken before the players are asked; the same in both legs."""

    @property
    def start(self) -> State | None:
        """The position after the opening; None where there is none, and the game begins as it does."""
        return position_after(self.game, self.key, self.opening) if self.opening else None

    @property
    def seats(self) -> tuple[str, str]:
        """The players' names by seat."""
        return (self.a, self.b) if self.leg == 0 else (self.b, self.a)

    @property
    def unit(self) -> Unit:
        """The key under which a run stores the match at most once."""
        return (self.game.name, self.a, self.b, self.pair, self.leg)


def schedule_pairs(
    games: Sequence[GameSpec], pairings: Iterable[tuple[str, str]], pairs: int, seed: int
) -> list[PlannedMatch]:
    """Every pairing in every game, `pairs` pairs each; pair 0 of all of them first, then pair 1, …

    A pair's key depends on seed, game and pair alone, so all pairings meet the same luck.
    """
    pairings = list(pairings)
    return schedule_meetings([(game, pairings) for game in games], pairs, seed)


def schedule_meetings(
    meetings: Sequence[tuple[GameSpec, Sequence[tuple[str, str]]]], pairs: int, seed: int
) -> list[PlannedMatch]:
    """`schedule_pairs` where each game has pairings of its own."""
    matches: list[PlannedMatch] = []
    for pair in range(pairs):
        for game, pairings in meetings:
            key = match_key(seed, game.name, pair)
            for (a, b), leg in product(pairings, (0, 1)):
                matches.append(PlannedMatch(len(matches), game, a, b, pair, leg, key))
    return matches


def round_robin(games: Sequence[GameSpec], players: Sequence[str], pairs: int, seed: int) -> list[PlannedMatch]:
    """Every two players meet in every game, in the order given."""
    return schedule_pairs(games, combinations(players, 2), pairs, seed)


def gauntlet(
    games: Sequence[GameSpec], challengers: Sequence[str], field: Sequence[str], pairs: int, seed: int
) -> list[PlannedMatch]:
    """Every challenger meets everybody in the field, and no two of either meet each other."""
    return schedule_pairs(games, product(challengers, field), pairs, seed)


def with_openings(matches: Iterable[PlannedMatch], openings: Openings | None) -> list[PlannedMatch]:
    """The same matches with an opening for each pair; unchanged without `openings`. Raises UsageError."""
    if openings is None:
        return list(matches)
    drawn: dict[tuple[str, int], tuple[Action, ...]] = {}
    opened = []
    for planned in matches:
        luck = (planned.game.name, planned.key)
        if luck not in drawn:
            drawn[luck] = openings.draw(planned.game, planned.key)
        opened.append(replace(planned, opening=drawn[luck]))
    return opened
