"""TicTacToe's rules, its exact solution, and the player `optimal` in it."""

from __future__ import annotations

import asyncio
import random
from fractions import Fraction
from functools import cache

import pytest

from arena.core.events import Event, MatchEnded
from arena.core.game import Illegal
from arena.core.match import play
from arena.core.registry import GameSpec, load_game, load_player
from arena.games.tictactoe import EMPTY, LINES, State
from arena.oracles import tictactoe as oracle
from arena.players.optimal import optimal_policy


def after(*cells: int) -> State:
    state = State()
    for cell in cells:
        state = state.apply(f"[{cell}]")
    return state


def test_x_moves_first_and_seats_alternate() -> None:
    state = after()
    seats = []
    for cell in (4, 0, 2, 6):
        seats.append(state.to_act)
        state = state.apply(f"[{cell}]")
    assert seats == [0, 1, 0, 1]
    assert state.cells == "O.X.X.O.."


def test_the_observation_is_four_lines_with_numbers_for_empty_cells() -> None:
    assert after(1, 2, 8, 6).observe(0) == "TicTacToe. You are X.\n0 X O\n3 4 5\nO 7 X"
    assert after().observe(1) == "TicTacToe. You are O.\n0 1 2\n3 4 5\n6 7 8"


def test_a_column_wins_for_whoever_made_it() -> None:
    won = after(4, 0, 2, 6, 1, 8, 7)
    assert won.to_act is None
    assert won.returns() == (1.0, -1.0)
    lost = after(0, 2, 1, 4, 8, 6)
    assert lost.returns() == (-1.0, 1.0)
    assert lost.legal() == []


def test_a_full_board_without_a_line_is_a_draw() -> None:
    drawn = after(4, 0, 2, 6, 3, 5, 1, 7, 8)
    assert drawn.to_act is None
    assert drawn.returns() == (0.0, 0.0)


def test_a_line_on_the_last_cell_wins() -> None:
    assert after(0, 1, 2, 3, 4, 5, 7, 6, 8).returns() == (1.0, -1.0)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("mark", "XO")
def test_every_line_counts(line: tuple[int, int, int], mark: str) -> None:
    cells = "".join(mark if cell in line else EMPTY for cell in range(9))
    assert State(cells).returns() == ((1.0, -1.0) if mark == "X" else (-1.0, 1.0))


@pytest.mark.parametrize(
    "answer", ["[9]", "[-1]", "[a]", "9", "-1", "4.5", "[0]", "0", "", "[1] or [2]", "1, 2", "cell", "[[1], [2]]"]
)
def test_answers_without_exactly_one_free_cell_are_refused(answer: str) -> None:
    assert isinstance(after(0).parse(answer), Illegal)


@pytest.mark.parametrize("answer", ["[4]", "4", "[ 4 ]", "Cell 4.", "I take [4]", "[4] [4]", "4!"])
def test_one_free_cell_is_read(answer: str) -> None:
    assert after(0).parse(answer) == "[4]"


def test_an_occupied_cell_is_refused_by_name() -> None:
    refusal = after(0).parse("[0]")
    assert isinstance(refusal, Illegal)
    assert "[0] is not legal now" in refusal.reason


def test_applying_an_illegal_action_raises() -> None:
    for state, action in ((after(0), "[0]"), (after(), "[9]"), (after(0, 3, 1, 4, 2), "[8]")):
        with pytest.raises(ValueError, match="not legal"):
            state.apply(action)


def test_there_are_5478_reachable_positions_and_958_ends() -> None:
    states = list(oracle.reachable())
    assert len(states) == len(set(states)) == 5478
    ends = [state.returns() for state in states if state.to_act is None]
    assert len(ends) == 958
    assert [ends.count(returns) for returns in ((1.0, -1.0), (-1.0, 1.0), (0.0, 0.0))] == [626, 316, 16]


def test_the_game_is_a_draw_and_so_is_every_opening() -> None:
    assert oracle.value(State()) == 0
    assert len(oracle.optimal_actions(State())) == 9


def test_values_obey_minimax_at_every_position() -> None:
    for state in oracle.reachable():
        if state.to_act is None:
            assert oracle.action_values(state) == {}
            assert oracle.value(state) == (0 if state.returns() == (0.0, 0.0) else -1)
        else:
            values = oracle.action_values(state)
            assert list(values) == state.legal()
            assert oracle.value(state) == max(values.values())
            assert oracle.optimal_actions(state) == [a for a, v in values.items() if v == oracle.value(state)]


def test_random_legal_moves_are_optimal_at_the_known_rate() -> None:
    shares = []
    for state in oracle.reachable():
        best, legal = oracle.optimal_actions(state), state.legal()
        if len(best) < len(legal):
            shares.append(len(best) / len(legal))
    assert sum(shares) / len(shares) == pytest.approx(0.405, abs=0.0005)


