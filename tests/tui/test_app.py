"""The application around the screens: keys, help, palette, settings, themes, sizes, what it loads, how it ends."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path

import pyte
import pytest
import run_dirs
from conftest import make_app, wait_for
from textual.css.model import SelectorType
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot
from textual.widgets import Input

from arena.tui.app import PLACES, ArenaApp, farewell
from arena.tui.collect.runs import RunScanner
from arena.tui.format import bar, count, duration, figure, number, pace, sparkline
from arena.tui.screens.base import ErrorLine
from arena.tui.screens.help import HelpScreen
from arena.tui.screens.runs import RunsScreen
from arena.tui.settings import Settings, keep_theme, load_settings
from arena.tui.text import join, line, show
from arena.tui.widgets.footer import KeyBar
from arena.tui.widgets.table import Table

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "transformers", "vllm", "ray", "pandas", "numpy", "training", "evals"}
Steps = Callable[[ArenaApp, Pilot[None]], Awaitable[None]]


def use(root: Path, steps: Steps, size: tuple[int, int] = (120, 36), settings: Settings | None = None) -> None:
    async def go() -> None:
        app = make_app(root, settings)
        async with app.run_test(size=size) as pilot:
            await wait_for(pilot, lambda: app.screen_stack[0].query_one("#runs", Table).items)
            await steps(app, pilot)

    asyncio.run(go())


def text_of(app: ArenaApp) -> str:
    return "\n".join(line.text for line in app.screen._compositor.render_strips())


def toasts(app: ArenaApp) -> str:
    return "\n".join(note.message for note in app._notifications)


# Keys, help, palette


def test_digits_lead_to_the_screens_and_say_where_one_is_missing(all_runs: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        for key, place in enumerate(PLACES, start=1):
            await pilot.press(str(key))
            await pilot.pause()
            there = (ROOT / "arena" / "tui" / "screens" / f"{place.name}.py").exists()
            assert getattr(app.screen, "PLACE", "") == (place.name if there else "runs")
            assert there or f"The screen {place.title} is not there yet." in toasts(app)
            await pilot.press("1")
            await pilot.pause()
            assert isinstance(app.screen, RunsScreen)

    use(all_runs, steps)


def test_help_is_about_what_is_in_front_and_lists_every_key_with_its_id(all_runs: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.pause()
        shown = text_of(app)
        for words in ("Help: Runs", "Every job in the runs directory", "run.stop", "End the job at once", "table.down"):
            assert words in shown
        await pilot.press("escape")
        assert isinstance(app.screen, RunsScreen)

    use(all_runs, steps, size=(120, 60))


def test_the_palette_offers_what_makes_sense_now(all_runs: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+p")
        await wait_for(pilot, lambda: app.screen.query(Input))
        await pilot.press(*"run: stop")
        await wait_for(pilot, lambda: "Ask the job to finish politely" in text_of(app))
        await pilot.press("escape")
        await pilot.press("G", "ctrl+p")
        await wait_for(pilot, lambda: app.screen.query(Input))
        await pilot.press(*"theme: arena")
        await wait_for(pilot, lambda: "theme: arena-light" in text_of(app))

    use(all_runs, steps)


@pytest.mark.parametrize("columns", [10, 60, 80, 100, 120, 200])
def test_the_keys_fit_in_one_line(all_runs: Path, columns: int) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        shown = app.screen.query_one(KeyBar).render()
        assert shown.cell_length <= columns
        if columns >= 60:
            assert "q quit" in shown.plain
        if columns >= 200:
            assert "5 Tournament" in shown.plain

    use(all_runs, steps, size=(columns, 24))


def test_keys_can_be_changed(all_runs: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("x")
        assert isinstance(app.screen, HelpScreen)

    use(all_runs, steps, settings=Settings(keymap={"app.help": "x"}))


# Settings and themes


def test_settings_are_read_and_what_is_bad_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "spiral-arena"
    (folder / "themes").mkdir(parents=True)
    (folder / "settings.toml").write_text('theme = "mine"\nmotion = "no"\nmoose = 1\n[keymap]\n"run.stop" = "x"\n')
    (folder / "themes" / "mine.toml").write_text('primary = "#7aa2c8"\ndark = false\n')
    (folder / "themes" / "bad.toml").write_text('primary = "no colour"\n')
    (folder / "themes" / "odd.toml").write_text('primary = "#7aa2c8"\nwings = 2\n')
    found = load_settings()
    assert (found.theme, found.motion, dict(found.keymap)) == ("mine", True, {"run.stop": "x"})
    assert [theme.name for theme in found.themes] == ["mine"]
    named = "\n".join(found.problems)
    for words in ("'motion'", "'moose'", "bad.toml", "odd.toml: there is no 'wings'"):
        assert words in named


@pytest.mark.parametrize("text", ["theme = ", "theme = 7", "\xff", 'theme = "no-such"', 'theme = "[/x]"'])
def test_a_bad_settings_file_means_the_default_and_a_toast(all_runs: Path, tmp_path: Path, text: str) -> None:
    folder = tmp_path / "config" / "spiral-arena"
    folder.mkdir(parents=True)
    (folder / "settings.toml").write_bytes(text.encode("latin-1"))

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert app.theme == "arena-dark"
        assert "settings.toml" in toasts(app) or "There is no theme" in toasts(app)

    use(all_runs, steps, settings=load_settings())


def test_a_theme_chosen_in_the_palette_is_kept_until_the_settings_change(all_runs: Path, tmp_path: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+p")
        await wait_for(pilot, lambda: app.screen.query(Input))
        await pilot.press(*"theme: arena-light")
        await wait_for(pilot, lambda: "theme: arena-light" in text_of(app))
        await pilot.press("enter")
        await wait_for(pilot, lambda: app.theme == "arena-light")

    assert load_settings().theme == "arena-dark"
    use(all_runs, steps)
    assert load_settings().theme == "arena-light"
    later = (tmp_path / "state" / "spiral-arena" / "theme").stat().st_mtime_ns + 10**9
    settings = tmp_path / "config" / "spiral-arena" / "settings.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text('theme = "nord"\n')
    os.utime(settings, ns=(later, later))
    assert load_settings().theme == "nord"
    keep_theme("arena-light")
    assert load_settings().theme == "arena-light", "though the clock went back since the settings were written"


@pytest.mark.parametrize("theme", ["arena-dark", "arena-light", "ansi-dark", "ansi-light", "nord"])
def test_themes_show_the_same_words(all_runs: Path, theme: str) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert app.theme == theme
        assert "● running" in text_of(app)

    use(all_runs, steps, settings=Settings(theme=theme))


# Sizes and ends


def test_a_terminal_shrunk_to_one_cell_and_back_is_no_crash(all_runs: Path) -> None:
    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        for size in ((1, 1), (3, 2), (80, 24), (1, 40), (300, 1), (120, 36)):
            await pilot.resize_terminal(*size)
            await pilot.press("j", "question_mark", "escape")
        await pilot.pause()
        assert "base-vs-7" in text_of(app)

    use(all_runs, steps)


def test_leaving_says_how_many_runs_continue(all_runs: Path, tmp_path: Path) -> None:
    assert farewell(all_runs) == "2 runs continue."
    (all_runs / "base-vs-7" / "run.json").unlink()
    assert farewell(all_runs) == "1 run continues."
    assert farewell(tmp_path / "none") == ""


def test_an_error_of_a_thread_is_one_red_line_and_one_entry_in_the_log(all_runs: Path, tmp_path: Path) -> None:
    class Broken(RunScanner):
        def scan(self) -> object:  # type: ignore[override]
            raise RuntimeError("out [of] order")

    async def steps(app: ArenaApp, pilot: Pilot[None]) -> None:
        assert isinstance(app.screen, RunsScreen)
        app.screen._scanner = Broken(all_runs)
        await wait_for(pilot, lambda: "RuntimeError: out [of] order" in app.screen.query_one(ErrorLine).text)
        await pilot.pause(0.3)
        log = (tmp_path / "state" / "spiral-arena" / "tui.log").read_text()
        assert log.count("RuntimeError: out [of] order") == 1

    use(all_runs, steps)


# What reaches the terminal


def test_nothing_heavy_is_loaded(all_runs: Path) -> None:
    code = """
