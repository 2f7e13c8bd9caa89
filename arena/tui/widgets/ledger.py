"""What API players have spent: one line above or below other things, and a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from arena.core.sanitise import one_line
from arena.tui.format import amount, bar, money, squeeze
from arena.tui.text import join, line
from arena.tui.theme import EMPTY
from arena.tui.widgets.table import Column

if TYPE_CHECKING:
    from arena.tui.collect.spending import Spender, Spending

STOPPED = "■"
"""Before a player that could not go on."""
_MUTED = "$foreground-muted"
_NEAR = 0.8
"""From this share of a limit on it is close."""
_BAR = 10


def account_columns() -> list[Column[Spender]]:
    return [
        Column("player", 16, _player, grow=True),
        Column("requests", 8, lambda it: join(f"{it.requests:,}"), right=True),
        Column("retries", 7, lambda it: join((f"{it.retries:,}", "" if it.retries else _MUTED)), right=True, rank=3),
        Column("in", 6, lambda it: join(amount(it.prompt_tokens)), right=True, rank=2),
        Column("out", 6, lambda it: join(amount(it.completion_tokens)), right=True, rank=1),
        Column("thinking", 8, lambda it: join((amount(it.reasoning_tokens), _MUTED)), right=True, rank=4),
        Column("cost", 8, lambda it: EMPTY if it.cost is None else join(money(it.cost)), right=True),
    ]


def account_key(it: Spender) -> str:
    return it.player


def _player(it: Spender) -> Content:
    style = "$text-error" if it.stopped else ""
    return join((f"{STOPPED} ", style) if it.stopped else "", line(it.player, style))


def against_limits(spending: Spending, bars: bool = False) -> list[Content]:
    """Cost and tokens, each against its limit where there is one."""
    parts = []
    if spending.cost is not None:
        open_ended = any(one.cost is None for one in spending.accounts)
        parts.append(_against(f"cost {money(spending.cost)}{'+' if open_ended else ''}", spending.cost,
                              spending.max_cost, money(spending.max_cost or 0), bars))  # fmt: skip
    tokens = _against(f"{amount(spending.tokens)} tokens", spending.tokens, spending.max_tokens,
                      amount(spending.max_tokens or 0), bars)  # fmt: skip
    return [*parts, tokens]


def _against(text: str, value: float, limit: float | None, shown: str, bars: bool) -> Content:
    if not limit:
        return join(text)
    share = value / limit
    style = "$text-error" if share >= 1 else "$text-warning" if share >= _NEAR else ""
    drawn = (f" {bar(share, _BAR)}", style or "$text-success") if bars else ""
    return join((f"{text} of {shown}", style), drawn, (f" {share:.0%}", style))


def _counted(number: int, one: str, many: str = "", style: str = "") -> Content:
    return join((f"{number:,} {one if number == 1 else many or f'{one}s'}", style))


def ledger_line(spending: Spending, width: int) -> Content:
    """All in one line; what has no room is left out, from its end on."""
    accounts = spending.accounts
    if not accounts:
        return Content()
    retries, reasoning = sum(one.retries for one in accounts), sum(one.reasoning_tokens for one in accounts)
    stopped = spending.stopped
    parts = [join(("API", "bold"))]
    if stopped:
        others = f" and {len(stopped) - 1} more" if stopped[1:] else ""
        name = line(squeeze(one_line(stopped[0].player), max(width // 3, 12)), "$text-error")
        parts.append(join((f"{STOPPED} ", "$text-error"), name, (f"{others} stopped", "$text-error")))
    parts += [*against_limits(spending), _counted(sum(one.requests for one in accounts), "request")]
    if retries:
        parts.append(_counted(retries, "retry", "retries", "$text-warning"))
    parts.append(join((f"in {amount(sum(one.prompt_tokens for one in accounts))}", _MUTED)))
    parts.append(join((f"out {amount(sum(one.completion_tokens for one in accounts))}", _MUTED)))
    if reasoning:
        parts.append(join((f"thinking {amount(reasoning)}", _MUTED)))
    key = join(("b", "bold $footer-key-foreground"), (" ledger", _MUTED))
    while len(parts) > 2 and join(*parts, key, between=" · ").cell_length + 2 > width:
        parts.pop()
    return join(" ", join(*parts, key, between=" · ")).truncate(width, ellipsis=True)


class LedgerLine(Static):
    """The ledger in one line; no height while there is none."""

    DEFAULT_CSS = "LedgerLine { height: 1; display: none; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.spending: Spending | None = None

    @property
    def filled(self) -> bool:
        """Whether an API player took part."""
        return self.spending is not None and bool(self.spending.accounts)

    def show(self, spending: Spending | None) -> None:
        """Show a run's ledger as it stands."""
        if spending == self.spending:
            return
        before, self.spending = self.filled, spending
        self._draw()
        if self.filled != before:
            self.display = self.filled
            self.screen.refresh_bindings()

    def _draw(self) -> None:
        if self.spending is not None:
            self.update(ledger_line(self.spending, self.size.width or self.screen.size.width), layout=False)

    def on_resize(self) -> None:
        self._draw()
