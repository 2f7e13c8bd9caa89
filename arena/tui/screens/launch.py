"""Screen 7: a training is put together in a form, looked at, and started."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from arena.tui.format import count
from arena.tui.poll import reason
from arena.tui.screens.base import ArenaScreen
from arena.tui.screens.launch_dialogs import ask_source, ask_target, ask_to_lose
from arena.tui.theme import LOADING
from arena.tui.widgets.launch_aside import Aside
from arena.tui.widgets.launch_words import OriginLine, help_words, summary

if TYPE_CHECKING:
    from textual.timer import Timer

    from arena.config.presets import Preset
    from arena.tui.collect.launch import Checked, Draft, Offer, Origin, PastRun
    from arena.tui.widgets.form import Form

T = TypeVar("T")
FIRST = "quickstart"
"""The preset that is there at first."""
COMMON = ("name", "seed", "steps", "ranks", "model", "transcripts", "games")
"""Fields that come first and are not folded."""


def _key(letter: str, other: str, verb: str, label: str, about: str) -> list[BindingType]:
    """A command by a letter, and with True as its argument by another key, for where letters are typed."""
    return [
        Binding(letter, verb, label, id=f"launch.{verb}", tooltip=about),
        Binding(other, f"{verb}(True)", label, id=f"launch.{verb}_while_typing", tooltip=about),
    ]


class LaunchScreen(ArenaScreen):
    """The form of a training, its TOML, and the time it would take."""

    CSS_PATH = "launch.tcss"
    PLACE = "launch"
    HELP = (
        "A training is put together here and started. An empty field has its default, which is shown dimmed; ● marks "
        "what is changed, and only that stands in the TOML. Tab goes from field to field; sections open with enter; "
        "games are added with + and taken away with − on their title. The job that is started runs on by itself."
    )
    CHECK_SECONDS: ClassVar[float] = 0.15
    """How long typing rests before the draft is looked at."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+s", "start", "start", key_display="^s", id="launch.start", tooltip="Start it; it runs by itself."
        ),
        *_key("p", "f2", "presets", "presets", "Start from another preset, or from scratch."),
        *_key("v", "f3", "aside", "preview", "Show the TOML and the time, or the form again."),
        *_key("d", "f4", "dry_run", "dry run", "Find out what it takes: memory, tokens, time."),
        *_key("w", "f6", "save", "save", "Write the TOML to a file."),
        *_key("o", "f7", "load", "load", "Read a TOML file into the form."),
        Binding("c", "copy_toml", "copy", show=False, id="launch.copy_toml", tooltip="Copy the TOML."),
        Binding("escape", "leave", "back", key_display="esc", id="screen.back", tooltip="Close this screen."),
    ]

    def __init__(self, preset: str = "") -> None:
        super().__init__()
        self._wanted = preset or FIRST
        self._offer: Offer | None = None
        self._draft: Draft | None = None
        self._timer: Timer | None = None
        self._asked: tuple[dict[str, Any], str] | None = None
        self._checked: Checked | None = None
        self._starting = False

    def body(self) -> ComposeResult:
        with Horizontal():
            with Vertical(id="draft", classes="section") as draft:
                draft.border_title = "Training"
                yield OriginLine()
                yield Static(LOADING, id="wait")
                yield Static("", id="about", markup=False)
            yield Aside()

    def on_mount(self) -> None:
        self._checks = self.poll(self._check, self._show_checked, self.POLL_SECONDS * 5)
        self.poll(lambda: self._aside.read_past(self.arena.root), self._show_past, self.POLL_SECONDS * 10)
        self.query_one(OriginLine).focus()
        self._work(_read_offer, self._show_offer)

    def _work(self, work: Callable[[], T], done: Callable[[T], Awaitable[None]]) -> None:
        """Do it in a thread, then `done` with the result; an error becomes the red line and a toast."""

        async def go() -> None:
            try:
                result = await asyncio.to_thread(work)
            except Exception as error:
                self._refused(error)
            else:
                self.complain("")
                await done(result)

        self.run_worker(go(), group="launch", exit_on_error=False)

    def _refused(self, error: Exception) -> None:
        self.arena.report(error)
        self.complain(reason(error))

    # Filling the form

    async def _show_offer(self, offer: Offer) -> None:
        from arena.tui.collect.launch import from_file, from_preset

        self._offer = offer
        self.refresh_bindings()
        named = [preset for preset in offer.presets if preset.name == self._wanted]
        self._work(lambda: from_preset(named[0]) if named else from_file(self._wanted), self._fill)

    async def _fill(self, origin: Origin) -> None:
        """Show another configuration in the form."""
        from arena.tui.collect.launch import Draft
        from arena.tui.widgets.form import Form

        assert self._offer is not None
        self._draft = draft = Draft(origin)
        self._asked = self._checked = None
        self._aside.clear()
        head = self.query_one(OriginLine)
        head.show(origin)
        if not self.query(Form):
            await self.query_one("#wait").remove()
            await self.query_one("#draft").mount(Form("Start  ^s", id="form"), after=head)
        await self._form.show(draft.tree, COMMON, {draft.directory: "a new one"}, self._offer.names)
        head.focus()
        self._look()

    @property
    def _form(self) -> Form:
        from arena.tui.widgets.form import Form

        return self.query_one(Form)

    @property
    def _aside(self) -> Aside:
        return self.query_one(Aside)

    # Looking at the draft

    def on_form_changed(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(self.CHECK_SECONDS, self._look)

    def _look(self) -> None:
        if self._draft is not None:
            self._asked = self._draft.now
            self._checks.refresh()

    def _check(self) -> Checked | None:
        if self._asked is None:
            return None
        from arena.tui.collect.launch import check

        return check(*self._asked)

    def _show_checked(self, checked: Checked | None) -> None:
        if checked is None or checked == self._checked or (checked.data, checked.directory) != self._asked:
            return
        self._checked = checked
        self._form.show_problems(checked.problems, checked.notes)
        self.complain(checked.problems.get((), ""))
        self._aside.show(checked)
        self._summarise()
        self.refresh_bindings()

    def _show_past(self, past: tuple[PastRun, ...]) -> None:
        self._aside.show_past(past)
        self._summarise()

    def _summarise(self) -> None:
        if self._checked is not None:
            changed = self._draft is not None and self._draft.changed
            self.summarise(*summary(self._checked, self._aside.estimate, changed))

    def watch_focused(self, focused: Widget | None) -> None:
        """Say what the field is for in the frame that shows the focus: DescendantFocus comes a frame later."""
        if focused is not None:
            words = help_words(str(getattr(focused, "HELP", "") or ""))
            self.query_one("#about", Static).update(words, layout=False)

    # Doing

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("presets", "aside", "dry_run", "save", "load") and bool(parameters) != isinstance(
            self.focused, Input
        ):
            return False
        if action == "presets":
            return self._offer is not None
        if action == "start":
            return self._draft is not None
        if action == "dry_run" and self._draft is not None and self._draft.origin.kind != "train":
            return False
        if action in ("save", "copy_toml", "dry_run"):
            return bool(self._checked and self._checked.toml)
        return super().check_action(action, parameters)

    def ask_to_leave(self, then: Callable[[], object], verb: str = "Leave") -> bool:
        """Ask before changes are lost, and go on with `then` after a yes; False where there is nothing to lose."""
        draft = self._draft
        if draft is None or not draft.changed:
            return False

        def lose() -> None:
            draft.keep(draft.now)
            then()

        ask_to_lose(self.app, verb, str(draft.tree.data.get("name", "")), lose)
        return True

    def action_leave(self) -> None:
        if not self.ask_to_leave(self.app.pop_screen):
            self.app.pop_screen()

    def action_presets(self, typing: bool = False) -> None:
        from arena.tui.collect.launch import from_preset
        from arena.tui.screens.presets import PresetScreen

        def taken(preset: Preset | None) -> None:
            if preset is not None:
                self._replace(lambda: from_preset(preset))

        if self._offer is not None:
            current = self._draft.origin.name if self._draft else ""
            self.app.push_screen(PresetScreen(self._offer.presets, current), taken)

    def action_load(self, typing: bool = False) -> None:
        from arena.tui.collect.launch import from_file

        ask_source(self.app, lambda path: self._replace(lambda: from_file(path)))

    def _replace(self, read: Callable[[], Origin]) -> None:
        """Show another configuration, after a question where that loses something."""
        if not self.ask_to_leave(lambda: self._work(read, self._fill), "Replace"):
            self._work(read, self._fill)

    def action_save(self, typing: bool = False) -> None:
        from arena.tui.collect.launch import save

        draft, checked = self._draft, self._checked
        if draft is None or checked is None:
            return

        async def saved(path: Path) -> None:
            draft.keep((checked.data, checked.directory))
            self.arena.say(f"Saved {path}")
            self._summarise()

        name = str(draft.tree.data["name"])
        ask_target(self.app, name, lambda path: self._work(lambda: save(path, checked.toml), saved))

    def action_copy_toml(self) -> None:
        self.arena.copy(self._aside.toml, "the TOML")

    def action_aside(self, typing: bool = False) -> None:
        """In a narrow terminal the form and what is beside it take turns; else the cursor goes there and back."""
        beside = self.query_one("#toml")
        there = self.has_class("-aside") or beside.has_focus
        self.set_class(not there, "-aside")
        (self.query_one(OriginLine) if there else beside).focus()

    def action_dry_run(self, typing: bool = False) -> None:
        self._aside.measure()

    def on_button_pressed(self, message: Button.Pressed) -> None:
        message.stop()
        self.action_start()

    def action_start(self) -> None:
        if not self._starting and self._draft is not None:
            self._starting = True
            self.run_worker(self._start(self._draft), group="start", exit_on_error=False)

    async def _start(self, draft: Draft) -> None:
        """Look at the draft once more, then start it and show the run."""
        from arena.tui.collect.launch import check, start

        self._asked = asked = draft.now
        try:
            checked = await asyncio.to_thread(check, *asked)
            self._show_checked(checked)
            if checked.problems:
                self.arena.say(f"Not started: {count(len(checked.problems), 'error')} in the form.", "error")
                await self._form.show_first_problem()
                return
            text = draft.text if draft.now == asked else ""
            run_dir = await asyncio.to_thread(start, *asked, text or checked.toml)
        except Exception as error:
            self._refused(error)
            return
        finally:
            self._starting = False
        draft.keep(draft.now)
        self.arena.show_runs()
        self.arena.open_run(run_dir)
        self.arena.say(f"Started {run_dir}")


def _read_offer() -> Offer:
    from arena.tui.collect.launch import offer

    return offer()
