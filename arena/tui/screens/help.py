"""Help on what is in front: what the screen and the focused widget are for, and every key with its id."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from arena.tui.settings import config_dir
from arena.tui.text import join, line


class HelpScreen(ModalScreen[None]):
    """A panel over the screen that it is about."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,f1", "dismiss", "close", key_display="esc", id="help.close"),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
    ]

    def __init__(self, title: str, texts: list[str], groups: list[tuple[str, list[Content]]]) -> None:
        super().__init__()
        self._title = title
        self._texts = texts
        self._groups = groups

    @classmethod
    def about(cls, screen: Screen[Any]) -> HelpScreen:
        """Help for a screen as it is now: with the focused widget's text, and the keys that work."""
        here = screen.focused or screen
        nodes = [node for node in here.ancestors_with_self if getattr(node, "HELP", "") and not isinstance(node, App)]
        texts = list(dict.fromkeys(str(getattr(node, "HELP", "")) for node in reversed(nodes)))
        title = str(getattr(screen, "PLACE", "") or screen.name or type(screen).__name__.removesuffix("Screen"))
        return cls(title.title(), texts, _keys(screen))

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog help-panel") as panel:
            panel.border_title = Content(f"Help: {self._title}")
            panel.border_subtitle = Content("esc closes")
            for text in self._texts:
                yield Static(line(text, limit=4000), classes="help-text")
            for name, keys in self._groups:
                yield Static(join((name, "bold $text-primary"), "\n", join(*keys, between="\n")), classes="help-keys")
            note = f"Keys can be changed by their ids, in {config_dir() / 'settings.toml'} under [keymap]."
            yield Static(line(note, "$foreground-muted", limit=1000), classes="help-text")

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)


def _keys(screen: Screen[Any]) -> list[tuple[str, list[Content]]]:
    """Lines of keys, those of the screen and its widgets apart from the app's."""
    grouped: dict[tuple[bool, str, str], list[str]] = {}
    ids: dict[tuple[bool, str, str], str] = {}
    for node, binding, _, tooltip in screen.active_bindings.values():
        if not binding.id:  # Textual's own, which every list has
            continue
        entry = (isinstance(node, App), binding.action, tooltip or binding.description)
        grouped.setdefault(entry, []).append(screen.app.get_key_display(binding))
        ids.setdefault(entry, binding.id or "")
    groups = []
    for of_app, name in ((False, "Here"), (True, "Everywhere")):
        rows = [_row(entry, keys, ids[entry]) for entry, keys in grouped.items() if entry[0] == of_app]
        groups.append((name, rows))
    return [group for group in groups if group[1]]


def _row(entry: tuple[bool, str, str], keys: list[str], identity: str) -> Content:
    shown = " ".join(dict.fromkeys(keys))
    return join(
        (f"  {shown:<12} ", "bold $footer-key-foreground"),
        Content(f"{entry[2]}  "),
        line(identity, "$foreground-muted dim"),
    )
