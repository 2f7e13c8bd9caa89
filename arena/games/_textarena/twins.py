"""How to name the moves of the environments of TextArena that are twins of our own games.

Where our own games differ from their twins in TextArena 0.7.4:
- TicTacToe-v0, ConnectFour-v0: the same rules (there O opens TicTacToe).
- LiarsDice-v0: the same rules; there a bid may exceed the dice in play.
- KuhnPoker-v0: bets move no chips, so a hand is worth 1 whatever was bet; seat 1 opens first; 3 to 25 hands.
- PigDice-v0: the limit counts rolls and holds, is met only when the die passes, and is far lower (50 for 50 points).
- Snake-v0: spawns apart instead of mirrored; two apples may share a cell; a crash of both is won by the higher score.
- TruthAndDeception-v0: the guess is the sixth text, the Guesser talks twice; its own facts.
- SimpleNegotiation-v0: five random resources, own offers may be accepted, refused ones stand, eleven actions.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from arena.core.game import Action


@dataclass(frozen=True, slots=True)
class Twin:
    """How to name the moves of one family of environments."""

    moves: Callable[[Any], list[Action] | None]
    """Every valid move of the environment's position, or None while moves are talk."""
    example: str
    talk: Callable[[Any, random.Random], str] | None = None
    """A random valid text while moves are talk."""
    loose: tuple[str, str] = ("", "")
    """A pattern of other ways to write a move, and the way it is written here."""


def _cells(env: Any) -> list[Action]:
    cells = [cell for row in env.state.game_state["board"] for cell in row]
    return [f"[{number}]" for number, mark in enumerate(cells) if not mark]


def _bids(env: Any) -> list[Action]:
    """Bids within the dice in play, and the call where there is a bid."""
    bid, in_play = env.state.game_state["current_bid"], sum(env.state.game_state["remaining_dice"].values())
    low, face = max(1, bid["quantity"]), max(1, bid["face_value"])
    raised = [(q, f) for q in range(low, in_play + 1) for f in range(face, 7) if (q, f) != (bid["quantity"], face)]
    return [f"[Bid: {q}, {f}]" for q, f in raised] + (["[Call]"] if bid["quantity"] else [])


def _guesses(env: Any) -> list[Action] | None:
    return ["[Fact 1]", "[Fact 2]"] if env.state.turn >= env.state.max_turns - 1 else None


def _chatter(env: Any, rng: random.Random) -> str:
    return rng.choice(("Fact 1 is the true one.", "Fact 2 is the true one.", "How do you know that?", "Trust me."))


def _bargain(env: Any, rng: random.Random) -> str:
    """A random small offer out of what the seat holds, or an answer to the offer that stands."""
    state = env.state.game_state
    mine, offer = state["player_resources"][env.state.current_player_id], state["current_offer"]
    choices = ["No deal so far."]
    if held := [name for name in mine if mine[name]]:
        give, get = rng.choice(held), rng.choice(sorted(mine))
        choices.append(f"[Offer: {rng.randint(1, min(5, mine[give]))} {give} -> {rng.randint(1, 5)} {get}]")
    if offer and all(mine[name] >= count for name, count in offer["requested_resources"].items()):
        choices.append("[Accept]")
    return rng.choice(choices)


TWINS = {
    "TicTacToe": Twin(_cells, "[4]"),
    "KuhnPoker": Twin(lambda env: [f"[{word}]" for word in env.state.game_state["current_legal_action_tree"]], "[bet]"),
    "ConnectFour": Twin(
        lambda env: [f"[col {column}]" for column, mark in enumerate(env.state.game_state["board"][0]) if mark == "."],
        "[col 3]",
        loose=(r"\[\s*(?:col\s*)?(\d+)\s*\]", r"[col \1]"),
    ),
    "LiarsDice": Twin(_bids, "[Bid: 2, 4]", loose=(r"\[\s*bid\s*:?\s*(\d+)[,\s]+(\d+)\s*\]", r"[Bid: \1, \2]")),
    "PigDice": Twin(lambda env: ["[roll]", "[hold]"], "[roll]"),
    "Snake": Twin(lambda env: ["[up]", "[down]", "[left]", "[right]"], "[up]"),
    "TruthAndDeception": Twin(_guesses, "How do you know that?", talk=_chatter),
    "SimpleNegotiation": Twin(lambda env: None, "[Offer: 2 Wood -> 1 Ore]", talk=_bargain),
}
"""By the name of the family's package in textarena.envs."""
