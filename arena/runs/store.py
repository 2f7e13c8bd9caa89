"""`run.db` as its one writer, the job, fills it; `reader.py` is the other side.

SQLite in WAL mode: readers never block the writer, and what was committed survives a kill. A match is
written with all its turns in one transaction, and a UNIQUE key makes a second copy impossible.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from arena.core.ledger import Account
from arena.runs.damage import MATCH, TRUTH, check_files, check_integrity, check_rows, checksum
from arena.runs.paths import DB_NAME
from arena.runs.rows import (
    AskRow,
    EventRow,
    HealthRow,
    MatchRow,
    MetricRow,
    PartialRow,
    RatingRow,
    Row,
    TruthRow,
    TurnRow,
    columns,
)
from arena.runs.schema import (
    STEPPED,
    add_what_is_missing,
    check_version,
    create_tables,
    plain_errors,
    storable,
    table_names,
)

COMMIT_SECONDS = 0.25
"""Batched rows (metrics, events, health) are committed at most this often."""


def _insert(table: str, kind: type[Row], verb: str = "INSERT", extra: Sequence[str] = ()) -> str:
    names = [*extra, *columns(kind)]
    return f"{verb} INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def _values(row: Row) -> tuple[Any, ...]:
    return tuple(storable(getattr(row, name)) for name in columns(type(row)))


_INSERT_MATCH = _insert("match", MatchRow)
_INSERT_TURN = _insert("turn", TurnRow, extra=("match_id",))
_BATCHED: dict[type[Row], str] = {
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
