"""Single-program ranks: one process a core, each with its share of matches and gradients.

The process that the user started is rank 0 and starts the others; they talk over gloo on loopback.
Sums run in a fixed order, so a run repeats bit for bit at the same number of ranks.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")

_RANK, _WORLD, _STORE = "SPIRAL_ARENA_RANK", "SPIRAL_ARENA_WORLD", "SPIRAL_ARENA_STORE"
_PATIENCE = timedelta(minutes=30)


class Ranks:
    """This process's place among the ranks, and the exchanges between them. With one rank all are free."""

    def __init__(self, rank: int = 0, world: int = 1) -> None:
        self.rank = rank
        self.world = world

    def add(self, tensor: Tensor) -> None:
        """Replace the tensor by its sum over ranks, in place."""
        if self.world > 1:
            dist.all_reduce(tensor)

    def gather(self, value: T) -> list[T]:
        """Every rank's value, in the order of ranks, on every rank."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def from_first(self, value: T) -> T:
        """Rank 0's value, on every rank."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]


def one_thread() -> None:
    """One torch thread per process: two stall each other as soon as anything else runs."""
    torch.set_num_threads(1)


@contextmanager
def ranks(world: int) -> Iterator[Ranks]:
    """Join the group of `world` ranks. Rank 0 starts the others as copies of this process, and ends them."""
    one_thread()
    if world <= 1:
        yield Ranks()
        return
    if _RANK in os.environ:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        yield from _member(int(os.environ[_RANK]), world, Path(os.environ[_STORE]))
        return
    with tempfile.TemporaryDirectory(prefix="spiral-arena-") as folder:
        store = Path(folder) / "store"
        others = [_start(rank, world, store) for rank in range(1, world)]
        try:
            yield from _member(0, world, store)
        finally:
            for process in others:
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    process.kill()


def is_first() -> bool:
    """Whether this process is the one the user started."""
    return _RANK not in os.environ


def _start(rank: int, world: int, store: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {_RANK: str(rank), _WORLD: str(world), _STORE: str(store)}
    return subprocess.Popen([sys.executable, *_module_arguments()], env=environment, stdin=subprocess.DEVNULL)


def _module_arguments() -> list[str]:
    """How this process was started, as `-m module` with its arguments."""
    spec = sys.modules["__main__"].__spec__
    if spec is None:
        return list(sys.argv)
    return ["-P", "-m", spec.name.removesuffix(".__main__"), *sys.argv[1:]]


def _member(rank: int, world: int, store: Path) -> Iterator[Ranks]:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo" if sys.platform == "linux" else "lo0")
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world, timeout=_PATIENCE)
    try:
        yield Ranks(rank, world)
    finally:
        dist.destroy_process_group()
