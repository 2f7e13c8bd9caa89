"""The matrix: what its cells say, without a terminal and in one; its cursor."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from tournament_runs import HOSTILE

from arena.tui.collect.results import Meeting, Span, Unit, mirror
from arena.tui.format import short_names, squeeze
from arena.tui.widgets.matrix import Matrix
from arena.tui.widgets.matrix_cells import (
    FULL,
    HALF,
    LEAN,
    TIGHT,
    UNPLAYED,
    Density,
    Grid,
    cell_lines,
    shade,
    to_markdown,
)

DENSITIES = pytest.mark.parametrize("density", [FULL, HALF, LEAN, TIGHT])


def meeting(
    score: float = 0.7, half: float = 0.05, unit: Unit = "points", a: str = "a", b: str = "b", count: int = 400
) -> Meeting:
    won = round(count * max(min(score, 1), 0))
    return Meeting(a, b, Span(score, score - half, score + half), unit, (won, 0, count - won), (0, 1))


def grid_of(*cells: Meeting) -> Grid:
    names = tuple(dict.fromkeys(name for cell in cells for name in (cell.player, cell.opponent)))
    return Grid(names, names, {(cell.player, cell.opponent): cell for cell in cells})


def text(cell: Meeting | None, density: Density = LEAN, grid: Grid | None = None) -> str:
    return "\n".join(line.plain for line in cell_lines(cell, grid or (grid_of(cell) if cell else Grid()), density))


def test_shades_grow_with_the_score() -> None:
    weight = {" ": 0, "░": 1, "▒": 2, "▓": 3, "█": 4}
    shades = [shade(share / 100) for share in range(101)]
    weights = [(len(one), weight[one[0]]) for one in shades]
    assert weights == sorted(weights)
    assert len(set(shades)) == 5
    assert [shade(share, 1) for share in (0.0, 0.3, 0.7, 1.0)] == ["░", "▒", "▓", "█"]


@given(st.floats(allow_nan=False, allow_infinity=True))
def test_any_share_has_a_shade(share: float) -> None:
    assert shade(min(max(share, -10.0), 10.0)) in {"░", "▒▒", "▒▒▒", "▓▓▓▓", "█████"}


def test_cell_says_figure_interval_and_counts_as_there_is_room() -> None:
    assert text(meeting()).split() == [".70", "▓▓▓▓"]
    assert text(meeting(), HALF).split() == [".70", "▓▓▓▓", "±.05", "400"]
    assert text(meeting(), FULL).split() == [".70", "▓▓▓▓", ".65", "…", ".75", "280–0–120"]
    assert text(meeting(), TIGHT).split() == [".70▓"]
    assert text(None).split() == [UNPLAYED]


@DENSITIES
@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_cell_fills_exactly_its_place(density: Density, score: float) -> None:
    for cell in (meeting(score), meeting(-0.25, unit="utility"), None, meeting(score, count=10**9)):
        grid = grid_of(cell) if cell else Grid()
        wanted = density._replace(width=density.width + grid.signed)
        lines = cell_lines(cell, grid, wanted)
        assert [line.cell_length for line in lines] == [wanted.width] * wanted.lines


@DENSITIES
def test_cell_whose_interval_spans_even_play_is_dim_and_says_so(density: Density) -> None:
    unsure, sure = meeting(0.52, 0.05), meeting(0.6, 0.05)
    shown = cell_lines(unsure, grid_of(unsure), density)[0]
    assert "~.52" in shown.plain
    assert all("dim" in str(span.style) for span in shown.spans)
    assert not any("on " in str(span.style) for span in shown.spans)
    clear = cell_lines(sure, grid_of(sure), density)[0]
    assert "~" not in clear.plain
    assert not any("dim" in str(span.style) for span in clear.spans)
    assert any("on $primary" in str(span.style) for span in clear.spans)


def test_returns_are_signed_even_at_zero_and_shaded_by_the_widest() -> None:
    up, down, even = (meeting(v, 0.01, "utility", "a", n) for v, n in ((0.4, "b"), (-0.4, "c"), (0.005, "d")))
    grid = grid_of(up, down, even)
    assert [grid.share(cell) for cell in (up, down)] == [1.0, 0.0]
    assert text(up, grid=grid).split() == ["+.40", "█████"]
    assert text(down, grid=grid).split() == ["−.40", "░"]
    assert text(even, grid=grid).split()[0] == "~+.01"


def test_nothing_is_tinted_in_the_terminals_own_colours() -> None:
    cell = meeting(0.95)
    assert not any("on " in str(span.style) for span in cell_lines(cell, grid_of(cell), LEAN, tinted=False)[0].spans)


@given(st.floats(0, 1), st.floats(0, 0.3))
def test_both_sides_are_mirror_images(score: float, half: float) -> None:
    cell = meeting(score, half)
    other = mirror(cell)
    assert mirror(other).score.value == pytest.approx(score)
    assert other.sure == cell.sure or abs(abs(score - 0.5) - half) < 1e-9
    assert other.counts == cell.counts[::-1] if cell.counts else True
    assert other.forfeits == (1, 0)


def test_markdown_has_every_figure_and_escapes_names() -> None:
    names = ("a|b", "<i>*x*", "c")
    cells = {("a|b", "c"): meeting(0.7, 0.05, a="a|b", b="c")}
    written = to_markdown(Grid(names, names, cells), "kuhn_poker")
    rows = [line for line in written.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(names)
    assert all(row.replace("\\|", "").count("|") == len(names) + 2 for row in rows)
    assert ".70 (.65 … .75) 280–0–120" in rows[2]
    assert r"\<i\>\*x\*" in rows[0]
    assert written.count("·") == 5


def test_markdown_is_one_line_a_row_whatever_the_names() -> None:
    written = to_markdown(Grid(HOSTILE, HOSTILE, {}), "x\ny")
    assert len(written.splitlines()) == 4 + len(HOSTILE)
    assert not any(ord(char) < 32 and char != "\n" for char in written)


def test_names_are_short_as_long_as_they_stay_apart() -> None:
    specs = ["ckpt:tiny", "ckpt:/a/0/training", "ckpt:/a/1/training", "ckpt:run@80", "random", "ckpt:random"]
    assert short_names(specs) == {
        "ckpt:tiny": "tiny", "ckpt:/a/0/training": "0/training", "ckpt:/a/1/training": "1/training",
        "ckpt:run@80": "run@80", "random": "random", "ckpt:random": "ckpt:random",
    }  # fmt: skip


@given(st.lists(st.text(st.sampled_from("ab/:?@ckpt"), max_size=9).map(lambda tail: f"ckpt:{tail}"), unique=True))
def test_short_names_are_always_apart(specs: list[str]) -> None:
    assert len(set(short_names(specs).values())) == len(specs)


@given(st.text(), st.integers(-1, 30))
def test_squeezed_text_fits_and_keeps_both_ends(text: str, width: int) -> None:
    shown = squeeze(text, width)
    assert cell_len(shown) <= max(width, 0)
    assert cell_len(text) > width or shown == text
    assert squeeze("seed2-tictactoe", 9) == "see…actoe"


# In a terminal


class MatrixApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[object] = []

    def compose(self) -> ComposeResult:
        yield Matrix(id="matrix")

    def on_matrix_chosen(self, message: Matrix.Chosen) -> None:
        self.heard.append((message.player, message.opponent))


def show(
    players: int, steps: Callable[[MatrixApp, Matrix, Pilot[None]], Awaitable[None]], size: tuple[int, int] = (80, 24)
) -> None:
    names = [f"p{place:02}" for place in range(players)]
    cells = [
        meeting(0.5 + (x - y) / 50, 0.03, a=a, b=b) for (y, a), (x, b) in itertools.permutations(enumerate(names), 2)
    ]

    async def go() -> None:
        app = MatrixApp()
        async with app.run_test(size=size) as pilot:
            matrix = app.query_one(Matrix)
            matrix.show(grid_of(*cells))
            matrix.focus()
            await pilot.pause()
            await steps(app, matrix, pilot)

    asyncio.run(go())


def screen_text(app: App[None]) -> str:
    return "\n".join("".join(part.text for part in strip) for strip in app.screen._compositor.render_strips())


def test_cursor_moves_by_all_its_keys_and_enter_chooses() -> None:
    async def steps(app: MatrixApp, matrix: Matrix, pilot: Pilot[None]) -> None:
        assert matrix.current == ("p00", "p01")
        for key, at in (
            ("j", ("p01", "p01")), ("down", ("p02", "p01")), ("l", ("p02", "p02")), ("right", ("p02", "p03")),
            ("h", ("p02", "p02")), ("left", ("p02", "p01")), ("k", ("p01", "p01")), ("up", ("p00", "p01")),
            ("up", ("p00", "p01")), ("end", ("p00", "p04")), ("home", ("p00", "p00")), ("pagedown", ("p04", "p00")),
            ("pageup", ("p00", "p00")),
        ):  # fmt: skip
            await pilot.press(key)
            assert matrix.current == at, key
        await pilot.press("enter")
        await pilot.pause()
        assert app.heard == [("p00", "p00")]

    show(5, steps)


def test_click_moves_and_a_double_click_chooses() -> None:
    async def steps(app: MatrixApp, matrix: Matrix, pilot: Pilot[None]) -> None:
        x, y = matrix._head + matrix._pitch * 2 + 1, 1 + matrix.density.height
        await pilot.click(matrix, offset=(x, y))
        assert matrix.current == ("p01", "p02")
        await pilot.click(matrix, offset=(x, y), times=2)
        await pilot.pause()
        assert app.heard == [("p01", "p02")]
        await pilot.click(matrix, offset=(1, 0))
        assert matrix.current == ("p01", "p02")

    show(5, steps)


@pytest.mark.parametrize("players", [2, 5, 20, 60])
def test_cursor_is_always_on_screen(players: int) -> None:
    async def steps(app: MatrixApp, matrix: Matrix, pilot: Pilot[None]) -> None:
        last = f"p{players - 1:02}"
        for _ in range(players // 10 + 1):
            await pilot.press("pagedown")
        await pilot.press("end")
        assert matrix.current == (last, last)
        await pilot.pause()
        await pilot.press("left")
        await pilot.pause()
        lines = [line for line in screen_text(app).splitlines() if last in line]
        assert "." in lines[-1]
        x = matrix._column * matrix._pitch - matrix.scroll_offset.x
        assert 0 <= x <= matrix._room.width - matrix._head - matrix._pitch + 1
        y = matrix._row * matrix.density.height - matrix.scroll_offset.y
        assert 0 <= y <= matrix._room.height - 1 - matrix.density.height

    show(players, steps)


def test_more_room_shows_more() -> None:
    seen = []
    for size in ((200, 60), (90, 40), (90, 9), (40, 12)):

        async def steps(app: MatrixApp, matrix: Matrix, pilot: Pilot[None]) -> None:
            seen.append((matrix.density.lines, matrix.density.blocks))

        show(5, steps, size)
    assert seen == [(3, 5), (3, 5), (1, 5), (1, 1)]


def test_cursor_stays_with_its_players_when_the_order_changes() -> None:
    async def steps(app: MatrixApp, matrix: Matrix, pilot: Pilot[None]) -> None:
        matrix.move_to("p03", "p01")
        grid = matrix.grid
        matrix.show(Grid(grid.rows[::-1], grid.columns[::-1], grid.cells))
        assert matrix.current == ("p03", "p01")
        matrix.show(Grid(("p00",), ("p00",), {}))
        assert matrix.current == ("p00", "p00")
        matrix.show(Grid())
        assert matrix.current is None
        await pilot.press("j", "l", "enter")
        assert app.heard == []

    show(5, steps)


def test_hostile_names_stay_text_at_any_size() -> None:
    async def steps(app: MatrixApp, matrix: Matrix, pilot: Pilot[None]) -> None:
        matrix.show(Grid(HOSTILE, HOSTILE, {}, {HOSTILE[0]: "[red]●"}))
        for width, height in ((120, 36), (80, 24), (30, 8), (5, 3), (1, 1), (80, 24)):
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            shown = screen_text(app)
            assert "\x1b" not in shown
            assert "\u202e" not in shown
        assert "[Bet]" in screen_text(app)

    show(2, steps)
