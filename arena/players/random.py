"""The player `random`: any legal action, each with the same chance; where actions are free text, a random valid one."""

from __future__ import annotations

from dataclasses import dataclass

from arena.core.errors import UsageError
from arena.core.keys import draw
from arena.core.player import PlayerInfo, Reply, View
from arena.core.registry import PlayerSpec

INFO = PlayerInfo(id="random", title="Plays any legal action", syntax="random")


@dataclass(frozen=True, slots=True)
class RandomPlayer:
    """Draws from the match's key, so a match with the same key goes the same way."""

    name: str = "random"
    sees_state: bool = False

    async def act(self, view: View) -> Reply:
        generator = draw(view.key, f"player{view.seat}", view.turn * 8 + view.attempt)
        answer = view.sample(generator) if view.legal is None else generator.choice(view.legal)
        return Reply(text=answer, thought="", answer=answer)

    async def close(self) -> None:
        return None


def load(spec: PlayerSpec) -> RandomPlayer:
    """The random player under the name the user gave it. Raises UsageError where the spec has a target."""
    if spec.target:
        raise UsageError(f"The player random has no target, so '{spec.name}' names nothing.", "Write: random.")
    return RandomPlayer(spec.name)
