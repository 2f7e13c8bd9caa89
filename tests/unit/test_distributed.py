"""Ranks as real processes: exchanges in order, and what happens when one ends before its time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.distributed import Ranks

PROGRAM = """
import os, sys, time
from arena.core.errors import ArenaError
from training.distributed import ranks

what = sys.argv[1]
if what == "early" and "SPIRAL_ARENA_RANK" in os.environ:
    sys.exit(3)
try:
    with ranks(2) as group:
        group.gather("here")
        if what == "exchange":
            import torch
            tensor = torch.tensor([0.1, 0.2]) * (group.rank + 1)
            group.add(tensor)
            same = group.gather(tensor.tolist())
            print(group.gather(f"rank {group.rank}"), same[0] == same[1], group.from_first(f"from {group.rank}"))
        elif what == "fails" and group.rank == 1:
            raise ArenaError("The disk of rank 1 is made of cheese.")
        elif what == "exits" and group.rank == 1:
            os._exit(5)
        elif what == "hangs":
            print("up", flush=True)
            time.sleep(60)
        group.gather(0)
except ArenaError as error:
    print(error)
    sys.exit(1)
"""


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    (tmp_path / "ranked.py").write_text(PROGRAM)
    return [sys.executable, "-m", "ranked"]


def run(program: list[str], tmp_path: Path, what: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    environment = os.environ | {"PYTHONPATH": path}
    return subprocess.run(
        [*program, what], env=environment, capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path
    )


def test_one_rank_exchanges_with_itself_for_free() -> None:
    alone = Ranks()
    assert alone.gather("x") == ["x"]
    assert alone.from_first(3) == 3


def test_ranks_exchange_in_order(program: list[str], tmp_path: Path) -> None:
    done = run(program, tmp_path, "exchange")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "['rank 0', 'rank 1'] True from 0\n"


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("fails", "Training cannot go on: rank 1 of 2 has ended (The disk of rank 1 is made of cheese)."),
        ("exits", "Training cannot go on: rank 1 of 2 has ended (exit code 5)."),
        ("early", "Training cannot start: rank 1 of 2 has ended (exit code 3)."),
    ],
)
def test_a_rank_that_ends_before_its_time_is_named_with_its_reason(
    program: list[str], tmp_path: Path, what: str, reason: str
) -> None:
    done = run(program, tmp_path, what)
    assert done.returncode == 1
    assert done.stdout.startswith(reason)
    assert done.stderr == "", "no traceback, no talk of gloo"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_no_rank_outlives_the_first(program: list[str], tmp_path: Path) -> None:
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    process = subprocess.Popen(
        [*program, "hangs"], env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, cwd=tmp_path
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 1
    process.kill()
    process.wait()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{children[0]}/stat").exists():
        state = Path(f"/proc/{children[0]}/stat").read_text().rpartition(")")[2].split()[0]
        if state in "ZX":
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
