"""Damage that SQLite does not see, or mends by dropping what it cannot read: found before anything is written.

Looked for when a run's database is opened to be written; the last two also before a finished run is shown.

- A database that is empty although its run was at work: SQLite would begin it anew.
- The write-ahead log of a killed job: SQLite ends reading it at the first frame with a wrong checksum, without a word,
  and throws away all that follows.
- Indices that do not fit their tables: a match that an index misses would be played again.
- The rows of matches and measures: each has a checksum, as a byte that changes inside a text or a number is no error to
  SQLite. Rows of an older program have none and are taken as they are.

The format of the log is that of https://www.sqlite.org/fileformat2.html, section 4.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import chain, groupby
from pathlib import Path
from typing import Any

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.runs.rows import MatchRow, TruthRow, TurnRow
from arena.runs.schema import corrupt, open_read_only, plain_errors, table_names

MATCH, TRUTH = "match", "ground_truth"
"""Tables whose rows have checksums; a match's covers its turns."""

_SMALLEST = 512
"""Bytes of SQLite's smallest page."""
_LOG_HEADER = struct.Struct(">8I")
_FRAME_HEADER = struct.Struct(">6I")
_MAGIC = (0x377F0682, 0x377F0683)
"""The second where checksums read their words as big-endian."""


def check_files(path: Path) -> None:
    """Look at the database's files before SQLite does. Raises ArenaError where they are damaged."""
    log = path.with_name(f"{path.name}-wal")
    try:
        size = path.stat().st_size if path.exists() else 0
        text = log.read_bytes() if log.exists() else b""
        begun = any(file.stat().st_size for file in path.parent.glob("logs/attempt_*/job.log"))
    except OSError as error:
        raise ArenaError(f"{path} cannot be read: {error.strerror}.") from error
    if size < _SMALLEST and (size or text or begun):
        raise corrupt(path, "it ends too early" if size else "it is empty, yet the run was at work")
    if len(text) > _LOG_HEADER.size and not _is_whole(text):
        raise corrupt(log, "it fails its checksums")


def _is_whole(log: bytes) -> bool:
    """Whether SQLite would read all that was committed to this log.

    Behind the frame at which it ends may be older ones, which have other salts, and ones that were never committed. A
    frame there that ends a transaction, and whose checksum follows from the frame before it, was committed and is lost.
    """
    magic, _, page, _, *rest = _LOG_HEADER.unpack_from(log)
    order = ">" if magic == _MAGIC[1] else "<"
    if magic not in _MAGIC or page < 512 or _checksum(log[:24], (0, 0), order) != tuple(rest[2:]):
        return len(log) < _LOG_HEADER.size + _FRAME_HEADER.size
    salts, read, ended = rest[:2], tuple(rest[2:]), False
    written = read
    for start in range(_LOG_HEADER.size, len(log) - _FRAME_HEADER.size - page + 1, _FRAME_HEADER.size + page):
        _, commits, *marks = _FRAME_HEADER.unpack_from(log, start)
        follows = [_frame_sum(log, start, page, sums, order) for sums in dict.fromkeys((read, written))]
        whole = marks[:2] == salts and tuple(marks[2:]) in follows
        if ended and whole and commits:
            return False
        ended = ended or not whole
        # What this frame's checksum should be, and what it says: one byte may have changed either.
        read, written = follows[0], tuple(marks[2:])
    return True


def _frame_sum(log: bytes, start: int, page: int, sums: tuple[int, ...], order: str) -> tuple[int, int]:
    body = start + _FRAME_HEADER.size
    return _checksum(log[body : body + page], _checksum(log[start : start + 8], sums, order), order)


def _checksum(data: bytes, sums: tuple[int, ...], order: str) -> tuple[int, int]:
    """SQLite's running checksum over 32-bit words, two at a time."""
    first, second = sums
    for one, other in struct.iter_unpack(f"{order}2I", data):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second


# Rows.

Row = MatchRow | TurnRow | TruthRow
_KINDS: tuple[type[Row], ...] = (MatchRow, TurnRow, TruthRow)
_COLUMNS = {kind: [field for field in fields(kind) if field.name != "id"] for kind in _KINDS}
_REALS = {kind: {place for place, one in enumerate(_COLUMNS[kind]) if one.type == "float"} for kind in _KINDS}


def checksum(kind: type[Row], values: Sequence[Any], before: int = 0) -> int:
    """Of a row's values as they are stored, going on from the checksum of the rows before it.

    Empty values at the end do not count, so that columns added later change nothing.
    """
    words = list(map(str, values))
    for place in _REALS[kind]:
        words[place] = str(float(values[place]) + 0.0)
    while words and words[-1] in ("", "None"):
        words.pop()
    return zlib.crc32("\x1f".join(words).encode("utf-8", "replace"), before)


def check_rows(db: sqlite3.Connection, path: Path) -> None:
    """Compare every row that has a checksum with it. Raises ArenaError at the first that differs."""
    if "checksum" not in table_names(db):
        return
    known = dict[tuple[str, int], int]()
    for table, row, value in db.execute("SELECT kind, row, value FROM checksum"):
        known[table, row] = value
    try:
        for table, row, value in chain(_matches(db), _truths(db)):
            if known.get((table, row), value) != value:
                raise corrupt(path, f"row {row} of {table} fails its checksum")
    except (TypeError, ValueError) as error:
        raise corrupt(path, f"a row holds what it cannot hold ({one_line(str(error), 80)})") from error


def _matches(db: sqlite3.Connection) -> Iterator[tuple[str, int, int]]:
    sums = {row: checksum(MatchRow, values) for row, *values in _rows(db, "id", MatchRow, "match")}
    for match, turns in groupby(_rows(db, "match_id", TurnRow, "turn"), key=lambda row: row[0]):
        for turn in turns:
            sums[match] = checksum(TurnRow, turn[1:], sums.get(match, 0))
    for row, value in sums.items():
        yield MATCH, row, value


def _truths(db: sqlite3.Connection) -> Iterator[tuple[str, int, int]]:
    for row, *values in _rows(db, "id", TruthRow, "ground_truth"):
        yield TRUTH, row, checksum(TruthRow, values)


def _rows(db: sqlite3.Connection, key: str, kind: type[Row], table: str) -> sqlite3.Cursor:
    """The key and all columns, in the order in which rows were stored; columns not there yet are left out."""
    there = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
    names = [column.name for column in _COLUMNS[kind] if column.name in there]
    return db.execute(f"SELECT {', '.join([key, *names])} FROM {table} ORDER BY id")


def check_run(path: Path) -> None:
    """Look at a whole database without writing. Raises ArenaError where it is damaged."""
    if not path.is_file() or not path.stat().st_size:
        return
    with plain_errors(path):
        db = open_read_only(path)
        try:
            db.execute("BEGIN")
            check_integrity(db, path)
            check_rows(db, path)
        finally:
            db.close()


def check_integrity(db: sqlite3.Connection, path: Path) -> None:
    """SQLite's own check, of indices too: matches are looked up in one. Raises ArenaError where it finds a fault."""
    verdict = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        raise corrupt(path, " ".join(str(verdict).split()))
