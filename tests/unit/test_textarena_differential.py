"""Our eight games against TextArena, move by move: where the rules agree exactly, where they differ as named.

Chance is ours: TextArena's files draw from a stand-in for `random`, or start from a position that we set.
"""

from __future__ import annotations

import importlib
import random
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from arena.core.game import Illegal
from arena.games import connect_four, kuhn_poker, liars_dice, pig_dice, simple_negotiation, snake, tictactoe
from arena.games import truth_and_deception as talk_game

textarena = pytest.importorskip("textarena", reason="needs the textarena extra")


def environment(name: str, seed: int = 0, **options: Any) -> Any:
    """A bare environment without second chances; the process's generator is left as it was."""
    before = random.getstate()
    env = textarena.make(f"{name}-raw", **options)
    env.reset(num_players=2, seed=seed)
    env.state.error_allowance = 0
    random.setstate(before)
    return env


def draws_from(monkeypatch: pytest.MonkeyPatch, family: str, **functions: Any) -> None:
    """Let one family draw from these functions instead of `random`."""
    module = importlib.import_module(f"textarena.envs.{family}.env")
    monkeypatch.setattr(module, "random", SimpleNamespace(**functions))


def rewards(env: Any) -> tuple[float, float]:
    given, _ = env.close()
    return float(given[0]), float(given[1])


def is_invalid(env: Any, seat: int) -> bool:
    given, info = env.close()
    return bool(info[seat]["invalid_move"]) and given == {seat: -1, 1 - seat: 1}


@pytest.mark.parametrize("seed", range(60))
def test_tictactoe(seed: int) -> None:
    env, state, rng = environment("TicTacToe-v0"), tictactoe.State(), random.Random(seed)
    done = False
    while state.to_act is not None:
        assert not done
        assert env.state.current_player_id == state.to_act
        flat = [cell for row in env.state.game_state["board"] for cell in row]
        assert "".join(cell or "." for cell in flat).translate(str.maketrans("XO", "OX")) == state.cells
        assert state.legal() == [f"[{cell}]" for cell, mark in enumerate(flat) if not mark]
        action = rng.choice(state.legal())
        done, _ = env.step(action)
        state = state.apply(action)
    assert done
    assert rewards(env) == state.returns()


@pytest.mark.parametrize("answer", ["[9]", "[4]", "nothing", "[-1]", "[a]", ""])
def test_tictactoe_faults_lose_in_both(answer: str) -> None:
    env, state = environment("TicTacToe-v0"), tictactoe.State().apply("[4]")
    env.step("[4]")
    assert isinstance(state.parse(answer), Illegal)
    assert env.step(answer)[0]
    assert is_invalid(env, 1)


def test_first_of_two_answers_counts_there_and_none_here() -> None:
    env = environment("TicTacToe-v0")
    env.step("[2] or [3]")
    assert env.state.game_state["board"][0][2] == "O"
    assert isinstance(tictactoe.State().parse("[2] or [3]"), Illegal)


@pytest.mark.parametrize("seed", range(30))
def test_connect_four(seed: int) -> None:
    env, state, rng = environment("ConnectFour-v0"), connect_four.new(0), random.Random(seed)
    done = False
    while state.to_act is not None:
        assert not done
        assert env.state.current_player_id == state.to_act
        board = env.state.game_state["board"]
        assert state.legal() == [f"[{column}]" for column in range(7) if board[0][column] == "."]
        for row, column in product(range(6), range(7)):
            bit = 7 * column + 5 - row
            ours = "X" if state.discs[0] >> bit & 1 else "O" if state.discs[1] >> bit & 1 else "."
            assert ours == board[row][column]
        action = rng.choice(state.legal())
        done, _ = env.step(action)
        state = state.apply(action)
    assert done
    assert rewards(env) == state.returns()


@pytest.mark.parametrize("answer", ["[7]", "[0]", "three", ""])
def test_connect_four_faults_lose_in_both(answer: str) -> None:
    env, state = environment("ConnectFour-v0"), connect_four.new(0)
    for _ in range(6):
        env.step("[0]")
        state = state.apply("[0]")
    assert isinstance(state.parse(answer), Illegal)
    assert env.step(answer)[0]
    assert is_invalid(env, 0)


