"""The database of a run that an older program began: it opens, reads and goes on, and nothing of it is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from databases import changing

from arena.core.ledger import Account
from arena.runs.paths import DB_NAME
from arena.runs.reader import RunReader
from arena.runs.rows import MatchRow, TurnRow
from arena.runs.store import RunStore

OLD = """
CREATE TABLE meta (version INTEGER NOT NULL);
INSERT INTO meta VALUES (1);
CREATE TABLE match (
    id INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL, step INTEGER NOT NULL,
    game TEXT NOT NULL, a TEXT NOT NULL, b TEXT NOT NULL, pair INTEGER NOT NULL, leg INTEGER NOT NULL,
    key INTEGER NOT NULL, return_a REAL NOT NULL, return_b REAL NOT NULL, forfeit TEXT NOT NULL,
    turns INTEGER NOT NULL, voids INTEGER NOT NULL, seconds REAL NOT NULL, board TEXT NOT NULL, at REAL NOT NULL,
    UNIQUE (game, a, b, pair, leg)
);
CREATE TABLE turn (
    id INTEGER PRIMARY KEY AUTOINCREMENT, match_id INTEGER NOT NULL REFERENCES match (id),
    turn INTEGER NOT NULL, attempt INTEGER NOT NULL, seat INTEGER NOT NULL,
    observation TEXT NOT NULL, thought TEXT NOT NULL, answer TEXT NOT NULL, text TEXT NOT NULL,
    action TEXT, illegal TEXT NOT NULL, finish_reason TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,
    seconds REAL NOT NULL, board TEXT NOT NULL, UNIQUE (match_id, turn, attempt)
);
CREATE TABLE partial (
    slot INTEGER PRIMARY KEY, step INTEGER NOT NULL, game TEXT NOT NULL, a TEXT NOT NULL, b TEXT NOT NULL,
    pair INTEGER NOT NULL, leg INTEGER NOT NULL, turn INTEGER NOT NULL, seat INTEGER NOT NULL, text TEXT NOT NULL,
    board TEXT NOT NULL, turns TEXT NOT NULL, at REAL NOT NULL
);
CREATE TABLE metric (
    id INTEGER PRIMARY KEY AUTOINCREMENT, step INTEGER NOT NULL, name TEXT NOT NULL, game TEXT NOT NULL,
    role TEXT NOT NULL, opponent TEXT NOT NULL, value REAL, low REAL, high REAL, n INTEGER, at REAL NOT NULL
);
CREATE TABLE rating (
    id INTEGER PRIMARY KEY AUTOINCREMENT, step INTEGER NOT NULL, game TEXT NOT NULL, player TEXT NOT NULL,
    rating REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL, detail TEXT NOT NULL, UNIQUE (step, game, player)
);
CREATE TABLE ground_truth (
    id INTEGER PRIMARY KEY AUTOINCREMENT, step INTEGER NOT NULL, player TEXT NOT NULL, game TEXT NOT NULL,
    measure TEXT NOT NULL, value REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL, n INTEGER NOT NULL,
    detail TEXT NOT NULL, UNIQUE (step, player, game, measure)
);
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT, step INTEGER NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL,
    detail TEXT NOT NULL, at REAL NOT NULL
);
CREATE TABLE health (
    id INTEGER PRIMARY KEY AUTOINCREMENT, step INTEGER NOT NULL, name TEXT NOT NULL, level TEXT NOT NULL,
    message TEXT NOT NULL, value REAL, at REAL NOT NULL
);
INSERT INTO match VALUES (1, 0, 0, 'tictactoe', 'a', 'b', 0, 0, 7, 1.0, -1.0, '', 1, 0, 0.5, 'board', 1.0);
INSERT INTO turn VALUES (1, 1, 0, 0, 0, 'seen', 'hm', '[4]', 'hm [4]', '[4]', '', 'stop', 3, 2, 0, 0.1, 'board');
"""

OLD_TURN = TurnRow(0, 0, 0, "seen", "hm", "[4]", "hm [4]", "[4]", "", "stop", 3, 2, 0, 0.1, "board")
NEW_TURN = TurnRow(0, 0, 0, "seen", "hm", "[4]", "hm [4]", "[4]", "", "stop", 3, 2, 1, 0.1, "board", "content", "raw")
MATCH = MatchRow(1, "tictactoe", "a", "b", 0, 1, 7, 1.0, -1.0, "", 1, 0, 0.5, "board", at=2.0)


@pytest.fixture
def older(tmp_path: Path) -> Path:
    with changing(tmp_path / DB_NAME) as db:
        db.executescript(OLD)
    return tmp_path


def test_a_reader_sees_defaults_and_changes_nothing(older: Path) -> None:
    before = (older / DB_NAME).read_bytes()
    with RunReader(older) as reader:
        assert reader.turns(1) == [OLD_TURN]
        assert reader.spends() == []
        assert reader.ask() is None
    assert (older / DB_NAME).read_bytes() == before


def test_a_writer_adds_what_is_missing_once_and_keeps_all_that_was_there(older: Path) -> None:
    with RunStore(older) as store:
        store.add_match(MATCH, [NEW_TURN])
        store.set_spends([Account("openai:m", "m", 1, 0, 3, 2, 1, 0.1)])
    with RunStore(older) as store, RunReader(older) as reader:
        store.set_spends([Account("openai:m", "m", 2, 0, 6, 4, 2, 0.2)])
        assert [reader.turns(row.id) for row in reader.all_matches()] == [[OLD_TURN], [NEW_TURN]]
        assert reader.spends() == [Account("openai:m", "m", 2, 0, 6, 4, 2, 0.2)]


def test_a_database_that_was_half_made_new_is_made_new_whole(older: Path) -> None:
    """A program in between had the table of checksums and not the columns."""
    with changing(older / DB_NAME) as db:
        db.execute(
            "CREATE TABLE checksum (kind TEXT, row INTEGER, value INTEGER, PRIMARY KEY (kind, row)) WITHOUT ROWID"
        )
        db.execute("ALTER TABLE turn ADD COLUMN thought_source TEXT NOT NULL DEFAULT ''")
    with RunStore(older) as store:
        store.add_match(MATCH, [NEW_TURN])
    with RunReader(older) as reader:
        assert [reader.turns(row.id) for row in reader.all_matches()] == [[OLD_TURN], [NEW_TURN]]
