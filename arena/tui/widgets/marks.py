"""A board of marks that takes moves: cells of TicTacToe, columns of Connect Four.

It is as large as its pane allows. Seat 0 is X, seat 1 is O; what stands where is read from the game's own board.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from arena.tui.widgets.verdict import SEAT_STYLES

_MARKS = ("X", "O")
_LINE, _MUTED, _LIT = "$border-blurred", "$foreground-muted", "$warning"

Cell = tuple[int, int]


class Shape(NamedTuple):
    """A game whose board is a grid."""

    rows: int
    columns: int
    falls: bool
    """Whether a move names a column, and the mark falls to its lowest empty cell."""
    row: int
    """How many in a row win."""


SHAPES = {"tictactoe": Shape(3, 3, False, 3), "connect_four": Shape(6, 7, True, 4)}
"""By game id."""
_SIZES = {False: ((17, 7), (11, 5), (7, 3), (5, 1)), True: ((11, 5), (7, 3), (4, 2), (3, 1))}
"""Width and height of a cell, largest first."""

_PAINTED: dict[tuple[bool, int], tuple[tuple[str, ...], tuple[str, ...]]] = {
    (False, 1): (("X",), ("O",)),
    (False, 3): (("╲ ╱", " ╳ ", "╱ ╲"), ("╭─╮", "│ │", "╰─╯")),
    (False, 5): (
        ("╲   ╱", " ╲ ╱ ", "  ╳  ", " ╱ ╲ ", "╱   ╲"),
        ("╭───╮", "│   │", "│   │", "│   │", "╰───╯"),
    ),
    (False, 7): (
        ("▚▖     ▗▞", " ▝▚   ▞▘ ", "   ▚▄▞   ", "   ▗█▖   ", "   ▞▀▚   ", " ▗▞   ▚▖ ", "▞▘     ▝▚"),
        ("▗▄▀▀▀▀▀▄▖", "█       █", "█       █", "█       █", "█       █", "█       █", "▝▀▄▄▄▄▄▀▘"),
    ),
    (True, 1): (("●",), ("○",)),
    (True, 2): (("▟▙", "▜▛"), ("╭╮", "╰╯")),
    (True, 5): (
        (" ▄███▄ ", "███████", "███████", "███████", " ▀███▀ "),
        ("╭─────╮", "│     │", "│     │", "│     │", "╰─────╯"),
    ),
    (True, 3): (("▗███▖", "█████", "▝███▘"), ("╭───╮", "│   │", "╰───╯")),
}
"""Pictures of both marks by whether they fall and by height."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands on a grid."""

    shape: Shape
    cells: tuple[tuple[str, ...], ...]
    """Rows from the top; "X", "O" or empty."""
    last: Cell | None = None
    """Where the last mark was put."""
    lit: frozenset[Cell] = frozenset()
    """The line that won."""

    def action(self, row: int, column: int) -> str:
        return f"[{column if self.shape.falls else row * self.shape.columns + column}]"


def read_marks(game: str, board: str, last: str | None = None) -> Marks | None:
    """What the board of a game shows; None where the game has no such board, or it does not look like one.

    `last` is the last action.
    """
    shape = SHAPES.get(game)
    if shape is None:
        return None
    rows = [row.strip().strip("|").split("|") for row in board.splitlines() if "|" in row]
    cells = tuple(tuple(mark if (mark := cell.strip()) in _MARKS else "" for cell in row) for row in rows)
    if len(cells) != shape.rows or any(len(row) != shape.columns for row in cells):
        return None
    return Marks(shape, cells, _place(shape, cells, last), frozenset(_winning(shape, cells)))


def _place(shape: Shape, cells: tuple[tuple[str, ...], ...], action: str | None) -> Cell | None:
    number = (action or "").strip("[]")
    if not number.isdecimal():
        return None
    if not shape.falls:
        row, column = divmod(int(number), shape.columns)
        return (row, column) if row < shape.rows else None
    column = int(number)
    filled = [row for row in range(shape.rows) if column < shape.columns and cells[row][column]]
    return (filled[0], column) if filled else None


