"""A dialog that offers the presets, each with a line about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from arena.tui.text import line
from arena.tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from arena.config.presets import Preset


class PresetScreen(ModalScreen["Preset | None"]):
    """Gives the preset that was chosen, or None."""

    CSS_PATH = "presets.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "cancel", key_display="esc", id="preset.leave")
    ]

    def __init__(self, presets: Sequence[Preset], current: str) -> None:
        super().__init__()
        self._presets = presets
        self._current = current

    def compose(self) -> ComposeResult:
        width = max(len(preset.name) for preset in self._presets)
        columns: list[Column[Preset]] = [
            Column("preset", width, lambda preset: line(preset.name)),
            Column("kind", 5, lambda preset: line(preset.kind, "$foreground-muted"), rank=1),
            Column("what it is", 24, lambda preset: line(preset.about, "$foreground-muted"), grow=True),
        ]
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Start from"
            dialog.border_subtitle = Content("enter takes it · esc closes")
            yield Table(columns, key=lambda preset: preset.name, id="presets")
            yield Static("", id="preset-about")

    def on_mount(self) -> None:
        table = self.query_one("#presets", Table)
        table.styles.height = len(self._presets) + 1
        table.set_items(self._presets)
        table.move_to(self._current)
        table.focus()

    def on_table_highlighted(self, message: Table.Highlighted) -> None:
        self.query_one("#preset-about", Static).update(line(message.item.comment or message.item.about, limit=800))

    def on_table_chosen(self, message: Table.Chosen) -> None:
        self.dismiss(message.item)

    def action_leave(self) -> None:
        self.dismiss(None)
