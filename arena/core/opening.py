"""Openings: random first actions, so that players that never vary still play different matches.

Where a game draws nothing and a player always answers alike, every pair is the same pair. An opening begins each pair
a few random actions into the game; both matches of the pair begin there, seats swapped. It is a pure function of
the pair's key, so a match can be set up again from its key alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from arena.core.errors import UsageError
from arena.core.game import Action, State
from arena.core.keys import draw
from arena.core.registry import GameSpec, discover, load_part

_TRIES = 10_000
_EASILY = 500
"""Within so many tries a check must find the openings of `_CHECKED` keys, so that a job finds those of all."""
_CHECKED = 3


@dataclass(frozen=True, slots=True)
class Openings:
    """How openings are drawn."""

    plies: int
    """Actions of both seats together, at least 1; odd numbers leave seat 1 to act first."""
    balanced: bool = False
    """Whether the position after it must be a draw with best play, which an exact solution has to say."""

    def check(self, game: GameSpec) -> None:
        """Raise UsageError for a game that cannot have such openings."""
        info = game.game.INFO
        legal = None if info.chance or info.hidden else game.new(0).legal()
        if legal is None:
            why = "chance" if info.chance else "hidden information" if info.hidden else "actions that are free text"
            raise UsageError(f"{game.name} has no openings: it has {why}.", "Openings are for games without it.")
        if self.balanced and info.id not in discover("arena.oracles"):
            solved = ", ".join(discover("arena.oracles"))
            raise UsageError(f"Openings of {game.name} cannot be balanced: it is not solved.", f"Solved: {solved}.")
        for key in range(_CHECKED):
            self.draw(game, key, _EASILY)

    def draw(self, game: GameSpec, key: int, tries: int = _TRIES) -> tuple[Action, ...]:
        """The opening of the pair with this key: uniformly random legal actions that leave somebody to act.

        Raises UsageError where none is found.
        """
        for attempt in range(tries):
            rng = draw(key, "opening", attempt)
            state, actions = game.new(key), list[Action]()
            while len(actions) < self.plies and state.to_act is not None and (legal := state.legal()):
                actions.append(rng.choice(legal))
                state = state.apply(actions[-1])
            if len(actions) == self.plies and state.to_act is not None and self._fits(game, state):
                return tuple(actions)
        kind = "balanced openings" if self.balanced else "openings"
        raise UsageError(f"{game.name} has no {kind} of {self.plies} plies.", "Ask for fewer plies.")

    def _fits(self, game: GameSpec, state: State) -> bool:
        if not self.balanced:
            return True
        return bool(load_part("arena.oracles", "exact solution", game.game.INFO.id).value(state) == 0)


def position_after(game: GameSpec, key: int, opening: tuple[Action, ...]) -> State:
    """The position that an opening leads to. Raises ValueError where an action is not legal."""
    state = game.new(key)
    for action in opening:
        state = state.apply(action)
    return state
