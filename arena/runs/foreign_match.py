"""What a row of others' results says of one match.

Players and games are names here; nothing is loaded. Of each match it is known who met whom in which game, who had
seat 0, and how it ended; replies only where the file has them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from arena.core.sanitise import is_text
from arena.runs.rows import TurnRow

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


class BadRow(Exception):
    """Why a row is no match."""


class Unfinished(Exception):
    """A match without a result."""


def column_match(line: int, row: Mapping[str, Any], game: str | None) -> ForeignMatch:
    """A match from columns in our words, or in others' that say the same. Raises BadRow and Unfinished."""
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
    if not is_text(name):
        raise BadRow("a name is no text: it has half of a character")
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


def textarena_match(line: int, row: Mapping[str, Any], game: str | None) -> ForeignMatch:
    """A game of two as TextArena ends it: rewards by player id, and what it says of invalid moves. Raises BadRow."""
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
