"""A table of frozen items: only visible rows are ever made, only changed lines are painted, the cursor keeps its item.

    Table([Column("name", 12, lambda run: line(run.name), grow=True), …], key=lambda run: run.id)

Cells are `Content`, so foreign text enters through `arena.tui.text`. Where the columns do not fit, those of the
highest `rank` are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual

from arena.tui.text import join

T = TypeVar("T")
_GAP = 2
_MARKER = "▸ "
_HEADER = 1


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column: its title, its cells' width, and how a cell is made of an item."""

    title: str
    width: int
    """In terminal cells; the least where the column grows."""
    cell: Callable[[T], Content]
    right: bool = False
    """Flush right, for numbers."""
    grow: bool = False
    """Takes the room that is left; shared among those that grow."""
    rank: int = 0
    """0 is always shown; of the others the highest goes first where there is no room."""


class Table(ScrollView, Generic[T], can_focus=True):
    """Rows with a cursor. Enter or a double click chooses; j, k, g and G move as the arrows, Home and End do."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--header", "table--cursor", "table--cursor-blurred"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False, id="table.up"),
        Binding("down,j", "move(1)", "down", show=False, id="table.down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="table.page_up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="table.page_down"),
        Binding("home,g", "move_to(0)", "first", show=False, id="table.first"),
        Binding("end,G", "move_to(-1)", "last", show=False, id="table.last"),
        Binding("enter", "choose", "open", key_display="↵", id="table.open", tooltip="Open what is under the cursor."),
    ]
    ALLOW_SELECT = False

    class Highlighted(Message):
        """The cursor is on another item, or on one that changed; None where the table is empty."""

        def __init__(self, table: Table[Any], item: Any) -> None:
            super().__init__()
            self.table = table
            self.item = item

        @property
        def control(self) -> Table[Any]:
            return self.table

    class Chosen(Message):
        """Enter or a double click on an item."""

        def __init__(self, table: Table[Any], item: Any) -> None:
            super().__init__()
            self.table = table
            self.item = item

        @property
        def control(self) -> Table[Any]:
            return self.table

    def __init__(
        self,
        columns: Sequence[Column[T]],
        key: Callable[[T], str],
        *,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._columns = columns
        self._key = key
        self._items: Sequence[T] = ()
        self._cursor = 0
        self._layout: tuple[int, list[tuple[Column[T], int]]] = (-1, [])

    @property
    def items(self) -> Sequence[T]:
        """What is shown, in order."""
        return self._items

    @property
    def current(self) -> T | None:
        """The item under the cursor."""
        return self._items[self._cursor] if self._items else None

    def set_items(self, items: Sequence[T]) -> None:
        """Show these; the cursor stays on the item with its key, or near its line where that is gone."""
        before, old, old_cursor = self.current, self._items, self._cursor
        self._items = items
        self._cursor = self._find(before, old_cursor)
        self.virtual_size = Size(self.size.width, len(items) + _HEADER)
        for index in self._visible():
            same = index < len(old) and index < len(items) and old[index] == items[index]
            if not same or (self._cursor != old_cursor and index in (old_cursor, self._cursor)):
                self._repaint(index)
        if bool(items) != bool(old):
            self.refresh_bindings()
        if self.current != before:
            self.post_message(self.Highlighted(self, self.current))

    def move_to(self, key: str) -> None:
        """Put the cursor on the item with this key, if there is one."""
        index = next((i for i, item in enumerate(self._items) if self._key(item) == key), None)
        if index is not None:
            self._go(index)

    def action_move(self, by: int) -> None:
        self._go(self._cursor + by)

    def action_page(self, by: int) -> None:
        self._go(self._cursor + by * max(1, self.size.height - _HEADER - 1))

    def action_move_to(self, index: int) -> None:
        self._go(index if index >= 0 else len(self._items) - 1)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "choose" or bool(self._items)

    def action_choose(self) -> None:
        if (item := self.current) is not None:
            self.post_message(self.Chosen(self, item))

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if y < _HEADER:
            style = self.get_visual_style("table--header")
            cells = [self._fit(Content(column.title), column, room) for column, room in self._fitted(width)]
            return self._strip(join("  ", *cells, between=""), style, width)
        index = y - _HEADER + self.scroll_offset.y
        if index >= len(self._items):
            return Strip.blank(width, self.visual_style.rich_style)
        chosen = index == self._cursor
        item = self._items[index]
        cells = [self._fit(column.cell(item), column, room) for column, room in self._fitted(width)]
        if not chosen:
            return self._strip(join("  ", *cells), self.visual_style, width)
        style = self.get_visual_style("table--cursor" if self.has_focus else "table--cursor-blurred")
        return self._strip(join((_MARKER, "bold"), *cells), style, width)

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._items) + _HEADER)
        self._show_cursor()
        self.refresh()

    def on_focus(self) -> None:
        self._repaint(self._cursor)

    def on_blur(self) -> None:
        self._repaint(self._cursor)

    def on_click(self, event: events.Click) -> None:
        index = event.y - _HEADER + self.scroll_offset.y
        if event.y >= _HEADER and index < len(self._items):
            self._go(index)
            if event.chain == 2:
                self.action_choose()

    def _go(self, index: int) -> None:
        index = min(max(index, 0), max(len(self._items) - 1, 0))
        if index == self._cursor or not self._items:
            return
        before, self._cursor = self._cursor, index
        self._repaint(before)
        self._repaint(index)
        self._show_cursor()
        self.post_message(self.Highlighted(self, self.current))

    def _find(self, item: T | None, index: int) -> int:
        last = max(len(self._items) - 1, 0)
        if item is None:
            return 0
        key = self._key(item)
        if index <= last and self._items and self._key(self._items[index]) == key:
            return index
        return next((i for i, other in enumerate(self._items) if self._key(other) == key), min(index, last))

    def _show_cursor(self) -> None:
        rows = self.size.height - _HEADER
        top = self.scroll_offset.y
        if rows > 0 and not top <= self._cursor < top + rows:
            target = self._cursor if self._cursor < top else self._cursor - rows + 1
            self.scroll_to(y=target, animate=False, immediate=True, force=True)

    def _visible(self) -> range:
        top = self.scroll_offset.y
        return range(top, top + max(self.size.height - _HEADER, 0))

    def _repaint(self, index: int) -> None:
        y = index - self.scroll_offset.y + _HEADER
        if _HEADER <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def _fitted(self, width: int) -> list[tuple[Column[T], int]]:
        """The columns that have room, with how much."""
        if self._layout[0] == width:
            return self._layout[1]
        columns = list(self._columns)
        room = width - len(_MARKER)
        while len(columns) > 1 and sum(column.width + _GAP for column in columns) - _GAP > room:
            last = max(columns, key=lambda column: column.rank)
            if not last.rank:
                break
            columns.remove(last)
        spare = max(room - sum(column.width + _GAP for column in columns) + _GAP, 0)
        growing = [column for column in columns if column.grow]
        fitted = []
        for column in columns:
            more = spare // len(growing) if column.grow else 0
            fitted.append((column, column.width + more))
        self._layout = (width, fitted)
        return fitted

    def _fit(self, cell: Content, column: Column[T], room: int) -> Content:
        content = cell.truncate(room, ellipsis=True)
        missing = room - content.cell_length
        padded = content.pad_left(missing) if column.right else content.pad_right(missing)
        return padded.pad_right(_GAP)

    def _strip(self, content: Content, style: Style, width: int) -> Strip:
        if width <= 0:
            return Strip.blank(0)
        line = content.truncate(width)
        strips = Visual.to_strips(self, line, width, 1, style, pad=True)
        return strips[0] if strips else Strip.blank(width, style.rich_style)
