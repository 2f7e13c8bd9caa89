"""The sequential test: its statistic, its error rates, and that only the order of the schedule decides."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arena.config.tournament import SprtConfig
from arena.runs.rows import MatchRow
from evals.sprt import Sprt, bounds, early_end, expected_score, likelihood_ratio, row, run_test, words

CONFIG = SprtConfig(elo0=0, elo1=50)
WORTH = np.array([1.0, 0.75, 0.5, 0.25, 0.0])


def pair(number: int, first: float, second: float) -> list[MatchRow]:
    return [
        MatchRow(2 * number + leg, "tictactoe", "a", "b", number, leg, 0, value, -value, "", 5, 0, 0.0, "")
        for leg, value in enumerate((first, second))
    ]


OUTCOMES = ((1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def matches(outcomes: Sequence[int]) -> list[MatchRow]:
    return [match for number, one in enumerate(outcomes) for match in pair(number, *OUTCOMES[one])]


# The statistic


def likeliest(shares: np.ndarray, score: float) -> np.ndarray:
    """The distribution of greatest likelihood with this mean, by climbing along the directions that keep it."""
    base = np.array([score, 0, 0, 0, 1 - score]) * 0.9 + 0.02
    base += (score - base @ WORTH) * np.array([1, 0, 0, 0, -1])
    _, _, rows = np.linalg.svd(np.vstack([np.ones(5), WORTH]))
    directions = rows[2:]
    found = base
    for _ in range(400):
        gradient = directions @ (shares / found)
        curvature = directions @ np.diag(shares / found**2) @ directions.T
        step = np.linalg.solve(curvature, gradient) @ directions
        size = 1.0
        while (found + size * step <= 0).any():
            size /= 2
        found = found + size * step
    return found


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=5, max_size=5), st.sampled_from([(0, 20), (-50, 50), (10, 150)]))
@example([3, 11, 17, 1, 1], (0, 20))
@example([3, 19, 55, 1, 2], (0, 20))
def test_the_ratio_is_that_of_the_likeliest_distributions_with_either_mean(
    counts: list[int], elos: tuple[int, int]
) -> None:
    shares = np.array(counts) / sum(counts)
    low, high = (likeliest(shares, expected_score(elo)) for elo in elos)
    assert low @ WORTH == pytest.approx(expected_score(elos[0]))
    assert high @ WORTH == pytest.approx(expected_score(elos[1]))
    expected = sum(counts) * float(shares @ np.log(high / low))
    assert likelihood_ratio(counts, *elos) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_wins_and_losses_alone_give_the_ratio_of_two_coins() -> None:
    wins, losses = 30, 20
    p0, p1 = expected_score(0), expected_score(40)
    coins = wins * math.log(p1 / p0) + losses * math.log((1 - p1) / (1 - p0))
    assert likelihood_ratio((wins, 0, 0, 0, losses), 0, 40) == pytest.approx(coins, abs=0.01)


@given(st.lists(st.integers(0, 200), min_size=5, max_size=5))
def test_it_is_finite_and_turns_its_sign_with_the_sides(counts: list[int]) -> None:
    ratio = likelihood_ratio(counts, -30, 30)
    assert math.isfinite(ratio)
    assert ratio == pytest.approx(-likelihood_ratio(counts[::-1], -30, 30), abs=1e-6)


def test_it_agrees_with_the_normal_approximation_for_many_pairs() -> None:
    counts = (900, 1600, 3000, 1500, 800)
    total = sum(counts)
    mean = sum(c * w for c, w in zip(counts, WORTH, strict=True)) / total
    variance = sum(c * (w - mean) ** 2 for c, w in zip(counts, WORTH, strict=True)) / total
    s0, s1 = expected_score(0), expected_score(10)
    approximation = total * (s1 - s0) * (2 * mean - s0 - s1) / (2 * variance)
    assert likelihood_ratio(counts, 0, 10) == pytest.approx(approximation, rel=0.01)


def test_bounds_are_walds() -> None:
    assert bounds(CONFIG) == pytest.approx((-2.944439, 2.944439), abs=1e-6)
    assert bounds(SprtConfig(elo0=0, elo1=1, alpha=0.01, beta=0.1)) == pytest.approx(
        (math.log(0.1 / 0.99), math.log(90))
    )


# Decisions


def test_one_sided_results_decide_and_even_ones_accept_that_there_is_no_lead() -> None:
    assert run_test(CONFIG, matches([0] * 200)).verdict == "H1"
    assert run_test(CONFIG, matches([4] * 200)).verdict == "H0"
    assert run_test(CONFIG, matches([2] * 200)).verdict == "H0"
    assert run_test(CONFIG, matches([0, 4] * 5)).verdict == "open"
    assert run_test(CONFIG, []).pairs == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([0, 0, 1, 2, 3, 4]), max_size=120), st.integers(0, 10))
def test_the_first_prefix_that_crosses_decides_in_whatever_order_matches_end(outcomes: list[int], seed: int) -> None:
    played = matches(outcomes)
    expected = run_test(CONFIG, played)
    random.Random(seed).shuffle(played)
    assert run_test(CONFIG, played) == expected
    shorter = run_test(CONFIG, matches(outcomes[: expected.pairs]))
    assert shorter == expected
    if expected.verdict == "open":
        assert expected.pairs == len(outcomes)
    else:
        assert run_test(CONFIG, matches(outcomes[: expected.pairs - 1])).verdict == "open"
        assert run_test(CONFIG, matches(outcomes[: expected.pairs] + [4] * 300)) == expected


def test_a_pair_that_is_missing_holds_the_test_up_until_it_is_there() -> None:
    played = matches([0] * 100)
    test = Sprt(CONFIG)
    for match in played[:7] + played[8:]:
        test.add(match)
    assert (test.state.pairs, test.state.verdict) == (3, "open")
    test.add(played[7])
    assert test.state == run_test(CONFIG, played)
    assert test.state.verdict == "H1"


def rate(elo: float, runs: int, seed: int, verdict: str) -> float:
    """How often the test between 0 and 100 Elo ends so, where pairs are drawn with this difference."""
    setup = SprtConfig(elo0=0, elo1=100)
    rng = np.random.default_rng(seed)
    score = expected_score(elo)
    base = np.array([0.15, 0.2, 0.3, 0.2, 0.15])
    tilted = next(shares for tilt in np.linspace(-4, 4, 8001) if (shares := _tilt(base, tilt)) @ WORTH >= score - 1e-9)
    ended = 0
    for _ in range(runs):
        test = Sprt(setup)
        while test.state.verdict == "open":
            for number, one in enumerate(rng.choice(5, size=64, p=tilted), start=test.state.pairs):
                for match in pair(number, *OUTCOMES[one]):
                    test.add(match)
        ended += test.state.verdict == verdict
    return ended / runs


def _tilt(base: np.ndarray, tilt: float) -> np.ndarray:
    weights: np.ndarray = base * np.exp(tilt * WORTH)
    shares: np.ndarray = weights / weights.sum()
    return shares


@pytest.mark.parametrize(("elo", "wrong"), [(0.0, "H1"), (100.0, "H0")])
def test_the_error_rates_are_those_that_were_asked_for(elo: float, wrong: str) -> None:
    # 400 runs at a rate of 0.05: four standard errors above it are 0.094.
    assert rate(elo, 400, seed=1, verdict=wrong) < 0.094


def test_far_from_both_hypotheses_it_hardly_errs() -> None:
    assert rate(-100.0, 100, seed=2, verdict="H1") == 0
    assert rate(200.0, 100, seed=3, verdict="H0") == 0


# Words


def test_it_is_told_with_its_hypotheses_its_errors_and_what_an_early_end_does_to_the_score() -> None:
    decided = row(CONFIG, run_test(CONFIG, matches([0] * 200)))
    assert decided.keys() == {"elo0", "elo1", "alpha", "beta", "llr", "lower", "upper", "verdict", "pairs"}
    assert decided["llr"] >= decided["upper"]
    assert "H1 accepted after" in words(decided)
    assert "biased" in early_end(run_test(CONFIG, matches([0] * 200)))[0]["message"]
    still = words(row(CONFIG, run_test(CONFIG, matches([0, 4]))))
    assert "open after 2 pairs" in still
    assert early_end(run_test(CONFIG, matches([0, 4]))) == []
