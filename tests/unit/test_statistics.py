from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.statistics import (
    Interval,
    Pair,
    PairOutcomes,
    mean_interval,
    paired_difference,
    points,
    proportion_interval,
    score_interval,
    seat_effect,
    stratified_interval,
    utility_interval,
)

counts = st.lists(st.integers(0, 60), min_size=5, max_size=5).filter(lambda found: sum(found) > 0)


def test_points_go_by_the_sign_of_the_return() -> None:
    assert [points(value) for value in (2.0, 1.0, 0.0, -0.5, -2.0)] == [1.0, 1.0, 0.5, 0.0, 0.0]


def test_pairs_are_counted_by_both_results_in_either_order() -> None:
    pairs = [Pair(1, 1), Pair(0, 1), Pair(1, 0), Pair(-1, 1), Pair(0, 0), Pair(0, -1), Pair(-1, -1), Pair(-2, -1)]
    assert PairOutcomes.of(pairs) == PairOutcomes(ww=1, wd=2, even=2, ld=1, ll=2)


def test_a_score_is_wins_plus_half_the_draws() -> None:
    outcomes = PairOutcomes(ww=10, wd=5, even=3, ld=1, ll=1)
    assert score_interval(outcomes).score == pytest.approx((10 + 5 * 0.75 + 3 * 0.5 + 0.25) / 20)


@given(counts)
def test_an_interval_holds_its_score_and_stays_in_range(found: list[int]) -> None:
    interval = score_interval(PairOutcomes(*found), draws=500)
    assert 0 <= interval.low <= interval.score <= interval.high <= 1
    assert interval.high > interval.low


@given(counts)
def test_the_other_side_sees_the_mirror_image(found: list[int]) -> None:
    ours = score_interval(PairOutcomes(*found))
    theirs = score_interval(PairOutcomes(*reversed(found)))
    assert ours.score == pytest.approx(1 - theirs.score)
    assert ours.low == pytest.approx(1 - theirs.high, abs=0.02)


def test_the_same_counts_give_the_same_digits() -> None:
    outcomes = PairOutcomes(7, 6, 5, 4, 3)
    first = score_interval(outcomes)
    score_interval.__globals__["_posterior"].cache_clear()
    assert score_interval(outcomes) == first


def test_more_pairs_give_narrower_intervals_as_wide_as_theory_says() -> None:
    # A coin that falls the same way for both matches of a pair: standard error 1 / (2 √pairs).
    widths = [high - low for _, low, high in (score_interval(PairOutcomes(ww=n // 2, ll=n // 2)) for n in (50, 200))]
    assert widths[0] == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(50), rel=0.05)
    assert widths[1] == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(200), rel=0.05)


def test_a_clean_sweep_leaves_room_below_and_reaches_the_top() -> None:
    interval = score_interval(PairOutcomes(ww=20))
    assert interval.score == interval.high == 1.0
    assert 0.85 < interval.low < 0.97


@pytest.mark.parametrize("empty", [lambda: score_interval(PairOutcomes()), lambda: mean_interval([], (0, 1))])
def test_no_pairs_is_refused(empty: object) -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        empty()  # type: ignore[operator]


BALANCED = (0.4, 0.2, 0.4), (0.4, 0.2, 0.4)
SEAT_BIASED = (0.9, 0.05, 0.05), (0.05, 0.05, 0.9)
NEARLY_PERFECT = (0.985, 0.01, 0.005), (0.985, 0.01, 0.005)
NO_DRAWS = (0.99, 0.0, 0.01), (0.99, 0.0, 0.01)


def simulate(player: tuple[tuple[float, ...], tuple[float, ...]], pairs: int, runs: int, seed: int) -> np.ndarray:
    """Returns of shape (runs, pairs, 2): as seat 0 and as seat 1."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.choice([1, 0, -1], size=(runs, pairs), p=wdl) for wdl in player], axis=2)


def coverage(player: tuple[tuple[float, ...], tuple[float, ...]], pairs: int, runs: int = 1500) -> float:
    """Share of simulated runs whose interval holds the player's true score."""
    truth = sum(wdl[0] + wdl[1] / 2 for wdl in player) / 2
    hits = 0
    for run in simulate(player, pairs, runs, seed=1):
        interval = score_interval(PairOutcomes.of(Pair(*pair) for pair in run.tolist()), draws=2000)
        hits += interval.low <= truth <= interval.high
    return hits / runs


@pytest.mark.parametrize("pairs", [25, 100, 200])
@pytest.mark.parametrize("player", [BALANCED, SEAT_BIASED, NEARLY_PERFECT], ids=["balanced", "seat-biased", "99 %"])
def test_the_score_interval_covers_the_truth_as_often_as_it_says(
    player: tuple[tuple[float, ...], tuple[float, ...]], pairs: int
) -> None:
    assert 0.92 <= coverage(player, pairs) <= 0.98


@pytest.mark.parametrize(("pairs", "least"), [(25, 0.90), (100, 0.92), (200, 0.92)])
def test_coverage_holds_for_a_99_percent_player_that_never_draws(pairs: int, least: float) -> None:
    # So few distinct outcomes occur at 25 pairs that coverage can only be .912 or .988, nothing between.
    assert least <= coverage(NO_DRAWS, pairs) <= 0.98


@pytest.mark.parametrize("pairs", [25, 100])
def test_the_utility_interval_covers_the_truth_as_often_as_it_says(pairs: int) -> None:
    rng = np.random.default_rng(4)
    support, chances = np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0.1, 0.4, 0.3, 0.2])
    hits, runs = 0, 400
    for _ in range(runs):
        drawn = rng.choice(support, size=(pairs, 2), p=chances).tolist()
        interval = utility_interval([Pair(*pair) for pair in drawn], (-2.0, 2.0))
        hits += interval.low <= support @ chances <= interval.high
    assert 0.92 <= hits / runs <= 0.98


