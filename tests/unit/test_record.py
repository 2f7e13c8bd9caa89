"""Run directories: identity, derived status, lock, finding and creating."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from arena.config.base import apply_settings, to_toml, validate
from arena.config.tournament import TournamentConfig
from arena.core.errors import ArenaError, UnknownName, UsageError
from arena.runs.job import run_job
from arena.runs.launch import create_run
from arena.runs.lock import run_lock
from arena.runs.paths import find_run, new_attempt_dir, new_run_dir, run_dirs
from arena.runs.record import RunRecord, Status, process_start, read_record, run_status
from arena.runs.store import RunStore

CONFIG = TournamentConfig(players=["random", "optimal"], games=["tictactoe"])


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return create_run(CONFIG, "tournament", tmp_path / "a-run")


def test_a_new_run_holds_identity_and_configuration(run_dir: Path) -> None:
    record = read_record(run_dir)
    assert (record.id, record.kind, record.pid) == ("a-run", "tournament", os.getpid())
    assert {path.name for path in run_dir.iterdir()} == {"run.json", "config.toml", "config.json"}


def test_a_run_is_found_by_path_and_by_id(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIRAL_ARENA_RUNS", str(run_dir.parent))
    assert find_run("a-run") == find_run(str(run_dir)) == run_dir
    assert run_dirs() == [run_dir]
    with pytest.raises(UnknownName, match=r"Did you mean a-run"):
        find_run("a-rnu")


def test_a_directory_in_use_is_refused_with_the_way_on(run_dir: Path) -> None:
    with pytest.raises(UsageError, match="--resume"):
        new_run_dir("tournament", run_dir)
    (run_dir / "run.json").unlink()
    assert new_run_dir("tournament", run_dir) == run_dir, "a start cut short before run.json can be repeated"
    (run_dir / "thesis.txt").touch()
    with pytest.raises(UsageError, match="not empty"):
        new_run_dir("tournament", run_dir)


def test_two_runs_of_one_second_get_two_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIRAL_ARENA_RUNS", str(tmp_path))
    assert len({new_run_dir("tournament") for _ in range(3)}) == 3


def test_attempts_are_numbered_on(run_dir: Path) -> None:
    assert [new_attempt_dir(run_dir).name for _ in range(2)] == ["attempt_1", "attempt_2"]


def test_status_follows_process_and_last_event(run_dir: Path) -> None:
    alive = read_record(run_dir)
    gone = alive.with_process(_finished_pid())
    assert run_status(run_dir, alive) is Status.RUNNING
    assert run_status(run_dir, gone) is Status.DEAD
    with RunStore(run_dir) as store:
        for kind, status in (("finished", Status.FINISHED), ("stopped", Status.STOPPED), ("failed", Status.FAILED)):
            store.add_event("started", "")
            assert run_status(run_dir, alive) is Status.RUNNING
            assert run_status(run_dir, gone) is Status.DEAD
            store.add_event(kind, "")
            store.add_event("note", "anything else")
            assert run_status(run_dir, gone) is status


def test_a_reused_pid_is_not_the_run(run_dir: Path) -> None:
    record = read_record(run_dir)
    assert record.alive
    assert not replace(record, pid_start="another:1").alive
    assert not replace(record, host="elsewhere").alive


def test_a_zombie_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    deadline = time.monotonic() + 20
    while process_start(child.pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.wait()


def test_a_damaged_record_is_named(run_dir: Path) -> None:
    (run_dir / "run.json").write_text("{")
    with pytest.raises(ArenaError, match=r"run\.json is damaged"):
        read_record(run_dir)


def test_a_second_writer_is_refused_and_a_killed_ones_lock_is_free(run_dir: Path) -> None:
    code = f"""
import time
from pathlib import Path
from arena.runs.lock import run_lock
with run_lock(Path({str(run_dir)!r})):
    print("locked", flush=True)
    time.sleep(60)
"""
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(ArenaError, match=f"already being run by pid {holder.pid}"), run_lock(run_dir):
            pass
    finally:
        holder.kill()
        holder.wait()
    with run_lock(run_dir):
        assert (run_dir / "lock").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_asks_and_the_second_ends_at_once(run_dir: Path, number: int) -> None:
    code = f"""
import time
from pathlib import Path
from arena.runs.job import run_job
with run_job(Path({str(run_dir)!r})) as job:
    print("begun", flush=True)
    while not job.should_stop():
        time.sleep(0.01)
    print("asked", flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(number)
    assert process.stdout.readline() == "asked\n"
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == 1
    assert run_status(run_dir, read_record(run_dir)) is Status.DEAD


def test_a_failing_job_leaves_its_traceback_in_the_log(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with run_job(run_dir) as job:
            job.say("warning: a \x1b[2J line")
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        work()
    text = (run_dir / "logs" / "attempt_1" / "job.log").read_text()
    assert "\x1b" not in text + capsys.readouterr().err
    assert "warning: a " in text
    assert "failed: ZeroDivisionError" in text
    assert "Traceback" in text
    with run_job(run_dir):
        pass
    assert (run_dir / "logs" / "attempt_2" / "job.log").read_text().endswith(" finished\n")


def test_the_record_survives_its_round_trip(tmp_path: Path) -> None:
    record = RunRecord.for_this_process(tmp_path, "train", ["spiral-arena", "train"], name="n", parent="p")
    record.write(tmp_path)
    assert read_record(tmp_path) == record


def test_configuration_errors_name_the_key_and_the_nearest_one() -> None:
    data = {"players": ["random", "optimal"], "games": ["tictactoe"]}
    with pytest.raises(UnknownName, match=r"'pair'.*pairs"):
        validate(TournamentConfig, data | {"pair": 3}, "tournament")
    with pytest.raises(UsageError, match=r"pairs: .*greater than or equal to 1"):
        validate(TournamentConfig, data | {"pairs": 0}, "tournament")
    with pytest.raises(UsageError, match="'random' is given more than once"):
        validate(TournamentConfig, data | {"players": ["random", "random"]}, "tournament")


def test_settings_change_one_key_each() -> None:
    data = {"a": 1, "part": {"x": 1, "y": 2}}
    changed = apply_settings(data, ["a=2", "part.x=0.5", "part.z=word", "new.deep=[1, 2]", "flag=true"])
    assert changed == {"a": 2, "part": {"x": 0.5, "y": 2, "z": "word"}, "new": {"deep": [1, 2]}, "flag": True}
    assert data["a"] == 1
    for bad in ("a", "=1", "a.b=1"):
        with pytest.raises(UsageError):
            apply_settings(data, [bad])


def test_toml_of_a_configuration_reads_back_as_the_same() -> None:
    import tomllib

    config = TournamentConfig(players=['a"b\\', "é\x7f\n"], games=["kuhn_poker?hands=1&payoff=chips"], seed=-3)
    assert TournamentConfig.model_validate(tomllib.loads(to_toml(config))) == config


def _finished_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    return child.pid


def test_a_job_may_open_more_files_than_the_usual_limit(run_dir: Path) -> None:
    usual = 256
    code = (
        "import resource, sys; from pathlib import Path; from arena.runs.job import run_job\n"
        "most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({usual}, most))\n"
        "with run_job(Path(sys.argv[1])): print(*resource.getrlimit(resource.RLIMIT_NOFILE), most)"
    )
    found = subprocess.run([sys.executable, "-c", code, str(run_dir)], capture_output=True, text=True, check=True)
    now, hard, before = map(int, found.stdout.split())
    assert hard == before
    assert now == (10_240 if hard < 0 else min(hard, 10_240)) > usual
