"""The one way of foreign text to the screen: text of models, players, files and servers becomes `Content` here.

Nothing else may make widgets or cells of such text: a plain `str` given to Textual is read as markup.
"""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.content import Content
from textual.filter import LineFilter

from arena.core.sanitise import one_line, plain, without_controls


def show(text: str, style: str = "", limit: int = 100_000) -> Content:
    """Text of several lines, literally: control, bidi and zero-width characters are made visible, markup is none."""
    return Content.styled(plain(text, limit), style)


def line(text: str, style: str = "", limit: int = 200) -> Content:
    """Text as one line: for names, quotes, cells and errors."""
    return Content.styled(one_line(text, limit), style)


def join(*parts: Content | str | tuple[str, str], between: str = "") -> Content:
    """Put parts together; a `str` is our own text, a pair is our own text with a style. Empty parts are left out."""
    contents = [part if isinstance(part, Content) else Content.assemble(part) for part in parts]
    return Content(between).join(part for part in contents if part)


class Harmless(LineFilter):
    """The last gate before the terminal: an `Input` shows its value as it is, which may be a stranger's file name."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [part if part.text.isprintable() else _harmless(part) for part in segments]


def _harmless(segment: Segment) -> Segment:
    text, style, control = segment
    return segment if control else Segment(without_controls(text), style)
