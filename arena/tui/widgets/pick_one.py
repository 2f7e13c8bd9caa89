"""One line of a form with a few values side by side, one of which is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from arena.tui.text import join

_CHOSEN, _OPEN = "●", "○"


class PickOne(Widget, can_focus=True):
    """A label and its values; left and right choose."""

    HELP = "Left and right choose a value."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "step(-1)", "value", key_display="←→", id="field.before", tooltip="The value before."),
        Binding("right,l,space", "step(1)", "next", show=False, id="field.next", tooltip="The next value."),
    ]
    ALLOW_SELECT = False

    class Changed(Message):
        """Another value is chosen."""

        def __init__(self, field: PickOne) -> None:
            super().__init__()
            self.field = field

    def __init__(self, label: str, values: Sequence[str] = (), *, id: str | None = None) -> None:
        super().__init__(id=id, classes="field")
        self._label = label
        self._values: tuple[str, ...] = tuple(values)
        self.index = 0
        """Which value is chosen."""

    def offer(self, label: str, values: Sequence[str], index: int = 0) -> None:
        """Other values; nothing is told."""
        self._label, self._values = label, tuple(values)
        self.index = min(max(index, 0), max(len(values) - 1, 0))
        self.refresh()

    def action_step(self, by: int) -> None:
        self._choose((self.index + by) % len(self._values) if self._values else 0)

    def on_click(self, event: events.Click) -> None:
        x = event.x - _LABEL
        for index, value in enumerate(self._values):
            width = Content(f"{_OPEN} {value}").cell_length + 2
            if 0 <= x < width:
                self._choose(index)
                return
            x -= width

    def _choose(self, index: int) -> None:
        if index != self.index:
            self.index = index
            self.refresh()
            self.post_message(self.Changed(self))

    def render(self) -> Content:
        parts = [
            join((f"{_CHOSEN} {value}", "bold") if index == self.index else (f"{_OPEN} {value}", "$foreground-muted"))
            for index, value in enumerate(self._values)
        ]
        return join(label(self._label, self.has_focus), join(*parts, between="  "))


_LABEL = 11


def label(text: str, focused: bool) -> Content:
    """What a field is called, marked where it has the focus; as wide as all others."""
    style = "" if focused else "$foreground-muted"
    marked = join(("▸ " if focused else "  ", "bold $text-primary"), (text, style))
    return marked.truncate(_LABEL - 1, ellipsis=True).pad_right(_LABEL - min(marked.cell_length, _LABEL - 1))
