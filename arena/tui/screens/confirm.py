"""Dialogs: a question that names its object and is answered by yes or no, and a request for one line of text."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from arena.tui.text import join, line


class ConfirmScreen(ModalScreen[bool]):
    """Asks before something that cannot be undone; no is what has the focus.

    `question` is our own text, `name` is what it is about, `detail` says what will be lost.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes", id="confirm.yes"),
        Binding("n,escape", "answer(False)", "no", id="confirm.no"),
        Binding("left,right,h,l", "app.focus_next", show=False),
    ]

    def __init__(self, question: str, name: str, detail: str, verb: str) -> None:
        super().__init__()
        self._question = join((f"{question} ", ""), line(name, "bold"), "?")
        self._detail = detail
        self._verb = verb

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._question, classes="dialog-title")
            yield Static(line(self._detail, limit=1000), classes="dialog-text")
            with Horizontal(classes="dialog-buttons"):
                yield Button(Content("No  n"), id="no")
                yield Button(Content(f"{self._verb}  y"), id="yes", variant="error")

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)


class AskScreen(ModalScreen["str | None"]):
    """Asks for one line of text; None where it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "cancel", id="ask.leave")]

    def __init__(self, question: str, value: str, limit: int = 60) -> None:
        super().__init__()
        self._question = question
        self._value = value
        self._limit = limit

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(self._question), classes="dialog-title")
            yield Input(line(self._value).plain, max_length=self._limit, select_on_focus=True)
            yield Static(join(("enter", "bold"), " to keep, ", ("esc", "bold"), " to leave"), classes="dialog-text")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_leave(self) -> None:
        self.dismiss(None)
