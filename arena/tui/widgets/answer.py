"""Where a human answers: a list of legal moves, and a line for free text that also narrows a long list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from arena.runs.requests import MAX_TEXT
from arena.tui.text import join
from arena.tui.widgets.table import Column, Table
from arena.tui.widgets.verdict import action_of

SHORT = 9
"""A list of up to so many moves has a digit for each."""
_DIGIT = re.compile(r"\[\d\]")
_ARROWS = {"[up]": ("up", "↑"), "[down]": ("down", "↓"), "[left]": ("left", "←"), "[right]": ("right", "→")}


@dataclass(frozen=True, slots=True)
class Option:
    """One legal move, and the key that plays it."""

    action: str
    key: str


def options(legal: Sequence[str], wanted: str = "") -> list[Option]:
    """The moves that have every word of `wanted` in them, with the keys that play them.

    A digit is its own key, a direction its arrow; other moves have their place in the list, where it is short.
    """
    words = wanted.lower().split()
    found = [action for action in legal if all(word in action.lower() for word in words)]
    if are_directions(legal):
        return [Option(action, _ARROWS[action][1]) for action in found]
    if legal and all(_DIGIT.fullmatch(action) for action in legal):
        return [Option(action, action[1]) for action in found]
    keys = [str(number) for number in range(1, SHORT + 1)] if len(legal) <= SHORT else []
    return [Option(action, keys[place] if place < len(keys) else "") for place, action in enumerate(found)]


def are_directions(legal: Sequence[str]) -> bool:
    """Whether the arrows themselves are the moves."""
    return bool(legal) and all(action in _ARROWS for action in legal)


class MoveList(Table[Option]):
    """The legal moves."""

    HELP = (
        "The legal moves. Arrows and enter choose one, the digit beside a move plays it at once; where the moves are "
        "directions the arrows play. While the match lasts digits belong to the moves: the other screens are reached "
        "by esc or ^p. A long list is narrowed by typing words of the move."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "play", key_display="↵", id="moves.play", tooltip="Play what is under the cursor."),
        Binding("up", "arrow('up')", "up", show=False, id="moves.up"),
        Binding("down", "arrow('down')", "down", show=False, id="moves.down"),
        Binding("left", "arrow('left')", "left", show=False, id="moves.left"),
        Binding("right", "arrow('right')", "right", show=False, id="moves.right"),
        Binding("0", "digit('0')", show=False, key_display="0–9", id="moves.digit", tooltip="Play the move beside it."),
        *(Binding(str(digit), f"digit('{digit}')", show=False) for digit in range(1, 10)),
    ]

    class Played(Message):
        """A move was chosen."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, *, id: str | None = None) -> None:
        columns: list[Column[Option]] = [
            Column("", 1, lambda option: join((option.key, "bold $footer-key-foreground"))),
            Column("legal", 8, lambda option: action_of(option.action), grow=True),
        ]
        super().__init__(columns, lambda option: option.action, id=id)

    def action_arrow(self, name: str) -> None:
        option = next((one for one in self.items if _ARROWS.get(one.action, ("", ""))[0] == name), None)
        if option is not None:
            self.post_message(self.Played(option.action))
        elif name in ("up", "down"):
            self.action_move(-1 if name == "up" else 1)

    def action_digit(self, digit: str) -> None:
        """Also one that no move has does nothing, rather than leave the match."""
        option = next((one for one in self.items if one.key == digit), None)
        if option is not None:
            self.post_message(self.Played(option.action))

    def action_choose(self) -> None:
        if (option := self.current) is not None:
            self.post_message(self.Played(option.action))


class AnswerLine(Input):
    """One line to answer in, or to narrow a long list with."""

    HELP = (
        "Type your answer and press enter. In a long list of moves type words of the one you want, such as 7 3; up "
        "and down choose, enter plays. Esc empties the line, and an empty one leaves. Letters are text here: undo, "
        "thoughts, rules and to resign have keys of their own."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "choose(-1)", "up", show=False, id="answer.up"),
        Binding("down", "choose(1)", "down", show=False, id="answer.down"),
        Binding("escape", "clear", "empty", key_display="esc", id="answer.clear", tooltip="Empty the line."),
    ]

    class Moved(Message):
        """Up or down was pressed."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, max_length=MAX_TEXT, compact=True, select_on_focus=False)

    def hint(self, text: str) -> None:
        """What is shown while it is empty."""
        self.placeholder = text

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "clear" or bool(self.value)

    def action_choose(self, by: int) -> None:
        self.post_message(self.Moved(by))

    def action_clear(self) -> None:
        self.value = ""
        self.refresh_bindings()
