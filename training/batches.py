"""Rows of unequal length as padded batches with little padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

ROW_STEP, LENGTH_STEP = 16, 4
"""Batches are padded to multiples of these: few distinct shapes, for each of which oneDNN compiles its kernels once."""


class Batch(NamedTuple):
    """Rows of (prompt, reply) ids, padded on the right, and where the reply's tokens are predicted."""

    ids: Tensor
    """[B, T] token ids; B and T are rounded up."""
    positions: Tensor
    """[n] flat positions (row · T + column) whose logits predict a reply token."""
    targets: Tensor
    """[n] the reply tokens, row by row."""
    row: Tensor
    """[n] the row of each reply token."""


def collate(rows: Sequence[tuple[Sequence[int], Sequence[int]]], pad: int = 0) -> Batch:
    """Build one batch from (prompt ids, reply ids) rows; rows beyond them are padding that nothing points at."""
    length = _up(max(len(prompt) + len(reply) for prompt, reply in rows), LENGTH_STEP)
    ids = np.full((_up(len(rows), ROW_STEP), length), pad, dtype=np.int64)
    positions, targets, owners = [], [], []
    for index, (prompt, reply) in enumerate(rows):
        start, end = len(prompt), len(prompt) + len(reply)
        ids[index, :start] = prompt
        ids[index, start:end] = reply
        positions.append(np.arange(index * length + start - 1, index * length + end - 1))
        targets.append(np.asarray(reply, dtype=np.int64))
        owners.append(np.full(len(reply), index, dtype=np.int64))
    return Batch(
        torch.from_numpy(ids),
        torch.from_numpy(np.concatenate(positions)),
        torch.from_numpy(np.concatenate(targets)),
        torch.from_numpy(np.concatenate(owners)),
    )


def _up(size: int, step: int) -> int:
    return -(-size // step) * step


def by_length(lengths: Sequence[int], rows: int) -> list[list[int]]:
    """Indices cut into groups of at most `rows`, alike in length; ties keep their order."""
    order = sorted(range(len(lengths)), key=lambda index: lengths[index])
    return [order[start : start + rows] for start in range(0, len(order), rows)]
