"""Connect Four on 7 columns and 6 rows.

Two players in turn drop a disc into a column, numbered 0 to 6 from the left; it falls onto the discs that lie
there. Seat 0 is X and moves first, seat 1 is O. Four own discs in an unbroken row, column or diagonal win; a full
board without such a line is a draw. Returns are +1, 0 and −1.

A seat's discs are one integer: bit 7c + r is row r, counted from the bottom, of column c. Bit 7c + 6 is always
clear, so that no line runs from one column's top into the next one's bottom.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from arena.core.answer import match_action
from arena.core.game import Action, GameInfo, Illegal, check_options

COLUMNS, ROWS = 7, 6

INFO = GameInfo(
    id="connect_four",
    title="Connect Four",
    roles=("X", "O"),
    utility=(-1.0, 1.0),
    max_turns=COLUMNS * ROWS,
    chance=False,
    hidden=False,
    trained=False,
)

MINE, THEIRS, EMPTY, FULL = "@", "#", "_", "-"
ACTIONS: tuple[Action, ...] = tuple(f"[{column}]" for column in range(COLUMNS))
_DIRECTIONS = (1, ROWS + 1, ROWS, ROWS + 2)
"""By how many bits neighbours differ: up the column, along the row, down and up the diagonals to the right."""
_STEP = ROWS + 1
_CELLS = (1 << ROWS) - 1
_MASKS = tuple(_CELLS << _STEP * column for column in range(COLUMNS))
_MASK = dict(zip(ACTIONS, _MASKS, strict=True))
_ALL = sum(_MASKS)
_BOTTOM_ROW = _ALL // _CELLS
_TOP_ROW = _BOTTOM_ROW << ROWS - 1


def has_four(discs: int) -> bool:
    """Whether four of the discs, one bit each as in the module's first lines, lie in an unbroken line."""
    for step in _DIRECTIONS:
        pairs = discs & discs >> step
        if pairs & pairs >> 2 * step:
            return True
    return False


def landing(taken: int) -> int:
    """The lowest empty cell of every open column, where a disc dropped there falls to, as bits."""
    return taken + _BOTTOM_ROW & _ALL


@cache
def _legal(full: int) -> tuple[Action, ...]:
    """The actions while the match lasts; `full` holds the taken cells of the top row."""
    return tuple(action for column, action in enumerate(ACTIONS) if not full & _MASKS[column])


def joined(discs: int) -> tuple[int, int, int]:
    """The cells, as bits, in which another disc would make an unbroken line of at least two, three, and four."""
    two = three = four = 0
    for step in _DIRECTIONS:
        up, down = discs << step, discs >> step
        up2, down2 = up & up << step, down & down >> step
        two |= up | down
        three |= up2 | down2 | up & down
        four |= up2 & up << 2 * step | down2 & down >> 2 * step | up2 & down | up & down2
    return two, three, four


def lengths(discs: int, taken: int) -> list[int]:
    """For each column the longest line, at most four, that a disc dropped there would make; 0 where it is full."""
    two, three, four = joined(discs)
    falls = landing(taken)
    cells = [falls & mask for mask in _MASKS]
    return [4 if cell & four else 3 if cell & three else 2 if cell & two else min(cell, 1) for cell in cells]


@cache
def _column(mine: int, theirs: int) -> str:
    """A column from top to bottom, one character a cell."""
    rows = reversed(range(ROWS))
    return "".join(MINE if mine >> row & 1 else THEIRS if theirs >> row & 1 else EMPTY for row in rows)


@dataclass(frozen=True, slots=True)
class State:
    """Each seat's discs, and the seat to act."""

    discs: tuple[int, int] = (0, 0)
    to_act: int | None = 0

    @property
    def utility(self) -> tuple[float, float]:
        return INFO.utility

    def _choices(self) -> tuple[Action, ...]:
        return () if self.to_act is None else _legal((self.discs[0] | self.discs[1]) & _TOP_ROW)

    def legal(self) -> list[Action]:
        return list(self._choices())

    def sample(self, rng: random.Random) -> str:
        return rng.choice(self._choices())

    def rules(self, seat: int) -> str:
        return (
            "Connect Four on a board of 7 columns, numbered 0 to 6 from the left, and 6 rows. "
            f"{MINE} is your disc, {THEIRS} is theirs, {EMPTY} an empty cell. The line under the board names the "
            f"open columns, {FULL} for a full one; the last two lines say for each how long an unbroken line a disc of "
            "yours would make there, and how long one of theirs would; 4 stands for more too. "
            f"You move {('first', 'second')[seat]}. On your turn, drop one disc into an open column; it falls onto "
            "the discs that lie there. Whoever first has four own discs in an unbroken row, column or diagonal wins; "
            "a full board without such a line is a draw. "
            "Answer with the column's number in brackets, for example \\boxed{[3]}."
        )

    def observe(self, seat: int) -> str:
        mine, theirs = self.discs[seat], self.discs[1 - seat]
        shifts = range(0, COLUMNS * _STEP, _STEP)
        columns = [_column(mine >> shift & _CELLS, theirs >> shift & _CELLS) for shift in shifts]
        rows = "\n".join(map(" ".join, zip(*columns, strict=True)))
        own, other = lengths(mine, mine | theirs), lengths(theirs, mine | theirs)
        opened = " ".join([str(column) if length else FULL for column, length in enumerate(own)])
        makes = [" ".join([str(length) if length else FULL for length in line]) for line in (own, other)]
        return f"Connect Four. You {MINE}, they {THEIRS}.\n{rows}\n{opened}\nYou {makes[0]}\nThey {makes[1]}"

    def board(self) -> str:
        """Seat 0 is X, seat 1 is O."""
        lines = []
        for row in reversed(range(ROWS)):
            cells = [_STEP * column + row for column in range(COLUMNS)]
            marks = ["X" if self.discs[0] >> bit & 1 else "O" if self.discs[1] >> bit & 1 else " " for bit in cells]
            lines.append("| " + " | ".join(marks) + " |")
        lines.append("+" + "---+" * COLUMNS)
        lines.append("  " + "   ".join(map(str, range(COLUMNS))))
        return "\n".join(lines)

    def parse(self, answer: str) -> Action | Illegal:
        return match_action(answer, self._choices(), ACTIONS)

    def apply(self, action: Action) -> State:
        """Drop a disc of the seat to act. Raises ValueError where the action is not legal."""
        first, second = self.discs
        seat = self.to_act
        disc = 0 if seat is None else landing(first | second) & _MASK.get(action, 0)
        if not disc:
            raise ValueError(f"{action!r} is not legal here:\n{self.board()}")
        discs = (first, second | disc) if seat else (first | disc, second)
        if has_four(discs[1 if seat else 0]) or discs[0] | discs[1] == _ALL:
            return State(discs, None)
        return State(discs, 0 if seat else 1)

    def returns(self) -> tuple[float, float] | None:
        if self.to_act is not None:
            return None
        return (1.0, -1.0) if has_four(self.discs[0]) else (-1.0, 1.0) if has_four(self.discs[1]) else (0.0, 0.0)


def new(key: int, **variant: str | int | float | bool) -> State:
    """The empty board; the key draws nothing. Raises UsageError for any option."""
    check_options(INFO, variant)
    return State()
