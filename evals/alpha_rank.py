"""Alpha-rank: how often evolution would find each player on top, which shows cycles that a rating hides.

One population, one player type each (Omidshafiei et al. 2019, "α-Rank: Multi-Agent Evaluation by Evolution"): a mutant
τ takes over a population of m players σ with the fixation probability ρ = (1 − e^−u) / (1 − e^−mu), where
u = α (M[τ,σ] − M[σ,τ]), and 1/m at u = 0. The chain moves from σ to each τ with ρ / (n − 1); a player's mass is its
share of the stationary distribution. For α → ∞ this is the response graph: moves to what is better, with half the
weight to what is equal, and with a vanishing one to what is worse (Rowland et al. 2019, "Multiagent Evaluation under
Incomplete Information").
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evals.statistics import PRIOR, PairOutcomes

_DRAWS = 1000
_VANISHING = 1e-9
"""Weight of a move to what is worse, in the limit of α → ∞."""
_MOST_WORK = 800_000_000
_AT_ONCE = 4_000_000
"""Entries of all matrices that are dealt with at a time."""
_LEAST = 1e-60
"""Fixation probabilities below it count as it: the chain stays connected, whatever α."""
_PAIR_SCORES = np.array([1.0, 0.75, 0.5, 0.25, 0.0])

Floats = NDArray[np.float64]


class Mass(NamedTuple):
    """A player's share of the stationary distribution with its 95 % interval; `low <= mass <= high`."""

    player: str
    mass: float
    low: float
    high: float


def alpha_rank(payoffs: Floats, alpha: float = math.inf, population: int = 50) -> Floats:
    """Stationary masses, shape (…, n), of payoff matrices (…, n, n): entry [i, j] is what i gets against j.

    The diagonal does not count. `alpha` is the intensity of selection, `population` the number of players m.
    """
    count = payoffs.shape[-1]
    matrices = payoffs.reshape(-1, count, count)
    step = max(1, _AT_ONCE // count**2)
    parts = [_ranked(matrices[i : i + step], alpha, population) for i in range(0, len(matrices), step)]
    return np.concatenate(parts).reshape(payoffs.shape[:-1])


def _ranked(matrices: Floats, alpha: float, population: int) -> Floats:
    gains = matrices.transpose(0, 2, 1) - matrices  # [σ, τ]: what mutant τ gets more than resident σ
    if math.isinf(alpha):
        level = np.isclose(gains, 0.0, atol=1e-12)
        chances = np.where(level, 0.5, np.where(gains > 0, 1.0, _VANISHING))
    else:
        chances = np.maximum(_fixation(alpha * gains, population), _LEAST)
    return _stationary(chances)


def _fixation(advantage: Floats, population: int) -> Floats:
    """ρ(u) with no overflow: for u < 0 it is e^((m−1)u) ρ(−u)."""
    size = np.maximum(np.abs(advantage), 1e-12)
    upward = -np.expm1(-size) / -np.expm1(-population * size)
    found: Floats = np.where(advantage >= 0, upward, upward * np.exp((population - 1) * np.minimum(advantage, 0.0)))
    return found


def _stationary(rates: Floats) -> Floats:
    """Stationary distributions (draws, n) of chains with these rates (draws, n, n) of moving; the diagonal is ignored.

    State by state is taken out of the chain, without a subtraction (Grassmann, Taksar and Heyman 1985), so that masses
    many orders of magnitude apart come out right.
    """
    rates = rates.copy()
    count = rates.shape[-1]
    for k in range(count - 1, 0, -1):
        rates[:, :k, k] /= rates[:, k, :k].sum(axis=1)[:, None]
        rates[:, :k, :k] += rates[:, :k, k, None] * rates[:, None, k, :k]
    masses = np.zeros(rates.shape[:2])
    masses[:, 0] = 1.0
    for k in range(1, count):
        masses[:, k] = (masses[:, :k] * rates[:, :k, k]).sum(axis=1)
        masses[:, : k + 1] /= masses[:, : k + 1].sum(axis=1)[:, None]
    return masses


def alpha_masses(
    meetings: Mapping[tuple[str, str], PairOutcomes], draws: int = _DRAWS, seed: int = 0
) -> tuple[list[Mass], list[str]]:
    """Masses for α → ∞ among players who all met, the largest first, and the players left out.

    `meetings` holds each two players once, seen from the first. Intervals come from bootstrapping whole pairs, as those
    of the scores do. Where fewer than three of more players all met, there are no masses.
    """
    players = list(dict.fromkeys(name for pair in meetings for name in pair))
    kept = all_met(players, meetings)
    if len(kept) < min(3, len(players)) or len(kept) < 2:
        return [], players
    place = {name: i for i, name in enumerate(kept)}
    inside = {pair: found for pair, found in meetings.items() if pair[0] in place and pair[1] in place}
    counts = np.array([found.counts for found in inside.values()], dtype=np.float64)
    rng = np.random.default_rng(seed)
    draws = min(draws, max(100, _MOST_WORK // len(kept) ** 3))
    weights = rng.standard_gamma(counts + PRIOR, (draws, *counts.shape))
    drawn = weights @ _PAIR_SCORES / weights.sum(axis=2)
    scores = np.concatenate([(counts @ _PAIR_SCORES / counts.sum(axis=1))[None], drawn])
    payoffs = np.full((len(scores), len(kept), len(kept)), 0.5)
    for column, (a, b) in enumerate(inside):
        payoffs[:, place[a], place[b]] = scores[:, column]
        payoffs[:, place[b], place[a]] = 1 - scores[:, column]
    masses = alpha_rank(payoffs)
    lows, highs = np.quantile(masses[1:], (0.025, 0.975), axis=0)
    found = [
        Mass(name, mass, min(mass, low), max(mass, high))
        for name, mass, low, high in zip(kept, masses[0].tolist(), lows.tolist(), highs.tolist(), strict=True)
    ]
    return sorted(found, key=lambda one: -one.mass), [name for name in players if name not in place]


def all_met(players: Sequence[str], meetings: Iterable[tuple[str, str]]) -> list[str]:
    """Players of whom each two met: left out is whoever misses most of the others, again and again, the last first."""
    met = {frozenset(pair) for pair in meetings}
    kept = list(players)
    while True:
        missing = [sum(frozenset((one, other)) not in met for other in kept if other != one) for one in kept]
        if not any(missing):
            return kept
        del kept[max(range(len(kept)), key=lambda place: (missing[place], place))]
