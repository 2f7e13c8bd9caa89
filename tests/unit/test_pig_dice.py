"""Rules of Pig Dice, and its exact solution against published and independently computed values."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.core.errors import UsageError
from arena.core.game import Illegal
from arena.games import pig_dice
from arena.games.pig_dice import HOLD, ROLL, State, roll_of
from arena.oracles.pig_dice import action_values, optimal_action, solve, value_loss, win_probability

KEYS = st.integers(0, 2**63 - 1)
TARGETS = st.sampled_from(pig_dice.INFO.variants["target"])
SEEDS = st.integers(0, 10**6)


def played(state: State, *actions: str) -> State:
    for action in actions:
        state = state.apply(action)
    return state


def line_of(key: int, target: int, seed: int) -> list[State]:
    """All positions of a random match, from the first to the last."""
    rng = random.Random(seed)
    states = [pig_dice.new(key, target=target)]
    while states[-1].to_act is not None:
        states.append(states[-1].apply(states[-1].sample(rng)))
    return states


def key_with(seat: int, *rolls: int) -> int:
    """A key whose first rolls of the seat are these."""
    return next(key for key in range(100_000) if all(roll_of(key, seat, n) == roll for n, roll in enumerate(rolls)))


def test_rolls_add_up_and_a_hold_banks_them() -> None:
    state = pig_dice.new(key_with(0, 4, 6))
    state = played(state, ROLL, ROLL)
    assert (state.total, state.to_act) == (10, 0)
    state = state.apply(HOLD)
    assert (state.scores, state.total, state.to_act) == ((10, 0), 0, 1)


def test_a_one_loses_the_turn_total_but_not_the_bank() -> None:
    state = replace(pig_dice.new(key_with(0, 5, 1)), scores=(7, 3))
    state = played(state, ROLL, ROLL)
    assert (state.scores, state.total, state.to_act) == ((7, 3), 0, 1)


def test_a_win_needs_a_hold() -> None:
    state = replace(pig_dice.new(key_with(0, 6)), scores=(45, 40))
    state = state.apply(ROLL)
    assert state.to_act == 0
    assert state.returns() is None
    assert state.apply(HOLD).returns() == (1.0, -1.0)
    assert replace(state, scores=(40, 46), seat=1).apply(HOLD).returns() == (-1.0, 1.0)


def test_holding_nothing_is_a_pass() -> None:
    state = pig_dice.new(1).apply(HOLD)
    assert (state.scores, state.to_act) == ((0, 0), 1)


@pytest.mark.parametrize("target", [20, 50, 100])
def test_at_the_limit_the_higher_bank_wins_and_the_turn_total_is_worth_nothing(target: int) -> None:
    state = pig_dice.new(1, target=target)
    assert played(state, *[HOLD] * (4 * target)).returns() == (0.0, 0.0)
    last = replace(state, scores=(3, 4), seat=0, total=9, acted=4 * target - 1)
    assert last.returns() is None
    assert last.apply(ROLL).returns() == (-1.0, 1.0)
    assert last.apply(HOLD).returns() == (1.0, -1.0)


def test_luck_stays_with_the_seat() -> None:
    first = played(pig_dice.new(99), ROLL, HOLD) if roll_of(99, 0, 0) > 1 else played(pig_dice.new(99), ROLL)
    passed = pig_dice.new(99).apply(HOLD)
    expected = roll_of(99, 1, 0)
    for state in (first, passed):
        after = state.apply(ROLL)
        assert after.rolls[1] == 1
        assert after.total == (expected if expected > 1 else 0)


def test_the_die_is_fair_and_differs_by_seat() -> None:
    rolls = [[roll_of(5, seat, n) for n in range(3000)] for seat in (0, 1)]
    for seat in (0, 1):
        assert all(430 < rolls[seat].count(face) < 570 for face in range(1, 7))
    assert rolls[0] != rolls[1]


@given(KEYS, TARGETS, SEEDS)
def test_matches_end_in_time_zero_sum(key: int, target: int, seed: int) -> None:
    states = line_of(key, target, seed)
    assert len(states) - 1 <= 4 * target
    assert all(state.returns() is None for state in states[:-1])
    returns = states[-1].returns()
    assert returns in ((1.0, -1.0), (-1.0, 1.0), (0.0, 0.0))
    assert states[-1].legal() == []
    with pytest.raises(ValueError, match="not legal"):
        states[-1].apply(ROLL)


def test_random_play_ends_by_winning() -> None:
    assert all(max(line_of(key, 50, key)[-1].scores) >= 50 for key in range(400))


@given(KEYS, TARGETS, SEEDS)
def test_apply_changes_nothing_and_replays(key: int, target: int, seed: int) -> None:
    states = line_of(key, target, seed)
    assert states == line_of(key, target, seed)
    for state in states[:-1]:
        before = (hash(state), state.board(), state.observe(0), state.observe(1))
        assert state.apply(ROLL) == state.apply(ROLL)
        assert before == (hash(state), state.board(), state.observe(0), state.observe(1))


def test_the_observation_reads_as_documented() -> None:
    state = State(1, scores=(12, 30), total=8)
    assert state.observe(0) == "Pig Dice. You 12. They 30. Turn total 8. Hold makes 20. Target 50."
    assert state.observe(1) == "Pig Dice. You 30. They 12. Their turn total 8. Target 50."
    assert replace(state, acted=190).observe(0).endswith("Target 50. Actions left 10.")


def test_answers_are_read_strictly() -> None:
    state = pig_dice.new(1)
    assert [state.parse(text) for text in (ROLL, "Hold", "I will [ROLL]")] == [ROLL, HOLD, ROLL]
    assert isinstance(state.parse("[roll] or [hold]"), Illegal)
    assert isinstance(state.parse("[pass]"), Illegal)


@pytest.mark.parametrize("variant", [{"target": 51}, {"target": "50"}, {"goal": 50}])
def test_unknown_options_are_refused(variant: dict[str, int | str]) -> None:
    with pytest.raises(UsageError):
        pig_dice.new(1, **variant)


# The solution.

Rule = Callable[[int, int, int], bool]
"""Whether to roll with own score, other score and turn total."""


def first_seat_wins(target: int, first: Rule, second: Rule) -> float:
    """Win probability of seat 0 where each seat follows its rule: each score pair is iterated until it stands."""
    wins = [[[0.5] * target for _ in range(target)] for _ in (first, second)]
    for total in range(2 * target - 2, -1, -1):
        for i in range(max(0, total - target + 1), min(target - 1, total) + 1):
            j = total - i
            rolls = [[rule(a, b, k) for k in range(target - a)] for rule, a, b in ((first, i, j), (second, j, i))]
            old = 2.0
            while abs(wins[0][i][j] - old) > 1e-10:
                old = wins[0][i][j]
                wins[1][j][i] = turn_value(rolls[1], wins[0][i], j, old)
                wins[0][i][j] = turn_value(rolls[0], wins[1][j], i, wins[1][j][i])
    return wins[0][0][0]


def turn_value(rolls: list[bool], other_wins: list[float], mine: int, passed_to: float) -> float:
    """Win probability at the start of a turn; `rolls` says for each turn total whether to go on."""
    values = [1.0] * (len(rolls) + 6)
    for k in range(len(rolls) - 1, -1, -1):
        held = 1.0 - (other_wins[mine + k] if k else passed_to)
        values[k] = (1.0 - passed_to + sum(values[k + 2 : k + 7])) / 6.0 if rolls[k] else held
    return values[0]


def optimal_rule(target: int) -> Rule:
    def rolls(i: int, j: int, k: int) -> bool:
        return optimal_action(State(0, target, (i, j), 0, k)) == ROLL

    return rolls


def hold_at_20(target: int) -> Rule:
    return lambda i, j, k: k < 20 and i + k < target


@pytest.mark.parametrize(("target", "first"), [(50, 0.546151), (100, 0.530593)])
def test_the_first_seat_wins_as_often_as_published(target: int, first: float) -> None:
    assert win_probability(pig_dice.new(1, target=target)) == pytest.approx(first, abs=5e-7)


def test_the_optimal_rule_is_worth_what_the_table_says() -> None:
    rule = optimal_rule(20)
    assert first_seat_wins(20, rule, rule) == pytest.approx(solve(20)[0][0], abs=1e-8)


def test_against_hold_at_20_it_wins_as_often_as_computed_elsewhere() -> None:
    optimal, simple = optimal_rule(50), hold_at_20(50)
    assert first_seat_wins(50, optimal, simple) == pytest.approx(0.61334, abs=1e-5)
    assert 1.0 - first_seat_wins(50, simple, optimal) == pytest.approx(0.52356, abs=1e-5)


def test_optimal_opening_of_100_holds_at_21() -> None:
    choices = [optimal_action(State(0, 100, (0, 0), 0, total)) for total in range(30)]
    assert choices == [ROLL] * 21 + [HOLD] * 9


@given(TARGETS, st.integers(0, 99), st.integers(0, 99), st.integers(0, 110), st.integers(0, 1))
def test_values_satisfy_the_optimality_equation(target: int, mine: int, theirs: int, total: int, seat: int) -> None:
    scores = (mine % target, theirs % target)
    state = State(3, target, scores if seat == 0 else scores[::-1], seat, total % (target - scores[0] + 6))
    i, j, k = *scores, state.total
    other = 1.0 - win_probability(State(3, target, (j, i), 0, 0))
    grown = [win_probability(replace(state, total=k + rolled)) for rolled in range(2, 7)]
    values = action_values(state)
    assert values[ROLL] == pytest.approx((other + sum(grown)) / 6, abs=1e-10)
    held = 1.0 if i + k >= target else 1.0 - win_probability(State(3, target, (j, i + k), 0, 0))
    assert values[HOLD] == pytest.approx(held, abs=1e-10)
    assert min(value_loss(state, action) for action in (ROLL, HOLD)) == 0.0
    assert value_loss(state, optimal_action(state)) == 0.0
    assert 0.0 < win_probability(state) <= 1.0


def test_holding_nothing_is_never_optimal() -> None:
    for mine in range(50):
        for theirs in range(50):
            assert optimal_action(State(0, 50, (mine, theirs))) == ROLL


def test_a_reached_target_is_held_and_rolling_on_costs() -> None:
    state = State(0, 50, (45, 10), 0, 6)
    assert optimal_action(state) == HOLD
    assert win_probability(state) == 1.0
    assert 0.0 < value_loss(state, ROLL) < 1 / 6


def test_at_the_end_there_is_nothing_to_solve() -> None:
    with pytest.raises(ValueError, match="over"):
        win_probability(State(0, 50, (50, 3)))


def test_optimal_play_beats_hold_at_20_as_often_as_its_value_says() -> None:
    simple, wins, matches = hold_at_20(50), 0, 1500
    for key in range(matches):
        state = pig_dice.new(key)
        while (seat := state.to_act) is not None:
            mine, theirs = state.scores[seat], state.scores[1 - seat]
            rolls = simple(mine, theirs, state.total) if seat else optimal_action(state) == ROLL
            state = state.apply(ROLL if rolls else HOLD)
        returns = state.returns()
        wins += returns is not None and returns[0] > 0
    assert wins / matches == pytest.approx(0.61334, abs=0.035)
