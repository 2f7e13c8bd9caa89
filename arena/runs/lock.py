"""One writer to a run directory: the kernel's lock on the file `lock`, which dies with its holder.

What the file says is only for people: a lock left by a killed job is no lock, and the next job takes it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line

LOCK = "lock"


@contextmanager
def run_lock(run_dir: Path) -> Iterator[None]:
    """Hold the run's lock. Raises ArenaError at once where another process holds it."""
    path = run_dir / LOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ArenaError(f"Cannot open {path}: {error.strerror}.", "Check that the directory is writable.") from error
    try:
        _take(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = one_line(os.pread(descriptor, 100, 0).decode(errors="replace")) or "another process"
        raise ArenaError(
            f"{path.parent} is already being run by {holder}.", "Wait for it to end, or ask it to stop."
        ) from None
    except OSError as error:
        raise ArenaError(f"Cannot lock {path}: {error.strerror}.") from error
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"pid {os.getpid()}\n".encode(), 0)
    except OSError:
        # A full disk: the lock itself is held all the same.
        pass
