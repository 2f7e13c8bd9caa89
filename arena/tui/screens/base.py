"""What all screens share: a title line with a summary, what failed in red, the keys below, and fresh data.

A screen sets `PLACE`, `HELP` and `BINDINGS`, yields its widgets in `body`, and in `on_mount` says with `poll` what to
read and which method shows it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

from arena.core.errors import ArenaError
from arena.tui.poll import Poll, reason
from arena.tui.text import join, line
from arena.tui.widgets.footer import KeyBar

if TYPE_CHECKING:
    from arena.tui.app import ArenaApp
    from arena.tui.commands import Command

T = TypeVar("T")


class TitleBar(Widget):
    """The screen's name and its summary on the left, the time and the palette's key on the right."""

    summary: reactive[Content] = reactive(Content)

    def __init__(self, title: Content) -> None:
        super().__init__()
        self._title = title
        self._painted = ""

    def tick(self) -> None:
        """Paint again where the time that is shown has changed."""
        if self._clock() != self._painted:
            self.refresh()

    def _clock(self) -> str:
        return time.strftime("%H:%M", time.localtime(cast("ArenaApp", self.app).clock()))

    def render(self) -> Content:
        self._painted = clock = self._clock()
        left = join(" ", self._title, "   ", join(self.summary))
        right = join((clock, "$foreground-muted"), ("   ^p palette ", "$foreground-muted"))
        room = self.size.width - right.cell_length
        if room < left.cell_length + 1:
            return left.truncate(self.size.width, ellipsis=True)
        return left.pad_right(room - left.cell_length) + right


class ErrorLine(Widget):
    """What could not be read, in red; no height where nothing failed."""

    text: reactive[str] = reactive("")

    def watch_text(self, text: str) -> None:
        self.display = bool(text)

    def render(self) -> Content:
        return join((" ✗ ", "bold"), line(self.text, limit=1000)).truncate(self.size.width, ellipsis=True)


class ArenaScreen(Screen[None]):
    """Base of the screens that fill the terminal."""

    PLACE: ClassVar[str] = ""
    """Its name in `arena.tui.app.PLACES`."""
    HELP: ClassVar[str] = ""
    """What it is for, in a few sentences; widgets may have a `HELP` too."""
    POLL_SECONDS: ClassVar[float] = 2.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.back", "back", key_display="esc", id="screen.back", tooltip="Close this screen."),
        Binding("f5,R", "reload", "reload", show=False, id="screen.reload", tooltip="Read everything again now."),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._polls: list[Poll[object]] = []
        self._failures: dict[int, str] = {}
        self._complaint = ""
        self._in_front = False

    @property
    def arena(self) -> ArenaApp:
        """The app with its navigation, `say`, `attempt`, `copy` and `clock`."""
        return cast("ArenaApp", self.app)

    def heading(self) -> Content:
        """The name in the title line."""
        return Content.styled(self.PLACE.title(), "bold $text-primary")

    def body(self) -> ComposeResult:
        """The widgets between title line and keys."""
        raise NotImplementedError

    def commands(self) -> Iterable[Command]:
        """Commands for the palette beyond the bindings that have an id "noun.verb"."""
        return ()

    def compose(self) -> ComposeResult:
        yield TitleBar(self.heading())
        yield from self.body()
        yield ErrorLine()
        yield KeyBar()

    def summarise(self, *parts: Content | str) -> None:
        """Set the summary in the title line; empty parts are left out."""
        self.query_one(TitleBar).summary = join(*parts, between=" · ")

    def complain(self, text: str) -> None:
        """Show this in the red line, or with an empty text nothing but what polls could not read."""
        self._complaint = text
        self._show_failures()

    def poll(self, collect: Callable[[], T], show: Callable[[T], None], seconds: float | None = None) -> Poll[T]:
        """Read now and every `seconds` (`POLL_SECONDS`) in a thread, and show; what failed keeps the last good data.

        It rests while another screen covers this one.
        """
        poll = Poll(self, collect, show, self.POLL_SECONDS if seconds is None else seconds)
        self._polls.append(cast("Poll[object]", poll))
        if self._in_front:
            self.call_after_refresh(self._start_poll, poll)
        return poll

    def drop(self, poll: Poll[T]) -> None:
        """Stop a poll for good."""
        poll.pause()
        self._polls = [other for other in self._polls if other is not poll]
        self._failures.pop(id(poll), None)
        self._show_failures()

    def on_poll_done(self, message: Poll.Done) -> None:
        message.stop()
        poll = message.poll
        if not any(poll is own for own in self._polls):
            return
        if message.error is None:
            self._failures.pop(id(poll), None)
            poll.show(message.data)
        else:
            if not isinstance(message.error, ArenaError) and id(poll) not in self._failures:
                self.arena.note(message.error)
            self._failures[id(poll)] = reason(message.error)
        self._show_failures()
        self.query_one(TitleBar).tick()
        poll.ended()

    def on_screen_suspend(self) -> None:
        self._in_front = False
        for poll in self._polls:
            poll.pause()

    def on_screen_resume(self) -> None:
        # After the first paint: imports of a collector would only delay it.
        self._in_front = True
        for poll in self._polls:
            self.call_after_refresh(self._start_poll, poll)

    def _start_poll(self, poll: Poll[Any]) -> None:
        if self._in_front:  # it may have been covered since
            poll.start()

    def action_reload(self) -> None:
        for poll in self._polls:
            poll.refresh()

    async def _dispatch_message(self, message: Message) -> None:
        """Handlers of a screen may raise ArenaError: it becomes a toast."""
        try:
            await super()._dispatch_message(message)
        except ArenaError as error:
            self.arena.report(error)

    def _show_failures(self) -> None:
        failures = [self._failures[id(poll)] for poll in self._polls if id(poll) in self._failures]
        failures += [self._complaint] if self._complaint else []
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        self.query_one(ErrorLine).text = f"{failures[0]}{more}" if failures else ""
