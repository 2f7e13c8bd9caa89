"""Input that is legal but odd: one clear line and the right exit code, and nothing half done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from arena.cli.app import main as arena
from arena.config.base import read_json, read_toml
from arena.config.limits import given_limits
from arena.config.prices import read_prices
from arena.config.tournament import MatchConfig, TournamentConfig
from arena.core.errors import ArenaError, UsageError
from arena.core.registry import PlayerSpec
from arena.players._api.secrets import find_key
from arena.players.hf import look
from arena.runs.job import run_job
from arena.runs.launch import create_run
from arena.runs.paths import CONFIG_JSON
from arena.runs.record import Status, read_record, run_status
from evals.__main__ import main as evals

NOBODY = "~nobody-of-that-name/file"
"""The shell leaves such a word as it is, and so do we."""
NO_TEXT = os.fsdecode(b"x\xff")
"""What Python makes of a word of the command line that is no UTF-8."""


def test_a_home_directory_of_nobody_is_a_folder_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_prices(NOBODY)
    with pytest.raises(UsageError, match="No such file"):
        find_key("SOME_KEY", {"key_file": NOBODY}, needed=False)
    with pytest.raises(UsageError, match="no folder"):
        look(NOBODY)
    assert given_limits({"prices": NOBODY}) == {"prices": str(Path(NOBODY).absolute())}


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "{a = " * 5000])
def test_a_file_that_is_nested_too_deeply_is_refused_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deep.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match="deeply"):
        read_toml(path)


def test_a_name_of_a_file_with_a_nul_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match="null"):
        read_toml(Path("prices\0.toml"))


@pytest.mark.parametrize("spec", [f"vllm:{NO_TEXT}@http://127.0.0.1:9", f"ckpt:{NO_TEXT}", NO_TEXT])
def test_a_player_whose_name_is_no_text_is_refused(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="no text"):
        PlayerSpec.parse(spec)
    assert arena(["tournament", "--player", "random", spec, "--game", "tictactoe"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_prices_in_a_file_whose_name_is_no_text_are_refused() -> None:
    with pytest.raises(UsageError, match="no text"):
        given_limits({"prices": NO_TEXT})


def test_a_run_directory_of_any_name_is_played_in_and_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = TournamentConfig(players=["random", "optimal"], games=["tictactoe"], pairs=1)
    try:
        run_dir = create_run(config, "tournament", tmp_path / f"ünï cödé #?% {NO_TEXT}")
    except OSError:
        pytest.skip("this file system takes no such name")
    assert evals([str(run_dir), "--json"]) == 0
    played = json.loads(capsys.readouterr().out)
    assert evals([str(run_dir), "--show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == played
    assert run_status(run_dir, read_record(run_dir)) is Status.FINISHED


@pytest.mark.parametrize(
    ("option", "value", "says"), [("--max-cost", "1", "no price"), ("--concurrency", "0", "greater than or equal to 1")]
)
def test_a_resume_with_what_cannot_be_leaves_the_run_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, says: str
) -> None:
    config = TournamentConfig(players=["vllm:m@http://127.0.0.1:9", "random"], games=["tictactoe"], pairs=1)
    run_dir = create_run(config, "tournament", tmp_path / "run")
    assert evals([str(run_dir), option, value]) == 2
    assert says in capsys.readouterr().err
    assert read_json(TournamentConfig, run_dir / CONFIG_JSON) == config, "a further resume is not stopped by it"
    assert not (run_dir / "run.db").exists()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_files_and_pipes_get_utf_8_in_every_locale(encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "arena", "games"]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=True)
    assert "—" in done.stdout.decode("utf-8")


def test_a_match_that_stays_void_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = MatchConfig(game="tictactoe", players=("vllm:m@http://127.0.0.1:9?deadline=0.2", "random"))
    run_dir = create_run(config, "match", tmp_path / "a run")
    assert evals([str(run_dir)]) == 1
    told = capsys.readouterr().err
    assert "could not be reached" in told
    assert f"Resume: spiral-arena match --resume '{run_dir}'" in told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux alone has /dev/full")
@pytest.mark.parametrize("args", [["games", "--json"], ["players", "check", "random"]])
def test_output_that_finds_no_room_is_one_line(args: list[str]) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "arena", *args]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_job_is_done_though_its_standard_streams_are_closed(tmp_path: Path) -> None:
    out = tmp_path / "run"
    closed = 'exec "$@" <&- >&- 2>&-'
    args = ["tournament", "--player", "random", "optimal", "--game", "tictactoe", "--pairs", "1", "--out", str(out)]
    done = subprocess.run(["sh", "-c", closed, "sh", sys.executable, "-m", "arena", *args], timeout=60, check=False)
    assert done.returncode == 0
    assert run_status(out, read_record(out)) is Status.FINISHED


def run_until_asked_to_stop(run_dir: Path, meanwhile: Callable[[], object]) -> None:
    with run_job(run_dir) as job:
        assert not job.should_stop()
        meanwhile()
        deadline = time.monotonic() + 10
        while not job.should_stop():
            assert time.monotonic() < deadline
        job.stopped = True


def test_a_job_whose_directory_is_taken_away_ends_and_says_so(tmp_path: Path) -> None:
    config = TournamentConfig(players=["random", "optimal"], games=["tictactoe"], pairs=1)
    run_dir, moved = create_run(config, "tournament", tmp_path / "run"), tmp_path / "moved"
    with pytest.raises(ArenaError, match="not there any more"):
        run_until_asked_to_stop(run_dir, lambda: run_dir.rename(moved))
    assert run_status(moved, read_record(moved)) is Status.STOPPED


def test_a_command_that_is_told_can_be_pasted_though_its_directory_has_spaces(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = TournamentConfig(players=["random", "optimal"], games=["tictactoe"], pairs=1)
    run_dir = create_run(config, "tournament", tmp_path / "a run")
    args = ["tournament", "--player", "random", "optimal", "--game", "tictactoe"]
    assert arena([*args, "--out", str(run_dir)]) == 2
    assert f"--resume '{run_dir}'," in capsys.readouterr().err
    assert arena([*args, "--pairs", "1", "--out", str(tmp_path / "my run"), "--detach"]) == 0
    assert f"touch '{tmp_path / 'my run'}/stop'" in capsys.readouterr().err
    while read_record(tmp_path / "my run").alive:
        time.sleep(0.02)
