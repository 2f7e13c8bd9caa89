"""Write and read `run.db`: one writer (`RunStore`), any number of readers (`RunReader`).

SQLite in WAL mode: readers never block the writer, and what was committed survives a kill. A match is
written with all its turns in one transaction, and a UNIQUE key makes a second copy impossible.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self, TypeVar

from arena.core.errors import ArenaError
from arena.core.ledger import Account
from arena.runs.damage import MATCH, TRUTH, check_files, check_integrity, check_rows, checksum
from arena.runs.rows import (
    AskRow,
    EventRow,
    HealthRow,
    MatchRow,
    MetricRow,
    PartialRow,
    RatingRow,
    TruthRow,
    TurnRow,
)
from arena.runs.schema import (
    STEPPED,
    add_what_is_missing,
    check_version,
    column_names,
    create_tables,
    open_read_only,
    plain_errors,
    storable,
    table_names,
)

DB_NAME = "run.db"
COMMIT_SECONDS = 0.25
"""Batched rows (metrics, events, health) are committed at most this often."""


class _Row(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


R = TypeVar("R", bound=_Row)


@cache
def _columns(kind: type[_Row]) -> list[str]:
    return [field.name for field in fields(kind) if field.name != "id"]


def _insert(table: str, kind: type[_Row], verb: str = "INSERT", extra: Sequence[str] = ()) -> str:
    names = [*extra, *_columns(kind)]
    return f"{verb} INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def _values(row: _Row) -> tuple[Any, ...]:
    return tuple(storable(getattr(row, name)) for name in _columns(type(row)))


_INSERT_MATCH = _insert("match", MatchRow)
_INSERT_TURN = _insert("turn", TurnRow, extra=("match_id",))
_BATCHED: dict[type[_Row], str] = {
    MetricRow: _insert("metric", MetricRow),
    EventRow: _insert("event", EventRow),
    HealthRow: _insert("health", HealthRow),
}
_INSERT_PARTIAL = _insert("partial", PartialRow, verb="INSERT OR REPLACE")
_INSERT_ASK = _insert("ask", AskRow, verb="INSERT OR REPLACE")
_INSERT_RATING = _insert("rating", RatingRow, verb="INSERT OR REPLACE")
_INSERT_TRUTH = _insert("ground_truth", TruthRow, verb="INSERT OR REPLACE")
_INSERT_SPEND = _insert("spend", Account, verb="INSERT OR REPLACE", extra=("at",))
_INSERT_CHECKSUM = "INSERT OR REPLACE INTO checksum (kind, row, value) VALUES (?, ?, ?)"


class RunStore:
    """The one writer of a run's database. Take the run's lock before opening it.

    Every method raises ArenaError with one clear line where the disk is full, read-only or the file damaged.
    """

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir / DB_NAME
        self._pending: list[MetricRow | EventRow | HealthRow] = []
        self._committed = time.monotonic()
        check_files(self.path)
        with plain_errors(self.path):
            self._db = sqlite3.connect(self.path, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        names = table_names(self._db)
        if names:
            check_version(self._db, self.path)
            check_integrity(self._db, self.path)
            check_rows(self._db, self.path)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA busy_timeout = 5000")
        if not names:
            create_tables(self._db)
        add_what_is_missing(self._db)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what is pending and close."""
        try:
            self.flush()
        finally:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction, which also carries the pending batched rows."""
        with plain_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for row in self._pending:
                    self._db.execute(_BATCHED[type(row)], _values(row))
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        self._pending.clear()
        self._committed = time.monotonic()

    def add_match(self, match: MatchRow, turns: Sequence[TurnRow]) -> None:
        """Store one finished match with all its turns. Raises ArenaError if it is stored already."""
        self.add_matches([(match, turns)])

    def add_matches(self, matches: Iterable[tuple[MatchRow, Sequence[TurnRow]]]) -> None:
        """Store several finished matches in one transaction."""
        with self._transaction() as db:
            for match, turns in matches:
                _put_match(db, match, turns)

    def add_metrics(self, rows: Iterable[MetricRow]) -> None:
        """Keep figures for the next commit, at most four a second; `flush` commits at once."""
        self._batch(rows)

    def add_event(self, kind: str, message: str, step: int = 0, detail: str = "{}", now: bool = True) -> None:
        """Note what happened to the run; committed at once unless `now` is false."""
        self._batch([EventRow(kind, message, step, detail)])
        if now:
            self.flush()

    def add_health(self, rows: Iterable[HealthRow]) -> None:
        self._batch(rows)

    def _batch(self, rows: Iterable[MetricRow] | Iterable[EventRow] | Iterable[HealthRow]) -> None:
        now = time.time()
        self._pending.extend(row if row.at else replace(row, at=now) for row in rows)
        if time.monotonic() - self._committed >= COMMIT_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Commit pending rows."""
        if self._pending:
            with self._transaction():
                pass

    def set_partial(self, row: PartialRow) -> None:
        """Show a featured match as it stands; replaces what its slot held."""
        self.set_partials([row])

    def set_partials(self, rows: Iterable[PartialRow]) -> None:
        """Show several featured matches as they stand, in one transaction."""
        with self._transaction() as db:
            for row in rows:
                _put_partial(db, row)

    def grow_partial(self, slot: int, text: str) -> None:
        """Show more of the reply that a slot's match waits for."""
        with self._transaction() as db:
            db.execute("UPDATE partial SET text = ?, at = ? WHERE slot = ?", (storable(text), time.time(), slot))

    def set_ask(self, ask: AskRow, partial: PartialRow) -> None:
        """Show a match with a human as it stands, to the human and to spectators: both or neither."""
        with self._transaction() as db:
            _put_partial(db, partial)
            _put_ask(db, ask)

    def end_ask(self, ask: AskRow, match: MatchRow, turns: Sequence[TurnRow]) -> None:
        """Store a finished match with a human, show its end and give its slot back: all or nothing."""
        with self._transaction() as db:
            _put_match(db, match, turns)
            _put_ask(db, ask)
            db.execute("DELETE FROM partial WHERE slot = ?", (ask.slot,))

    def clear_partials(self) -> None:
        with self._transaction() as db:
            db.execute("DELETE FROM partial")

    def set_ratings(self, rows: Sequence[RatingRow]) -> None:
        """Replace the ratings of each row's (step, game, player)."""
        with self._transaction() as db:
            db.executemany(_INSERT_RATING, [_values(row) for row in rows])

    def set_spends(self, accounts: Iterable[Account]) -> None:
        """Replace what each account's player has spent."""
        now = time.time()
        with self._transaction() as db:
            db.executemany(_INSERT_SPEND, [(now, *_values(account)) for account in accounts])

    def set_truths(self, rows: Sequence[TruthRow]) -> None:
        """Store measures, all in one transaction; replaces those of the same (step, player, game, measure)."""
        with self._transaction() as db:
            for row in rows:
                values = _values(row)
                id = db.execute(_INSERT_TRUTH, values).lastrowid
                db.execute(_INSERT_CHECKSUM, (TRUTH, id, checksum(TruthRow, values)))

    def drop_after(self, step: int) -> None:
        """Delete every row of a later training step: what a resume from a checkpoint does again."""
        self._pending = [row for row in self._pending if row.step <= step]
        with self._transaction() as db:
            db.execute("DELETE FROM turn WHERE match_id IN (SELECT id FROM match WHERE step > ?)", (step,))
            for table in STEPPED:
                db.execute(f"DELETE FROM {table} WHERE step > ?", (step,))
            for table in (MATCH, TRUTH):
                db.execute(f"DELETE FROM checksum WHERE kind = ? AND row NOT IN (SELECT id FROM {table})", (table,))


