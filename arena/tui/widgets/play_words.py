"""What the screen Play says: whose move it is, what was wrong, how the match ended; and its position as text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from textual.content import Content

from arena.tui.collect.play import Play
from arena.tui.format import MINUS, duration
from arena.tui.text import join, line
from arena.tui.theme import STATUS
from arena.tui.widgets.verdict import action_of

_MUTED, _KEY = "$foreground-muted", "bold $footer-key-foreground"
_MODELS = ("ckpt", "hf")
_BOX = re.compile(r"\\boxed\{(.*?)\}(?=[\s.,;)]|$)")
_BRACKETED = re.compile(r"\[[A-Z][^\[\]]{0,60}\]")
_SENTENCE = re.compile(r"(?<=[.!?]) +")


def player(play: Play, seat: int, names: dict[str, str]) -> Content:
    """Who has the seat."""
    if seat in play.config.humans:
        return Content("you") if play.alone else line(play.role(seat), limit=24)
    spec = play.config.players[seat]
    return line(names.get(spec, spec), "bold", limit=40)


def position(play: Play) -> str:
    """The position as text: what the seat may know, a single line a sentence a line; at the end the board."""
    if (ask := play.ask) is None:
        return ""
    if play.over:
        return ask.board
    seen = ask.observation.removeprefix(f"{play.title}. ")
    return seen if "\n" in seen else "\n".join(_SENTENCE.split(seen))


def formats(rules: str) -> list[str]:
    """How an answer may look, as far as the rules show it: what stands in brackets there, and their example."""
    found = [*_BRACKETED.findall(rules), *(example.strip() for example in _BOX.findall(rules))]
    return [text for text in dict.fromkeys(found) if text]


def prompt(
    play: Play, names: dict[str, str], seconds: float, sending: bool = False, refused: str = "", hint: str = ""
) -> Content:
    """What goes on, in one to three lines. `seconds` is how long it has, `refused` what was wrong here already,
    `hint` how to move.
    """
    ask = play.ask
    if play.over:
        return outcome(play, names)
    if not play.going:
        return _halted(play)
    if play.phase == "starting" or ask is None:
        models = any(spec.partition(":")[0] in _MODELS for spec in play.config.opponents)
        return join("Starting… ", (f"{duration(seconds)}{'. The model is loaded first.' if models else ''}", _MUTED))
    lines = []
    if play.phase == "wait":
        who = player(play, 1 - play.seat, names)
        lines.append(join(who, " is thinking… ", (duration(seconds), _MUTED)))
    elif sending:
        lines.append(join(("Sent…", _MUTED)))
    else:
        role = line(play.role(play.seat), limit=40)
        lines.append(join(("▸ Your move", "bold $text-primary"), " as ", role, ".", (f"  {hint}", _MUTED)))
    wrong = refused or (f"Not legal: {ask.illegal}" if ask.illegal and not sending else "")
    if wrong:
        lines.insert(0, join(("✗ ", "$text-error"), line(wrong, "$text-error", limit=400)))
    if ask.note:
        lines.insert(0, join(("⚠ ", "$text-warning"), line(ask.note, "$text-warning", limit=400)))
    return join(*lines, between="\n")


def _halted(play: Play) -> Content:
    look = STATUS[play.phase]
    said = {
        "stopped": "The match is stopped.",
        "failed": "The match could not go on.",
        "dead": "The match's process is gone.",
    }[play.phase]
    resume = join(" What was played is kept: ", ("r", _KEY), " resumes.")
    first = join((f"{look.glyph} ", look.style), (said, "bold"), resume)
    return join(first, line(play.problem, "$text-error", limit=600), between="\n")


def outcome(play: Play, names: dict[str, str]) -> Content:
    """The result in words, and why."""
    if play.returns is None:
        return Content("The match has ended.")
    mine, theirs = play.returns[play.seat], play.returns[1 - play.seat]
    return join(_result(play, mine, theirs), _why(play, names), between="  ")


def _result(play: Play, mine: float, theirs: float) -> Content:
    if mine == theirs:
        words = ("A draw.", "bold $text-warning")
    elif play.alone:
        words = ("You won.", "bold $text-success") if mine > theirs else ("You lost.", "bold $text-error")
    else:
        winner = play.seat if mine > theirs else 1 - play.seat
        return line(f"{play.role(winner)} won.", "bold $text-success")
    plain = {abs(mine), abs(theirs)} <= {0.0, 1.0}
    return join(words, "" if plain else f" {_signed(mine)} to {_signed(theirs)}.")


def _signed(value: float) -> str:
    return f"{value:+g}".replace("-", MINUS)


def _why(play: Play, names: dict[str, str]) -> Content:
    if play.resigned is not None:
        return _did(play, play.resigned, names, "resigned.")
    forfeit = {"a": 0, "b": 1}.get(play.match.forfeit) if play.match is not None else None
    if forfeit is None:
        return Content("")
    last = next((move.illegal for move in reversed(play.moves) if move.seat == forfeit and move.illegal), "")
    why = join(": ", line(last, limit=200)) if last else Content(".")
    return join(_did(play, forfeit, names, "forfeited"), why)


def _did(play: Play, seat: int, names: dict[str, str], did: str) -> Content:
    who = player(play, seat, names)
    return join(Content("You") if who.plain == "you" else who, f" {did}")


def last_action(play: Play) -> str | None:
    """The newest action that is known."""
    return next((move.action for move in reversed(play.moves) if move.action is not None), None)


def not_legal(action: str, legal: Sequence[str]) -> str:
    """Why a cell or a column cannot be played."""
    shown = ", ".join(action_of(one).plain for one in legal)
    return f"{action_of(action).plain} is taken or full. Open: {shown}."