def _winning(shape: Shape, cells: tuple[tuple[str, ...], ...]) -> Iterator[Cell]:
    for row in range(shape.rows):
        for column in range(shape.columns):
            for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
                line = [(row + down * i, column + right * i) for i in range(shape.row)]
                if not (0 <= line[-1][0] < shape.rows and 0 <= line[-1][1] < shape.columns):
                    continue
                if cells[row][column] and len({cells[r][c] for r, c in line}) == 1:
                    yield from line


class MarksBoard(Widget, can_focus=True):
    """The board. Arrows move its cursor, enter or a number plays; while nobody waits for a move it only shows."""

    HELP = (
        "Arrows choose a cell or a column and enter plays there. A digit plays the cell or column of that number at "
        "once: while the match lasts digits belong to the board, and the other screens are reached by esc or ^p."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1, 0)", "up", show=False, id="board.up"),
        Binding("down,j", "move(1, 0)", "down", show=False, id="board.down"),
        Binding("left,h", "move(0, -1)", "left", show=False, id="board.left"),
        Binding("right,l", "move(0, 1)", "right", show=False, id="board.right"),
        Binding("enter,space", "play", "play", key_display="↵", id="board.play", tooltip="Play at the cursor."),
        Binding("0", "number(0)", show=False, key_display="0–8", id="board.number", tooltip="Play there at once."),
        *(Binding(str(digit), f"number({digit})", show=False) for digit in range(1, 10)),
    ]
    ALLOW_SELECT = False

    class Played(Message):
        """A move was chosen, legal or not."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._marks: Marks | None = None
        self._open: frozenset[str] = frozenset()
        self._waiting = self._over = False
        self._cursor: Cell = (0, 0)

    def show_marks(self, marks: Marks, legal: frozenset[str], waiting: bool, over: bool) -> None:
        """Show the board; `waiting` says whether a move is asked for, `over` whether none will be."""
        if self._marks is None or self._marks.shape != marks.shape:
            self._cursor = (0 if marks.shape.falls else marks.shape.rows // 2, marks.shape.columns // 2)
        self._marks, self._open, self._waiting, self._over = marks, legal, waiting, over
        self.refresh()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "play":
            return self._waiting
        return not (self._over and action in ("move", "number"))

    def action_move(self, down: int, right: int) -> None:
        if (marks := self._marks) is None:
            return
        shape = marks.shape
        row = 0 if shape.falls else min(max(self._cursor[0] + down, 0), shape.rows - 1)
        self._cursor = (row, min(max(self._cursor[1] + right, 0), shape.columns - 1))
        self.refresh()

    def action_play(self) -> None:
        if self._marks is not None and self._waiting:
            self.post_message(self.Played(self._marks.action(*self._cursor)))

    def action_number(self, number: int) -> None:
        if (marks := self._marks) is None or not self._waiting:
            return
        shape = marks.shape
        if number >= (shape.columns if shape.falls else shape.rows * shape.columns):
            return
        self._cursor = (0, number) if shape.falls else divmod(number, shape.columns)
        self.refresh()
        self.action_play()

    def on_click(self, event: events.Click) -> None:
        if (marks := self._marks) is None or not self._waiting:
            return
        width, height = self._cell(marks)
        x = event.x - (self.size.width - self._width(marks, width)) // 2
        y = event.y - (self.size.height - self._height(marks, height)) // 2
        row, column = y // (height + 1), (x - marks.shape.falls) // (width + 1)
        if x < 0 or not 0 <= column < marks.shape.columns or y < 0:
            return
        if not marks.shape.falls and row >= marks.shape.rows:
            return
        self._cursor = (0 if marks.shape.falls else row, column)
        self.refresh()
        self.action_play()

    # Painting

    def _cell(self, marks: Marks) -> tuple[int, int]:
        sizes = _SIZES[marks.shape.falls]
        room = self.size
        fitting = [
            (width, height)
            for width, height in sizes
            if self._width(marks, width) <= room.width and self._height(marks, height) <= room.height
        ]
        return fitting[0] if fitting else sizes[-1]

    def _width(self, marks: Marks, cell: int) -> int:
        columns = marks.shape.columns
        return columns * (cell + 1) + (1 if marks.shape.falls else -1)

    def _height(self, marks: Marks, cell: int) -> int:
        rows = marks.shape.rows
        return rows * cell + 3 if marks.shape.falls else rows * (cell + 1) - 1

    def render(self) -> Content:
        if (marks := self._marks) is None:
            return Content("")
        width, height = self._cell(marks)
        lines = self._columns(marks, width, height) if marks.shape.falls else self._grid(marks, width, height)
        return Content("\n").join(lines)

    def _grid(self, marks: Marks, width: int, height: int) -> list[Content]:
        rule = Content.styled("┼".join(["─" * width] * marks.shape.columns), _LINE)
        lines: list[Content] = []
        for row in range(marks.shape.rows):
            if row:
                lines.append(rule)
            cells = [self._painted(marks, (row, column), width, height) for column in range(marks.shape.columns)]
            bar = Content.styled("│", _LINE)
            lines += [bar.join(parts) for parts in zip(*cells, strict=True)]
        return lines

    def _columns(self, marks: Marks, width: int, height: int) -> list[Content]:
        bar = Content.styled("│", _LINE)
        lines = [self._arrows(marks, width)]
        for row in range(marks.shape.rows):
            cells = [self._painted(marks, (row, column), width, height) for column in range(marks.shape.columns)]
            lines += [bar + bar.join(parts) + bar for parts in zip(*cells, strict=True)]
        rule = "┴".join(["─" * width] * marks.shape.columns)
        numbers = [
            _centred(str(column), width, _number_style(self._legal(marks, (0, column))))
            for column in range(marks.shape.columns)
        ]
        return [*lines, Content.styled(f"└{rule}┘", _LINE), Content(" ") + Content(" ").join(numbers) + Content(" ")]

    def _arrows(self, marks: Marks, width: int) -> Content:
        """The line above the columns, where the cursor is."""
        parts = []
        for column in range(marks.shape.columns):
            here = self._waiting and column == self._cursor[1]
            glyph = "▼" if self._legal(marks, (0, column)) else "✗"
            parts.append(_centred(glyph if here else "", width, "bold $text-primary"))
        return Content(" ") + Content(" ").join(parts) + Content(" ")

    def _legal(self, marks: Marks, cell: Cell) -> bool:
        return self._waiting and marks.action(*cell) in self._open

    def _painted(self, marks: Marks, cell: Cell, width: int, height: int) -> list[Content]:
        """The lines of one cell."""
        mark = marks.cells[cell[0]][cell[1]]
        if mark:
            picture = _PAINTED[marks.shape.falls, height][_MARKS.index(mark)]
            lines = [_centred(text, width, self._style(marks, cell, mark)) for text in picture]
        else:
            lines = [Content(" " * width) for _ in range(height)]
            if not marks.shape.falls:
                number = str(cell[0] * marks.shape.columns + cell[1])
                lines[height // 2] = _centred(number, width, _number_style(self._legal(marks, cell)))
        if marks.shape.falls or not self._waiting or cell != self._cursor:
            return lines
        return _framed(lines, width, self.has_focus)

    def _style(self, marks: Marks, cell: Cell, mark: str) -> str:
        style = SEAT_STYLES[_MARKS.index(mark)]
        if marks.lit:
            return f"bold {_LIT}" if cell in marks.lit else f"{style} dim"
        return f"bold {style}" if cell == marks.last else style


def _centred(text: str, width: int, style: str) -> Content:
    """Text in the middle of so many cells; the spaces around it have no style."""
    room = text.center(width)
    inner = room.strip()
    before = len(room) - len(room.lstrip())
    return Content.assemble(" " * before, (inner, style), " " * (width - before - len(inner)))


def _number_style(playable: bool) -> str:
    return "bold" if playable else f"{_MUTED} dim"


def _framed(lines: list[Content], width: int, bright: bool) -> list[Content]:
    """The cell under the cursor: corners around it, or pointed brackets where it is one line high."""
    style = "bold $text-primary" if bright else "$foreground-muted"
    if len(lines) == 1:
        return [Content.styled("▸", style) + lines[0][1:-1] + Content.styled("◂", style)]
    framed = list(lines)
    for index, (left, right) in ((0, "┌┐"), (-1, "└┘")):
        framed[index] = Content.styled(left, style) + lines[index][1:-1] + Content.styled(right, style)
    middle = "$block-cursor-background"
    return [line.stylize_before(f"on {middle}") for line in framed]
