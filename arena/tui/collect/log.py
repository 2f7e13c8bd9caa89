"""The tail of a run's logs: what its newest attempt printed and noted, from where the last read ended."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from arena.core.errors import ArenaError

CHUNK = 64 * 1024
"""Bytes of one read, of what is shown of a log at first, and of a line before it is cut."""
_MOST = 16 * CHUNK
"""Bytes of a file that one `read` takes in; where there are more, all but the last of them are passed over."""
_SHORT = {"stdout": "out", "stderr": "err"}


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line as it was written; `source` is "job", "out" or "err", or empty for a word of ours."""

    source: str
    text: str


@dataclass(slots=True)
class _File:
    """One log file: how far it was read, and the line that has no end yet."""

    path: Path
    offset: int = 0
    inode: int = 0
    open_line: bytes = b""

    @property
    def source(self) -> str:
        return _SHORT.get(self.path.stem, self.path.stem)


class LogReader:
    """Follows the files of the newest attempt; only one thread at a time may."""

    def __init__(self, run_dir: Path) -> None:
        self.logs = run_dir / "logs"
        self._attempt: Path | None = None
        self._files: dict[Path, _File] = {}

    def read(self) -> tuple[LogLine, ...]:
        """The lines that came since the last read; of a file that is new to us its end.

        A file that shrank or was replaced is read from its start, and a line says so. Raises ArenaError where the
        logs are there and cannot be read.
        """
        try:
            lines = self._turn_to_newest()
            paths = sorted(self._attempt.glob("*.log"), reverse=True) if self._attempt else []
            for path in paths:
                lines += self._news(self._files.setdefault(path, _File(path)))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ArenaError(f"The logs in {self.logs} cannot be read: {error.strerror}.") from error
        return tuple(lines)

    def _turn_to_newest(self) -> list[LogLine]:
        found = [path for path in self.logs.glob("attempt_*") if path.name.removeprefix("attempt_").isdecimal()]
        newest = max(found, key=lambda path: int(path.name.removeprefix("attempt_")), default=None)
        if newest is None or newest == self._attempt:
            return []
        again = self._attempt is not None
        self._attempt, self._files = newest, {}
        return [LogLine("", f"attempt {newest.name.removeprefix('attempt_')}")] if again else []

    def _news(self, file: _File) -> list[LogLine]:
        with file.path.open("rb") as stream:
            stat = os.fstat(stream.fileno())
            lines: list[LogLine] = []
            if stat.st_size < file.offset or (file.inode and stat.st_ino != file.inode):
                lines.append(LogLine("", f"{file.path.name} was cut short or replaced"))
                file.offset, file.open_line = 0, b""
            elif stat.st_size - file.offset > (_MOST if file.inode else CHUNK):
                lines.append(LogLine("", f"earlier lines are in {file.path}"))
                file.offset, file.open_line = stat.st_size - CHUNK, b""
                stream.seek(file.offset)
                file.offset += len(stream.readline(CHUNK))
            file.inode = stat.st_ino
            stream.seek(file.offset)
            while file.offset < stat.st_size and (data := stream.read(min(CHUNK, stat.st_size - file.offset))):
                file.offset += len(data)
                lines += self._lines(file, data)
            return lines

    def _lines(self, file: _File, data: bytes) -> list[LogLine]:
        """The whole lines of what was read; one that never ends is cut into pieces."""
        *whole, file.open_line = (file.open_line + data).split(b"\n")
        if len(file.open_line) >= CHUNK:
            whole.append(file.open_line)
            file.open_line = b""
        return [LogLine(file.source, _text(line)) for line in whole if line]


def _text(line: bytes) -> str:
    """What a terminal would have left of a line that was written over with carriage returns."""
    return line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]
