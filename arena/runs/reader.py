"""`run.db` as any number of readers see it, while its job writes it or after.

A reader never writes, and never blocks the writer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from arena.core.errors import ArenaError
from arena.core.ledger import Account
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
from arena.runs.schema import check_version, column_names, open_read_only, plain_errors, table_names

R = TypeVar("R", bound=Row)


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
        self._lacking = {(TurnRow, name) for name in columns(TurnRow) if name not in there}
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
