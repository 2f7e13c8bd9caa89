"""Whether files of a run have changed since they were read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

Stamp = tuple[tuple[int, int] | None, ...]
"""Of each file when it was written and its size; None where it is not there, or empty."""


def stamp_of(run_dir: Path, names: Iterable[str]) -> Stamp:
    """Another one whenever one of these files changes."""
    found: list[tuple[int, int] | None] = []
    for name in names:
        try:
            stat = (run_dir / name).stat()
        except OSError:
            found.append(None)
        else:
            # A reader may leave an empty log of SQLite's behind: it says nothing.
            found.append((stat.st_mtime_ns, stat.st_size) if stat.st_size else None)
    return tuple(found)
