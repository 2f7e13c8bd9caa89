"""The presets in `assets/configs`, and what each is for by its leading comment."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from arena.config.base import PRESETS, kind_of, read_toml
from arena.core.errors import ArenaError

_LONG = 120
"""Most characters of `Preset.about`."""


@dataclass(frozen=True, slots=True)
class Preset:
    """One configuration that is there to start from."""

    name: str
    kind: str
    """Kind of its job: train or sft."""
    about: str
    """One line: the first sentence of its leading comment, or of a long one the part before its colon."""
    path: Path
    comment: str = ""
    """The whole leading comment, in one line."""


def presets() -> list[Preset]:
    """All of them, by name. Raises UsageError for one that is no valid TOML."""
    return [read_preset(path) for path in sorted(PRESETS.glob("*.toml"))]


def read_preset(path: Path) -> Preset:
    """A TOML file as a preset. Raises UsageError where it cannot be read or is no valid TOML."""
    kind = kind_of(read_toml(path))
    comment = _comment(read_text(path))
    return Preset(path.stem, kind, _about(comment), path, comment)


def read_text(path: Path) -> str:
    """The file as it was written, comments and all."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ArenaError(f"Cannot read {path}: {error.strerror}.") from error


def _comment(text: str) -> str:
    lines = takewhile(lambda line: line.startswith("#"), text.splitlines())
    return " ".join(line.lstrip("#").strip() for line in lines)


def _about(comment: str) -> str:
    sentence = re.split(r"(?<=\.)\s", comment, maxsplit=1)[0].rstrip(".")
    if len(sentence) > _LONG:
        sentence = sentence.partition(": ")[0]
    return textwrap.shorten(sentence, _LONG, placeholder=" …")
