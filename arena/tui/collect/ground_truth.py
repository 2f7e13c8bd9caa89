"""The ground truth of matches that are looked at, told by a process and remembered."""

from __future__ import annotations

from arena.core.errors import UsageError
from arena.runs.verdicts import Judge, Judgement
from arena.tui.collect.matches import Match

_MOST = 256


class GroundTruth:
    """Asks one process about one match after the other; `of` blocks, `close` ends it."""

    def __init__(self) -> None:
        self._judge = Judge()
        self._known: dict[tuple[object, ...], Judgement | None] = {}

    def of(self, match: Match) -> Judgement | None:
        """None for a game that is not here. Raises ArenaError where the process fails."""
        key = (match.run_dir, match.id, match.unit, len(match.turns))
        if match.id is not None and key in self._known:
            return self._known[key]
        try:
            found = self._judge.judge(match.game, match.turns)
        except UsageError:
            found = None
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = found
        return found

    def close(self) -> None:
        self._judge.close()
