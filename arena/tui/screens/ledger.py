"""The ledger of a run's API players in full, over the screen; it goes on while it is looked at."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from arena.config.limits import LIMITS
from arena.tui.collect.limits import read_limits
from arena.tui.collect.spending import Spender, Spending, read_spending, resume
from arena.tui.poll import Poll, reason
from arena.tui.text import join, line
from arena.tui.widgets.ledger import account_columns, account_key, against_limits
from arena.tui.widgets.limit_fields import LimitFields
from arena.tui.widgets.table import Table

if TYPE_CHECKING:
    from arena.tui.app import ArenaApp

_REASON = 600


class LedgerScreen(ModalScreen[None]):
    """A line for each player, the limits above, and below why the one under the cursor was stopped."""

    CSS_PATH = "ledger.tcss"
    HELP = (
        "Requests that were sent, and those of them that were tried again; tokens in and out, thinking being a part of "
        "out; the cost by your own prices. A player that was stopped has open matches: resume the run, with higher "
        "limits where they were the reason. A field that you empty keeps its old limit."
    )
    POLL_SECONDS: ClassVar[float] = 1.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,b,q,enter", "dismiss", "close", key_display="esc", id="ledger.close"),
        Binding("ctrl+s", "resume", "resume", key_display="^s", id="ledger.resume", tooltip="Go on with these limits."),
    ]

    def __init__(self, run_dir: Path, spending: Spending) -> None:
        super().__init__()
        self._run_dir, self._spending = run_dir, spending
        self._starting = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("API players")
            dialog.border_subtitle = Content("esc closes")
            yield Static("", id="limits")
            yield Table(account_columns(), account_key, id="accounts")
            yield Static("", id="about")
            yield LimitFields(id="raised")

    def on_mount(self) -> None:
        self._show(self._spending)
        self.query_one(Table).focus()
        self._poll = Poll(self, lambda: read_spending(self._run_dir), self._show, self.POLL_SECONDS)
        self._poll.start()

    def on_poll_done(self, message: Poll.Done) -> None:
        message.stop()
        if message.error is None:
            self._show(message.data)
        else:
            self.query_one("#about", Static).update(line(f"✗ {reason(message.error)}", "$text-error", _REASON))
        message.poll.ended()

    def _show(self, spending: Spending) -> None:
        if spending.accounts:
            self._spending = spending
        limits = join(*against_limits(self._spending, bars=True), between="     ")
        self.query_one("#limits", Static).update(limits)
        table: Table[Spender] = self.query_one("#accounts", Table)
        table.set_items(self._spending.accounts)
        self._explain()
        fields = self.query_one(LimitFields)
        if self._spending.resumable != fields.display:
            self._offer_resume(fields)

    def _offer_resume(self, fields: LimitFields) -> None:
        """A run that has ended before its end can go on with other limits."""
        spending = self._spending
        if spending.resumable:
            cost, tokens = spending.max_cost, spending.max_tokens
            given = ("" if cost is None else f"{cost:g}", "" if tokens is None else str(tokens), spending.prices)
            fields.fill(dict(zip(LIMITS, given, strict=True)))
        else:
            fields.display = False
        keys = "^s resumes with these limits · " if spending.resumable else ""
        self.query_one(".dialog").border_subtitle = Content(f"{keys}esc closes")

    def on_input_submitted(self) -> None:
        self.action_resume()

    def action_resume(self) -> None:
        if self._spending.resumable and not self._starting:
            self._starting = True
            self.run_worker(self._resume(), exit_on_error=False)

    async def _resume(self) -> None:
        fields, players = self.query_one(LimitFields), [one.player for one in self._spending.accounts]
        try:
            limits, wrong = await asyncio.to_thread(read_limits, fields.texts, players)
            fields.show_errors(wrong)
            if not wrong:
                pid = await asyncio.to_thread(resume, self._run_dir, limits)
                cast("ArenaApp", self.app).say(f"It goes on as pid {pid}.")
                self.dismiss()
        except Exception as error:
            cast("ArenaApp", self.app).report(error)
        finally:
            self._starting = False

    def on_table_highlighted(self, message: Table.Highlighted) -> None:
        message.stop()
        self._explain()

    def on_table_chosen(self, message: Table.Chosen) -> None:
        message.stop()
        self.dismiss()

    def _explain(self) -> None:
        one = cast("Spender | None", self.query_one("#accounts", Table).current)
        if one is None:
            return
        model = join(("model ", "$foreground-muted"), line(one.model, limit=100))
        unpriced = join(("no price is known: see --prices", "$foreground-muted")) if one.cost is None else Content()
        stopped = (
            join(("■ stopped: ", "bold $text-error"), line(one.stopped, limit=_REASON)) if one.stopped else Content()
        )
        name = line(one.player, "bold", 200)
        self.query_one("#about", Static).update(join(name, join(model, unpriced, between="   "), stopped, between="\n"))
