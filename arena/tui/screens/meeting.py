"""All matches of two players: what they add up to, and the list to choose one from and replay it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from arena.tui.format import count, duration
from arena.tui.screens.base import ArenaScreen
from arena.tui.text import join, line
from arena.tui.theme import EMPTY, LOADING
from arena.tui.widgets.matrix_cells import signed
from arena.tui.widgets.standings import packed_facts
from arena.tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from arena.runs.rows import MatchRow
    from arena.tui.collect.meeting import Page, Place
    from arena.tui.collect.results import Meeting

PAGE = 200
"""Matches that are read at once."""
_NEAR = 50
"""So near the end of what is read the next page is."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A match from the side of the player whose line of the matrix it was."""

    match: MatchRow
    ours: str

    @property
    def gained(self) -> float:
        return self.match.return_a if self.ours == "a" else self.match.return_b

    @property
    def seat(self) -> int:
        return self.match.leg if self.ours == "a" else 1 - self.match.leg


class MeetingScreen(ArenaScreen):
    """Two players in one game or in several; `met` is the cell that led here."""

    CSS_PATH = "tournament.tcss"
    HELP = (
        "Every stored match of the two. A pair is two matches with the same luck: in the second the players have "
        "swapped seats. Enter replays a match with what both players thought."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy", "copy", id="meeting.copy", tooltip="Copy the figures as text."),
    ]

    def __init__(
        self, run_dir: Path, games: Sequence[str], player: str, opponent: str, met: Meeting | None = None
    ) -> None:
        super().__init__()
        self._run_dir = run_dir
        self._games = tuple(games)
        self._player, self._opponent = player, opponent
        self._met = met
        self._rows: list[Outcome] = []
        self._end: Place | None = None
        self._places: dict[int, int] = {}
        """Where each match is among the rows, by its id."""
        self._more = True
        self._wanted = False

    def heading(self) -> Content:
        style = "bold $text-primary"
        return join(line(self._player, style, 60), " against ", line(self._opponent, style, 60))

    def body(self) -> ComposeResult:
        several = len(self._games) > 1
        columns: list[Column[Outcome]] = [
            Column("pair", 6, lambda it: join(str(it.match.pair)), right=True),
            Column("seat", 4, lambda it: join(str(it.seat)), right=True),
            Column("result", 9, _result),
            Column("return", 6, lambda it: join(signed(it.gained)), right=True, rank=1),
            Column("turns", 5, lambda it: join(str(it.match.turns)), right=True),
            Column("voids", 5, lambda it: join(str(it.match.voids)) if it.match.voids else EMPTY, right=True, rank=3),
            Column("time", 6, _time, right=True, rank=2),
            Column("game", 12, lambda it: line(it.match.game), grow=True, rank=0 if several else 4),
        ]
        yield Static(self._facts(), id="facts")
        with Vertical(id="matches-pane", classes="section") as pane:
            pane.border_title = "Matches"
            yield Table(columns, key=lambda it: str(it.match.id), id="matches")
            yield Static(LOADING, id="no-matches", classes="empty-state")

    def on_resize(self) -> None:
        self.query_one("#facts", Static).update(self._facts())

    def on_mount(self) -> None:
        self.summarise(line(self._games[0]) if len(self._games) == 1 else count(len(self._games), "game"))
        self._table.display = False
        self._poll = self.poll(self._collect, self._show)

    @property
    def _table(self) -> Table[Outcome]:
        return self.query_one("#matches", Table)

    # Reading: the next page when the cursor nears the end of what is read; at the very end what has come since.

    def _collect(self) -> Page | None:
        from arena.tui.collect.meeting import Place, read_page

        rows = self._rows
        if self._more and rows and not self._wanted:
            return None
        after = self._end or Place()
        if not self._more:
            # Matches that are played at once end in any order.
            after = self._place(rows[-PAGE].match) if len(rows) >= PAGE else Place()
        return read_page(self._run_dir, self._games, (self._player, self._opponent), after, PAGE)

    def _place(self, match: MatchRow) -> Place:
        from arena.tui.collect.meeting import Place

        return Place(self._games.index(match.game), match.pair, match.leg)

    def _show(self, page: Page | None) -> None:
        if page is None:
            return
        self._wanted = False
        if fresh := [self._outcome(match) for match in page.matches if match.id not in self._places]:
            rows = sorted([*self._rows, *fresh], key=lambda row: self._place(row.match))
            self._rows, self._places = rows, {row.match.id: index for index, row in enumerate(rows)}
        self._end, self._more = page.end, page.more
        self._draw()

    def _draw(self) -> None:
        table, empty = self._table, self.query_one("#no-matches", Static)
        table.set_items(tuple(self._rows))
        table.display, empty.display = bool(self._rows), not self._rows
        empty.update("The two have not met here yet.")
        if self._rows and self.focused is None:
            table.focus()
        more = " and more" if self._more else ""
        self.query_one("#matches-pane").border_subtitle = f"{count(len(self._rows), 'match')}{more}"

    def _outcome(self, match: MatchRow) -> Outcome:
        return Outcome(match, "a" if match.a == self._player else "b")

    def on_table_highlighted(self, message: Table.Highlighted) -> None:
        if message.item is None or not self._more or self._wanted:
            return
        if len(self._rows) - self._places[message.item.match.id] < _NEAR:
            self._wanted = True
            self._poll.refresh()

    def on_table_chosen(self, message: Table.Chosen) -> None:
        self.arena.open_match(self._run_dir, message.item.match.id)

    # Showing

    def _facts(self) -> Content:
        if self._met is None:
            return join(("No complete pair yet.", "$foreground-muted"))
        return packed_facts(self._met, max(self.app.size.width - 2, 20))

    def action_copy(self) -> None:
        self.arena.copy(f"{self.heading().plain}: {self._facts().plain}", "the figures")


def _result(it: Outcome) -> Content:
    match = it.match
    if match.forfeit:
        return join(("✗ forfeit", "$text-error")) if match.forfeit == it.ours else join("✓ by forf.")
    if it.gained > 0:
        return join(("✓ won", "$text-success"))
    return join(("✗ lost", "$text-accent")) if it.gained < 0 else join(("= draw", "$foreground-muted"))


def _time(it: Outcome) -> Content:
    seconds = it.match.seconds
    return join(duration(seconds) if seconds >= 1 else f"{max(seconds, 0) * 1000:.0f} ms")
