"""Warm-start data: what weak scripted players see and answer, in every game, and a little arithmetic.

The stream is cut into chunks; chunk `c` depends on (seed, c) alone, so a run resumes anywhere and ranks
take turns at the chunks.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

from arena.core.game import Illegal, State
from arena.core.keys import derive_key, draw
from arena.core.registry import load_game
from arena.games.connect_four import COLUMNS
from arena.games.connect_four import State as FourState
from arena.games.simple_negotiation import State as Negotiation
from arena.oracles.tictactoe import reachable
from arena.players._scripts.connect_four import features
from arena.players.scripted import decide


class Row(NamedTuple):
    """One supervised example: what the model reads, and what it is to write."""

    game: str
    prompt: str
    reply: str


SHARES = {
    "tictactoe": 0.19,
    "kuhn_poker": 0.08,
    "simple_negotiation": 0.14,
    "snake": 0.06,
    "pig_dice": 0.05,
    "truth_and_deception": 0.07,
    "connect_four": 0.18,
    "liars_dice": 0.20,
    "arithmetic": 0.03,
}
"""Share of the rows per source."""

SKILL = {
    "tictactoe": 0.2,
    "kuhn_poker": 0.42,
    "simple_negotiation": 0.35,
    "snake": 0.5,
    "pig_dice": 0.3,
    "connect_four": 0.3,
    "liars_dice": 0.5,
}
"""How weak the scripted players are that write the data; where a game is not listed, its script needs none."""

_AGAINST_RANDOM = 0.4
"""Share of matches in which one seat plays at random and writes no rows."""

_POSITIONS = 0.6
"""Share of TicTacToe rows from positions drawn evenly from all reachable ones; the rest from matches."""

_CROWDED = 0.5
"""Share of Connect Four rows from positions with full columns, which matches seldom reach."""


def compact_prompt(observation: str) -> str:
    """The text that the bundled model reads for an observation, as `arena/prompts/compact.py` builds it."""
    return observation + "\n"


def reply_text(thought: str, action: str) -> str:
    """The text that it is to write."""
    return f"<think>{thought}</think>\\boxed{{{action}}}"


def chunk(seed: int, index: int, size: int) -> list[Row]:
    """`size` shuffled rows, the shares kept exactly."""
    rng = draw(derive_key("transcripts", seed), "chunk", index)
    rows: list[Row] = []
    for source, share in SHARES.items():
        stream = _SOURCES.get(source) or _matches
        wanted = round(share * size)
        rows += [row for row, _ in zip(stream(source, rng), range(wanted), strict=False)]
    rng.shuffle(rows)
    return rows


def _matches(game: str, rng: random.Random) -> Iterator[Row]:
    """Turns of scripted players in matches against each other and against random play, without end."""
    skill = SKILL.get(game, 0.5)
    while True:
        state = _first(game, rng)
        random_seat = rng.randrange(2) if rng.random() < _AGAINST_RANDOM else None
        while state.to_act is not None:
            if state.to_act == random_seat:
                action = state.parse(state.sample(rng))
                assert not isinstance(action, Illegal)
            else:
                row, action = _turn(game, state, rng, skill)
                yield row
            state = state.apply(action)


def _first(game: str, rng: random.Random) -> State:
    """Where a match begins: Kuhn mostly as one hand, half the negotiations with other holdings than usual."""
    key = rng.getrandbits(48)
    if game == "kuhn_poker" and rng.random() < 0.7:
        return load_game(game).new(key, hands=1, payoff="chips")
    if game == "simple_negotiation" and rng.random() < 0.5:
        wood, gold = _holding(rng), _holding(rng)
        return Negotiation(held=((wood, gold), (20 - wood, 20 - gold)), turn=rng.randrange(9))
    return load_game(game).new(key)


def _holding(rng: random.Random) -> int:
    """Of a good of which there are twenty: one time in two hardly any, on this side or the other."""
    few = rng.randrange(5)
    return rng.choice((few, 20 - few, rng.randrange(21), rng.randrange(21)))


def _turn(game: str, state: State, rng: random.Random, skill: float) -> tuple[Row, str]:
    """The row of this turn, and the action."""
    seat = state.to_act
    assert seat is not None
    decision = decide(game, state, rng, skill)
    action = state.parse(decision.action)
    assert not isinstance(action, Illegal), f"{game}: the script answers {decision.action!r}: {action.reason}"
    prompt = compact_prompt(state.observe(seat))
    return Row(game, prompt, reply_text(decision.thought, action)), action


def _tictactoe(game: str, rng: random.Random) -> Iterator[Row]:
    positions = [state for state in reachable() if state.to_act is not None]
    played = _matches(game, rng)
    while True:
        if rng.random() < _POSITIONS:
            yield _turn(game, rng.choice(positions), rng, SKILL[game])[0]
        else:
            yield next(played)


def _connect_four(game: str, rng: random.Random) -> Iterator[Row]:
    played = _matches(game, rng)
    while True:
        yield _turn(game, _crowded(game, rng), rng, SKILL[game])[0] if rng.random() < _CROWDED else next(played)


def _crowded(game: str, rng: random.Random) -> State:
    """A Connect Four position with 6 to 38 discs, mostly in a few columns, and no four."""
    state, liked = load_game(game).new(0), [rng.random() ** 2 for _ in range(COLUMNS)]
    for _ in range(rng.randrange(6, 39)):
        quiet = [column for column, length in enumerate(features(cast(FourState, state)).own) if 0 < length < 4]
        if not quiet:
            break
        state = state.apply(f"[{rng.choices(quiet, [liked[column] for column in quiet])[0]}]")
    return state


def _arithmetic(_: str, rng: random.Random) -> Iterator[Row]:
    """Sums and differences of numbers below a hundred, worked digit by digit."""
    while True:
        a, b = rng.randrange(100), rng.randrange(100)
        if rng.random() < 0.5:
            yield Row("arithmetic", f"What is {a} + {b}?\n", reply_text(f"{a} + {b} is {a + b}.", str(a + b)))
        else:
            a, b = max(a, b), min(a, b)
            yield Row("arithmetic", f"What is {a} - {b}?\n", reply_text(f"{a} - {b} is {a - b}.", str(a - b)))


_SOURCES: dict[str, Callable[[str, random.Random], Iterator[Row]]] = {
    "tictactoe": _tictactoe,
    "connect_four": _connect_four,
    "arithmetic": _arithmetic,
}
