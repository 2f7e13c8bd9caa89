"""The screen of one training: what it shows, what its keys do, what happens when things go wrong."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import hostile_runs
import pytest
import run_details
import run_dirs
from conftest import make_app, wait_for
from databases import changing
from textual.pilot import Pilot
from textual.widgets import Input, Static

from arena.runs.paths import CONFIG_JSON, DB_NAME
from arena.runs.paths import run_dirs as found_runs
from arena.runs.record import read_record
from arena.runs.rows import MetricRow
from arena.runs.store import RunStore
from arena.tui.app import ArenaApp
from arena.tui.curves import shown
from arena.tui.screens.base import ErrorLine, TitleBar
from arena.tui.screens.run import RunScreen
from arena.tui.screens.runs import RunsScreen
from arena.tui.widgets.log_tail import LogTail
from arena.tui.widgets.page_line import PageLine
from arena.tui.widgets.plot import Plot
from arena.tui.widgets.plot_grid import PlotGrid
from arena.tui.widgets.table import Table

Steps = Callable[[ArenaApp, Pilot[None]], Awaitable[None]]


def show(run_dir: Path, steps: Steps, size: tuple[int, int] = (120, 36), ready: bool = True) -> None:
    """Open the run's screen, wait until it has read it, and do the steps."""

    async def go() -> None:
        app = make_app(run_dir.parent)
        async with app.run_test(size=size) as pilot:
            await wait_for(pilot, lambda: app.screen_stack[0].query(TitleBar))
            app.open_run(run_dir)
            await wait_for(pilot, lambda: isinstance(app.screen, RunScreen))
            if ready:
                await wait_for(pilot, lambda: screen(app)._data is not None and log(app).lines)
            await steps(app, pilot)

    asyncio.run(go())


def screen(app: ArenaApp) -> RunScreen:
    found = next(one for one in app.screen_stack if isinstance(one, RunScreen))
    return found


def grid(app: ArenaApp) -> PlotGrid:
    return screen(app).query_one(PlotGrid)


def log(app: ArenaApp) -> LogTail:
    return screen(app).query_one(LogTail)


def page(app: ArenaApp) -> str:
    return screen(app).query_one(PageLine).current


def text_of(app: ArenaApp) -> str:
    """All lines on screen."""
    return "\n".join(line.text for line in app.screen._compositor.render_strips())


def red_line(app: ArenaApp) -> str:
    return screen(app).query_one(ErrorLine).text


def verdict(app: ArenaApp) -> str:
    return str(screen(app).query_one("#verdict", Static).content)


def toasts(app: ArenaApp) -> str:
    return "\n".join(note.message for note in app._notifications)


@pytest.fixture
def run_dir(root: Path) -> Path:
    return run_details.training(root / "kuhn-ttt-7")


