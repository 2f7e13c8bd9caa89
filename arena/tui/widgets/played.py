"""The replies of a match as its human may know them, one under the other, with thoughts where they are asked for."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from arena.tui.collect.play import Move, Play
from arena.tui.text import join, line, show
from arena.tui.widgets.lines import Lines
from arena.tui.widgets.verdict import SEAT_STYLES, action_of

_MUTED = "$foreground-muted"
_MOST = 6000
"""Characters of a thought."""
_TAIL = 600
"""Characters of a reply that grows, its end."""
_ROLE = 8


class Played(Lines):
    """The moves; the newest stands last and is brought into view."""

    HELP = (
        "All moves so far. In a game with hidden information only your own until the match ends. The opponent's "
        "thoughts are shown at the end, or before it where they are asked for and can give nothing away."
    )

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._play: Play | None = None
        self._thoughts = False

    def show_play(self, play: Play, thoughts: bool) -> None:
        self._play, self._thoughts = play, thoughts
        before = len(self._lines)
        self.draw()
        if len(self._lines) != before:
            self.call_after_refresh(self._to_end)

    def _to_end(self) -> None:
        self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True, force=True)

    def make(self, width: int, height: int) -> Sequence[Content]:
        play = self._play
        if play is None:
            return []
        lines: list[Content] = []
        for move in play.moves:
            lines += _move(play, move, width)
            if self._thoughts and move.thought:
                lines += _indented(show(move.thought, f"{_MUTED} italic", _MOST), width)
        if self._thoughts and play.growing:
            tail = play.growing[-_TAIL:]
            lines += _indented(join(show(tail, f"{_MUTED} italic"), (" ▍", "$text-accent")), width)
        if not lines:
            words = "Only your own moves are shown until the end." if play.secret else "No moves yet."
            lines = join((words, _MUTED)).wrap(width)
        return lines


def _move(play: Play, move: Move, width: int) -> list[Content]:
    mine = move.seat in play.config.humans
    role = line(play.role(move.seat), SEAT_STYLES[move.seat], limit=_ROLE).truncate(_ROLE, pad=True)
    room = max(len(play.role(seat)) for seat in (0, 1))
    head = join((f"{move.turn + 1:>3} ", _MUTED), role[: min(room, _ROLE)], " ")
    who = "you" if mine and play.alone else ""
    if move.action is None:
        said = line(move.answer, limit=400) or Content("nothing")
        body = join(said, (" ✗ ", "$text-error"), line(f"illegal: {move.illegal}", "$text-error", limit=400))
    else:
        body = join(action_of(move.action, 1000), (f"  {who}" if who else "", _MUTED))
    first, *rest = body.wrap(max(width - head.cell_length, 8))
    return [head + first, *(part.pad_left(head.cell_length) for part in rest)]


def _indented(text: Content, width: int) -> list[Content]:
    lines = []
    for one in text.split("\n", allow_blank=True):
        lines += [part.pad_left(5) for part in one.wrap(max(width - 5, 8))] if one else [Content("")]
    return lines
