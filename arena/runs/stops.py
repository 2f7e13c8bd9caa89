"""Players that could not go on in a job: noted among its events, for viewers."""

from __future__ import annotations

import json
from contextlib import suppress

from arena.core.sanitise import one_line
from arena.runs.reader import RunReader
from arena.runs.store import RunStore

_EVENTS = 1000
"""Events of the last attempt in which they are looked for."""
_LENGTH = 500


def note_stop(store: RunStore, player: str, reason: str) -> str:
    """Store that the player is stopped; returns the line that says so."""
    text = f"{player} is stopped, and its other matches stay open: {reason}"
    detail = json.dumps({"stopped_player": player, "reason": one_line(reason, _LENGTH)})
    store.add_event("warning", one_line(text, _LENGTH), detail=detail)
    return text


def stops(reader: RunReader) -> dict[str, str]:
    """Why players were stopped since the job began, or went on, by player: each begins a resume afresh."""
    started = reader.last_event(("started",))
    found: dict[str, str] = {}
    for event in reader.events(started.id if started is not None else 0, _EVENTS):
        if event.kind == "warning":
            with suppress(ValueError, RecursionError, KeyError, TypeError):
                detail = json.loads(event.detail)
                found[str(detail["stopped_player"])] = str(detail["reason"])
    return found
