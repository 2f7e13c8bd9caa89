"""From a match's events to the rows that are stored of it."""

from __future__ import annotations

from arena.core.events import Event, Forfeit, IllegalReply, MatchEnded, MatchStarted, TurnTaken, Void
from arena.core.player import Reply
from arena.runs.rows import MatchRow, TurnRow
from evals.schedule import PlannedMatch

KEPT = 400_000
"""Characters of a thought or of a whole reply that are stored: more than any model's longest answer."""
ANSWER_KEPT = 20_000
"""Characters of an answer that are stored; longer ones are no action of any game."""


class MatchLog:
    """Makes the rows of one match from its events."""

    def __init__(self) -> None:
        self.board = ""
        self.turns: list[TurnRow] = []
        self.ended: MatchEnded | None = None
        self.void = ""
        """Why the match is void; empty where it is not."""
        self.forfeit = ""
        """Why a seat forfeited."""

    def add(self, event: Event) -> None:
        match event:
            case MatchStarted():
                self.board = event.board
            case TurnTaken():
                row = _turn_row(event, event.reply, event.action, "", event.board)
                self.turns.append(row)
            case IllegalReply():
                self.turns.append(_turn_row(event, event.reply, None, event.reason, ""))
            case Forfeit():
                self.forfeit = event.reason
            case Void():
                self.void = event.reason or "unknown"
            case MatchEnded():
                self.ended = event
            case _:
                pass


def _turn_row(event: TurnTaken | IllegalReply, reply: Reply, action: str | None, illegal: str, board: str) -> TurnRow:
    return TurnRow(
        turn=event.turn,
        attempt=event.attempt,
        seat=event.seat,
        observation=event.observation,
        thought=kept(reply.thought),
        answer=kept(reply.answer, ANSWER_KEPT),
        text=kept(reply.text),
        action=action,
        illegal=kept(illegal, ANSWER_KEPT),
        finish_reason=reply.finish_reason,
        prompt_tokens=reply.usage.prompt_tokens,
        completion_tokens=reply.usage.completion_tokens,
        reasoning_tokens=reply.usage.reasoning_tokens,
        seconds=reply.seconds,
        board=board,
        thought_source=reply.thought_source,
        thought_kind=reply.thought_kind,
    )


def kept(text: str, limit: int = KEPT) -> str:
    """The text as it is stored: cut where a reply floods, saying by how much."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more characters)"


def match_row(planned: PlannedMatch, log: MatchLog, voids: int, seconds: float) -> MatchRow:
    """The row of a finished match: returns and forfeit from the players' side, not the seats'."""
    ended = log.ended
    assert ended is not None
    seat_a = planned.leg
    forfeit = "" if ended.forfeit is None else ("a" if ended.forfeit == seat_a else "b")
    return MatchRow(
        number=planned.number,
        game=planned.game.name,
        a=planned.a,
        b=planned.b,
        pair=planned.pair,
        leg=planned.leg,
        key=planned.key,
        return_a=ended.returns[seat_a],
        return_b=ended.returns[1 - seat_a],
        forfeit=forfeit,
        turns=ended.turns,
        voids=voids,
        seconds=seconds,
        board=log.board,
    )
