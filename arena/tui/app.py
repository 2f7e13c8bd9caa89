"""The application: which screens there are, how one gets from one to another, settings, and where errors end up.

Screens never import each other: they call the navigation methods here (`open_run`, `open_match`, …). A screen is the
class `NameScreen` in `screens/name.py`, imported when it is first shown, so that the first frame comes at once.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import Any, ClassVar, NamedTuple, TypeVar

from textual import events
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.dom import DOMNode
from textual.filter import NoColor
from textual.screen import Screen

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.runs.paths import runs_root
from arena.tui.garbage import QuietCollector
from arena.tui.settings import Settings, load_settings, state_dir
from arena.tui.text import Harmless
from arena.tui.theme import DARK, THEMES

T = TypeVar("T")


class Place(NamedTuple):
    """One of the screens that a digit leads to."""

    name: str
    title: str
    about: str


PLACES = (
    Place("runs", "Runs", "All jobs, and what can be done with them."),
    Place("run", "Run", "The chosen run: plots, alarms, checkpoints, log."),
    Place("live", "Live", "Watch a match with the players' thoughts, or replay one."),
    Place("play", "Play", "Take a seat against any player."),
    Place("tournament", "Tournament", "Players against each other: standings and matrix."),
    Place("tables", "Tables", "Scores per game and opponent, to sort and to export."),
    Place("launch", "Launch", "Start a training from a form."),
)


TABLED_KINDS = ("tournament", "head-to-head", "ood", "imported")
"""Kinds of runs whose screen is the tournament's."""


def _commands() -> type[Provider]:
    from arena.tui.commands import ArenaCommands

    return ArenaCommands


