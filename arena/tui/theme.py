"""How states look, once for all screens, and the themes.

Meaning never hangs on colour: every state has a glyph and a word.
"""

from __future__ import annotations

from typing import NamedTuple

from textual.content import Content
from textual.theme import Theme

from arena.core.sanitise import one_line

EMPTY = Content.styled("—", "$foreground-muted")
"""There is no such figure."""
LOADING = Content.styled("Loading…", "$foreground-muted")
"""It is being read."""


class Look(NamedTuple):
    """How one state is shown."""

    glyph: str
    word: str
    style: str


STATUS = {
    "running": Look("●", "running", "$text-success"),
    "stopping": Look("◐", "stopping", "$text-warning"),
    "finished": Look("✓", "finished", ""),
    "stopped": Look("■", "stopped", "$foreground-muted"),
    "failed": Look("✗", "failed", "$text-error"),
    "dead": Look("†", "dead", "$text-error"),
    "unreadable": Look("?", "unreadable", "$text-error"),
}
"""States of a run: those of `arena.runs.record.Status`, `stopping` (asked to) and `unreadable`."""
LEVEL = {
    "ok": Look("✓", "ok", "$text-success"),
    "warn": Look("⚠", "warning", "$text-warning"),
    "alarm": Look("✗", "alarm", "$text-error"),
}
"""Levels of `HealthRow`."""


def status(name: str) -> Content:
    """A run's state as glyph and word in its colour."""
    return _shown(STATUS.get(name) or Look("?", name, ""))


def level(name: str) -> Content:
    """An alarm's level as glyph and word in its colour."""
    return _shown(LEVEL.get(name) or Look("?", name, ""))


def _shown(look: Look) -> Content:
    return Content.styled(f"{look.glyph} {one_line(look.word, 20)}", look.style)


DARK, LIGHT, TERMINAL, TERMINAL_LIGHT = "arena-dark", "arena-light", "ansi-dark", "ansi-light"
"""Names of our themes, and of those that leave all colours to the terminal."""

THEMES = (
    Theme(
        name=DARK,
        primary="#7aa2c8",
        secondary="#8f9bb3",
        accent="#e0a458",
        foreground="#d5d9e0",
        background="#14171c",
        surface="#191d23",
        panel="#222730",
        success="#7fb88a",
        warning="#e0b35c",
        error="#e0716c",
        variables={
            "border": "#7aa2c8",
            "border-blurred": "#343b47",
            "block-cursor-background": "#2b3a4d",
            "block-cursor-foreground": "#f2f4f8",
            "block-cursor-text-style": "none",
            "block-cursor-blurred-background": "#20262f",
            "block-cursor-blurred-foreground": "#d5d9e0",
            "footer-key-foreground": "#e0a458",
        },
    ),
    Theme(
        name=LIGHT,
        dark=False,
        primary="#2f6394",
        secondary="#5b6779",
        accent="#a4600b",
        foreground="#22272f",
        background="#fbfaf7",
        surface="#f4f2ed",
        panel="#e9e6df",
        success="#2f7a43",
        warning="#8f6100",
        error="#b3332e",
        variables={
            "border": "#2f6394",
            "border-blurred": "#cdc8bd",
            "block-cursor-background": "#d5e2ef",
            "block-cursor-foreground": "#14171c",
            "block-cursor-text-style": "none",
            "block-cursor-blurred-background": "#eae7e0",
            "block-cursor-blurred-foreground": "#22272f",
            "footer-key-foreground": "#a4600b",
        },
    ),
)
