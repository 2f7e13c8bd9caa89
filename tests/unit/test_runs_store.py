"""`run.db`: whole matches, one copy each, clear refusals."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from databases import changing

from arena.core.errors import ArenaError
from arena.runs.paths import DB_NAME
from arena.runs.reader import RunReader
from arena.runs.rows import HealthRow, MatchRow, MetricRow, PartialRow, RatingRow, TruthRow, TurnRow
from arena.runs.store import RunStore

MATCH = MatchRow(
    number=0, game="tictactoe", a="random", b="optimal", pair=0, leg=0, key=2**62, return_a=-1.0, return_b=1.0,
    forfeit="", turns=1, voids=0, seconds=0.1, board="...",
)  # fmt: skip
TURN = TurnRow(
    turn=0, attempt=0, seat=0, observation="obs", thought="", answer="[4]", text="[4]", action="[4]", illegal="",
    finish_reason="stop", prompt_tokens=0, completion_tokens=0, reasoning_tokens=0, seconds=0.0, board=".X.",
)  # fmt: skip
ILLEGAL = replace(TURN, action=None, illegal="no\ud7ffsuch cell", answer="\x1b[2J", board="")


def test_a_match_comes_back_with_all_its_turns(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.add_match(MATCH, [ILLEGAL, replace(TURN, attempt=1)])
    with RunReader(tmp_path) as reader:
        (match,) = reader.matches()
        assert replace(match, id=0, at=0.0) == MATCH
        assert match.at > 0
        assert reader.turns(match.id) == [ILLEGAL, replace(TURN, attempt=1)]
        assert reader.units() == {MATCH.unit}


def test_text_that_has_no_utf8_form_is_stored_all_the_same(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.add_match(MATCH, [replace(TURN, text="é\ud800")])
    with RunReader(tmp_path) as reader:
        assert reader.turns(1)[0].text == "é?"


def test_a_match_cannot_be_stored_twice_and_the_refused_copy_leaves_no_turns(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.add_match(MATCH, [TURN])
        with pytest.raises(ArenaError, match="UNIQUE"):
            store.add_match(replace(MATCH, return_a=1.0), [TURN])
        store.add_match(replace(MATCH, leg=1, number=1), [TURN])
    with RunReader(tmp_path) as reader:
        assert [match.return_a for match in reader.all_matches()] == [-1.0, -1.0]
        assert reader.count("turn") == 2


def test_matches_read_in_schedule_order_and_page_by_id(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        for number in (3, 0, 2, 1):
            store.add_match(replace(MATCH, number=number, pair=number), [TURN])
    with RunReader(tmp_path) as reader:
        assert [match.number for match in reader.all_matches()] == [0, 1, 2, 3]
        first = reader.matches(limit=3)
        assert [match.number for match in first] == [3, 0, 2]
        assert [match.number for match in reader.matches(after_id=first[-1].id)] == [1]


def test_metrics_are_batched_and_seen_after_a_flush(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store, RunReader(tmp_path) as reader:
        store.add_event("started", "")
        store.add_metrics([MetricRow(1, "entropy", 0.5), MetricRow(1, "return", 0.1, game="g", role="X", low=0.0)])
        assert reader.metrics() == []
        store.flush()
        assert [row.name for row in reader.metrics()] == ["entropy", "return"]
        assert [row.low for row in reader.metrics(name="return")] == [0.0]


def test_pending_rows_are_written_on_close(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.add_metrics([MetricRow(1, "entropy", 0.5)])
        store.add_health([HealthRow(1, "length", "warn", "short")])
    with RunReader(tmp_path) as reader:
        assert (reader.last_step(), reader.count("metric"), len(reader.health())) == (1, 1, 1)


def test_truths_and_ratings_replace_the_ones_of_the_same_name(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        for value in (0.1, 0.2):
            store.set_truths([TruthRow("random", "tictactoe", "optimal move rate", value, 0.0, 1.0, 9)])
            store.set_ratings([RatingRow("random", value, 0.0, 1.0)])
    with RunReader(tmp_path) as reader:
        assert [row.value for row in reader.truths()] == [0.2]
        assert [row.rating for row in reader.ratings()] == [0.2]


def test_a_partial_lives_in_its_slot(tmp_path: Path) -> None:
    partial = PartialRow(0, "tictactoe", "a", "b", 0, 0, 1, 0, "I th", "...", "[]", at=1.0)
    with RunStore(tmp_path) as store, RunReader(tmp_path) as reader:
        store.set_partial(partial)
        store.set_partial(replace(partial, text="I think"))
        assert reader.partials() == [replace(partial, text="I think")]
        store.clear_partials()
        assert reader.partials() == []


def test_dropping_later_steps_keeps_earlier_rows_whole(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        for step in (1, 2, 3):
            store.add_match(replace(MATCH, step=step, pair=step), [TURN])
            store.add_metrics([MetricRow(step, "entropy", float(step))])
        store.drop_after(2)
    with RunReader(tmp_path) as reader:
        assert [match.step for match in reader.all_matches()] == [1, 2]
        assert [row.step for row in reader.metrics()] == [1, 2]
        assert reader.count("turn") == 2


def test_reopening_keeps_everything(tmp_path: Path) -> None:
    for number in (0, 1):
        with RunStore(tmp_path) as store:
            store.add_match(replace(MATCH, number=number, pair=number), [TURN])
    with RunReader(tmp_path) as reader:
        assert reader.count("match") == 2


@pytest.mark.parametrize("opener", [RunStore, RunReader])
def test_a_newer_schema_is_refused(tmp_path: Path, opener: type[RunStore] | type[RunReader]) -> None:
    RunStore(tmp_path).close()
    with changing(tmp_path / DB_NAME) as db:
        db.execute("UPDATE meta SET version = 99")
    with pytest.raises(ArenaError, match="version 99"):
        opener(tmp_path)


@pytest.mark.parametrize(
    ("opener", "damage"),
    [(RunStore, "header"), (RunReader, "header"), (RunStore, "foreign"), (RunReader, "foreign"), (RunStore, "middle")],
)
def test_a_damaged_database_is_refused_and_never_overwritten(
    tmp_path: Path, opener: type[RunStore] | type[RunReader], damage: str
) -> None:
    path = tmp_path / DB_NAME
    if damage == "foreign":
        with changing(path) as db:
            db.execute("CREATE TABLE theirs (x)")
    else:
        with RunStore(tmp_path) as store:
            store.add_matches((replace(MATCH, number=n, pair=n), [TURN]) for n in range(300))
        data = bytearray(path.read_bytes())
        start = 0 if damage == "header" else 4096 * (len(data) // 8192)
        data[start : start + 64] = b"\xff" * 64
        path.write_bytes(data)
    before = path.read_bytes()
    with pytest.raises(ArenaError, match="damaged"):
        opener(tmp_path)
    assert path.read_bytes() == before


def test_a_store_cut_off_before_its_tables_is_started_anew(tmp_path: Path) -> None:
    (tmp_path / DB_NAME).touch()
    RunStore(tmp_path).close()
    with RunReader(tmp_path) as reader:
        assert reader.count("match") == 0


def test_reading_a_run_without_a_database_says_so(tmp_path: Path) -> None:
    with pytest.raises(ArenaError, match=r"no run\.db yet"):
        RunReader(tmp_path)


def test_a_missing_directory_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ArenaError, match="cannot be opened") as caught:
        RunStore(tmp_path / "gone")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory_can_be_read_and_not_written(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.add_match(MATCH, [TURN])
    (tmp_path / DB_NAME).chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        with RunReader(tmp_path) as reader:
            assert reader.count("match") == 1
        with pytest.raises(ArenaError), RunStore(tmp_path) as store:
            store.add_match(replace(MATCH, leg=1), [TURN])
    finally:
        tmp_path.chmod(0o755)


def test_a_full_disk_keeps_what_was_stored(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.add_match(MATCH, [TURN])
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(ArenaError, match="No space left"):
            store.add_match(replace(MATCH, leg=1), [replace(TURN, text="x" * 100_000)])
        store._db.execute("PRAGMA max_page_count = 1000000")
        store.add_match(replace(MATCH, leg=1), [replace(TURN, text="x" * 100_000)])
    with RunReader(tmp_path) as reader:
        assert [match.leg for match in reader.all_matches()] == [0, 1]
        assert reader.count("turn") == 2
