"""Distinct games: how many of a meeting's matches differ, and when so few do that an interval promises too much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arena.runs.rows import MatchRow

_OFTEN = 4
"""So often on average each distinct game was played, where a warning is due."""
_FEW, _FEW_WITH_CHANCE = 20, 2
"""No more distinct games than this, where a warning is due. Where dice or cards are drawn anew for every pair, games
that come again are no sign of players that always do the same, unless there are no more than one for each seat."""


def count_distinct(pairs: Sequence[tuple[MatchRow, MatchRow]], transcripts: Mapping[int, bytes]) -> int | None:
    """Matches of one meeting that differ in a's seat, the first position, an action, a later position or the forfeit.

    None where a match has no transcript.
    """
    matches = [match for pair in pairs for match in pair]
    if any(match.id not in transcripts for match in matches):
        return None
    return len({(match.leg, match.forfeit, match.board, transcripts[match.id]) for match in matches})


def is_few(distinct: int | None, matches: int, chance: bool) -> bool:
    """Whether the interval over so many matches rests on the same few games; `chance` is the game's."""
    if distinct is None:
        return False
    return distinct * _OFTEN <= matches and distinct <= (_FEW_WITH_CHANCE if chance else _FEW)


def few_distinct(row: Mapping[str, Any], chance: bool) -> list[dict[str, Any]]:
    """The warning about a line of `results`, if one is due."""
    matches = 2 * row["pairs"]
    if not is_few(row["distinct"], matches, chance):
        return []
    found = {"kind": "few_distinct", **{name: row[name] for name in ("game", "a", "b")}}
    games = f"{row['distinct']} distinct game{'s' * (row['distinct'] != 1)}"
    text = f"{row['game']}, {row['a']} against {row['b']}: {matches} matches are {games}; the interval pretends more."
    hint = " Play from openings (--openings), or with players that vary (?temperature=1)."
    return [{**found, "matches": matches, "distinct": row["distinct"], "message": text + hint}]
