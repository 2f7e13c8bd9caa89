"""A run's database with any byte changed is refused as it is, or holds what it held."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from databases import changing

from arena.core.errors import ArenaError
from arena.runs.damage import check_files, check_run, checksum
from arena.runs.paths import DB_NAME
from arena.runs.reader import NoRows, RunReader
from arena.runs.rows import MatchRow, TruthRow, TurnRow
from arena.runs.store import RunStore

LOG = f"{DB_NAME}-wal"
MATCH = MatchRow(
    number=0, game="tictactoe", a="random", b="optimal", pair=0, leg=0, key=2**62, return_a=-1.0, return_b=1.0,
    forfeit="", turns=1, voids=0, seconds=0.1, board="...", at=7.5,
)  # fmt: skip
TURN = TurnRow(
    turn=0, attempt=0, seat=0, observation="obs é", thought="", answer="[4]", text="[4]", action="[4]", illegal="",
    finish_reason="stop", prompt_tokens=0, completion_tokens=0, reasoning_tokens=0, seconds=0.0, board=".X.",
)  # fmt: skip
TRUTH = TruthRow("random", "tictactoe", "optimal_move_rate", 0.5, 0.4, 0.6, 90)


def fill(store: RunStore, first: int, matches: int) -> None:
    store.add_event("started", "")
    for n in range(first, first + matches):
        turns = [replace(TURN, turn=turn, observation=f"obs é {n} " * 10) for turn in range(4)]
        store.add_match(replace(MATCH, number=n, pair=n // 2, leg=n % 2), turns)
    store.set_truths([replace(TRUTH, measure=f"m{first}")])


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that was closed: everything is in one file."""
    folder = tmp_path_factory.mktemp("closed")
    with RunStore(folder) as store:
        fill(store, 0, 40)
    return folder


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whose writer was killed twice: the second one went on in the log of the first."""
    folder = tmp_path_factory.mktemp("killed")
    for first in (0, 20):
        code = f"""
import os, sys
from pathlib import Path
sys.path[:0] = {[str(folder) for folder in Path(__file__).parents[:3]]!r}
from test_damage import RunStore, fill
store = RunStore(Path({str(folder)!r}))
fill(store, {first}, 20)
os.kill(os.getpid(), 9)
"""
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert (folder / LOG).stat().st_size > 100_000
    return folder


Held = tuple[list[tuple[MatchRow, list[TurnRow]]], list[TruthRow], set[tuple[str, str, str, int, int]]]


def held(folder: Path) -> Held:
    with RunReader(folder) as reader:
        return (
            [(match, reader.turns(match.id)) for match in reader.all_matches()],
            reader.truths(),
            reader.units(),
        )


def copy(folder: Path, to: Path) -> Path:
    """The database and its log; SQLite makes the log's index anew."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir()
    for name in (DB_NAME, LOG):
        if (folder / name).exists():
            shutil.copy(folder / name, to / name)
    return to


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.iterdir() if path.name in (DB_NAME, LOG) and path.stat().st_size]
    return {path.name: path.read_bytes() for path in files}


def refused(folder: Path, right: Held) -> bool:
    """Whether it is refused in one line and left as it is; else it must hold what is right."""
    before = contents(folder)
    try:
        with RunStore(folder):
            pass
    except ArenaError as error:
        said = str(error)
    else:
        assert held(folder) == right
        return False
    assert "\n" not in said
    assert contents(folder) == before
    return True


