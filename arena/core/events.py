"""What happens in a match, as a stream: the only thing that recorders, viewers and trainers read.

Events carry the position itself; its board is drawn only where somebody looks.
"""

from __future__ import annotations

from dataclasses import dataclass

from arena.core.game import Action, State, Variant
from arena.core.player import Reply


@dataclass(frozen=True, slots=True)
class MatchStarted:
    game: str
    variant: Variant
    players: tuple[str, str]
    key: int
    state: State
    """The first position."""

    @property
    def board(self) -> str:
        return self.state.board()


@dataclass(frozen=True, slots=True)
class TurnStarted:
    turn: int
    seat: int
    observation: str


@dataclass(frozen=True, slots=True)
class Partial:
    """The reply's text so far; only where somebody watches."""

    turn: int
    seat: int
    text: str


@dataclass(frozen=True, slots=True)
class TurnTaken:
    turn: int
    seat: int
    observation: str
    reply: Reply
    action: Action
    attempt: int
    state: State
    """The position after the action."""

    @property
    def board(self) -> str:
        return self.state.board()


@dataclass(frozen=True, slots=True)
class IllegalReply:
    """A reply that named no legal action; another attempt or a Forfeit follows."""

    turn: int
    seat: int
    observation: str
    reply: Reply
    reason: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Forfeit:
    """The seat spent all its attempts: it loses with the lowest utility of the game."""

    turn: int
    seat: int
    reason: str


@dataclass(frozen=True, slots=True)
class Void:
    """Infrastructure failed: the match counts for nothing and is replayed."""

    turn: int
    seat: int
    reason: str
    stops: bool = False
    """Whether the player of that seat cannot go on in this job."""


@dataclass(frozen=True, slots=True)
class MatchEnded:
    returns: tuple[float, float]
    forfeit: int | None
    """The seat that forfeited, if one did."""
    turns: int


Event = MatchStarted | TurnStarted | Partial | TurnTaken | IllegalReply | Forfeit | Void | MatchEnded
