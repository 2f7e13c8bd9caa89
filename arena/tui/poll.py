"""Keep something on screen fresh: a collector runs in a thread every so often, its result arrives as a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget

from arena.core.errors import ArenaError

T = TypeVar("T")


class Poll(Generic[T]):
    """Calls `collect` in a thread every `seconds`, and `show` with its result on the owner's own time.

    A tick that falls into a running collection is dropped; a `refresh` that does is made up for afterwards. A
    collection that raises keeps what was shown: the owner is told through `Poll.Done`, whose `error` says why.
    """

    class Done(Message):
        """One collection ended; handled by `ArenaScreen`."""

        def __init__(self, poll: Poll[Any], data: Any, error: Exception | None) -> None:
            super().__init__()
            self.poll = poll
            self.data = data
            self.error = error

    def __init__(self, owner: Widget, collect: Callable[[], T], show: Callable[[T], None], seconds: float) -> None:
        self.collect = collect
        self.show = show
        self._owner = owner
        self._seconds = seconds
        self._timer: Timer | None = None
        self._busy = self._again = False

    def start(self) -> None:
        """Collect now and from now on; also after `pause`."""
        if self._timer is None:
            self._timer = self._owner.set_interval(self._seconds, self._tick)
        else:
            self._timer.resume()
        self.refresh()

    def pause(self) -> None:
        """No ticks until `start`."""
        if self._timer is not None:
            self._timer.pause()

    def refresh(self) -> None:
        """Collect now, or as soon as the running collection ends."""
        if self._busy:
            self._again = True
        else:
            self._run()

    def ended(self) -> None:
        """The owner has taken the result."""
        self._busy = False
        if self._again:
            self._again = False
            self._run()

    def _tick(self) -> None:
        if not self._busy:
            self._run()

    def _run(self) -> None:
        self._busy = True
        self._owner.run_worker(self._work, thread=True, group="poll", exit_on_error=False)

    def _work(self) -> None:
        data: T | None = None
        failure: Exception | None = None
        try:
            data = self.collect()
        except Exception as error:
            failure = error
        self._owner.post_message(self.Done(self, data, failure))


def reason(error: Exception) -> str:
    """An error in one line: ours as it is, any other with its kind."""
    return str(error) if isinstance(error, ArenaError) else f"{type(error).__name__}: {error}".rstrip(": ")
