"""The matches of two players, in pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from arena.runs.reader import NoRows, RunReader
from arena.runs.rows import MatchRow


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a page of matches ends: after this pair and leg of this game."""

    game: int = 0
    pair: int = -1
    leg: int = -1


@dataclass(frozen=True, slots=True)
class Page:
    """Some matches of two players, in the order of games, pairs and legs."""

    matches: tuple[MatchRow, ...]
    end: Place
    more: bool
    """There are more after these."""


def read_page(run_dir: Path, games: Sequence[str], players: tuple[str, str], after: Place, limit: int) -> Page:
    """At most `limit` matches of the two in the games, whoever was named first. Raises ArenaError."""
    found: list[MatchRow] = []
    place = after
    try:
        with RunReader(run_dir) as reader:
            while place.game < len(games) and len(found) <= limit:
                room = limit + 1 - len(found)
                rows = reader.meeting(games[place.game], players, (place.pair, place.leg), room)
                found += rows
                place = Place(place.game + 1)
    except NoRows:
        return Page((), after, False)
    shown = tuple(found[:limit])
    end = Place(games.index(shown[-1].game), shown[-1].pair, shown[-1].leg) if shown else after
    return Page(shown, end, len(found) > limit)
