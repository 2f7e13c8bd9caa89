"""The statistics of the benchmark that tests the paper's sentences over training seeds."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import pytest

CLAIMS = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "claims.py"))
Figure, as_json, T975 = CLAIMS["Figure"], CLAIMS["as_json"], CLAIMS["T975"]


def test_the_interval_is_students() -> None:
    # Mean 3, sample variance 2.5, 4 degrees of freedom: 3 ± 2.776 · sqrt(2.5 / 5).
    mean, low, high = Figure("x", [1.0, 2.0, 3.0, 4.0, 5.0], 0.0).interval
    assert (mean, low, high) == pytest.approx((3.0, 3 - 1.96293, 3 + 1.96293), abs=1e-5)


def test_the_points_are_those_of_students_distribution() -> None:
    # One and two degrees of freedom have closed forms: tan(π (p − 1/2)), and a ratio of roots.
    assert T975[1] == pytest.approx(math.tan(math.pi * 0.475), abs=5e-4)
    assert T975[2] == pytest.approx(0.95 * math.sqrt(2 / (1 - 0.95**2)), abs=5e-4)
    assert sorted(T975.values(), reverse=True) == list(T975.values())


def test_one_seed_shows_nothing_and_equal_figures_show_all() -> None:
    assert Figure("x", [0.9], 0.5).interval == (0.9, -math.inf, math.inf)
    assert not Figure("x", [0.9], 0.5).shown
    assert Figure("x", [0.75, 0.75, 0.75], 0.5).shown
    assert not Figure("x", [0.5, 0.5], 0.5).shown, "even is not above even"


def test_a_sentence_is_shown_where_all_its_figures_are() -> None:
    clear, vague = Figure("clear", [0.9, 0.91, 0.92], 0.5), Figure("vague", [0.2, 0.9, 0.6], 0.5)
    rows = as_json({"both": [clear, vague], "one": [clear]})
    assert [(row["sentence"], row["shown"]) for row in rows] == [("both", False), ("one", True)]
    assert set(rows[0]["figures"][0]) == {"name", "values", "mean", "low", "high"}
    assert rows[0]["figures"][0]["low"] > 0.5 > rows[0]["figures"][1]["low"]
