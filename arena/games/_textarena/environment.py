"""One bare environment of TextArena: made, stepped, and what it says of itself."""

from __future__ import annotations

import copy
import functools
import importlib
from dataclasses import dataclass
from typing import Any

from arena.core.errors import ArenaError, MissingExtra
from arena.core.game import Action
from arena.core.keys import draw
from arena.core.sanitise import one_line
from arena.games._textarena.isolation import isolated

TURN_LIMIT = 200
"""Actions of a match where the environment names no limit of its own; twice its limit where it does."""


@dataclass(slots=True)
class Playing:
    """One TextArena environment in the middle of a match."""

    env: Any
    over: bool = False

    def step(self, action: Action, key: int, number: int) -> None:
        """Make the move, on the draws of this step of the match. Raises ArenaError where the environment fails."""
        try:
            with isolated(key, number + 1):
                done, _ = self.env.step(action)
        except Exception as error:
            raise ArenaError(f"TextArena fails on it ({one_line(f'{type(error).__name__}: {error}', 80)})") from error
        self.over = bool(done)

    def messages(self, seat: int) -> list[tuple[int, str, str]]:
        """Sender, text and kind of every message that the seat has been sent."""
        env = self.env
        sent = env.state.observations[seat]
        # A few environments add to what they have sent when they are asked, which empties the store as well.
        if "get_observation" in vars(type(env)) and seat == env.state.current_player_id and not self.over:
            with isolated(0, 0):
                sent = copy.deepcopy(env).get_observation()[1]
        return [(sender, str(text), kind.name) for sender, text, kind in sent]


@functools.cache
def package() -> Any:
    """The `textarena` package. Raises MissingExtra."""
    try:
        with isolated(0, 0):  # nltk keeps the standard streams that it finds
            return importlib.import_module("textarena.envs.registration")
    except ImportError:
        raise MissingExtra("A textarena: game", "textarena") from None


def family(name: str) -> str:
    """The package of an id: "TicTacToe" of "TicTacToe-v0-train"."""
    entry = str(package().ENV_REGISTRY[name].entry_point)
    return entry.partition(":")[0].removeprefix("textarena.envs.").partition(".")[0]


def start(name: str, key: int) -> Playing:
    """A bare environment, reset for two players; no wrapper, so no history but its own match's."""
    with isolated(key, 0):
        env = package().make(name)
        while hasattr(env, "env") and hasattr(env, "is_wrapped_with"):
            env = env.env
        env.reset(num_players=2, seed=draw(key, "textarena").getrandbits(32))
    return Playing(env)


def wants_brackets(name: str) -> bool:
    """Whether TextArena itself puts a move without brackets into brackets, in the id's usual form."""
    registry = package().ENV_REGISTRY
    usual = registry.get(name.removesuffix("-raw"), registry[name])
    return any(wrapper.__name__ == "ActionFormattingWrapper" for wrapper in usual.default_wrappers or ())


def turn_limit(state: Any) -> int:
    """Actions after which a match is a draw."""
    return max(TURN_LIMIT, 2 * int(getattr(state, "max_turns", None) or 0) + 2)


def roles_of(playing: Playing) -> list[str]:
    """What the environment calls each seat."""
    names = getattr(playing.env.state, "role_mapping", None) or {}
    return [one_line(str(names.get(seat, f"Player {seat}")), 40) for seat in (0, 1)]
