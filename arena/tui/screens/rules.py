"""The rules of a game as its player reads them, over the match."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from arena.tui.text import line, show


class RulesScreen(ModalScreen[None]):
    """A panel with the rules."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,i,f2,q,enter", "dismiss", "close", key_display="esc", id="rules.close"),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
    ]

    def __init__(self, title: str, rules: str) -> None:
        super().__init__()
        self._title = title
        self._rules = rules

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog help-panel") as panel:
            panel.border_title = line(f"Rules: {self._title}")
            panel.border_subtitle = "esc closes"
            yield Static(show(self._rules, limit=10_000), classes="help-text")

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)
