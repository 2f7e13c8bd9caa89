"""The form of a training: what it shows, what its keys do, what it refuses, and that it starts a real job."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import run_dirs
from conftest import make_app, wait_for
from launch_steps import (
    aside,
    choose,
    go_to,
    origin,
    part,
    red_line,
    said,
    show,
    summary,
    text_of,
    toasts,
    type_into,
    until_said,
)  # fmt: skip
from textual import events
from textual.pilot import Pilot
from textual.widgets import Button, Input

from arena.config.base import find_toml, read_toml, validate
from arena.config.presets import presets
from arena.runs.control import stop_run
from arena.runs.paths import run_dirs as all_run_dirs
from arena.runs.record import Status, read_record, run_status
from arena.runs.trainings import MODELS
from arena.tui.app import ArenaApp
from arena.tui.collect.fields import Key
from arena.tui.screens.confirm import AskScreen, ConfirmScreen
from arena.tui.screens.launch import LaunchScreen
from arena.tui.screens.presets import PresetScreen
from arena.tui.screens.runs import RunsScreen
from arena.tui.settings import state_dir
from arena.tui.widgets.form import Form
from arena.tui.widgets.form_fields import ChoiceField, TextField
from arena.tui.widgets.form_folds import Fold, FoldTitle, Item, Items
from arena.tui.widgets.launch_words import OriginLine
from arena.tui.widgets.table import Table

MINIMAL = "name = 'mine'\nsteps = 7\n[[games]]\ngame = 'tictactoe'\nturns = 5\n"


def test_every_preset_is_shown_and_its_toml_is_the_preset(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        for preset in presets():
            await pilot.press("p")
            await wait_for(pilot, lambda: isinstance(app.screen, PresetScreen))
            app.screen.query_one(Table).move_to(preset.name)
            await pilot.press("enter")
            await wait_for(pilot, lambda name=preset.name: name in origin(screen) and aside(screen).toml)
            given = validate(MODELS[preset.kind], read_toml(preset.path))
            written = tomllib.loads(aside(screen).toml)
            assert validate(MODELS[preset.kind], written) == given
            shown = {item.heading() for item in screen.query(Item)}
            assert shown == {item.game for item in given.games}
            assert part(screen, ("name",)).query_one(Input).value in (given.name, "")
            assert not screen._draft.changed

    show(root, steps)


def test_it_opens_on_the_main_job_with_the_defaults_dimmed(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        seed, steps_row = part(screen, ("seed",)), part(screen, ("steps",))
        assert (seed.query_one(Input).value, seed.query_one(Input).placeholder) == ("", "0")
        assert steps_row.query_one(Input).value == "300"
        shown = text_of(app)
        for words in (
            "quickstart · 2 games · 300 steps",
            "● steps",
            "default 100",
            "  seed",
            "▸ opponent",
            "[[games]]",
        ):
            assert words in shown
        assert "time unknown" in shown
        assert isinstance(app.focused, OriginLine)

    show(root, steps)


ERRORS: list[tuple[str, Key, str, str]] = [
    ("quickstart", ("steps",), "many", "Input should be a valid integer"),
    ("quickstart", ("steps",), "0", "greater than or equal to 1"),
    ("quickstart", ("optimiser", "lr"), "fast", "Input should be a valid number"),
    ("quickstart", ("optimiser", "lr"), "-1", "greater than 0"),
    ("quickstart", ("optimiser", "beta2"), "1", "less than 1"),
    ("quickstart", ("optimiser", "lr"), "inf", "finite"),
    ("quickstart", ("games", 1, "game"), "kuhn_pokr", "Did you mean kuhn_poker?"),
    ("quickstart", ("games", 0, "turns"), "", "Field required"),
    ("quickstart", ("evaluation", "opponents"), "random, randon", "Did you mean random"),
    ("quickstart", ("evaluation", "opponents"), "[1]", "Input should be a valid string"),
    ("quickstart", ("model",), "ckpt:tinny", "Did you mean tiny"),
    ("quickstart", ("model",), "random", "Training cannot start from 'random'"),
    ("fixed-random", ("opponent", "fixed", "player"), "ckpt:nobody", "nobody"),
    ("pool", ("opponent", "pool", "active"), "17", "less than or equal to 16"),
    ("quickstart", ("magnet_decay",), "1", "less than 1"),
    ("sft", ("games", 2, "teacher"), "optimal", "no exact solution"),
    ("quickstart", ("directory",), "used", "holds a run already"),
    ("quickstart", ("directory",), "runs/used/run.json/x", "Cannot create a run"),
]


@pytest.mark.parametrize(
    ("preset", "key", "text", "words"), ERRORS, ids=[f"{key[-1]}={text}" for _, key, text, _ in ERRORS]
)
def test_an_error_is_shown_at_its_field(root: Path, preset: str, key: Key, text: str, words: str) -> None:
    (root / "used").mkdir()
    (root / "used" / "run.json").touch()

    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        await type_into(pilot, screen, key, text)
        await until_said(pilot, screen, key, words)
        assert said(screen, key).startswith("✗ ")
        assert "✗ 1 error" in summary(screen)
        await pilot.press("ctrl+s")
        await wait_for(pilot, lambda: "Not started: 1 error" in toasts(app))
        assert not [path for path in root.iterdir() if path.name != "used"]
        await pilot.press("home", "ctrl+k")
        if text:
            await wait_for(pilot, lambda: words not in said(screen, key))

    show(root, steps, preset)


def test_what_is_wrong_with_the_whole_stands_in_the_red_line(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        await type_into(pilot, screen, ("games", 1, "game"), "tictactoe")
        await wait_for(pilot, lambda: "a game is given more than once" in red_line(screen))
        await type_into(pilot, screen, ("games", 1, "game"), "snake")
        await wait_for(pilot, lambda: not red_line(screen))

    show(root, steps)


def test_starting_with_errors_opens_what_hides_the_first(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        await type_into(pilot, screen, ("optimiser", "clip"), "-3")
        fold = part(screen, ("optimiser",))
        assert isinstance(fold, Fold)
        fold.head.focus()
        await pilot.press("enter")
        await wait_for(pilot, lambda: not fold.is_open)
        await wait_for(pilot, lambda: "✗ 1 error" in fold.title(60, False).plain)
        await pilot.press("ctrl+s")
        await wait_for(pilot, lambda: fold.is_open)
        assert app.focused is part(screen, ("optimiser", "clip")).query_one(Input)

    show(root, steps)


def test_ranks_beyond_the_cores_and_models_to_download_are_notes_not_errors(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        await type_into(pilot, screen, ("ranks",), "64")
        await until_said(pilot, screen, ("ranks",), "cores")
        await type_into(pilot, screen, ("model",), "hf:nobody/nothing")
        await until_said(pilot, screen, ("model",), "downloads it first")
        assert "error" not in summary(screen)
        assert "ranks = 64" in aside(screen).toml

    show(root, steps)


def test_keys_move_between_the_fields(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        async def at(*keys: str) -> str:
            await pilot.press(*keys)
            row = next((node for node in app.focused.ancestors_with_self if hasattr(node, "key")), None)
            return ".".join(map(str, row.key)) if row is not None else type(app.focused).__name__

        assert await at("j") == "name"
        assert await at("tab") == "seed"
        assert await at("down") == "steps"
        assert await at("shift+tab") == "seed"
        assert await at("up") == "name"
        assert await at("k") == "name", "letters are typed in a field"
        assert part(screen, ("name",)).query_one(Input).value == "k"
        assert await at("enter") == "seed"
        fold = await go_to(pilot, screen, ("shaping",))
        assert isinstance(app.focused, ChoiceField)
        assert await at("k") == "more"
        assert await at("j") == "shaping"
        assert fold.key == ("shaping",)
        assert await at("k", "k") == "evaluation"

    show(root, steps)


def test_sections_open_and_close(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        fold = part(screen, ("optimiser",))
        assert isinstance(fold, Fold)
        assert "lr 0.0012 · minibatch 850" in fold.title(60, False).plain
        fold.head.focus()
        keys = ("enter", "enter", "right", "left", "l", "h", "space")
        for key, is_open in zip(keys, (True, False, True, False, True, False, True), strict=True):
            await pilot.press(key)
            await wait_for(pilot, lambda wanted=is_open: fold.is_open == wanted and fold.body.display == wanted)
        games = part(screen, ("games",))
        assert isinstance(games, Fold)
        games.head.focus()
        for is_open in (False, True):
            await pilot.press("enter")
            await wait_for(pilot, lambda wanted=is_open: games.body.display == games.is_open == wanted)
        assert part(screen, ("optimiser", "beta1")).query_one(Input).placeholder == "0.5"

    show(root, steps)


def test_games_are_added_and_taken_away(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        games = part(screen, ("games",))
        assert isinstance(games, Items)
        games.head.focus()
        await pilot.press("plus")
        await wait_for(pilot, lambda: len(screen.query(Item)) == 3 and isinstance(app.focused, TextField))
        await pilot.press(*"simple_negotiation", "tab", *"30")
        await wait_for(pilot, lambda: 'game = "simple_negotiation"\nturns = 30' in aside(screen).toml)
        screen.query(Item).first().head.focus()
        await pilot.press("minus")
        await wait_for(pilot, lambda: len(screen.query(Item)) == 2 and "tictactoe" not in aside(screen).toml)
        assert [item.heading() for item in screen.query(Item)] == [run_dirs.KUHN, "simple_negotiation"]
        assert isinstance(app.focused, FoldTitle)
        assert screen.query(Item).last().is_open, "what was open stays open"
        await pilot.press("+")
        await wait_for(pilot, lambda: len(screen.query(Item)) == 3)
        assert [item.heading() for item in screen.query(Item)] == [run_dirs.KUHN, "new", "simple_negotiation"]
        for left in (2, 1, 0):
            screen.query(Item).first().head.focus()
            await pilot.press("delete")
            await wait_for(pilot, lambda wanted=left: len(screen.query(Item)) == wanted)
        await until_said(pilot, screen, ("games",), "at least 1 item")
        assert isinstance(app.focused, FoldTitle)

    show(root, steps)


def test_another_kind_of_opponent_brings_its_own_fields(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        await choose(pilot, screen, ("opponent",), "pool")
        await type_into(pilot, screen, ("opponent", "pool", "size"), "3")
        await wait_for(pilot, lambda: '[opponent]\ntype = "pool"\nsize = 3' in aside(screen).toml)
        await choose(pilot, screen, ("opponent",), "fixed")
        await type_into(pilot, screen, ("opponent", "fixed", "player"), "scripted")
        await wait_for(pilot, lambda: '[opponent]\ntype = "fixed"\nplayer = "scripted"' in aside(screen).toml)
        await choose(pilot, screen, ("opponent",), "self_play")
        await wait_for(pilot, lambda: "[opponent]" not in aside(screen).toml)
        await choose(pilot, screen, ("evaluation", "ground_truth"), "false")
        await wait_for(pilot, lambda: "ground_truth = false" in aside(screen).toml)

    show(root, steps)


def test_from_scratch_says_what_has_to_be_given(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        await pilot.press("enter")
        await wait_for(pilot, lambda: isinstance(app.screen, PresetScreen))
        app.screen.query_one(Table).move_to("new training")
        await pilot.press("enter")
        await wait_for(pilot, lambda: "new training" in origin(screen) and "1 error" in summary(screen))
        assert "at least 1 item" in said(screen, ("games",))
        await wait_for(pilot, lambda: "No TOML while there are errors" in text_of(app))
        part(screen, ("games",)).head.focus()
        await pilot.press("plus")
        await wait_for(pilot, lambda: isinstance(app.focused, TextField))
        await pilot.press(*"tic", "right", "tab", *"9")
        await wait_for(pilot, lambda: aside(screen).toml == '[[games]]\ngame = "tictactoe"\nturns = 9\n')

    show(root, steps)


def test_leaving_asks_while_something_would_be_lost(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        await type_into(pilot, screen, ("seed",), "5")
        for key in ("escape", "f1"):
            await pilot.press(key)
            if key == "escape":
                await wait_for(pilot, lambda: isinstance(app.screen, ConfirmScreen))
                assert "neither saved nor started" in text_of(app)
            await pilot.press("escape")
            await wait_for(pilot, lambda: app.screen is screen)
        screen.query_one(OriginLine).focus()
        for key in ("1", "3", "q", "ctrl+q"):
            await pilot.press(key)
            await wait_for(pilot, lambda: isinstance(app.screen, ConfirmScreen))
            await pilot.press("n")
            await wait_for(pilot, lambda: app.screen is screen)
        await pilot.press("1")
        await wait_for(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await wait_for(pilot, lambda: isinstance(app.screen, RunsScreen))

    show(root, steps)


def test_leaving_does_not_ask_where_nothing_would_be_lost(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        await type_into(pilot, screen, ("seed",), "5")
        await pilot.press("backspace", "escape")
        await wait_for(pilot, lambda: isinstance(app.screen, RunsScreen))

    show(root, steps)


def test_another_preset_asks_before_changes_are_lost(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        async def take_pool() -> None:
            await pilot.press("f2")
            await wait_for(pilot, lambda: isinstance(app.screen, PresetScreen))
            app.screen.query_one(Table).move_to("pool")
            await pilot.press("enter")
            await wait_for(pilot, lambda: isinstance(app.screen, ConfirmScreen))

        await type_into(pilot, screen, ("seed",), "5")
        await take_pool()
        await pilot.press("n")
        await wait_for(pilot, lambda: app.screen is screen)
        assert "quickstart" in origin(screen)
        await take_pool()
        await pilot.press("y")
        await wait_for(pilot, lambda: "pool" in origin(screen) and "pool" in summary(screen))
        assert "changed" not in summary(screen)
        await pilot.press("p", "escape")
        assert part(screen, ("seed",)).query_one(Input).value == ""

    show(root, steps)


def test_the_toml_is_saved_and_read_back(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        async def ask(key: str, path: str) -> None:
            await pilot.press(key)
            await wait_for(pilot, lambda: isinstance(app.screen, AskScreen))
            app.screen.query_one(Input).value = path
            await pilot.press("enter")

        await type_into(pilot, screen, ("seed",), "5")
        await wait_for(pilot, lambda: "seed = 5" in aside(screen).toml)
        await ask("f6", "deep/mine.toml")
        await wait_for(pilot, lambda: Path("deep/mine.toml").exists() and app.screen is screen)
        assert Path("deep/mine.toml").read_text() == aside(screen).toml
        await wait_for(pilot, lambda: "changed" not in summary(screen))
        await ask("f6", "deep/mine.toml")
        await wait_for(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "Overwrite deep/mine.toml?" in text_of(app)
        await pilot.press("n")
        Path("deep/other.toml").write_text("seed = 9\n" + MINIMAL)
        screen.query_one(OriginLine).focus()
        await ask("o", "deep/other.toml")
        await wait_for(pilot, lambda: "other" in origin(screen) and "seed = 9" in aside(screen).toml)
        assert part(screen, ("seed",)).query_one(Input).value == "9"

    show(root, steps)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "Cannot read bad.toml"),
        ("steps =", "bad.toml is no valid TOML"),
        ("steps = 0\n[[games]]\ngame = 'tictactoe'\nturns = 5", "steps: Input should be greater"),
        ("stepps = 5\n[[games]]\ngame = 'tictactoe'\nturns = 5", "Unknown key in bad.toml 'stepps'"),
        ("kind = 'tournament'", "of the kind tournament"),
        ("\x00\ud7ff", "no valid TOML"),
    ],
)
def test_a_file_that_is_no_training_is_refused_and_the_form_stays(root: Path, text: str | None, words: str) -> None:
    if text is not None:
        Path("bad.toml").write_text(text)

    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        await pilot.press("o")
        await wait_for(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*"bad.toml", "enter")
        await wait_for(pilot, lambda: words in red_line(screen))
        assert words in toasts(app)
        assert "quickstart" in origin(screen)

    show(root, steps)


def test_a_preset_that_is_not_there_leaves_the_others(root: Path) -> None:
    async def go() -> None:
        app = make_app(root)
        async with app.run_test(size=(120, 36)) as pilot:
            app.open_launch("nothing")
            await wait_for(pilot, lambda: "Cannot read nothing" in toasts(app))
            screen = app.screen
            assert isinstance(screen, LaunchScreen)
            assert "Cannot read nothing" in red_line(screen)
            await pilot.press("ctrl+s", "d", "w", "v", "p")
            await wait_for(pilot, lambda: isinstance(app.screen, PresetScreen))
            await pilot.press("enter")
            await wait_for(pilot, lambda: app.screen is screen and screen.query(Form) and not red_line(screen))

    asyncio.run(go())


def test_the_preview_takes_turns_with_the_form_where_there_is_little_room(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        assert "[[games]]" not in text_of(app)
        await pilot.press("v")
        await wait_for(pilot, lambda: "[[games]]" in text_of(app) and "● steps" not in text_of(app))
        await pilot.press("v")
        await wait_for(pilot, lambda: "● steps" in text_of(app))
        await pilot.press("tab", "f3")
        await wait_for(pilot, lambda: "[[games]]" in text_of(app))

    show(root, steps, size=(80, 24))


def test_the_cursor_goes_to_the_preview_and_back_where_both_are_seen(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        await pilot.press("v")
        assert app.focused is screen.query_one("#toml")
        await pilot.press("v")
        assert isinstance(app.focused, OriginLine)

    show(root, steps)


def test_the_toml_is_copied(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        await pilot.press("c")
        await wait_for(pilot, lambda: "Copied the TOML" in toasts(app))
        assert (state_dir() / "copied.txt").read_text() == aside(screen).toml

    show(root, steps)


def test_help_names_the_field_and_the_palette_the_commands(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        await go_to(pilot, screen, ("evaluation", "lag"))
        assert "How many steps before an evaluation" in text_of(app)
        await pilot.press("f1")
        await pilot.pause()
        assert "lag: How many steps before an evaluation" in " ".join(text_of(app).split())
        await pilot.press("escape")
        screen.query_one(OriginLine).focus()
        await pilot.press("ctrl+p", *"launch: dry")
        await wait_for(pilot, lambda: "launch: dry run" in text_of(app))

    show(root, steps)


def test_nothing_invisible_gets_into_a_field_or_out_of_a_file(root: Path) -> None:
    name = "a\\u001b[31m\\u202e[@click=app.quit]x"
    Path("evil.toml").write_text(MINIMAL.replace("'mine'", f'"{name}"'))

    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        field = part(screen, ("name",)).query_one(Input)
        assert field.value == '"a\\u001b[31m\\u202e[@click=app.quit]x"'
        assert f'name = "{json.loads(f"{chr(34)}{name}{chr(34)}")}"' not in text_of(app)
        assert not any(char in text_of(app) for char in "\x1b\u202e")
        assert tomllib.loads(aside(screen).toml)["name"] == "a\x1b[31m\u202e[@click=app.quit]x"
        field.focus()
        await pilot.press("home", "ctrl+k")
        app.focused.post_message(events.Paste("b\x1b]0;evil\x07\u202ec"))
        await wait_for(pilot, lambda: "evil" in field.value)
        assert not any(char in field.value for char in "\x1b\x07\u202e")
        await wait_for(pilot, lambda: "]0;evil" in aside(screen).toml)
        assert not any(char in text_of(app) for char in "\x1b\x07\u202e")

    show(root, steps, "evil.toml")


def test_any_size_will_do(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        await go_to(pilot, screen, ("optimiser", "lr"))
        for size in ((1, 1), (20, 5), (200, 60), (3, 40), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert "optimiser" in text_of(app)

    show(root, steps)


def test_a_runs_directory_that_vanishes_or_is_a_file_is_said(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        root.rmdir()
        await type_into(pilot, screen, ("seed",), "5")
        await wait_for(pilot, lambda: "seed = 5" in aside(screen).toml)
        assert "error" not in summary(screen)
        Path("runs").write_text("no directory")
        await type_into(pilot, screen, ("seed",), "6")
        await until_said(pilot, screen, ("directory",), "Cannot create a run in runs")
        await wait_for(pilot, lambda: "cannot be read" in red_line(screen))
        await pilot.press("ctrl+s")
        await wait_for(pilot, lambda: "Not started" in toasts(app))

    show(root, steps)


def finished(run_dir: Path) -> bool:
    return run_status(run_dir, read_record(run_dir)) is not Status.RUNNING


def test_start_makes_a_real_run_that_goes_on_by_itself(root: Path, small_model: Path) -> None:
    Path("mine.toml").write_text(
        f"# As I like it.\nname = 'mine'\nsteps = 1\nmodel = 'ckpt:{small_model}'\n"
        "[[games]]\ngame = 'tictactoe'\nturns = 8\n"
        "[evaluation]\nevery = 0\npairs = 1\nopponents = ['random']\nground_truth = false\n"
    )

    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        await pilot.press("ctrl+s", "ctrl+s")
        await wait_for(pilot, lambda: not isinstance(app.screen, LaunchScreen) and "Started runs" in toasts(app))
        (run_dir,) = all_run_dirs(root)
        assert app.run_dir == run_dir
        assert read_record(run_dir).name == "mine"
        assert (run_dir / "config.toml").read_text() == Path("mine.toml").read_text(), "as given, comments and all"

    show(root, steps, "mine.toml")
    (run_dir,) = all_run_dirs(root)
    wait_until(lambda: finished(run_dir))
    record = read_record(run_dir)
    assert run_status(run_dir, record) is Status.FINISHED, (run_dir / "logs/attempt_1/stderr.log").read_text()
    assert (run_dir / "checkpoints" / "step_1").is_dir()
    assert os.getpid() != record.pid


def test_a_started_run_stops_politely_and_keeps_what_was_changed(root: Path, small_model: Path) -> None:
    Path("mine.toml").write_text(
        f"name = 'mine'\nsteps = 100000\nmodel = 'ckpt:{small_model}'\n[[games]]\ngame = 'tictactoe'\nturns = 8\n"
        "[evaluation]\nevery = 0\npairs = 1\nopponents = ['random']\nground_truth = false\n"
    )

    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        await type_into(pilot, screen, ("name",), "other")
        await type_into(pilot, screen, ("directory",), "there")
        button = screen.query_one("#go", Button)
        button.focus()
        await pilot.press("enter")
        await wait_for(pilot, lambda: "Started runs/there" in toasts(app))

    show(root, steps, "mine.toml")
    run_dir = root / "there"
    assert tomllib.loads((run_dir / "config.toml").read_text())["name"] == "other"
    wait_until(lambda: (run_dir / "checkpoints" / "step_0").is_dir() or finished(run_dir))
    stop_run(run_dir)
    wait_until(lambda: finished(run_dir))
    assert run_status(run_dir, read_record(run_dir)) is Status.STOPPED


def wait_until(condition: object, seconds: float = 120.0) -> None:
    import time

    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_dry_run_tells_memory_tokens_and_time(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        await pilot.press("d")
        await wait_for(pilot, lambda: "measuring" in text_of(app))
        await wait_for(pilot, lambda: "this CPU" in text_of(app), 180)
        for words in ("dry run", "tokens a step", "H100", "about "):
            assert words in text_of(app)
        await type_into(pilot, screen, ("seed",), "1")
        await wait_for(pilot, lambda: "before the last change" in text_of(app))

    show(root, steps)


def test_a_dry_run_that_fails_says_why(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from arena.tui.collect import launch

    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        for code, words in (
            ("import sys; sys.exit('error: \\x1b[31mno torch')", "The dry run failed: error:"),
            ("print('{}')", "something else than expected"),
        ):
            monkeypatch.setattr(launch, "dry_run_command", lambda toml, code=code: [sys.executable, "-c", code])
            await pilot.press("d")
            await wait_for(pilot, lambda words=words: words in toasts(app))
        assert "\x1b" not in toasts(app)

    show(root, steps)


def test_a_dry_run_is_for_self_play_alone(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        assert "dry run" not in text_of(app)
        await pilot.press("d")
        await pilot.pause()
        assert "measuring" not in text_of(app)

    show(root, steps, "sft")


def test_time_comes_from_earlier_runs(root: Path) -> None:
    run_dirs.training(root / "before")

    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        assert "about 8:30 · 300 steps, 1.7 s each" in text_of(app)
        assert "as 1 earlier run with these games and ranks" in text_of(app)
        await type_into(pilot, screen, ("steps",), "10")
        await wait_for(pilot, lambda: "about 17 s" in summary(screen))
        await type_into(pilot, screen, ("games", 0, "turns"), "2200")
        await wait_for(pilot, lambda: "about 34 s" in summary(screen) and "scaled by the turns" in text_of(app))
        await type_into(pilot, screen, ("ranks",), "1")
        await wait_for(pilot, lambda: "time unknown" in text_of(app))

    show(root, steps)


def test_the_screen_loads_nothing_heavy() -> None:
    code = """
import asyncio, sys
from pathlib import Path
from arena.tui.app import ArenaApp

async def main():
    app = ArenaApp(Path("runs"), motion=False)
    async with app.run_test() as pilot:
        assert "pydantic" not in sys.modules, "too early"
        app.open_launch()
        while not getattr(app.screen, "_checked", None):
            await pilot.pause(0.05)

asyncio.run(main())
names = {name.partition(".")[0] for name in sys.modules}
print(names & {"torch", "transformers", "numpy", "pandas", "vllm", "ray", "training", "evals", "openai"})
print({name for name in sys.modules if name.startswith("arena.engines")})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split("\n")[:2] == ["set()", "set()"], done.stdout + done.stderr


def test_presets_of_the_command_line_and_the_dialog_are_the_same(root: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None], screen: LaunchScreen) -> None:
        await pilot.press("p")
        await wait_for(pilot, lambda: isinstance(app.screen, PresetScreen))
        names = [preset.name for preset in app.screen.query_one(Table).items]
        assert names[:-2] == [preset.name for preset in presets()]
        assert find_toml(names[0]).stem == names[0]

    show(root, steps)
