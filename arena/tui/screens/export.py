"""The dialog that writes a table as it is shown: in which format, to which file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from arena.core.errors import UsageError
from arena.runs.paths import write_atomic
from arena.tui.export import FORMATS, to_markdown
from arena.tui.format import count
from arena.tui.sheet import Sheet
from arena.tui.text import join, line
from arena.tui.widgets.pick_one import PickOne

if TYPE_CHECKING:
    from arena.tui.app import ArenaApp

_DATA = ("csv", "json")


class ExportScreen(ModalScreen[None]):
    """`rows` is what data formats get, where the table as it is shown is made for the eye."""

    CSS_PATH = "tables.tcss"
    HELP = "Left and right choose the format, enter writes. Markdown can be copied instead."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel", key_display="esc", id="export.leave", tooltip="Close without writing."),
        Binding("enter", "write", "write", key_display="↵", id="export.write", tooltip="Write the file."),
        Binding("c", "copy", "copy", id="export.copy", tooltip="Copy as Markdown instead."),
    ]

    def __init__(self, sheet: Sheet, rows: Sheet | None = None) -> None:
        super().__init__()
        self._sheet, self._rows = sheet, rows or sheet
        self._stem = sheet.kind

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("Export")
            about = (f"  {count(len(self._sheet.lines), 'row')}, as shown", "$foreground-muted")
            yield Static(join(line(self._sheet.title, "bold"), about), classes="dialog-title")
            yield PickOne("format", [title for title, _, _ in FORMATS.values()], id="format")
            yield Input(self._fresh("md"), max_length=1000, select_on_focus=False, id="path")
            yield Static("", id="where")
            with Horizontal(classes="dialog-buttons"):
                yield Button(Content("Cancel  esc"), id="cancel")
                yield Button(Content("Copy Markdown  c"), id="copy")
                yield Button(Content("Write  ↵"), id="write", variant="primary")

    def on_mount(self) -> None:
        self.query_one(PickOne).focus()
        self._show_where()

    @property
    def _arena(self) -> ArenaApp:
        return cast("ArenaApp", self.app)

    @property
    def _format(self) -> str:
        return list(FORMATS)[self.query_one(PickOne).index]

    @property
    def _path(self) -> Path:
        return Path(os.path.expanduser(self.query_one(Input).value)).absolute()

    def _fresh(self, form: str) -> str:
        """A name in the directory that we are in, which is not taken."""
        suffix = FORMATS[form][1]
        names = (f"{self._stem}{f'-{number}' if number > 1 else ''}{suffix}" for number in range(1, 1000))
        return next((name for name in names if not Path(name).exists()), f"{self._stem}{suffix}")

    def on_pick_one_changed(self) -> None:
        """Another format has another suffix; a name that the user gave keeps its stem."""
        field = self.query_one(Input)
        path, suffix = Path(field.value), FORMATS[self._format][1]
        ours = path.parent == Path() and re.fullmatch(rf"{self._stem}(-\d+)?", path.stem)
        if not field.value.strip() or ours:
            field.value = self._fresh(self._format)
        elif path.suffix in (known for _, known, _ in FORMATS.values()):
            field.value = str(path.with_suffix(suffix))

    def on_input_changed(self) -> None:
        self._show_where()

    def on_input_submitted(self) -> None:
        self.action_write()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        {"cancel": self.action_leave, "copy": self.action_copy, "write": self.action_write}[event.button.id or ""]()

    def _show_where(self) -> None:
        path = self._path
        state = "is a directory" if path.is_dir() else "exists already" if path.exists() else ""
        words = (f"\n{state}", "$text-warning") if state else ("\nnew file", "$foreground-muted")
        self.query_one("#where", Static).update(join(line(str(path), limit=1000), words))

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_copy(self) -> None:
        self._arena.copy(to_markdown(self._sheet), "the table as Markdown")
        self.dismiss(None)

    def action_write(self) -> None:
        """Write, or ask first where there is such a file."""
        from arena.tui.screens.confirm import ConfirmScreen

        path = self._path
        if not self.query_one(Input).value.strip() or path.is_dir():
            self._arena.report(UsageError(f"{path} is a directory: name a file."))
            return
        if not path.exists():
            self._write(path)
            return
        question = ConfirmScreen("Overwrite", str(path), "What is in it is gone then.", "Overwrite")
        self.app.push_screen(question, lambda yes: self._write(path) if yes else None)

    def _write(self, path: Path) -> None:
        form, (_, _, write) = self._format, FORMATS[self._format]
        sheet = self._rows if form in _DATA else self._sheet

        def written(_: None) -> None:
            self._arena.say(f"Written to {path}")
            if self.is_current:
                self.dismiss(None)

        self._arena.attempt(lambda: write_atomic(path, write(sheet)), written)
