"""One line that names the pages of a pane with their keys, and says which is open."""

from __future__ import annotations

from typing import NamedTuple

from textual.content import Content
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget

from arena.tui.text import join


class Page(NamedTuple):
    """One page: the key that opens it, and its name, which is also its id in lower case."""

    key: str
    name: str

    @property
    def id(self) -> str:
        return self.name.lower()


class PageLine(Widget):
    """`news` are short words behind a page's name, such as a count. A click does the screen's `page` action."""

    DEFAULT_CSS = """
    PageLine { height: 1; color: $foreground-muted; }
    """
    ALLOW_SELECT = False

    current: reactive[str] = reactive("")
    lit: reactive[bool] = reactive(False)
    """Whether the open page has the focus."""
    news: reactive[dict[str, str]] = reactive(dict)

    def __init__(self, pages: tuple[Page, ...], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.auto_links = False
        self._pages = pages

    def render(self) -> Content:
        parts = [self._shown(page) for page in self._pages]
        line = join(("── ", "$border-blurred"), join(*parts, between="   "), " ")
        rest = self.size.width - line.cell_length
        return join(line, ("─" * max(rest, 0), "$border-blurred")).truncate(self.size.width, ellipsis=True)

    def _shown(self, page: Page) -> Content:
        here = page.id == self.current
        name = f"bold {'$text-primary' if self.lit else '$foreground'} underline" if here else "$foreground-muted"
        news = self.news.get(page.id, "")
        text = join((page.key, "bold $footer-key-foreground"), " ", (page.name, name), f" {news}" if news else "")
        return text.stylize(Style.from_meta({"@click": f"screen.page('{page.id}')"}))