@cache
def random_play(state: State) -> dict[tuple[float, float], Fraction]:
    """Exact chances of each result under uniform random play."""
    returns = state.returns()
    if returns is not None:
        return {returns: Fraction(1)}
    total: dict[tuple[float, float], Fraction] = {}
    actions = state.legal()
    for action in actions:
        for result, chance in random_play(state.apply(action)).items():
            total[result] = total.get(result, Fraction(0)) + chance / len(actions)
    return total


def test_uniform_random_play_has_the_published_results() -> None:
    assert random_play(State()) == {
        (1.0, -1.0): Fraction(737, 1260),
        (-1.0, 1.0): Fraction(121, 420),
        (0.0, 0.0): Fraction(8, 63),
    }


@cache
def against_random(state: State, seat: int) -> tuple[float, float]:
    """Chances that optimal play as `seat` wins and loses against uniform random play."""
    returns = state.returns()
    if returns is not None:
        return float(returns[seat] > 0), float(returns[seat] < 0)
    actions = oracle.optimal_actions(state) if state.to_act == seat else state.legal()
    results = [against_random(state.apply(action), seat) for action in actions]
    return sum(w for w, _ in results) / len(results), sum(x for _, x in results) / len(results)


def test_optimal_play_against_random_has_the_known_results_and_never_loses() -> None:
    first, second = against_random(State(), 0), against_random(State(), 1)
    assert [first[0], second[0]] == pytest.approx([0.967811, 0.777484], abs=1e-6)
    assert first[1] == second[1] == 0


def brute_features(state: State) -> oracle.Features:
    """The features by their definition, by playing the cells out."""
    seat = state.to_act
    assert seat is not None

    def wins_at_once(cells: str, mark: str) -> set[int]:
        found = set()
        for cell in range(9):
            if cells[cell] == EMPTY:
                board = cells[:cell] + mark + cells[cell + 1 :]
                if any(all(board[c] == mark for c in line) for line in LINES):
                    found.add(cell)
        return found

    def forks(mark: str) -> tuple[int, ...]:
        now = wins_at_once(state.cells, mark)
        return tuple(
            cell
            for cell in range(9)
            if state.cells[cell] == EMPTY
            and cell not in now
            and len(wins_at_once(state.cells[:cell] + mark + state.cells[cell + 1 :], mark)) > 1
        )

    mine, theirs = "XO"[seat], "XO"[1 - seat]
    return oracle.Features(
        tuple(sorted(wins_at_once(state.cells, mine))),
        tuple(sorted(wins_at_once(state.cells, theirs))),
        forks(mine),
        forks(theirs),
    )


def test_features_agree_with_their_definition_everywhere() -> None:
    for state in oracle.reachable():
        if state.to_act is None:
            assert oracle.features(state) == ((), (), (), ())
        else:
            assert oracle.features(state) == brute_features(state)


def test_features_of_a_known_position() -> None:
    assert oracle.features(after(0, 4, 8)) == oracle.Features(wins=(), risks=(), forks=(), traps=(2, 6))
    assert oracle.features(after(0, 4, 8, 1)).risks == (7,)
    assert oracle.features(after(0, 1, 4, 8)).forks == (3, 6)


def test_a_winning_cell_is_always_optimal_and_a_lone_risk_is_the_only_way() -> None:
    for state in oracle.reachable():
        wins, risks, _, _ = oracle.features(state)
        best = oracle.optimal_actions(state)
        if wins:
            assert {f"[{cell}]" for cell in wins} <= set(best)
        elif len(risks) == 1 and oracle.value(state) >= 0:
            assert best == [f"[{risks[0]}]"]


def test_the_policy_is_uniform_over_the_optimal_actions() -> None:
    policy = optimal_policy("tictactoe", after(4))
    assert policy == dict.fromkeys(("[0]", "[2]", "[6]", "[8]"), 0.25)


async def match(first: str, second: str, key: int) -> list[Event]:
    players = (load_player(first), load_player(second))
    return [event async for event in play(GameSpec.parse("tictactoe"), players, key)]


def test_optimal_draws_itself_and_never_loses_to_random() -> None:
    for key in range(30):
        for seats, losing in ((("optimal", "optimal"), None), (("optimal", "random"), 0), (("random", "optimal"), 1)):
            ended = asyncio.run(match(*seats, key))[-1]
            assert isinstance(ended, MatchEnded)
            if losing is None:
                assert ended.returns == (0.0, 0.0)
            else:
                assert ended.returns[losing] >= 0


def test_optimal_varies_its_choice_with_the_key() -> None:
    openings = {str(asyncio.run(match("optimal", "random", key))[2]) for key in range(30)}
    assert len(openings) > 5


def test_sampling_is_uniform_over_the_legal_actions() -> None:
    state = after(4, 0)
    drawn = {state.sample(random.Random(seed)) for seed in range(200)}
    assert drawn == set(state.legal())
    assert load_game("tictactoe").new(1) == State()