import asyncio, sys
from pathlib import Path
from arena.tui.app import ArenaApp
async def main():
    app = ArenaApp(Path("runs"), motion=False)
    async with app.run_test(size=(120, 36)) as pilot:
        while not app.screen.query_one("#runs").items or not app.screen._previews:
            await pilot.pause(0.01)
        print(*{name.partition(".")[0] for name in sys.modules})
        print("pydantic" in sys.modules)
asyncio.run(main())
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    names, validated = done.stdout.splitlines()
    assert set(names.split()) & HEAVY == set()
    assert validated == "False", "the list of runs needs no configuration model"


def test_text_is_made_content_in_one_place_alone() -> None:
    markup = re.compile(r"from_markup|markup=True|Text\(|Label\(f?\"|Static\(f\"|\.update\(f\"|notify\(")
    # rich's Text takes its words literally; the exported picture is made of it.
    allowed = {"app.py": 1, "export.py": 4}
    for path in (ROOT / "arena" / "tui").rglob("*.py"):
        found = markup.findall(path.read_text(encoding="utf-8"))
        assert len(found) <= allowed.get(path.name, 0), (path, found)


def test_foreign_text_is_literal() -> None:
    assert line("[b]a\x1b[1m\n b").plain == "[b]a␛[1m b"
    assert show("a\nb\u202e").plain == "a\nb\ufffd"
    assert line("[@click=app.quit]x").spans == []
    assert join("a", "", line("b"), ("c", "bold"), between="-").plain == "a-b-c"


