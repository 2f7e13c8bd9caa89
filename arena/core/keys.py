"""Keyed randomness: every draw of a match is a pure function of (key, stream, index).

There is no shared generator anywhere, so neither the order in which matches run nor their place
in a batch can change a draw, and a state that is replayed or searched draws the same luck again.
"""

from __future__ import annotations

import hashlib
import random


def derive_key(*parts: object) -> int:
    """Return a 63-bit key that depends on every part (their `str`) and on nothing else."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def match_key(seed: int, game: str, pair: int) -> int:
    """Key of the pair's two matches: the same deals and dice by seat in both."""
    return derive_key("match", seed, game, pair)


def draw(key: int, stream: str, index: int = 0) -> random.Random:
    """Generator for draw `index` of `stream`; independent of every other (key, stream, index)."""
    return random.Random(f"{key}/{stream}/{index}")
