"""What the user set: `$XDG_CONFIG_HOME/spiral-arena/settings.toml`, and themes of one's own beside it.

    theme = "arena-light"        # or any of Textual's, "ansi-dark" for the terminal's own colours, or one of yours
    motion = false               # as --no-motion
    mouse = false                # as --no-mouse
    [keymap]
    "run.stop" = "x"             # the ids are in the help of each screen

    themes/NAME.toml             primary = "#7aa2c8" and whatever else of Textual's theme: dark, accent, [variables], …

A file that cannot be used changes nothing but what the user is told. A theme chosen in the palette is kept in the
state directory, and holds until `settings.toml` is changed.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from textual.theme import Theme

from arena.tui.theme import DARK

_KINDS: dict[str, type] = {"theme": str, "keymap": dict, "motion": bool, "mouse": bool}


@dataclass(frozen=True, slots=True)
class Settings:
    """The user's wishes, and what was wrong with the files that say them."""

    theme: str = DARK
    keymap: Mapping[str, str] = field(default_factory=dict)
    """Keys by the id of a binding, several separated by commas."""
    motion: bool = True
    mouse: bool = True
    themes: tuple[Theme, ...] = ()
    """The user's own."""
    problems: tuple[str, ...] = ()
    """One line for each file or key that was not used."""


def config_dir() -> Path:
    """Where the user's settings are."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "spiral-arena"


def state_dir() -> Path:
    """Where what was copied, the chosen theme and the log of errors go."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "spiral-arena"


def load_settings(folder: Path | None = None) -> Settings:
    """Read settings and themes; what is missing or bad is as by default, and named in `problems`."""
    folder = folder or config_dir()
    problems: list[str] = []
    values = _checked(folder / "settings.toml", _read(folder / "settings.toml", problems), problems)
    if (chosen := _chosen_theme(folder / "settings.toml")) is not None:
        values["theme"] = chosen
    themes = []
    try:
        found = sorted((folder / "themes").glob("*.toml"))
    except OSError as error:
        found = []
        problems.append(f"{folder / 'themes'}: {error.strerror}")
    for path in found:
        if (theme := _theme(path, problems)) is not None:
            themes.append(theme)
    return Settings(**values, themes=tuple(themes), problems=tuple(problems))


def keep_theme(name: str) -> None:
    """Begin with this theme from now on. Raises OSError."""
    state_dir().mkdir(parents=True, exist_ok=True)
    path = state_dir() / "theme"
    path.write_text(name, encoding="utf-8")
    with suppress(OSError):
        written = (config_dir() / "settings.toml").stat()
        if written.st_mtime_ns >= path.stat().st_mtime_ns:  # the clock went back since
            os.utime(path, ns=(written.st_mtime_ns, written.st_mtime_ns + 1))


def _chosen_theme(settings: Path) -> str | None:
    """The theme that was chosen last in the palette, unless the settings are newer."""
    path, written = state_dir() / "theme", 0
    with suppress(OSError):
        written = settings.stat().st_mtime_ns
    with suppress(OSError, UnicodeDecodeError):
        if path.stat().st_mtime_ns > written:
            return path.read_text(encoding="utf-8")
    return None


def _read(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        problems.append(f"{path}: {error.strerror}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{path}: {error}")
    return {}


def _checked(path: Path, found: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in found.items():
        kind = _KINDS.get(key)
        if kind is None:
            problems.append(f"{path}: there is no setting '{key}'; known are {', '.join(_KINDS)}")
        elif not _fits(value, kind):
            problems.append(f"{path}: '{key}' is not of the kind {'text' if kind is str else kind.__name__}")
        else:
            values[key] = value
    return values


def _fits(value: Any, kind: type) -> bool:
    if isinstance(value, dict):
        return kind is dict and all(isinstance(key, str) for key in value.values())
    return isinstance(value, kind)


def _theme(path: Path, problems: list[str]) -> Theme | None:
    data = _read(path, problems)
    if not data:
        return None
    known = {item.name for item in fields(Theme)} - {"name"}
    try:
        if unknown := data.keys() - known:
            raise ValueError(f"there is no '{min(unknown)}' in a theme")
        theme = Theme(name=path.stem, **data)
        theme.to_color_system().generate()
    except Exception as error:  # Textual checks colours with errors of many kinds
        problems.append(f"{path}: {' '.join(str(error).split()) or type(error).__name__}")
        return None
    return theme
