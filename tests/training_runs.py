"""Small training runs for tests: made, run as real processes or in this one, and read back."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from databases import read_rows
from safetensors.torch import load_file
from stored_rows import Matches, timeless

from arena.config.base import apply_settings, validate
from arena.config.train import TrainConfig
from arena.runs.checkpoints import list_checkpoints
from arena.runs.launch import create_run, job_environment
from arena.runs.paths import DB_NAME
from arena.runs.reader import RunReader
from arena.runs.rows import MetricRow, TruthRow

KUHN = "kuhn_poker?hands=1&payoff=chips"
TIMINGS = ("seconds_", "tokens_per_second", "matches_per_second")
"""How the names of metrics begin that differ from run to run."""


def config(model: Path, *settings: str) -> TrainConfig:
    """Two games, everything on, seconds long."""
    data: dict[str, Any] = {
        "name": "small",
        "steps": 12,
        "model": f"ckpt:{model}",
        "checkpoint_every": 2,
        "games": [
            {
                "game": "tictactoe",
                "turns": 24,
                "magnet": 0.03,
                "anchor": 0.1,
                "random_start": 0.5,
                "opening_plies": 3,
            },
            {"game": KUHN, "turns": 16, "weight": 0.5, "magnet": 0.15},
        ],
        "sampling": {"max_tokens": 16},
        "optimiser": {"minibatch": 20, "lr": 3e-3, "thin": 0.5},
        "evaluation": {"every": 3, "pairs": 2, "positions": 0.02},
    }
    return validate(TrainConfig, apply_settings(data, settings), "test")


def new_run(run_dir: Path, model: Path, *settings: str) -> Path:
    return create_run(config(model, *settings), "train", run_dir, name="small")


def command(run_dir: Path, *args: str) -> list[str]:
    return [sys.executable, "-P", "-m", "training", str(run_dir), *args]


def launch(run_dir: Path, **options: Any) -> subprocess.Popen[str]:
    """Start the job as a process of its own; without captured output unless `stderr` says so."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command(run_dir), env=job_environment(), text=True, **{**quiet, **options})


def finish(run_dir: Path, *args: str, code: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the job to its end; it must end with `code`."""
    done = subprocess.run(
        command(run_dir, *args), env=job_environment(), capture_output=True, text=True, timeout=300, check=False,
        **options,
    )  # fmt: skip
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def train(run_dir: Path, code: int = 0) -> None:
    """Run the job in this process."""
    from training.__main__ import main

    assert main([str(run_dir)]) == code


def wait_for(what: Callable[[], bool], process: subprocess.Popen[str] | None = None, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not what() and (process is None or process.poll() is None):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def steps_stored(run_dir: Path) -> int:
    """The newest step with a metric; -1 where there is none."""
    try:
        ((step,),) = read_rows(run_dir / DB_NAME, "SELECT coalesce(max(step), -1) FROM metric")
    except sqlite3.OperationalError:
        return -1
    return int(step)


Rows = tuple[list[MetricRow], Matches, list[TruthRow]]


def rows(run_dir: Path) -> Rows:
    """Everything that was stored but ids and timings."""
    with RunReader(run_dir) as reader:
        metrics = [
            replace(row, id=0, at=0.0) for row in reader.metrics(limit=10**6) if not row.name.startswith(TIMINGS)
        ]
        matches = timeless(reader, reader.matches(limit=10**6))
        return metrics, matches, reader.truths()


def checkpoint(run_dir: Path, step: int) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """All tensors of a checkpoint by file and name, and its trainer state but for the time it took."""
    import json

    folder = {found.step: found.folder for found in list_checkpoints(run_dir)}[step]
    tensors = {
        f"{file.name}/{name}": tensor
        for file in sorted(folder.rglob("*.safetensors"))
        for name, tensor in load_file(file).items()
    }
    state = json.loads((folder / "trainer.json").read_text())
    del state["seconds"]
    return tensors, state


def assert_same_run(one: Path, other: Path, step: int) -> None:
    """Equal to the bit: tensors, state, and every row but timings."""
    (tensors, state), (tensors2, state2) = checkpoint(one, step), checkpoint(other, step)
    assert state == state2
    assert tensors.keys() == tensors2.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, tensors2[name]), name
    for kind, kind2 in zip(rows(one), rows(other), strict=True):
        assert kind == kind2


def processes_of(run_dir: Path) -> list[int]:
    """Pids of the processes whose command line names the run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if str(run_dir).encode() in words and state not in "ZX":
                found.append(int(entry.name))
    return sorted(found)
