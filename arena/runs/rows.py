"""The rows of `run.db` that writers build and readers get back."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, Protocol


class Row(Protocol):
    """Any kind of row."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


@cache
def columns(kind: type[Row]) -> list[str]:
    """The columns that a writer fills: all but the id, which the database gives."""
    return [field.name for field in fields(kind) if field.name != "id"]


@dataclass(frozen=True, slots=True)
class TurnRow:
    """One reply: a turn that an illegal reply precedes has several rows, one for each attempt."""

    turn: int
    attempt: int
    seat: int
    observation: str
    thought: str
    answer: str
    text: str
    action: str | None
    """None where the reply was illegal."""
    illegal: str
    """Why the reply was illegal; empty where it was not."""
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    seconds: float
    board: str
    """The position after the action; empty where the reply was illegal."""
    thought_source: str = ""
    """Where an API's thought came from; empty for models of ours."""
    thought_kind: str = ""
    """ "raw", "summary", "hidden" or "none"; empty for models of ours."""


@dataclass(frozen=True, slots=True)
class MatchRow:
    """One finished match. In leg 0 player a has seat 0, in leg 1 seat 1; both legs of a pair share the key."""

    number: int
    """Place in the schedule, from 0: the same at any concurrency, unlike `id`, which counts rows as they finished."""
    game: str
    a: str
    b: str
    pair: int
    leg: int
    key: int
    return_a: float
    return_b: float
    forfeit: str
    """ "a" or "b" where that player forfeited, else empty."""
    turns: int
    voids: int
    """How often the match was void and replayed before this result."""
    seconds: float
    board: str
    """The first position."""
    step: int = 0
    """Training step; 0 outside training."""
    at: float = 0.0
    """Unix time at which it was stored."""
    id: int = 0

    @property
    def seat_a(self) -> int:
        return self.leg

    @property
    def unit(self) -> tuple[str, str, str, int, int]:
        """What makes the match one of its kind in the run: no two stored matches share it."""
        return (self.game, self.a, self.b, self.pair, self.leg)


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One figure of one training step; `low` and `high` are its 95 % interval where it has one."""

    step: int
    name: str
    value: float | None
    game: str = ""
    role: str = ""
    opponent: str = ""
    low: float | None = None
    high: float | None = None
    n: int | None = None
    at: float = 0.0
    id: int = 0


@dataclass(frozen=True, slots=True)
class RatingRow:
    """A player's rating with its 95 % interval; `game` is empty for the rating over all games."""

    player: str
    rating: float
    low: float
    high: float
    game: str = ""
    step: int = 0
    detail: str = "{}"
    """JSON."""


@dataclass(frozen=True, slots=True)
class TruthRow:
    """One measure of a player against a game's exact solution, with its 95 % interval."""

    player: str
    game: str
    measure: str
    value: float
    low: float
    high: float
    n: int
    detail: str = "{}"
    """JSON."""
    step: int = 0


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something that happened to the run: started, finished, stopped, failed, or a note of the job."""

    kind: str
    message: str
    step: int = 0
    detail: str = "{}"
    at: float = 0.0
    id: int = 0


@dataclass(frozen=True, slots=True)
class HealthRow:
    """One alarm or check of a training step."""

    step: int
    name: str
    level: str
    """ "ok", "warn" or "alarm"."""
    message: str
    value: float | None = None
    at: float = 0.0
    id: int = 0


@dataclass(frozen=True, slots=True)
class PartialRow:
    """A featured match that is being played, or has just ended, in one of at most eight slots."""

    slot: int
    game: str
    a: str
    b: str
    pair: int
    leg: int
    turn: int
    """Number of the turn that is being played; at the end, how many there were."""
    seat: int
    """Who is to act; -1 where the match has ended or is void."""
    text: str
    """The growing reply, empty until its first piece and once it stands in `turns`."""
    board: str
    """The position now."""
    turns: str
    """JSON list of the replies so far, illegal ones too, each an object with the fields of `TurnRow`."""
    step: int = 0
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class AskRow:
    """A match with a human as that human may know it: every field can be shown to whoever has the seat.

    `partial` and the stored turns are the spectator's view, which in a game with hidden information tells more.
    """

    slot: int
    number: int
    """Grows with every change."""
    game: str
    a: str
    """Who has seat 0."""
    b: str
    """Who has seat 1."""
    status: str
    """ "move" while the human is to act, "wait" while the opponent is, "end" once the match is stored."""
    seat: int
    """The human's seat; with two humans the one to act."""
    role: str
    turn: int
    attempt: int
    """With `seat` and `turn` the address of the move that is asked for."""
    observation: str
    board: str
    """Empty in a game with hidden information until its end: the observation says what the seat may know."""
    rules: str
    legal: str
    """JSON list of the legal actions; null where actions are free text or the human is not to act."""
    illegal: str
    """Why the last attempt at this turn was illegal; empty at the first."""
    note: str
    """What became of a request that changed nothing, such as an undo that is not possible."""
    moves: str
    """JSON list of the replies that stand (turn, attempt, seat, action, answer, illegal, thought); in a game with
    hidden information only the seat's own until the end."""
    undo: bool
    """Whether an undo is possible now."""
    undos: int
    hidden: bool
    """Whether the game has hidden information."""
    returns: str
    """JSON list of the returns by seat at the end, null before it."""
    seen: int
    """Id of the last request of control.db that was dealt with."""
    at: float = 0.0
