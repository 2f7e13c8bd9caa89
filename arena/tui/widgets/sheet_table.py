"""A sheet on screen: filtered, and sorted by any column, by key or by a click on its title."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from arena.tui.sheet import Cell, Figure, Heading, Line, Sheet, filtered, ordered, starts_descending
from arena.tui.text import join, line
from arena.tui.theme import EMPTY, STATUS, status
from arena.tui.widgets.table import Column, Table

_WIDEST_TITLE = 16
_DOWN, _UP = "▼", "▲"
_INTERVAL, _INTERVAL_WIDTH = "95 %", 13


class Order(NamedTuple):
    """By which column lines are sorted; without one they are as the runs have them."""

    column: str = ""
    descending: bool = False


class SheetTable(Table[Line]):
    """Left and right choose the column to sort by, `r` turns the order round."""

    HELP = (
        "Left and right choose the column to sort by, r turns the order round; a click on a title does both. Columns "
        "that have no room are left out, the least important first; the one that is sorted by is always there."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "sort(-1)", "sort", key_display="←→", id="sort.before", tooltip="Sort by the column before."),
        Binding("right,l", "sort(1)", "sort by the next", show=False, id="sort.next", tooltip="Sort by the next one."),
        Binding("r", "turn", "turn", id="sort.turn", tooltip="Turn the order round."),
    ]

    class Sorted(Message):
        """The order has changed."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__([], key=lambda it: it.key, id=id, classes=classes)
        self.sheet = Sheet("", "", ())
        """What there is."""
        self.shown = self.sheet
        """What is shown of it, as it is shown."""
        self._ordered = self.sheet
        self.order = Order()
        self._filter = ""
        self._names: dict[int, str] = {}
        """Headings by the columns that are made of them."""

    def show(self, sheet: Sheet, order: Order, text: str) -> None:
        """Show the lines that `text` fits, in this order."""
        names = {heading.name for heading in sheet.headings}
        order = order if order.column in names else Order()
        if sheet is self.sheet and order == self.order and text == self._filter:
            return
        other = sheet.headings != self.sheet.headings or order != self.order
        if sheet is not self.sheet or order != self.order:
            self._ordered = ordered(sheet, order.column, order.descending)
        self.sheet, self.order, self._filter = sheet, order, text
        if other:
            self._make_columns()
        self.shown = filtered(self._ordered, text)
        self.set_items(self.shown.lines)

    def action_sort(self, by: int) -> None:
        """The next column, or the one before; beyond the ends lines are as the runs have them."""
        names = ["", *(heading.name for heading in self.sheet.headings)]
        name = names[(names.index(self.order.column) + by) % len(names)]
        self._sort(Order(name, bool(name) and starts_descending(self.sheet, name)))

    def action_turn(self) -> None:
        if self.order.column:
            self._sort(self.order._replace(descending=not self.order.descending))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "sort":
            return bool(self.sheet.lines)
        return bool(self.order.column) if action == "turn" else super().check_action(action, parameters)

    def on_click(self, event: events.Click) -> None:
        if event.y or not self.sheet.lines:
            return
        name = self._heading_at(event.x)
        if name and name == self.order.column:
            self.action_turn()
        elif name:
            self._sort(Order(name, starts_descending(self.sheet, name)))

    def _sort(self, order: Order) -> None:
        self.show(self.sheet, order, self._filter)
        self.action_move_to(0)
        self.refresh_bindings()
        self.post_message(self.Sorted())

    def _heading_at(self, x: int) -> str:
        left = 2
        for column, room in self._fitted(self.scrollable_content_region.width):
            if left <= x < left + room:
                return self._names.get(id(column), "")
            left += room + 2
        return ""

    def _make_columns(self) -> None:
        columns: list[Column[Line]] = []
        self._names = {}
        for place, heading in enumerate(self.sheet.headings):
            for column in self._columns_of(place, heading):
                columns.append(column)
                self._names[id(column)] = heading.name
        self._columns = columns
        self._layout = (-1, [])
        self.refresh()

    def _columns_of(self, place: int, heading: Heading) -> list[Column[Line]]:
        here = heading.name == self.order.column
        mark = (_DOWN if self.order.descending else _UP) if here else ""
        title, rank = f"{mark}{heading.title}", 0 if here else heading.rank
        width = max(heading.width, min(cell_len(title), _WIDEST_TITLE)) if here else heading.width
        column = Column(title, width, self._cell(place, heading), heading.right, heading.grow, rank)
        if heading.spread is None:
            return [column]
        return [column, Column(_INTERVAL, _INTERVAL_WIDTH, self._interval(place), True, rank=heading.spread)]

    def _cell(self, place: int, heading: Heading) -> Callable[[Line], Content]:
        apart = heading.spread is not None
        return lambda it: cell_content(self.sheet, it.cells[place], heading.name, apart)

    @staticmethod
    def _interval(place: int) -> Callable[[Line], Content]:
        def interval(it: Line) -> Content:
            cell = it.cells[place]
            text = cell.interval if isinstance(cell, Figure) else ""
            return join((text, "$foreground-muted")) if text else EMPTY

        return interval


def cell_content(sheet: Sheet, cell: Cell, name: str, apart: bool = True) -> Content:
    """A cell in a column: figures whose interval spans no difference are dim, states have their glyph."""
    if cell is None or cell == "":
        return EMPTY
    if isinstance(cell, Figure):
        return join((cell.text if apart else cell.short, "dim" if cell.unsure else "bold"))
    if isinstance(cell, str):
        return status(cell) if name == "state" and cell in STATUS else line(sheet.shown(cell))
    return join((sheet.shown(cell), "$foreground-muted"))
