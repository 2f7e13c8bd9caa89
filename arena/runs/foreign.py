"""Results that others' programs wrote, row by row: what each says of one match, or why it cannot be read.

Players and games are names here; nothing is loaded. Of each match it is known who met whom in which game, who had
seat 0, and how it ended; replies only where the file has them.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from arena.core.errors import UsageError
from arena.core.sanitise import one_line
from arena.runs.rows import TurnRow

FORMATS = ("csv", "jsonl", "textarena", "pgn")
_MOST_NAME = 500
_MOST_RETURN = 1e9
_NAMES: Mapping[str, tuple[str, ...]] = {
    "game": ("game", "env_id", "env", "variant"),
    "a": ("a", "player_a", "white", "player", "model"),
    "b": ("b", "player_b", "black", "opponent"),
    "seat": ("seat_a", "leg", "seat"),
    "first": ("first",),
    "return_a": ("return_a", "return", "reward_a", "reward", "utility"),
    "return_b": ("return_b", "reward_b"),
    "score": ("score", "points"),
    "result": ("result", "outcome"),
    "winner": ("winner",),
    "forfeit": ("forfeit",),
    "pair": ("pair", "pair_id"),
}
_DRAWS = {"draw", "drawn", "tie", "1/2-1/2", "½-½", "="}
_WORDS = {"a": 1.0, "win": 1.0, "won": 1.0, "w": 1.0, "b": -1.0, "loss": -1.0, "lose": -1.0, "lost": -1.0, "l": -1.0}
_NOBODY = {"", "0", "no", "false", "none", "null", "-"}
_WHOEVER_LOST = {"1", "yes", "true"}


@dataclass(frozen=True, slots=True)
class ForeignMatch:
    """One match as a file tells it; `seat_a` is the seat of the player called a."""

    line: int
    game: str
    a: str
    b: str
    seat_a: int
    return_a: float
    forfeit: str = ""
    """ "a" or "b" where that player forfeited, else empty."""
    pair: str = ""
    """What the file calls its pair; empty where it does not say."""
    board: str = ""
    turn_count: int = 0
    turns: tuple[TurnRow, ...] = ()


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


class BadRow(Exception):
    """Why a row is no match."""


class Unfinished(Exception):
    """A match without a result."""


def read_foreign(path: Path, form: str, game: str | None = None) -> Foreign:
    """Read a file in one of `FORMATS`; `game` is that of rows which name none.

    A last line that is cut off is left out. Raises UsageError where the file is missing, is no text, or holds nothing
    of that format at all.
    """
    readers: dict[str, Callable[[Path], Iterator[_Row]]] = {
        "csv": _csv_rows, "jsonl": _json_rows, "textarena": _json_rows, "pgn": _pgn_rows,
    }  # fmt: skip
    matches = {"textarena": _textarena_match}.get(form, _match)
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


# Rows


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


# Matches


def _match(line: int, row: Mapping[str, Any], game: str | None) -> ForeignMatch:
    """A match from columns in our words, or in others' that say the same."""
    names = [_name(row, column) for column in ("a", "b")]
    a, b = names
    if a == b:
        raise BadRow(f"{a} meets itself")
    seat_a = _seat(row, a, b)
    value = _return(row, a, b, seat_a)
    turns = tuple(_turn(place, one) for place, one in enumerate(row["turns"])) if _has_turns(row) else ()
    return ForeignMatch(
        line,
        _game(row, game),
        a,
        b,
        seat_a,
        value,
        _forfeit(_cell(row, "forfeit"), a, b, value),
        _text(_cell(row, "pair")),
        row["board"] if isinstance(row.get("board"), str) else "",
        max((turn.turn for turn in turns), default=-1) + 1 or _count(row.get("turns")),
        turns,
    )


def _cell(row: Mapping[str, Any], column: str) -> Any:
    """The first of the column's names that the row has a value for."""
    return next((row[name] for name in _NAMES[column] if row.get(name) not in (None, "")), None)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _name(row: Mapping[str, Any], column: str) -> str:
    found = _text(_cell(row, column))
    if not found:
        raise BadRow(f"there is no player '{column}'")
    return _checked(found)


def _checked(name: str) -> str:
    if len(name) > _MOST_NAME:
        raise BadRow(f"a name has {len(name)} characters")
    return name


def _game(row: Mapping[str, Any], game: str | None) -> str:
    found = _text(_cell(row, "game")) or game
    if not found:
        raise BadRow("there is no game; name it with --game")
    return _checked(found)


def _seat(row: Mapping[str, Any], a: str, b: str) -> int:
    """The seat of a: 0 where the row does not say, as the first of two names is who begins."""
    first, seat = _text(_cell(row, "first")), _text(_cell(row, "seat"))
    if first in (a, b):
        return int(first == b)
    if first:
        if first.lower() not in ("a", "b"):
            raise BadRow(f"'{first}' in first is neither player")
        return int(first.lower() == "b")
    if seat not in ("", "0", "1"):
        raise BadRow(f"the seat is '{seat}', not 0 or 1")
    return int(seat or 0)


