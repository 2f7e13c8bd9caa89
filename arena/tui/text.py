"""The one way of foreign text to the screen: text of models, players, files and servers becomes `Content` here.

Nothing else may make widgets or cells of such text: a plain `str` given to Textual is read as markup.
"""

from __future__ import annotations

from textual.content import Content

from arena.core.sanitise import one_line, plain


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
