"""head-to-head and ood survive a kill, as a tournament does, and are exported."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stored_rows import count_matches

from arena.runs.paths import RESULT_JSON

COMMANDS = {
    "head-to-head": ["scripted", "random", "scripted?skill=1", "--game", "tictactoe", "snake", "--pairs", "40"],
    "ood": ["scripted?skill=1", "--base", "scripted?skill=0", "--game", "pig_dice", "--game", "snake", "--pairs", "30"],
}


def command(kind: str, *args: str) -> list[str]:
    return [sys.executable, "-m", "arena", kind, *args]


def finish(*args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(command(*args), capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == code, (args, result.returncode, result.stderr)
    return result


@pytest.mark.parametrize("kind", COMMANDS)
def test_killed_twice_it_resumes_to_the_same_json_and_is_exported(tmp_path: Path, kind: str) -> None:
    undisturbed = finish(kind, *COMMANDS[kind], "--seed", "2", "--out", str(tmp_path / "calm"), "--json").stdout
    total, run_dir, rng = count_matches(tmp_path / "calm"), tmp_path / "run", random.Random(kind)
    arguments = [*COMMANDS[kind], "--seed", "2", "--concurrency", "3", "--out", str(run_dir)]
    for _ in range(2):
        process = subprocess.Popen(command(kind, *arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wanted, deadline = count_matches(run_dir) + rng.randrange(1, total // 3), time.monotonic() + 60
        while count_matches(run_dir) < wanted and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.kill()
        process.wait()
        arguments = ["--resume", str(run_dir)]
    assert 0 < count_matches(run_dir) < total
    assert finish(kind, "--resume", str(run_dir), "--json").stdout == undisturbed
    assert count_matches(run_dir) == total
    progress = {"finished": True, "played": total, "planned": total}
    assert json.loads((run_dir / RESULT_JSON).read_text()) == {**json.loads(undisturbed), **progress}
    again = finish(kind, "--resume", str(run_dir))
    assert again.stderr == "", "a finished run plays nothing"
    assert "scripted?skill=1" in again.stdout
    for form in ("md", "csv", "json"):
        exported = finish("export", str(run_dir), "--format", form).stdout
        assert "scripted?skill=1" in exported
        assert ("matrix" if kind == "head-to-head" else "averages") in exported
        if form == "json":
            assert json.loads(exported) == json.loads(undisturbed)
