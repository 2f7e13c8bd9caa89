"""Who beats whom: the test against brute force, its level where nobody is better, Holm's correction by hand."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.claims import LEVEL, _drawn, holm, make_claims, sign_flip

POINTS = st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0])


def brute(values: list[float]) -> float:
    """Every way to give signs, looked at one by one."""
    total = abs(sum(values))
    sums = [sum(s * v for s, v in zip(signs, values, strict=True)) for signs in product((1, -1), repeat=len(values))]
    return sum(abs(found) >= total - 1e-9 for found in sums) / len(sums)


@settings(max_examples=120, deadline=None)
@given(st.lists(POINTS, min_size=1, max_size=9))
def test_points_are_tested_exactly(values: list[float]) -> None:
    assert sign_flip(values) == pytest.approx(brute(values), abs=1e-12)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.sampled_from([-4.0, -3.0, -1.5, -0.1, 0.0, 0.2, 1.0, 2.0, 2.5]), min_size=1, max_size=9))
def test_so_are_chips_and_tenths(values: list[float]) -> None:
    assert sign_flip(values) == pytest.approx(brute(values), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-3, 3, allow_subnormal=False).map(lambda v: round(v, 7)), min_size=3, max_size=8))
def test_values_of_no_common_part_are_drawn_near_enough(values: list[float]) -> None:
    assert sign_flip(values) == pytest.approx(brute(values), abs=0.03)


def test_six_pairs_won_are_enough_and_five_are_not() -> None:
    assert sign_flip([1.0] * 5) == pytest.approx(2 / 32)
    assert sign_flip([1.0] * 6) == pytest.approx(2 / 64)


def test_even_pairs_tell_nothing() -> None:
    assert sign_flip([]) == 1.0
    assert sign_flip([0.0] * 50) == 1.0
    assert sign_flip([1.0, -1.0, 0.0]) == 1.0
    assert sign_flip([1.0] * 6 + [0.0] * 90) == sign_flip([1.0] * 6)


def test_many_pairs_are_as_the_normal_law_says() -> None:
    values = [1.0] * 26_000 + [-1.0] * 25_400 + [0.5] * 9_000 + [-0.5] * 9_000
    z = 600 / math.sqrt(51_400 + 18_000 / 4)
    assert sign_flip(values) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=0.02)
    assert 0 < sign_flip([1.0] * 900) < 1e-200


def test_drawn_and_exact_agree() -> None:
    values = [2.0] * 30 + [-2.0] * 18 + [1.0] * 20 + [-1.0] * 14
    from collections import Counter

    drawn = _drawn(Counter(abs(value) for value in values), abs(sum(values)), 20_000)
    assert drawn == pytest.approx(sign_flip(values), rel=0.25)


NULLS = {
    "coin": ([-1.0, 1.0], [0.5, 0.5]),
    "draws": ([-1.0, -0.5, 0.0, 0.5, 1.0], [0.05, 0.1, 0.7, 0.1, 0.05]),
    "seat decides": ([-1.0, 0.0, 1.0], [0.01, 0.98, 0.01]),
    "chips": ([-4.0, -1.0, 0.0, 1.0, 4.0], [0.1, 0.3, 0.2, 0.3, 0.1]),
}


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("pairs", [5, 12, 60])
def test_where_nobody_is_better_at_most_one_claim_in_twenty_is_made(null: str, pairs: int) -> None:
    values, chances = NULLS[null]
    rng = np.random.default_rng(pairs)
    trials = 1500
    false = sum(sign_flip(rng.choice(values, pairs, p=chances).tolist()) <= LEVEL for _ in range(trials))
    assert false / trials <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / trials)


def test_among_six_equal_players_a_false_claim_is_made_in_at_most_one_table_of_twenty() -> None:
    rng = np.random.default_rng(8)
    trials, wrong, unadjusted = 400, 0, 0
    for _ in range(trials):
        meetings = [(a, b, rng.choice([-1.0, 0.0, 1.0], 30).tolist()) for a, b in combinations("abcdef", 2)]
        claims = make_claims(meetings)
        wrong += any(claim.made for claim in claims)
        unadjusted += any(claim.p <= LEVEL for claim in claims)
    assert wrong / trials <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / trials)
    assert unadjusted / trials > 0.3, "the correction is what does it"


def test_a_clear_winner_is_claimed_and_named() -> None:
    rng = np.random.default_rng(1)
    better = rng.choice([-0.5, 0.0, 0.5, 1.0], 60).tolist()
    first, second = make_claims([("x", "y", [-value for value in better]), ("x", "z", [0.0] * 60)])
    assert (first.better, first.made, first.pairs) == ("y", True, 60)
    assert (second.better, second.made, second.p_holm) == (None, False, 1.0)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_adjusting_never_helps_a_claim_and_keeps_the_order(chances: list[float]) -> None:
    adjusted = holm(chances)
    assert all(p <= q <= 1 for p, q in zip(chances, adjusted, strict=True))
    for (p, q), (r, s) in combinations(zip(chances, adjusted, strict=True), 2):
        assert p == r or (p < r) == (q < s) or q == s
    assert all(q <= min(1.0, len(chances) * p) + 1e-12 for p, q in zip(chances, adjusted, strict=True))
