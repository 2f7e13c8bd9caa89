"""Moves that are legal in the positions of our games, read off the prompt alone."""

from __future__ import annotations

import hashlib
import random
import re
from typing import Any


def legal_move(messages: list[dict[str, Any]]) -> str:
    """An answer that is legal in the position of the last message; the same for the same messages."""
    text = "\n".join(str(message.get("content")) for message in messages)
    rng = random.Random(hashlib.sha256(text.encode()).digest())
    for name, choose in _MOVES.items():
        _, found, position = text.rpartition(name)
        if found:
            return choose(position, rng)
    return "[0]"


def _tictactoe(position: str, rng: random.Random) -> str:
    return f"[{rng.choice(re.findall(r'[0-8]', ' '.join(position.splitlines()[1:4])))}]"


def _connect_four(position: str, rng: random.Random) -> str:
    return f"[{rng.choice(re.findall(r'[0-6]', position.splitlines()[7]))}]"


def _kuhn(position: str, rng: random.Random) -> str:
    return rng.choice(("[fold]", "[call]") if "They bet." in position else ("[check]", "[bet]"))


def _pig(position: str, rng: random.Random) -> str:
    total = re.search(r"Turn total (\d+)", position)
    return "[hold]" if total is not None and int(total[1]) >= 15 else "[roll]"


def _liars_dice(position: str, rng: random.Random) -> str:
    return "[Call]" if "They bid" in position else "[Bid: 1, 1]"


def _snake(position: str, rng: random.Random) -> str:
    return f"[{rng.choice(re.findall(r'(Up|Down|Left|Right) (?:free|apple)', position) or ['Up']).lower()}]"


def _negotiation(position: str, rng: random.Random) -> str:
    return "[Deny]" if "They give" in position else "[Offer: 1 Wood -> 1 Gold]"


def _deception(position: str, rng: random.Random) -> str:
    return "I hold the first for true." if "\nMessage " in position else f"[Fact {rng.choice('12')}]"


_MOVES = {
    "TicTacToe. You are": _tictactoe,
    "Connect Four. You @": _connect_four,
    "Kuhn Poker. Hand": _kuhn,
    "Pig Dice. You": _pig,
    "Liar's Dice. You have": _liars_dice,
    "Snake. Round": _snake,
    "Simple Negotiation. Move": _negotiation,
    "Truth and Deception. You are": _deception,
}
