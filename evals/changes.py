"""Change against a base by pairs: both met the same opponent with the same keys, so their luck cancels.

Scores of one game are in its own unit (points, or mean return where utility is not ±1); averages over games are in
points (wins + draws / 2). Between games pairs are independent; within a game all opponents share a pair's luck, so
an average over opponents takes them together, pair by pair, before anything is bootstrapped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from arena.core.registry import GameSpec
from evals.report import Encounter, interval_row
from evals.statistics import Interval, Pair, paired_difference, points, stratified_interval

ALL = "all"
"""Stands for all bots together among the opponents of `average_rows`."""

Row = dict[str, Any]
Series = dict[int, float]
"""Pair number to the mean of its two matches."""


class Meetings(NamedTuple):
    """Who met whom where: the complete pairs from the first player's side, by (game, player, opponent)."""

    pairs: Mapping[tuple[str, str, str], Mapping[int, Pair]]

    @classmethod
    def of(cls, encounters: Iterable[Encounter]) -> Meetings:
        found: dict[tuple[str, str, str], Mapping[int, Pair]] = {}
        for game, a, b, pairs, _ in encounters:
            found[game, a, b] = {first.pair: Pair(first.return_a, second.return_a) for first, second in pairs}
            found[game, b, a] = {first.pair: Pair(second.return_b, first.return_b) for first, second in pairs}
        return cls(found)

    def returns(self, game: str, player: str, opponent: str) -> Series:
        return {n: (pair.as_seat0 + pair.as_seat1) / 2 for n, pair in self._of(game, player, opponent).items()}

    def points(self, game: str, player: str, opponent: str) -> Series:
        found = self._of(game, player, opponent)
        return {n: (points(pair.as_seat0) + points(pair.as_seat1)) / 2 for n, pair in found.items()}

    def _of(self, game: str, player: str, opponent: str) -> Mapping[int, Pair]:
        return self.pairs.get((game, player, opponent), {})


def change_row(meetings: Meetings, game: GameSpec, player: str, opponent: str, base: str) -> Row | None:
    """Score of the player against the opponent in the game, less that of the base; None where no pair is common."""
    utility = game.new(0).utility
    in_points = utility == (-1.0, 1.0)
    read = meetings.points if in_points else meetings.returns
    ours, theirs = _common(read(game.name, player, opponent), read(game.name, base, opponent))
    if not ours:
        return None
    change = paired_difference(ours, theirs, (0.0, 1.0) if in_points else utility)
    return {
        "player": player,
        "game": game.name,
        "opponent": opponent,
        **interval_row(Interval(_mean(ours), _mean(theirs), change.score), "score", "base_score", "change"),
        **interval_row(change, "change", "low", "high"),
        "pairs": len(ours),
        "unit": "points" if in_points else "utility",
    }


def average_rows(meetings: Meetings, games: Sequence[str], player: str, bots: Sequence[str], base: str) -> list[Row]:
    """Mean over games of the player's points against each bot, the base, and all bots together (`ALL`).

    With the change against the base, where there is one: not for the base itself, nor against it.
    """
    rows = []
    for opponent, group in [*((bot, [bot]) for bot in dict.fromkeys([*bots, base])), (ALL, list(bots))]:
        scores = [list(found.values()) for game in games if (found := _over(meetings, game, player, group))]
        if not scores:
            continue
        change = None if player == base else _average_change(meetings, games, player, group, base)
        rows.append(
            {
                "player": player,
                "opponent": opponent,
                **interval_row(stratified_interval(scores, (0.0, 1.0)), "score", "low", "high"),
                **(interval_row(change, *_CHANGE) if change else dict.fromkeys(_CHANGE)),
                "games": len(scores),
            }
        )
    return rows


_CHANGE = ("change", "change_low", "change_high")


def _average_change(
    meetings: Meetings, games: Sequence[str], player: str, group: Sequence[str], base: str
) -> Interval | None:
    """Mean over games of the paired difference, over the opponents that both met."""
    differences = []
    for game in games:
        both = [
            opponent
            for opponent in group
            if meetings.points(game, player, opponent) and meetings.points(game, base, opponent)
        ]
        ours, theirs = _common(*(_over(meetings, game, who, both) for who in (player, base)))
        if ours:
            differences.append([a - b for a, b in zip(ours, theirs, strict=True)])
    return stratified_interval(differences, (-1.0, 1.0)) if differences else None


def _over(meetings: Meetings, game: str, player: str, opponents: Sequence[str]) -> Series:
    """Mean over the opponents that the player met, for every pair that it played with all of these."""
    met = [found for opponent in opponents if (found := meetings.points(game, player, opponent))]
    numbers = sorted(set.intersection(*map(set, met))) if met else []
    return {number: _mean([found[number] for found in met]) for number in numbers}


def _common(first: Series, second: Series) -> tuple[list[float], list[float]]:
    """The values of the pairs that both hold, in their order."""
    numbers = sorted(first.keys() & second.keys())
    return [first[number] for number in numbers], [second[number] for number in numbers]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
