"""The keys in one line of two blocks: what acts on what is shown | the keys of the app."""

from __future__ import annotations

from typing import NamedTuple

from textual.app import App
from textual.content import Content
from textual.screen import Screen
from textual.style import Style
from textual.widget import Widget

from arena.tui.text import join

_RULE = " │ "


class Key(NamedTuple):
    """One key in the line."""

    key: str
    label: str
    action: str
    enabled: bool = True

    @property
    def width(self) -> int:
        return Content(f"{self.key} {self.label}").cell_length


class KeyBar(Widget):
    """Shows the bindings that have `show`; in a narrow terminal the screens' digits shrink first, then keys go."""

    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__()
        self.auto_links = False

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, screen: Screen[object]) -> None:
        if screen is self.screen:
            self.refresh()

    def render(self) -> Content:
        row, places, rest = self._keys()
        few = [Key(f"{places[0].key}–{places[-1].key}", "screens", "")] if places else []
        room = self.size.width - 2
        for right in ([*places, *rest], [*few, *rest], rest):
            if _width(row) + len(_RULE) + _width(right) <= room:
                return self._line(row, right)
        while row and _width(row) + len(_RULE) + 2 + _width(rest) > room:
            row.pop()
        return self._line(row, rest, cut=True).truncate(self.size.width, ellipsis=True)

    def _keys(self) -> tuple[list[Key], list[Key], list[Key]]:
        """Keys of the row, digits of screens, other keys of the app."""
        row: list[Key] = []
        places: list[Key] = []
        rest: list[Key] = []
        seen: set[str] = set()
        for node, binding, enabled, _ in self.screen.active_bindings.values():
            if not binding.show or binding.action in seen:
                continue
            seen.add(binding.action)
            key = Key(self.app.get_key_display(binding), binding.description, _full(binding.action, node), enabled)
            if (binding.id or "").startswith("go."):
                places.append(key)
            elif isinstance(node, App):
                rest.append(key)
            else:
                row.append(key)
        return row, places, rest

    def _line(self, row: list[Key], right: list[Key], cut: bool = False) -> Content:
        blocks = [join(*(_shown(key) for key in keys), between="  ") for keys in (row, right)]
        if cut:
            blocks[0] = join(blocks[0], "…", between=" ")
        rule = Content.styled(_RULE, "$border-blurred")
        return join(" ", rule.join(block for block in blocks if block))


def _width(keys: list[Key]) -> int:
    return sum(key.width for key in keys) + 2 * max(len(keys) - 1, 0)


def _full(action: str, node: object) -> str:
    """The action with the namespace that a click needs, since it comes from here."""
    if "." in action.partition("(")[0]:
        return action
    return f"{'app' if isinstance(node, App) else 'screen' if isinstance(node, Screen) else 'focused'}.{action}"


def _shown(key: Key) -> Content:
    strong = "bold $footer-key-foreground" if key.enabled else "dim"
    content = Content.assemble((key.key, strong), " ", (key.label, "$foreground-muted" if key.enabled else "dim"))
    return content.stylize(Style.from_meta({"@click": key.action})) if key.action else content
