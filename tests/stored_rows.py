"""What a run has stored, but for ids and times: the same however often it was killed and resumed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from databases import read_rows

from arena.runs.paths import DB_NAME
from arena.runs.reader import RunReader
from arena.runs.rows import MatchRow, TruthRow, TurnRow

Matches = list[tuple[MatchRow, list[TurnRow]]]
Rows = tuple[Matches, list[TruthRow]]


def match_rows(run_dir: Path) -> Matches:
    """Every match with its turns, in the order of the schedule."""
    with RunReader(run_dir) as reader:
        return timeless(reader, reader.all_matches())


def rows(run_dir: Path) -> Rows:
    """Every match with its turns, in the order of the schedule, and every measure against the ground truth."""
    with RunReader(run_dir) as reader:
        truths = sorted(reader.truths(), key=lambda row: (row.game, row.player, row.measure))
        return timeless(reader, reader.all_matches()), truths


def timeless(reader: RunReader, matches: Iterable[MatchRow]) -> Matches:
    """These matches, each with its turns and without ids and times."""
    return [
        (replace(match, id=0, at=0.0, seconds=0.0), [replace(turn, seconds=0.0) for turn in reader.turns(match.id)])
        for match in matches
    ]


def count_matches(run_dir: Path) -> int:
    """Matches in the database right now; 0 where there is none yet."""
    try:
        ((count,),) = read_rows(run_dir / DB_NAME, "SELECT count(*) FROM match")
    except sqlite3.OperationalError:
        return 0
    return int(count)
