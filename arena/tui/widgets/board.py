"""The position as a spectator sees it, in the middle of its pane, and under it what the last move was worth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.geometry import Size

from arena.tui.text import join, show
from arena.tui.widgets.lines import Lines
from arena.tui.widgets.verdict import SEAT_STYLES

_RULE = re.compile(r"[-+| ]*[-+]{3}[-+| ]*")
_DRAWN = str.maketrans("-+|", "─┼│")
_MUTED = "$foreground-muted"
_MOST = 20_000
"""Characters of a board."""
_WORDS = 5
"""Lines that are kept for what stands under the board."""


@dataclass(frozen=True, slots=True)
class Position:
    """What the pane shows."""

    board: str = ""
    before: str = ""
    """The position before the last move, so that what changed is lit."""
    roles: tuple[str, str] | None = None
    words: tuple[Content, ...] = ()
    """Lines under the board."""
    note: str = ""
    """In place of a board that is not known."""


class Board(Lines):
    """A board of plain text."""

    HELP = "The position as a spectator sees it: in a game with hidden information that is more than a seat knows."

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._position = Position()
        self._made: tuple[object, list[Content]] | None = None

    def show_position(self, position: Position) -> None:
        changed = position.board != self._position.board
        self._position = position
        self.draw()
        if changed:  # the newest of what was said stands last
            self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True, force=True)

    def make(self, width: int, height: int) -> Sequence[Content]:
        position = self._position
        if not position.board and position.note:
            board = [one.center(width) for one in join((position.note, _MUTED)).wrap(width)]
        else:
            board = self._painted(position, Size(width, height - _WORDS))
        words = [part.center(width) for word in position.words for part in word.wrap(width)]
        gap = 1 if words else 0
        above = max(0, (height - len(board) - len(words) - gap) // 2)
        return [*[Content("")] * above, *board, *[Content("")] * gap, *words]

    def _painted(self, position: Position, room: Size) -> list[Content]:
        """The board's lines, made once for a room."""
        key = (position.board, position.before, position.roles, room)
        if self._made is None or self._made[0] != key:
            self._made = (key, _block(_painted(position, room), room.width))
        return self._made[1]


def _block(lines: list[Content], width: int) -> list[Content]:
    """The lines in the middle as one block, wrapped where they are too wide."""
    widest = max((one.cell_length for one in lines), default=0)
    if widest > width:
        return [part for one in lines for part in (one.wrap(width) if one else [one])]
    indent = (width - widest) // 2
    return [one.pad_left(indent) for one in lines]


def _painted(position: Position, room: Size) -> list[Content]:
    """The board line by line: rules drawn, marks in their seat's colour, what the last move changed lit."""
    plain = _enlarged(show(position.board, limit=_MOST).plain, room)
    before = _enlarged(show(position.before, limit=_MOST).plain, room)
    lit = _changes(before, plain)
    drawn = _drawn(plain)
    content = Content(drawn)
    roles = position.roles
    if roles and all(len(name) == 1 for name in roles):
        for seat, name in enumerate(roles):
            content = content.highlight_regex(rf"(?<!\w){re.escape(name)}(?!\w)", style=f"bold {SEAT_STYLES[seat]}")
        content = content.highlight_regex(r"(?<!\w)\d(?!\w)", style=_MUTED)
    content = content.highlight_regex(r"[─┼│]", style="$border-blurred")
    for place in lit:
        wide = drawn[place - 1 : place] == drawn[place + 1 : place + 2] == " " and "│" in drawn
        content = content.stylize("reverse", place - wide, place + 1 + wide)
    return content.split("\n", allow_blank=True) if drawn else [Content("")]


def _enlarged(text: str, room: Size) -> str:
    """A grid of single marks with rules between its rows gets wide and high cells where there is room for them."""
    rows = text.split("\n")
    cells = [row.split("|") for row in rows[::2]]
    grid = len(rows) > 2 and all(_RULE.fullmatch(row) for row in rows[1::2]) and len(rows) % 2 == 1
    across = len(cells[0])
    if not grid or any(len(row) != across or any(len(cell) != 3 for cell in row) for row in cells):
        return text
    if room.width < across * 8 or room.height < len(cells) * 4:
        return text
    blank = "|".join([" " * 7] * across)
    rule = "+".join(["-" * 7] * across)
    high = ["\n".join((blank, "|".join(f"  {cell}  " for cell in row), blank)) for row in cells]
    return f"\n{rule}\n".join(high)


def _drawn(text: str) -> str:
    """Rules made of minus, plus and bar as lines, where the board has any; every character keeps its place."""
    rows = text.split("\n")
    if not any(_RULE.fullmatch(row) for row in rows):
        return text
    bars = str.maketrans("|", "│")
    return "\n".join(row.translate(_DRAWN if _RULE.fullmatch(row) else bars) for row in rows)


def _changes(before: str, after: str) -> list[int]:
    """Places of what is new, where the two have the same shape and little differs."""
    if len(before) != len(after) or [len(r) for r in before.split("\n")] != [len(r) for r in after.split("\n")]:
        return []
    places = [i for i, (old, new) in enumerate(zip(before, after, strict=True)) if old != new and new != " "]
    return places if len(places) <= 4 else []
