"""What players say to an environment of TextArena, and to each other: they can forge nothing of the host's."""

from __future__ import annotations

import re

from arena.core.game import Action
from arena.core.quote import safe_line
from arena.core.sanitise import plain

TALK_LIMIT = 400
"""Characters of one free-text action."""


def one_move(text: str, roles: tuple[str, ...] = ()) -> Action:
    """The answer as one line of at most TALK_LIMIT characters that can pass for no line, tag or token of the host.

    Brackets stay, since environments read their moves in them. `one_move(one_move(t)) == one_move(t)`.
    """
    line = safe_line(text[: 8 * TALK_LIMIT])
    for role in ("GAME", *roles):
        line = re.sub(rf"\[\s*({re.escape(role)})\s*\]", r"(\1)", line, flags=re.IGNORECASE)
    return " ".join(line[:TALK_LIMIT].split())


def bracketed(move: Action, roles: tuple[str, ...]) -> Action:
    """The move in brackets, still one that `one_move` leaves as it is."""
    whole = f"[{move[: TALK_LIMIT - 2].rstrip()}]"
    # The brackets would make a tag of the host's.
    return whole if one_move(whole, roles) == whole else f"[({move[: TALK_LIMIT - 4].rstrip()})]"


def quoted(text: str) -> str:
    """What a player said as another seat reads it, without the quotes around it."""
    return one_move(text).replace("[", "(").replace("]", ")")


def host_line(text: str, spoken: tuple[Action, ...], most: int) -> str:
    """A message of the environment, at most so long, with what players said in it made harmless."""
    text = plain(text, most)
    for action in spoken:
        text = text.replace(action, quoted(action))
    return text.strip("\n").rstrip()
