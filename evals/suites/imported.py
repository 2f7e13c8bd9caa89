"""The suite `imported`: matches that others played, with the tables and ratings of a tournament."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from arena.config.imported import ImportConfig
from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.runs.foreign import Foreign, digest, read_foreign
from arena.runs.job import Job
from arena.runs.pairing import Placed, place_pairs
from arena.runs.reader import RunReader
from arena.runs.rows import MatchRow, TurnRow
from evals import report

CONFIG = ImportConfig
EVENT = "imported"
"""Kind of the event that holds what became of the file, as JSON."""


async def play(job: Job, config: ImportConfig) -> None:
    """Store every match of the file, all or none. Raises ArenaError where it is not as it was when the run was made."""
    with RunReader(job.run_dir) as reader:
        if reader.last_event((EVENT,)) is not None:
            return
    path = Path(config.source)
    if digest(path) != config.sha256:
        raise ArenaError(f"{path} is not the file it was when this run was made.", "Import it again.")
    found = read_foreign(path, config.format, config.game)
    placed = place_pairs(found.matches, config.source)
    about = _about(config, found, placed)
    job.store.add_event(EVENT, one_line(" ".join(_notes(about)), 2000), detail=json.dumps(about), now=False)
    job.store.add_matches(_rows(placed))


def planned(config: ImportConfig) -> int:
    """How many matches it has."""
    return config.matches


def _rows(placed: Iterable[Placed]) -> Iterable[tuple[MatchRow, tuple[TurnRow, ...]]]:
    other = {"": "", "a": "b", "b": "a"}
    for number, one in enumerate(placed):
        match, same = one.match, one.a == one.match.a
        value = match.return_a if same else -match.return_a
        row = MatchRow(
            number, match.game, one.a, one.b, one.pair, one.leg, 0, value, -value,
            match.forfeit if same else other[match.forfeit], match.turn_count, 0, 0.0, match.board,
        )  # fmt: skip
        yield row, match.turns


def _about(config: ImportConfig, found: Foreign, placed: Iterable[Placed]) -> dict[str, Any]:
    placed = list(placed)
    return {
        "source": Path(config.source).name,
        "format": config.format,
        "matches": len(placed),
        "pairs": sum(one.whole for one in placed) // 2,
        "leftovers": sum(not one.whole for one in placed),
        "skipped": len(found.bad),
        "unfinished": found.unfinished,
        "truncated": found.truncated,
        "paired_by": "id" if any(one.match.pair for one in placed) else "order",
    }


def build_result(run_dir: Path) -> dict[str, Any]:
    """The tournament's JSON, `imported` with what became of the file's rows, and `notes` on it in words."""
    with RunReader(run_dir) as reader:
        event = reader.last_event((EVENT,))
    try:
        about = json.loads(event.detail) if event is not None else {}
        notes = _notes(about) if about else []
    except (ValueError, KeyError, TypeError) as error:
        raise ArenaError(f"{run_dir} is damaged: what was imported cannot be read.") from error
    return report.build_result(run_dir) | {"imported": about, "notes": notes}


def _notes(about: Mapping[str, Any]) -> list[str]:
    """What a reader of the tables should know of where they come from."""
    how = "as the file says" if about["paired_by"] == "id" else "each two with swapped seats in their order"
    lines = [f"Imported from {about['source']}. Matches: {about['matches']}. Pairs: {about['pairs']}, {how}."]
    if about["leftovers"]:
        lines.append(f"Matches without a partner of swapped seats, which are in no figure: {about['leftovers']}.")
    if about["paired_by"] != "id":
        lines.append("Such pairs share no luck: their intervals are right, and wider than those of pairs that do.")
    if about["skipped"]:
        lines.append(f"Rows left out because they cannot be read: {about['skipped']}.")
    if about["unfinished"]:
        lines.append(f"Matches left out because they have no result: {about['unfinished']}.")
    if about["truncated"]:
        lines.append("The last line of the file is cut off, and left out.")
    return lines


def render(result: Mapping[str, Any]) -> RenderableType:
    """The tournament's tables, and below them the notes."""
    notes = Text("\n".join(one_line(note, 1000) for note in result["notes"]))
    return Group(report.render_table(result), *([notes] if result["notes"] else []))
