"""What one seat thought, newest on top: the newest is open, the others are one line each until they are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from arena.core.answer import split_reply
from arena.runs.rows import TurnRow
from arena.runs.verdicts import Verdict
from arena.tui.format import count
from arena.tui.text import join, show
from arena.tui.widgets.lines import Lines
from arena.tui.widgets.verdict import action_of, mark, said

WINDOW, MORE = 20, 10
_MOST, _MOST_LINES = 4000, 200
"""Characters and lines of a thought in the pane; enter shows it in full."""
_SEES_LINES = 4
"""At least so many lines of what the seat sees, or a third of the pane."""
_MUTED = "$foreground-muted"


@dataclass(frozen=True, slots=True)
class Side:
    """What the pane shows of a seat."""

    seat: int
    replies: tuple[tuple[TurnRow, Verdict | None], ...] = ()
    """Oldest first, illegal ones too."""
    turn: int | None = None
    """The turn that it thinks about now."""
    growing: str = ""
    sees: str = ""
    """In a game with hidden information: what this seat knows."""


class Thoughts(Lines):
    """One seat's replies."""

    HELP = (
        "The replies of one seat, the newest on top. j and k choose one and open it, t opens all, enter shows one in "
        "full. A reply that grows shows its end. In a game with hidden information the seat's own view stands on top: "
        "the other seat does not see it."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "full", "full", key_display="↵", id="thought.full", tooltip="This reply in full."),
    ]

    class Opened(Message):
        """A reply is wanted in full."""

        def __init__(self, turn: TurnRow) -> None:
            super().__init__()
            self.turn = turn

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._side = Side(0)
        self._all = False
        self._chosen = 0
        """0 is the newest."""
        self._window = WINDOW
        self._bodies: dict[tuple[int, int], tuple[int, TurnRow, list[Content]]] = {}
        self._spans: list[tuple[int, int]] = []
        """First and last line of each reply that is shown, newest first; then of the line that has more."""

    def show_side(self, side: Side, fresh: bool = False) -> None:
        """Show this; `fresh` begins at the newest reply again."""
        if fresh:
            self._bodies.clear()
        if fresh or len(side.replies) != len(self._side.replies):
            self._chosen = 0
            self._window = WINDOW if fresh else self._window
            self.scroll_to(y=0, animate=False, immediate=True, force=True)
        self._side = side
        self.draw()

    def open_all(self, yes: bool) -> None:
        self._all = yes
        self.draw()

    @property
    def chosen(self) -> TurnRow | None:
        replies = self._side.replies
        return replies[-1 - self._chosen][0] if self._chosen < len(replies) else None

    def make(self, width: int, height: int) -> Sequence[Content]:
        side = self._side
        lines: list[Content] = [*_sees(side, width, max(height // 3, _SEES_LINES))]
        if side.turn is not None:
            lines += _growing(side, width, height - len(lines))
        self._spans = []
        newest_first = side.replies[::-1]
        for place, (turn, verdict) in enumerate(newest_first[: self._window]):
            is_open = self._all or place == self._chosen
            first = len(lines)
            lines.append(_header(turn, verdict, is_open, self.has_focus and place == self._chosen, width))
            if is_open:
                lines += self._body(turn, width)
            self._spans.append((first, len(lines) - 1))
        if (left := len(newest_first) - self._window) > 0:
            some = f"{MORE} more of {left} earlier" if left > MORE else f"{left} more, the earliest"
            lines.append(join((f"▸ {some}", _MUTED)))
            self._spans.append((len(lines) - 1, len(lines) - 1))
        if not lines:
            lines.append(join(("No replies yet.", _MUTED)))
        return lines

    def _body(self, turn: TurnRow, width: int) -> list[Content]:
        """The reply's lines, made once for a width."""
        key = (turn.turn, turn.attempt)
        made = self._bodies.get(key)
        if made is None or made[0] != width or made[1] != turn:
            made = self._bodies[key] = (width, turn, _body(turn, width))
        return made[2]

    def action_move(self, by: int) -> None:
        """Within the chosen reply while there is more of it, then to the next one."""
        if not self._spans or self._chosen >= len(self._spans):
            return
        first, last = self._spans[self._chosen]
        if by > 0 and last >= self.top + self.room.height:
            self.scroll_relative(y=2, animate=False)
        elif by < 0 and first < self.top:
            self.scroll_relative(y=-2, animate=False)
        else:
            self._choose(self._chosen + by)

    def action_full(self) -> None:
        if (turn := self.chosen) is not None:
            self.post_message(self.Opened(turn))

    def on_focus(self) -> None:
        self.draw()

    def on_blur(self) -> None:
        self.draw()

    def on_click(self, event: events.Click) -> None:
        y = event.get_content_offset(self)
        if y is None:
            return
        at = y.y + self.top
        for place, (first, last) in enumerate(self._spans):
            if first <= at <= last:
                if place == self._chosen and event.chain == 2:
                    self.action_full()
                else:
                    self._choose(place)

    def _choose(self, place: int) -> None:
        if place >= self._window and len(self._side.replies) > self._window:
            self._window += MORE
        if not 0 <= place < min(len(self._side.replies), self._window):
            if place < 0:
                self.action_edge(False)
            return
        self._chosen = place
        self.draw()
        if place < len(self._spans):
            self.bring(*self._spans[place])


def _sees(side: Side, width: int, most: int) -> list[Content]:
    """The seat's own view, marked as hidden from the other."""
    if not side.sees:
        return []
    lines = show(side.sees, _MUTED, limit=2000).wrap(width)
    if len(lines) > most:
        lines = [*lines[: most - 1], join(("…", _MUTED))]
    title = join((f"◌ what it sees, hidden from seat {1 - side.seat}", "$text-accent"))
    return [title.truncate(width, ellipsis=True), *lines, Content("")]


def _growing(side: Side, width: int, height: int) -> list[Content]:
    """The end of the reply that grows, as much of it as there is room for."""
    assert side.turn is not None
    head = join((f"▼ {side.turn + 1} ", ""), ("thinking …", "$text-accent"))
    room = max(height - 1, 3)
    text = side.growing[-(width * room * 2) :]
    thought = split_reply(text).thought or text
    lines = join(show(thought), ("▍", "$text-accent")).wrap(max(width - 2, 2))
    more = len(lines) > room or len(text) < len(side.growing)
    tail = lines[-room:]
    if more:
        tail[0] = join(("…", _MUTED))
    return [head, *(_indented(one) for one in tail)]


def _header(turn: TurnRow, verdict: Verdict | None, is_open: bool, chosen: bool, width: int) -> Content:
    glyph = "▼" if is_open else "▶"
    left = join((f"{glyph} {turn.turn + 1} ", "bold" if chosen else ""))
    if turn.action is None:
        left += join(("✗ illegal ", "$text-error"), said(turn.answer, 80, _MUTED))
    else:
        left += join(action_of(turn.action), " " if verdict else "", mark(verdict))
    right = join((f"{turn.seconds:.1f} s", _MUTED)) if turn.seconds >= 0.05 else Content("")
    room = max(width - right.cell_length - 1, 1)
    shown = left.truncate(room, ellipsis=True).pad_right(max(room - left.cell_length, 0) + 1) + right
    return shown.stylize("on $block-cursor-background") if chosen else shown


def _body(turn: TurnRow, width: int) -> list[Content]:
    thought = turn.thought or ("" if turn.text.strip() == turn.answer.strip() else turn.text)
    lines: list[Content] = []
    if turn.illegal:
        lines += said(turn.illegal, 400, "$text-error").wrap(max(width - 2, 2))
    if note := kind_note(turn):
        lines.append(join((note, "$text-accent")).truncate(max(width - 2, 2), ellipsis=True))
    if thought.strip():
        rows = thought.strip()[:_MOST].split("\n", _MOST_LINES)
        lines += show("\n".join(rows[:_MOST_LINES])).wrap(max(width - 2, 2))
        if len(rows) > _MOST_LINES or len(thought.strip()) > _MOST:
            lines.append(join(("… enter shows it in full", _MUTED)))
    elif not lines:
        lines.append(join(("no thought", _MUTED)))
    return [_indented(one) for one in lines]


def kind_note(turn: TurnRow) -> str:
    """What a thought is, where it is not what the model itself thought, word by word."""
    match turn.thought_kind:
        case "summary":
            return "a summary of its thought"
        case "hidden":
            counted = f": {count(turn.reasoning_tokens, 'token')}" if turn.reasoning_tokens else ""
            return f"its thought is hidden{counted}"
    return ""


def _indented(content: Content) -> Content:
    return Content("  ") + content
