from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from evals.ratings import ELO, Meeting, Rating, fit, rate
from evals.statistics import Pair

W, D, L = 1.0, 0.0, -1.0


def meeting(a: str, b: str, results: str, game: str = "g") -> Meeting:
    """Pairs written as "WD LL …": a's result in seat 0, then in seat 1."""
    value = {"W": W, "D": D, "L": L}
    return Meeting(game, a, b, [Pair(value[pair[0]], value[pair[1]]) for pair in results.split()])


def by_name(ratings: list[Rating]) -> dict[str, Rating]:
    return {rating.player: rating for rating in ratings}


def log_posterior(meetings: list[Meeting], players: list[str], games: list[str], theta: list[float]) -> float:
    """The model written out match by match, slowly, as in Davidson 1970 with a seat term."""
    total = -sum(value**2 for value in theta) / (2 * 2.5**2)
    for m in meetings:
        seat, draw = (theta[len(players) + 2 * games.index(m.game) + k] for k in (0, 1))
        for pair in m.pairs:
            for first, second, result in ((m.a, m.b, pair.as_seat0), (m.b, m.a, -pair.as_seat1)):
                d = theta[players.index(first)] - theta[players.index(second)] + seat
                weights = {W: math.exp(d / 2), D: math.exp(draw), L: math.exp(-d / 2)}
                total += math.log(weights[result] / sum(weights.values()))
    return total


def climb(meetings: list[Meeting], players: list[str], games: list[str]) -> list[float]:
    """Coordinate-wise hill climbing: no derivative, nothing shared with the code under test."""
    theta = [0.0] * (len(players) + 2 * len(games))
    best = log_posterior(meetings, players, games, theta)
    step = 1.0
    while step > 1e-5:
        improved = False
        for k in range(len(theta)):
            for sign in (1, -1):
                tried = [*theta[:k], theta[k] + sign * step, *theta[k + 1 :]]
                value = log_posterior(meetings, players, games, tried)
                if value > best:
                    theta, best, improved = tried, value, True
        if not improved:
            step /= 2
    return theta


def test_ratings_agree_with_a_brute_force_optimiser() -> None:
    meetings = [
        meeting("a", "b", "WW WL DW LW WD"),
        meeting("b", "c", "WL WW DD LL WW"),
        meeting("c", "a", "LL WL LL DL", game="h"),
    ]
    players, games = ["a", "b", "c"], ["g", "h"]
    expected = climb(meetings, players, games)
    found = by_name(rate(meetings, draws=10))
    for name, strength in zip(players, expected, strict=False):
        assert found[name].rating == pytest.approx(ELO * strength, abs=0.02)


def test_newton_survives_separated_data_and_many_matches() -> None:
    # Two players, one always wins: win, draw, loss logits of d/2, δ, −d/2 without a seat term.
    design = np.array([[[0.5, -0.5, 0.0], [0.0, 0.0, 1.0], [-0.5, 0.5, 0.0]]])
    theta = fit(design, np.array([[[1e6, 0.0, 0.0]], [[1.0, 0.0, 0.0]], [[0.0, 1e6, 0.0]]]))
    assert np.isfinite(theta).all()
    assert theta[0, 0] > theta[1, 0] > 0
    assert theta[2, :2] == pytest.approx([0, 0])


def test_intervals_hold_the_true_strength_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    truth = {"a": 0.8, "b": 0.3, "c": -0.2, "d": -0.9}
    seat, draw = 0.6, -0.3
    hits = total = 0

    def play(first: str, second: str) -> list[float]:
        d = truth[first] - truth[second] + seat
        weights = np.exp([d / 2, draw, -d / 2])
        return [float(value) for value in rng.choice([W, D, L], size=100, p=weights / weights.sum())]

    for _ in range(60):
        meetings = [
            Meeting("g", a, b, [Pair(x, -y) for x, y in zip(play(a, b), play(b, a), strict=True)])
            for a, b in combinations(truth, 2)
        ]
        for rating in rate(meetings, draws=200):
            hits += rating.low < ELO * truth[rating.player] < rating.high
            total += 1
            assert not rating.prior_limited
    assert 0.90 <= hits / total <= 0.985


