"""Lines of a form in which a spec is written by hand."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Static

from arena.tui.widgets.pick_one import label


class SpecLine(Horizontal):
    """A label and a line of text."""

    def __init__(self, name: str, value: str, *, id: str, placeholder: str = "") -> None:
        super().__init__(id=id, classes="field")
        self._label = name
        self._first = value
        self._placeholder = placeholder

    def compose(self) -> ComposeResult:
        yield Static(label(self._label, False), classes="field-label")
        yield Input(self._first, placeholder=self._placeholder, compact=True, max_length=400, id=f"{self.id}-input")

    @property
    def value(self) -> str:
        return self.query_one(Input).value

    @value.setter
    def value(self, text: str) -> None:
        self.query_one(Input).value = text

    def on_descendant_focus(self) -> None:
        self.query_one(Static).update(label(self._label, True))

    def on_descendant_blur(self) -> None:
        self.query_one(Static).update(label(self._label, False))


def go_on(field: Input, text: str) -> None:
    """Put the beginning of a spec into a line, and the cursor behind it."""
    field.value = text
    field.select_on_focus = False
    field.focus()
    field.cursor_position = len(text)
