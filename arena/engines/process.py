"""Settings of a process that computes with torch: set once, by whatever makes the first engine or learner."""

from __future__ import annotations

import ctypes
import sys

import torch

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_done = False


def settle() -> None:
    """One torch thread (two processes with one thread each beat one with two), and memory that is kept.

    glibc gives large blocks back to the system at once and faults them in again for the next tensor; keeping
    them makes forward and backward passes of small models up to twice as fast.
    """
    global _done
    if _done:
        return
    _done = True
    torch.set_num_threads(1)
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, 1 << 30)
            mallopt(_M_TRIM_THRESHOLD, 1 << 30)