def test_a_seat_advantage_is_not_taken_for_strength() -> None:
    found = by_name(rate([meeting("a", "b", "WL " * 30)]))
    assert found["a"].rating == pytest.approx(0, abs=1e-6)
    assert found["b"].rating == pytest.approx(0, abs=1e-6)


def test_ratings_are_centred_and_do_not_depend_on_who_is_called_a() -> None:
    forward = by_name(rate([meeting("a", "b", "WW DL WW LD WL"), meeting("b", "c", "WD LL WW")]))
    turned = by_name(rate([meeting("c", "b", "LD WW LL"), meeting("b", "a", "LL WD LL DW WL")]))
    assert sum(rating.rating for rating in forward.values()) == pytest.approx(0, abs=1e-6)
    for name, rating in forward.items():
        # In the turned meeting seat order is turned too: b in seat 0 first.
        assert turned[name].matches == rating.matches
    assert turned["a"].rating > turned["b"].rating


def test_an_undefeated_player_is_finite_uncertain_and_marked() -> None:
    found = by_name(
        rate([meeting("best", "x", "WW " * 20), meeting("best", "y", "WW " * 20), meeting("x", "y", "WL WW LL DD")])
    )
    best = found["best"]
    assert best.prior_limited
    assert not found["x"].prior_limited
    assert not found["y"].prior_limited
    assert math.isfinite(best.rating)
    assert best.rating > 400
    assert best.high - best.low > 50


def test_two_players_and_a_clean_sweep_mark_both() -> None:
    found = by_name(rate([meeting("a", "b", "WW " * 5)]))
    assert found["a"].prior_limited
    assert found["b"].prior_limited
    assert found["a"].rating == pytest.approx(-found["b"].rating)


def test_a_draw_is_enough_to_settle_a_rating() -> None:
    assert not any(rating.prior_limited for rating in rate([meeting("a", "b", "WW WW DW")]))


def test_groups_that_never_met_are_rated_apart() -> None:
    ratings = rate([meeting("a", "b", "WL WW"), meeting("x", "y", "WW LW"), meeting("y", "z", "WL LD")])
    groups = {rating.player: rating.group for rating in ratings}
    assert groups == {"x": 0, "y": 0, "z": 0, "a": 1, "b": 1}
    for group in (0, 1):
        assert sum(r.rating for r in ratings if r.group == group) == pytest.approx(0, abs=1e-6)


def test_nobody_and_a_player_against_itself_have_no_rating() -> None:
    assert rate([]) == []
    assert rate([meeting("a", "a", "WL"), Meeting("g", "a", "b", [])]) == []


def test_all_draws_rate_everybody_equal() -> None:
    assert [rating.rating for rating in rate([meeting("a", "b", "DD " * 10)])] == pytest.approx([0, 0])


def test_the_same_meetings_give_the_same_digits() -> None:
    meetings = [meeting("a", "b", "WL WW DL"), meeting("b", "c", "WW LL DD")]
    assert rate(meetings) == rate(meetings)


@pytest.mark.parametrize(("count", "pairs", "spread", "least"), [(6, 10, 2.0, 0.89), (12, 6, 1.5, 0.87)])
def test_intervals_of_many_meetings_of_few_pairs_hold_too(count: int, pairs: int, spread: float, least: float) -> None:
    """Players far apart: pseudo-results in every meeting, or the bootstraps' own bias, would draw them together."""
    rng = np.random.default_rng(1)
    truth = {f"p{i:02d}": float(s) for i, s in enumerate(np.linspace(spread, -spread, count))}

    def play(first: str, second: str) -> list[float]:
        d = truth[first] - truth[second] + 0.3
        weights = np.exp([d / 2, -0.3, -d / 2])
        return [float(value) for value in rng.choice([W, D, L], size=pairs, p=weights / weights.sum())]

    hits = []
    for _ in range(20):
        meetings = [
            Meeting("g", a, b, [Pair(x, -y) for x, y in zip(play(a, b), play(b, a), strict=True)])
            for a, b in combinations(truth, 2)
        ]
        for one in rate(meetings, draws=100):
            hits.append(one.low < ELO * truth[one.player] < one.high)
            assert one.low < one.rating < one.high
    assert least <= sum(hits) / len(hits) <= 0.99
