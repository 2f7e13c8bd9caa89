"""The errors a user may meet. Raised at the edge, caught once by the CLI and once by the TUI."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ArenaError(Exception):
    """Something failed; `message` is one line, `hint` says what to do about it."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(ArenaError):
    """The user asked for something that does not exist or does not fit; exit code 2."""

    exit_code = 2


class UnknownName(UsageError):
    """A game, player, preset, key or run that does not exist; names the nearest that do."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"Did you mean {', '.join(near)}?" if near else f"Known: {', '.join(names) or 'none'}."
        super().__init__(f"Unknown {kind} '{name}'.", hint)


class MissingExtra(UsageError):
    """An optional dependency is not installed; the hint is the command that installs it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional dependency.", f"Install it: pip install -e '.[{extra}]'")


class InfrastructureError(ArenaError):
    """A player could not answer for a reason that is not its own doing: the match is void, and replayed."""


class PlayerStopped(InfrastructureError):
    """A player cannot go on in this job (its key is refused, its budget spent, its daily quota used).

    Its open pairs stay for a resume.
    """
