"""Alpha-rank against cases worked by hand: cycles share the mass, what beats all has it, no size of alpha breaks it."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evals.alpha_rank import all_met, alpha_masses, alpha_rank
from evals.statistics import PairOutcomes

ROCK_PAPER_SCISSORS = np.array([[0.5, 0.0, 1.0], [1.0, 0.5, 0.0], [0.0, 1.0, 0.5]])
DOMINANCE = np.array([[0.5, 0.9, 0.9], [0.1, 0.5, 0.6], [0.1, 0.4, 0.5]])
ALPHAS = (0.01, 1.0, 30.0, 1e4, 1e9, math.inf)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_cycle_shares_the_mass(alpha: float) -> None:
    assert alpha_rank(ROCK_PAPER_SCISSORS, alpha) == pytest.approx([1 / 3] * 3, abs=1e-12)


@pytest.mark.parametrize("alpha", ALPHAS[3:])
def test_what_beats_everybody_has_all_of_it(alpha: float) -> None:
    assert alpha_rank(DOMINANCE, alpha) == pytest.approx([1.0, 0.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_equals_have_equal_shares(alpha: float) -> None:
    assert alpha_rank(np.full((4, 4), 0.5), alpha) == pytest.approx([0.25] * 4, abs=1e-12)


@pytest.mark.parametrize(("alpha", "population"), [(0.1, 50), (1.0, 10), (0.02, 100)])
def test_two_players_share_by_the_ratio_of_their_fixations(alpha: float, population: int) -> None:
    """ρ(u) / ρ(−u) = e^((m−1)u), so that is the ratio of the two masses."""
    advantage = alpha * (0.7 - 0.3)
    ratio = math.exp((population - 1) * advantage)
    found = alpha_rank(np.array([[0.5, 0.7], [0.3, 0.5]]), alpha, population)
    assert found == pytest.approx([ratio / (1 + ratio), 1 / (1 + ratio)], rel=1e-9)


def test_a_cycle_above_one_that_loses_to_all_leaves_it_nothing() -> None:
    payoffs = np.full((4, 4), 0.5)
    payoffs[:3, :3] = ROCK_PAPER_SCISSORS
    payoffs[:3, 3], payoffs[3, :3] = 0.8, 0.2
    assert alpha_rank(payoffs) == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0.0], abs=1e-6)


def test_a_finite_chain_agrees_with_its_transition_matrix_raised_to_a_power() -> None:
    rng = np.random.default_rng(2)
    raw = rng.uniform(0, 1, (5, 5))
    payoffs = np.triu(raw, 1) + np.tril(1 - raw.T, -1) + 0.5 * np.eye(5)
    alpha, population = 0.4, 20
    chain = np.zeros((5, 5))
    for s, t in permutations(range(5), 2):
        u = alpha * (payoffs[t, s] - payoffs[s, t])
        chain[s, t] = (1 - math.exp(-u)) / (1 - math.exp(-population * u)) / 4
    chain += np.diag(1 - chain.sum(axis=1))
    stationary = np.linalg.matrix_power(chain, 20_000)[0]
    assert alpha_rank(payoffs, alpha, population) == pytest.approx(stationary, rel=1e-6)


@st.composite
def payoff_matrices(draw: st.DrawFn) -> NDArray[np.float64]:
    count = draw(st.integers(2, 6))
    values = draw(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.500001, 0.75, 1.0]), min_size=36, max_size=36))
    raw = np.array(values).reshape(6, 6)[:count, :count]
    found: NDArray[np.float64] = np.triu(raw, 1) + np.tril(1 - raw.T, -1) + 0.5 * np.eye(count)
    return found


@settings(max_examples=150, deadline=None)
@given(payoff_matrices(), st.sampled_from(ALPHAS), st.randoms())
def test_masses_are_a_distribution_that_goes_with_the_players(
    payoffs: NDArray[np.float64], alpha: float, rng: object
) -> None:
    masses = alpha_rank(payoffs, alpha)
    assert np.isfinite(masses).all()
    assert (masses >= 0).all()
    assert masses.sum() == pytest.approx(1.0)
    order = np.random.default_rng(1).permutation(len(payoffs))
    assert alpha_rank(payoffs[np.ix_(order, order)], alpha) == pytest.approx(masses[order], abs=1e-6)


def test_many_matrices_at_once_are_as_each_alone() -> None:
    both = np.stack([ROCK_PAPER_SCISSORS, DOMINANCE])
    assert alpha_rank(both) == pytest.approx(np.stack([alpha_rank(one) for one in both]))


SWEEP, EVEN = PairOutcomes(ww=40), PairOutcomes(ww=10, even=20, ll=10)


def test_a_cycle_of_players_shares_with_wide_intervals() -> None:
    masses, left_out = alpha_masses({("a", "b"): SWEEP, ("b", "c"): SWEEP, ("c", "a"): SWEEP})
    assert left_out == []
    assert [one.mass for one in masses] == pytest.approx([1 / 3] * 3)
    masses, _ = alpha_masses({("a", "b"): EVEN, ("a", "c"): EVEN, ("b", "c"): EVEN})
    assert [one.mass for one in masses] == pytest.approx([1 / 3] * 3)
    assert all(one.low < 0.1 and one.high > 0.9 for one in masses), "who is on top is not known"


def test_a_player_that_beats_all_has_everything_for_sure() -> None:
    masses, _ = alpha_masses({("a", "b"): SWEEP, ("a", "c"): SWEEP, ("b", "c"): EVEN})
    assert masses[0].player == "a"
    assert masses[0].low > 0.99
    assert all(one.low <= one.mass <= one.high for one in masses)


def test_two_players_are_ranked_and_nobody_is_not() -> None:
    assert [one.player for one in alpha_masses({("x", "y"): PairOutcomes(ll=9)})[0]] == ["y", "x"]
    assert alpha_masses({}) == ([], [])


def test_players_who_did_not_all_meet_are_left_out() -> None:
    meetings = {("a", "b"): SWEEP, ("a", "c"): SWEEP, ("b", "c"): EVEN, ("a", "d"): SWEEP}
    masses, left_out = alpha_masses(meetings)
    assert {one.player for one in masses} == {"a", "b", "c"}
    assert left_out == ["d"]


def test_a_gauntlet_has_no_alpha_rank() -> None:
    assert alpha_masses({("new", f"old {i}"): SWEEP for i in range(4)}) == (
        [],
        ["new", "old 0", "old 1", "old 2", "old 3"],
    )


@given(st.sets(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")).filter(lambda pair: pair[0] < pair[1])))
def test_whoever_is_kept_met_everybody_kept(meetings: set[tuple[str, str]]) -> None:
    kept = all_met("abcdef", meetings)
    assert kept
    assert all((a, b) in meetings for i, a in enumerate(kept) for b in kept[i + 1 :])


def test_the_same_meetings_give_the_same_digits() -> None:
    meetings = {("a", "b"): EVEN, ("a", "c"): SWEEP, ("b", "c"): EVEN}
    assert alpha_masses(meetings) == alpha_masses(meetings)
