"""Files of results that others' programs wrote: their rows, each as a match or with why it cannot be read."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from arena.core.errors import UsageError
from arena.core.sanitise import one_line
from arena.runs.foreign_match import BadRow, ForeignMatch, Unfinished, column_match, textarena_match

FORMATS = ("csv", "jsonl", "textarena", "pgn")
_FORFEITS = ("forfeit", "illegal", "infraction", "abandoned", "timeout", "time", "crash", "stall")
"""What terminations of PGN mean one, where the match is decided."""


@dataclass(slots=True)
class Foreign:
    """What a file holds."""

    matches: list[ForeignMatch] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    """Why rows cannot be read, each with its file and line."""
    unfinished: int = 0
    """Matches without a result."""
    truncated: bool = False
    """Whether the last line is cut off."""


class _Row(NamedTuple):
    line: int
    found: Mapping[str, Any] | str
    """What the row says by column, or why it cannot be read."""


def read_foreign(path: Path, form: str, game: str | None = None) -> Foreign:
    """Read a file in one of `FORMATS`; `game` is that of rows which name none.

    A last line that is cut off is left out. Raises UsageError where the file is missing, is no text, or holds nothing
    of that format at all.
    """
    readers: dict[str, Callable[[Path], Iterator[_Row]]] = {
        "csv": _csv_rows, "jsonl": _json_rows, "textarena": _json_rows, "pgn": _pgn_rows,
    }  # fmt: skip
    matches = {"textarena": textarena_match}.get(form, column_match)
    game = game or ("chess" if form == "pgn" else None)
    found = Foreign()
    last: str | None = None
    try:
        for row in readers[form](path):
            last = _take(found, path, row, matches, game)
        cut = form != "pgn" and last is not None and not _ends_a_line(path)
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8 text.") from error
    if cut:
        found.bad.pop()
        found.truncated = True
    if not found.matches and not found.bad and not found.unfinished:
        raise UsageError(f"{path} holds no match.", f"It was read as {form}; say otherwise with --format.")
    return found


def _take(found: Foreign, path: Path, row: _Row, read: Callable[..., ForeignMatch], game: str | None) -> str | None:
    """Add a row; returns the line about it where it is bad."""
    try:
        if isinstance(row.found, str):
            raise BadRow(row.found)
        found.matches.append(read(row.line, row.found, game))
    except Unfinished:
        found.unfinished += 1
    except BadRow as error:
        found.bad.append(one_line(f"{path}:{row.line}: {error}", 1000))
        return found.bad[-1]
    return None


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, 2):
            return True
        file.seek(-1, 2)
        return file.read() == b"\n"


def digest(path: Path) -> str:
    """SHA-256 of a file. Raises UsageError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}.") from error


def _csv_rows(path: Path) -> Iterator[_Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        head = file.readline()
        delimiter = max(",;\t", key=head.count)
        columns = next(csv.reader([head], delimiter=delimiter), [])
        names = [_column(name) for name in columns]
        rows = csv.reader(file, delimiter=delimiter)
        while True:
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield _Row(rows.line_num + 1, f"it is no CSV ({error})")
                continue
            if any(cell.strip() for cell in cells):
                short = len(cells) != len(names)
                words = f"it has {len(cells)} columns, the first line {len(names)}"
                yield _Row(rows.line_num + 1, words if short else dict(zip(names, cells, strict=True)))


def _column(name: str) -> str:
    return "_".join(name.strip().lower().split())


def _json_rows(path: Path) -> Iterator[_Row]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _Row(number, _json_object(line))


def _json_object(line: bytes) -> Mapping[str, Any] | str:
    try:
        found = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return "it is no JSON"
    return {_column(str(key)): value for key, value in found.items()} if isinstance(found, dict) else "no JSON object"


def _pgn_rows(path: Path) -> Iterator[_Row]:
    from arena.runs.pgn import pgn_games

    with path.open(encoding="utf-8-sig") as file:
        for line, tags, moves in pgn_games(file):
            yield _Row(line, _pgn_columns(tags, moves))


def _pgn_columns(tags: Mapping[str, str], moves: Iterable[str]) -> Mapping[str, Any] | str:
    missing = [tag for tag in ("white", "black", "result") if not tags.get(tag)]
    if missing:
        return f"the game has no tag {missing[0].capitalize()}"
    turns = [{"turn": place, "seat": place % 2, "action": move, "answer": move} for place, move in enumerate(moves)]
    ended = tags.get("termination", "").lower()
    decided = tags["result"] in ("1-0", "0-1")
    return {
        "game": tags.get("variant", ""),
        "a": tags["white"],
        "b": tags["black"],
        "result": tags["result"],
        "board": tags.get("fen", ""),
        "forfeit": "yes" if decided and any(word in ended for word in _FORFEITS) else "",
        "turns": turns,
    }