def _return(row: Mapping[str, Any], a: str, b: str, seat_a: int) -> float:
    """What a got: `return_a`, else the score of 0 to 1, else a result or winner in words."""
    given = _cell(row, "return_a")
    if given is not None:
        value, other = _number(given), _cell(row, "return_b")
        if other is not None and abs(value + _number(other)) > 1e-9:
            raise BadRow("the returns do not add up to zero")
        return value
    if (score := _cell(row, "score")) is not None:
        value = _number(score)
        if value not in (0.0, 0.5, 1.0):
            raise BadRow(f"the score is {value:g}, not 0, 0.5 or 1")
        return 2 * value - 1
    winner, result = _text(_cell(row, "winner")), _text(_cell(row, "result"))
    if winner:
        return _from_words(winner, a, b, seat_a)
    if result == "*":
        raise Unfinished
    if not result:
        if "winner" in row:
            return 0.0
        raise BadRow("there is no result: return_a, score, result or winner")
    return _from_words(result, a, b, seat_a)


def _from_words(text: str, a: str, b: str, seat_a: int) -> float:
    if text in (a, b):
        return 1.0 if text == a else -1.0
    word = text.lower().replace(" ", "")
    if word in _DRAWS:
        return 0.0
    if word in ("1-0", "0-1"):
        return 1.0 if (word == "1-0") == (seat_a == 0) else -1.0
    if word in _WORDS:
        return _WORDS[word]
    raise BadRow(f"the result '{text}' is not known; use a, b, draw, 1-0, 0-1, or the winner's name")


def _number(value: Any) -> float:
    try:
        found = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not abs(found) <= _MOST_RETURN:
        raise BadRow(f"'{value}' is no number")
    return found


def _count(value: Any) -> int:
    try:
        return max(0, min(int(value), 1_000_000))
    except (TypeError, ValueError, OverflowError):
        return 0


def _forfeit(value: Any, a: str, b: str, return_a: float) -> str:
    text = _text(value)
    word = text.lower()
    if word in _NOBODY:
        return ""
    loser = "a" if return_a < 0 else "b" if return_a > 0 else ""
    who = {a: "a", b: "b"}.get(text) or ({"a": "a", "b": "b"}.get(word) or (loser if word in _WHOEVER_LOST else None))
    if who is None:
        raise BadRow(f"'{text}' in forfeit is neither player")
    if who != loser:
        raise BadRow("who forfeited did not lose")
    return who


def _has_turns(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("turns"), list)


def _turn(place: int, data: Any) -> TurnRow:
    """A reply from the fields of our own; what is missing is empty."""
    if not isinstance(data, dict):
        raise BadRow("a turn is no JSON object")
    defaults: dict[str, Any] = {"str": "", "int": 0, "float": 0.0, "str | None": None}
    values: dict[str, Any] = {}
    for one in fields(TurnRow):
        kind = str(one.type)
        value = data.get(one.name, place if one.name == "turn" else defaults[kind])
        fits = {"str": str, "int": int, "float": int | float, "str | None": str | None}[kind]
        if not isinstance(value, fits) or isinstance(value, bool):
            raise BadRow(f"{one.name} of turn {place + 1} is of the wrong kind")
        values[one.name] = value
    if values["seat"] not in (0, 1):
        raise BadRow(f"turn {place + 1} is of no seat 0 or 1")
    return TurnRow(**values)


def _textarena_match(line: int, row: Mapping[str, Any], game: str | None) -> ForeignMatch:
    """A game of two as TextArena ends it: rewards by player id, and what it says of invalid moves."""
    rewards = _by_seat(row.get("rewards"), "rewards")
    names = next((row[key] for key in ("players", "models", "agents", "player_names") if key in row), None)
    a, b = (_checked(_text(name)) for name in _by_seat(names, "players"))
    if not a or not b or a == b:
        raise BadRow("two different players are needed")
    first, second = (_number(reward) for reward in rewards)
    value = float((first > second) - (first < second))
    forfeit = ""
    info: Mapping[str, Any] = next((row[key] for key in ("game_info", "info") if isinstance(row.get(key), dict)), {})
    for seat, who in enumerate("ab"):
        about = info.get(str(seat))
        lost = value < 0 if seat == 0 else value > 0
        if lost and isinstance(about, dict) and about.get("invalid_move") is True:
            forfeit = who
    turn_count = sum(_count(about.get("turn_count")) for about in info.values() if isinstance(about, dict))
    pair = _text(_cell(row, "pair"))
    return ForeignMatch(line, _game(row, game), a, b, 0, value, forfeit, pair, turn_count=turn_count)


def _by_seat(value: Any, what: str) -> tuple[Any, Any]:
    if isinstance(value, list) and len(value) == 2:
        return value[0], value[1]
    if isinstance(value, dict) and set(value) == {"0", "1"}:
        return value["0"], value["1"]
    raise BadRow(f"there are no {what} of players 0 and 1")


def _pgn_rows(path: Path) -> Iterator[_Row]:
    from arena.runs.pgn import pgn_games

    with path.open(encoding="utf-8-sig") as file:
        for line, tags, moves in pgn_games(file):
            yield _Row(line, _pgn_columns(tags, moves))


_FORFEITS = ("forfeit", "illegal", "infraction", "abandoned", "timeout", "time", "crash", "stall")


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
