"""The rows of `run.db` that writers build and readers get back."""

from __future__ import annotations

from dataclasses import dataclass


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
    """A featured match that is being played, in one of at most eight slots."""

    slot: int
    game: str
    a: str
    b: str
    pair: int
    leg: int
    turn: int
    seat: int
    text: str
    """The growing reply."""
    board: str
    turns: str
    """JSON list of the finished turns, as `TurnRow` fields."""
    step: int = 0
    at: float = 0.0
