"""Intervals for paired matches.

The unit is a pair: one key, the same luck by seat, seats swapped. Within a pair results depend on each
other (a seat that always wins makes every pair even), so every interval here treats the pair as one draw.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PRIOR = 0.2
"""Dirichlet pseudo-count of each of the five pair outcomes: one pair's weight in all."""

_PAIR_SCORES = (1.0, 0.75, 0.5, 0.25, 0.0)
_DRAWS = 20_000


class Interval(NamedTuple):
    """An estimate with its 95 % interval; `low <= score <= high`."""

    score: float
    low: float
    high: float


class Pair(NamedTuple):
    """The returns of player a in the two matches of one pair."""

    as_seat0: float
    as_seat1: float


def points(value: float) -> float:
    """1 for a win, 1/2 for a draw, 0 for a loss: by the sign of the return."""
    return 0.5 + 0.5 * ((value > 0) - (value < 0))


@dataclass(frozen=True, slots=True)
class PairOutcomes:
    """How many pairs ended with which two results, in either order (W win, D draw, L loss; `even`: WL or DD)."""

    ww: int = 0
    wd: int = 0
    even: int = 0
    ld: int = 0
    ll: int = 0

    @classmethod
    def of(cls, pairs: Iterable[Pair]) -> PairOutcomes:
        """Count the outcomes of pairs of returns."""
        found = Counter((points(pair.as_seat0) + points(pair.as_seat1)) / 2 for pair in pairs)
        return cls(*(found[score] for score in _PAIR_SCORES))

    @property
    def counts(self) -> tuple[int, ...]:
        return (self.ww, self.wd, self.even, self.ld, self.ll)

    @property
    def pairs(self) -> int:
        return sum(self.counts)


def score_interval(outcomes: PairOutcomes, level: float = 0.95, draws: int = _DRAWS) -> Interval:
    """Mean points per match (wins + draws / 2, from 0 to 1) of at least one pair.

    The interval is that of the mean under a Dirichlet posterior on the five pair outcomes, `PRIOR` each.
    It is never of width zero, and stays honest for a player that wins everything.
    Raises ValueError where there is no pair.
    """
    alphas = tuple(count + PRIOR for count in outcomes.counts)
    score = _mean(_PAIR_SCORES, outcomes.counts)
    return _posterior(_PAIR_SCORES, alphas, score, level, draws)


def mean_interval(
    values: Sequence[float], bounds: tuple[float, float], level: float = 0.95, draws: int = _DRAWS
) -> Interval:
    """Mean of independent values (one per pair, or per position) that all lie within `bounds`.

    The Bayesian bootstrap (Rubin 1981): Dirichlet weights over the values seen, with `PRIOR` on either
    bound, so that equal values or a single one give an interval of honest width. Raises ValueError
    where there is no value.
    """
    found = Counter(values)
    support = tuple(sorted(found))
    score = _mean(support, tuple(found[value] for value in support))
    alphas = tuple(float(found[value]) for value in support)
    return _posterior((bounds[0], *support, bounds[1]), (PRIOR, *alphas, PRIOR), score, level, draws)


def utility_interval(pairs: Sequence[Pair], utility: tuple[float, float]) -> Interval:
    """Mean return per match of player a, bootstrapped over pairs; `utility` is the game's range."""
    return mean_interval([(pair.as_seat0 + pair.as_seat1) / 2 for pair in pairs], utility)


def seat_effect(pairs: Sequence[Pair], utility: tuple[float, float]) -> Interval:
    """Mean return as seat 0 minus mean return as seat 1; positive where moving as seat 0 helps."""
    width = utility[1] - utility[0]
    return mean_interval([pair.as_seat0 - pair.as_seat1 for pair in pairs], (-width, width))


def paired_difference(first: Sequence[float], second: Sequence[float], bounds: tuple[float, float]) -> Interval:
    """Mean of `first - second`, matched by place: the same pair or position, measured on two players.

    Bootstrapped over places as in `mean_interval`, so what both owe to the same luck cancels. `bounds` is the
    range of a single value. Raises ValueError for sequences of unequal length, or without a value.
    """
    width = bounds[1] - bounds[0]
    return mean_interval([a - b for a, b in zip(first, second, strict=True)], (-width, width))


def stratified_interval(
    groups: Sequence[Sequence[float]], bounds: tuple[float, float], level: float = 0.95, draws: int = _DRAWS
) -> Interval:
    """Mean over groups (games) of each group's mean: every group weighs the same, however many values it has.

    Each group is bootstrapped by itself as in `mean_interval`; they share its prior, which would else pull an average
    over many groups further than its own noise. All values lie within `bounds`. Raises ValueError
    where there is no group, or one without a value.
    """
    if not groups:
        raise ValueError("an interval needs at least one group")
    counts = [sorted(Counter(group).items()) for group in groups]
    score = math.fsum(_mean(*zip(*found, strict=True)) if found else _mean((), ()) for found in counts) / len(groups)
    draws = min(draws, max(2_000, 4_000_000 // max(map(len, counts))))
    rng = np.random.default_rng(0)
    total = np.zeros(draws)
    prior = PRIOR / len(groups)
    for found in counts:
        values = (bounds[0], *(value for value, _ in found), bounds[1])
        total += _drawn_means(values, (prior, *(float(count) for _, count in found), prior), draws, rng)
    tail = (1 - level) / 2
    low, high = np.quantile(total / len(groups), (tail, 1 - tail))
    return Interval(score, min(score, float(low)), max(score, float(high)))


def proportion_interval(successes: int, trials: int, z: float = 1.959964) -> Interval:
    """Share of successes with its Wilson score interval (Wilson 1927). Raises ValueError without trials."""
    if trials < 1:
        raise ValueError("a proportion needs at least one trial")
    share = successes / trials
    scale = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    # Rounding may leave the bound a hair on the wrong side of an extreme share.
    return Interval(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))


def _mean(values: Sequence[float], counts: Sequence[int]) -> float:
    total = sum(counts)
    if total < 1:
        raise ValueError("an interval needs at least one pair")
    return math.fsum(value * count for value, count in zip(values, counts, strict=True)) / total


@lru_cache(maxsize=4096)
def _posterior(
    values: tuple[float, ...], alphas: tuple[float, ...], score: float, level: float, draws: int
) -> Interval:
    """Quantiles of the mean of `values` under Dirichlet(`alphas`) weights, by Monte Carlo with a fixed seed."""
    # Thousands of distinct values average out: fewer draws do, and memory stays bounded.
    draws = min(draws, max(2_000, 4_000_000 // len(alphas)))
    means = _drawn_means(values, alphas, draws, np.random.default_rng(0))
    tail = (1 - level) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Interval(score, min(score, float(low)), max(score, float(high)))


def _drawn_means(
    values: Sequence[float], alphas: Sequence[float], draws: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Means of `values` under weights drawn from Dirichlet(`alphas`), shape (draws,)."""
    weights = rng.standard_gamma(alphas, (draws, len(alphas)))
    means: NDArray[np.float64] = weights @ np.asarray(values) / weights.sum(axis=1)
    return means