def test_a_seat_that_always_wins_shows_as_the_seat_effect_alone() -> None:
    pairs = [Pair(1, -1)] * 40
    assert score_interval(PairOutcomes.of(pairs)).score == 0.5
    effect = seat_effect(pairs, (-1, 1))
    assert effect.score == effect.high == 2.0
    assert effect.low > 1.8


def test_no_seat_effect_is_not_told_from_none() -> None:
    effect = seat_effect([Pair(1, 1), Pair(-1, -1), Pair(1, -1), Pair(-1, 1)] * 20, (-1, 1))
    assert effect.low < 0 == effect.score < effect.high


def test_equal_values_do_not_make_a_zero_width_interval() -> None:
    interval = mean_interval([0.5] * 10, (-2.0, 2.0))
    assert interval.low < 0.5 < interval.high


def test_a_paired_difference_is_narrower_than_two_unpaired_intervals() -> None:
    rng = np.random.default_rng(0)
    luck = rng.uniform(-1, 1, size=200)
    first, second = (luck + 0.3).tolist(), (luck + rng.uniform(-0.1, 0.1, size=200)).tolist()
    paired = paired_difference(first, second, (-1.3, 1.3))
    assert 0.2 < paired.low < paired.score < paired.high < 0.4
    single = mean_interval(first, (-1.3, 1.3))
    assert paired.high - paired.low < 0.5 * (single.high - single.low)
    with pytest.raises(ValueError, match="zip"):
        paired_difference([1.0], [1.0, 2.0], (0, 2))


@pytest.mark.parametrize(
    ("successes", "trials", "expected"),
    # Brown, Cai & DasGupta 2001 give the closed form; the digits are computed from it by hand.
    [
        (0, 10, Interval(0.0, 0.0, 0.277533)),
        (5, 10, Interval(0.5, 0.236593, 0.763407)),
        (10, 10, Interval(1, 0.722467, 1)),
    ],
)
def test_wilson_intervals_agree_with_the_closed_form(successes: int, trials: int, expected: Interval) -> None:
    assert proportion_interval(successes, trials) == pytest.approx(expected, abs=1e-5)


def matched(runs: int, pairs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pair scores of two players with the same luck, shape (runs, pairs): the first is better by .08 in truth.

    Luck is a threshold that both meet: each wins a match where its skill is above it, so results go together.
    """
    rng = np.random.default_rng(seed)
    luck = rng.uniform(size=(runs, pairs, 2))
    return (luck < 0.58).mean(axis=2), (luck < 0.5).mean(axis=2)


@pytest.mark.parametrize("pairs", [50, 200])
def test_the_paired_difference_covers_the_truth_as_often_as_it_says(pairs: int) -> None:
    runs = 400
    first, second = matched(runs, pairs, seed=6)
    hits = 0
    for ours, theirs in zip(first.tolist(), second.tolist(), strict=True):
        found = paired_difference(ours, theirs, (0.0, 1.0))
        hits += found.low <= 0.08 <= found.high
    assert 0.91 <= hits / runs <= 0.985


def test_shared_luck_narrows_the_difference_and_the_order_of_places_matters() -> None:
    first, second = (side[0].tolist() for side in matched(1, 200, seed=6))
    paired = paired_difference(first, second, (0.0, 1.0))
    shuffled = paired_difference(first, second[::-1], (0.0, 1.0))
    assert paired.score == pytest.approx(shuffled.score)
    assert paired.high - paired.low < 0.6 * (shuffled.high - shuffled.low)
    assert paired == paired_difference(first, second, (0.0, 1.0))


def test_a_mean_over_games_weighs_games_and_not_pairs() -> None:
    found = stratified_interval([[1.0] * 300, [0.0] * 100], (0.0, 1.0))
    assert found.score == 0.5
    assert 0.45 < found.low < 0.5 < found.high < 0.55


def test_one_group_gives_the_interval_of_its_mean() -> None:
    values = [0.0, 0.25, 0.5, 1.0, 1.0] * 10
    assert stratified_interval([values], (0.0, 1.0)) == pytest.approx(mean_interval(values, (0.0, 1.0)), abs=0.004)


EVEN, POOR, HOPELESS = (0.1, 0.2, 0.3, 0.2, 0.2), (0.7, 0.1, 0.1, 0.05, 0.05), (0.95, 0.03, 0.01, 0.005, 0.005)


@pytest.mark.parametrize(
    ("games", "sizes"), [((EVEN, POOR, EVEN), (40, 40, 40)), ((EVEN, POOR), (25, 150)), ((HOPELESS,) * 8, (25,) * 8)]
)
def test_the_stratified_interval_covers_the_truth_as_often_as_it_says(
    games: tuple[tuple[float, ...], ...], sizes: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(8)
    support = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    truth = sum(float(support @ chances) for chances in games) / len(games)
    hits, runs = 0, 400
    for _ in range(runs):
        groups = [rng.choice(support, size=n, p=chances).tolist() for n, chances in zip(sizes, games, strict=True)]
        found = stratified_interval(groups, (0.0, 1.0), draws=2000)
        hits += found.low <= truth <= found.high
    assert 0.92 <= hits / runs <= 0.98


@pytest.mark.parametrize("groups", [[], [[1.0], []]])
def test_an_average_without_values_is_refused(groups: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        stratified_interval(groups, (0.0, 1.0))
