"""The list of runs: what it shows, what its keys do, what happens to it when things go wrong."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import run_dirs
from conftest import make_app, vanish, wait_for
from databases import changing
from textual.pilot import Pilot
from textual.widgets import Static

from arena.runs.paths import DB_NAME, stop_asked
from arena.runs.record import read_record, run_status
from arena.tui.app import ArenaApp
from arena.tui.collect.runs import RunRow, RunScanner, preview
from arena.tui.screens.base import ErrorLine, TitleBar
from arena.tui.screens.confirm import AskScreen, ConfirmScreen
from arena.tui.screens.runs import RunsScreen
from arena.tui.settings import state_dir
from arena.tui.widgets import run_preview
from arena.tui.widgets.table import Table

Steps = Callable[[ArenaApp, Pilot[None]], Awaitable[None]]


def show(root: Path, steps: Steps, size: tuple[int, int] = (120, 36), rows: int | None = None) -> None:
    """Open the list, wait until the runs are there, and do the steps."""

    async def go() -> None:
        app = make_app(root)
        async with app.run_test(size=size) as pilot:
            wanted = rows if rows is not None else len(list(root.glob("*/run.json")))
            await wait_for(pilot, lambda: len(table(app).items) == wanted and app.screen_stack[0].query(TitleBar))
            await steps(app, pilot)

    asyncio.run(go())


def table(app: ArenaApp) -> Table[RunRow]:
    return app.screen_stack[0].query_one("#runs", Table)


def about(app: ArenaApp) -> str:
    return str(app.screen_stack[0].query_one("#about", Static).content)


def red_line(app: ArenaApp) -> str:
    return app.screen_stack[0].query_one(ErrorLine).text


def toasts(app: ArenaApp) -> str:
    return "\n".join(note.message for note in app._notifications)


async def choose(app: ArenaApp, pilot: Pilot[None], name: str) -> None:
    """Move the cursor to the run of this id with the keys."""
    await pilot.press("g")
    for _ in table(app).items:
        row = table(app).current
        if row is not None and row.path.name == name:
            break
        await pilot.press("j")
    await wait_for(pilot, lambda: (row := table(app).current) and row.path.name == name)
    await wait_for(pilot, lambda: app.run_dir is not None and app.run_dir.name == name)


def text_of(app: ArenaApp) -> str:
    """All lines on screen."""
    lines = app.screen._compositor.render_strips()
    return "\n".join(line.text for line in lines)


def test_every_run_has_its_derived_state_running_ones_first(all_runs: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        rows = {row.id: row.status for row in table(app).items}
        assert rows == {
            "base-vs-7": "running",
            "kuhn-ttt-7": "running",
            "kuhn-ttt-6": "finished",
            "no-rae-1": "stopped",
            "nan-3": "failed",
            "broken": "unreadable",
        }
        assert [row.running for row in table(app).items] == [True, True, False, False, False, False]
        shown = text_of(app)
        for words in ("6 runs · 2 running · 1 failed", "✓ finished", "■ stopped", "✗ failed", "? unreadable", "70%"):
            assert words in shown

    show(all_runs, steps)


def test_progress_time_left_and_headline_come_from_the_stored_rows(all_runs: Path) -> None:
    rows = {row.id: row for row in RunScanner(all_runs).scan().rows}
    running, tournament = rows["kuhn-ttt-7"], rows["base-vs-7"]
    assert (running.done, running.total, running.unit) == (84, 120, "step")
    assert running.pace == pytest.approx(run_dirs.STEP_SECONDS)
    assert running.seconds_left == pytest.approx(36 * run_dirs.STEP_SECONDS)
    assert running.headline is not None
    assert (running.headline.game, running.headline.opponent) == ("tictactoe", "random")
    assert len(running.headline.values) == 9
    assert running.headline.last == pytest.approx(0.59 + 0.3 * 80 / 110)
    assert (tournament.done, tournament.total, tournament.unit) == (12, 24, "match")
    assert tournament.seconds_left == pytest.approx(12.0)
    assert tournament.leader is not None
    assert tournament.leader.player == "optimal"
    assert rows["nan-3"].error == "the loss was not finite for 5 steps"
    assert rows["kuhn-ttt-6"].seconds_left is None


@pytest.mark.parametrize("jump", [-7200, -60, 3600])
def test_a_clock_that_jumps_changes_neither_pace_nor_time_left(root: Path, jump: int) -> None:
    training, tournament = root / "a", root / "b"
    run_dirs.training(training, 40, end="")
    run_dirs.tournament(tournament, 20, end="")
    sound = {row.id: row for row in RunScanner(root).scan().rows}
    assert sound["a"].pace == pytest.approx(run_dirs.STEP_SECONDS)
    with changing(training / DB_NAME) as db:
        db.execute("UPDATE metric SET at = at + ? WHERE step > 30", (jump,))
    with changing(tournament / DB_NAME) as db:
        db.execute("UPDATE match SET at = at + ? WHERE id > 12", (jump,))
    for row in RunScanner(root).scan().rows:
        assert row.pace == pytest.approx(sound[row.id].pace, rel=0.05)
        assert row.seconds_left == pytest.approx(sound[row.id].seconds_left, rel=0.05)


def test_a_run_that_ended_before_it_began_is_not_said_to_have_taken_any_time(root: Path) -> None:
    run_dir = run_dirs.training(root / "a", 40)
    (row,) = RunScanner(root).scan().rows
    assert row.took(0.0) == 40 * run_dirs.STEP_SECONDS, "however the clock stands now"
    assert "took 1:20" in run_preview.about(row, None, run_dirs.NOW, 60).plain
    with changing(run_dir / DB_NAME) as db:
        db.execute("UPDATE event SET at = at - 7200 WHERE kind = 'finished'")
    (row,) = RunScanner(root).scan().rows
    shown = run_preview.about(row, None, run_dirs.NOW, 60).plain
    assert row.took(run_dirs.NOW) is None
    assert "started" in shown
    assert "took" not in shown


def test_an_age_is_not_told_where_the_clock_went_back_behind_the_start(root: Path) -> None:
    run_dirs.tournament(root / "b", 20)
    (row,) = RunScanner(root).scan().rows
    assert "for 1:00" in run_preview.about(row, None, run_dirs.NOW, 60).plain
    assert ", for" not in run_preview.about(row, None, run_dirs.NOW - 3600, 60).plain


def test_the_pane_follows_the_cursor(all_runs: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await choose(app, pilot, "kuhn-ttt-7")
        await wait_for(pilot, lambda: "exploitability" in about(app))
        for words in ("step 84/120", "2.0 s/step", "1:12 left", "vs random", ".81 ±.03", "⚠ step 70: 94 % draws"):
            assert words in about(app)
        await choose(app, pilot, "nan-3")
        assert "the loss was not finite" in about(app)
        await choose(app, pilot, "base-vs-7")
        await wait_for(pilot, lambda: "rating" in about(app))
        assert "+90 ±30" in about(app)

    show(all_runs, steps)


def test_what_has_not_changed_is_not_read_again(all_runs: Path) -> None:
    scanner = RunScanner(all_runs)
    before = {row.id: row for row in scanner.scan().rows}
    after = {row.id: row for row in scanner.scan().rows}
    same = {name for name, row in after.items() if row is before[name]}
    assert same == {"kuhn-ttt-6", "no-rae-1", "nan-3", "broken"}
    replaced = replace(read_record(all_runs / "no-rae-1"), name="other")
    replaced.write(all_runs / "no-rae-1")
    assert {row.id: row.name for row in scanner.scan().rows}["no-rae-1"] == "other"


def test_a_run_that_cannot_be_read_is_named_in_red_beside_the_others(all_runs: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert "1 of 6 runs cannot be read: runs/broken/run.json is damaged" in red_line(app)
        (all_runs / "kuhn-ttt-6" / "run.db").write_bytes(b"not a database, by far not" * 100)
        await wait_for(pilot, lambda: "2 of 6 runs" in red_line(app))
        row = next(row for row in table(app).items if row.id == "kuhn-ttt-6")
        assert (row.status, row.done) == ("unreadable", 120), "what was known of it stays"

    show(all_runs, steps)


def test_a_failed_read_is_not_shown_as_no_runs(all_runs: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        all_runs.rename("elsewhere")
        Path("runs").write_text("not a directory")
        await wait_for(pilot, lambda: "cannot be read" in red_line(app) and "broken" not in red_line(app))
        assert len(table(app).items) == 6
        assert "No runs yet" not in text_of(app)
        Path("runs").unlink()
        Path("elsewhere").rename(all_runs)
        await wait_for(pilot, lambda: "1 of 6" in red_line(app))

    show(all_runs, steps)


def test_a_run_that_vanishes_leaves_the_list_and_the_cursor_stays_by(all_runs: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await choose(app, pilot, "no-rae-1")
        vanish(all_runs / "kuhn-ttt-6")
        await wait_for(pilot, lambda: len(table(app).items) == 5)
        row = table(app).current
        assert row is not None
        assert row.id == "no-rae-1"
        vanish(all_runs / "no-rae-1")
        await wait_for(pilot, lambda: len(table(app).items) == 4)
        row = table(app).current
        assert row is not None
        assert row.id == "nan-3"

    show(all_runs, steps)


def test_without_runs_it_says_how_to_start_one(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: "No runs yet." in text_of(app))
        assert "Press n to train the bundled model" in text_of(app)
        for key in ("s", "K", "r", "e", "d", "enter", "c"):
            await pilot.press(key)
        assert isinstance(app.screen, RunsScreen)
        run_dirs.training(root / "first", 3, of=5)
        await wait_for(pilot, lambda: len(table(app).items) == 1)
        assert "No runs yet." not in text_of(app)

    show(root, steps, rows=0)


def test_stop_asks_the_job_politely(all_runs: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await choose(app, pilot, "kuhn-ttt-7")
        await pilot.press("s")
        await wait_for(pilot, lambda: stop_asked(all_runs / "kuhn-ttt-7"))
        await wait_for(pilot, lambda: (row := table(app).current) and row.status == "stopping")
        assert "will end politely" in toasts(app)

    show(all_runs, steps)


def test_kill_names_the_run_asks_and_takes_every_process(all_runs: Path) -> None:
    sleeper = "import time; print(1, flush=True); time.sleep(600)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {sleeper!r}], start_new_session=True)"
    job = subprocess.Popen([sys.executable, "-c", parent], start_new_session=True, stdout=subprocess.PIPE)
    assert job.stdout is not None
    assert job.stdout.readline() == b"1\n"
    run_dir = all_runs / "kuhn-ttt-7"
    read_record(run_dir).with_process(job.pid).write(run_dir)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await choose(app, pilot, "kuhn-ttt-7")
        await pilot.press("K")
        assert isinstance(app.screen, ConfirmScreen)
        assert "kuhn-ttt-7" in text_of(app)
        await pilot.press("enter")
        assert isinstance(app.screen, RunsScreen), "no has the focus"
        assert job.poll() is None
        await pilot.press("K", "y")
        await wait_for(pilot, lambda: job.poll() is not None)
        await wait_for(pilot, lambda: (row := table(app).current) and row.status == "dead")

    try:
        show(all_runs, steps)
        assert job.stdout.read() == b"", "the grandchild, which holds the other end, is gone too"
    finally:
        job.kill()
        job.wait()


def test_resume_goes_on_where_it_was(root: Path) -> None:
    run_dir = run_dirs.tournament(root / "t", played=0, pairs=1, end="stopped", players=["random", "scripted"])

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("r")
        await wait_for(pilot, lambda: run_status(run_dir, read_record(run_dir)).value == "finished", seconds=60)
        await wait_for(pilot, lambda: (row := table(app).current) and row.status == "finished")

    show(root, steps)


def test_rename_changes_the_name_and_keeps_the_id(all_runs: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await choose(app, pilot, "no-rae-1")
        await pilot.press("e")
        assert isinstance(app.screen, AskScreen)
        await pilot.press(*"plain", "enter")
        await wait_for(pilot, lambda: (row := table(app).current) and row.name == "plain")
        record = read_record(all_runs / "no-rae-1")
        assert (record.name, record.id) == ("plain", "no-rae-1")

    show(all_runs, steps)


def test_delete_asks_and_is_not_offered_while_the_run_is_at_work(all_runs: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await choose(app, pilot, "kuhn-ttt-7")
        await pilot.press("d")
        assert isinstance(app.screen, RunsScreen)
        for name in ("broken", "no-rae-1"):
            await choose(app, pilot, name)
            await pilot.press("d")
            assert isinstance(app.screen, ConfirmScreen)
            await pilot.press("escape")
            assert (all_runs / name).exists()
            await pilot.press("d", "y")
            await wait_for(pilot, lambda name=name: not (all_runs / name).exists())
        await wait_for(pilot, lambda: len(table(app).items) == 4)
        assert red_line(app) == ""

    show(all_runs, steps)


def test_the_id_is_copied_to_the_clipboard_and_to_a_file(all_runs: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await choose(app, pilot, "nan-3")
        await pilot.press("c")
        assert app.clipboard == "nan-3"
        assert (state_dir() / "copied.txt").read_text() == "nan-3"

    show(all_runs, steps)


def test_hostile_names_render_literally(root: Path) -> None:
    name = "[/b][@click=app.quit]x[/]\x1b[2J\u202eevil 名前 " + "é" * 30
    run_dir = run_dirs.training(root / "a", 3, of=5, end="failed", message="[bold]\x1b]0;x\x07[/nope]" * 50)
    replace(read_record(run_dir), name=name).write(run_dir)

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await wait_for(pilot, lambda: "[/nope]" in about(app))
        shown = text_of(app)
        assert "[/b][@click=app.quit]x[/]␛[2J" in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        await pilot.press("e")
        await pilot.press("escape", "d")
        assert "[@click=app.quit]" in text_of(app)

    show(root, steps, size=(200, 40))


@pytest.mark.parametrize("columns", [12, 40, 79, 99, 100, 140])
def test_columns_give_way_where_there_is_no_room(all_runs: Path, columns: int) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        lines = text_of(app).splitlines()
        assert all(len(line) <= columns for line in lines)
        if columns >= 40:
            assert "kuhn-ttt-7" in text_of(app)
            assert "running" in text_of(app)

    show(all_runs, steps, size=(columns, 24))


def test_the_preview_of_a_run_without_rows_is_no_error(root: Path) -> None:
    run_dir = run_dirs.training(root / "a", 3, of=5)
    (run_dir / "run.db").unlink()
    (row,) = RunScanner(root).scan().rows
    assert (row.done, row.total) == (0, 5)
    assert preview(row).courses == ()