@pytest.mark.parametrize("seed", range(60))
def test_kuhn_poker_agrees_but_for_the_pot_and_the_seat_that_opens(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their player 1 is our seat 0. A hand is won by the same player; theirs is worth one chip whatever was bet."""
    state, rng = kuhn_poker.new(seed, hands=3), random.Random(seed)

    def shuffle(deck: list[int]) -> None:
        ours = ["JQK".index(card) for card in state.cards]
        deck[:] = [ours[1], ours[0], 3 - ours[0] - ours[1]]

    draws_from(monkeypatch, "KuhnPoker", seed=lambda value: None, shuffle=shuffle)
    env = environment("KuhnPoker-v0")
    done, balance = False, 0
    while state.to_act is not None:
        assert not done
        table = env.state.game_state
        assert env.state.current_player_id == 1 - state.to_act
        assert state.legal() == [f"[{word}]" for word in table["current_legal_action_tree"]]
        assert [table["player_cards"][1 - seat] for seat in (0, 1)] == ["JQK".index(card) for card in state.cards]
        assert table["current_round"] == len(state.past) + 1
        assert table["player_chips"][1] + 1 == balance
        for wrong in {"[check]", "[bet]", "[fold]", "[call]"} - set(state.legal()):
            assert isinstance(state.parse(wrong), Illegal)
        action = rng.choice(state.legal())
        before = state.chips
        state = state.apply(action)
        balance += (state.chips > before) - (state.chips < before)
        done, _ = env.step(action)
    assert done
    assert rewards(env) == (float(balance < 0) - float(balance > 0), float(balance > 0) - float(balance < 0))


def test_kuhn_bets_move_chips_here_and_none_there(monkeypatch: pytest.MonkeyPatch) -> None:
    draws_from(monkeypatch, "KuhnPoker", seed=lambda value: None, shuffle=lambda deck: deck.sort())
    env = environment("KuhnPoker-v0")
    ours = kuhn_poker.State(0, 3, "win", "QJ")
    for action in ("[bet]", "[call]"):
        env.step(action)
        ours = ours.apply(action)
    assert ours.chips == 2
    assert env.state.game_state["player_chips"] == {0: -2, 1: 0}, "one chip won, and the next ante is paid"


@pytest.mark.parametrize("seed", range(30))
def test_pig_dice_agrees_up_to_the_limit(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Theirs with our limit: it is met when the die passes only, so matches that reach it are left out."""
    state, rng = pig_dice.new(seed), random.Random(seed)

    def randint(low: int, high: int) -> int:
        assert (low, high) == (1, 6)
        assert state.to_act is not None
        return pig_dice.roll_of(seed, state.to_act, state.rolls[state.to_act])

    draws_from(monkeypatch, "PigDice", seed=lambda value: None, randint=randint)
    env = environment("PigDice-v0-50", max_turns=10**6)
    done = False
    while state.to_act is not None:
        assert not done
        assert env.state.current_player_id == state.to_act
        table = env.state.game_state
        assert tuple(table["scores"]) == state.scores
        assert table["turn_total"] == state.total
        assert env.state.turn == state.acted
        action = rng.choices(state.legal(), (3, 1))[0]
        done, _ = env.step(action)
        state = state.apply(action)
    assert state.left > 0
    assert done
    assert tuple(env.state.game_state["scores"]) == state.scores
    assert rewards(env) == state.returns()


def test_pig_dice_limits_differ() -> None:
    """Holding for ever: theirs ends one action after 25 with a draw, ours after four times the target."""
    env, actions = environment("PigDice-v0-short"), 1
    while not env.step("[hold]")[0]:
        actions += 1
    assert actions == 26
    assert rewards(env) == (0.0, 0.0)
    assert pig_dice.new(0).left == 200


@pytest.mark.parametrize("dice", [5, 3])
@pytest.mark.parametrize("seed", range(15))
def test_liars_dice(seed: int, dice: int, monkeypatch: pytest.MonkeyPatch) -> None:
    state, rng = liars_dice.new(seed, dice=dice), random.Random(seed)
    waiting = [int(face) for hand in state.hands for face in hand]
    draws_from(monkeypatch, "LiarsDice", seed=lambda value: None, randint=lambda low, high: waiting.pop(0))
    env = environment("LiarsDice-v0", num_dice=dice)
    done = False
    while state.to_act is not None:
        assert not done
        table = env.state.game_state
        assert env.state.current_player_id == state.to_act
        assert ["".join(map(str, table["dice_rolls"][seat])) for seat in (0, 1)] == list(state.hands)
        for action, (quantity, face) in liars_dice.BIDS.items():
            allowed = env._is_valid_bid(quantity, face, table["current_bid"])[0]
            assert (action in state.legal()) == (allowed and quantity <= state.in_play)
        assert (liars_dice.CALL in state.legal()) == (table["last_bidder_id"] is not None)
        low = [action for action in state.legal() if rng.random() < 0.3] or state.legal()[-1:]
        action = rng.choice(low)
        state = state.apply(action)
        if action == liars_dice.CALL:
            waiting[:] = [int(face) for hand in state.hands for face in hand]
        done, _ = env.step(action)
        assert not waiting
    assert done
    assert rewards(env) == state.returns()


def test_a_bid_beyond_the_dice_is_valid_there_alone() -> None:
    env = environment("LiarsDice-v0")
    env.step("[Bid: 99, 2]")
    assert env.state.game_state["current_bid"] == {"quantity": 99, "face_value": 2}
    assert isinstance(liars_dice.new(0).parse("[Bid: 99, 2]"), Illegal)


def _cell(place: tuple[int, int]) -> int:
    """Our cell of their (x, y), y upwards."""
    x, y = place
    return (snake.SIZE - 1 - y) * snake.SIZE + x


def _place(cell: int) -> tuple[int, int]:
    return cell % snake.SIZE, snake.SIZE - 1 - cell // snake.SIZE


def snake_round(state: snake.State, env: Any, moves: tuple[str, str]) -> tuple[snake.State, bool]:
    """One round in both; new apples fall where ours do."""
    after = state.apply(moves[0]).apply(moves[1])
    fresh = [_place(apple) for apple in after.apples if apple not in state.apples]
    env._random_free_cell = lambda snakes, apples: fresh.pop(0) if fresh else None
    env.step(moves[0])
    return after, env.step(moves[1])[0]


def careful(state: snake.State, seat: int, rng: random.Random) -> str:
    """Any direction, mostly one that does not die at once."""
    mine, taken = state.snakes[seat], state.snakes[0] + state.snakes[1]
    free = [a for a in snake.ACTIONS if (to := snake.NEIGHBOUR[a][mine[0]]) != snake.OUTSIDE and to not in taken]
    return rng.choice(free if free and rng.random() < 0.97 else list(snake.ACTIONS))


def play_snake(seed: int) -> str:
    """A match in both, from their start; what it ended by."""
    env, rng = environment("Snake-v0", seed), random.Random(seed)
    table = env.state.game_state
    heads, apples = [_cell(table["snakes"][seat].head) for seat in (0, 1)], [_cell(a) for a in table["apples"]]
    if apples[0] == apples[1]:
        return "apples on one cell"
    state = snake.State(seed, ((heads[0],), (heads[1],)), (apples[0], apples[1]))
    done = False
    while state.to_act is not None:
        assert not done
        before, moves = state, (careful(state, 0, rng), careful(state, 1, rng))
        state, done = snake_round(state, env, moves)
        theirs = [table["snakes"][seat] for seat in (0, 1)]
        dead = [not snake.alive for snake in theirs]
        if list(state.dead) != dead:
            walls = [snake.NEIGHBOUR[moves[seat]][before.snakes[seat][0]] == snake.OUTSIDE for seat in (0, 1)]
            assert all(state.dead), "a snake that dies at a wall blocks its cells here"
            assert walls == dead, "there it vanishes first"
            return "into one that dies at a wall"
        for seat in (0, 1):
            if not state.dead[seat]:
                assert [_cell(place) for place in theirs[seat].positions] == list(state.snakes[seat])
        if True not in dead:
            assert sorted(map(_cell, table["apples"])) == sorted(state.apples)
    if not done:
        assert state.round == snake.ROUNDS
        done, _ = env.step("[up]")
    assert done
    if all(state.dead):
        assert state.returns() == (0.0, 0.0)
        more = table["scores"][0] - table["scores"][1]
        assert rewards(env) == (float((more > 0) - (more < 0)), float((more < 0) - (more > 0)))
        return "both died, scores differ" if more else "both died"
    assert rewards(env) == state.returns()
    return "limit" if state.round == snake.ROUNDS and True not in state.dead else "one died"


def test_snake_agrees_but_for_crashes_of_both() -> None:
    seen = [play_snake(seed) for seed in range(400)]
    assert {"one died", "both died", "both died, scores differ", "limit", "apples on one cell"} <= set(seen)
    assert seen.count("into one that dies at a wall") <= 4


def test_a_snake_that_dies_at_a_wall_blocks_here_and_vanishes_there() -> None:
    env = environment("Snake-v0")
    table = env.state.game_state
    bodies = ((0, 1, 2), (6,))
    for seat, body in enumerate(bodies):
        table["snakes"][seat].positions.clear()
        table["snakes"][seat].positions.extend(map(_place, body))
    table["apples"][:] = [_place(20), _place(24)]
    state, done = snake_round(snake.State(0, bodies, (20, 24)), env, ("[left]", "[up]"))
    assert done
    assert state.returns() == (0.0, 0.0)
    assert rewards(env) == (-1.0, 1.0)


@pytest.mark.parametrize("guess", ["[Fact 1]", "[fact 2]"])
@pytest.mark.parametrize("seed", range(10))
def test_truth_and_deception_agrees_but_for_the_guessers_last_message(seed: int, guess: str) -> None:
    env = environment("TruthAndDeception-v0", seed)
    table = env.state.game_state
    facts = (table["fact1"]["fact"], table["fact2"]["fact"])
    state = talk_game.State(facts, 0 if table["fact1"]["is_correct"] else 1)
    for turn in range(5):
        assert env.state.current_player_id == state.to_act == turn % 2
        assert state.legal() is None
        assert not env.step("Fact 1 is the true one.")[0]
        state = state.apply("Fact 1 is the true one.")
    state = state.apply("Let me think.")
    assert env.state.current_player_id == state.to_act == talk_game.GUESSER
    action = state.parse(guess)
    assert not isinstance(action, Illegal)
    assert env.step(guess)[0]
    assert rewards(env) == state.apply(action).returns()


def test_naming_both_facts_wins_there_and_is_refused_here() -> None:
    env, state = environment("TruthAndDeception-v0"), talk_game.new(0)
    for _ in range(5):
        env.step("Well.")
    assert env.step("[Fact 1] [Fact 2]")[0]
    assert rewards(env) == (-1.0, 1.0)
    for _ in range(6):
        state = state.apply("Well.")
    assert isinstance(state.parse("[Fact 1] [Fact 2]"), Illegal)


def bargain() -> Any:
    """Theirs with our goods: Ore is our Gold, of the other three there is none."""
    env = environment("SimpleNegotiation-v0")
    table = env.state.game_state
    for seat, (wood, gold) in enumerate(simple_negotiation.VALUES):
        table["player_resources"][seat] = {"Wheat": 0, "Wood": 10, "Sheep": 0, "Brick": 0, "Ore": 10}
        table["player_values"][seat] = dict.fromkeys(("Wheat", "Sheep", "Brick"), 1) | {"Wood": wood, "Ore": gold}
        worth = env._calculate_player_inventory_value(seat, table)
        table["inventory_value"][seat] = {"initial": worth, "current": worth, "change": 0}
    return env


@pytest.mark.parametrize("seed", range(60))
def test_negotiation_agrees_with_our_goods_where_nothing_is_denied(seed: int) -> None:
    """Talk leaves an offer standing, an offer replaces it, accepting trades. Theirs has one move more."""
    env, state, rng = bargain(), simple_negotiation.new(0), random.Random(seed)
    table = env.state.game_state
    while state.to_act is not None:
        assert env.state.current_player_id == state.to_act
        action = state.sample(rng)
        while "[Deny]" in action or isinstance(state.parse(action), Illegal):
            action = state.sample(rng)
        assert not env.step(action.replace("Gold", "Ore"))[0]
        state = state.apply(action)
        for seat in (0, 1):
            held = table["player_resources"][seat]
            assert (held["Wood"], held["Ore"]) == state.held[seat]
            assert table["inventory_value"][seat]["change"] == state.gain(seat)
        theirs = table["current_offer"]
        assert (theirs is None) == (state.offer is None)
        if state.offer is not None:
            assert theirs["from_player"] == state.offer.proposer
            assert [theirs["offered_resources"].get(good, 0) for good in ("Wood", "Ore")] == list(state.offer.give)
            assert [theirs["requested_resources"].get(good, 0) for good in ("Wood", "Ore")] == list(state.offer.get)
    assert env.step("No more.")[0]
    assert rewards(env) == state.returns()


def test_own_offers_and_denied_offers_can_be_accepted_there_alone() -> None:
    env, state = bargain(), simple_negotiation.new(0)
    for action in ("[Offer: 1 Wood -> 1 Gold]", "[Deny]"):
        env.step(action.replace("Gold", "Ore"))
        state = state.apply(action)
    assert env.state.game_state["current_offer"] is not None
    assert state.offer is None
    assert isinstance(state.parse("[Accept]"), Illegal)
    assert not env.step("[Accept]")[0]
    assert env.state.game_state["current_offer"] is None, "a trade with oneself"
