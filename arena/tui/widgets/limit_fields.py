"""The lines of a form that limit what API players spend; shown where one takes part."""

from __future__ import annotations

from collections.abc import Mapping

from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.widgets import Input, Static

from arena.config.limits import LIMITS
from arena.tui.text import join, line

_LIMITS = dict(
    zip(LIMITS, (("most cost", "no limit"), ("most tokens", "no limit"), ("prices", "file.toml")), strict=True)
)


class LimitFields(Container):
    """A cost, tokens and the file with prices: all may be empty."""

    HELP = (
        "What API players may spend in all. Each request is counted before it is sent; what would pass a limit stops "
        "the player, and a resume with higher limits goes on. Prices are per million tokens, from a TOML file of your "
        'own: ["gemini:MODEL"] prompt = 0.3, completion = 2.5.'
    )
    DEFAULT_CSS = """
    LimitFields { height: auto; }
    LimitFields .limit { height: auto; }
    LimitFields .limit-line { height: 1; }
    LimitFields .limit-name { width: 12; color: $foreground-muted; }
    LimitFields Input { width: 1fr; height: 1; border: none; padding: 0 1; background: $panel; }
    LimitFields Input:focus { background: $block-cursor-background; border: none; }
    LimitFields .limit-error { height: auto; color: $text-error; display: none; }
    """

    def compose(self) -> ComposeResult:
        for name, (title, empty) in _LIMITS.items():
            with Vertical(classes="limit"):
                with Horizontal(classes="limit-line"):
                    yield Static(title, classes="limit-name")
                    yield Input(placeholder=empty, max_length=400, id=name)
                yield Static("", id=f"{name}-error", classes="limit-error")

    def on_mount(self) -> None:
        self.display = False

    @property
    def texts(self) -> dict[str, str]:
        """What is filled in, by name; nothing where no API player takes part."""
        return {name: self.query_one(f"#{name}", Input).value for name in LIMITS} if self.display else {}

    def fill(self, texts: Mapping[str, str]) -> None:
        """Put these into the fields and show them."""
        for name, text in texts.items():
            self.query_one(f"#{name}", Input).value = text
        self.display = True

    def show_errors(self, errors: Mapping[str, str]) -> None:
        """Say at each field what is wrong with it."""
        for name in LIMITS:
            shown = self.query_one(f"#{name}-error", Static)
            shown.update(line(f"✗ {errors[name]}", limit=300) if name in errors else join())
            shown.display = name in errors
