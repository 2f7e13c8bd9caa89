"""The largest matching of a graph: as many of its edges as can be chosen so that no two share an end.

Edmonds' blossom algorithm (Edmonds 1965): a matching can grow where a path alternates between edges outside and inside
it and begins and ends free; cycles of odd length met on the search for one are shrunk to a single place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

_NONE = -1

Graph = Sequence[Sequence[int]]
"""The neighbours of each place, by number from 0; a place that is a neighbour of another has it as its own."""


def matching_size(graph: Graph) -> int:
    """How many edges a largest matching has; O(n³) at worst."""
    if not graph:
        return 0
    if 2 * min(map(len, graph)) >= len(graph):
        return len(graph) // 2  # Dirac 1952: a cycle goes through all places
    mates = _greedy(graph)
    for root in range(len(graph)):
        if mates[root] == _NONE:
            _grow(graph, mates, root)
    return sum(mate != _NONE for mate in mates) // 2


def _greedy(graph: Graph) -> list[int]:
    mates = [_NONE] * len(graph)
    for place, others in enumerate(graph):
        if mates[place] == _NONE:
            for other in others:
                if mates[other] == _NONE:
                    mates[place], mates[other] = other, place
                    break
    return mates


def _grow(graph: Graph, mates: list[int], root: int) -> None:
    """Add an edge to the matching by a path from the free place `root`, if there is one."""
    search = _Search(mates, root)
    while search.queue:
        place = search.queue.popleft()
        for other in graph[place]:
            if search.base[place] == search.base[other] or mates[place] == other:
                continue
            if search.is_outer(other):
                search.shrink(place, other)
            elif search.parents[other] == _NONE:
                search.parents[other] = place
                if mates[other] == _NONE:
                    _flip(mates, search.parents, other)
                    return
                search.reach(mates[other])


def _flip(mates: list[int], parents: Sequence[int], end: int) -> None:
    """Swap the edges outside and inside the matching along the path that was found."""
    while end != _NONE:
        before = parents[end]
        following = mates[before]
        mates[end], mates[before] = before, end
        end = following


class _Search:
    """A breadth-first search for a path; outer places are those an even number of edges from the root."""

    def __init__(self, mates: Sequence[int], root: int) -> None:
        self._mates, self._root = mates, root
        self.base = list(range(len(mates)))
        """Each place's odd cycle, by the place where that hangs on the tree; a place on none is its own."""
        self.parents = [_NONE] * len(mates)
        self._outer = [False] * len(mates)
        self.queue: deque[int] = deque()
        self.reach(root)

    def reach(self, place: int) -> None:
        self._outer[place] = True
        self.queue.append(place)

    def is_outer(self, place: int) -> bool:
        return self._outer[place]

    def shrink(self, one: int, other: int) -> None:
        """Join the odd cycle that the edge between two outer places closes."""
        top = self._meeting(one, other)
        inside: set[int] = set()
        self._descend(one, top, other, inside)
        self._descend(other, top, one, inside)
        for place, base in enumerate(self.base):
            if base in inside:
                self.base[place] = top
                if not self._outer[place]:
                    self.reach(place)

    def _meeting(self, one: int, other: int) -> int:
        """Where the ways of two places to the root meet."""
        seen: set[int] = set()
        place = self.base[one]
        seen.add(place)
        while place != self._root and self._mates[place] != _NONE:
            place = self.base[self.parents[self._mates[place]]]
            seen.add(place)
        place = self.base[other]
        while place not in seen:
            place = self.base[self.parents[self._mates[place]]]
        return place

    def _descend(self, place: int, top: int, child: int, inside: set[int]) -> None:
        """Note the cycles between a place and the top, and let their inner places be reached from the other side."""
        while self.base[place] != top:
            mate = self._mates[place]
            inside |= {self.base[place], self.base[mate]}
            self.parents[place] = child
            child = mate
            place = self.parents[mate]
