"""Our ratings against two libraries, where their models are ours: Bradley–Terry, and Davidson's with draws."""

from __future__ import annotations

from itertools import combinations

import choix
import evalica
import numpy as np
import pytest
from numpy.typing import NDArray

from evals.ratings import ELO, Meeting, rate
from evals.statistics import Pair

NAMES = ["a", "b", "c", "d", "e"]
TRUTH = dict(zip(NAMES, (1.0, 0.5, 0.0, -0.4, -1.1), strict=True))
WEAK = 20.0
"""Standard deviation, in logits, of a prior that hardly matters."""

Floats = NDArray[np.float64]


def meetings(draw: float, seat: float = 0.0, matches: int = 200, seed: int = 3) -> list[Meeting]:
    """Everybody against everybody; `draw` is the weight of a draw, `seat` the advantage of seat 0 in logits."""
    rng = np.random.default_rng(seed)

    def play(first: str, second: str) -> list[float]:
        d = TRUTH[first] - TRUTH[second] + seat
        weights = np.array([np.exp(d / 2), draw, np.exp(-d / 2)])
        return [float(value) for value in rng.choice([1.0, 0.0, -1.0], size=matches, p=weights / weights.sum())]

    return [
        Meeting("g", a, b, [Pair(x, -y) for x, y in zip(play(a, b), play(b, a), strict=True)])
        for a, b in combinations(NAMES, 2)
    ]


def results(found: list[Meeting]) -> list[tuple[str, str, float]]:
    return [(m.a, m.b, value) for m in found for pair in m.pairs for value in pair]


def decided(found: list[Meeting]) -> list[tuple[int, int]]:
    """Winner and loser of every match that was no draw, as choix wants them."""
    return [
        (NAMES.index(a), NAMES.index(b)) if value > 0 else (NAMES.index(b), NAMES.index(a))
        for a, b, value in results(found)
        if value
    ]


def ours(found: list[Meeting], prior_sd: float = WEAK) -> Floats:
    """Strengths in logits, in the order of the names."""
    by_name = {rating.player: rating.rating / ELO for rating in rate(found, draws=5, prior_sd=prior_sd)}
    return np.array([by_name[name] for name in NAMES])


def evalica_scores(method: str, found: list[Meeting]) -> Floats:
    xs, ys, values = zip(*results(found), strict=True)
    winner = {1.0: evalica.Winner.X, 0.0: evalica.Winner.Draw, -1.0: evalica.Winner.Y}
    scores = getattr(evalica, method)(list(xs), list(ys), [winner[value] for value in values]).scores
    return np.array([float(scores[name]) for name in NAMES])


def centred(strengths: Floats) -> Floats:
    return strengths - strengths.mean()


def test_without_draws_it_is_bradley_terry_as_choix_fits_it() -> None:
    found = meetings(draw=0.0)
    exact = choix.opt_pairwise(len(NAMES), decided(found), alpha=1 / (2 * WEAK**2))
    assert ours(found) == pytest.approx(centred(exact), abs=0.002)
    spectral = choix.ilsr_pairwise(len(NAMES), decided(found), alpha=1e-6)
    assert ours(found) == pytest.approx(centred(spectral), abs=0.002)


def test_without_draws_it_is_bradley_terry_as_evalica_fits_it() -> None:
    found = meetings(draw=0.0)
    assert ours(found) == pytest.approx(centred(np.log(evalica_scores("bradley_terry", found))), abs=0.002)


def test_with_draws_it_is_newmans_fit_of_davidsons_model() -> None:
    found = meetings(draw=0.6)
    newman = centred(np.log(evalica_scores("newman", found)))
    assert ours(found) == pytest.approx(newman, abs=0.002)
    half_a_win = centred(np.log(evalica_scores("bradley_terry", found)))
    assert np.abs(half_a_win - newman).max() > 0.1, "the check can tell models apart"


def test_the_standard_prior_pulls_as_choix_says_it_does() -> None:
    found = meetings(draw=0.0, matches=4)
    pulled = choix.opt_pairwise(len(NAMES), decided(found), alpha=1 / (2 * 2.5**2))
    free = choix.opt_pairwise(len(NAMES), decided(found), alpha=1e-6)
    # Ours keeps a little room for draws that never came, which so few matches cannot rule out.
    assert ours(found, 2.5) == pytest.approx(centred(pulled), abs=0.1)
    assert np.abs(ours(found, 2.5)).sum() < np.abs(centred(free)).sum()


@pytest.mark.parametrize("method", ["elo", "bradley_terry", "newman"])
def test_the_order_is_the_same_with_draws_and_a_strong_seat(method: str) -> None:
    found = meetings(draw=0.6, seat=1.0)
    assert np.argsort(ours(found, 2.5)).tolist() == np.argsort(evalica_scores(method, found)).tolist()


def test_a_logit_is_as_many_points_as_elo_gives_it() -> None:
    strengths = ours(meetings(draw=0.0))
    gap = ELO * (strengths[0] - strengths[-1])
    chance = 1 / (1 + np.exp(strengths[-1] - strengths[0]))
    assert chance == pytest.approx(1 / (1 + 10 ** (-gap / 400)))


def test_an_undefeated_player_is_placed_where_a_regularised_choix_places_it() -> None:
    sweep = [Meeting("g", "a", other, [Pair(1.0, 1.0)] * 20) for other in NAMES[1:]]
    found = sweep + [m for m in meetings(draw=0.0, matches=20) if m.a != "a"]
    placed = choix.opt_pairwise(len(NAMES), decided(found), alpha=1 / (2 * 2.5**2))
    ratings = {rating.player: rating for rating in rate(found, draws=50)}
    assert ratings["a"].prior_limited
    assert not any(ratings[name].prior_limited for name in NAMES[1:])
    assert ours(found, 2.5) == pytest.approx(centred(placed), abs=0.35)
    assert np.argsort(ours(found, 2.5)).tolist() == np.argsort(placed).tolist()
