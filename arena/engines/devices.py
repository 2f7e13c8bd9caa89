"""Where an engine or a learner computes, and in which precision."""

from __future__ import annotations

import os

import torch

from arena.core.errors import UsageError
from arena.core.sanitise import one_line

CHOICE = "SPIRAL_ARENA_DEVICE"
"""Environment variable that says what "auto" is, such as cpu on a machine whose GPU is taken."""
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def device_of(name: str) -> torch.device:
    """The device of "auto" (a GPU where there is one), "cpu", "cuda" or "cuda:N". Raises UsageError."""
    if name == "auto":
        name = os.environ.get(CHOICE, name)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and (kind == "cpu" or not index.isdecimal())):
        raise UsageError(f"Unknown device {one_line(name)}.", "It is auto, cpu, cuda or cuda:N.")
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise UsageError(f"There is no device {one_line(name)} here.", "Use cpu, or leave it out.")
    return torch.device(name)


def dtype_of(name: str, device: torch.device) -> torch.dtype:
    """The precision of "auto" (bf16 on a GPU, fp32 else), "bf16", "fp16" or "fp32". Raises UsageError."""
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    if name not in DTYPES:
        raise UsageError(f"Unknown dtype {one_line(name)}.", f"It is auto, {', '.join(DTYPES)}.")
    return DTYPES[name]
