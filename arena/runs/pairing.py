"""Which matches of others form a pair: two of the same players in the same game, with swapped seats."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from arena.core.errors import UsageError
from arena.core.sanitise import one_line
from arena.runs.foreign_match import ForeignMatch


class Placed(NamedTuple):
    """A match and its place in the run: the player called a is so in all matches of the two in the game."""

    match: ForeignMatch
    a: str
    b: str
    pair: int
    leg: int
    whole: bool
    """Whether the pair has its other match."""


def place_pairs(matches: Iterable[ForeignMatch], source: str = "") -> list[Placed]:
    """Put matches together as pairs: by what the file calls them, else each two with swapped seats in their order.

    What finds no partner has a pair of its own, which counts nowhere. Raises UsageError where one pair has more than
    two matches; `source` is the file's name in its words.
    """
    meetings: dict[tuple[str, frozenset[str]], list[ForeignMatch]] = {}
    for match in matches:
        meetings.setdefault((match.game, frozenset((match.a, match.b))), []).append(match)
    placed = [one for meeting in meetings.values() for one in _place_meeting(meeting, source)]
    return sorted(placed, key=lambda one: one.match.line)


def _place_meeting(meeting: list[ForeignMatch], source: str) -> Iterator[Placed]:
    a, b = meeting[0].a, meeting[0].b
    waiting: dict[tuple[str, int], deque[ForeignMatch]] = {}
    pairs: list[tuple[ForeignMatch, ...]] = []
    named: dict[str, int] = {}
    for match in meeting:
        leg = match.seat_a if match.a == a else 1 - match.seat_a
        if match.pair:
            named[match.pair] = named.get(match.pair, 0) + 1
            if named[match.pair] > 2:
                words = f"the pair {one_line(match.pair, 60)} has more than two matches."
                raise UsageError(f"{source}:{match.line}: {words}")
        if others := waiting.get((match.pair, 1 - leg)):
            pairs.append((others.popleft(), match))
        else:
            waiting.setdefault((match.pair, leg), deque()).append(match)
    alone = sorted((one for left in waiting.values() for one in left), key=lambda match: match.line)
    pairs.sort(key=lambda pair: pair[0].line)
    for number, matches in enumerate([*pairs, *((match,) for match in alone)]):
        for match in matches:
            leg = match.seat_a if match.a == a else 1 - match.seat_a
            yield Placed(match, a, b, number, leg, len(matches) == 2)
