"""The player `optimal`: the exact solution of a game, where `arena/oracles` has one.

TicTacToe: each minimax-optimal action with the same chance. Kuhn Poker: in every hand the equilibrium with
alpha = 1/5, in every variant. Pig Dice: the action of value iteration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from arena.core.errors import UsageError
from arena.core.game import Action, State
from arena.core.keys import draw
from arena.core.player import PlayerInfo, Reply, View
from arena.core.registry import PlayerSpec, discover, load_part

INFO = PlayerInfo(id="optimal", title="Plays the exact solution, where there is one", syntax="optimal")


def has_oracle(game_id: str) -> bool:
    """Whether the game has an exact solution, so that `optimal` can play it."""
    return game_id in discover("arena.oracles")


def optimal_policy(game_id: str, state: State) -> Mapping[Action, float]:
    """The exact solution's actions for the seat to act, with their probabilities.

    Raises UsageError where the game has no exact solution.
    """
    if not has_oracle(game_id):
        solved = ", ".join(discover("arena.oracles"))
        raise UsageError(f"There is no exact solution for {game_id}.", f"The player optimal plays: {solved}.")
    oracle = load_part("arena.oracles", "oracle", game_id)
    if hasattr(oracle, "policy"):
        return cast(Mapping[Action, float], oracle.policy(state))
    return {oracle.optimal_action(state): 1.0}


@dataclass(frozen=True, slots=True)
class OptimalPlayer:
    """Draws among equally good actions from the match's key."""

    name: str = "optimal"
    sees_state: bool = True

    async def act(self, view: View) -> Reply:
        if view.state is None:
            raise ValueError("the player optimal needs View.state")
        policy = optimal_policy(view.game, view.state)
        generator = draw(view.key, f"player{view.seat}", view.turn * 8 + view.attempt)
        (answer,) = generator.choices(list(policy), weights=list(policy.values()))
        return Reply(text=answer, thought="", answer=answer)

    async def close(self) -> None:
        return None


def load(spec: PlayerSpec) -> OptimalPlayer:
    """The solver under the name the user gave it. Raises UsageError where the spec has a target."""
    if spec.target:
        raise UsageError(f"The player optimal has no target, so '{spec.name}' names nothing.", "Write: optimal.")
    return OptimalPlayer(spec.name)
