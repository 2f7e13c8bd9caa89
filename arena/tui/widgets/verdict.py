"""How the ground truth of a move, a seat and an action look, the same in every pane."""

from __future__ import annotations

from textual.content import Content

from arena.runs import transcript
from arena.runs.verdicts import CHANCE, OUTCOME, Verdict
from arena.tui.format import MINUS
from arena.tui.text import join, line

SEAT_STYLES = ("$primary", "$accent")


def value(scale: str, worth: float) -> str:
    """A value in words or as a figure, with a real minus."""
    return transcript.value(scale, worth).replace("-", MINUS)


def change(scale: str, verdict: Verdict) -> str:
    """The value before and after, such as "draw → loss"."""
    unit = "" if scale in (OUTCOME, CHANCE) else " chips"
    return f"{value(scale, verdict.before)} → {value(scale, verdict.after)}{unit}"


def mark(verdict: Verdict | None) -> Content:
    """The verdict as one glyph; nothing where there is none."""
    if verdict is None:
        return Content("")
    glyph, _, style = _look(verdict)
    return Content.styled(glyph, style)


def told(scale: str, verdict: Verdict | None, brief: bool = False) -> Content:
    """Glyph and word, with the values where something was given away; a brief optimal one is its glyph alone."""
    if verdict is None:
        return Content("")
    glyph, word, style = _look(verdict)
    if verdict.optimal:
        return Content.styled(glyph if brief else f"{glyph} {word}", style)
    return join((f"{glyph} {word} ", style), (f"({change(scale, verdict)})", style))


def _look(verdict: Verdict) -> tuple[str, str, str]:
    if verdict.optimal:
        return "✓", "optimal", "$text-success"
    if verdict.blunder:
        return "✗", "blunder", "$text-error"
    return "▽", "not optimal", "$text-warning"


def said(text: str, limit: int, style: str = "") -> Content:
    """How a text begins, as one line; quick for a text of any length."""
    whole = line(text[: 4 * limit], style, limit=4 * limit)
    short = whole.truncate(limit, ellipsis=True)
    return short if len(text) <= 4 * limit or short != whole else join(short, "…")


def action_of(action: str, limit: int = 200) -> Content:
    """An action in one line, without the brackets that surround all of it."""
    inner = action[1:-1] if action.startswith("[") and action.endswith("]") else action
    return said(action if not inner or "[" in inner or "]" in inner else inner, limit)


def role(roles: tuple[str, str] | None, seat: int) -> Content:
    """What the seat is called in its game; its number until that is known."""
    return line(roles[seat] if roles else f"seat {seat}", SEAT_STYLES[seat % 2], limit=24)
