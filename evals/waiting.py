"""The matches that have not begun yet, and which of them is next.

They begin in the order of the schedule. But a player may be slow, or not answer for minutes, and then matches that
wait for it would soon be all that are in flight. So every player has its share of the slots: while others have matches
to play, nobody begins one more for whom its share of matches waits already, or who takes part in twice its share.
Slots that nobody else needs go to whoever is over its share by least.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from evals.schedule import PlannedMatch

Pairing = tuple[str, str]
_WITHIN = (0, 0)


class Waiting:
    """Hands out matches for `slots` that are in flight at once; every match taken must be given back by `ended`."""

    def __init__(self, schedule: Sequence[PlannedMatch], slots: int) -> None:
        self._slots = slots
        self._lines: dict[Pairing, deque[tuple[int, PlannedMatch]]] = {}
        """The matches of each two players, with their places in the order; no line is empty."""
        for place, planned in enumerate(schedule):
            self._lines.setdefault((planned.a, planned.b), deque()).append((place, planned))
        self._heads = [(line[0][0], pairing) for pairing, line in self._lines.items()]
        """A heap of the lines' first places, and of some that are taken already."""
        heapify(self._heads)
        self._reached = 0
        """The furthest place that was taken."""
        self._in_flight: Counter[str] = Counter()
        """Matches that each player takes part in."""
        self._to_act: dict[int, str] = {}
        """Who is to act in each match in flight, by its number."""
        self._awaited: Counter[str] = Counter()
        """Matches that wait for each player."""
        self._players: set[str] = set()
        """Those with a match that has not begun."""
        self._count_players()

    def __bool__(self) -> bool:
        return bool(self._lines)

    def take(self) -> PlannedMatch | None:
        """The match to begin now; None where none waits."""
        while self._heads and not self._is_first(*self._heads[0]):
            heappop(self._heads)
        if not self._heads:
            return None
        pairing = self._heads[0][1]
        if self._excess(pairing[0]) != _WITHIN or self._excess(pairing[1]) != _WITHIN:
            pairing = self._least_excess()
        planned = self._take_first(pairing)
        self._in_flight[planned.a] += 1
        self._in_flight[planned.b] += 1
        return planned

    def acts(self, planned: PlannedMatch, player: str) -> None:
        """A match in flight waits for this player now."""
        before = self._to_act.get(planned.number)
        if before is not None:
            self._awaited[before] -= 1
        self._to_act[planned.number] = player
        self._awaited[player] += 1

    def ended(self, planned: PlannedMatch) -> None:
        """Give back the slot of a match that was taken."""
        if (player := self._to_act.pop(planned.number, None)) is not None:
            self._awaited[player] -= 1
        self._in_flight[planned.a] -= 1
        self._in_flight[planned.b] -= 1

    def put_back(self, planned: PlannedMatch) -> None:
        """Let a match wait once more: until about as many have begun as there are slots, and every pairing had a pair.

        So a match that always fails meets its players only now and then, and a pair is not left open for long.
        """
        pairing = (planned.a, planned.b)
        place = self._reached + max(self._slots, 2 * len(self._lines)) + 1
        if pairing not in self._lines:
            self._lines[pairing] = deque()
            self._count_players()
        line = self._lines[pairing]
        index = next((index for index, (other, _) in enumerate(line) if other > place), len(line))
        line.insert(index, (place, planned))
        if index == 0:
            heappush(self._heads, (place, pairing))

    def drop(self, player: str) -> list[PlannedMatch]:
        """Take out every match of the player."""
        dropped = [line for pairing, line in self._lines.items() if player in pairing]
        self._lines = {pairing: line for pairing, line in self._lines.items() if player not in pairing}
        self._count_players()
        return [planned for line in dropped for _, planned in line]

    def _is_first(self, place: int, pairing: Pairing) -> bool:
        return pairing in self._lines and self._lines[pairing][0][0] == place

    def _take_first(self, pairing: Pairing) -> PlannedMatch:
        line = self._lines[pairing]
        place, planned = line.popleft()
        self._reached = max(self._reached, place)
        if line:
            heappush(self._heads, (line[0][0], pairing))
        else:
            del self._lines[pairing]
            self._count_players()
        return planned

    def _count_players(self) -> None:
        self._players = {player for pairing in self._lines for player in pairing}

    def _excess(self, player: str) -> tuple[int, int]:
        """By how much it would be over its share with one match more: of those that wait for it, and of all its own."""
        players = len(self._players)
        waited_for = self._awaited[player] + 1 - max(1, self._slots // players)
        in_flight = self._in_flight[player] + 1 - max(1, 2 * self._slots // players)
        return (max(0, waited_for), max(0, in_flight))

    def _least_excess(self) -> Pairing:
        """The pairing whose worse player is least over its share, then whose other one is, then in the order."""
        excess = {player: self._excess(player) for player in self._players}

        def cost(pairing: Pairing) -> tuple[tuple[int, int], tuple[int, int], int]:
            a, b = excess[pairing[0]], excess[pairing[1]]
            return (max(a, b), min(a, b), self._lines[pairing][0][0])

        return min(self._lines, key=cost)
