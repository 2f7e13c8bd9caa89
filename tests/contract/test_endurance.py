"""A tournament endures kills at any instant, a second process, a full disk, a directory that cannot be written, damage.

Everything goes through the command line; the players are bots, so that every run has one right end.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from databases import changing
from stored_rows import Rows, count_matches, rows

from arena.runs.damage import check_run
from arena.runs.paths import DB_NAME
from arena.runs.record import Status, read_record, run_status

PLAYERS = ("random", "optimal", "scripted")
GAMES = ("tictactoe", "kuhn_poker")
PAIRS, MANY_PAIRS = 60, 220
MATCHES_A_PAIR = 2 * 3 * len(GAMES)
MATCHES = PAIRS * MATCHES_A_PAIR
KILLS = 50
LATEST = 0.4
"""The latest kill after a process began or stored something, as a part of the time of an undisturbed run."""


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "arena", "tournament", *args, "--json"]


def start(out: Path, pairs: int = PAIRS) -> list[str]:
    options = [item for player in PLAYERS for item in ("--player", player)]
    options += [item for game in GAMES for item in ("--game", game)]
    return command(*options, "--pairs", str(pairs), "--seed", "11", "--out", str(out))


def resume(out: Path) -> list[str]:
    return command("--resume", str(out))


def go_on(out: Path, pairs: int = PAIRS) -> list[str]:
    """What a user does after a crash: resume where there is a run, else start it again."""
    return resume(out) if (out / "run.json").exists() else start(out, pairs)


def finish(
    args: list[str], code: int = 0, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(args, capture_output=True, text=True, timeout=300, check=False, preexec_fn=before)
    assert done.returncode == code, (args, done.returncode, done.stderr)
    return done


def refusal(args: list[str], before: Callable[[], None] | None = None) -> str:
    """The one line with which it fails."""
    done = finish(args, 1, before)
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


def play_undisturbed(run_dir: Path, pairs: int) -> tuple[Any, Rows]:
    result = json.loads(finish(start(run_dir, pairs)).stdout)
    found = rows(run_dir)
    assert len(found[0]) == pairs * MATCHES_A_PAIR
    return result, found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Rows]:
    return play_undisturbed(tmp_path_factory.mktemp("undisturbed") / "run", PAIRS)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run killed in the middle: some matches stored, its log not yet in the database file."""
    run_dir = tmp_path_factory.mktemp("killed") / "run"
    process = subprocess.Popen(start(run_dir), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: count_matches(run_dir) >= 40, process)
    process.send_signal(signal.SIGSTOP)
    process.kill()
    process.wait()
    assert 40 <= count_matches(run_dir) < MATCHES
    return run_dir


