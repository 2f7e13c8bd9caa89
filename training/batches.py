"""Rows of unequal length as padded batches with little padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

ROW_STEP, LENGTH_STEP = 16, 4
"""Batches are padded to multiples of these: few distinct shapes, for each of which oneDNN compiles its kernels once."""
LONG = 512
"""Tokens of a row beyond which a row of padding costs more than a shape."""


class Batch(NamedTuple):
    """Rows of (prompt, reply) ids, padded on the right, and where the reply's tokens are predicted."""

    ids: Tensor
    """[B, T] token ids; T is rounded up, and B where rows are not long."""
    positions: Tensor
    """[n] flat positions (row · T + column) whose logits predict a reply token."""
    targets: Tensor
    """[n] the reply tokens, row by row."""
    row: Tensor
    """[n] the row of each reply token."""


def collate(
    rows: Sequence[tuple[Sequence[int], Sequence[int]]], pad: int = 0, device: torch.device | str = "cpu"
) -> Batch:
    """Build one batch on a device from (prompt ids, reply ids) rows.

    Rows beyond them are padding that nothing points at; long rows get none.
    """
    length = _up(max(len(prompt) + len(reply) for prompt, reply in rows), LENGTH_STEP)
    count = _up(len(rows), ROW_STEP) if length <= LONG else len(rows)
    ids = np.full((count, length), pad, dtype=np.int64)
    positions, targets, owners = [], [], []
    for index, (prompt, reply) in enumerate(rows):
        start, end = len(prompt), len(prompt) + len(reply)
        ids[index, :start] = prompt
        ids[index, start:end] = reply
        positions.append(np.arange(index * length + start - 1, index * length + end - 1))
        targets.append(np.asarray(reply, dtype=np.int64))
        owners.append(np.full(len(reply), index, dtype=np.int64))
    arrays = ids, np.concatenate(positions), np.concatenate(targets), np.concatenate(owners)
    return Batch(*(torch.from_numpy(array).to(device) for array in arrays))


def _up(size: int, step: int) -> int:
    return -(-size // step) * step


def by_length(lengths: Sequence[int], rows: int, tokens: int | None = None) -> list[list[int]]:
    """Indices cut into groups of at most `rows`, alike in length; ties keep their order.

    With `tokens` a group of several rows has at most so many, counted with its padding.
    """
    order = sorted(range(len(lengths)), key=lambda index: lengths[index])
    groups: list[list[int]] = []
    for index in order:
        last = groups[-1] if groups else []
        fits = tokens is None or (len(last) + 1) * lengths[index] <= tokens
        if last and len(last) < rows and fits:
            last.append(index)
        else:
            groups.append([index])
    return groups
