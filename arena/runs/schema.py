"""The tables of `run.db`, and what SQLite's errors mean in words."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line

VERSION = 1

TABLES = """
CREATE TABLE meta (version INTEGER NOT NULL);
CREATE TABLE match (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    number INTEGER NOT NULL, step INTEGER NOT NULL,
    game TEXT NOT NULL, a TEXT NOT NULL, b TEXT NOT NULL, pair INTEGER NOT NULL, leg INTEGER NOT NULL,
    key INTEGER NOT NULL, return_a REAL NOT NULL, return_b REAL NOT NULL, forfeit TEXT NOT NULL,
    turns INTEGER NOT NULL, voids INTEGER NOT NULL, seconds REAL NOT NULL, board TEXT NOT NULL, at REAL NOT NULL,
    UNIQUE (game, a, b, pair, leg)
);
CREATE TABLE turn (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    match_id INTEGER NOT NULL REFERENCES match (id),
    turn INTEGER NOT NULL, attempt INTEGER NOT NULL, seat INTEGER NOT NULL,
    observation TEXT NOT NULL, thought TEXT NOT NULL, answer TEXT NOT NULL, text TEXT NOT NULL,
    action TEXT, illegal TEXT NOT NULL, finish_reason TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,
    seconds REAL NOT NULL, board TEXT NOT NULL,
    thought_source TEXT NOT NULL DEFAULT '', thought_kind TEXT NOT NULL DEFAULT '',
    UNIQUE (match_id, turn, attempt)
);
CREATE TABLE partial (
    slot INTEGER PRIMARY KEY, step INTEGER NOT NULL,
    game TEXT NOT NULL, a TEXT NOT NULL, b TEXT NOT NULL, pair INTEGER NOT NULL, leg INTEGER NOT NULL,
    turn INTEGER NOT NULL, seat INTEGER NOT NULL, text TEXT NOT NULL, board TEXT NOT NULL, turns TEXT NOT NULL,
    at REAL NOT NULL
);
CREATE TABLE metric (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    step INTEGER NOT NULL, name TEXT NOT NULL, game TEXT NOT NULL, role TEXT NOT NULL, opponent TEXT NOT NULL,
    value REAL, low REAL, high REAL, n INTEGER, at REAL NOT NULL
);
CREATE INDEX metric_by_name ON metric (name, step);
CREATE TABLE rating (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    step INTEGER NOT NULL, game TEXT NOT NULL, player TEXT NOT NULL,
    rating REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL, detail TEXT NOT NULL,
    UNIQUE (step, game, player)
);
CREATE TABLE ground_truth (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    step INTEGER NOT NULL, player TEXT NOT NULL, game TEXT NOT NULL, measure TEXT NOT NULL,
    value REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL, n INTEGER NOT NULL, detail TEXT NOT NULL,
    UNIQUE (step, player, game, measure)
);
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    step INTEGER NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL, detail TEXT NOT NULL, at REAL NOT NULL
);
CREATE TABLE health (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    step INTEGER NOT NULL, name TEXT NOT NULL, level TEXT NOT NULL, message TEXT NOT NULL, value REAL, at REAL NOT NULL
);
"""

ADDED_TABLES = """
CREATE TABLE IF NOT EXISTS ask (
    slot INTEGER PRIMARY KEY, number INTEGER NOT NULL,
    game TEXT NOT NULL, a TEXT NOT NULL, b TEXT NOT NULL, status TEXT NOT NULL,
    seat INTEGER NOT NULL, role TEXT NOT NULL, turn INTEGER NOT NULL, attempt INTEGER NOT NULL,
    observation TEXT NOT NULL, board TEXT NOT NULL, rules TEXT NOT NULL, legal TEXT NOT NULL,
    illegal TEXT NOT NULL, note TEXT NOT NULL, moves TEXT NOT NULL, undo INTEGER NOT NULL, undos INTEGER NOT NULL,
    hidden INTEGER NOT NULL, returns TEXT NOT NULL, seen INTEGER NOT NULL, at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS checksum (
    kind TEXT NOT NULL, row INTEGER NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (kind, row)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spend (
    player TEXT PRIMARY KEY, model TEXT NOT NULL, requests INTEGER NOT NULL, retries INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,
    cost REAL, at REAL NOT NULL
);
"""
"""Tables that a database of this version may lack: its writer adds them, its readers find nothing."""
ADDED = frozenset(re.findall(r"EXISTS (\w+)", ADDED_TABLES))

ADDED_COLUMNS = {"turn": ("thought_source TEXT NOT NULL DEFAULT ''", "thought_kind TEXT NOT NULL DEFAULT ''")}
"""Columns that they may lack in the same way."""

STEPPED = ("match", "partial", "metric", "rating", "ground_truth", "event", "health")
"""Tables whose rows belong to a training step."""


def create_tables(db: sqlite3.Connection, tables: str = TABLES, version: int = VERSION) -> None:
    """Create all tables in one transaction, unless another did: a kill leaves either all of them or none."""
    with db:
        db.execute("BEGIN IMMEDIATE")
        if "meta" in table_names(db):
            return
        _execute_all(db, tables)
        db.execute("INSERT INTO meta (version) VALUES (?)", (version,))


def add_what_is_missing(db: sqlite3.Connection) -> None:
    """Create the tables of `ADDED_TABLES` that are not there, and with them the columns of `ADDED_COLUMNS`."""
    if table_names(db) >= ADDED:
        return
    missing = [
        (table, column)
        for table, columns in ADDED_COLUMNS.items()
        for column in columns
        if column.partition(" ")[0] not in column_names(db, table)
    ]
    with db:
        db.execute("BEGIN IMMEDIATE")
        _execute_all(db, ADDED_TABLES)
        for table, column in missing:
            db.execute(f"ALTER TABLE {table} ADD COLUMN {column}")


def _execute_all(db: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";"):
        if statement.strip():
            db.execute(statement)


def table_names(db: sqlite3.Connection) -> set[str]:
    return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def column_names(db: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in db.execute(f"PRAGMA table_info({table})")}


def check_version(db: sqlite3.Connection, path: Path, version: int = VERSION) -> None:
    """Raise ArenaError unless the database is one of ours and of this version."""
    if "meta" not in table_names(db):
        raise corrupt(path, "it is no run database")
    row = db.execute("SELECT version FROM meta").fetchone()
    if row is None or not isinstance(row[0], int):
        raise corrupt(path, "it names no version")
    if row[0] > version:
        raise ArenaError(
            f"{path} has schema version {row[0]}; this program reads {version}.", "Use a newer spiral-arena for it."
        )
    if row[0] < version:
        raise ArenaError(f"{path} has schema version {row[0]}; this program reads {version}.")


def corrupt(path: Path, reason: str) -> ArenaError:
    return ArenaError(f"{path} is damaged ({reason}).", "Nothing was overwritten; restore it from a copy.")


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open without the right to write; a directory that is itself read-only has no WAL to read."""
    address = f"file:{quote(os.fsencode(path.absolute()))}?mode=ro"
    db = sqlite3.connect(address, uri=True, check_same_thread=False)
    try:
        db.execute("PRAGMA busy_timeout = 2000")
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        db.close()
        if path.with_name(path.name + "-wal").exists():
            raise
        return sqlite3.connect(f"{address}&immutable=1", uri=True, check_same_thread=False)
    return db


def storable(value: Any) -> Any:
    """Lone surrogates, which a server's JSON can smuggle in, have no UTF-8 form: they become "?"."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "replace").decode("utf-8")
    return value


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into one clear line each."""
    try:
        yield
    except sqlite3.Error as error:
        raise _in_words(path, error) from error
    except UnicodeDecodeError as error:
        raise corrupt(path, "it holds what is no text") from error


def _in_words(path: Path, error: sqlite3.Error) -> ArenaError:
    text = one_line(str(error))
    folder = path.parent
    if "full" in text:
        return ArenaError(f"No space left for {path}.", f"Free some, then resume {folder}; what was stored is kept.")
    if "readonly" in text or "read-only" in text:
        return ArenaError(f"{path} cannot be written.", "Check its permissions, then resume.")
    if "unable to open" in text:
        return ArenaError(f"{path} cannot be opened.", f"Check that {folder} exists and its permissions.")
    if "locked" in text:
        return ArenaError(f"{path} is locked by another program.", "Close it, then try again.")
    if "disk I/O" in text:
        return ArenaError(f"Reading or writing {path} failed ({text}).", f"Check the disk, then resume {folder}.")
    if "malformed" in text or "not a database" in text or "not decode" in text or "unsupported file" in text:
        return corrupt(path, text)
    return ArenaError(f"{path}: {text}.")
