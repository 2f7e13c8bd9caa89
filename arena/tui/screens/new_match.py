"""Start a match: any game, any two players; it runs detached, and is watched from its first move."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from arena.core.errors import ArenaError
from arena.tui.collect.apis import is_api
from arena.tui.collect.entrants import Choice, Offer, read_offer
from arena.tui.collect.limits import read_limits
from arena.tui.collect.new_match import start_match
from arena.tui.poll import reason
from arena.tui.text import join, line
from arena.tui.widgets.limit_fields import LimitFields
from arena.tui.widgets.spec_line import go_on
from arena.tui.widgets.table import Column, Table

_FIELDS = ("game", "first", "second", "seed")
_SEATS = ("first", "second")
_LABELS = {"game": "game", "first": "seat 0", "second": "seat 1", "seed": "seed"}


class NewMatchScreen(ModalScreen["Path | None"]):
    """A form, and under it what fits the line that is being written; dismissed with the run's directory."""

    CSS_PATH = "live.tcss"
    HELP = (
        "Players are written as on the command line, with options behind a ?, such as ckpt:tiny?temperature=0.5. Down "
        "goes to the list of what fits, enter there takes it."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back", key_display="esc", id="form.leave"),
        Binding("ctrl+s", "start", "start", key_display="^s", id="form.start", tooltip="Start the match and watch it."),
    ]

    def __init__(self, root: Path, game: str, players: tuple[str, str]) -> None:
        super().__init__()
        self._root = root
        self._values = {"game": game, "first": players[0], "second": players[1], "seed": "0"}
        self._offer: Offer | None = None
        self._field = "game"
        self._starting = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog form") as dialog:
            dialog.border_title = Content("New match")
            dialog.border_subtitle = Content("↓ list · ^s start · esc back")
            with Vertical(id="fields"):
                for name in _FIELDS:
                    with Horizontal(classes="row"):
                        yield Label(Content(_LABELS[name]))
                        yield Input(line(self._values[name], limit=400).plain, id=name, select_on_focus=True)
                        if name == "seed":
                            yield Button(Content("Start ^s"), id="start", variant="primary", compact=True)
                yield LimitFields(id="limits")
            yield Table(_CHOICES, lambda choice: choice.spec, id="choices")
            yield Static("", id="problem")

    def on_mount(self) -> None:
        self.query_one("#game").focus()
        self.run_worker(self._load(), exit_on_error=False)

    async def _load(self) -> None:
        try:
            self._offer = await asyncio.to_thread(read_offer, self._root)
        except Exception as error:
            self._complain(error)
        self._suggest(whole=True)
        self._offer_limits()

    def _offer_limits(self) -> None:
        """Once the backends are known: to import them takes a while."""
        if self._offer is not None and self.is_mounted:
            self._limits.display = any(map(is_api, self._players))

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if event.widget.id in _FIELDS:
            self._field = event.widget.id
            self._suggest(whole=True)

    def on_input_changed(self, message: Input.Changed) -> None:
        if message.input.id == self._field:
            self._suggest()
        if message.input.id in _SEATS:
            self._offer_limits()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        if message.input.id in _FIELDS[:-1]:
            self.query_one(f"#{_FIELDS[_FIELDS.index(message.input.id) + 1]}").focus()
        else:
            self.action_start()

    def on_key(self, event: events.Key) -> None:
        if event.key == "down" and isinstance(self.focused, Input) and self._table.items:
            event.stop()
            self._table.focus()
        elif event.key == "up" and self.focused is self._table and self._table.current is self._table.items[0]:
            event.stop()
            self.query_one(f"#{self._field}").focus()

    def on_table_chosen(self, message: Table.Chosen) -> None:
        message.stop()
        field, choice = self.query_one(f"#{self._field}", Input), message.item
        if choice.begins:
            go_on(field, choice.begins)
            return
        field.value = choice.spec
        self.query_one(f"#{_FIELDS[_FIELDS.index(self._field) + 1]}").focus()

    def on_table_highlighted(self, message: Table.Highlighted) -> None:
        message.stop()

    def on_button_pressed(self) -> None:
        self.action_start()

    @property
    def _limits(self) -> LimitFields:
        return self.query_one(LimitFields)

    @property
    def _players(self) -> list[str]:
        return [self.query_one(f"#{name}", Input).value.strip() for name in _SEATS]

    @property
    def _table(self) -> Table[Choice]:
        return self.query_one("#choices", Table)

    def _suggest(self, whole: bool = False) -> None:
        """What fits the line: everything where it is just entered, else what has its text in it."""
        offer = self._offer
        if offer is None or not self.is_mounted:
            return
        known = {"game": offer.games, "seed": ()}.get(self._field, offer.players)
        text = "" if whole else self.query_one(f"#{self._field}", Input).value.strip().lower()
        self._table.set_items([one for one in known if text in one.spec.lower()])

    def action_start(self) -> None:
        if not self._starting:
            self._starting = True
            self._say(join(("Starting…", "$foreground-muted")))
            self.run_worker(self._start(), exit_on_error=False)

    async def _start(self) -> None:
        game, first, second, seed = (self.query_one(f"#{name}", Input).value.strip() for name in _FIELDS)
        texts, players = self._limits.texts, self._players
        try:
            limits, wrong = await asyncio.to_thread(read_limits, texts, players)
            self._limits.show_errors(wrong)
            if wrong:
                self._say(Content())
                return
            run_dir = await asyncio.to_thread(start_match, self._root, game, first, second, seed, limits)
        except Exception as error:
            self._complain(error)
        else:
            self.dismiss(run_dir)
        finally:
            self._starting = False

    def _complain(self, error: Exception) -> None:
        text = error.message if isinstance(error, ArenaError) and not error.hint else reason(error)
        self._say(line(text, limit=600))

    def _say(self, text: Content) -> None:
        if self.is_mounted:
            self.query_one("#problem", Static).update(text)

    def action_leave(self) -> None:
        self.dismiss(None)


_CHOICES: list[Column[Choice]] = [
    Column("fits", 24, lambda choice: line(choice.spec, "" if choice.ready else "$foreground-muted"), grow=True),
    Column("", 20, lambda choice: line(choice.about, "$foreground-muted"), grow=True, rank=1),
]
