"""Which player beats which: a test for every two players, and Holm's correction for there being many.

The test flips signs. Where two players are equally strong, a pair, in which both have the same luck and both seats, is
as likely to end with any result as with its mirror image; so every pair's sign is a fair coin, and the chance of a
total at least as far from even is exact at any number of pairs (Fisher 1935). It rests on the number of pairs being
fixed beforehand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05
"""How likely at most a single false claim in a family of claims is."""
_DRAWS = 20_000
_UNITS = (1, 2, 4, 10, 20, 100)
"""Values are looked at as whole numbers of one of these parts."""
_MOST_SUMS = 2_000_000
_MOST_WORK = 50_000_000

Floats = NDArray[np.float64]


class Claim(NamedTuple):
    """That one of two players is better; `p_holm` and `made` mind all claims of the family."""

    a: str
    b: str
    pairs: int
    better: str | None
    """Who did better; None where the pairs are even."""
    p: float
    p_holm: float
    made: bool


def make_claims(meetings: Sequence[tuple[str, str, Sequence[float]]]) -> list[Claim]:
    """The claims of one family; a meeting is (a, b, totals): each pair's total from a's side, 0 where it is even."""
    chances = [sign_flip(totals) for _, _, totals in meetings]
    claims = []
    for (a, b, totals), p, adjusted in zip(meetings, chances, holm(chances), strict=True):
        total = sum(totals)
        better = None if p == 1.0 and abs(total) < 1e-9 else a if total > 0 else b
        claims.append(Claim(a, b, len(totals), better, p, adjusted, better is not None and adjusted <= LEVEL))
    return claims


def holm(chances: Sequence[float]) -> list[float]:
    """p-values adjusted for the family (Holm 1979): a claim is made at level q where its own is at most q."""
    adjusted = [0.0] * len(chances)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(chances)), key=lambda place: chances[place])):
        highest = max(highest, min(1.0, (len(chances) - rank) * chances[place]))
        adjusted[place] = highest
    return adjusted


def sign_flip(values: Sequence[float], draws: int = _DRAWS) -> float:
    """Chance that values with random signs have a sum at least as far from 0 as theirs, either way.

    Exact where the values are few whole numbers of a common part, as points and chips are; else by `draws` random flips
    with a fixed seed, those observed counted among them, which keeps the level too.
    """
    found = Counter(abs(value) for value in values if value)
    total = abs(sum(values))
    if total < 1e-9 * max(found, default=1.0):
        return 1.0
    for part in _UNITS:
        if all(abs(size * part - round(size * part)) < 1e-9 for size in found):
            sizes = Counter({round(size * part): count for size, count in found.items()})
            exact = _exact(sizes, round(total * part))
            if exact is not None:
                return exact
            break
    return _drawn(found, total, draws)


def _exact(sizes: Counter[int], total: int) -> float | None:
    """The chance by convolution; None where there are too many sums to look at."""
    (last, times), *others = sizes.most_common()
    if sum(size * count for size, count in others) > _MOST_SUMS:
        return None
    sums = np.ones(1)
    for size, count in others:
        steps = np.zeros(2 * size * count + 1)
        if len(sums) * len(steps) > _MOST_WORK:
            return None
        steps[:: 2 * size] = _fair(count)
        sums = np.convolve(sums, steps)
    reach = len(sums) // 2
    above = np.concatenate([np.cumsum(_fair(times)[::-1])[::-1], [0.0]])  # [h]: at least h of `times` signs are plus
    missing = total - np.arange(-reach, reach + 1)
    heads = np.clip(_heads(missing, last, times), 0, times + 1)
    return min(1.0, 2 * float(sums @ above[heads]))


def _heads(missing: NDArray[np.int64], size: int, times: int) -> NDArray[np.int64]:
    """The fewest plus signs among `times` values of `size` whose sum is at least `missing`."""
    needed: NDArray[np.int64] = -((-missing - times * size) // (2 * size))
    return needed


def _fair(count: int) -> Floats:
    """Probabilities of 0 to `count` heads of as many fair coins."""
    ways = np.concatenate([[0.0], np.cumsum(np.log(np.arange(count, 0, -1)) - np.log(np.arange(1, count + 1)))])
    found: Floats = np.exp(ways - count * np.log(2.0))
    return found


def _drawn(sizes: Counter[float], total: float, draws: int) -> float:
    draws = min(draws, max(2_000, 4_000_000 // len(sizes)))
    rng = np.random.default_rng(0)
    counts = np.array(list(sizes.values()))
    heads = rng.binomial(counts, 0.5, (draws, len(counts)))
    sums = (2 * heads - counts) @ np.array(list(sizes))
    return float((1 + np.count_nonzero(np.abs(sums) >= total * (1 - 1e-9))) / (draws + 1))
