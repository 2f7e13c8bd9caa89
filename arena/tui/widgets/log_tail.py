"""Lines of a log, the newest in view until one scrolls up; then a pill counts what is new, and End follows again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual

from arena.tui.collect.log import LogLine
from arena.tui.text import join, show
from arena.tui.theme import LOADING

MOST_LINES = 5000
"""Older lines go."""
_MOST_WIDTH = 2000
"""Characters of a line that are shown, with how many there are more."""
_TAG = {"err": "err ", "out": "out ", "job": "job "}


class LogTail(ScrollView, can_focus=True):
    """Follows what `add` brings. Any scroll up releases it; End, the pill, or scrolling to the end follows again."""

    HELP = (
        "What the job printed and noted. Scroll up to read: new lines are counted until End follows them again. "
        "Left and right move along long lines."
    )
    DEFAULT_CSS = """
    LogTail { scrollbar-size-horizontal: 0; scrollbar-size-vertical: 1; }
    LogTail > .log--tag { color: $foreground-muted; }
    LogTail > .log--pill { background: $accent; color: $background; text-style: bold; }
    LogTail:nocolor > .log--pill { text-style: reverse; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--tag", "log--pill"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False, id="log.up"),
        Binding("down,j", "move(1)", "down", show=False, id="log.down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="log.page_up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="log.page_down"),
        Binding("left,h", "shift(-8)", "left", show=False, id="log.left"),
        Binding("right", "shift(8)", "right", show=False, id="log.right"),
        Binding("home,g", "first", "first", show=False, id="log.first"),
        Binding("end,G", "follow", "follow", show=False, id="log.follow", tooltip="Follow the newest lines again."),
    ]

    following: reactive[bool] = reactive(True)
    unseen: reactive[int] = reactive(0)
    shift: reactive[int] = reactive(0)
    """Characters that lines are moved to the left by."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: deque[LogLine] = deque(maxlen=MOST_LINES)
        self._empty = LOADING

    def add(self, lines: Iterable[LogLine], empty: Content) -> None:
        """Append lines; `empty` is what is shown where there are none at all."""
        new = list(lines)
        self._empty = empty
        if not new:
            if not self._lines:
                self.refresh()
            return
        lost = max(len(self._lines) + len(new) - MOST_LINES, 0)
        self._lines.extend(new)
        self._measure()
        if self.following:
            self._to_end()
        else:
            self.unseen += len(new)
            if lost:
                self.scroll_to(y=max(self.scroll_offset.y - lost, 0), animate=False, immediate=True)
        self.refresh()

    @property
    def lines(self) -> tuple[LogLine, ...]:
        return tuple(self._lines)

    def action_move(self, by: int) -> None:
        self._to(self.scroll_offset.y + by)

    def action_page(self, by: int) -> None:
        self._to(self.scroll_offset.y + by * max(self.size.height - 1, 1))

    def action_shift(self, by: int) -> None:
        self.shift = min(max(self.shift + by, 0), _MOST_WIDTH)

    def action_first(self) -> None:
        self._to(0)

    def action_follow(self) -> None:
        self.following = True
        self._to_end()

    def watch_following(self, following: bool) -> None:
        if following:
            self.unseen = 0

    def watch_unseen(self) -> None:
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.refresh()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        event.prevent_default()
        self._to(self.scroll_offset.y - 3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        event.prevent_default()
        self._to(self.scroll_offset.y + 3)

    def on_click(self, event: events.Click) -> None:
        pill = self._pill()
        if pill and event.y == self.size.height - 1 and event.x >= self.size.width - len(pill):
            self.action_follow()

    def on_resize(self) -> None:
        self._measure()
        if self.following:
            self._to_end()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if not self._lines:
            return self._strip(self._empty if y == 0 else Content(), width)
        index = y + self.scroll_offset.y
        line = next(islice(self._lines, index, index + 1), None)
        strip = Strip.blank(width, self.rich_style) if line is None else self._line(line, width)
        pill = self._pill()
        if pill and y == self.size.height - 1 and width > len(pill):
            style = self.get_component_rich_style("log--pill")
            strip = Strip.join([strip.crop(0, width - len(pill)), Strip([Segment(pill, style)])])
        return strip

    def _line(self, line: LogLine, width: int) -> Strip:
        tag = _TAG.get(line.source, f"{line.source[:3]:<3} " if line.source else "")
        if not tag:
            return self._strip(show(f"── {line.text} ──", "$foreground-muted", _MOST_WIDTH), width)
        text = show(line.text.expandtabs(4), limit=_MOST_WIDTH)
        if self.shift:
            text = text[self.shift :]
        return self._strip(join(show(tag, "$foreground-muted"), text), width)

    def _pill(self) -> str:
        """What is new while it does not follow."""
        if self.following:
            return ""
        return f" +{self.unseen} new · End " if self.unseen else " End follows "

    def _to(self, y: int) -> None:
        """Scroll there; at the end it follows, anywhere else it does not."""
        top = max(len(self._lines) - self.size.height, 0)
        target = min(max(y, 0), top)
        self.following = target >= top
        self.scroll_to(y=target, animate=False, immediate=True, force=True)

    def _to_end(self) -> None:
        self.scroll_to(y=max(len(self._lines) - self.size.height, 0), animate=False, immediate=True, force=True)

    def _measure(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._lines))

    def _strip(self, content: Content, width: int) -> Strip:
        if width <= 0:
            return Strip.blank(0)
        style: Style = self.visual_style
        strips = Visual.to_strips(self, content.truncate(width, ellipsis=True), width, 1, style, pad=True)
        return strips[0] if strips else Strip.blank(width, self.rich_style)