@pytest.fixture
def broken_off(killed: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    return Path(shutil.copytree(killed, tmp_path / "run"))


def went_on(run_dir: Path, before: int) -> bool:
    return count_matches(run_dir) > before


def wait_for(what: Callable[[], bool], process: subprocess.Popen[Any], pause: float = 0.002) -> None:
    deadline = time.monotonic() + 120
    while not what() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(pause)


# Kills.


@dataclass
class Kills:
    """Counts, over all runs, the kills that met a process at work."""

    left: int
    at_work: list[tuple[int, int]] = field(default_factory=list)
    """How many matches were stored before and after each process that was killed."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> bool:
        with self._lock:
            self.left -= 1
            return self.left >= 0

    def give_back(self) -> None:
        with self._lock:
            self.left += 1


def play_and_kill(run_dir: Path, kills: Kills, latest: float, rng: random.Random) -> None:
    """Start and resume a run, killed each time at a random instant, until a process gets to its end.

    Half of the instants are counted from the process's start, half from when it has stored something.
    """
    while kills.take():
        before = count_matches(run_dir)
        process = subprocess.Popen(go_on(run_dir, MANY_PAIRS), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if rng.random() < 0.5:
            wait_for(partial(went_on, run_dir, before), process, 0.02)
        try:
            process.wait(rng.random() * latest)
            assert process.returncode == 0
            kills.give_back()
            return
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        kills.at_work.append((before, count_matches(run_dir)))


@pytest.mark.slow
def test_killed_at_fifty_random_instants_every_run_ends_in_the_same_rows_and_table(
    tmp_path: Path,
) -> None:
    began = time.monotonic()
    right = play_undisturbed(tmp_path / "undisturbed", MANY_PAIRS)
    latest = LATEST * (time.monotonic() - began)
    kills, rng = Kills(KILLS), random.Random(5)

    def one_after_the_other(worker: int, seed: float) -> None:
        own = random.Random(seed)
        for number in range(KILLS):
            run = tmp_path / f"run-{worker}-{number}"
            play_and_kill(run, kills, latest, own)
            result = json.loads(finish(go_on(run, MANY_PAIRS)).stdout)
            assert (result, rows(run)) == right
            assert run_status(run, read_record(run)) is Status.FINISHED
            check_run(run / DB_NAME)
            if kills.left <= 0:
                return

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one_after_the_other, range(2), [rng.random(), rng.random()]))
    assert len(kills.at_work) == KILLS
    assert all(before <= after for before, after in kills.at_work)
    assert sum(before < after for before, after in kills.at_work) >= KILLS // 5, kills.at_work


# Two processes.


def test_a_second_process_is_refused_in_a_line_and_the_first_one_does_not_notice(
    tmp_path: Path, undisturbed: tuple[Any, Rows]
) -> None:
    run_dir = tmp_path / "run"
    first = subprocess.Popen(start(run_dir), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    wait_for(lambda: count_matches(run_dir) > 0, first)
    first.send_signal(signal.SIGSTOP)
    try:
        said = refusal(resume(run_dir))
        assert f"already being run by pid {first.pid}" in said
        again = finish(start(run_dir), code=2)
        assert "holds a run already" in again.stderr
    finally:
        first.send_signal(signal.SIGCONT)
    out, _ = first.communicate(timeout=120)
    assert json.loads(out) == undisturbed[0]
    assert rows(run_dir) == undisturbed[1]


@pytest.mark.parametrize("text", ["", f"pid {os.getpid()}\n", "\x00\xff" * 500], ids=["empty", "alive", "garbage"])
def test_a_lock_that_nobody_holds_is_taken_whatever_it_says(
    broken_off: Path, undisturbed: tuple[Any, Rows], text: str
) -> None:
    (broken_off / "lock").write_text(text, encoding="latin-1")
    assert json.loads(finish(resume(broken_off)).stdout) == undisturbed[0]


@pytest.mark.parametrize("host", ["", "elsewhere"])
def test_a_record_whose_pid_another_process_has_now_does_not_hold_the_run(
    broken_off: Path, undisturbed: tuple[Any, Rows], host: str
) -> None:
    record = replace(read_record(broken_off), pid=os.getpid(), host=host or platform.node())
    record.write(broken_off)
    assert run_status(broken_off, record) is Status.DEAD
    assert json.loads(finish(resume(broken_off)).stdout) == undisturbed[0]


# The disk.


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """A file system of its own on the folder."""
    folder.mkdir(exist_ok=True)
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mounting, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"nothing can be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.mark.parametrize("kilobytes", [12, 400])
def test_a_full_disk_is_told_in_a_line_and_what_is_stored_is_kept(
    tmp_path: Path, undisturbed: tuple[Any, Rows], kilobytes: int
) -> None:
    with small_disk(tmp_path / "disk", kilobytes):
        run_dir = tmp_path / "disk" / "run"
        said = refusal(start(run_dir))
        assert "No space left" in said or "space" in said or "disk" in said, said
        kept = count_matches(run_dir)
        if kilobytes >= 400:
            assert kept > 0
        if (run_dir / "run.json").exists():
            refusal(resume(run_dir))
            assert count_matches(run_dir) >= kept
        moved = Path(shutil.copytree(run_dir, tmp_path / "moved")) if run_dir.exists() else tmp_path / "moved"
    assert json.loads(finish(go_on(moved)).stdout) == undisturbed[0]
    assert rows(moved) == undisturbed[1]


def without_override() -> None:
    """Let permissions hold for root too: this process and those that it starts may no longer pass them over."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.skipif(sys.platform != "linux" and os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("files", [0o644, 0o444])
def test_a_read_only_directory_is_told_in_a_line_and_left_as_it_is(
    broken_off: Path, undisturbed: tuple[Any, Rows], files: int
) -> None:
    (broken_off / "stop").touch()
    before = contents(broken_off)
    set_modes(broken_off, files, 0o555)
    try:
        said = refusal(resume(broken_off), without_override if os.geteuid() == 0 else None)
        assert str(broken_off) in said
        after = contents(broken_off)
        assert {name for name in before if after[name] != before[name]} <= {"lock"}
    finally:
        set_modes(broken_off, 0o644, 0o755)
    assert json.loads(finish(resume(broken_off)).stdout) == undisturbed[0]


def set_modes(folder: Path, files: int, folders: int) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(files)
    for path in [*(path for path in folder.rglob("*") if path.is_dir()), folder]:
        path.chmod(folders)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but SQLite's index of its log, which is made anew at every opening."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


# Damage.


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0x55
    path.write_bytes(data)


def flip_header(run_dir: Path) -> None:
    settle(run_dir)
    flip(run_dir / DB_NAME, 17)


def flip_log_header(run_dir: Path) -> None:
    flip(run_dir / f"{DB_NAME}-wal", 17)


def flip_log(run_dir: Path) -> None:
    flip(run_dir / f"{DB_NAME}-wal", 32 + 24 + 3000)


def empty(run_dir: Path) -> None:
    (run_dir / DB_NAME).write_bytes(b"")


def empty_without_log(run_dir: Path) -> None:
    empty(run_dir)
    (run_dir / f"{DB_NAME}-wal").unlink()


def gone(run_dir: Path) -> None:
    (run_dir / DB_NAME).unlink()


def cut(run_dir: Path) -> None:
    settle(run_dir)
    data = (run_dir / DB_NAME).read_bytes()
    (run_dir / DB_NAME).write_bytes(data[: len(data) // 2 + 100])


def flip_text(run_dir: Path) -> None:
    """A byte of an observation: to SQLite one text is as good as another."""
    settle(run_dir)
    flip(run_dir / DB_NAME, (run_dir / DB_NAME).read_bytes().index(b"TicTacToe. You are") + 3)


def of_version(number: int) -> Callable[[Path], None]:
    def change(run_dir: Path) -> None:
        settle(run_dir)
        with changing(run_dir / DB_NAME) as db:
            db.execute("UPDATE meta SET version = ?", (number,))
        settle(run_dir)

    return change


def settle(run_dir: Path) -> None:
    """Bring the log into the database file."""
    with changing(run_dir / DB_NAME) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a byte of the header": (flip_header, "damaged"),
    "a byte of the log's header": (flip_log_header, "damaged"),
    "a byte of the log": (flip_log, "damaged"),
    "a byte of a text": (flip_text, "damaged"),
    "an empty database": (empty, "damaged"),
    "an empty database without a log": (empty_without_log, "damaged"),
    "no database": (gone, "damaged"),
    "half a database": (cut, "damaged"),
    "an older schema": (of_version(0), "version 0"),
    "a newer schema": (of_version(99), "version 99"),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGES.values(), ids=DAMAGES)
def test_damage_is_told_in_a_line_and_nothing_is_overwritten(
    broken_off: Path, damage: Callable[[Path], None], words: str
) -> None:
    damage(broken_off)
    before = contents(broken_off)
    said = refusal(resume(broken_off))
    assert words in said
    assert DB_NAME in said
    after = contents(broken_off)
    for name in before:
        if name.startswith(DB_NAME) or name.startswith("config"):
            assert after[name] == before[name], name


def test_a_finished_run_with_a_changed_byte_is_not_shown_as_if_it_were_right(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    finish(start(run_dir, pairs=2))
    (run_dir / "result.json").unlink()
    flip_text(run_dir)
    before = (run_dir / DB_NAME).read_bytes()
    assert "fails its checksum" in refusal(resume(run_dir))
    exporting = [sys.executable, "-m", "arena", "export", str(run_dir), "--format", "csv"]
    assert "fails its checksum" in refusal(exporting)
    assert (run_dir / DB_NAME).read_bytes() == before
