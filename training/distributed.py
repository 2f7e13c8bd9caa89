"""Single-program ranks: one process a core, each with its share of matches and gradients.

The process that the user started is rank 0 and starts the others; they talk over gloo on loopback.
Sums run in a fixed order, so a run repeats bit for bit at the same number of ranks.

Rank 0 alone meets signals and the run directory: the others live in a session of their own and end when their
standard input closes, which is when rank 0 ends, however it ends. A rank that ends before its time makes the
next exchange of rank 0 fail with one line that says why.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

_RANK, _WORLD, _STORE = "SPIRAL_ARENA_RANK", "SPIRAL_ARENA_WORLD", "SPIRAL_ARENA_STORE"
_PATIENCE = timedelta(minutes=30)
"""The longest wait for another rank that lives; one that has ended is noticed at once."""
_POLL_SECONDS = 0.05
_PARTING_SECONDS = 10


class Ranks:
    """This process's place among the ranks, and the exchanges between them. With one rank all are free.

    Every exchange raises ArenaError where another rank has ended.
    """

    def __init__(self, rank: int = 0, world: int = 1, why_lost: Callable[[], str] | None = None) -> None:
        self.rank = rank
        self.world = world
        self._why_lost = why_lost or (lambda: "another rank has ended")

    def add(self, tensor: Tensor) -> None:
        """Replace the tensor by its sum over ranks, in place."""
        if self.world > 1:
            with self._exchange() as dist:
                dist.all_reduce(tensor)

    def gather(self, value: T) -> list[T]:
        """Every rank's value, in the order of ranks, on every rank."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        with self._exchange() as dist:
            dist.all_gather_object(values, value)
        return values

    def from_first(self, value: T) -> T:
        """Rank 0's value, on every rank."""
        if self.world == 1:
            return value
        box = [value]
        with self._exchange() as dist:
            dist.broadcast_object_list(box, src=0)
        return box[0]

    @contextmanager
    def _exchange(self) -> Iterator[Any]:
        import torch.distributed

        try:
            yield torch.distributed
        except RuntimeError as error:
            hint = "Everything up to the last checkpoint is saved; resume the run."
            raise ArenaError(f"Training cannot go on: {self._why_lost()}.", hint) from error


@contextmanager
def ranks(world: int) -> Iterator[Ranks]:
    """Join the group of `world` ranks. Rank 0 starts the others as copies of this process, and ends them."""
    # A lost rank is told of in words; gloo's own log lines would only come before them.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")
    from arena.engines.process import settle

    settle()
    if world <= 1:
        yield Ranks()
    elif is_first():
        with _others(world) as others, _member(Ranks(0, world, others.why_lost), others.folder) as me:
            yield me
    else:
        rank, folder_name = int(os.environ[_RANK]), Path(os.environ[_STORE])
        with _as_other(rank, folder_name), _member(Ranks(rank, world), folder_name) as me:
            yield me


def is_first() -> bool:
    """Whether this process is the one the user started."""
    return _RANK not in os.environ


class _Others:
    """The processes of ranks 1 and up, as rank 0 sees them."""

    def __init__(self, processes: Sequence[subprocess.Popen[bytes]], folder: Path) -> None:
        self.processes = processes
        self.folder = folder

    def wait_until_ready(self) -> None:
        """Return once all have come up. Raises ArenaError where one has ended instead."""
        for rank, process in enumerate(self.processes, start=1):
            while not _note(self.folder, rank, "ready").exists():
                if process.poll() is not None:
                    raise ArenaError(f"Training cannot start: {self.why_lost()}.")
                time.sleep(_POLL_SECONDS)

    def why_lost(self) -> str:
        """Which rank has ended, and its own reason where it left one."""
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            for rank, process in enumerate(self.processes, start=1):
                if process.poll() is not None:
                    return f"rank {rank} of {len(self.processes) + 1} has ended ({self._reason(rank, process)})"
            time.sleep(_POLL_SECONDS)
        return "another rank does not answer"

    def _reason(self, rank: int, process: subprocess.Popen[bytes]) -> str:
        with suppress(OSError):
            return _note(self.folder, rank, "failed").read_text(encoding="utf-8").rstrip(".")
        if process.returncode < 0:
            return f"killed by {signal.Signals(-process.returncode).name}"
        return f"exit code {process.returncode}"


@contextmanager
def _others(world: int) -> Iterator[_Others]:
    with tempfile.TemporaryDirectory(prefix="spiral-arena-") as name:
        others = _Others([_start(rank, world, Path(name)) for rank in range(1, world)], Path(name))
        try:
            others.wait_until_ready()
            yield others
        except BaseException:
            _part(others.processes, patience=0)
            raise
        _part(others.processes, patience=_PARTING_SECONDS)


def _part(processes: Sequence[subprocess.Popen[bytes]], patience: float) -> None:
    """Wait for the others to end by themselves, then end them."""
    deadline = time.monotonic() + patience
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=max(deadline - time.monotonic(), 0))
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start(rank: int, world: int, folder: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {_RANK: str(rank), _WORLD: str(world), _STORE: str(folder)}
    return subprocess.Popen(
        [sys.executable, *_module_arguments()],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def _module_arguments() -> list[str]:
    """How this process was started, as `-m module` with its arguments."""
    spec = sys.modules["__main__"].__spec__
    if spec is None:
        return list(sys.argv)
    return ["-P", "-m", spec.name.removesuffix(".__main__"), *sys.argv[1:]]


@contextmanager
def _as_other(rank: int, folder: Path) -> Iterator[None]:
    """In ranks 1 and up: end with rank 0, and leave the reason where this rank is the one that fails."""
    threading.Thread(target=_end_with_first, daemon=True).start()
    _note(folder, rank, "ready").touch()
    try:
        yield
    except ArenaError as error:
        with suppress(OSError):
            _note(folder, rank, "failed").write_text(one_line(str(error), 1000), encoding="utf-8")
        raise SystemExit(1) from None


def _end_with_first() -> None:
    """Standard input is a pipe that nobody writes to: it ends when rank 0 does."""
    with suppress(OSError):
        while os.read(0, 1):
            pass
    os._exit(1)


def _note(folder: Path, rank: int, what: str) -> Path:
    return folder / f"rank_{rank}.{what}"


@contextmanager
def _member(me: Ranks, folder: Path) -> Iterator[Ranks]:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo" if sys.platform == "linux" else "lo0")
    address = f"file://{folder / 'store'}"
    with me._exchange() as dist:
        dist.init_process_group("gloo", init_method=address, rank=me.rank, world_size=me.world, timeout=_PATIENCE)
    try:
        yield me
    finally:
        dist.destroy_process_group()
