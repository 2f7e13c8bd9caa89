"""Portable Game Notation: tags and moves of each game in a file, with no knowledge of any rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_TAG = re.compile(r'\[\s*(\w+)\s+"((?:[^"\\]|\\.)*)"\s*\]')
_TOKEN = re.compile(r"\{[^}]*\}?|;[^\n]*|\(|\)|\$\d+|[^\s{}();]+")
_NUMBER = re.compile(r"\d+\.*")
_RESULTS = {"1-0", "0-1", "1/2-1/2", "*"}

Game = tuple[int, dict[str, str], list[str]]
"""The line on which it begins, its tags in small letters, and its moves; comments and variations are left out."""


def pgn_games(lines: Iterable[str]) -> Iterator[Game]:
    """The games of a file, one after another."""
    began, tags, text = 0, dict[str, str](), list[str]()
    for number, line in enumerate(lines, start=1):
        found = None if _in_comment(text) else _TAG.match(line.strip())
        if found is None:
            if line.strip() and not line.startswith("%"):
                began = began or number
                text.append(line)
            continue
        if text:
            yield began, tags, _moves("".join(text))
            began, tags, text = 0, {}, []
        began = began or number
        tags[found[1].lower()] = re.sub(r"\\(.)", r"\1", found[2])
    if tags or text:
        yield began, tags, _moves("".join(text))


def _in_comment(text: list[str]) -> bool:
    return bool(text) and (joined := text[-1]).rfind("{") > joined.rfind("}")


def _moves(text: str) -> list[str]:
    moves, depth = [], 0
    for token in _TOKEN.findall(text):
        if token in "()":
            depth += 1 if token == "(" else -1
        elif depth <= 0 and token[0] not in "{;$" and token not in _RESULTS:
            move = _NUMBER.sub("", token, count=1) if token[0].isdigit() and "." in token else token
            if move and not _NUMBER.fullmatch(move):
                moves.append(move)
    return moves
