"""Every stored match whole, with all its replies: one JSON object a line, which `import` reads back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from arena.runs.reader import RunReader

_OF_THIS_RUN = ("id", "number", "step", "at")


def write_matches(run_dir: Path, write: Callable[[str], object]) -> None:
    """Write the matches in the order of the schedule, finished or not. Raises ArenaError where they cannot be read."""
    with RunReader(run_dir) as reader:
        for match in reader.all_matches():
            row = {name: value for name, value in asdict(match).items() if name not in _OF_THIS_RUN}
            row["turns"] = [asdict(turn) for turn in reader.turns(match.id)]
            write(json.dumps(row) + "\n")
