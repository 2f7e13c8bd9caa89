"""A resolved configuration as lines of key and value, with a filter."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from arena.tui.text import line
from arena.tui.widgets.table import Column, Table

Setting = tuple[str, str]
"""A dotted key and its value."""


class ConfigView(Vertical):
    """`/` asks for what to look for: lines with all its words stay, wherever these are in them."""

    HELP = "What the run was started with, defaults included. / filters, esc shows all again."
    DEFAULT_CSS = """
    ConfigView Input { height: 1; border: none; padding: 0 1; background: $surface; }
    ConfigView Input:focus { border: none; }
    ConfigView .empty-state { height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", id="config.filter", tooltip="Show lines with these words alone."),
        Binding("escape", "clear", "clear filter", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._settings: tuple[Setting, ...] = ()

    def compose(self) -> ComposeResult:
        columns: list[Column[Setting]] = [
            Column("key", 30, lambda setting: line(setting[0])),
            Column("value", 20, lambda setting: line(setting[1]), grow=True),
        ]
        yield Input(placeholder="filter", id="config-filter")
        yield Table(columns, key=lambda setting: setting[0], id="config-table")
        yield Static("No line has these words.", classes="empty-state")

    def on_mount(self) -> None:
        self.query_one(Input).display = False
        self._draw()

    def set_settings(self, settings: tuple[Setting, ...]) -> None:
        if settings != self._settings:
            self._settings = settings
            self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "clear" or self.query_one(Input).display

    def action_filter(self) -> None:
        field = self.query_one(Input)
        field.display = True
        field.focus()

    def action_clear(self) -> None:
        field = self.query_one(Input)
        field.value = ""
        field.display = False
        self.query_one(Table).focus()
        self._draw()

    def on_input_changed(self) -> None:
        self._draw()

    def on_input_submitted(self) -> None:
        self.query_one(Table).focus()

    def _draw(self) -> None:
        words = self.query_one(Input).value.lower().split()
        found = [one for one in self._settings if all(word in f"{one[0]} {one[1]}".lower() for word in words)]
        table: Table[Setting] = self.query_one("#config-table", Table)
        table.set_items(found)
        table.display = bool(found)
        empty = self.query_one(Static)
        empty.display = not found
        empty.update("No line has these words." if words else "No configuration.")
