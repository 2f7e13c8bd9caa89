"""Connect Four's rules against a plain grid, what its texts say, and its script."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.core.errors import UsageError
from arena.core.events import MatchEnded
from arena.core.game import Illegal
from arena.core.match import play
from arena.core.registry import GameSpec, load_player
from arena.games import connect_four
from arena.games.connect_four import ACTIONS, COLUMNS, EMPTY, FULL, MINE, ROWS, THEIRS, State, has_four, landing
from arena.players._scripts import STYLES
from arena.players._scripts.connect_four import decide, features

DROPS = st.lists(st.integers(0, COLUMNS - 1), max_size=80)

Grid = dict[tuple[int, int], int]
"""(column, row from the bottom) to the seat whose disc lies there."""


def after(*columns: int) -> State:
    state = connect_four.new(0)
    for column in columns:
        state = state.apply(f"[{column}]")
    return state


def fours(grid: Grid, seat: int) -> bool:
    """By the definition: four cells of one seat in a straight line."""
    return any(
        all(grid.get((column + across * k, row + up * k)) == seat for k in range(4))
        for column, row in grid
        for across, up in ((1, 0), (0, 1), (1, 1), (1, -1))
    )


def longest(grid: Grid, cell: tuple[int, int]) -> int:
    """Discs in the longest unbroken line of one seat through the cell."""

    def run(across: int, up: int) -> int:
        length, (column, row) = 0, cell
        while grid.get((column + across, row + up)) == grid[cell]:
            length, column, row = length + 1, column + across, row + up
        return length

    return max(1 + run(a, u) + run(-a, -u) for a, u in ((1, 0), (0, 1), (1, 1), (1, -1)))


def dropped(grid: Grid, column: int, seat: int) -> tuple[Grid, tuple[int, int]]:
    cell = (column, sum(c == column for c, _ in grid))
    return {**grid, cell: seat}, cell


def replayed(drops: list[int]) -> Iterator[tuple[State, Grid]]:
    """Every position of the match in which those columns are played, full ones left out, and the same as a grid."""
    state, grid = connect_four.new(0), Grid()
    yield state, grid
    for column in drops:
        if state.to_act is None:
            return
        if ACTIONS[column] in state.legal():
            grid, _ = dropped(grid, column, state.to_act)
            state = state.apply(ACTIONS[column])
            yield state, grid


@given(DROPS)
def test_every_position_agrees_with_a_plain_grid(drops: list[int]) -> None:
    for state, grid in replayed(drops):
        won = [fours(grid, seat) for seat in (0, 1)]
        full = len(grid) == COLUMNS * ROWS
        assert [has_four(discs) for discs in state.discs] == won
        if True in won or full:
            assert state.to_act is None
            assert state.legal() == []
            assert state.returns() == (won[0] - won[1], won[1] - won[0])
        else:
            assert state.to_act == len(grid) % 2
            assert state.returns() is None
            heights = [sum(c == column for c, _ in grid) for column in range(COLUMNS)]
            assert state.legal() == [f"[{column}]" for column in range(COLUMNS) if heights[column] < ROWS]


@given(DROPS)
def test_the_pictures_show_every_disc_and_what_the_next_would_make(drops: list[int]) -> None:
    for state, grid in replayed(drops):
        board = [line[2::4] for line in state.board().splitlines()[:ROWS]]
        for seat in (0, 1):
            _, *rows, opened, own, other = [line.split(" ") for line in state.observe(seat).splitlines()]
            assert len(rows) == ROWS
            for column in range(COLUMNS):
                height = sum(c == column for c, _ in grid)
                assert opened[column] == (FULL if height == ROWS else str(column))
                for made, who in ((own[1:], seat), (other[1:], 1 - seat)):
                    length = 0 if height == ROWS else min(4, longest(*dropped(grid, column, who)))
                    assert made[column] == (str(length) if length else FULL)
                for row in range(ROWS):
                    disc = grid.get((column, row))
                    shown = EMPTY if disc is None else (MINE, THEIRS)[disc != seat]
                    assert rows[ROWS - 1 - row][column] == shown
                    assert board[ROWS - 1 - row][column] == (" " if disc is None else "XO"[disc])


@given(DROPS)
def test_both_seats_see_the_same_kind_of_picture(drops: list[int]) -> None:
    *_, (state, _) = replayed(drops)
    assert state.observe(1) == State(state.discs[::-1], state.to_act).observe(0)


@given(DROPS)
def test_mirrored_play_is_as_good(drops: list[int]) -> None:
    *_, (state, _) = replayed(drops)
    *_, (mirrored, _) = replayed([COLUMNS - 1 - column for column in drops])
    assert (state.to_act, state.returns()) == (mirrored.to_act, mirrored.returns())


def every_line() -> list[tuple[tuple[int, int], ...]]:
    inside = {(column, row) for column in range(COLUMNS) for row in range(ROWS)}
    lines = (
        tuple((column + across * k, row + up * k) for k in range(4))
        for column, row in sorted(inside)
        for across, up in ((1, 0), (0, 1), (1, 1), (1, -1))
    )
    return [line for line in lines if set(line) <= inside]


def bits(cells: tuple[tuple[int, int], ...]) -> int:
    return sum(1 << 7 * column + row for column, row in cells)


def test_all_69_lines_win_and_none_of_them_with_a_disc_missing() -> None:
    lines = every_line()
    assert len(lines) == 69
    for line in lines:
        assert has_four(bits(line))
        for gone in line:
            assert not has_four(bits(line) & ~bits((gone,)))


def test_no_line_runs_over_the_edge_of_the_board() -> None:
    assert not has_four(bits(((0, 4), (0, 5), (1, 0), (1, 1))))
    assert not has_four(bits(((3, 5), (4, 5), (5, 5), (0, 4))))
    assert not has_four(bits(((4, 0), (5, 0), (6, 0), (0, 1))))
    for row in range(ROWS):
        assert not has_four(bits(tuple((column, row) for column in (0, 1, 2, 4, 5, 6))))


def test_the_first_seat_wins_a_column_and_the_second_a_row() -> None:
    won = after(3, 0, 3, 1, 3, 2, 3)
    assert won.to_act is None
    assert won.returns() == (1.0, -1.0)
    lost = after(6, 0, 6, 1, 5, 2, 5, 3)
    assert lost.returns() == (-1.0, 1.0)
    assert lost.legal() == []


def test_a_full_board_without_a_line_is_a_draw() -> None:
    drawn = after(*map(int, "361313645534311043046626105524515600224220"))
    assert sum(discs.bit_count() for discs in drawn.discs) == COLUMNS * ROWS == connect_four.INFO.max_turns
    assert drawn.to_act is None
    assert drawn.returns() == (0.0, 0.0)
    assert isinstance(drawn.parse("[3]"), Illegal)


def test_a_disc_that_fills_the_board_still_wins() -> None:
    before = after(*map(int, "52351124625333526301160613465140052064420"))
    assert before.legal() == ["[4]"]
    assert before.apply("[4]").returns() == (-1.0, 1.0)


def test_a_full_column_is_refused_by_name() -> None:
    state = after(2, 2, 2, 2, 2, 2)
    refusal = state.parse("[2]")
    assert isinstance(refusal, Illegal)
    assert "[2] is not legal now" in refusal.reason
    assert landing(sum(state.discs)) == bits(tuple((column, 0) for column in (0, 1, 3, 4, 5, 6)))


@pytest.mark.parametrize("answer", ["[7]", "[-1]", "7", "-1", "3.5", "", "[1] or [2]", "1, 2", "column", "[[1], [2]]"])
def test_answers_without_exactly_one_open_column_are_refused(answer: str) -> None:
    assert isinstance(after(0).parse(answer), Illegal)


@pytest.mark.parametrize("answer", ["[4]", "4", "[ 4 ]", "Column 4.", "I drop it in [4]", "[4] [4]", "4!"])
def test_one_open_column_is_read(answer: str) -> None:
    assert after(0).parse(answer) == "[4]"


def test_applying_an_illegal_action_raises() -> None:
    for state, action in ((after(2, 2, 2, 2, 2, 2), "[2]"), (after(), "[7]"), (after(3, 0, 3, 1, 3, 2, 3), "[6]")):
        with pytest.raises(ValueError, match="not legal"):
            state.apply(action)


def test_options_are_refused() -> None:
    with pytest.raises(UsageError):
        connect_four.new(1, rows=8)


def test_the_texts_read_as_documented() -> None:
    state = after(3, 3, 3, 3, 3, 3, 0, 1)
    assert state.observe(0) == (
        "Connect Four. You @, they #.\n"
        "_ _ _ # _ _ _\n_ _ _ @ _ _ _\n_ _ _ # _ _ _\n_ _ _ @ _ _ _\n_ _ _ # _ _ _\n@ # _ @ _ _ _\n"
        "0 1 2 - 4 5 6\nYou 2 2 2 - 2 1 1\nThey 2 2 2 - 2 1 1"
    )
    assert state.board().splitlines()[-4:] == [
        "|   |   |   | O |   |   |   |",
        "| X | O |   | X |   |   |   |",
        "+---+---+---+---+---+---+---+",
        "  0   1   2   3   4   5   6",
    ]


@given(DROPS, st.integers(0, 10**6), st.sampled_from([0.0, 0.3, 1.0]))
def test_every_thought_of_the_script_is_true(drops: list[int], seed: int, skill: float) -> None:
    for state, grid in replayed(drops):
        seat = state.to_act
        if seat is None:
            break
        thought, action = decide(state, random.Random(seed), skill)
        opened = [ACTIONS.index(action) for action in state.legal()]
        wins, risks = ([c for c in opened if fours(dropped(grid, c, who)[0], who)] for who in (seat, 1 - seat))
        assert features(state)[1:] == (wins, risks)
        assert action in state.legal()
        column = ACTIONS.index(action)
        style, _, claims = thought.partition(": ")
        assert style in STYLES
        shown, _, rest = claims.partition(" Then ")
        assert shown == f"wins {listed(wins)}. Risks {listed(risks)}."
        kind = "wins" if column in wins else "blocks" if column in risks else "goes on"
        made = f"makes {min(4, longest(*dropped(grid, column, seat)))}"
        assert rest == {"Pattern": "", "Cases": f"{column} {kind}.", "Value": f"{column} {made}."}[style]
        assert re.fullmatch(r"[ -~]{,70}", thought)
        if skill == 1.0:
            assert column in (wins or risks or opened)


def listed(columns: list[int]) -> str:
    return " ".join(map(str, columns)) or "-"


def score(first: str, second: str, key: int) -> float:
    """What the first-named player scores over a pair, seats swapped: 0 to 2."""

    async def returns(seat_0: str, seat_1: str) -> tuple[float, float]:
        players = (load_player(seat_0), load_player(seat_1))
        *_, last = [event async for event in play(GameSpec.parse("connect_four"), players, key)]
        assert isinstance(last, MatchEnded)
        return last.returns

    return 1 + (asyncio.run(returns(first, second))[0] + asyncio.run(returns(second, first))[1]) / 2


def test_the_script_beats_random_play_and_more_so_with_skill() -> None:
    default = sum(score("scripted", "random", key) for key in range(60)) / 120
    best = sum(score("scripted?skill=1", "random", key) for key in range(60)) / 120
    assert default > 0.7
    assert best > 0.93
    assert sum(score("scripted?skill=1", "scripted?skill=0.2", key) for key in range(30)) / 60 > 0.7
