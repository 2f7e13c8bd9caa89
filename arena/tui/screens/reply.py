"""One reply in full: what the seat was shown, what it thought, what it answered, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen

from arena.core.sanitise import one_line
from arena.runs.rows import TurnRow
from arena.tui.format import count
from arena.tui.text import join, line, show
from arena.tui.widgets.lines import Lines
from arena.tui.widgets.thoughts import kind_note

if TYPE_CHECKING:
    from arena.tui.app import ArenaApp


_MOST, _MOST_LINES = 40_000, 2000
"""Characters and lines of each part; a copy has them all."""


class ReplyLines(Lines):
    """The reply as lines."""

    def __init__(self, turn: TurnRow) -> None:
        super().__init__(classes="reply")
        self._turn = turn
        self._made: tuple[int, Sequence[Content]] = (0, ())

    def make(self, width: int, height: int) -> Sequence[Content]:
        if self._made[0] != width:
            self._made = (width, [one for part in _parts(self._turn) for one in part.wrap(width)])
        return self._made[1]


class ReplyScreen(ModalScreen[None]):
    """A panel over the match."""

    CSS_PATH = "live.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "dismiss", "close", key_display="esc", id="reply.close"),
        Binding("c", "copy", "copy", id="reply.copy", tooltip="Copy the reply as text."),
    ]

    def __init__(self, turn: TurnRow, player: str) -> None:
        super().__init__()
        self._turn = turn
        self._player = player

    def compose(self) -> ComposeResult:
        lines = ReplyLines(self._turn)
        lines.border_title = join(
            f"move {self._turn.turn + 1} · seat {self._turn.seat} · ", line(self._player, limit=80)
        )
        lines.border_subtitle = Content("j/k scroll · c copy · esc closes")
        yield lines

    def action_copy(self) -> None:
        turn = self._turn
        whole = turn.text if turn.text.strip() else "\n".join(part for part in (turn.thought, turn.answer) if part)
        cast("ArenaApp", self.app).copy(whole, "the reply")


def _parts(turn: TurnRow) -> list[Content]:
    parts: list[Content] = []
    for title, text in (("shown to it", turn.observation), ("thought", turn.thought), ("answer", turn.answer)):
        note = kind_note(turn) if title == "thought" else ""
        if text.strip() or note:
            head = join((title, "bold $text-primary"), (f"  {note}", "$text-accent") if note else "")
            parts += [head, *([_part(text.strip("\n"))] if text.strip() else []), Content("")]
    if turn.illegal:
        parts += [join(("illegal: ", "bold $text-error"), line(turn.illegal, limit=1000)), Content("")]
    elif turn.action not in (None, turn.answer):
        parts += [join(("action", "bold $text-primary")), _part(turn.action or ""), Content("")]
    if turn.text.strip() not in ("", turn.answer.strip(), turn.thought.strip()):
        parts += [join(("as it was written", "bold $text-primary")), _part(turn.text), Content("")]
    return [*parts, _figures(turn)]


def _part(text: str) -> Content:
    rows = text[:_MOST].split("\n", _MOST_LINES)
    cut = len(text) > _MOST or len(rows) > _MOST_LINES
    return join(
        show("\n".join(rows[:_MOST_LINES])), ("\n… cut here; c copies all of it", "$text-warning") if cut else ""
    )


def _figures(turn: TurnRow) -> Content:
    found = [f"attempt {turn.attempt + 1}"] if turn.attempt else []
    found += [f"{turn.seconds:.1f} s"] if turn.seconds >= 0.05 else []
    found += [count(turn.completion_tokens, "token")] if turn.completion_tokens else []
    found += [f"{turn.reasoning_tokens} of them reasoning"] if turn.reasoning_tokens else []
    found += [f"prompt of {turn.prompt_tokens}"] if turn.prompt_tokens else []
    found += [f"thought from {one_line(turn.thought_source, 40)}"] if turn.thought_source else []
    return join(
        (" · ".join(found), "$foreground-muted"), line(f"  ended by: {turn.finish_reason}", "$foreground-muted")
    )
