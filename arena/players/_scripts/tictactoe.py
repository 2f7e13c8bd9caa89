"""TicTacToe: takes a win, blocks a threat, makes or spoils a fork, each with its own share of `skill`."""

from __future__ import annotations

import random
from typing import cast

from arena.core.game import State
from arena.games.tictactoe import EMPTY, LINES, MARKS
from arena.games.tictactoe import State as Board
from arena.oracles.tictactoe import Features, features
from arena.players._scripts import Decision, pick_style

_BLOCK, _FORK, _CENTRE = 0.85, 0.5, 0.3
"""How likely each rule is followed, in shares of `skill`; a win is taken with `skill` itself."""


def decide(state: State, rng: random.Random, skill: float) -> Decision:
    board = cast(Board, state)
    seen = features(board)
    cell = _choose(board, seen, rng, skill)
    return Decision(_thought(board, seen, cell, pick_style(rng)), f"[{cell}]")


def _choose(board: Board, seen: Features, rng: random.Random, skill: float) -> int:
    rules = (
        (seen.wins, skill),
        (seen.risks, skill * _BLOCK),
        (seen.forks, skill * _FORK),
        (seen.traps, skill * _FORK),
        ((4,) if board.cells[4] == EMPTY else (), skill * _CENTRE),
    )
    for cells, share in rules:
        if cells and rng.random() < share:
            return rng.choice(cells)
    return rng.choice([cell for cell, mark in enumerate(board.cells) if mark == EMPTY])


def claims(seen: Features) -> str:
    """What the position holds, as every thought says it: cells that win, must be blocked, fork, or let them fork."""
    wins, risks, forks, traps = (
        " ".join(map(str, cells)) or "-" for cells in (seen.wins, seen.risks, seen.forks, seen.traps)
    )
    return f"wins {wins}. Risks {risks}. Forks {forks}. Traps {traps}."


def _thought(board: Board, seen: Features, cell: int, style: str) -> str:
    text = f"{style}: {claims(seen)}"
    if style == "Cases":
        kind = "wins" if cell in seen.wins else "blocks" if cell in seen.risks else "goes on"
        text += f" Then {cell} {kind}."
    elif style == "Value":
        text += f" Then {cell} keeps {_open_lines(board, cell)}."
    return text


def _open_lines(board: Board, cell: int) -> int:
    """Lines through the cell that hold no mark of the other seat."""
    other = MARKS[1 - cast(int, board.to_act)]
    return sum(cell in line and all(board.cells[c] != other for c in line) for line in LINES)
