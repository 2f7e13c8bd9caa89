"""What a player is: something that answers a `View` with a `Reply`, one file per backend in `arena/players`."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from arena.core.game import Action, State, Variant


@dataclass(slots=True)
class View:
    """All that a player gets to know when it is its turn.

    Every attempt gets a view of its own. Not frozen, only because a frozen one takes five times as long to make.
    """

    game: str
    variant: Variant
    seat: int
    rules: str
    observation: str
    legal: list[Action] | None
    sample: Callable[[random.Random], str]
    """A random valid answer, from the generator given."""
    key: int
    """The match's key; a player draws from the stream f"player{seat}"."""
    turn: int
    """Number of the turn within the match, from 0: the draw's index."""
    attempt: int = 0
    illegal: str = ""
    """Why the last attempt at this turn was illegal; empty at the first."""
    state: State | None = None
    """Only for players with `sees_state`: the solver and the scripted bots."""
    partial: Callable[[str], None] | None = None
    """Where somebody watches: call it with the reply's text so far."""
    spent: float = 0.0
    """Seconds that this seat's replies have taken in the match so far."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What our own model was given and drew: training uses these ids, never text made into ids again."""

    prompt_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Natural log-probability of each drawn token under the distribution it was drawn from."""
    weights_version: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that one reply took."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0


_NO_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a player."""

    text: str
    thought: str
    answer: str
    finish_reason: str = "stop"
    usage: Usage = _NO_USAGE
    seconds: float = 0.0
    sample: Sample | None = None
    thought_source: str = ""
    """Where an API's thought stood: reasoning_details, reasoning, reasoning_content, content (typed parts), think
    (tags) or text (what comes before the answer). Empty where there is no thought, and for our own models."""
    thought_kind: str = ""
    """raw, summary, hidden (counted but not shown) or none; empty for our own models."""


class Player(Protocol):
    """A seat's occupant. One object may play many matches at once."""

    @property
    def name(self) -> str:
        """The spec string as the user gave it."""

    @property
    def sees_state(self) -> bool:
        """Whether `View.state` is filled in."""

    async def act(self, view: View) -> Reply:
        """Answer one turn. Raises InfrastructureError where the answer failed for no fault of the player's, and its
        kind PlayerStopped where no later turn of this job can be answered either.
        """

    async def close(self) -> None:
        """Give back what the player holds (an engine, a connection)."""


@dataclass(frozen=True, slots=True)
class PlayerInfo:
    """Facts of a backend, for listings: a player module has `INFO` and `load(spec) -> Player`."""

    id: str
    title: str
    syntax: str
    """How its spec string is written, e.g. "ckpt:RUN_OR_PATH[@STEP]"."""
    options: tuple[str, ...] = ()
    """Keys allowed after "?" in the spec."""
