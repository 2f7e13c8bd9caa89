"""Keyed randomness, spec strings, and finding parts by file name."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.core.errors import UnknownName, UsageError
from arena.core.keys import derive_key, draw, match_key
from arena.core.registry import (
    GameSpec,
    PlayerSpec,
    discover,
    load_game,
    load_part,
    load_player,
    parse_value,
    player_info,
    split_spec,
)
from arena.players.optimal import has_oracle, optimal_policy


@given(st.integers(0, 2**63 - 1), st.text(max_size=8), st.integers(0, 1000))
def test_a_draw_depends_on_key_stream_and_index_alone(key: int, stream: str, index: int) -> None:
    first = draw(key, stream, index).random()
    random.seed(0)
    draw(key, "another", index).random()
    assert draw(key, stream, index).random() == first


def test_neighbouring_draws_differ() -> None:
    drawn = {
        draw(key, stream, index).random() for key in range(20) for stream in ("deal", "player0") for index in range(20)
    }
    assert len(drawn) == 800


def test_draws_are_the_same_in_another_process() -> None:
    code = "from arena.core.keys import draw, match_key; print(match_key(1, 'g', 2), draw(5, 'deal', 3).random())"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == [str(match_key(1, "g", 2)), str(draw(5, "deal", 3).random())]


def test_keys_are_positive_63_bit_integers_that_differ() -> None:
    keys = {match_key(seed, game, pair) for seed in range(5) for game in ("a", "b") for pair in range(50)}
    assert len(keys) == 500
    assert all(0 <= key < 2**63 for key in keys)
    assert derive_key("match", 1, "a", 2) == match_key(1, "a", 2)
    assert derive_key("a", "b") != derive_key("b", "a")


def test_parts_are_the_files_of_a_package_but_for_private_ones() -> None:
    assert {"tictactoe", "kuhn_poker", "simple_negotiation"} <= set(discover("arena.games"))
    assert {"random", "optimal"} <= set(discover("arena.players"))
    assert discover("arena.games") == sorted(discover("arena.games"))
    assert not [name for name in discover("arena.players") if name.startswith("_")]


def test_a_game_is_loaded_by_its_file_name() -> None:
    state = load_game("kuhn_poker").new(7, hands=1, payoff="chips")
    assert state.utility == (-2.0, 2.0)


@pytest.mark.parametrize(("name", "near"), [("tictactoo", "tictactoe"), ("kuhn", "kuhn_poker"), ("Snake", "snake")])
def test_an_unknown_game_names_the_nearest(name: str, near: str) -> None:
    with pytest.raises(UnknownName) as caught:
        load_game(name)
    assert near in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_unknown_name_far_from_all_lists_them_all() -> None:
    with pytest.raises(UnknownName, match=r"Known: .*tictactoe"):
        load_part("arena.games", "game", "zzz")


@pytest.mark.parametrize("name", ["", "../x", "_private", "os", "tictactoe.py", "__init__"])
def test_nothing_but_a_part_is_imported(name: str) -> None:
    with pytest.raises(UnknownName):
        load_part("arena.games", "game", name)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("-7", -7),
        ("0.5", 0.5),
        ("true", True),
        ("False", False),
        ("chips", "chips"),
        ("", ""),
        ("1e3", 1000.0),
    ],
)
def test_values_are_read_by_their_look(text: str, value: object) -> None:
    parsed = parse_value(text)
    assert parsed == value
    assert type(parsed) is type(value)


def test_specs_split_into_head_and_options() -> None:
    assert split_spec("kuhn_poker?hands=1&payoff=chips") == ("kuhn_poker", {"hands": 1, "payoff": "chips"})
    assert split_spec("tictactoe") == ("tictactoe", {})
    assert split_spec("hf:/a/b?x=") == ("hf:/a/b", {"x": ""})
    with pytest.raises(UsageError, match="key=value"):
        split_spec("kuhn_poker?hands")


def test_a_game_spec_keeps_its_name_and_makes_its_variant() -> None:
    spec = GameSpec.parse("kuhn_poker?hands=1&payoff=chips")
    assert spec.name == "kuhn_poker?hands=1&payoff=chips"
    assert spec.variant == {"hands": 1, "payoff": "chips"}
    assert spec.new(3).utility == (-2.0, 2.0)


@pytest.mark.parametrize(
    "text",
    ["kuhn_poker?hand=1", "kuhn_poker?hands=6", "kuhn_poker?hands=1.0", "kuhn_poker?hands=true", "tictactoe?size=4"],
)
def test_unknown_options_and_values_of_a_game_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        GameSpec.parse(text)


def test_a_wrong_option_names_the_nearest_and_a_wrong_value_the_allowed() -> None:
    with pytest.raises(UnknownName, match="Did you mean hands"):
        GameSpec.parse("kuhn_poker?hand=1")
    with pytest.raises(UsageError, match="Allowed: win, chips"):
        GameSpec.parse("kuhn_poker?payoff=chip")


def test_player_specs_split_into_backend_and_target() -> None:
    spec = PlayerSpec.parse("random")
    assert (spec.name, spec.backend, spec.target, spec.options) == ("random", "random", "", {})


@pytest.mark.parametrize("text", ["randm", "random?x=1", "random:x", "optimal:x", "optimal?alpha=0", ""])
def test_wrong_players_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        load_player(text)


@pytest.mark.parametrize("name", ["random", "optimal"])
def test_players_keep_the_name_they_were_given(name: str) -> None:
    player = load_player(name)
    assert player.name == name
    assert player_info(name).id == name
    assert player.sees_state == (name == "optimal")


def test_only_solved_games_have_an_oracle() -> None:
    assert has_oracle("tictactoe")
    assert has_oracle("kuhn_poker")
    assert not has_oracle("simple_negotiation")
    assert not has_oracle("no_such_game")


def test_optimal_refuses_a_game_without_a_solution() -> None:
    with pytest.raises(UsageError, match="no exact solution for simple_negotiation") as caught:
        optimal_policy("simple_negotiation", load_game("simple_negotiation").new(1))
    assert caught.value.exit_code == 2
    assert "tictactoe" in caught.value.hint


def test_every_oracle_belongs_to_a_game_and_plays_it() -> None:
    for name in discover("arena.oracles"):
        state = load_game(name).new(1)
        policy = optimal_policy(name, state)
        assert set(policy) <= set(state.legal() or [])
        assert sum(policy.values()) == pytest.approx(1)
