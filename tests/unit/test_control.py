"""Stop, kill, resume, rename and delete a run, from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import run_dirs

from arena.cli.app import main
from arena.core.errors import ArenaError, UsageError
from arena.runs.control import delete_run, kill_run, process_tree, resume_run
from arena.runs.lock import run_lock
from arena.runs.paths import stop_asked
from arena.runs.record import Status, read_record, run_status

SLEEP = "import time; print('up', flush=True); time.sleep(600)"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPIRAL_ARENA_RUNS", "runs")


@pytest.fixture
def run_dir() -> Path:
    """A training that seems to be run by this process."""
    return run_dirs.training(Path("runs") / "r", 3, of=5, end="")


@pytest.fixture
def tree(run_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A job with a child in a session of its own, as ranks are, and a grandchild; the run is theirs."""
    grandchild = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEP!r}])"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}], start_new_session=True)"
    job = subprocess.Popen([sys.executable, "-c", child], start_new_session=True, stdout=subprocess.PIPE)
    assert job.stdout is not None
    assert job.stdout.readline() == b"up\n"
    read_record(run_dir).with_process(job.pid).write(run_dir)
    yield job
    for process in process_tree(job.pid):
        subprocess.run(["kill", "-9", str(process.pid)], check=False)
    job.wait()


def test_stop_is_a_request(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "stop", "r", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"id": "r", "done": "asked to stop"}
    assert stop_asked(run_dir)


def test_kill_takes_the_whole_tree(tree: subprocess.Popen[bytes], run_dir: Path) -> None:
    assert len(process_tree(tree.pid)) == 3
    assert main(["runs", "kill", "r"]) == 0
    assert tree.stdout is not None
    assert tree.stdout.read() == b"", "nobody holds the other end any more"
    assert run_status(run_dir, read_record(run_dir)) is Status.DEAD


def test_kill_spares_a_later_process_with_the_same_pid(tree: subprocess.Popen[bytes], run_dir: Path) -> None:
    replace(read_record(run_dir), pid_start="another:1").write(run_dir)
    with pytest.raises(UsageError, match="not running"):
        kill_run(run_dir)
    assert tree.poll() is None


def test_a_process_does_not_kill_itself(run_dir: Path) -> None:
    with pytest.raises(UsageError, match="this very process"):
        kill_run(run_dir)


@pytest.mark.parametrize("verb", ["stop", "kill"])
def test_what_does_not_run_can_be_neither_stopped_nor_killed(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_dirs.training(Path("runs") / "r", 3, of=5)
    assert main(["runs", verb, "r"]) == 2
    assert "is not running" in capsys.readouterr().err


def test_resume_starts_the_job_detached(capfd: pytest.CaptureFixture[str]) -> None:
    run_dir = run_dirs.tournament(Path("runs") / "t", played=0, pairs=1, end="stopped", players=["random", "scripted"])
    assert main(["runs", "resume", "t", "--json"]) == 0
    pid = json.loads(capfd.readouterr().out)["pid"]
    record = read_record(run_dir)
    assert record.pid == pid
    with pytest.raises(UsageError, match="running already"):
        resume_run(run_dir)
    import os

    os.waitpid(pid, 0)
    assert run_status(run_dir, read_record(run_dir)) is Status.FINISHED
    with pytest.raises(UsageError, match="finished"):
        resume_run(run_dir)


def test_rename_keeps_everything_else(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = read_record(run_dir)
    assert main(["runs", "rename", "r", "  a\tname "]) == 0
    assert read_record(run_dir) == replace(before, name="a name")
    for bad in ("", "x" * 61):
        assert main(["runs", "rename", "r", bad]) == 2
    assert read_record(run_dir).name == "a name"


def test_delete_asks_refuses_what_runs_and_needs_a_run(capsys: pytest.CaptureFixture[str], run_dir: Path) -> None:
    with pytest.raises(UsageError, match="is running"):
        delete_run(run_dir)
    other = run_dirs.training(Path("runs") / "done", 3, of=5)
    assert main(["runs", "delete", "done"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert other.exists()
    assert main(["runs", "delete", "done", "--yes"]) == 0
    assert [path.name for path in Path("runs").iterdir()] == ["r"]
    Path("plain").mkdir()
    with pytest.raises(UsageError, match="no run"):
        delete_run(Path("plain"))


def test_delete_leaves_a_run_that_another_process_holds_or_another_host_may_run() -> None:
    run_dir = run_dirs.corrupt(Path("runs") / "broken")
    holder = subprocess.Popen(
        [sys.executable, "-c", f"import fcntl, time; f = open('{run_dir}/lock', 'w'); fcntl.flock(f, 2)\n{SLEEP}"],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"up\n"
        with pytest.raises(ArenaError, match="already being run"):
            delete_run(run_dir)
    finally:
        holder.kill()
        holder.wait()
    with run_lock(run_dir):
        pass
    delete_run(run_dir)
    assert not run_dir.exists()
    far = run_dirs.training(Path("runs") / "far", 3, of=5, end="")
    replace(read_record(far), host="elsewhere").write(far)
    with pytest.raises(UsageError, match="elsewhere"):
        delete_run(far)
