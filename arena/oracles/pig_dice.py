"""Exact play of Pig Dice: win probabilities under optimal play of both seats, by value iteration.

With P(i, j, k) for the seat at the die with i points banked, j points of the other seat and turn total k
(Neller and Presser, "Optimal Play of the Dice Game Pig", 2004):

    P(i, j, k) = max(roll, hold)
    roll = (1 − P(j, i, 0) + Σ_{r=2..6} P(i, j, k + r)) / 6
    hold = 1 − P(j, i + k, 0), or 1 where i + k reaches the target

A bank never shrinks, so score pairs are solved from high sums to low ones, and only P(i, j, 0) and P(j, i, 0)
need iterating against each other. The limit of actions is left out; play hardly ever meets it.
"""

from __future__ import annotations

import functools

from arena.core.game import Action
from arena.games.pig_dice import ACTIONS, HOLD, ROLL, State

_TOLERANCE = 1e-13

Table = tuple[tuple[float, ...], ...]
"""`table[i][j]` = P(i, j, 0)."""


@functools.cache
def solve(target: int) -> Table:
    """P(i, j, 0) for all scores below the target. Below a second for 50, about two for 100; kept for the process."""
    table = [[0.5] * target for _ in range(target)]
    for total in range(2 * target - 2, -1, -1):
        for mine in range(max(0, total - target + 1), total // 2 + 1):
            _solve_pair(table, mine, total - mine)
    return tuple(tuple(row) for row in table)


def _solve_pair(table: list[list[float]], i: int, j: int) -> None:
    """Fill in P(i, j, 0) and P(j, i, 0); all pairs of a higher sum are solved."""
    held_i, held_j = _held(table, i, j), _held(table, j, i)
    change = 1.0
    while change > _TOLERANCE:
        first = _turn_values(held_i, table[j][i])[0]
        table[i][j] = first
        second = _turn_values(held_j, first)[0]
        change = abs(second - table[j][i])
        table[j][i] = second
    table[i][j] = _turn_values(held_i, table[j][i])[0]


def _held(table: list[list[float]] | Table, i: int, j: int) -> list[float]:
    """Value of holding for each turn total k short of the target; for k = 0 of no use (see `_turn_values`)."""
    row = table[j]
    return [1.0 - row[banked] for banked in range(i, len(table))]


def _turn_values(held: list[float], other: float) -> list[float]:
    """P(i, j, k) for each k, given `other` = P(j, i, 0), then six ones for the totals that reach the target."""
    short = len(held)
    values = [1.0] * (short + 6)
    passed = 1.0 - other
    ahead = 5.0
    for k in range(short - 1, -1, -1):
        roll = (passed + ahead) / 6.0
        hold = held[k] if k else passed
        values[k] = roll if roll > hold else hold
        ahead += values[k + 1] - values[k + 6]
    return values


@functools.lru_cache(maxsize=4096)
def _values_of(target: int, i: int, j: int) -> tuple[float, ...]:
    """P(i, j, k) for k = 0 … target − i + 5."""
    table = solve(target)
    return tuple(_turn_values(_held(table, i, j), table[j][i]))


def action_values(state: State) -> dict[Action, float]:
    """Win probability of the seat to act for each action, with optimal play after it. ValueError at the end."""
    seat = state.to_act
    if seat is None:
        raise ValueError("the match is over")
    i, j, k = state.scores[seat], state.scores[1 - seat], state.total
    table = solve(state.target)
    passed = 1.0 - table[j][i]
    if i + k >= state.target:
        # A roll that is no 1 leaves the win at hand.
        return {ROLL: (passed + 5.0) / 6.0, HOLD: 1.0}
    ahead = _values_of(state.target, i, j)[k + 2 : k + 7]
    return {ROLL: (passed + sum(ahead)) / 6.0, HOLD: 1.0 - table[j][i + k]}


def win_probability(state: State) -> float:
    """Probability that the seat to act wins where both play optimally. Raises ValueError at the end."""
    return max(action_values(state).values())


def optimal_action(state: State) -> Action:
    """The better action; [roll] where both are worth the same. Raises ValueError at the end."""
    values = action_values(state)
    return max(ACTIONS, key=values.__getitem__)


def value_loss(state: State, action: Action) -> float:
    """Win probability that the action gives away, ≥ 0. Raises ValueError at the end and KeyError for no action."""
    values = action_values(state)
    return max(values.values()) - values[action]
