"""How fast a run goes, from rows that tell the Unix time, though a machine's clock may jump while they are written.

Each row also tells how long its match or step took on a clock that cannot jump. The time from one row to the next is
believed where it is possible for such a match or step; a row that seems to be older than the one before it, or too
much later (a jump, a suspended machine, a pause before a resume), counts as long as its match or step took.
"""

from __future__ import annotations

from arena.runs.reader import RunReader
from arena.runs.schema import plain_errors

_SLACK = 5.0
"""Seconds that may pass between a row and the next beyond what its match or step took."""
_PHASES = tuple(f"seconds_{phase}" for phase in ("collect", "advantages", "learn", "publish", "evaluate"))

_MATCHES = "SELECT id AS place, at, seconds FROM match WHERE id > ?"
_STEPS = f"""
SELECT step AS place, at, seconds + lag(saved, 1, 0) OVER (ORDER BY step) AS seconds FROM (
    SELECT
        step, max(at) FILTER (WHERE name = 'seconds_learn') AS at,
        total(value) FILTER (WHERE name <> 'seconds_checkpoint') AS seconds,
        total(value) FILTER (WHERE name = 'seconds_checkpoint') AS saved
    FROM metric WHERE name IN ({", ".join(f"'{name}'" for name in (*_PHASES, "seconds_checkpoint"))}) AND step > ?
    GROUP BY step
) WHERE at IS NOT NULL
"""
_PACE = """
SELECT avg(CASE WHEN gap BETWEEN 0 AND seconds + ? THEN gap ELSE seconds END)
FROM (SELECT at - lag(at) OVER (ORDER BY place) AS gap, seconds FROM ({})) WHERE gap IS NOT NULL
"""


class SpeedReader(RunReader):
    """A reader that tells the pace too."""

    def match_pace(self, after_id: int = 0) -> float | None:
        """Mean seconds from one match's end to the next one's, of those with a greater id; None with fewer than two."""
        return self._pace(_MATCHES, after_id)

    def step_pace(self, after: int) -> float | None:
        """Mean seconds of the training steps behind `after`, evaluations and checkpoints included."""
        return self._pace(_STEPS, after)

    def _pace(self, rows: str, after: int) -> float | None:
        with plain_errors(self.path):
            pace = self._db.execute(_PACE.format(rows), (_SLACK, after)).fetchone()[0]
        return pace or None
