"""What a game is: `INFO` and `new(key, **variant) -> State`, one file each in `arena/games`.

A game module satisfies `Game`. A `State` is immutable: `apply` returns another one, and all chance
comes from `arena.core.keys.draw(key, stream, n)`, so replay and search need no copy and no undo.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from arena.core.errors import UnknownName, UsageError

Action = str
"""An action is its canonical answer text: "[4]", "[bet]", "[Offer: 2 Wood -> 1 Gold]", a message."""

Variant = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Illegal:
    """An answer that is no legal action, and why, in words for the player."""

    reason: str


@dataclass(frozen=True, slots=True)
class GameInfo:
    """Facts that hold for every match of a game."""

    id: str
    title: str
    roles: tuple[str, str]
    """What each seat is called, seat 0 first."""
    utility: tuple[float, float]
    """Lowest and highest return of a seat in the default variant (`State.utility` for others)."""
    max_turns: int
    """No match of the default variant has more turns than this."""
    chance: bool
    hidden: bool
    """Whether a seat may not know everything the other does."""
    trained: bool
    """True for the games of self-play training, False for those held out (OOD)."""
    variants: Mapping[str, Sequence[str | int | float | bool]] = field(default_factory=dict)
    """Option name to its allowed values, the default first."""
    samples: bool = True
    """Whether `State.sample` works, so that the players random and scripted can play."""


class State(Protocol):
    """One position of one match, for both seats. Immutable."""

    @property
    def to_act(self) -> int | None:
        """The seat whose move it is (0 or 1), or None at the end."""

    @property
    def utility(self) -> tuple[float, float]:
        """Lowest and highest return of a seat in this variant."""

    def legal(self) -> list[Action] | None:
        """Every legal action, or None where actions are free text."""

    def sample(self, rng: random.Random) -> str:
        """A random valid answer for the seat to act."""

    def rules(self, seat: int) -> str:
        """The rules as prose for that seat, answer format included; the same all match long."""

    def observe(self, seat: int) -> str:
        """The position as that seat may know it, compact plain text, complete enough to play well."""

    def board(self) -> str:
        """The position as a spectator sees it: plain text, a function of the position alone."""

    def parse(self, answer: str) -> Action | Illegal:
        """The one legal action that the answer names, or why there is none. `parse(a) == a` for every legal a."""

    def apply(self, action: Action) -> State:
        """The position after the action of the seat to act."""

    def returns(self) -> tuple[float, float] | None:
        """The return of each seat at the end, None before it."""


class Game(Protocol):
    """What `load_game` returns: a module of `arena/games` satisfies it."""

    INFO: GameInfo

    def new(self, key: int, **variant: str | int | float | bool) -> State:
        """The first position of the match with this key. Raises UsageError for an unknown option or value."""


def check_options(info: GameInfo, variant: Variant) -> None:
    """Raise UsageError unless the game has every option and allows its value, type included (1 is not True)."""
    for option, value in variant.items():
        if option not in info.variants:
            raise UnknownName(f"option of {info.id}", option, info.variants)
        allowed = info.variants[option]
        if not any(value == other and type(value) is type(other) for other in allowed):
            raise UsageError(f"{info.id}: {option} cannot be {value!r}.", f"Allowed: {', '.join(map(str, allowed))}.")
