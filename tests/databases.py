"""Databases of runs as tests look into them and tamper with them. Every connection that is opened here is closed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def changing(path: Path) -> Iterator[sqlite3.Connection]:
    """The database to be changed: committed at the end, not where the test failed."""
    with closing(sqlite3.connect(path, timeout=20)) as db, db:
        yield db


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The database without the right to write. Raises sqlite3.OperationalError where there is none."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        yield db


def read_rows(path: Path, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of a query. Raises sqlite3.OperationalError where there is no database, or no such table."""
    with reading(path) as db:
        return db.execute(query, values).fetchall()
