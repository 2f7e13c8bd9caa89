"""The table of a match with a human: the position, what goes on, where the answer is given, and the moves so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from arena.tui.collect.play import Play
from arena.tui.text import join, line
from arena.tui.theme import EMPTY, LOADING
from arena.tui.widgets import play_words
from arena.tui.widgets.answer import SHORT, AnswerLine, MoveList, are_directions, options
from arena.tui.widgets.board import Board, Position
from arena.tui.widgets.marks import MarksBoard, read_marks
from arena.tui.widgets.played import Played


@dataclass(frozen=True, slots=True)
class Sight:
    """A match as it is to be shown."""

    play: Play
    names: dict[str, str] = field(default_factory=dict)
    """Short names of the players."""
    busy: bool = False
    """Whether a request is on its way."""
    thoughts: bool = False
    """Whether the opponent's thoughts are asked for."""
    refused: str = ""
    """What was wrong with a move that was not even sent."""

    @property
    def waiting(self) -> bool:
        """Whether a move can be given now."""
        return self.play.phase == "move" and not self.busy

    @property
    def tells(self) -> bool:
        """Whether thoughts are shown."""
        return self.play.over or (self.thoughts and not self.play.secret)


class PlayTable(Container):
    """Says by `Answered` what the human wants to play, by `Refused` what cannot be."""

    class Answered(Message):
        """A move."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Refused(Message):
        """A cell or a column that cannot be played."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    def __init__(self) -> None:
        super().__init__(id="table")
        self._sight: Sight | None = None
        self._said: Content | None = None
        self._asked = False
        """Whether the last thing shown asked for a move."""

    def compose(self) -> ComposeResult:
        with Vertical(id="middle"):
            with Vertical(id="board-pane", classes="section"):
                yield Static(LOADING, id="loading", classes="empty-state")
                yield MarksBoard(id="marks")
                yield Board(id="board")
            yield Static("", id="prompt")
            with Vertical(id="answer-pane", classes="section"):
                yield AnswerLine(id="answer")
                yield Static("", id="formats")
                yield MoveList(id="moves")
        yield Played(id="played", classes="section")

    def on_mount(self) -> None:
        for widget in (self._marks, self._board, self.query_one("#answer-pane")):
            widget.display = False
        self.query_one("#answer-pane").border_title = "Your move"
        self._played.border_title = "Moves"

    # Showing

    def show(self, sight: Sight) -> None:
        """Show the match so."""
        self._sight = sight
        self._draw_board(sight)
        self._draw_answer(sight)
        self._played.border_subtitle = _thoughts_note(sight)
        self._played.show_play(sight.play, sight.tells)
        self._settle_focus(sight)

    def say(self, sight: Sight, seconds: float) -> None:
        """What goes on, and for how long it has."""
        words = play_words.prompt(sight.play, sight.names, seconds, sight.busy, sight.refused, self._hint(sight))
        if self._said is None or not words.is_same(self._said):
            self._said = words
            self.query_one("#prompt", Static).update(words)

    def _hint(self, sight: Sight) -> str:
        legal = sight.play.legal
        if not legal or (self._line.display and not self._marks.display):
            return ""
        return "Arrows play." if are_directions(legal) else "Arrows and ↵, or its number."

    def _draw_board(self, sight: Sight) -> None:
        play, ask = sight.play, sight.play.ask
        pane = self.query_one("#board-pane")
        pane.border_title = line(play.title)
        pane.border_subtitle = f"{ask.undos}× taken back" if ask is not None and ask.undos else ""
        loading = self.query_one("#loading", Static)
        loading.display = ask is None
        loading.update(LOADING if play.going else EMPTY)
        if ask is None:
            return
        roles = play.info.roles if play.info is not None else None
        marks = read_marks(play.info.id, ask.board, play_words.last_action(play)) if play.info is not None else None
        self._marks.display, self._board.display = marks is not None, marks is None
        if marks is not None:
            self._marks.show_marks(marks, frozenset(play.legal or ()), sight.waiting, not play.going)
        else:
            self._board.show_position(Position(play_words.position(play), roles=roles))

    def _draw_answer(self, sight: Sight) -> None:
        """While nobody asks, what was last asked for stays, dimmed: an answer can be typed ahead."""
        play = sight.play
        pane = self.query_one("#answer-pane")
        pane.set_class(not sight.waiting, "-rest")
        if self._marks.display or not play.going:
            pane.display = False
        if self._marks.display or not sight.waiting or play.ask is None:
            return
        pane.display = True
        narrowed = play.legal is not None and len(play.legal) > SHORT
        pane.border_subtitle = f"{len(play.legal)} legal" if play.legal is not None and narrowed else ""
        self._line.display = play.free_text or narrowed
        self._line.hint("your answer" if play.free_text else "type words of the move you want")
        self._moves.display = not play.free_text
        formats = self.query_one("#formats", Static)
        formats.display = play.free_text
        if play.free_text:
            shapes = [line(text, limit=80) for text in play_words.formats(play.ask.rules)]
            formats.update(join(("such as  ", "$foreground-muted"), join(*shapes, between="   ")))
        self._fill_moves()

    def _fill_moves(self) -> None:
        legal = self._sight.play.legal if self._sight is not None else None
        if legal is not None:
            self._moves.set_items(options(legal, self._line.value if self._line.display else ""))

    def _settle_focus(self, sight: Sight) -> None:
        """Put the focus where the next key belongs, once that is asked; else only where it was lost."""
        target = self._target(sight)
        focused = self.screen.focused
        lost = focused is None or not _seen(focused)
        asks = sight.waiting and not self._asked
        self._asked = sight.waiting
        if (lost or asks) and focused is not target:
            target.focus()

    def _target(self, sight: Sight) -> Widget:
        if self._marks.display and sight.play.going:
            return self._marks
        if self.query_one("#answer-pane").display:
            return self._line if self._line.display else self._moves
        return self._played

    # Answering

    def on_marks_board_played(self, message: MarksBoard.Played) -> None:
        message.stop()
        legal = self._sight.play.legal if self._sight is not None else None
        if legal is not None and message.action not in legal:
            self.post_message(self.Refused(play_words.not_legal(message.action, legal)))
        else:
            self.post_message(self.Answered(message.action))

    def on_move_list_played(self, message: MoveList.Played) -> None:
        message.stop()
        self.post_message(self.Answered(message.action))

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        sight = self._sight
        if sight is None or not sight.waiting:
            return
        if sight.play.free_text:
            if message.value.strip():
                self.post_message(self.Answered(message.value))
        elif (option := self._moves.current) is not None:
            self.post_message(self.Answered(option.action))

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()
        self._fill_moves()
        self.screen.refresh_bindings()

    def on_answer_line_moved(self, message: AnswerLine.Moved) -> None:
        message.stop()
        self._moves.action_move(message.by)

    def accept(self) -> None:
        """The answer was taken: the line is for the next one."""
        self._line.value = ""

    @property
    def _marks(self) -> MarksBoard:
        return self.query_one("#marks", MarksBoard)

    @property
    def _board(self) -> Board:
        return self.query_one("#board", Board)

    @property
    def _line(self) -> AnswerLine:
        return self.query_one("#answer", AnswerLine)

    @property
    def _moves(self) -> MoveList:
        return self.query_one("#moves", MoveList)

    @property
    def _played(self) -> Played:
        return self.query_one("#played", Played)


def _seen(widget: Widget) -> bool:
    return all(node.display for node in widget.ancestors_with_self if isinstance(node, Widget))


def _thoughts_note(sight: Sight) -> str | Content:
    if sight.play.over:
        return "with thoughts"
    if sight.play.secret:
        return "thoughts come at the end"
    return "t hides thoughts" if sight.thoughts else "t shows thoughts"


def describe(sight: Sight) -> list[Any]:
    """The match in a few words."""
    play = sight.play
    turn = f"turn {play.ask.turn + 1}" if play.ask is not None and not play.over else ""
    game = line(play.config.game, limit=60)
    if not play.alone:
        return [game, "two of you", turn]
    role = f"{play.role(play.seat)}, seat {play.seat}" if play.info is not None else f"seat {play.seat}"
    against = join("against ", play_words.player(play, 1 - play.seat, sight.names))
    return [game, line(f"you are {role}", limit=40), against, turn]
