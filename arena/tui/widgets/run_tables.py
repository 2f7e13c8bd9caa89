"""The lists of a training's alarms and checkpoints."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType

from arena.tui.format import size
from arena.tui.text import line
from arena.tui.theme import EMPTY, level
from arena.tui.widgets.progress_report import measured
from arena.tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from arena.runs.rows import HealthRow
    from arena.tui.collect.training import CheckpointRow


class StepTable(Table[Any]):
    """Rows that belong to steps."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "show in plots", key_display="↵", id="step.show", tooltip="Cursor to this step."),
    ]


def alarm_columns() -> list[Column[HealthRow]]:
    return [
        Column("step", 6, lambda row: line(str(row.step)), right=True),
        Column("level", 10, lambda row: level(row.level)),
        Column("message", 20, lambda row: line(row.message, limit=400), grow=True),
        Column("check", 12, lambda row: line(row.name, "$foreground-muted"), rank=1),
    ]


def checkpoint_columns() -> list[Column[CheckpointRow]]:
    return [
        Column("step", 6, lambda row: line(str(row.step)), right=True),
        Column("written", 12, lambda row: EMPTY if row.at is None else line(_when(row.at)), rank=1),
        Column("size", 8, lambda row: line(size(row.bytes)), right=True, rank=2),
        Column("measured", 20, lambda row: measured(row.measured) if row.measured else EMPTY, grow=True),
    ]


def _when(at: float) -> str:
    return time.strftime("%d %b %H:%M", time.localtime(at))
