"""Lines of text that scroll: they are made for the width, and only those that are seen are painted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual


class Lines(ScrollView, can_focus=True, inherit_bindings=False):
    """A pane of lines. A subclass makes them in `make`, for the width it has, and calls `draw` when they change."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False, id="pane.up"),
        Binding("down,j", "move(1)", "down", show=False, id="pane.down"),
        Binding("pageup,ctrl+u", "page(-1)", "page up", show=False, id="pane.page_up"),
        Binding("pagedown,ctrl+d", "page(1)", "page down", show=False, id="pane.page_down"),
        Binding("g", "edge(False)", "first line", show=False, id="pane.first"),
        Binding("G", "edge(True)", "last line", show=False, id="pane.last"),
    ]
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.auto_links = False
        self._lines: Sequence[Content] = ()

    @property
    def room(self) -> Size:
        """What there is for lines, in cells."""
        return self.scrollable_content_region.size

    @property
    def top(self) -> int:
        """The first line that is seen."""
        return self.scroll_offset.y

    def make(self, width: int, height: int) -> Sequence[Content]:
        """All lines, none wider than `width`."""
        raise NotImplementedError

    def draw(self) -> None:
        """Make the lines anew, and paint them if they have changed."""
        width, height = self.room
        if width <= 0 or height <= 0:
            return
        lines = self.make(width, height)
        if len(lines) == len(self._lines) and all(a.is_same(b) for a, b in zip(lines, self._lines, strict=True)):
            return
        self._lines = lines
        self.virtual_size = Size(width, len(lines))
        self.refresh()

    def bring(self, first: int, last: int | None = None) -> None:
        """Scroll as little as it takes to see these lines, the first of them rather than the last."""
        height = self.room.height
        last = first if last is None else last
        top = self.top
        if last >= top + height:
            top = last - height + 1
        top = max(0, min(top, first))
        if top != self.top:
            self.scroll_to(y=top, animate=False, immediate=True, force=True)

    def action_move(self, by: int) -> None:
        self.scroll_relative(y=by, animate=False)

    def action_page(self, by: int) -> None:
        self.scroll_relative(y=by * max(1, self.room.height - 1), animate=False)

    def action_edge(self, last: bool) -> None:
        self.scroll_to(y=self.max_scroll_y if last else 0, animate=False)

    def on_resize(self) -> None:
        self.draw()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        index = y + self.top
        if index >= len(self._lines) or width <= 0:
            return Strip.blank(max(width, 0), self.visual_style.rich_style)
        strips = Visual.to_strips(self, self._lines[index], width, 1, self.visual_style, pad=True)
        return strips[0] if strips else Strip.blank(width, self.visual_style.rich_style)
