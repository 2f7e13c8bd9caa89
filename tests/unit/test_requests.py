"""`control.db`: requests in order, nothing yet where nothing is, clear refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from databases import changing, reading

from arena.core.errors import ArenaError, UsageError
from arena.runs.requests import CONTROL_NAME, MAX_TEXT, RequestReader, RequestStore


def test_requests_come_back_in_order_and_after_an_id(tmp_path: Path) -> None:
    with RequestStore(tmp_path) as store:
        first = store.move(1, 4, 2, "[Offer: 1 Wood -> 2 Gold]\n\x1b[2J é \ud800")
        second, third = store.undo(1, 5), store.resign(0)
        other = store.add("pause", text="please")
    reader = RequestReader(tmp_path)
    found = reader.requests()
    assert [request.id for request in found] == [first, second, third, other] == sorted([first, second, third, other])
    assert (found[0].kind, found[0].seat, found[0].turn, found[0].attempt) == ("move", 1, 4, 2)
    assert found[0].text == "[Offer: 1 Wood -> 2 Gold]\n\x1b[2J é ?"
    assert [(request.kind, request.seat, request.turn) for request in found[1:3]] == [("undo", 1, 5), ("resign", 0, 0)]
    assert (found[3].kind, found[3].text) == ("pause", "please")
    assert [request.id for request in reader.requests(first, limit=2)] == [second, third]
    assert reader.last_id() == other


def test_a_missing_or_empty_file_is_nothing_yet_and_is_not_made(tmp_path: Path) -> None:
    reader = RequestReader(tmp_path)
    assert (reader.requests(), reader.last_id()) == ([], 0)
    assert not (tmp_path / CONTROL_NAME).exists()
    (tmp_path / CONTROL_NAME).touch()
    assert (reader.requests(), reader.last_id()) == ([], 0)


def test_a_reader_sees_each_request_at_once_whoever_comes_and_goes(tmp_path: Path) -> None:
    reader = RequestReader(tmp_path)
    with RequestStore(tmp_path) as one, RequestStore(tmp_path) as two:
        for turn in range(4):
            (one, two)[turn % 2].undo(0, turn)
            assert [request.turn for request in reader.requests()] == list(range(turn + 1))
    assert reader.last_id() == 4
    with RequestStore(tmp_path) as later:
        assert later.undo(0, 4) == 5
    assert reader.requests(4)[0].turn == 4


def test_a_reader_does_not_hold_up_a_writer(tmp_path: Path) -> None:
    with RequestStore(tmp_path) as store:
        store.resign(0)
        with reading(tmp_path / CONTROL_NAME) as held:
            held.execute("BEGIN")
            assert held.execute("SELECT count(*) FROM request").fetchone() == (1,)
            store.resign(1)
            assert RequestReader(tmp_path).last_id() == 2


def test_a_text_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with RequestStore(tmp_path) as store:
        store.move(0, 0, 0, "x" * MAX_TEXT)
        with pytest.raises(UsageError, match=str(MAX_TEXT + 1)):
            store.move(0, 0, 1, "x" * (MAX_TEXT + 1))
    assert RequestReader(tmp_path).last_id() == 1


@pytest.mark.parametrize("open_it", [RequestStore, lambda path: RequestReader(path).requests()])
def test_a_newer_version_and_a_damaged_file_are_refused_in_one_line(tmp_path: Path, open_it: object) -> None:
    assert callable(open_it)
    with RequestStore(tmp_path):
        pass
    with changing(tmp_path / CONTROL_NAME) as db:
        db.execute("UPDATE meta SET version = 99")
    with pytest.raises(ArenaError, match="schema version 99"):
        open_it(tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()
    (tmp_path / CONTROL_NAME).write_bytes(b"no database at all" * 400)
    with pytest.raises(ArenaError, match="is damaged"):
        open_it(tmp_path)
