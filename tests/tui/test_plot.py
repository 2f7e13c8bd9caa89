"""Drawing curves: pure functions from points to cells, and what the widget makes of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.tui.curves import Cell, Point, Scale, Series, Thinner, draw, letters, mean, shown, thinned, tick, value_range
from arena.tui.widgets.plot import _around

NAN = math.nan


def series(*values: float, name: str = "", half: float | None = None) -> Series:
    ends = [(None, None) if half is None else (value - half, value + half) for value in values]
    return Series.of(
        name, [Point(step, value, *end) for step, (value, end) in enumerate(zip(values, ends, strict=True))]
    )


def roles(grid: list[list[Cell]], role: str) -> set[tuple[int, int]]:
    return {(x, y) for y, row in enumerate(grid) for x, cell in enumerate(row) if cell.role == role}


def test_a_rising_line_goes_from_the_lower_left_to_the_upper_right() -> None:
    grid = draw([series(0, 1)], 4, 2, (0, 1), (0, 1))
    assert grid[1][0].role == "line"
    assert grid[0][3].role == "line"
    assert grid[0][0].role == "blank"
    assert grid[1][3].role == "blank"


def test_a_flat_line_stays_on_one_row_and_fills_it() -> None:
    grid = draw([series(5, 5, 5)], 6, 3, (0, 2), value_range([series(5, 5, 5)]))
    assert roles(grid, "line") == {(x, 1) for x in range(6)}


def test_one_point_is_one_dot() -> None:
    one = series(0.5)
    grid = draw([one], 5, 3, (0, 10), value_range([one]))
    assert len(roles(grid, "line")) == 1
    dots = [ord(cell.text) - 0x2800 for row in grid for cell in row if cell.role == "line"]
    assert [bin(dot).count("1") for dot in dots] == [1]


def test_one_point_with_an_interval_has_its_band_above_and_below() -> None:
    grid = draw([series(0.5, half=0.4)], 5, 5, (0, 10), (0, 1))
    assert {y for x, y in roles(grid, "band") if x == 0} >= {0, 1, 3, 4}


def test_not_a_number_is_a_gap_and_not_a_line_across_it() -> None:
    grid = draw([series(1, 1, NAN, 1, 1)], 20, 3, (0, 4), (0, 2))
    filled = sorted(x for x, _ in roles(grid, "line"))
    assert filled == [*range(6), *range(14, 20)]


def test_nothing_but_gaps_draws_nothing() -> None:
    nothing = series(NAN, NAN)
    assert value_range([nothing]) == (0.0, 1.0)
    assert roles(draw([nothing, series(name="b")], 9, 3, (0, 1), (0, 1)), "blank") == {
        (x, y) for x in range(9) for y in range(3)
    }


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (0, 0), (-1, 3)])
def test_without_room_there_is_no_grid(width: int, height: int) -> None:
    assert draw([series(1, 2)], width, height, (0, 1), (0, 1)) == []


@given(
    values=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=40),
    width=st.integers(1, 30),
    height=st.integers(1, 10),
    half=st.none() | st.floats(0, 10),
)
def test_any_values_fill_exactly_the_room_with_single_cells(
    values: list[float], width: int, height: int, half: float | None
) -> None:
    lines = [series(*values, name="a", half=half), series(1, 2, name="b")]
    low, high = value_range(lines)
    assert low <= high
    grid = draw(lines, width, height, (0, max(len(values), 1)), (low, high))
    assert [len(row) for row in grid] == [width] * height
    assert all(len(cell.text) == 1 for row in grid for cell in row)


def test_a_line_lies_over_bands_and_the_first_line_over_others() -> None:
    grid = draw([series(1, 1, name="a"), series(1, 1, name="b", half=1)], 8, 4, (0, 1), (0, 2))
    on_row = [cell for cell in grid[1] if cell.role == "line"]
    assert {cell.series for cell in on_row} == {0}
    assert roles(grid, "band")


def test_each_of_several_lines_has_its_letter_at_its_end() -> None:
    grid = draw([series(0, 0, name="low"), series(2, 2, name="up")], 6, 3, (0, 1), (0, 2))
    assert grid[2][5] == Cell("l", "letter", 0)
    assert grid[0][5] == Cell("u", "letter", 1)
    assert not roles(draw([series(0, 1, name="alone")], 6, 3, (0, 1), (0, 1)), "letter")


def test_letters_of_lines_that_end_together_stand_beside_each_other() -> None:
    grid = draw([series(1, 1, name="a"), series(1, 1, name="b"), series(1, 1, name="c")], 6, 5, (0, 1), (0, 2))
    assert sorted(row[5].text for row in grid if row[5].role == "letter") == ["a", "b", "c"]


def test_letters_differ_where_names_allow_it() -> None:
    def of(*names: str) -> list[str]:
        return letters([series(1, name=name) for name in names])

    assert of("random", "optimal", "start", "self(t-16)") == ["r", "o", "s", "e"]
    assert of("role 0", "role 1") == ["0", "1"]
    assert of("aa", "aa", "aa") == ["a", "A", "•"]
    assert of("名前", "\x1b[2J") == ["•", "2"]


def test_the_range_is_that_of_the_points_with_intervals_as_far_as_they_leave_half_the_height() -> None:
    assert value_range([series(0, 1)]) == (0, 1)
    assert value_range([series(0, 1, half=0.1)]) == (-0.1, 1.1)
    assert value_range([series(0, 1, half=9)]) == (-0.5, 1.5)
    assert value_range([]) == (0.0, 1.0)


def test_a_given_limit_holds_unless_it_would_cut_points_off() -> None:
    assert value_range([series(0.4, 0.6)], (0.0, None)) == (0.0, 0.6)
    assert value_range([series(-0.4, 0.6)], (0.0, 0.5)) == (-0.4, 0.6)
    assert value_range([], (2.0, None)) == (2.0, 3.0)
    low, high = value_range([series(0, 0)], (0.0, None))
    assert low == 0.0
    assert high > 0


def test_the_point_at_a_step_is_the_last_one_up_to_it() -> None:
    one = Series.of("", [Point(0, 0.1), Point(25, 0.2, 0.1, 0.3), Point(50, NAN)])
    assert one.at(24) == Point(0, 0.1)
    assert one.at(25) == Point(25, 0.2, 0.1, 0.3)
    assert one.at(-1) is None
    assert one.at() is not None
    assert shown(one.at()) == "—"
    assert Series.of("", []).at() is None


def test_many_points_are_drawn_as_means_and_the_last_as_it_is() -> None:
    points = [Point(step, step % 2) for step in range(1000)]
    few = thinned(points, 100)
    assert len(few) == 101
    assert all(point.value == 0.5 for point in few[:-1])
    assert few[-1] == points[-1]
    assert thinned(points, 1000) is points


@given(st.integers(0, 3000), st.integers(2, 50))
def test_a_growing_course_stays_small_and_keeps_its_mean(count: int, most: int) -> None:
    thinner = Thinner(most)
    for step in range(count):
        thinner.add(Point(step, float(step)))
    points = thinner.points()
    if count < 2 * most:
        assert points is None
        return
    assert points is not None
    assert len(points) <= 2 * most + 1
    assert points[-1].step == count - 1
    assert [point.step for point in points] == sorted(point.step for point in points)


def test_a_mean_passes_over_gaps_and_keeps_an_interval_that_all_have() -> None:
    assert mean([Point(1, 1.0, 0.0, 2.0), Point(2, NAN, 2.0, 4.0)]) == Point(2, 1.0, 1.0, 3.0)
    assert math.isnan(mean([Point(1, NAN), Point(2, math.inf)]).value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, ".00"), (0.5, ".50"), (-0.25, "−.25"), (1.0, "1.00"), (12.34, "12.3"), (123.4, "123"), (0.0012, "1e-3"),
        (-0.0012, "−1e-3"), (12_345.0, "12k"), (1_234_567.0, "1e6"), (NAN, "—"), (math.inf, "—"), (9_999.0, "9999"),
    ],
)  # fmt: skip
def test_ticks_are_at_most_five_characters(value: float, text: str) -> None:
    assert tick(value) == text
    assert len(text) <= 5


def test_a_value_is_shown_with_half_its_interval() -> None:
    assert shown(Point(0, 0.86, 0.83, 0.89)) == ".86 ±.03"
    assert shown(Point(0, 0.00012)) == "1.2e-4"
    assert shown(None) == "—"


@pytest.mark.parametrize(
    ("name", "letter", "most", "parts"),
    [
        ("random", "r", 24, ("", "andom")), ("self(t-16)", "e", 24, ("s", "lf(t-16)")),
        ("role 1", "1", 24, ("role ", "")),
        ("optimal", "o", 3, ("", "pt")), ("optimal", "o", 0, ("", "")), ("role 1", "1", 3, ("", " rol")),
        ("a" * 30, "•", 10, ("", f" {'a' * 9}…")), ("aa", "A", 5, ("", " aa")),
    ],
)  # fmt: skip
def test_a_name_is_cut_around_its_letter(name: str, letter: str, most: int, parts: tuple[str, str]) -> None:
    assert _around(name, letter, most) == parts


def test_a_scale_has_dots_for_all_values() -> None:
    scale = Scale(0, 10, 5)
    assert [scale.dot(value) for value in (-5, 0, 5, 10, 99)] == [0, 0, 2, 4, 4]
    assert scale.value(2) == 5
    assert Scale(3, 3, 7).dot(3) == 3
