"""Ratings of many players from paired matches.

The model is Davidson's Bradley–Terry (Davidson 1970) with a seat term: where player i sits in seat 0
against j, with d = s_i − s_j + γ, win, draw and loss of i have weights exp(d/2), exp(δ), exp(−d/2).
The seat term γ and the draw term δ belong to a game, the strengths s to the players over all games.
Every parameter has a Gaussian prior of standard deviation `PRIOR_SD` logits around 0, which keeps a
player that never lost finite. Intervals are the estimate and 1.96 standard deviations of it, over bootstraps of the
whole pairs of all meetings together (Bayesian bootstrap): quantiles of the bootstraps would carry their bias, which
with few pairs a meeting is as large as the spread.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.statistics import PRIOR, Pair, points

PRIOR_SD = 2.5
ELO = 400 / math.log(10)
"""Rating points per logit."""

_DRAWS = 400
_NORMAL = 1.959964
_OUTCOMES = tuple((first, second) for first in (0, 1, 2) for second in (0, 1, 2))
"""Results (win, draw, loss of a) in the pair's two matches: a in seat 0, then a in seat 1."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Meeting:
    """All pairs that two players played in one game; returns from a's side."""

    game: str
    a: str
    b: str
    pairs: Sequence[Pair]


@dataclass(frozen=True, slots=True)
class Rating:
    """A player's strength in Elo-like points, around 0 within its group, with its 95 % interval."""

    player: str
    rating: float
    low: float
    high: float
    matches: int
    group: int
    """Ratings compare within a group alone: players of different groups never met, not even through others."""
    prior_limited: bool
    """True where the results alone would put the player infinitely far from the rest of its group."""


def rate(meetings: Sequence[Meeting], draws: int = _DRAWS, seed: int = 0, prior_sd: float = PRIOR_SD) -> list[Rating]:
    """Rate everybody who played, best first within each group, larger groups first.

    A player that only met itself, or nobody, is left out. The same meetings give the same digits. `prior_sd` is
    that of the prior, in logits.
    """
    played = [meeting for meeting in meetings if meeting.pairs and meeting.a != meeting.b]
    groups = _components(sorted({name for m in played for name in (m.a, m.b)}), [(m.a, m.b) for m in played])
    ratings: list[Rating] = []
    for group, players in enumerate(groups):
        ratings += _rate_group(group, players, [m for m in played if m.a in players], draws, seed, prior_sd)
    return ratings


def _rate_group(
    group: int, players: Sequence[str], meetings: Sequence[Meeting], draws: int, seed: int, prior_sd: float
) -> list[Rating]:
    counts = np.array([_outcome_counts(meeting.pairs) for meeting in meetings], dtype=np.float64)
    design = _design(players, meetings)
    strengths = ELO * fit(design, _results(counts[None]), prior_sd)[:, : len(players)]
    rng = np.random.default_rng(seed)
    # One pair's weight of pseudo-results in all: one for each of many meetings would pull everybody together.
    weights = rng.standard_gamma(counts + PRIOR * 5 / counts.size, (draws, *counts.shape))
    weights *= counts.sum() / weights.sum(axis=(1, 2), keepdims=True)
    drawn = ELO * fit(design, _results(weights), prior_sd)[:, : len(players)]
    room = _NORMAL * drawn.std(axis=0)
    lows, highs = strengths[0] - room, strengths[0] + room
    limited = _prior_limited(players, meetings)
    matches: Counter[str] = Counter()
    for meeting in meetings:
        matches.update({meeting.a: 2 * len(meeting.pairs), meeting.b: 2 * len(meeting.pairs)})
    rated = [
        Rating(name, value, min(value, low), max(value, high), matches[name], group, name in limited)
        for name, value, low, high in zip(players, strengths[0].tolist(), lows.tolist(), highs.tolist(), strict=True)
    ]
    return sorted(rated, key=lambda rating: (-rating.rating, rating.player))


def _outcome_counts(pairs: Iterable[Pair]) -> list[int]:
    """How often each of the nine results of a pair occurred."""
    found = Counter((_result(pair.as_seat0), _result(pair.as_seat1)) for pair in pairs)
    return [found[outcome] for outcome in _OUTCOMES]


def _result(value: float) -> int:
    """0 for a win, 1 for a draw, 2 for a loss."""
    return int(2 - 2 * points(value))


_AS_SEAT0 = np.array([[first == result for result in range(3)] for first, _ in _OUTCOMES], dtype=np.float64)
_AS_SEAT1 = np.array([[2 - second == result for result in range(3)] for _, second in _OUTCOMES], dtype=np.float64)
"""Pair outcome to the result of the seat-0 player: of a in its first match, of b in the second."""


def _results(counts: Floats) -> Floats:
    """Counts (draws, meetings, 9) to results of the seat-0 player (draws, 2 · meetings, 3)."""
    return np.concatenate([counts @ _AS_SEAT0, counts @ _AS_SEAT1], axis=1)


