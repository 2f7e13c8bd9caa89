"""The exact solution of TicTacToe: minimax over all 5,478 reachable positions, and what a good eye sees in one.

Values are those of the seat to act: +1 it wins with best play, 0 draw, −1 it loses.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from arena.core.game import Action
from arena.games.tictactoe import EMPTY, LINES, MARKS, State, winner

_THROUGH = tuple(tuple(line for line in LINES if cell in line) for cell in range(9))


def value(state: State) -> int:
    """Minimax value for the seat to act; where the match is over, for the seat that would be next."""
    return _value(state.cells)


def action_values(state: State) -> dict[Action, int]:
    """Every legal action with its minimax value for the seat to act; empty at the end."""
    if state.to_act is None:
        return {}
    return {f"[{cell}]": -_value(after) for cell, after in _next(state.cells)}


def optimal_actions(state: State) -> list[Action]:
    """The legal actions that keep the position's value, in board order; empty at the end."""
    best = _value(state.cells)
    return [action for action, worth in action_values(state).items() if worth == best]


def policy(state: State) -> dict[Action, float]:
    """Uniform over the optimal actions."""
    actions = optimal_actions(state)
    return {action: 1 / len(actions) for action in actions}


def reachable() -> Iterator[State]:
    """All 5,478 positions that play can reach, once each, finished ones included, fewer marks first."""
    level = {EMPTY * 9}
    while level:
        states = [State(cells) for cells in sorted(level)]
        yield from states
        level = {after for state in states if state.to_act is not None for _, after in _next(state.cells)}


class Features(NamedTuple):
    """Empty cells that matter to the seat to act, each in board order. They may overlap."""

    wins: tuple[int, ...]
    """It wins at once by playing here."""
    risks: tuple[int, ...]
    """The opponent would win at once by playing here."""
    forks: tuple[int, ...]
    """By playing here it does not win yet, but has two or more cells where it would win next."""
    traps: tuple[int, ...]
    """The same for the opponent: by playing here it would have a fork."""


def features(state: State) -> Features:
    """The cells that decide the position; all empty where the match is over."""
    return _features(state.cells)


@cache
def _features(cells: str) -> Features:
    if winner(cells) is not None or EMPTY not in cells:
        return Features((), (), (), ())
    mine, theirs = _mark(cells), MARKS[1 - MARKS.index(_mark(cells))]
    wins, risks = _winning(cells, mine), _winning(cells, theirs)
    return Features(wins, risks, _forking(cells, mine, wins), _forking(cells, theirs, risks))


def _winning(cells: str, mark: str) -> tuple[int, ...]:
    """Empty cells that complete a line of `mark`."""
    return tuple(
        cell
        for cell in range(9)
        if cells[cell] == EMPTY and any([cells[c] for c in line].count(mark) == 2 for line in _THROUGH[cell])
    )


def _forking(cells: str, mark: str, winning: tuple[int, ...]) -> tuple[int, ...]:
    """Empty cells, not winning ones, after which `mark` has two or more winning cells."""
    return tuple(
        cell
        for cell in range(9)
        if cells[cell] == EMPTY and cell not in winning and len(_winning(_marked(cells, cell, mark), mark)) >= 2
    )


@cache
def _value(cells: str) -> int:
    if winner(cells) is not None:
        return -1
    return max((-_value(after) for _, after in _next(cells)), default=0)


def _next(cells: str) -> list[tuple[int, str]]:
    """Every empty cell with the board after its marking."""
    mark = _mark(cells)
    return [(cell, _marked(cells, cell, mark)) for cell in range(9) if cells[cell] == EMPTY]


def _mark(cells: str) -> str:
    return MARKS[(9 - cells.count(EMPTY)) % 2]


def _marked(cells: str, cell: int, mark: str) -> str:
    return cells[:cell] + mark + cells[cell + 1 :]