def test_the_first_look_says_whether_it_learns(run_dir: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        text = text_of(app)
        for words in ("kuhn-ttt-7", "● running", "step 84/120", "2.0 s/step", "1:12 left"):
            assert words in text.splitlines()[0]
        assert "▲ learning 8 of 8 clearly better" in verdict(app)
        assert "optimal moves .51 → .73 ±.02" in verdict(app)
        assert "█ learn 53%" in text
        for title in ("score · tictactoe", "optimal moves", "exploitability", "entropy", "thought tokens"):
            assert title in text
        for value in ("random .81 ±.03", "optimal .42 ±.03", "start .72 ±.03"):
            assert value in text
        assert "⚠" in text
        assert "note 9" in text, "the end of the log"

    show(run_dir, steps)


@pytest.mark.parametrize(
    ("size", "columns", "pane"),
    [
        ((80, 24), 2, False), ((99, 31), 2, False), ((99, 32), 2, True), ((120, 36), 3, True), ((200, 60), 5, True),
        ((40, 60), 1, True),
    ],
)  # fmt: skip
def test_the_six_that_tell_most_are_in_view(run_dir: Path, size: tuple[int, int], columns: int, pane: bool) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        plots = grid(app).plots
        assert len({plot.region.x for plot in plots}) == columns
        view = grid(app).region
        assert all(plot.region in view for plot in plots[: 6 if columns > 1 else 4])
        assert [plot.title for plot in plots][:5] == [
            "score · tictactoe", "score · kuhn_poker", "optimal moves · tictactoe", "exploitability · kuhn_poker",
            "entropy",
        ]  # fmt: skip
        assert (log(app).size.height > 0) == pane

    show(run_dir, steps, size)


def test_one_cursor_moves_through_all_plots_and_their_titles(run_dir: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert grid(app).cursor is None
        unit = grid(app).unit
        assert unit > 1
        await pilot.press("left")
        assert grid(app).cursor == 84 - unit
        assert {plot.cursor for plot in grid(app).plots} == {84 - unit}
        await pilot.press("shift+left")
        assert grid(app).cursor == 84 - 11 * unit
        entropy = grid(app).plots[4]
        point = entropy.series[0].at(84 - 11 * unit)
        assert point is not None
        await wait_for(pilot, lambda: f"entropy  {shown(point)}" in text_of(app))
        assert f"─{84 - 11 * unit}─" in text_of(app), "the axis names the cursor's step"
        await pilot.press("shift+right", "right")
        assert grid(app).cursor is None, "past the newest step there is no cursor"
        await pilot.press("home")
        assert grid(app).cursor == 0
        await pilot.press("left")
        assert grid(app).cursor == 0
        await wait_for(pilot, lambda: " random .59" in text_of(app))
        await pilot.press("end")
        assert grid(app).cursor is None
        await pilot.press("g", "G")
        assert grid(app).cursor is None

    show(run_dir, steps)


def test_a_plot_is_chosen_with_the_keys_and_enlarged_by_enter(run_dir: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        def chosen() -> list[str]:
            return [plot.title for plot in grid(app).plots if plot.selected]

        assert chosen() == ["score · tictactoe"]
        await pilot.press("j", "down")
        assert chosen() == ["entropy"]
        await pilot.press("up", "k")
        assert chosen() == ["score · tictactoe"]
        await pilot.press("k", "up")
        assert chosen() == ["score · tictactoe"]
        await pilot.press("pagedown")
        assert chosen() != ["score · tictactoe"]
        await pilot.press("pageup", "enter")
        alone = [plot for plot in grid(app).plots if plot.display]
        assert [plot.title for plot in alone] == ["score · tictactoe"]
        await wait_for(pilot, lambda: alone[0].size.height == grid(app).size.height)
        assert "random .81 ±.03  optimal .42 ±.03  start .72 ±.03" in text_of(app)
        await pilot.press("j")
        assert [plot.title for plot in grid(app).plots if plot.display] == ["score · kuhn_poker"]
        await pilot.press("escape")
        assert isinstance(app.screen, RunScreen)
        assert all(plot.display for plot in grid(app).plots)
        await pilot.press("escape")
        await wait_for(pilot, lambda: isinstance(app.screen, RunsScreen))

    show(run_dir, steps)


def test_the_mouse_points_at_a_step_and_enlarges(run_dir: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        plot = grid(app).plots[4]
        await pilot.click(plot, offset=(6, 3))
        assert grid(app).cursor == 0
        assert plot.selected
        await pilot.click(plot, offset=(plot.size.width - 1, 3))
        assert grid(app).cursor == 84
        await pilot.click(plot, offset=(9, 3), times=2)
        await wait_for(pilot, lambda: grid(app).enlarged)

    show(run_dir, steps)


def test_pages_open_by_their_keys_and_give_the_focus_back(run_dir: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        for key, name, words in (
            ("a", "alarms", "94 % draws in self-play"), ("c", "checkpoints", "10.0 kB"), ("f", "config", "ckpt:tiny"),
            ("o", "log", "note 9"),
        ):  # fmt: skip
            await pilot.press(key)
            assert page(app) == name
            await wait_for(pilot, lambda words=words: words in text_of(app))
            await pilot.press(key)
            assert app.focused is grid(app)
            assert page(app) == name, "it stays open below the plots"
        assert "Alarms ⚠ 1" in text_of(app)
        assert "Checkpoints 3" in text_of(app)
        line = screen(app).query_one(PageLine)
        await pilot.click(line, offset=(12, 0))
        await wait_for(pilot, lambda: page(app) == "alarms")

    show(run_dir, steps)


def test_in_a_low_terminal_a_page_takes_the_place_of_the_plots(run_dir: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("a")
        await wait_for(pilot, lambda: "94 % draws in self-play" in text_of(app))
        assert "score · tictactoe" not in text_of(app)
        await pilot.press("escape")
        await wait_for(pilot, lambda: "score · tictactoe" in text_of(app))
        assert isinstance(app.screen, RunScreen)
        await pilot.press("a", "a")
        await wait_for(pilot, lambda: "score · tictactoe" in text_of(app))

    show(run_dir, steps, size=(80, 24))


def test_enter_on_an_alarm_or_a_checkpoint_shows_its_step(run_dir: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("a", "enter")
        await wait_for(pilot, lambda: grid(app).cursor == 70)
        assert app.focused is grid(app)
        await pilot.press("c", "j", "enter")
        await wait_for(pilot, lambda: grid(app).cursor == 40)

    show(run_dir, steps)


def test_alarms_are_marks_on_every_axis(run_dir: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        for plot in grid(app).query(Plot):
            assert [(mark.step, mark.glyph) for mark in plot.marks] == [(70, "⚠")]
        axis = next(line for line in text_of(app).splitlines() if "⚠" in line)
        assert axis.count("⚠") == 3

    show(run_dir, steps)


def test_the_config_is_searched(run_dir: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        table: Table[tuple[str, str]] = screen(app).query_one("#config-table", Table)
        await pilot.press("f")
        whole = len(table.items)
        assert whole > 40
        await pilot.press("slash", *"game kuhn")
        assert isinstance(app.focused, Input)
        await wait_for(pilot, lambda: [key for key, _ in table.items] == ["games.1.game"])
        await pilot.press("enter")
        assert app.focused is table
        await pilot.press("slash", *"zzz")
        await wait_for(pilot, lambda: "No line has these words." in text_of(app))
        await pilot.press("escape")
        await wait_for(pilot, lambda: len(table.items) == whole)
        assert isinstance(app.screen, RunScreen)

    show(run_dir, steps)


def test_the_log_follows_until_one_scrolls_up_and_end_follows_again(run_dir: Path) -> None:
    run_details.log(run_dir, *(f"line {number}" for number in range(200)))

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "line 199" in text_of(app)
        run_details.log(run_dir, "line 200")
        await wait_for(pilot, lambda: "line 200" in text_of(app))
        await pilot.press("o", "k", "k")
        assert not log(app).following
        run_details.log(run_dir, "line 201", "line 202", "line 203")
        await wait_for(pilot, lambda: log(app).unseen == 3)
        assert "+3 new · End" in text_of(app)
        assert "line 203" not in text_of(app)
        assert "o Log +3" in text_of(app)
        await pilot.press("pageup", "g")
        assert "note 0" in text_of(app)
        await pilot.press("end")
        await wait_for(pilot, lambda: "line 203" in text_of(app))
        assert log(app).following
        assert "new · End" not in text_of(app)
        await pilot.press("pageup", "j")
        assert not log(app).following
        await pilot.press("pagedown", "pagedown")
        assert log(app).following, "at the end it follows again by itself"

    show(run_dir, steps)


def test_the_wheel_releases_the_log_and_a_click_on_the_pill_follows(run_dir: Path) -> None:
    run_details.log(run_dir, *(f"line {number}" for number in range(200)))

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        tail = log(app)
        await pilot._post_mouse_events([_wheel()], tail, button=0)
        await wait_for(pilot, lambda: not tail.following)
        await pilot.click(tail, offset=(tail.size.width - 3, tail.size.height - 1))
        await wait_for(pilot, lambda: tail.following)

    show(run_dir, steps)


def _wheel() -> type:
    from textual import events

    return events.MouseScrollUp


def test_long_lines_are_moved_along(run_dir: Path) -> None:
    run_details.log(run_dir, "a" * 110 + "the end")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("o")
        assert "the end" not in text_of(app)
        await pilot.press("right")
        await wait_for(pilot, lambda: "the end" in text_of(app))
        await pilot.press("left", "left")
        await wait_for(pilot, lambda: "note 9" in text_of(app))

    show(run_dir, steps)


def test_news_of_the_job_arrive_by_themselves(run_dir: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        with RunStore(run_dir) as store:
            store.add_metrics([MetricRow(90, "entropy", 0.125), MetricRow(90, "later_metric", 7.0)])
            store.add_metrics([MetricRow(90, "seconds_learn", 1.0)])
        await wait_for(pilot, lambda: "step 90/120" in text_of(app))
        await wait_for(pilot, lambda: grid(app).plots[4].series[0].at() is not None)
        last = grid(app).plots[4].series[0].at()
        assert last is not None
        assert (last.step, last.value) == (90, 0.125)
        titles = [plot.title for plot in grid(app).plots]
        assert "later metric" in titles
        assert titles.index("later metric") == titles.index("seconds a step") - 1
        run_details.checkpoint(run_dir, 90)
        await wait_for(pilot, lambda: "Checkpoints 4" in text_of(app))

    show(run_dir, steps)


def test_play_and_tournament_take_the_newest_checkpoint_or_the_one_under_the_cursor(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(ArenaApp, "open_play", lambda app, player="", game="": asked.append((player, game)))
    monkeypatch.setattr(ArenaApp, "open_tournament", lambda app, run_dir=None, players=(): asked.append(players))
    monkeypatch.setattr(ArenaApp, "open_match", lambda app, run_dir=None, match_id=None: asked.append((run_dir,)))

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("p", "t", "l")
        await pilot.press("c", "j", "p", "t")
        assert asked == [
            ("ckpt:kuhn-ttt-7@80", "tictactoe"), ("ckpt:kuhn-ttt-7@80", "ckpt:tiny"), (run_dir,),
            ("ckpt:kuhn-ttt-7@40", "tictactoe"), ("ckpt:kuhn-ttt-7@40", "ckpt:tiny"),
        ]  # fmt: skip

    show(run_dir, steps)


def test_evaluate_starts_a_tournament_of_the_checkpoint_in_a_job_of_its_own(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, small_model: Path
) -> None:
    model = run_dir / "checkpoints" / "step_80"
    shutil.rmtree(model)
    from arena.runs.checkpoints import write_checkpoint

    write_checkpoint(model.parent, 80, lambda folder: shutil.copytree(small_model, folder / "model") and None)
    monkeypatch.setattr(sys, "executable", shutil.which("true"))

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: screen(app)._checkpoint is not None)
        await pilot.press("e")
        await wait_for(pilot, lambda: len(found_runs(run_dir.parent)) == 2 or toasts(app))
        await wait_for(pilot, lambda: toasts(app))
        (started,) = (path for path in found_runs(run_dir.parent) if path.name != run_dir.name)
        config = json.loads((started / CONFIG_JSON).read_text())
        assert config["players"] == ["ckpt:kuhn-ttt-7@80", "ckpt:tiny", "random", "optimal"]
        assert config["games"] == [run_dirs.TICTACTOE, run_dirs.KUHN]
        assert read_record(started).kind == "tournament"
        assert (started / "logs" / "attempt_1" / "stderr.log").exists(), "detached"
        assert started.name in toasts(app)

    show(run_dir, steps)


def test_what_needs_a_checkpoint_is_not_offered_without_one(root: Path) -> None:
    run_dir = run_details.training(root / "a", steps=30, saved=1)
    shutil.rmtree(run_dir / "checkpoints")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "evaluate" not in text_of(app)
        await pilot.press("e", "p", "t")
        assert isinstance(app.screen, RunScreen)
        assert len(found_runs(root)) == 1
        run_details.checkpoint(run_dir, 30)
        await wait_for(pilot, lambda: "evaluate" in text_of(app))

    show(run_dir, steps)


def test_before_the_first_step_it_says_what_it_waits_for(root: Path) -> None:
    run_dir = run_dirs.training(root / "a", 3, of=5, end="")
    for file in run_dir.glob(f"{DB_NAME}*"):
        file.unlink()

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: "No figures yet." in text_of(app))
        assert "step 0/5" in text_of(app)
        assert "not evaluated yet" in text_of(app)
        assert red_line(app) == ""
        await wait_for(pilot, lambda: "Nothing in the log yet." in text_of(app))
        await pilot.press("left", "home", "j", "enter", "a", "c", "f", "o")
        with RunStore(run_dir) as store:
            store.add_event("stopped", "")
            await wait_for(pilot, lambda: "The run is stopped, and it stored none." in text_of(app))
            store.add_metrics([MetricRow(1, "entropy", 0.5)])
        await wait_for(pilot, lambda: "entropy  .50" in text_of(app))

    show(run_dir, steps, ready=False)


def test_a_run_that_ended_without_figures_says_so(root: Path) -> None:
    run_dir = run_dirs.training(root / "a", 3, of=5, end="failed", message="no such [model]")
    with changing(run_dir / DB_NAME) as db:
        db.execute("DELETE FROM metric")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: "The run is failed, and it stored none." in text_of(app))
        assert "✗ no such [model]" in verdict(app)

    show(run_dir, steps, ready=False)


def test_a_run_that_cannot_be_read_is_not_shown_as_empty(run_dir: Path) -> None:
    (run_dir / DB_NAME).write_bytes(b"by far no database" * 999)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: "run.db is damaged" in red_line(app))
        await wait_for(pilot, lambda: "This run cannot be read." in text_of(app))
        assert "Loading" not in text_of(app)
        await wait_for(pilot, lambda: "note 9" in text_of(app))
        for key in ("left", "enter", "j", "a", "c", "f", "o", "e", "p", "t"):
            await pilot.press(key)
        assert isinstance(app.screen, RunScreen)

    show(run_dir, steps, ready=False)


def test_what_vanishes_stays_on_screen_with_a_red_line(run_dir: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        aside = run_dir.rename("aside")
        await wait_for(pilot, lambda: "No such file or directory" in red_line(app))
        assert "optimal moves .51 → .73 ±.02" in verdict(app)
        assert len(grid(app).plots) > 6
        aside.rename(run_dir)
        await wait_for(pilot, lambda: red_line(app) == "")

    show(run_dir, steps)


def test_a_resumed_run_drops_what_it_does_again(run_dir: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        with RunStore(run_dir) as store:
            store.add_event("started", "pid 2")
            store.drop_after(40)
            store.add_metrics([MetricRow(41, "seconds_learn", 1.0)])
        run_details.log(run_dir, "again", attempt=2)
        await wait_for(pilot, lambda: "step 41/120" in text_of(app))
        await wait_for(pilot, lambda: grid(app).plots[0].steps == (0, 41))
        await wait_for(pilot, lambda: "── attempt 2 ──" in text_of(app))
        assert "⚠" not in text_of(app)

    show(run_dir, steps)


def test_supervised_training_has_the_same_screen(root: Path) -> None:
    run_dir = run_details.training(root / "a", steps=40)
    replace(read_record(run_dir), kind="sft").write(run_dir)
    with RunStore(run_dir) as store:
        store.add_metrics(MetricRow(step, "loss", 1 / step) for step in range(1, 41))

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "loss" in [plot.title for plot in grid(app).plots][:6]
        assert "step 40/120" in text_of(app)

    show(run_dir, steps)


def test_hostile_text_renders_literally(root: Path) -> None:
    run_dir = hostile_runs.training(root / "a")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        for keys in ((), ("a",), ("c",), ("f",), ("o",), ("g",), ("o", "enter"), ("left",)):
            await pilot.press(*keys)
            await pilot.pause()
            text = text_of(app)
            assert "\x1b" not in text
            assert not any(character in text for character in hostile_runs.BIDI)
        assert "PWNED" in text_of(app)

    for size in ((120, 36), (80, 24)):
        show(run_dir, steps, size)


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (60, 100)])
def test_any_size_of_terminal_is_borne(run_dir: Path, size: tuple[int, int]) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert all(len(line) <= size[0] for line in text_of(app).splitlines())
        for key in ("a", "c", "f", "o", "left", "enter", "j"):
            await pilot.press(key)
        await pilot.resize_terminal(120, 36)
        await pilot.resize_terminal(*size)
        await pilot.resize_terminal(120, 36)
        await wait_for(pilot, lambda: "kuhn-ttt-7" in text_of(app))

    show(run_dir, steps, size)


def test_the_palette_and_help_know_the_keys(run_dir: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        ids = {binding.id for _, binding, _, _ in screen(app).active_bindings.values()}
        assert {"checkpoint.evaluate", "checkpoint.play", "show.alarms", "plot.enlarge", "cursor.far_left"} <= ids
        await pilot.press("question_mark")
        await wait_for(pilot, lambda: "95 % intervals do not meet" in " ".join(text_of(app).split()))

    show(run_dir, steps)
