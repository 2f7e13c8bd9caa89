"""Are a model's thoughts true? What it claims of TicTacToe positions, against what is there.

The bundled model's thoughts name the cells that win at once, the cells where the other seat threatens to
win, and the cells that make a fork for either ("wins 2. Risks 5 7. Forks -. Traps 0."). Training rewards
results only, so nothing but the magnet keeps such claims true; this meter shows whether they stay so.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping

from arena.core.keys import derive_key
from arena.core.match import make_view
from arena.core.player import Player
from arena.core.registry import GameSpec
from arena.oracles.tictactoe import features, reachable
from evals.statistics import Interval, proportion_interval

CLAIMS = ("wins", "risks", "forks", "traps")
_CLAIM = re.compile(r"\b(wins|risks|forks|traps) ((?:\d ?)+|-)", re.IGNORECASE)
CONCURRENCY = 256


def claimed(thought: str) -> dict[str, tuple[int, ...]]:
    """The cells that a thought claims, by kind; the first claim of each kind counts."""
    found: dict[str, tuple[int, ...]] = {}
    for kind, cells in _CLAIM.findall(thought):
        found.setdefault(kind.lower(), tuple(int(cell) for cell in cells if cell.isdigit()))
    return found


async def measure_claims(player: Player, seed: int, stride: int = 1) -> dict[str, Interval]:
    """Share of thoughts with each claim exactly right, over every `stride`-th reachable position.

    A thought without the claim counts as wrong. "perception" is wins and risks both right.
    """
    game = GameSpec.parse("tictactoe")
    positions = [state for state in reachable() if state.to_act is not None][::stride]
    right: Counter[str] = Counter()
    gate = asyncio.Semaphore(CONCURRENCY)

    async def ask(number: int) -> None:
        state = positions[number]
        async with gate:
            view = make_view(game, state, player, key=derive_key("perception", seed, number))
            reply = await player.act(view)
        _count(right, claimed(reply.thought), features(state)._asdict())

    await asyncio.gather(*(ask(number) for number in range(len(positions))))
    return {name: proportion_interval(right[name], len(positions)) for name in (*CLAIMS, "perception")}


def _count(right: Counter[str], claims: Mapping[str, tuple[int, ...]], truth: Mapping[str, tuple[int, ...]]) -> None:
    correct = {name for name in CLAIMS if claims.get(name) == truth[name]}
    right.update(correct)
    right["perception"] += {"wins", "risks"} <= correct
