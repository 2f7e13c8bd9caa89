"""What the scripted bots know of each game: one file per game, `decide(state, rng, skill) -> Decision`.

Every thought is true of the position and short, in one of three styles, each with its own first word:
case by case ("Cases"), expected value ("Value") and pattern ("Pattern"). A decision follows the game's
simple rules with probability `skill`, else it is `state.sample`.
"""

from __future__ import annotations

import random
from typing import NamedTuple

STYLES = {"Pattern": 0.5, "Cases": 0.25, "Value": 0.25}
"""First word of a thought to how often the bots use the style."""


class Decision(NamedTuple):
    thought: str
    action: str


def pick_style(rng: random.Random) -> str:
    """One of `STYLES` at its frequency."""
    return rng.choices(list(STYLES), weights=list(STYLES.values()))[0]
