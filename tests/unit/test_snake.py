"""Rules of Snake, hand-worked rounds, and what a seat may not see."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.core.errors import UsageError
from arena.core.game import Illegal
from arena.games import snake
from arena.games.snake import ACTIONS, CELLS, ROUNDS, State

KEYS = st.integers(0, 2**63 - 1)
PLAYS = st.lists(st.sampled_from(ACTIONS), min_size=2 * ROUNDS, max_size=2 * ROUNDS)


def at(*places: str) -> tuple[int, ...]:
    """Cells from places written "row column"."""
    return tuple((int(place[0]) - 1) * 5 + int(place[2]) - 1 for place in places)


def position(first: tuple[int, ...], second: tuple[int, ...], apples: tuple[int, ...] = (), round: int = 0) -> State:
    return State(7, (first, second), apples or at("5 1", "5 2"), round=round)


def after(state: State, first: str, second: str) -> State:
    return state.apply(f"[{first}]").apply(f"[{second}]")


def line_of(key: int, plays: list[str]) -> list[State]:
    """All positions of a match, from the first to the last."""
    states = [snake.new(key)]
    for action in plays:
        if states[-1].to_act is None:
            break
        states.append(states[-1].apply(action))
    return states


def test_a_move_without_an_apple_takes_the_tail_along() -> None:
    state = after(position(at("3 3", "3 2"), at("1 1")), "up", "down")
    assert state.snakes == (at("2 3", "3 3"), at("2 1"))
    assert (state.to_act, state.round) == (0, 1)


def test_an_apple_makes_its_eater_longer_and_another_appears() -> None:
    state = after(position(at("3 3"), at("1 1"), at("2 3", "5 5")), "up", "right")
    assert state.snakes[0] == at("2 3", "3 3")
    assert len(set(state.apples)) == 2
    assert at("5 5")[0] in state.apples
    assert state.placed == 3
    assert not set(state.apples) & set(state.snakes[0] + state.snakes[1])


def test_a_new_apple_lands_on_every_free_cell_and_on_no_other() -> None:
    landed = set()
    for key in range(400):
        start = State(key, (at("3 3"), at("1 1")), at("2 3", "5 5"))
        landed |= set(after(start, "up", "right").apples[1:])
    assert landed == set(range(CELLS)) - set(at("2 3", "3 3", "1 2", "5 5"))


@pytest.mark.parametrize("lengths", [1, 2])
def test_the_wall_kills_and_the_survivor_wins(lengths: int) -> None:
    state = after(position(at("1 1", "2 1")[:lengths], at("4 4")), "left", "up")
    assert state.dead == (True, False)
    assert state.returns() == (-1.0, 1.0)
    assert state.snakes[1] == at("3 4")


def test_meeting_on_one_cell_kills_both_even_on_an_apple_or_when_one_is_longer() -> None:
    state = after(position(at("3 2", "4 2", "5 2"), at("3 4"), at("3 3", "1 1")), "right", "left")
    assert state.dead == (True, True)
    assert state.returns() == (0.0, 0.0)


def test_changing_places_kills_both() -> None:
    assert after(position(at("3 2"), at("3 3")), "right", "left").dead == (True, True)
    assert after(position(at("3 2", "3 1"), at("3 3")), "right", "left").dead == (True, True)


def test_a_body_kills_whoever_enters_it() -> None:
    state = after(position(at("2 2"), at("3 2", "3 1", "4 1")), "down", "right")
    assert state.dead == (True, False)
    own = after(position(at("2 2", "2 3", "2 4"), at("5 5")), "right", "up")
    assert own.returns() == (-1.0, 1.0)


def test_a_tail_that_moves_on_is_free_and_one_that_stays_is_not() -> None:
    first, second = at("2 1"), at("3 2", "3 1")
    assert after(position(first, second), "down", "right").dead == (False, False)
    eats = position(first, second, at("3 3", "5 5"))
    assert after(eats, "down", "right").dead == (True, False)
    turned = after(position(at("2 2", "2 3"), at("5 5")), "right", "up")
    assert turned.snakes[0] == at("2 3", "2 2")


def test_a_snake_that_dies_still_blocks_its_cells_in_that_round() -> None:
    state = after(position(at("1 3", "1 2", "1 1"), at("2 2")), "up", "up")
    assert state.dead == (True, True)


def test_at_the_round_limit_the_longer_snake_wins() -> None:
    last = ROUNDS - 1
    longer = after(position(at("2 2", "2 3"), at("4 4"), round=last), "up", "up")
    assert longer.returns() == (1.0, -1.0)
    equal = after(position(at("2 2"), at("4 4"), round=last), "up", "up")
    assert equal.returns() == (0.0, 0.0)
    assert after(position(at("2 2"), at("4 4"), round=last - 1), "up", "up").returns() is None


def test_a_full_board_simply_lacks_apples() -> None:
    path = [row * 5 + (column if row % 2 == 0 else 4 - column) for row in range(5) for column in range(5)]
    first, second = tuple(path[1:23]), (path[24],)
    state = State(1, (first, second), (path[0], path[23]))
    state = after(state, "left", "left")
    assert state.dead == (False, False)
    assert set(state.snakes[0]) | set(state.snakes[1]) == set(path)
    assert state.apples == ()
    assert "Apples at none." in state.observe(0)


@given(KEYS)
def test_the_start_is_the_same_for_both_seats_but_for_the_mirroring(key: int) -> None:
    (mine,), (theirs,) = snake.new(key).snakes
    apples = snake.new(key).apples
    assert mine + theirs == CELLS - 1 == sum(apples)
    assert len({mine, theirs, *apples}) == 4


def test_seats_are_drawn_without_favour() -> None:
    heads = [snake.new(key).snakes[0][0] for key in range(800)]
    assert len(set(heads)) == 8
    assert 350 < sum(head < 12 for head in heads) < 450


@given(KEYS, PLAYS)
def test_matches_end_in_time_zero_sum_with_sound_positions(key: int, plays: list[str]) -> None:
    states = line_of(key, plays)
    for state in states:
        cells = state.snakes[0] + state.snakes[1]
        assert all(0 <= cell < CELLS for cell in cells)
        if True not in state.dead:
            assert len(set(cells + state.apples)) == len(cells + state.apples)
        assert (state.returns() is None) == (state.to_act is not None)
    returns = states[-1].returns()
    assert returns is not None
    assert sum(returns) == 0.0
    assert set(returns) <= {-1.0, 0.0, 1.0}
    assert states[-1].legal() == []
    with pytest.raises(ValueError, match="not legal"):
        states[-1].apply("[up]")


@given(KEYS, PLAYS)
def test_apply_changes_nothing_and_replays(key: int, plays: list[str]) -> None:
    states = line_of(key, plays)
    assert states == line_of(key, plays)
    for state, action in zip(states[:-1], plays, strict=False):
        before = (state, hash(state), state.board(), state.observe(0), state.observe(1))
        state.apply(action)
        assert before == (state, hash(state), state.board(), state.observe(0), state.observe(1))


@given(KEYS, PLAYS)
def test_nobody_sees_a_pending_commit(key: int, plays: list[str]) -> None:
    for state in line_of(key, plays):
        if state.to_act == 0:
            committed = [state.apply(action) for action in ACTIONS]
            for seat in (0, 1):
                assert {child.observe(seat) for child in committed} == {state.observe(seat)}
            assert {child.board() for child in committed} == {state.board()}


@given(KEYS, PLAYS)
def test_both_seats_see_the_same_kind_of_picture(key: int, plays: list[str]) -> None:
    for state in line_of(key, plays):
        mirrored = State(
            state.key, state.snakes[::-1], state.apples, state.placed, state.round, state.dead[::-1], state.pending
        )
        assert state.observe(0) == mirrored.observe(1)


def test_the_observation_reads_as_documented() -> None:
    state = position(at("2 1", "3 1", "4 1"), at("2 3", "1 3"), at("2 2", "5 4"), round=5)
    assert state.observe(0) == (
        "Snake. Round 6 of 20. You 3 long at 2 1. They 2 long at 2 3. Apples at 2 2 and 5 4.\n"
        ". . = . .\n@ * # . .\no . . . .\n~ . . . .\n. . . * .\n"
        "Up free. Down you. Left wall. Right apple."
    )
    assert state.observe(1).splitlines()[2] == "# * @ . ."
    assert state.observe(1).endswith("Up tail. Down free. Left apple. Right free.")


def test_answers_are_read_strictly() -> None:
    state = snake.new(1)
    for action in ACTIONS:
        assert state.parse(action) == action
        assert state.parse(action.strip("[]").upper()) == action
    assert isinstance(state.parse("[up] or [down]"), Illegal)
    assert isinstance(state.parse("north"), Illegal)
    assert state.sample(random.Random(0)) in ACTIONS


def test_options_are_refused() -> None:
    with pytest.raises(UsageError):
        snake.new(1, size=7)
