"""A match between two minds: the board in the middle, each seat's thoughts beside it, the moves below."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.timer import Timer

from arena.tui.playback import Playback
from arena.tui.text import join, line
from arena.tui.widgets import match_words as words
from arena.tui.widgets.board import Board
from arena.tui.widgets.moves import Moves
from arena.tui.widgets.thoughts import Thoughts

if TYPE_CHECKING:
    from arena.runs.verdicts import Judgement
    from arena.tui.collect.matches import Match

_SLIM = 64
"""Columns below which even board and thoughts stand on top of each other."""


class MatchView(Container):
    """Shows a match at a place. Where there is room for one seat's thoughts, they are those of whoever spoke last."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.playback = Playback()
        self.channel = False
        """Whether another match follows after this one."""
        self._match: Match | None = None
        self._judgement: Judgement | None = None
        self._all = False
        self._swapped = False
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        with Horizontal(id="stage"):
            yield Thoughts(id="seat0", classes="section")
            yield Board(id="board", classes="section")
            yield Thoughts(id="seat1", classes="section")
        yield Moves(id="moves", classes="section")

    def show(self, match: Match | None, judgement: Judgement | None, fresh: bool = False) -> None:
        """Show this as far as the cursor is; `fresh` where it is another match than before."""
        self._match, self._judgement = match, judgement
        self.draw(fresh)

    def move(self, change: Callable[[], object]) -> None:
        """Change the cursor, and go on at its pace."""
        change()
        if self._timer is not None:
            self._timer.stop()
        playing = self.playback.mode == "play"
        self._timer = self.set_interval(1 / self.playback.speed, self._tick) if playing else None
        self.draw()

    def _tick(self) -> None:
        if self.playback.tick():
            self.draw()
        if self.playback.mode != "play" and self._timer is not None:
            self._timer.stop()

    def draw(self, fresh: bool = False) -> None:
        match, judgement, playback = self._match, self._judgement, self.playback
        if match is None:
            return
        at = playback.at
        acting = match.to_act(at)
        front = _speaking(match, at, acting)
        for seat in (0, 1):
            self._show_seat(match, judgement, at, seat, acting, fresh)
            self.query_one(f"#seat{seat}").set_class((seat == front) == self._swapped, "-behind")
        board = self.query_one("#board", Board)
        title = line(judgement.title if judgement else match.game, limit=40)
        board.border_title = join(title, f" · move {words.next_turn(match.turns[:at])}")
        board.show_position(words.position(match, judgement, at))
        moves = self.query_one("#moves", Moves)
        moves.border_title = Content("moves")
        moves.border_subtitle = words.pill(playback, self.channel)
        moves.show_record(words.record(match, judgement, at))

    def _show_seat(
        self, match: Match, judgement: Judgement | None, at: int, seat: int, acting: int | None, fresh: bool
    ) -> None:
        pane = self.query_one(f"#seat{seat}", Thoughts)
        shown = words.side(match, judgement, at, seat)
        pane.border_title = words.seat_title(match, judgement, seat, acting == seat, pane.size.width)
        pane.border_subtitle = "thinking" if shown.turn is not None else words.seat_result(match, seat, at)
        pane.show_side(shown, fresh)

    def open_all(self) -> None:
        """Open every thought, or all but the chosen ones no more."""
        self._all = not self._all
        for pane in self.query(Thoughts):
            pane.open_all(self._all)

    def swap(self) -> None:
        """Where there is room for one, show the other seat's thoughts."""
        self._swapped = not self._swapped
        self.draw()

    def on_resize(self) -> None:
        self.set_class(self.size.width < _SLIM, "-slim")
        # Titles are cut to what the panes have room for once they are laid out.
        self.call_after_refresh(self.draw)


def _speaking(match: Match, at: int, acting: int | None) -> int:
    """Whoever thinks aloud now, else whose reply is the last shown, else who begins."""
    if match.text and at == len(match.turns) and acting is not None:
        return acting
    return match.turns[at - 1].seat if at else (acting or 0)
