"""What the panes around a match say in words: who sits where, how far it is, how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from arena.core.sanitise import one_line
from arena.runs import transcript
from arena.runs.rows import TurnRow
from arena.runs.verdicts import Judgement, Verdict
from arena.tui.format import MINUS, squeeze
from arena.tui.text import join, line
from arena.tui.widgets.board import Position
from arena.tui.widgets.moves import Record
from arena.tui.widgets.thoughts import Side
from arena.tui.widgets.verdict import action_of, change, role, said, told

if TYPE_CHECKING:
    from arena.tui.collect.matches import Match
    from arena.tui.playback import Playback

_MUTED = "$foreground-muted"


def outcome(match: Match, judgement: Judgement | None = None) -> str:
    """How it ended, empty while it goes on or that is not known."""
    if match.returns is None:
        return ""
    roles = judgement.roles if judgement else None
    return one_line(transcript.outcome(match.seats, match.returns, match.forfeit, roles), 400)


def side(match: Match, judgement: Judgement | None, at: int, seat: int) -> Side:
    """What a seat's pane shows once so many replies are given."""
    verdicts = verdicts_of(match, judgement)
    given = zip(match.turns[:at], verdicts, strict=False)
    replies = tuple((turn, verdict) for turn, verdict in given if turn.seat == seat)
    acting = at == len(match.turns) and match.live and match.seat == seat
    sees = _sees(match, at, seat) if judgement is not None and judgement.hidden else ""
    return Side(seat, replies, next_turn(match.turns[:at]) if acting else None, match.text if acting else "", sees)


def _sees(match: Match, at: int, seat: int) -> str:
    """The observation of its present turn, else of its last one."""
    if at < len(match.turns) and match.turns[at].seat == seat:
        return match.turns[at].observation
    return next((turn.observation for turn in reversed(match.turns[:at]) if turn.seat == seat), "")


def next_turn(turns: Sequence[TurnRow]) -> int:
    """Number of the turn after these replies, from 0."""
    return turns[-1].turn + (turns[-1].action is not None) if turns else 0


def verdicts_of(match: Match, judgement: Judgement | None) -> tuple[Verdict | None, ...]:
    """One for each reply."""
    known = judgement.verdicts if judgement is not None else ()
    return (*known[: len(match.turns)], *[None] * (len(match.turns) - len(known)))


def position(match: Match, judgement: Judgement | None, at: int) -> Position:
    """The board after so many replies, and what to say of the last of them."""
    first = judgement.first if judgement else ""
    board = match.board(at) or first
    before = (match.board(at - 1) or first) if at else ""
    note = "" if board else "The first position is known once the match is stored."
    roles = judgement.roles if judgement else None
    return Position(board, before, roles, tuple(_words(match, judgement, at)), note)


def _words(match: Match, judgement: Judgement | None, at: int) -> list[Content]:
    words: list[Content] = []
    roles = judgement.roles if judgement else None
    if at:
        turn, verdict = match.turns[at - 1], verdicts_of(match, judgement)[at - 1]
        words += _last(turn, verdict, judgement)
    if at == len(match.turns):
        if ended := outcome(match, judgement):
            words += [Content(""), join((ended, "bold"))]
        elif match.live:
            words.append(join(role(roles, match.seat), (" to move", _MUTED)))
        elif match.id is None:
            words.append(join(("ended", "bold")))
    elif not at:
        words.append(join(role(roles, match.turns[0].seat), (" to move", _MUTED)))
    if judgement is not None and judgement.hidden:
        words += [Content(""), join(("◌ all is shown here; no seat sees all of it", _MUTED))]
    return words


def _last(turn: TurnRow, verdict: Verdict | None, judgement: Judgement | None) -> list[Content]:
    roles = judgement.roles if judgement else None
    if turn.action is None:
        return [
            join(role(roles, turn.seat), " answered ", said(turn.answer, 60) or "nothing"),
            join(("✗ illegal: ", "$text-error"), said(turn.illegal, 200, "$text-error")),
        ]
    played = join(role(roles, turn.seat), " played ", action_of(turn.action, 80).stylize("bold"))
    if verdict is None or judgement is None:
        return [played]
    found = [join(played, "  ", told("", verdict) if verdict.optimal else "")]
    if not verdict.optimal:
        style = "$text-error" if verdict.blunder else "$text-warning"
        found.append(join((f"{'✗ blunder' if verdict.blunder else '▽ not optimal'}: ", style),
                          (change(judgement.scale, verdict), style)))  # fmt: skip
        best = join(*(action_of(name, 40) for name in verdict.best[:6]), between=" ")
        found.append(join(("best ", _MUTED), best))
    return found


def record(match: Match, judgement: Judgement | None, at: int) -> Record:
    """All moves, with the result behind the last."""
    ended = outcome(match, judgement)
    return Record(
        match.turns,
        verdicts_of(match, judgement),
        judgement.scale if judgement else "",
        judgement.roles if judgement else None,
        at,
        match.seat if match.live else None,
        join((ended, "bold")) if ended else None,
    )


def short(name: str, room: int) -> Content:
    """A name in so many columns: where it is cut, its end stays, which tells models apart."""
    whole = line(name, limit=400)
    return line(squeeze(whole.plain, max(room, 8)), limit=400)


def seat_title(match: Match, judgement: Judgement | None, seat: int, acting: bool, room: int) -> Content:
    """Such as "▸ seat 0 · X · ckpt:tiny"."""
    roles = judgement.roles if judgement else None
    name = short(match.seats[seat], room - 14 - (len(roles[seat]) + 3 if roles else 0))
    parts = [Content(f"seat {seat}"), *([role(roles, seat)] if roles else []), name]
    return join(("▸ ", "$text-accent") if acting else "", join(*parts, between=" · "))


def seat_result(match: Match, seat: int, at: int) -> str:
    """How the seat fared, at the end."""
    if match.returns is None or at < len(match.turns):
        return ""
    if match.forfeit == seat:
        return "forfeited"
    mine, theirs = match.returns[seat], match.returns[1 - seat]
    word = "draw" if mine == theirs else "won" if mine > theirs else "lost"
    score = f"{mine:+g}".replace("-", MINUS)
    return word if {mine, theirs} <= {1.0, 0.0, -1.0} else f"{word} {score}"


def pill(playback: Playback, channel: bool = False) -> Content:
    """Where the viewer is; on a `channel` one match comes after the other."""
    place = f"{playback.at} of {playback.length}"
    if playback.mode == "follow":
        return join(("● LIVE · follow", "$text-success"))
    if playback.mode == "play":
        arrow = "◀" if playback.backwards else "▶"
        on = join(("● LIVE · ", "$text-success")) if channel else ""
        return join(on, (f"{arrow} {playback.speed:g}/s", "$text-accent"), f" · {place}")
    if channel and not playback.ahead:
        return join(("● LIVE · the next match soon", "$text-success"), f" · {place}")
    new = f" · +{playback.ahead} new · l live" if playback.live and playback.ahead else ""
    return join(("‖ paused" if playback.live else "replay", ""), f" · {place}", (new, "$text-accent"))


def facts(match: Match, run: str) -> list[Content | str]:
    """For the title line: game, run, step and which match it is."""
    unit = match.unit
    found: list[Content | str] = [line(match.game, "$text-primary", limit=40), line(run, limit=40)]
    found += [f"step {match.step}"] if match.step else []
    found += [f"match {match.id}" if match.id is not None else "live"]
    return [*found, f"pair {unit[3] + 1}, leg {unit[4] + 1}" if match.seats[0] != match.seats[1] else ""]
