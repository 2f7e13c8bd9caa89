"""A tournament survives: killed, interrupted, out of disk, it goes on and ends in the same rows and table."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from stored_rows import Rows, count_matches, rows

from arena.runs.lock import run_lock
from arena.runs.paths import DB_NAME, RESULT_JSON
from arena.runs.record import read_record, run_status

PLAYERS = ("random", "optimal", "scripted")
GAMES = ("tictactoe", "kuhn_poker")
PAIRS = 80
MATCHES = PAIRS * 2 * 3 * len(GAMES)


def start(out: Path, *args: str) -> list[str]:
    options = [item for player in PLAYERS for item in ("--player", player)]
    options += [item for game in GAMES for item in ("--game", game)]
    return _command(*options, "--pairs", str(PAIRS), "--seed", "11", "--out", str(out), *args)


def resume(out: Path, *args: str) -> list[str]:
    return _command("--resume", str(out), *args)


def _command(*args: str) -> list[str]:
    return [sys.executable, "-m", "arena", "tournament", *args, "--json"]


def finish(command: list[str], code: int = 0) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == code, (command, result.returncode, result.stderr)
    return result


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Rows]:
    """The result and the rows of a run that nobody disturbed, one match at a time."""
    run_dir = tmp_path_factory.mktemp("undisturbed") / "run"
    result = json.loads(finish(start(run_dir, "--concurrency", "1")).stdout)
    assert len(rows(run_dir)[0]) == MATCHES
    return result, rows(run_dir)


def wait_for_matches(run_dir: Path, process: subprocess.Popen[bytes], count: int) -> None:
    deadline = time.monotonic() + 120
    while count_matches(run_dir) < count and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.mark.parametrize("instant", range(6))
def test_killed_at_any_instant_it_resumes_to_the_same_rows_and_table(
    tmp_path: Path, undisturbed: tuple[Any, Rows], instant: int
) -> None:
    rng, run_dir, command = random.Random(instant), tmp_path / "run", start(tmp_path / "run")
    for _ in range(2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_matches(run_dir, process, count_matches(run_dir) + rng.randrange(MATCHES // 2))
        time.sleep(rng.random() * 0.01)
        process.kill()
        process.wait()
        before = count_matches(run_dir)
        command = resume(run_dir) if (run_dir / "run.json").exists() else start(run_dir)
    result = json.loads(finish(command).stdout)
    assert count_matches(run_dir) == MATCHES >= before
    assert (result, rows(run_dir)) == undisturbed
    progress = {"finished": True, "played": MATCHES, "planned": MATCHES}
    assert json.loads((run_dir / RESULT_JSON).read_text()) == {**result, **progress}


def test_killed_before_the_first_match_it_starts_or_resumes(tmp_path: Path, undisturbed: tuple[Any, Rows]) -> None:
    run_dir = tmp_path / "run"
    for delay in (0.05, 0.15, 0.3, 0.45):
        command = resume(run_dir) if (run_dir / "run.json").exists() else start(run_dir)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
    command = resume(run_dir) if (run_dir / "run.json").exists() else start(run_dir)
    assert json.loads(finish(command).stdout) == undisturbed[0]


@pytest.mark.parametrize("how", ["signal", "file"])
def test_a_polite_stop_saves_says_how_to_resume_and_loses_nothing(
    tmp_path: Path, undisturbed: tuple[Any, Rows], how: str
) -> None:
    run_dir = tmp_path / "run"
    process = subprocess.Popen(
        start(run_dir, "--concurrency", "8"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for_matches(run_dir, process, 3)  # type: ignore[arg-type]
    if how == "signal":
        process.send_signal(signal.SIGINT)
    else:
        (run_dir / "stop").touch()
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "")
    assert f"spiral-arena tournament --resume {run_dir}" in err
    assert run_status(run_dir, read_record(run_dir)) == "stopped"
    assert count_matches(run_dir) >= 3
    shown = json.loads((run_dir / RESULT_JSON).read_text())
    assert (shown["finished"], shown["played"], shown["planned"]) == (False, count_matches(run_dir), MATCHES)
    assert json.loads(finish(resume(run_dir, "--concurrency", "3")).stdout) == undisturbed[0]
    assert rows(run_dir) == undisturbed[1]
    assert run_status(run_dir, read_record(run_dir)) == "finished"


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    process = subprocess.Popen(start(run_dir), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_matches(run_dir, process, 1)
    process.kill()
    process.wait()
    with run_lock(run_dir):
        refused = finish(resume(run_dir), code=1)
    assert f"already being run by pid {os.getpid()}" in refused.stderr
    assert refused.stderr.count("\n") == 1
    finish(resume(run_dir))


def test_out_of_disk_it_says_so_in_one_line_and_goes_on_later(tmp_path: Path, undisturbed: tuple[Any, Rows]) -> None:
    run_dir = tmp_path / "run"

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    failed = subprocess.run(
        start(run_dir), capture_output=True, text=True, timeout=300, check=False, preexec_fn=small_files_only
    )
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: ")
    assert failed.stderr.count("\n") == 1
    assert 0 < count_matches(run_dir) < MATCHES
    assert json.loads(finish(resume(run_dir)).stdout) == undisturbed[0]
    assert rows(run_dir) == undisturbed[1]


def test_a_damaged_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    process = subprocess.Popen(start(run_dir), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_matches(run_dir, process, 1)
    process.kill()
    process.wait()
    (run_dir / DB_NAME).write_bytes(b"not a database" * 1000)
    for suffix in ("-wal", "-shm"):
        (run_dir / f"{DB_NAME}{suffix}").unlink(missing_ok=True)
    refused = finish(resume(run_dir), code=1)
    assert "damaged" in refused.stderr
    assert (run_dir / DB_NAME).read_bytes() == b"not a database" * 1000