def flip(path: Path, place: int, bits: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= bits
    path.write_bytes(data)


def pages_of(path: Path) -> int:
    return path.stat().st_size // 4096


@pytest.mark.parametrize("part", range(10))
def test_any_byte_of_the_database_may_change(closed: Path, tmp_path: Path, part: int) -> None:
    rng, right, found = random.Random(part), held(closed), 0
    for _ in range(24):
        folder = copy(closed, tmp_path / "r")
        place = rng.randrange(100) if part == 0 else rng.randrange((closed / DB_NAME).stat().st_size)
        flip(folder / DB_NAME, place, rng.randrange(1, 256))
        found += refused(folder, right)
    assert found > 1


def test_any_byte_of_a_row_is_missed(closed: Path, tmp_path: Path) -> None:
    right, rng = held(closed), random.Random(3)
    data = (closed / DB_NAME).read_bytes()
    for text in (b"obs \xc3\xa9 17 ", b"tictactoerandomoptimal", b"optimal_move_rate", b"stop", b".X.", b"m0"):
        place = data.find(text)
        if place < 0:
            continue
        folder = copy(closed, tmp_path / "r")
        flip(folder / DB_NAME, place + rng.randrange(len(text)), 1)
        assert refused(folder, right), text


def test_a_changed_number_is_missed(closed: Path, tmp_path: Path) -> None:
    for change in (
        "UPDATE match SET return_a = 1.0 WHERE id = 3",
        "UPDATE match SET forfeit = 'a' WHERE id = 3",
        "UPDATE turn SET match_id = 4 WHERE id = 9 AND turn = 99 OR id = 1 AND turn = 99",
        "UPDATE turn SET prompt_tokens = 7 WHERE id = 9",
        "UPDATE turn SET action = NULL WHERE id = 9",
        "UPDATE ground_truth SET value = 0.51",
        "DELETE FROM turn WHERE id = 9",
    ):
        folder = copy(closed, tmp_path / "r")
        with changing(folder / DB_NAME) as db:
            changed = db.execute(change).rowcount
        if not changed:
            continue
        with pytest.raises(ArenaError, match="fails its checksum"):
            RunStore(folder)
        with pytest.raises(ArenaError, match="fails its checksum"):
            check_run(folder / DB_NAME)


def test_an_index_that_misses_a_match_is_missed(closed: Path, tmp_path: Path) -> None:
    """Else the match would be played again and stored twice."""
    folder = copy(closed, tmp_path / "r")
    data = bytearray((folder / DB_NAME).read_bytes())
    places = [at for at in range(len(data)) if data.startswith(b"tictactoerandomoptimal", at)]
    right, found = held(closed), 0
    for place in places:
        copy(closed, folder)
        flip(folder / DB_NAME, place + 10, 2)
        found += refused(folder, right)
    assert found == len(places) > 40


def test_any_byte_of_the_log_may_change(killed: Path, tmp_path: Path) -> None:
    rng, size, found = random.Random(4), (killed / LOG).stat().st_size, 0
    with RunStore(copy(killed, tmp_path / "right")):
        pass
    right = held(tmp_path / "right")
    assert len(right[0]) == 40
    last = size - 4120
    for _ in range(60):
        folder = copy(killed, tmp_path / "r")
        flip(folder / LOG, rng.randrange(last), rng.randrange(1, 256))
        found += refused(folder, right)
    assert found == 60


@pytest.mark.parametrize("place", [0, 4, 8, 12, 16, 23, 24, 31, 32, 36, 40, 47, 48, 55, 56, 4151, 4152])
def test_every_field_of_the_log_s_header_and_first_frame_counts(killed: Path, tmp_path: Path, place: int) -> None:
    folder = copy(killed, tmp_path / "r")
    flip(folder / LOG, place, 0x81)
    before = contents(folder)
    with pytest.raises(ArenaError, match="wal is damaged"):
        RunStore(folder)
    assert contents(folder) == before


@pytest.mark.parametrize("lost", [1, 24, 4095, 4096, 4119, 4120, 4121, 9000, 50_000])
def test_a_log_that_ends_too_early_is_what_a_kill_leaves(killed: Path, tmp_path: Path, lost: int) -> None:
    """Its last transactions were never committed, as far as anybody can tell: they are done again."""
    folder = copy(killed, tmp_path / "r")
    data = (folder / LOG).read_bytes()
    (folder / LOG).write_bytes(data[:-lost])
    with RunStore(folder):
        pass
    matches, _, units = held(folder)
    assert 20 < len(matches) == len(units) <= 40


def test_what_was_never_committed_may_lie_behind_the_end_of_the_log(killed: Path, tmp_path: Path) -> None:
    """A torn transaction of a killed writer, partly written over by the next one that was killed."""
    folder = copy(killed, tmp_path / "r")
    data = (folder / LOG).read_bytes()
    frames = [data[at : at + 4120] for at in range(32, len(data), 4120)]
    ends = [n for n, frame in enumerate(frames) if frame[4:8] != bytes(4)]
    begin, end = next((one + 1, other) for one, other in pairwise(ends) if other - one > 4)
    torn = frames[begin:end]
    torn[0] = torn[0][:30] + bytes([torn[0][30] ^ 1]) + torn[0][31:]
    (folder / LOG).write_bytes(data[:32] + b"".join([*frames[:begin], *torn]))
    check_files(folder / DB_NAME)
    with RunStore(folder):
        pass


def test_leftovers_of_an_older_log_are_no_damage(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    fill(store, 0, 10)
    store._db.execute("PRAGMA wal_checkpoint(RESTART)")
    fill(store, 10, 1)
    folder = copy(tmp_path, tmp_path / "r")
    store.close()
    check_files(folder / DB_NAME)
    with RunStore(folder):
        pass
    assert len(held(folder)[0]) == 11


@pytest.mark.parametrize("keep", [0, 1, 99, 100, 4095, 4096, 4097, 20_000])
def test_a_database_that_ends_too_early_is_refused(closed: Path, tmp_path: Path, keep: int) -> None:
    folder = copy(closed, tmp_path / "r")
    (folder / "logs" / "attempt_1").mkdir(parents=True)
    (folder / "logs" / "attempt_1" / "job.log").write_text("started\n")
    (folder / DB_NAME).write_bytes((closed / DB_NAME).read_bytes()[:keep])
    before = contents(folder)
    with pytest.raises(ArenaError):
        RunStore(folder)
    assert contents(folder) == before


def test_a_reader_does_not_throw_away_the_log_of_an_empty_database(killed: Path, tmp_path: Path) -> None:
    folder = copy(killed, tmp_path / "r")
    (folder / DB_NAME).write_bytes(b"")
    before = contents(folder)
    with pytest.raises(NoRows):
        RunReader(folder)
    check_run(folder / DB_NAME)
    with pytest.raises(ArenaError, match="empty, yet the run was at work"):
        RunStore(folder)
    assert contents(folder) == before


def test_a_run_of_an_older_program_has_no_checksums_and_gets_them_for_what_is_new(closed: Path, tmp_path: Path) -> None:
    folder = copy(closed, tmp_path / "r")
    with changing(folder / DB_NAME) as db:
        db.execute("DROP TABLE checksum")
        db.execute("UPDATE match SET voids = 1 WHERE id = 1")
    with RunStore(folder) as store:
        store.add_match(replace(MATCH, number=90, pair=90), [TURN])
    check_run(folder / DB_NAME)
    with changing(folder / DB_NAME) as db:
        db.execute("UPDATE match SET voids = 1 WHERE number = 90")
    with pytest.raises(ArenaError, match="fails its checksum"):
        check_run(folder / DB_NAME)


def test_a_column_that_is_added_later_changes_no_checksum() -> None:
    values = [0, 0, 1, "obs", "", "[4]", "[4]", "[4]", "", "stop", 0, 0, 0, 0.5, ".X."]
    assert checksum(TurnRow, values) == checksum(TurnRow, [*values, ""]) == checksum(TurnRow, [*values, "", None])
    assert checksum(TurnRow, values) != checksum(TurnRow, [*values, "raw"])


def test_whole_numbers_and_zeros_are_summed_as_sqlite_gives_them_back(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.add_match(replace(MATCH, return_a=1, return_b=-0.0, seconds=0), [replace(TURN, text="\ud800")])
        store.set_truths([replace(TRUTH, value=1, low=0, high=-0.0)])
    check_run(tmp_path / DB_NAME)
    with RunStore(tmp_path) as store:
        store.drop_after(-1)
    check_run(tmp_path / DB_NAME)


def test_a_big_run_is_checked_in_seconds(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.add_matches(
            (replace(MATCH, number=n, pair=n), [replace(TURN, turn=turn) for turn in range(8)]) for n in range(5_000)
        )
    began = os.times().user
    check_run(tmp_path / DB_NAME)
    assert os.times().user - began < 5
