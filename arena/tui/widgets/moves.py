"""All moves of a match in a flow, each with its verdict; the one that is shown is lit, later ones are dim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.message import Message
from textual.style import Style

from arena.runs.rows import TurnRow
from arena.runs.verdicts import Verdict
from arena.tui.text import join
from arena.tui.widgets.lines import Lines
from arena.tui.widgets.verdict import action_of, role, said, told

_BETWEEN = "   "
_MANY = 24
"""With more moves than this an optimal one has its glyph alone."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the pane shows."""

    turns: tuple[TurnRow, ...] = ()
    verdicts: tuple[Verdict | None, ...] = ()
    scale: str = ""
    roles: tuple[str, str] | None = None
    at: int = 0
    """How many replies are shown."""
    thinking: int | None = None
    """Who is to act in a match that is being played."""
    end: Content | None = None
    """How it ended."""


class Moves(Lines):
    """The moves; a click on one goes there."""

    HELP = (
        "Every reply of the match in order. ✓ is an optimal move, ▽ gives something away, ✗ blunder loses a position "
        "that was not lost; the values are the mover's before and after. Games without an exact solution have none. "
        "A click goes to a move."
    )

    class Jumped(Message):
        """A click wants so many replies to be shown."""

        def __init__(self, to: int) -> None:
            super().__init__()
            self.to = to

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._record = Record()
        self._line_of: dict[int, int] = {}

    def show_record(self, record: Record) -> None:
        self._record = record
        self.draw()
        self.bring(self._line_of.get(record.at, 0))

    def action_jump(self, to: int) -> None:
        self.post_message(self.Jumped(to))

    def make(self, width: int, height: int) -> Sequence[Content]:
        """A flow of entries, none split but those that are wider than the pane, which are cut."""
        record = self._record
        lines: list[Content] = []
        self._line_of = {0: 0}
        for number, entry in self._entries():
            shown = entry.truncate(width, ellipsis=True)
            if lines and lines[-1].cell_length + len(_BETWEEN) + shown.cell_length <= width:
                lines[-1] = join(lines[-1], Content(_BETWEEN), shown)
            else:
                lines.append(shown)
            self._line_of[number] = len(lines) - 1
        if not lines:
            lines.append(join(("No moves yet.", "$foreground-muted")))
        if record.at == len(record.turns):
            self._line_of[record.at] = len(lines) - 1
        return lines

    def _entries(self) -> list[tuple[int, Content]]:
        record = self._record
        brief = len(record.turns) > _MANY
        found = []
        for number, turn in enumerate(record.turns, start=1):
            verdict = record.verdicts[number - 1] if number <= len(record.verdicts) else None
            found.append((number, self._entry(number, turn, verdict, brief)))
        last = len(record.turns)
        if record.thinking is not None:
            turn_number = record.turns[-1].turn + 1 + (record.turns[-1].action is not None) if record.turns else 1
            thinking = join(f"{turn_number} ", role(record.roles, record.thinking), " ", ("thinking ▍", "$text-accent"))
            found.append((last + 1, thinking))
        if record.end is not None:
            found.append((last + 1, record.end))
        return found

    def _entry(self, number: int, turn: TurnRow, verdict: Verdict | None, brief: bool) -> Content:
        record = self._record
        head = join(f"{turn.turn + 1} ", role(record.roles, turn.seat), " ")
        if turn.action is None:
            answer = said(turn.answer, 60) or Content("nothing")
            body = join(answer, (" ✗ illegal: ", "$text-error"), said(turn.illegal, 200))
        else:
            body = join(join(action_of(turn.action)).stylize("bold"), " " if verdict else "")
            body += told(record.scale, verdict, brief)
        entry = join("▸" if number == record.at else "", head, body)
        if number == record.at:
            entry = entry.stylize("bold on $block-cursor-background")
        elif number > record.at:
            entry = entry.stylize("dim")
        return entry.stylize(Style.from_meta({"@click": f"jump({number})"}))
