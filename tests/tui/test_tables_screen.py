"""The screen Tables: every key, what is shown of which table, export and copy, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
import run_dirs
import table_runs
import tournament_runs
from conftest import make_app, vanish, wait_for
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Input, Static

from arena.runs.paths import RESULT_JSON
from arena.tui.app import ArenaApp
from arena.tui.screens.base import ErrorLine, TitleBar
from arena.tui.screens.confirm import ConfirmScreen
from arena.tui.screens.export import ExportScreen
from arena.tui.screens.help import HelpScreen
from arena.tui.screens.runs import RunsScreen
from arena.tui.screens.tables import TablesScreen
from arena.tui.screens.tournament import TournamentScreen
from arena.tui.settings import state_dir
from arena.tui.sheet import Figure
from arena.tui.widgets.matrix import Matrix
from arena.tui.widgets.page_line import PageLine
from arena.tui.widgets.pick_one import PickOne
from arena.tui.widgets.sheet_table import SheetTable

Steps = Callable[[ArenaApp, Pilot[None]], Awaitable[None]]


@pytest.fixture
def some(root: Path) -> Path:
    return table_runs.one_of_each(root)


def show(root: Path, steps: Steps, size: tuple[int, int] = (120, 36), runs: Sequence[Path] = ()) -> None:
    """Open the tables, wait until they are there, and do the steps."""

    async def go() -> None:
        app = make_app(root)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            app.open_tables(runs)
            await wait_for(pilot, lambda: screen(app)._look is not None)
            await steps(app, pilot)

    asyncio.run(go())


def screen(app: ArenaApp) -> TablesScreen:
    return next(one for one in app.screen_stack[::-1] if isinstance(one, TablesScreen))


def table(app: ArenaApp) -> SheetTable:
    return screen(app).query_one(SheetTable)


def matrix(app: ArenaApp) -> Matrix:
    return screen(app).query_one(Matrix)


def static(app: ArenaApp, name: str) -> str:
    return str(app.screen.query_one(f"#{name}", Static).content)


def title(app: ArenaApp) -> str:
    return Content.from_markup(str(screen(app).query_one("#table-pane").border_title)).plain


def summary(app: ArenaApp) -> str:
    return screen(app).query_one(TitleBar).summary.plain


def toasts(app: ArenaApp) -> str:
    return "\n".join(note.message for note in app._notifications)


def keys(app: ArenaApp) -> set[str]:
    """What can be pressed now."""
    return {found.binding.action.partition("(")[0] for found in app.screen.active_bindings.values() if found.enabled}


def heads(app: ArenaApp) -> str:
    return table(app).render_line(0).text


# Which table


@pytest.mark.parametrize(
    ("key", "page", "shown"),
    [
        ("s", "scores", "Scores"),
        ("v", "head-to-head", "specialists · all games  1/4"),
        ("o", "ood", "Change against the base"),
        ("t", "truth", "Ground truth"),
        ("b", "reasoning", "Reasoning"),
        ("a", "api", "API players"),
    ],
)
def test_each_table_has_a_key(some: Path, key: str, page: str, shown: str) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press(key)
        await wait_for(pilot, lambda: title(app) == shown)
        assert screen(app).query_one(PageLine).current == page
        filled = key not in "ba"
        assert screen(app).query_one("#empty").display != filled
        assert table(app).display == (filled and key != "v")
        assert matrix(app).display == (key == "v")
        wanted = matrix(app) if key == "v" else table(app) if filled else None
        await wait_for(pilot, lambda: app.screen.focused is wanted)

    show(some, steps)


def test_a_click_on_a_name_opens_its_table(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        line = app.screen.query_one(PageLine)
        await pilot.click(line, offset=(line.render().plain.index("Truth"), 0))
        assert line.current == "truth"

    show(some, steps)


def test_the_title_counts_runs_and_rows(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert summary(app).startswith("4 runs · ")
        assert app.screen.query_one(PageLine).news["scores"] == str(len(table(app).items))

    show(some, steps)


def test_only_given_runs_are_shown(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert {line.cells[0] for line in table(app).items} == {"transfer"}
        assert summary(app).startswith("1 run · ")

    show(some, steps, runs=[some / "transfer"])


def test_m_shows_lines_instead_of_matrices(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "cross" not in keys(app)
        await pilot.press("v", "m")
        assert table(app).display
        assert title(app) == "Head-to-head"
        await pilot.press("o")
        assert title(app) == "Transfer to games outside training"
        await pilot.press("m")
        assert title(app) == "Change against the base"
        await pilot.press("v")
        assert matrix(app).display

    show(some, steps)


def test_brackets_go_through_runs_and_games(some: Path) -> None:
    tournament_runs.against_each_other(some / "specialists-2")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "matrix" not in keys(app)
        await pilot.press("v")
        seen = [title(app)]
        for _ in range(7):
            await pilot.press("right_square_bracket")
            seen.append(title(app))
        assert len(set(seen)) == 8
        await pilot.press("right_square_bracket")
        assert title(app) == seen[0]
        await pilot.press("left_square_bracket")
        assert title(app) == seen[-1]

    show(some, steps)


def test_the_line_under_the_cursor_is_told_in_full(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("s", "end")
        line = table(app).current
        assert line is not None
        figure = line.cells[5]
        assert isinstance(figure, Figure)
        assert figure.interval in static(app, "detail")
        await pilot.press("v", "j", "j")
        assert "W–D–L" in static(app, "detail")

    show(some, steps)


def test_enter_opens_the_run(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        for key in ("s", "v"):
            await pilot.press(key, "j", "enter")
            assert isinstance(app.screen, TournamentScreen)
            await pilot.press("escape")
            assert isinstance(app.screen, TablesScreen)

    show(some, steps, runs=[some / "specialists"])


# Order


def test_left_and_right_choose_the_column_and_r_turns_round(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        names = [heading.name for heading in table(app).sheet.headings]
        assert "turn" not in keys(app)
        natural = table(app).items
        await pilot.press("right")
        assert table(app).order == (names[0], False)
        assert "▲run" in heads(app)
        await pilot.press(*["right"] * names.index("score"))
        assert table(app).order == ("score", True)
        assert "▼score" in heads(app)
        assert table(app).current is table(app).items[0]
        down = [line.cells[5].value for line in table(app).items]  # type: ignore[union-attr]
        assert down == sorted(down, reverse=True)
        await pilot.press("r")
        assert [line.cells[5].value for line in table(app).items] == sorted(down)  # type: ignore[union-attr]
        await pilot.press("h", "l")
        assert table(app).order == ("score", True)
        await pilot.press(*["left"] * (names.index("score") + 1))
        assert table(app).order.column == ""
        assert table(app).items == natural
        await pilot.press("left")
        assert table(app).order.column == names[-1]

    show(some, steps)


def test_a_click_on_a_title_sorts_and_another_turns_round(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        x = heads(app).index("score") + 2
        await pilot.click(table(app), offset=(x, 0))
        assert table(app).order == ("score", True)
        await pilot.click(table(app), offset=(x, 0))
        assert table(app).order == ("score", False)
        await pilot.click(table(app), offset=(heads(app).index("95 %"), 0))
        assert table(app).order == ("score", True)
        await pilot.click(table(app), offset=(heads(app).index("player") + 1, 0))
        assert table(app).order == ("player", False)
        await pilot.click(table(app), offset=(5, 3))
        assert table(app).order == ("player", False)
        assert table(app).current is table(app).items[2]

    show(some, steps)


def test_each_table_keeps_its_order(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("right", "right", "t", "right", "s")
        assert table(app).order == ("player", False)
        await pilot.press("t")
        assert table(app).order == ("run", False)
        await pilot.press("o")
        assert table(app).order.column == ""

    show(some, steps)


def test_the_column_sorted_by_is_always_there(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "voids" not in heads(app)
        names = [heading.name for heading in table(app).sheet.headings]
        await pilot.press(*["right"] * (names.index("voids") + 1))
        assert "▼voids" in heads(app)
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        assert "▼voids" in heads(app)

    show(some, steps, size=(80, 24))


def test_news_keep_order_filter_and_cursor(some: Path) -> None:
    run = some / "base-vs-7"

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press(*["right"] * 6, "j", "j", "j")
        before, current = table(app).items, table(app).current
        assert current is not None
        result = json.loads((run / RESULT_JSON).read_text(encoding="utf-8"))
        result["results"] = [row for row in result["results"] if row["b"] != "optimal"]
        (run / RESULT_JSON).write_text(json.dumps(result), encoding="utf-8")
        os.utime(run / RESULT_JSON, (1, 1))
        await wait_for(pilot, lambda: len(table(app).items) < len(before))
        assert table(app).order == ("score", True)
        assert table(app).current is not None
        kept = {line.key for line in table(app).items}
        if current.key in kept:
            assert table(app).current.key == current.key

    show(some, steps)


# Filter


def test_slash_filters_while_typing_and_escape_drops_it(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        whole = len(table(app).items)
        await pilot.press("slash", *"optimal", "space", *"tictactoe")
        assert app.screen.focused is app.screen.query_one("#filter", Input)
        lines = table(app).items
        assert 0 < len(lines) < whole
        assert all("optimal" in line.cells and "tictactoe" in line.cells for line in lines)
        assert f"{len(lines)} of {whole} rows · filter: optimal tictactoe" in summary(app)
        await pilot.press("enter")
        assert app.screen.focused is table(app)
        await pilot.press("t")
        assert table(app).items
        assert all("optimal" in line.words and "tictactoe" in line.words for line in table(app).items)
        await pilot.press("s", "escape")
        assert len(table(app).items) == whole
        assert not app.screen.query_one("#filter").display
        await pilot.press("escape")
        assert isinstance(app.screen, RunsScreen)

    show(some, steps)


def test_a_filter_that_nothing_fits_says_so(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"nothing")
        assert "No line has all of nothing" in static(app, "empty")
        assert not screen(app).check_action("export", ())
        assert not screen(app).check_action("copy", ())
        await pilot.press("escape")
        assert table(app).display

    show(some, steps)


def test_an_empty_filter_is_put_away(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", "enter")
        assert not app.screen.query_one("#filter").display
        assert app.screen.focused is table(app)

    show(some, steps)


def test_the_filter_leaves_players_of_a_matrix(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("v", "slash", *"multi")
        assert matrix(app).grid.rows == ("ckpt:runs/multi@80",)
        assert len(matrix(app).grid.columns) == 3
        await pilot.press("backspace", *"x")
        assert not matrix(app).display
        assert "No line has all of multx" in static(app, "empty")

    show(some, steps)


# Export


def test_c_copies_what_is_shown(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("t", "slash", *"optimal_move", "enter", "right", "right", "c")
        assert app.clipboard.startswith("**Ground truth**")
        assert app.clipboard == (state_dir() / "copied.txt").read_text(encoding="utf-8")
        assert app.clipboard.count("optimal moves") == 1, "in the note, being in every row"
        await pilot.press("escape", "v", "c")
        assert "**specialists: all games**" in app.clipboard
        assert app.clipboard.count("\n| ") == 5

    show(some, steps)


@pytest.mark.parametrize(("presses", "suffix", "start"), [
    (0, ".md", "**Scores**"), (1, ".csv", "run,player,"), (2, ".tex", "% \\usepackage"), (3, ".svg", "<svg "),
    (4, ".json", '{\n  "schema": 1'),
])  # fmt: skip
def test_e_writes_what_is_shown(some: Path, presses: int, suffix: str, start: str) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"specialists", "enter", "e", *["right"] * presses)
        assert static(app, "where").startswith(str(Path(f"scores{suffix}").absolute()))
        assert "new file" in static(app, "where")
        await pilot.press("enter")
        await wait_for(pilot, lambda: isinstance(app.screen, TablesScreen))
        text = Path(f"scores{suffix}").read_text(encoding="utf-8")
        assert text.startswith(start)
        assert "base-vs-7" not in text
        assert "Written to" in toasts(app)

    show(some, steps)


def test_a_matrix_is_written_as_one_and_as_data_in_lines(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("v", "right_square_bracket", "e", "enter")
        await wait_for(pilot, lambda: isinstance(app.screen, TablesScreen))
        assert "**specialists: tictactoe**" in Path("head-to-head.md").read_text(encoding="utf-8")
        await pilot.press("e", "right", "enter")
        await wait_for(pilot, lambda: isinstance(app.screen, TablesScreen))
        rows = Path("head-to-head.csv").read_text(encoding="utf-8").splitlines()
        assert len(rows) == 1 + 6
        assert all(",tictactoe," in row for row in rows[1:])

    show(some, steps)


def test_a_file_that_is_there_is_not_overwritten_unasked(some: Path) -> None:
    Path("scores.md").write_text("mine")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("e")
        field = app.screen.query_one(Input)
        assert field.value == "scores-2.md"
        field.value = "scores.md"
        await pilot.pause()
        assert "exists already" in static(app, "where")
        await pilot.press("enter")
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press("n")
        assert isinstance(app.screen, ExportScreen)
        assert Path("scores.md").read_text() == "mine"
        await pilot.press("enter", "y")
        await wait_for(pilot, lambda: isinstance(app.screen, TablesScreen))
        assert Path("scores.md").read_text().startswith("**Scores**")

    show(some, steps)


def test_a_name_of_ones_own_keeps_its_stem(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("e")
        field = app.screen.query_one(Input)
        field.value = "paper/table.md"
        await pilot.press("right")
        assert field.value == "paper/table.csv"
        await pilot.press("left", "left")
        assert field.value == "paper/table.json"
        await pilot.press("enter")
        await wait_for(pilot, lambda: "Cannot write" in toasts(app))
        assert isinstance(app.screen, ExportScreen)

    show(some, steps)


@pytest.mark.parametrize("name", ["", ".", "runs"])
def test_a_directory_is_no_file(some: Path, name: str) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("e", "tab")
        app.screen.query_one(Input).value = name
        await pilot.press("enter")
        assert "is a directory" in toasts(app)
        assert isinstance(app.screen, ExportScreen)

    show(some, steps)


def test_a_home_directory_of_nobody_is_no_crash_while_it_is_typed(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("e")
        app.screen.query_one(Input).value = "~nobody-of-that-name/table.md"
        await pilot.pause()
        await pilot.press("enter")
        await wait_for(pilot, lambda: "Cannot write" in toasts(app))

    show(some, steps)


def test_the_dialog_copies_and_closes(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("e", "c")
        assert isinstance(app.screen, TablesScreen)
        assert app.clipboard.startswith("**Scores**")
        await pilot.press("e", "escape")
        assert isinstance(app.screen, TablesScreen)
        for button in ("copy", "cancel"):
            await pilot.press("e")
            await pilot.click(f"#{button}")
            assert isinstance(app.screen, TablesScreen)
        await pilot.press("e")
        app.screen.query_one(PickOne).focus()
        await pilot.click("#write")
        await wait_for(pilot, lambda: isinstance(app.screen, TablesScreen))
        assert Path("scores.md").exists()

    show(some, steps)


# Empty, wrong, hostile, large


@pytest.mark.parametrize("key", "svotba")
def test_an_empty_table_says_what_fills_it(root: Path, key: str) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press(key)
        assert "no rows yet" in static(app, "empty")
        assert "spiral-arena " in static(app, "empty")
        assert not {"export", "copy", "cross", "matrix", "sort"} & keys(app)

    show(root, steps)


def test_tables_of_which_no_run_has_a_result_say_so(root: Path) -> None:
    tournament_runs.played(root / "t", pairs=1, result=False)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "1 without a result" in summary(app)
        assert "1 run without a result yet" in static(app, "empty")

    show(root, steps)


def test_a_damaged_run_is_told_and_the_rest_stays(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        before = len(table(app).items)
        (some / "transfer" / RESULT_JSON).write_text("{")
        await wait_for(pilot, lambda: app.screen.query_one(ErrorLine).text)
        assert app.screen.query_one(ErrorLine).text.startswith("1 of 4 runs cannot be read: transfer: ")
        assert len(table(app).items) == before
        vanish(some / "transfer")
        await wait_for(pilot, lambda: not app.screen.query_one(ErrorLine).text)
        assert len(table(app).items) < before

    show(some, steps)


def test_runs_that_cannot_be_read_are_not_called_no_rows(root: Path) -> None:
    run_dirs.corrupt(root / "broken")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "Scores: 1 of 1 run cannot be read." in static(app, "empty")
        assert "no rows yet" not in static(app, "empty")

    show(root, steps)


def test_a_root_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    async def go() -> None:
        app = make_app(tmp_path / "file")
        async with app.run_test() as pilot:
            await pilot.pause()
            app.open_tables()
            await wait_for(pilot, lambda: any(one.text for one in app.screen.query(ErrorLine)))
            await wait_for(pilot, lambda: isinstance(app.screen, TablesScreen) and app.screen.query_one(ErrorLine).text)
            assert static(app, "empty") == "The runs cannot be read."
            assert "page" not in keys(app)
            await pilot.press("v", "slash", "e", "m")
            assert app.screen.query_one(PageLine).current == "scores"

    asyncio.run(go())


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (20, 6), (1, 1)])
def test_hostile_names_and_sizes_break_nothing(root: Path, size: tuple[int, int]) -> None:
    tournament_runs.hostile(root / "hostile")
    run = tournament_runs.held_out(root / "o")
    text = (run / RESULT_JSON).read_text(encoding="utf-8").replace("snake", "[red]\\u001b[31m\\u202e")
    (run / RESULT_JSON).write_text(text, encoding="utf-8")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press(*"sjjvmot", *["right"] * 4, "end", "o")
        shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert not {"\x1b", "\u202e", "\x9b"} & set(shown)
        await pilot.resize_terminal(1, 1)
        await pilot.resize_terminal(120, 36)
        await pilot.press("s", "c")
        assert "\x1b" not in app.clipboard
        await pilot.press("e", "escape")

    show(root, steps, size=size)


def test_help_names_every_key(some: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("right", "question_mark")
        assert isinstance(app.screen, HelpScreen)
        text = "\n".join(str(one.content) for one in app.screen.query(Static))
        for name in ("table.filter", "table.export", "table.copy", "sort.turn", "table.head-to-head", "screen.back"):
            assert name in text

    show(some, steps)


def test_f5_reads_again(some: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TablesScreen, "POLL_SECONDS", 1000)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        vanish(some / "transfer")
        await pilot.press("f5")
        await wait_for(pilot, lambda: summary(app).startswith("3 runs"))

    show(some, steps)
