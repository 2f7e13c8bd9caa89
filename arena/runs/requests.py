"""`control.db`: what people ask of a running job. Viewers alone write it, the job alone reads it.

A request is never changed or deleted. The job deals with requests in the order of their ids, each once, and notes in
its own `run.db` how far it has come. SQLite in WAL mode: neither side waits for the other.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from arena.core.errors import UsageError
from arena.runs.schema import check_version, create_tables, open_read_only, plain_errors, storable, table_names

CONTROL_NAME = "control.db"
VERSION = 1
MAX_TEXT = 10_000
"""Characters of a request's text."""
MOVE, UNDO, RESIGN = "move", "undo", "resign"

_TABLES = """
CREATE TABLE meta (version INTEGER NOT NULL);
CREATE TABLE request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, seat INTEGER NOT NULL, turn INTEGER NOT NULL, attempt INTEGER NOT NULL,
    text TEXT NOT NULL, at REAL NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, addressed to what its author saw: a move for another turn comes too late and changes nothing."""

    id: int
    kind: str
    """ "move", "undo", "resign", or what else a kind of job understands."""
    seat: int
    turn: int
    attempt: int
    text: str
    at: float
    """Unix time at which it was written."""


_COLUMNS = ", ".join(field.name for field in fields(Request))


class RequestStore:
    """Writes requests; creates the database where it is missing.

    Every method raises ArenaError with one clear line where the disk is full, read-only or the file damaged.
    """

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir / CONTROL_NAME
        with plain_errors(self.path):
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            try:
                self._db.execute("PRAGMA busy_timeout = 5000")
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = NORMAL")
                if not table_names(self._db):
                    create_tables(self._db, _TABLES, VERSION)
                check_version(self._db, self.path, VERSION)
            except BaseException:
                self._db.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def add(self, kind: str, seat: int = 0, turn: int = 0, attempt: int = 0, text: str = "") -> int:
        """Write a request; returns its id. Raises UsageError for a text that is too long."""
        if len(text) > MAX_TEXT:
            raise UsageError(f"That has {len(text)} characters.", f"Write at most {MAX_TEXT}.")
        query = "INSERT INTO request (kind, seat, turn, attempt, text, at) VALUES (?, ?, ?, ?, ?, ?)"
        with plain_errors(self.path):
            cursor = self._db.execute(query, (kind, seat, turn, attempt, storable(text), time.time()))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def move(self, seat: int, turn: int, attempt: int, text: str) -> int:
        """The seat's answer to an attempt of a turn."""
        return self.add(MOVE, seat, turn, attempt, text)

    def undo(self, seat: int, turn: int) -> int:
        """Take back the human's last decision before this turn."""
        return self.add(UNDO, seat, turn)

    def resign(self, seat: int) -> int:
        """Give up: the seat forfeits."""
        return self.add(RESIGN, seat)


class RequestReader:
    """Reads requests without ever writing. A file that is missing or still empty is nothing yet.

    Opens the file anew each time, as viewers come and go. Raises ArenaError for one that is damaged or of another
    version.
    """

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir / CONTROL_NAME

    def requests(self, after_id: int = 0, limit: int = 100) -> list[Request]:
        """Those with `id > after_id`, oldest first."""
        rows = self._read(f"SELECT {_COLUMNS} FROM request WHERE id > ? ORDER BY id LIMIT ?", after_id, limit)
        return [Request(*row) for row in rows]

    def last_id(self) -> int:
        """Id of the newest request, 0 where there is none."""
        rows = self._read("SELECT coalesce(max(id), 0) FROM request")
        return int(rows[0][0]) if rows else 0

    def _read(self, query: str, *values: int) -> list[tuple[Any, ...]]:
        if not self.path.is_file():
            return []
        with plain_errors(self.path):
            db = open_read_only(self.path)
            try:
                if not table_names(db):
                    return []
                check_version(db, self.path, VERSION)
                return db.execute(query, values).fetchall()
            finally:
                db.close()
