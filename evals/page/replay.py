"""The stored matches as blocks of data in a page: packed, and unpacked by its script only where one is looked at.

A block is base64 of zlib-packed JSON, so nothing in it can be read as HTML; all its texts were made visible before.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from arena.core.sanitise import one_line, plain
from arena.runs.reader import RunReader
from arena.runs.rows import MatchRow, TurnRow
from evals.page.markup import data, tag

MOST_BYTES = 64 << 20
"""Of all packed blocks together; matches beyond it are listed without their turns."""
_MOST_TEXT = 20_000
"""Characters of one text."""
_BLOCK_MATCHES, _BLOCK_CHARACTERS = 25, 400_000
COLUMNS = (
    "id", "game", "a", "b", "pair", "leg", "return_a", "return_b", "forfeit", "turns", "chunk", "place",
)  # fmt: skip
"""Of the index; `chunk` is −1 where the turns are not in the file."""


class Replays:
    """Writes the blocks, then the index."""

    def __init__(self, reader: RunReader, matches: Sequence[MatchRow], most: int = MOST_BYTES) -> None:
        self._reader, self._matches, self._most = reader, matches, most

    def write(self, write: Callable[[str], object]) -> None:
        """Write all blocks and the index as `<script>` elements that hold data."""
        places: dict[int, tuple[int, int]] = {}
        size = 0
        for number, block in enumerate(self._blocks()):
            packed = base64.b64encode(zlib.compress(_json([one for _, one in block]).encode(), 6)).decode("ascii")
            if size + len(packed) > self._most:
                break
            size += len(packed)
            places |= {match_id: (number, place) for place, (match_id, _) in enumerate(block)}
            write(tag("script", packed, type="application/octet-stream", id=f"chunk-{number}") + "\n")
        write(tag("script", data(self._index(places)), type="application/json", id="index") + "\n")

    def _blocks(self) -> Iterator[list[tuple[int, dict[str, Any]]]]:
        block: list[tuple[int, dict[str, Any]]] = []
        characters = 0
        for match in self._matches:
            turns = self._reader.turns(match.id)
            if not turns:
                continue
            one = {"board": plain(match.board, _MOST_TEXT), "turns": [_turn(turn) for turn in turns]}
            block.append((match.id, one))
            characters += sum(len(turn.text) + len(turn.thought) + len(turn.observation) for turn in turns)
            if len(block) == _BLOCK_MATCHES or characters > _BLOCK_CHARACTERS:
                yield block
                block, characters = [], 0
        if block:
            yield block

    def _index(self, places: dict[int, tuple[int, int]]) -> dict[str, Any]:
        names: dict[str, int] = {}

        def number(text: str) -> int:
            return names.setdefault(text, len(names))

        rows = [
            [
                match.id, number(match.game), number(match.a), number(match.b), match.pair, match.leg,
                match.return_a, match.return_b, one_line(match.forfeit, 1), match.turns,
                *places.get(match.id, (-1, 0)),
            ]
            for match in self._matches
        ]  # fmt: skip
        games = list(dict.fromkeys(number(match.game) for match in self._matches))
        players = list(dict.fromkeys(number(name) for match in self._matches for name in (match.a, match.b)))
        shown = [one_line(name, 400) for name in names]
        left_out = sum(match.turns > 0 and match.id not in places for match in self._matches)
        found = {"columns": COLUMNS, "names": shown, "games": games, "players": players}
        return {**found, "left_out": left_out, "matches": rows}


def _turn(turn: TurnRow) -> dict[str, Any]:
    texts = {name: plain(getattr(turn, name, ""), _MOST_TEXT) for name in ("observation", "thought", "text", "board")}
    lines = {
        name: one_line(getattr(turn, name, "") or "", 4000)
        for name in ("action", "answer", "illegal", "finish_reason", "thought_source", "thought_kind")
    }
    counts = {name: getattr(turn, name) for name in ("prompt_tokens", "completion_tokens", "reasoning_tokens")}
    illegal = {"illegal": lines["illegal"] or "no reason"} if turn.action is None else {"illegal": ""}
    whole = texts["text"] if texts["text"].strip() != lines["answer"] else ""
    found = {"seat": turn.seat, **texts, **lines, **counts, **illegal, "text": whole, "seconds": round(turn.seconds, 3)}
    return {name: value for name, value in found.items() if value or name in ("seat", "action", "answer", "board")}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