class ArenaApp(App[None]):
    """The terminal UI. `clock` gives the Unix time, `ticks` seconds that never jump; tests give their own."""

    TITLE = "spiral-arena"
    CSS_PATH: ClassVar[list[str | PurePath]] = ["app.tcss", "screens/runs.tcss"]  # the first screen's own is not read
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_commands}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 (as Textual declares it)
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(key), f"go('{place.name}')", place.title, id=f"go.{place.name}", tooltip=place.about)
            for key, place in enumerate(PLACES, start=1)
        ),
        Binding("question_mark,f1", "help", "help", key_display="?", id="app.help", tooltip="What this screen is for."),
        Binding("q", "quit", "quit", id="app.quit", tooltip="Leave. Runs go on without you."),
        Binding("ctrl+q", "quit", "quit", show=False, priority=True),
    ]

    def __init__(
        self,
        root: Path | None = None,
        settings: Settings | None = None,
        motion: bool = True,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.root = root or runs_root()
        self.settings = settings or Settings()
        self.clock = clock
        self.ticks = ticks
        self._collector = QuietCollector()
        self.run_dir: Path | None = None
        """The run that the user last looked at: `2`, `3` and `5` are about it."""
        if self.no_color:
            self._filters = [NoColor()]  # Textual's own leaves greys
        self._filters.append(Harmless())
        if not (motion and self.settings.motion):
            self.animation_level = "none"
        for theme in (*THEMES, *self.settings.themes):
            self.register_theme(theme)
        self.set_keymap(dict(self.settings.keymap))
        self._problems = list(self.settings.problems)
        wanted = self.settings.theme
        if wanted not in self.available_themes:
            self._problems.append(f"There is no theme '{wanted}'.")
            wanted = DARK
        self.theme = wanted

    def get_default_screen(self) -> Screen[Any]:
        from arena.tui.screens.runs import RunsScreen

        return RunsScreen()

    def on_mount(self) -> None:
        if not gc.isenabled():
            self.call_after_refresh(self._collect_quietly)
        for problem in self._problems:
            self.say(f"Not used: {problem}", "warning")

    def _collect_quietly(self) -> None:
        self._collector.begin()
        self.set_interval(1.0, self._collector.look)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.InputEvent):
            self._collector.key()
        await super().on_event(event)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if self.animation_level == "none" and hasattr(event.widget, "cursor_blink"):
            event.widget.cursor_blink = False
        self._light(event.widget)

    def on_descendant_blur(self) -> None:
        if self.screen.focused is None:
            self._light(None)

    def _light(self, focused: DOMNode | None) -> None:
        """Mark the regions around the focus. CSS's `:focus-within` would restyle all in them at each of its moves."""
        around = [] if focused is None else focused.ancestors
        for region in self.screen.query(".section.-lit"):
            region.set_class(region in around, "-lit")
        for node in around:
            node.set_class(node.has_class("section"), "-lit")

    # Navigation: the one place that knows which screen shows what.

    def pop_screen(self) -> AwaitComplete:
        """Close the screen in front, and clear up after it once the one below has been painted."""
        if not self.screen.is_modal:
            self.set_timer(0.25, self._collector.screen_left)
        return super().pop_screen()

    def show_runs(self) -> None:
        """Back to the list of runs, closing what is open."""
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def open_run(self, run_dir: Path) -> None:
        """A run in detail: plots of a training, standings of a tournament, the match of a single match."""
        kind = _kind(run_dir)
        self.run_dir = run_dir
        if kind == "match":
            self.open_match(run_dir)
        elif kind == "play":
            self._open("play", run_dir=run_dir)
        elif kind in TABLED_KINDS:
            self.open_tournament(run_dir)
        else:
            self._open("run", run_dir=run_dir)

    def open_match(self, run_dir: Path | None = None, match_id: int | None = None) -> None:
        """Replay a stored match, or without `match_id` watch what the run plays now."""
        self._open("live", run_dir=run_dir, match_id=match_id)

    def open_play(self, player: str = "", game: str = "") -> None:
        """Play against a player given by its spec."""
        self._open("play", player=player, game=game)

    def open_tournament(
        self, run_dir: Path | None = None, players: Sequence[str] = (), games: Sequence[str] = ()
    ) -> None:
        """A tournament's standings and matrix; without a run the form of a new one, with these players and games."""
        self._open("tournament", run_dir=run_dir, players=tuple(players), games=tuple(games))

    def open_tables(self, run_dirs: Sequence[Path] = ()) -> None:
        """Tables over these runs, or over all."""
        self._open("tables", run_dirs=tuple(run_dirs))

    def open_launch(self, preset: str = "") -> None:
        """The form of a new training."""
        self._open("launch", preset=preset)

    def action_go(self, name: str) -> None:
        """Show one of `PLACES` on top of the list of runs alone."""
        if getattr(self.screen, "PLACE", "") == name:
            return
        if name == "run" and self.run_dir is None:
            self.say("Choose a run first.")
            return
        if name != "runs" and not _exists(name):
            self._missing(name)
            return
        if self._asks_first(lambda: self.action_go(name)):
            return
        self.show_runs()
        match name:
            case "run":
                assert self.run_dir is not None
                self._open("run", run_dir=self.run_dir)
            case "live":
                self.open_match(self.run_dir)
            case "play":
                self.open_play()
            case "tournament":
                known = self.run_dir is not None and _kind(self.run_dir) in TABLED_KINDS
                self.open_tournament(self.run_dir if known else None)
            case "tables":
                self.open_tables()
            case "launch":
                self.open_launch()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "back" or sum(not screen.is_modal for screen in self.screen_stack) > 1

    async def action_back(self) -> None:
        """Close what is on top."""
        if len(self.screen_stack) > 1:
            self.pop_screen()

    async def action_quit(self) -> None:
        """Leave; runs go on."""
        if not self._asks_first(self.exit):
            self.exit()

    def _asks_first(self, then: Callable[[], object]) -> bool:
        """Whether the screen in front holds what would be lost, and asks about it; `then` follows a yes."""
        ask = getattr(self.screen, "ask_to_leave", None)
        return ask is not None and bool(ask(then))

    def _open(self, name: str, **arguments: Any) -> None:
        if not _exists(name):
            self._missing(name)
            return
        module = import_module(f"arena.tui.screens.{name}")
        self.push_screen(getattr(module, f"{name.title()}Screen")(**arguments))

    def _missing(self, name: str) -> None:
        title = next(place.title for place in PLACES if place.name == name)
        self.say(f"The screen {title} is not there yet.")

    # What every screen may ask for.

    def say(self, text: str, severity: Any = "information") -> None:
        """A toast of one line, foreign text welcome."""
        self.notify(one_line(text, 400), severity=severity, markup=False)

    def report(self, error: Exception) -> None:
        """Show an error where it did not come from reading: one line, and the whole of an unexpected one in the log."""
        if not isinstance(error, ArenaError):
            self.note(error)
        self.say(str(error) or type(error).__name__, "error")

    def note(self, error: Exception) -> None:
        """Write an unexpected error to the log, `tui.log` in the state directory."""
        import traceback

        with suppress(OSError):
            state_dir().mkdir(parents=True, exist_ok=True)
            with open(state_dir() / "tui.log", "a", encoding="utf-8") as file:
                stamp = time.strftime("%Y-%m-%d %H:%M:%S")
                file.write(f"{stamp} {''.join(traceback.format_exception(error))}\n")

    def attempt(self, work: Callable[[], T], done: Callable[[T], None] | None = None) -> None:
        """Do blocking work in a thread, then call `done` with its result on the app's own time; errors are reported."""

        async def attempt() -> None:
            try:
                result = await asyncio.to_thread(work)
            except Exception as error:
                self.report(error)
            else:
                if done is not None:
                    done(result)

        self.run_worker(attempt(), group="attempt", exit_on_error=False)

    def copy(self, text: str, what: str) -> None:
        """Copy to the terminal's clipboard (OSC 52) and, since many terminals refuse, to a file."""
        self.copy_to_clipboard(text)
        path = state_dir() / "copied.txt"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", errors="replace")
        except OSError:
            self.say(f"Copied {what}.")
        else:
            self.say(f"Copied {what}; also in {path}")

    async def run_action(self, action: Any, default_namespace: DOMNode | None = None, namespaces: Any = None) -> bool:
        """Every key and command comes through here: an ArenaError becomes a toast."""
        try:
            return await super().run_action(action, default_namespace, namespaces)
        except ArenaError as error:
            self.report(error)
            return True

    def action_help(self) -> None:
        """Say what the screen and the focused widget are for, and all keys."""
        from arena.tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen.about(self.screen))

    def action_help_quit(self) -> None:
        """Ctrl-C, which many press to leave."""
        self.say("Press q to leave; runs go on.")


def _exists(name: str) -> bool:
    return find_spec(f"arena.tui.screens.{name}") is not None


def _kind(run_dir: Path) -> str:
    import json

    from arena.runs.paths import RECORD

    with suppress(OSError, ValueError, AttributeError):
        return str(json.loads((run_dir / RECORD).read_text(encoding="utf-8")).get("kind"))
    return ""


def run(motion: bool = True, mouse: bool = True) -> int:
    """Show the UI until it is left, then say how many runs continue; returns the exit code."""
    settings = load_settings()
    app = ArenaApp(settings=settings, motion=motion)
    app.run(mouse=mouse and settings.mouse)
    if words := farewell(app.root):
        print(words, file=sys.stderr)
    return app.return_code or 0


def farewell(root: Path) -> str:
    """How many runs continue without us; empty where none does."""
    from arena.tui.collect.runs import running
    from arena.tui.format import count

    with suppress(ArenaError):
        if going := running(root):
            return f"{count(going, 'run')} {'continues' if going == 1 else 'continue'}."
    return ""