def _put_match(db: sqlite3.Connection, match: MatchRow, turns: Sequence[TurnRow]) -> None:
    values = _values(match if match.at else replace(match, at=time.time()))
    id = db.execute(_INSERT_MATCH, values).lastrowid
    rows = [_values(turn) for turn in turns]
    db.executemany(_INSERT_TURN, [(id, *row) for row in rows])
    whole = checksum(MatchRow, values)
    for row in rows:
        whole = checksum(TurnRow, row, whole)
    db.execute(_INSERT_CHECKSUM, (MATCH, id, whole))


def _put_partial(db: sqlite3.Connection, row: PartialRow) -> None:
    db.execute(_INSERT_PARTIAL, _values(row if row.at else replace(row, at=time.time())))


def _put_ask(db: sqlite3.Connection, row: AskRow) -> None:
    db.execute(_INSERT_ASK, _values(row if row.at else replace(row, at=time.time())))


class NoRows(ArenaError):
    """A run whose job has not stored anything yet."""


class RunReader:
    """Reads a run's database without ever writing or blocking its writer.

    The paging readers return rows with `id > after_id`, oldest first, at most `limit`.
    """

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir / DB_NAME
        if not self.path.is_file():
            raise NoRows(f"{run_dir} has no {DB_NAME} yet.", "The job creates it when it starts.")
        if not self.path.stat().st_size:
            # Not even looked into: SQLite deletes the log of an empty database.
            raise NoRows(f"{self.path} is empty.", "Resume the run: its job was killed at once, or says what is wrong.")
        with plain_errors(self.path):
            self._db = open_read_only(self.path)
            try:
                if not table_names(self._db):
                    raise NoRows(f"{self.path} is empty yet.", "Its job was killed at once; resume the run.")
                check_version(self._db, self.path)
                there = column_names(self._db, "turn")
            except BaseException:
                self._db.close()
                raise
        self._lacking = {(TurnRow, name) for name in _columns(TurnRow) if name not in there}
        """Columns that an older program did not write."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def matches(self, after_id: int = 0, limit: int = 1000) -> list[MatchRow]:
        return self._page("match", MatchRow, after_id, limit)

    def all_matches(self) -> list[MatchRow]:
        """Every stored match in the order of the schedule, whatever order they finished in."""
        rows = self._select("SELECT {} FROM match ORDER BY number, id", MatchRow)
        return rows

    def meeting(
        self, game: str, players: tuple[str, str], after: tuple[int, int] = (-1, -1), limit: int = 1000
    ) -> list[MatchRow]:
        """Matches of two players in a game, whoever is a, with (pair, leg) > `after`, in that order."""
        query = "SELECT {} FROM match WHERE game = ? AND a = ? AND b = ? AND (pair, leg) > (?, ?)"
        query += " ORDER BY pair, leg LIMIT ?"
        for a, b in (players, players[::-1]):
            if rows := self._select(query, MatchRow, (game, a, b, *after, limit)):
                return rows
        return []

    def units(self) -> set[tuple[str, str, str, int, int]]:
        """The (game, a, b, pair, leg) of every stored match."""
        with plain_errors(self.path):
            return set(self._db.execute("SELECT game, a, b, pair, leg FROM match").fetchall())

    def turns(self, match_id: int) -> list[TurnRow]:
        """All replies of one match, in order."""
        return self._select("SELECT {} FROM turn WHERE match_id = ? ORDER BY id", TurnRow, (match_id,))

    def metrics(self, after_id: int = 0, limit: int = 1000, name: str = "") -> list[MetricRow]:
        """Figures, all of them or those called `name`."""
        if not name:
            return self._page("metric", MetricRow, after_id, limit)
        query = "SELECT {} FROM metric WHERE name = ? AND id > ? ORDER BY id LIMIT ?"
        return self._select(query, MetricRow, (name, after_id, limit))

    def recent_metrics(self, name: str, limit: int) -> list[MetricRow]:
        """The newest figures called `name`, oldest first."""
        query = "SELECT {} FROM metric WHERE name = ? ORDER BY step DESC, id DESC LIMIT ?"
        return self._select(query, MetricRow, (name, limit))[::-1]

    def all_metrics(self) -> list[MetricRow]:
        """Every stored figure, as they were stored."""
        return self._select("SELECT {} FROM metric ORDER BY id", MetricRow)

    def events(self, after_id: int = 0, limit: int = 1000) -> list[EventRow]:
        return self._page("event", EventRow, after_id, limit)

    def last_event(self, kinds: Sequence[str] = ()) -> EventRow | None:
        """The newest event, or the newest of these kinds."""
        where = f"WHERE kind IN ({', '.join('?' * len(kinds))})" if kinds else ""
        rows = self._select(f"SELECT {{}} FROM event {where} ORDER BY id DESC LIMIT 1", EventRow, tuple(kinds))
        return rows[0] if rows else None

    def health(self, after_id: int = 0, limit: int = 1000) -> list[HealthRow]:
        return self._page("health", HealthRow, after_id, limit)

    def partials(self) -> list[PartialRow]:
        return self._select("SELECT {} FROM partial ORDER BY slot", PartialRow)

    def ask(self) -> AskRow | None:
        """What a human at the match knows now; None where no human plays, or the match has not begun."""
        with plain_errors(self.path):
            if "ask" not in table_names(self._db):
                return None
        rows = self._select("SELECT {} FROM ask ORDER BY slot LIMIT 1", AskRow)
        return replace(rows[0], undo=bool(rows[0].undo), hidden=bool(rows[0].hidden)) if rows else None

    def ratings(self) -> list[RatingRow]:
        return self._select("SELECT {} FROM rating ORDER BY id", RatingRow)

    def truths(self) -> list[TruthRow]:
        """Ground-truth measures, in the order in which they were stored."""
        return self._select("SELECT {} FROM ground_truth ORDER BY id", TruthRow)

    def spends(self) -> list[Account]:
        """What each API player has spent; empty where none took part."""
        with plain_errors(self.path):
            if "spend" not in table_names(self._db):
                return []
        return self._select("SELECT {} FROM spend ORDER BY player", Account)

    def count(self, table: str) -> int:
        """Number of rows of a table."""
        with plain_errors(self.path):
            return int(self._db.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])

    def last_step(self) -> int:
        """The newest training step with a metric, 0 where there is none."""
        with plain_errors(self.path):
            return int(self._db.execute("SELECT coalesce(max(step), 0) FROM metric").fetchone()[0])

    def _page(self, table: str, kind: type[R], after_id: int, limit: int) -> list[R]:
        query = f"SELECT {{}} FROM {table} WHERE id > ? ORDER BY id LIMIT ?"
        return self._select(query, kind, (after_id, limit))

    def _select(self, query: str, kind: type[R], values: tuple[Any, ...] = ()) -> list[R]:
        names = [field.name for field in fields(kind) if (kind, field.name) not in self._lacking]
        with plain_errors(self.path):
            rows = self._db.execute(query.format(", ".join(names)), values).fetchall()
        return [kind(**dict(zip(names, row, strict=True))) for row in rows]
