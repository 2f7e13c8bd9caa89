"""Players against players as a heat map that reads without colour: every cell has its figure, and blocks as dense.

`matrix_cells` says what a cell shows; the widget places cells, paints the visible ones, and moves the cursor.
"""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from arena.core.sanitise import one_line
from arena.tui.format import short_names, squeeze
from arena.tui.text import join, line
from arena.tui.widgets.matrix_cells import FULL, HALF, ITSELF, LEAN, TIGHT, Density, Grid, blank_lines, cell_lines

_GAP = 1
_HEADER = 1
_LEAST_NAME, _FAIR_NAME, _MOST_NAME = 8, 14, 22
_LADDER = (FULL._replace(gap=1), FULL, HALF._replace(gap=1), HALF, LEAN)
"""How much cells may show, most first."""
_WIDEST = 20


class Matrix(ScrollView, can_focus=True):
    """The heat map with a cursor on a cell; arrows or h, j, k and l move, enter or a double click opens."""

    HELP = (
        "Each line is a player, each column an opponent; the figure is the line's score against the column. "
        "Blocks are the denser the higher the score. A figure with ~, dim and without a tint, has an interval that "
        "spans even play. · has not been played."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(0, -1)", "left", show=False, id="matrix.left"),
        Binding("right,l", "move(0, 1)", "right", show=False, id="matrix.right"),
        Binding("up,k", "move(-1, 0)", "up", show=False, id="matrix.up"),
        Binding("down,j", "move(1, 0)", "down", show=False, id="matrix.down"),
        Binding("home", "move(0, -9999)", "first column", show=False, id="matrix.first"),
        Binding("end", "move(0, 9999)", "last column", show=False, id="matrix.last"),
        Binding("pageup", "move(-10, 0)", "up ten", show=False, id="matrix.page_up"),
        Binding("pagedown", "move(10, 0)", "down ten", show=False, id="matrix.page_down"),
        Binding("enter", "choose", "matches", key_display="↵", id="matrix.open", tooltip="All matches of the two."),
    ]
    ALLOW_SELECT = False

    class Moved(Message):
        """The cursor is on another cell, or on one that changed."""

    class Chosen(Message):
        """Enter or a double click on a cell."""

        def __init__(self, player: str, opponent: str) -> None:
            super().__init__()
            self.player = player
            self.opponent = opponent

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.grid = Grid()
        self._painted: dict[tuple[int, int], list[Strip]] = {}
        self._painted_for: object = None
        self._row = 0
        self._column = 1
        self._names: dict[str, str] = {}
        self._density = LEAN

    @property
    def current(self) -> tuple[str, str] | None:
        """Player and opponent at the cursor."""
        if not (self.grid.rows and self.grid.columns):
            return None
        return self.grid.rows[self._row], self.grid.columns[self._column]

    @property
    def density(self) -> Density:
        """How much cells show now."""
        return self._density

    def show(self, grid: Grid) -> None:
        """Show this; the cursor stays with its two players."""
        before = self.current
        self.grid, self._painted = grid, {}
        self._names = short_names(list(dict.fromkeys([*grid.rows, *grid.columns])))
        row, column = before or ("", "")
        self._row = grid.rows.index(row) if row in grid.rows else self._row
        self._column = grid.columns.index(column) if column in grid.columns else self._column
        self._clamp()
        self._arrange()
        self.post_message(self.Moved())

    def move_to(self, player: str, opponent: str) -> None:
        """Put the cursor on this cell, if there is one."""
        if player in self.grid.rows and opponent in self.grid.columns:
            self._go(self.grid.rows.index(player), self.grid.columns.index(opponent))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "choose" or self.current is not None

    def action_move(self, down: int, right: int) -> None:
        self._go(self._row + down, self._column + right)

    def action_choose(self) -> None:
        if self.current is not None:
            self.post_message(self.Chosen(*self.current))

    def on_resize(self) -> None:
        self._arrange()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        at = self._cell_at(event.x, event.y)
        if at is not None:
            self._go(*at)
            if event.chain == 2:
                self.action_choose()

    def render_line(self, y: int) -> Strip:
        width, head = self._room.width, self._head
        if y < _HEADER:
            heads = self._column_heads()
            strips = Visual.to_strips(self, heads, max(heads.cell_length, 1), 1, self.visual_style, pad=True)
            return self._joined(Content(" " * head), strips[0], width)
        index, part = divmod(y - _HEADER + self.scroll_offset.y, self._density.height)
        if index >= len(self.grid.rows):
            return Strip.blank(width, self.visual_style.rich_style)
        return self._joined(self._row_head(index, part), self._cells(index, part), width)

    # Placing

    @property
    def _head(self) -> int:
        """The width of the lines' names, with the gap after it."""
        room = max(self._room.width - self._pitch * len(self.grid.columns) - 1, _LEAST_NAME)
        if self._tight:
            room = max(room, min(_MOST_NAME, self._room.width // 5))
        return min(max(self._longest, _LEAST_NAME), room, _MOST_NAME) + (3 if self._tight else 0) + 1

    @property
    def _longest(self) -> int:
        return max((cell_len(self._label(name)) for name in self.grid.rows), default=0)

    @property
    def _room(self) -> Size:
        return self.scrollable_content_region.size

    @property
    def _pitch(self) -> int:
        return self._density.width + _GAP

    @property
    def _tight(self) -> bool:
        return self._density.blocks == 1

    def _arrange(self) -> None:
        """Choose how much cells show, and how far there is to scroll."""
        rows, columns = len(self.grid.rows), len(self.grid.columns)
        self._density = self._fitting(rows, columns)
        self.virtual_size = Size(self._head + columns * self._pitch, rows * self._density.height + _HEADER)
        self._show_cursor()
        self.refresh()

    def _fitting(self, rows: int, columns: int) -> Density:
        """The most that cells can show; names are cut before cells lose their blocks."""
        height = self._room.height - _HEADER
        ladder = [one._replace(width=one.width + self.grid.signed) for one in _LADDER]
        for names in (min(self._longest, _MOST_NAME), min(self._longest, _FAIR_NAME), _LEAST_NAME):
            width = self._room.width - names - 1
            fits = [one for one in ladder if columns * (one.width + _GAP) <= width]
            if fits and columns:
                chosen = next((one for one in fits if rows * one.height <= height), fits[-1])
                heads = max(cell_len(self._names.get(name, name)) for name in self.grid.columns) + 3
                room = min(heads, _WIDEST, width // columns - _GAP)
                return chosen._replace(width=max(chosen.width, room))
        return TIGHT

    def _clamp(self) -> None:
        self._row = min(max(self._row, 0), max(len(self.grid.rows) - 1, 0))
        self._column = min(max(self._column, 0), max(len(self.grid.columns) - 1, 0))

    def _go(self, row: int, column: int) -> None:
        before = self._row, self._column
        self._row, self._column = row, column
        self._clamp()
        if (self._row, self._column) != before:
            self._show_cursor()
            self._repaint(before[0], self._row)
            self.post_message(self.Moved())

    def _repaint(self, *rows: int) -> None:
        """The heads of the columns and these lines."""
        width, height = self._room.width, self._density.height
        tops = [_HEADER + row * height - self.scroll_offset.y for row in rows]
        area = Region(0, _HEADER, width, max(self._room.height - _HEADER, 0))
        regions = [Region(0, top, width, height).intersection(area) for top in tops]
        self.refresh(Region(0, 0, width, _HEADER), *(region for region in regions if region))

    def _show_cursor(self) -> None:
        room, tall = self._room.width - self._head, self._room.height - _HEADER
        if room <= 0 or tall <= 0:
            return
        area = Region(self.scroll_offset.x, self.scroll_offset.y, room, tall)
        x, y = self._column * self._pitch, self._row * self._density.height
        left = x if x < area.x else max(x + self._pitch - room, area.x)
        top = y if y < area.y else max(y + self._density.height - tall, area.y)
        if (left, top) != (area.x, area.y):
            self.scroll_to(left, top, animate=False, immediate=True, force=True)

    def _cell_at(self, x: int, y: int) -> tuple[int, int] | None:
        if x < self._head or y < _HEADER:
            return None
        column = (x - self._head + self.scroll_offset.x) // self._pitch
        row = (y - _HEADER + self.scroll_offset.y) // self._density.height
        inside = row < len(self.grid.rows) and column < len(self.grid.columns)
        return (row, column) if inside else None

    # Painting

    def _label(self, name: str) -> str:
        mark = self.grid.marks.get(name, "")
        return f"{one_line(self._names.get(name, name))}{f' {mark}' if mark else ''}"

    def _row_head(self, index: int, part: int) -> Content:
        head, name = self._head, self.grid.rows[index]
        if part:
            return Content(" " * head)
        digits = f"{index + 1:>2} " if self._tight else ""
        style = "bold" if index == self._row else ""
        mark = self.grid.marks.get(name, "")
        room = head - 1 - len(digits)
        text = line(squeeze(one_line(self._names.get(name, name)), room - (2 if mark else 0)))
        label = join(text, join(" ", line(mark)) if mark else "")
        label = label.pad_right(max(room - label.cell_length, 0))
        return join((digits, "$foreground-muted"), label.stylize(style) if style else label, " ")

    def _column_heads(self) -> Content:
        heads = []
        for index, name in enumerate(self.grid.columns):
            text = f"{self.grid.rows.index(name) + 1 if name in self.grid.rows else name}" if self._tight else ""
            label = line(squeeze(text or one_line(self._names.get(name, name)), self._density.width - 1))
            room = self._density.width - label.cell_length
            style = "bold" if index == self._column else "$foreground-muted"
            left = max(room - 1, 0) if self._tight else room // 2
            heads.append(label.stylize(style).pad_left(left).pad_right(room - left + _GAP))
        return join(*heads)

    def _cells(self, row: int, part: int) -> Strip:
        """One line of the cells that can be seen, from the first column of all."""
        if part >= self._density.lines:
            return Strip.blank(0)
        first = self.scroll_offset.x // self._pitch
        last = min(len(self.grid.columns), first + self._room.width // self._pitch + 2)
        blank = self.visual_style.rich_style
        strips = [Strip.blank(first * self._pitch, blank)]
        for column in range(first, last):
            strips += [self._cell(row, column)[part], Strip.blank(_GAP, blank)]
        return Strip.join(strips)

    def _cell(self, row: int, column: int) -> list[Strip]:
        """The lines of a cell; kept until something about all cells changes."""
        style = self.visual_style
        key = (style, self._density, self.app.theme, self.app.native_ansi_color)
        if key != self._painted_for:
            self._painted, self._painted_for = {}, key
        chosen = (row, column) == (self._row, self._column)
        if not chosen and (row, column) in self._painted:
            return self._painted[row, column]
        player, opponent = self.grid.rows[row], self.grid.columns[column]
        lines = cell_lines(
            self.grid.cells.get((player, opponent)), self.grid, self._density, not self.app.native_ansi_color
        )
        if player == opponent:
            lines = blank_lines(ITSELF, self._density)
        if chosen:
            lines = [Content(one.plain).stylize(self._cursor_style) for one in lines]
        strips = [Visual.to_strips(self, one, self._density.width, 1, style, pad=True)[0] for one in lines]
        if not chosen:
            self._painted[row, column] = strips
        return strips

    @property
    def _cursor_style(self) -> str:
        if self.app.no_color:
            return "reverse" if self.has_focus else "underline"
        blurred = "" if self.has_focus else "blurred-"
        colours = f"$block-cursor-{blurred}foreground on $block-cursor-{blurred}background"
        return f"bold {colours}" if self.has_focus else colours

    def _joined(self, head: Content, cells: Strip, width: int) -> Strip:
        style, start = self.visual_style, self.scroll_offset.x
        room = max(width - head.cell_length, 0)
        if not width:
            return Strip.blank(0)
        fixed = Visual.to_strips(self, head.truncate(width), width - room, 1, style, pad=True)[0]
        return Strip.join([fixed, cells.crop_extend(start, start + room, style.rich_style)])