@contextmanager
def terminal(*args: str, columns: int = 120, lines: int = 36, **variables: str) -> Iterator[tuple[int, int]]:
    """`python -m arena` in a pty; gives its pid and the pty."""
    pid, file = pty.fork()
    if pid == 0:
        environment = os.environ | {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)} | variables
        os.execve(sys.executable, [sys.executable, "-m", "arena", *args], environment)
    ioctl(file, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    try:
        yield pid, file
    finally:
        os.close(file)


def read(file: int, until: Callable[[bytes], object], seconds: float = 30) -> bytes:
    """What the terminal gets until the condition holds or it is closed."""
    found = b""
    deadline = time.monotonic() + seconds
    while not until(found):
        assert time.monotonic() < deadline, found[-2000:]
        if select.select([file], [], [], 0.1)[0]:
            try:
                found += os.read(file, 1 << 16)
            except OSError:
                break
    return found


def picture(data: bytes, columns: int = 120, lines: int = 36) -> str:
    screen = pyte.Screen(columns, lines)
    pyte.ByteStream(screen).feed(data)
    return "\n".join(screen.display)


def test_bare_spiral_arena_opens_it_on_a_terminal_and_q_leaves_with_a_word(all_runs: Path) -> None:
    with terminal() as (pid, file):
        first = read(file, lambda data: b"kuhn-ttt-6" in data and b"quit" in data)
        assert "5 runs" in picture(first) or "6 runs" in picture(first)
        os.write(file, b"q")
        last = read(file, lambda data: b"continue" in data)
        assert b"2 runs continue." in last
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_hostile_names_send_no_control_sequence(root: Path) -> None:
    from dataclasses import replace

    from arena.runs.record import read_record

    run_dir = run_dirs.training(root / "a", 3, of=5, end="failed", message="m\x1b]52;c;AAAA\x07\x9b2Jm")
    replace(read_record(run_dir), name="x\x1b]0;owned\x07\x1b[31mred\u202e").write(run_dir)
    with terminal("--no-mouse", "--no-motion") as (pid, file):
        data = read(file, lambda data: "␛[31mred".encode() in data)
        data += read(file, lambda more: "␛]52".encode() in data + more)
        assert b"\x1b]0;owned" not in data
        assert b"\x1b]52" not in data
        assert b"\x1b[31mred" not in data
        assert "\u202e".encode() not in data
        assert b"\x1b[?1000h" not in data, "--no-mouse leaves the mouse to the terminal"
        os.write(file, b"q")
        read(file, lambda _: False)
        os.waitpid(pid, 0)


def test_no_color_means_none(all_runs: Path) -> None:
    with terminal(NO_COLOR="1") as (pid, file):
        data = read(file, lambda data: b"kuhn-ttt-6" in data)
        assert re.search(rb"\x1b\[[0-9;]*(?:38|48);[25];", data) is None
        os.write(file, b"q")
        read(file, lambda _: False)
        os.waitpid(pid, 0)


def test_off_a_terminal_it_is_the_list_of_runs(all_runs: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", "arena"], env=environment, capture_output=True, text=True, check=True)
    assert "kuhn-ttt-7" in done.stdout
    assert "\x1b" not in done.stdout


# Figures


def test_figures_are_short_and_honest() -> None:
    assert [number(value) for value in (0.864, -0.05, 1.0, 0.0, None, float("nan"), -0.001)] == [
        ".86", "−.05", "1.00", ".00", "—", "—", ".00",
    ]  # fmt: skip
    assert figure(0.86, 0.83, 0.89) == ".86 ±.03"
    assert figure(0.86) == ".86"
    assert [duration(value) for value in (0, 59.4, 61, 3725, 200_000, -5)] == [
        "0 s", "59 s", "1:01", "1:02:05", "2 d 7 h", "0 s",
    ]  # fmt: skip
    assert (pace(2.1, "step"), pace(0.1, "match"), pace(0, "match")) == ("2.1 s/step", "10 matches/s", "—")
    assert (count(1, "match"), count(2, "match"), count(0, "run")) == ("1 match", "2 matches", "0 runs")
    assert [bar(share, 4) for share in (0, 0.5, 1, 2, -1)] == ["░░░░", "██░░", "████", "████", "░░░░"]
    assert sparkline([0.0, 0.5, 1.0], 8) == "▁▅█" or sparkline([0.0, 0.5, 1.0], 8) == "▁▄█"
    assert len(sparkline(list(range(1000)), 8)) == 8
    assert sparkline([1.0], 8) == sparkline([], 8) == sparkline([None, None], 8) == ""
    assert sparkline([2.0, 2.0, None], 8) == "▄▄"


def test_styles_of_one_screen_touch_no_other() -> None:
    """Textual keeps the styles of every screen that was ever open: a bare `#board` of one is a `#board` of all."""
    folder = ROOT / "arena" / "tui"
    ours = {name for path in folder.rglob("*.py") for name in re.findall(r"^class (\w+)", path.read_text(), re.M)}
    for path in sorted(folder.glob("screens/*.tcss")):
        stylesheet = Stylesheet(variables=ArenaApp().get_css_variables())
        stylesheet.add_source(path.read_text(), (str(path), ""))
        selectors = [rule.selectors[0] for rules in stylesheet.rules for rule in rules.selector_set]
        assert selectors
        for selector in selectors:
            assert selector.type is SelectorType.TYPE, f"{path.name}: {selector.css}"
            assert selector.name in ours, f"{path.name}: {selector.css}"
