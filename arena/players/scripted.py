"""A bot that follows simple rules some of the time and explains itself: opponent, and source of warm-start data."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import cast

from arena.core.errors import UsageError
from arena.core.game import State
from arena.core.keys import draw
from arena.core.player import PlayerInfo, Reply, View
from arena.core.registry import PlayerSpec, discover, load_part
from arena.players._scripts import Decision

INFO = PlayerInfo(
    id="scripted",
    title="Rule-following bot with a share of random moves",
    syntax="scripted[?skill=0.5]",
    options=("skill",),
)

Script = Callable[[State, random.Random, float], Decision]
DEFAULT_SKILL = 0.5


@dataclass(frozen=True)
class ScriptedPlayer:
    """Plays the rules of `arena/players/_scripts/GAME.py` with probability `skill`, else a random valid answer."""

    name: str
    skill: float
    sees_state: bool = True

    async def act(self, view: View) -> Reply:
        assert view.state is not None
        rng = draw(view.key, f"player{view.seat}", view.turn * 8 + view.attempt)
        thought, action = decide(view.game, view.state, rng, self.skill)
        text = f"<think>{thought}</think>\\boxed{{{action}}}" if thought else f"\\boxed{{{action}}}"
        return Reply(text=text, thought=thought, answer=action)

    async def close(self) -> None:
        return None


def decide(game: str, state: State, rng: random.Random, skill: float) -> Decision:
    """The scripted decision for the seat to act; a random valid answer where the game has no script."""
    script = _script(game)
    return script(state, rng, skill) if script else Decision("", state.sample(rng))


@cache
def _script(game: str) -> Script | None:
    if game not in discover("arena.players._scripts"):
        return None
    return cast(Script, load_part("arena.players._scripts", "script", game).decide)


def load(spec: PlayerSpec) -> ScriptedPlayer:
    """Read `skill`. Raises UsageError where it is not between 0 and 1."""
    skill = spec.options.get("skill", DEFAULT_SKILL)
    if isinstance(skill, str | bool) or not 0 <= skill <= 1:
        raise UsageError(f"scripted: skill cannot be {skill!r}.", "Give a number from 0 to 1.")
    return ScriptedPlayer(spec.name, float(skill))
