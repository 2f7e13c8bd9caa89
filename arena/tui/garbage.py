"""The garbage collector's long pass, which looks at everything that lives, in moments when no key waits for it."""

from __future__ import annotations

import gc
import time

LONG_EVERY = 1000
"""Short passes after which a long one comes by itself, for those who never stop typing; Python's own is 10."""
DUE = 10
"""Short passes after which a long one comes in a quiet moment."""
QUIET = 2.0
"""Seconds without a key."""


class QuietCollector:
    """Told of every key; looks once a second whether a long pass is due and nobody types."""

    def __init__(self) -> None:
        self._last_key = self._last_pass = time.monotonic()

    def begin(self) -> None:
        """What is loaded by now stays, and is not looked at again; see `arena.__main__`, which holds the collector."""
        gc.freeze()
        gc.set_threshold(*gc.get_threshold()[:2], LONG_EVERY)
        gc.enable()

    def key(self) -> None:
        self._last_key = time.monotonic()

    def look(self) -> None:
        if time.monotonic() - self._last_key >= QUIET and gc.get_count()[2] >= DUE:
            gc.collect()

    def screen_left(self) -> None:
        """A screen that is gone is the largest garbage there is; called when the next one has been painted."""
        now = time.monotonic()
        if gc.get_threshold()[2] == LONG_EVERY and now - self._last_pass > 0.2:
            gc.collect()
            self._last_pass = time.monotonic()
