"""What the Launch screen asks: which preset, which file to read, which to write."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.app import App

from arena.core.sanitise import one_line
from arena.tui.screens.confirm import AskScreen, ConfirmScreen

_LONGEST = 4000
"""Characters of a path."""


def ask_to_lose(app: App[Any], verb: str, name: str, then: Callable[[], object]) -> None:
    """Ask before what was changed is lost."""
    detail = "What was changed here is neither saved nor started; it is lost."

    def answered(yes: bool | None) -> None:
        if yes:
            then()

    app.push_screen(ConfirmScreen(verb, name, detail, verb), answered)


def ask_source(app: App[Any], then: Callable[[str], object]) -> None:
    """Ask which TOML file to read."""

    def named(path: str | None) -> None:
        if path:
            then(path)

    app.push_screen(AskScreen("TOML file to read", "", _LONGEST), named)


def ask_target(app: App[Any], name: str, then: Callable[[str], object]) -> None:
    """Ask which file to write, and once more before another is overwritten."""

    def named(path: str | None) -> None:
        if not path:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                then(path)

        if Path(os.path.expanduser(path)).exists():
            app.push_screen(ConfirmScreen("Overwrite", path, "What is in the file is lost.", "Overwrite"), answered)
        else:
            then(path)

    app.push_screen(AskScreen("File to write the TOML to", f"{one_line(name, 60)}.toml", _LONGEST), named)
