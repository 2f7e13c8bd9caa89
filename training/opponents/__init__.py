"""Whom the policy meets in training matches: one file each, with `OPPONENT` the class that its config builds.

Every rank builds its own and comes to the same choices: they depend on the run's seed, on match numbers and on
the results of all ranks in match order, never on timing. What the next step depends on is in `state_dict` and
`tensors`, which every checkpoint saves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from arena.config.base import Config
from arena.core.player import Player
from arena.core.registry import load_part

if TYPE_CHECKING:
    from torch import Tensor


class Seating(NamedTuple):
    """The players of one match by seat, and which seats' turns are trained."""

    players: tuple[Player, Player]
    trained: tuple[bool, bool]


class Result(NamedTuple):
    """How one training match went in which one seat was trained."""

    match: int
    score: float
    """The policy's: 1 for a win, 0.5 for a draw, 0 for a loss."""


class Frozen(NamedTuple):
    """A player with the policy's model and sampling on an engine of its own."""

    player: Player
    load: Callable[[Tensor, str], None]
    """Give it weights, as a flat vector, and a name. The engine forgets what it has seen, to the last bit."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the training loop lends to an opponent."""

    seed: int
    """The run's."""
    weights: Callable[[], Tensor]
    """A copy of the policy's present weights as a flat vector."""
    freeze: Callable[[], Frozen]
    """Make a frozen player; it is no use before it has been given weights."""
    load: Callable[[str], Player]
    """Build the player that a spec names."""
    forget: Callable[[Player], None]
    """Make a model forget the prompts it has seen: what follows does not depend on them, to the last bit."""


class Opponent:
    """The policy's company in training, by default without any state."""

    trained_seats: float = 1.0
    """Seats of a match that are trained, on average."""
    players: Sequence[Player] = ()
    """Those that were loaded for it by their specs."""

    def before_step(self, step: int) -> None:
        """Get ready for the matches of step number `step`, from 0."""

    def seat(self, policy: Player, match: int) -> Seating:
        """Seat the learning policy in match number `match` of the run. The same all step long for a number."""
        raise NotImplementedError

    def observe(self, results: Sequence[Result]) -> None:
        """Learn how the step went: the results of all ranks in match order, those of self-play left out."""

    def state_dict(self) -> dict[str, Any]:
        """All but tensors that the next step depends on, as JSON values."""
        return {}

    def tensors(self) -> dict[str, Tensor]:
        """The weights that it keeps, by name."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go on from another opponent's `state_dict` and `tensors`. Raises KeyError where something is missing."""


def learner_seat(match: int) -> int:
    """The seat of the policy where only one is trained: 0 1 1 0 0 1 1 0 …

    Two matches in a row swap seats, and so do those of either of two ranks, which take turns.
    """
    return (match ^ match >> 1) & 1


def against(policy: Player, other: Player, match: int) -> Seating:
    """The policy on its seat of the match, alone trained, with the other player across."""
    if learner_seat(match) == 0:
        return Seating((policy, other), (True, False))
    return Seating((other, policy), (False, True))


def build(config: Config, context: Context) -> Opponent:
    """The opponent that a config names by its `type`. Raises UsageError or ArenaError for a player that fails."""
    name = str(config.model_dump()["type"])
    return cast(Opponent, load_part("training.opponents", "opponent", name).OPPONENT(config, context))