def _design(players: Sequence[str], meetings: Sequence[Meeting]) -> Floats:
    """Logits per unit of each parameter (2 · meetings, 3, players + 2 · games): rows as in `_results`."""
    games = sorted({meeting.game for meeting in meetings})
    design = np.zeros((2 * len(meetings), 3, len(players) + 2 * len(games)))
    for row, meeting in enumerate(meetings):
        seat, draw = (len(players) + 2 * games.index(meeting.game) + k for k in (0, 1))
        for place, first, second in ((row, meeting.a, meeting.b), (row + len(meetings), meeting.b, meeting.a)):
            for column, sign in ((players.index(first), 1), (players.index(second), -1), (seat, 1)):
                design[place, 0, column] += sign / 2
                design[place, 2, column] -= sign / 2
            design[place, 1, draw] = 1
    return design


def fit(design: Floats, results: Floats, prior_sd: float = PRIOR_SD) -> Floats:
    """Most probable parameters (draws, parameters) by Newton's method with a line search, all draws at once.

    `design` has shape (rows, 3, parameters), `results` (draws, rows, 3): weights of win, draw, loss.
    The objective is strictly concave, so the answer is unique.
    """
    draws, rows, _ = results.shape
    size = design.shape[2]
    precision = prior_sd**-2
    theta = np.zeros((draws, size))
    totals = results.sum(axis=2, keepdims=True)
    value = _objective(design, results, theta, precision)
    for _ in range(100):
        chances = _softmax(np.einsum("rkp,bp->brk", design, theta))
        gradient = np.einsum("brk,rkp->bp", results - totals * chances, design) - precision * theta
        if float(np.abs(gradient).max()) < 1e-8 * max(1.0, float(totals.sum(axis=1).max())):
            break
        spread = design[None] - np.einsum("brk,rkp->brp", chances, design)[:, :, None]
        weighted = ((totals * chances)[..., None] * spread).reshape(draws, rows * 3, size)
        hessian = weighted.transpose(0, 2, 1) @ spread.reshape(draws, rows * 3, size) + precision * np.eye(size)
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        theta, value = _line_search(design, results, theta, step, value, precision)
    return theta


def _line_search(
    design: Floats, results: Floats, theta: Floats, step: Floats, value: Floats, precision: float
) -> tuple[Floats, Floats]:
    """Halve each draw's step until its objective does not fall."""
    scale = np.ones((len(theta), 1))
    for _ in range(30):
        moved = _objective(design, results, theta + scale * step, precision)
        worse = moved < value - 1e-9 * np.abs(value)
        if not worse.any():
            break
        scale[worse] /= 2
    return theta + scale * step, moved


def _objective(design: Floats, results: Floats, theta: Floats, precision: float) -> Floats:
    """Log-posterior of each draw, up to a constant."""
    logits = np.einsum("rkp,bp->brk", design, theta)
    top = logits.max(axis=2, keepdims=True)
    logs = logits - top - np.log(np.exp(logits - top).sum(axis=2, keepdims=True))
    value: Floats = (results * logs).sum(axis=(1, 2)) - 0.5 * precision * (theta**2).sum(axis=1)
    return value


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    chances: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return chances


def _components(players: Sequence[str], edges: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Groups of players connected by meetings, larger first, then by name."""
    graph: dict[str, set[str]] = {name: set() for name in players}
    for a, b in edges:
        graph[a].add(b)
        graph[b].add(a)
    groups = {tuple(sorted(_reach(graph, name))) for name in players}
    return sorted((list(group) for group in groups), key=lambda group: (-len(group), group))


def _reach(graph: Mapping[str, set[str]], start: str) -> set[str]:
    """Everything that can be reached from `start`, itself included."""
    found, open_names = {start}, [start]
    while open_names:
        fresh = graph[open_names.pop()] - found
        found |= fresh
        open_names += fresh
    return found


def _prior_limited(players: Sequence[str], meetings: Sequence[Meeting]) -> set[str]:
    """Players whose strength relative to the others the results alone leave infinite.

    Strengths are finite without a prior exactly within sets of players in which everybody took at least
    a draw, directly or through others, off everybody else. The one largest such set counts as settled.
    """
    took: dict[str, set[str]] = {name: set() for name in players}
    for meeting in meetings:
        values = [value for pair in meeting.pairs for value in pair]
        if any(value >= 0 for value in values):
            took[meeting.a].add(meeting.b)
        if any(value <= 0 for value in values):
            took[meeting.b].add(meeting.a)
    reach = {name: _reach(took, name) for name in players}
    sets = {frozenset(b for b in reach[a] if a in reach[b]) for a in players}
    largest = sorted(sets, key=len, reverse=True)
    settled = largest[0] if len(largest) == 1 or len(largest[0]) > len(largest[1]) else frozenset()
    return set(players) - settled
