"""The course of every stored match as a short digest, so that games played twice can be told from those that differ."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from arena.runs.reader import RunReader
from arena.runs.schema import plain_errors

_MOST_RUNS = 4
"""Of so many runs what was read is kept: a job asks again and again while its matches come in."""
_BYTES = 8


@dataclass(slots=True)
class _Read:
    """What was read of one run: a match is stored whole, so a later look begins behind the last turn seen."""

    last_turn: int = 0
    digests: dict[int, bytes] = field(default_factory=dict)


_reading = threading.Lock()
_known: OrderedDict[tuple[Path, int, float], _Read] = OrderedDict()


class TranscriptReader(RunReader):
    """Reads a run's matches for those who compare them."""

    def transcripts(self) -> Mapping[int, bytes]:
        """A digest of each match's actions and positions, by the match's id; matches without a stored turn have none.

        Illegal replies do not count. Only turns stored since the last call of this process are read.
        """
        with _reading:
            read = self._read_before()
            fresh: dict[int, bytes] = {}
            last, match_id, running = read.last_turn, 0, hashlib.blake2b(digest_size=_BYTES)
            for turn, found, seat, action, board in self._steps(read.last_turn):
                last = turn
                if found != match_id:
                    if match_id:
                        fresh[match_id] = running.digest()
                    match_id, running = found, hashlib.blake2b(digest_size=_BYTES)
                if action is not None:
                    running.update(b"%d\x1f%d\x1f%s%d\x1f%s" % (seat, len(action), action, len(board), board))
            if match_id:
                fresh[match_id] = running.digest()
            # At once and only now: what was read up to an error is read again.
            read.digests.update(fresh)
            read.last_turn = last
            return read.digests

    def _read_before(self) -> _Read:
        with plain_errors(self.path):
            first = self._db.execute("SELECT at FROM match ORDER BY id LIMIT 1").fetchone()
            last = self._db.execute("SELECT coalesce(max(id), 0) FROM turn").fetchone()[0]
        key = (self.path.absolute(), self.path.stat().st_ino, first[0] if first else 0.0)
        read = _known.pop(key, None)
        if read is None or read.last_turn > last:
            read = _Read()
        _known[key] = read
        while len(_known) > _MOST_RUNS:
            _known.popitem(last=False)
        return read

    def _steps(self, after: int) -> Iterator[tuple[int, int, int, bytes | None, bytes]]:
        """(id, match id, seat, action, board) of every turn behind `after`; a match's turns follow each other."""
        columns = "id, match_id, seat, CAST(action AS BLOB), CAST(board AS BLOB)"
        with plain_errors(self.path):
            yield from self._db.execute(f"SELECT {columns} FROM turn WHERE id > ? ORDER BY id", (after,))
