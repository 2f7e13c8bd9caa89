"""Openings: the same position for both matches of a pair, from its key alone, and everything later copes with it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.config.tournament import TournamentConfig
from arena.core.errors import UsageError
from arena.core.keys import match_key
from arena.core.opening import Openings, position_after
from arena.core.registry import GameSpec, load_player
from arena.oracles import tictactoe
from arena.runs.launch import create_run
from arena.runs.matches import MatchReader
from arena.runs.reader import RunReader
from evals.__main__ import main
from evals.runner import MatchList, run_matches
from evals.schedule import round_robin, with_openings
from evals.verdicts import judge, stored

TICTACTOE, CONNECT = GameSpec.parse("tictactoe"), GameSpec.parse("connect_four")


@given(st.integers(0, 10_000), st.integers(1, 8), st.sampled_from([TICTACTOE, CONNECT]))
def test_an_opening_is_so_many_legal_actions_that_leave_somebody_to_act(key: int, plies: int, game: GameSpec) -> None:
    opening = Openings(plies).draw(game, key)
    assert len(opening) == plies
    assert position_after(game, key, opening).to_act is not None
    assert Openings(plies).draw(game, key) == opening, "a function of the key"


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 8))
def test_a_balanced_opening_is_a_draw_with_best_play(key: int, plies: int) -> None:
    state: Any = position_after(TICTACTOE, key, Openings(plies, balanced=True).draw(TICTACTOE, key))
    assert tictactoe.value(state) == 0


def test_keys_draw_every_opening() -> None:
    found = {Openings(2).draw(TICTACTOE, key) for key in range(2000)}
    assert len(found) == 72
    balanced = {Openings(2, balanced=True).draw(TICTACTOE, key) for key in range(2000)}
    assert balanced < found


@pytest.mark.parametrize(
    ("game", "openings", "message"),
    [
        ("kuhn_poker", Openings(1), "has chance"),
        ("pig_dice", Openings(1), "has chance"),
        ("simple_negotiation", Openings(1), "no openings"),
        ("tictactoe", Openings(9), "no openings of 9 plies"),
        ("connect_four", Openings(2, balanced=True), "not solved"),
    ],
)
def test_games_that_cannot_have_them_are_refused(game: str, openings: Openings, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        openings.check(GameSpec.parse(game))


@pytest.mark.parametrize("plies", range(1, 9))
def test_what_a_check_lets_pass_is_found_for_every_pair(plies: int) -> None:
    openings = Openings(plies, balanced=True)
    openings.check(TICTACTOE)
    for pair in range(300):
        openings.draw(TICTACTOE, match_key(1, "tictactoe", pair))


def test_both_matches_of_a_pair_begin_alike_with_swapped_seats_and_pairs_differ() -> None:
    players = {name: load_player(name) for name in ("optimal", "random")}
    matches = with_openings(round_robin([TICTACTOE], list(players), 20, seed=3), Openings(3))
    recorder = MatchList()
    asyncio.run(run_matches(matches, players, recorder))
    boards: dict[int, set[str]] = {}
    for match, turns in recorder.finished:
        boards.setdefault(match.pair, set()).add(match.board)
        assert match.board.count("X") == 2
        assert match.board.count("O") == 1
        assert (turns[0].turn, turns[0].seat) == (0, 1), "seat 1 is to act after three plies"
    assert {len(found) for found in boards.values()} == {1}
    assert len({board for found in boards.values() for board in found}) > 10


def test_without_openings_the_schedule_is_what_it_was() -> None:
    matches = round_robin([TICTACTOE], ["a", "b"], 3, seed=3)
    assert with_openings(matches, None) == matches
    assert all(match.start is None for match in matches)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = TournamentConfig.model_validate(
        {
            "players": ["optimal", "scripted?skill=1"],
            "games": ["tictactoe"],
            "pairs": 12,
            "openings": {"plies": 3, "balanced": True},
        }
    )
    run_dir = create_run(config, "tournament", tmp_path_factory.mktemp("openings") / "run")
    assert main([str(run_dir), "--json"]) == 0
    return run_dir


def test_verdicts_of_stored_matches_are_those_of_the_positions_that_were_played(run_dir: Path) -> None:
    with MatchReader(run_dir) as reader:
        for match in reader.all_matches():
            turns = reader.turns(match.id)
            verdicts = stored(str(run_dir), match.id)["verdicts"]
            state: Any = position_after(TICTACTOE, match.key, Openings(3, balanced=True).draw(TICTACTOE, match.key))
            assert state.board() == match.board, "from the key alone"
            for turn, verdict in zip(turns, verdicts, strict=True):
                values = tictactoe.action_values(state)
                assert (verdict["before"], verdict["after"]) == (max(values.values()), values[turn.action or ""])
                state = state.apply(turn.action)


def test_the_first_board_is_not_told_where_a_match_began_elsewhere() -> None:
    start: Any = position_after(TICTACTOE, 0, ("[0]", "[4]"))
    turn = {"seat": 0, "observation": start.observe(0), "action": "[8]"}
    assert judge("tictactoe", [turn]).first == ""
    empty: Any = TICTACTOE.new(0)
    assert judge("tictactoe", [turn | {"observation": empty.observe(0)}]).first.startswith(" 0 | 1 | 2")
    assert judge("connect_four", [turn | {"observation": "?"}]).first == ""


def test_an_observation_that_shows_no_position_of_the_game_changes_nothing() -> None:
    for text in ("TicTacToe. You are X.\nX X X\n3 4 5\n6 7 8", "X" * 5000, "TicTacToe. You are X.\n" + "0 " * 9):
        (verdict,) = judge("tictactoe", [{"seat": 0, "observation": text, "action": "[4]"}]).verdicts
        assert verdict is None or verdict.before == 0.0


def test_the_result_says_which_openings(run_dir: Path) -> None:
    result = json.loads((run_dir / "result.json").read_text())
    assert result["openings"] == {"plies": 3, "balanced": True}
    assert result["results"][0]["distinct"] > 12
    with RunReader(run_dir) as reader:
        assert all(match.turns <= 6 for match in reader.all_matches())
