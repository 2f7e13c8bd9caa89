"""A match as text: what was said, what became of it, and what an exact solution says of each move."""

from __future__ import annotations

from collections.abc import Sequence

from arena.core.sanitise import one_line
from arena.runs.rows import TurnRow
from arena.runs.verdicts import CHANCE, OUTCOME, Judgement, Verdict

_WORDS = {1: "win", 0: "draw", -1: "loss"}


def value(scale: str, worth: float) -> str:
    """A verdict's value in words or as a figure."""
    if scale == OUTCOME:
        return _WORDS.get(round(worth), f"{worth:g}")
    return f"{worth:.1%}".replace(".0%", "%") if scale == CHANCE else f"{worth:+.2f}"


def told(scale: str, verdict: Verdict) -> str:
    """A verdict in words, with the values where something was given away."""
    if verdict.optimal:
        return "optimal"
    unit = "" if scale in (OUTCOME, CHANCE) else " chips"
    change = f"{value(scale, verdict.before)} → {value(scale, verdict.after)}{unit}"
    return f"{'blunder' if verdict.blunder else 'not optimal'} ({change}); best {' '.join(verdict.best)}"


def outcome(
    seats: tuple[str, str], returns: tuple[float, float], forfeit: int | None, roles: tuple[str, str] | None = None
) -> str:
    """How a match ended, in words."""
    if returns[0] == returns[1]:
        return "draw"
    winner = 0 if returns[0] > returns[1] else 1
    names = [f"{role} ({name})" for role, name in zip(roles, seats, strict=True)] if roles else list(seats)
    how = f", {names[1 - winner]} forfeits" if forfeit == 1 - winner else ""
    score = "" if set(returns) == {1.0, -1.0} else f" {returns[winner]:+g}"
    return f"{names[winner]} wins{score}{how}"


def transcript(
    game: str, seats: tuple[str, str], first: str, turns: Sequence[TurnRow], end: str, judgement: Judgement | None
) -> str:
    """The whole match, for `arena.core.sanitise.plain`; nothing a player says stands where the host speaks."""
    parts = [
        f"{one_line(game)}: {_name(seats[0])} (seat 0) against {_name(seats[1])} (seat 1)",
        *([first] if first else []),
    ]
    verdicts = judgement.verdicts if judgement is not None else ()
    for place, turn in enumerate(turns):
        verdict = verdicts[place] if place < len(verdicts) else None
        parts.append(_turn(turn, _name(seats[turn.seat]), verdict, judgement.scale if judgement else ""))
    return "\n\n".join([*parts, *([f"Result: {end}."] if end else [])])


def thought_lines(thought: str, kind: str) -> list[str]:
    """A thought, indented; a provider's summary of one is said to be that."""
    lines = [f"  {line}" for line in thought.splitlines()]
    return ["  (summary)", *lines] if lines and kind == "summary" else lines


def _turn(turn: TurnRow, player: str, verdict: Verdict | None, scale: str) -> str:
    lines = thought_lines(turn.thought, turn.thought_kind)
    head = f"{turn.turn + 1}. {player}: "
    if turn.action is None:
        return "\n".join([*lines, f"{head}{_said(turn.answer)} is illegal: {_said(turn.illegal)}"])
    mark = f"   {told(scale, verdict)}" if verdict is not None else ""
    return "\n".join([*lines, f"{head}{_said(turn.action)}{mark}", "", turn.board])


def _name(text: str) -> str:
    return one_line(text, 400)


def _said(text: str) -> str:
    return one_line(text, 4000)
