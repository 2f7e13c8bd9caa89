"""Where a viewer is in a match: a cursor over its replies that follows, plays, or rests. It moves the viewer alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SPEEDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Replies a second."""

Mode = Literal["follow", "play", "rest"]


@dataclass(slots=True)
class Playback:
    """The cursor `at` counts the replies that are shown: 0 is the first position, `length` all that there is."""

    length: int = 0
    live: bool = False
    """Whether more may come: only then can it follow."""
    at: int = 0
    mode: Mode = "rest"
    backwards: bool = False
    notch: int = 1

    @property
    def speed(self) -> float:
        return SPEEDS[self.notch]

    @property
    def ahead(self) -> int:
        """Replies that are there but not shown."""
        return self.length - self.at

    def open(self, length: int, live: bool) -> None:
        """Another match: a live one is followed, a stored one rests at its first position."""
        self.length, self.live, self.backwards = length, live, False
        self.mode = "follow" if live else "rest"
        self.at = length if live else 0

    def grow(self, length: int, live: bool) -> None:
        """The same match as it is now; a replayed one may have become shorter."""
        self.length, self.live = length, live
        self.at = length if self.mode == "follow" else min(self.at, length)
        if self.mode == "follow" and not live:
            self.mode = "rest"

    def toggle(self) -> None:
        """Rest, or go on from here: at the end of a live match follow it, of another begin again."""
        if self.mode != "rest":
            self.mode = "rest"
        elif self.backwards:
            self.at = self.at or self.length
            self.mode = "play"
        elif self.at < self.length:
            self.mode = "play"
        elif self.live:
            self.mode = "follow"
        elif self.length:
            self.at, self.mode = 0, "play"

    def replay(self) -> None:
        """Play it from its start."""
        self.at, self.backwards = 0, False
        self.mode = "play" if self.length else "rest"

    def turn(self) -> None:
        """Play the other way."""
        self.backwards = not self.backwards
        self.mode = "rest"
        self.toggle()

    def step(self, by: int) -> None:
        """Rest so many replies from here."""
        self.at = min(max(self.at + by, 0), self.length)
        self.mode = "rest"

    def go(self, to: int) -> None:
        """Rest there."""
        self.step(to - self.at)

    def end(self) -> None:
        """All that there is, and what comes."""
        self.at, self.backwards = self.length, False
        self.mode = "follow" if self.live else "rest"

    def faster(self, by: int) -> None:
        self.notch = min(max(self.notch + by, 0), len(SPEEDS) - 1)

    def tick(self) -> bool:
        """One reply further while it plays; whether anything changed."""
        if self.mode != "play":
            return False
        if self.backwards:
            self.at = max(self.at - 1, 0)
            if not self.at:
                self.mode = "rest"
        else:
            self.at = min(self.at + 1, self.length)
            if self.at == self.length:
                self.mode = "follow" if self.live else "rest"
        return True
