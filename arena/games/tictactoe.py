"""TicTacToe.

Two players in turn mark a cell of a 3×3 board; cells are numbered 0 to 8, row by row. Seat 0 is X and
moves first, seat 1 is O. Three own marks in a row, column or diagonal win; a full board without one is
a draw. Returns are +1, 0 and −1.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from arena.core.answer import match_action
from arena.core.game import Action, GameInfo, Illegal, check_options

INFO = GameInfo(
    id="tictactoe",
    title="TicTacToe",
    roles=("X", "O"),
    utility=(-1.0, 1.0),
    max_turns=9,
    chance=False,
    hidden=False,
    trained=True,
)

MARKS = "XO"
EMPTY = "."
LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
_ACTIONS = tuple(f"[{cell}]" for cell in range(9))
_CELL = {action: cell for cell, action in enumerate(_ACTIONS)}


@cache
def winner(cells: str) -> int | None:
    """The seat with three in a line on a board of nine characters ("X", "O" or "."), or None."""
    for a, b, c in LINES:
        if cells[a] != EMPTY and cells[a] == cells[b] == cells[c]:
            return MARKS.index(cells[a])
    return None


@cache
def _legal(cells: str) -> tuple[Action, ...]:
    if winner(cells) is not None:
        return ()
    return tuple(action for action, mark in zip(_ACTIONS, cells, strict=True) if mark == EMPTY)


@dataclass(frozen=True, slots=True)
class State:
    """A board: nine characters, "X", "O" or ".", row by row. X to move where both have as many marks."""

    cells: str = EMPTY * 9

    @property
    def to_act(self) -> int | None:
        empty = self.cells.count(EMPTY)
        return None if not empty or winner(self.cells) is not None else (9 - empty) % 2

    @property
    def utility(self) -> tuple[float, float]:
        return INFO.utility

    def legal(self) -> list[Action]:
        return list(_legal(self.cells))

    def sample(self, rng: random.Random) -> str:
        return rng.choice(self.legal())

    def rules(self, seat: int) -> str:
        mark, turn = MARKS[seat], ("first", "second")[seat]
        return (
            "TicTacToe on a 3x3 board. The cells are numbered 0 to 8, row by row; an empty cell shows its number. "
            f"You play {mark} and move {turn}. On your turn, mark one empty cell. Whoever first has three own marks "
            "in a row, a column or a diagonal wins; a full board without such a line is a draw. "
            "Answer with the cell's number in brackets, for example \\boxed{[4]}."
        )

    def observe(self, seat: int) -> str:
        shown = [str(cell) if mark == EMPTY else mark for cell, mark in enumerate(self.cells)]
        rows = (" ".join(shown[start : start + 3]) for start in (0, 3, 6))
        return "\n".join((f"TicTacToe. You are {MARKS[seat]}.", *rows))

    def board(self) -> str:
        shown = [str(cell) if mark == EMPTY else mark for cell, mark in enumerate(self.cells)]
        return "\n---+---+---\n".join(f" {a} | {b} | {c} " for a, b, c in (shown[0:3], shown[3:6], shown[6:9]))

    def parse(self, answer: str) -> Action | Illegal:
        return match_action(answer, _legal(self.cells), _ACTIONS)

    def apply(self, action: Action) -> State:
        """Mark the cell for the seat to act. Raises ValueError where the action is not legal."""
        cell, seat = _CELL.get(action, -1), self.to_act
        if seat is None or cell < 0 or self.cells[cell] != EMPTY:
            raise ValueError(f"{action} is not legal in {self.cells}")
        return State(self.cells[:cell] + MARKS[seat] + self.cells[cell + 1 :])

    def returns(self) -> tuple[float, float] | None:
        if self.to_act is not None:
            return None
        won = winner(self.cells)
        return (0.0, 0.0) if won is None else ((1.0, -1.0) if won == 0 else (-1.0, 1.0))


def new(key: int, **variant: str | int | float | bool) -> State:
    """The empty board; the key draws nothing. Raises UsageError for any option."""
    check_options(INFO, variant)
    return State()
