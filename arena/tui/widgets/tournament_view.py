"""A run of many matches on screen: progress, matrix with the cell at the cursor, ratings or changes, ground truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widgets import Static

from arena.tui.collect.evaluation import Evaluation
from arena.tui.collect.results import Results
from arena.tui.collect.spending import Spender, Spending
from arena.tui.text import join, line
from arena.tui.theme import LOADING
from arena.tui.widgets import standings
from arena.tui.widgets.ledger import STOPPED, LedgerLine, account_columns, account_key, against_limits
from arena.tui.widgets.matrix import Matrix
from arena.tui.widgets.matrix_cells import Grid
from arena.tui.widgets.sprt_words import sprt_facts
from arena.tui.widgets.standings import packed
from arena.tui.widgets.table import Table

if TYPE_CHECKING:
    from arena.tui.app import ArenaApp


ROOMY = 28
"""Lines from which on there is room for a table of what API players spent."""
MANY = 9
"""So many opponents and more get a wider matrix."""


class TournamentView(Container):
    """Shows what it is given by `show`."""

    def compose(self) -> ComposeResult:
        yield Static(join(" ", LOADING), id="progress")
        yield LedgerLine(id="ledger")
        yield Static("", id="notice")
        with Container(id="tournament"):
            with Vertical(id="matrix-pane", classes="section"):
                yield Matrix(id="matrix")
                yield Static("", id="cell")
            with Container(id="side"):
                with Vertical(id="standings-pane", classes="section"):
                    yield Table(standings.standing_columns(), standings.standing_key, id="standings")
                with Vertical(id="changes-pane", classes="section"):
                    yield Table(standings.change_columns(), standings.change_key, id="changes")
                with Vertical(id="truths-pane", classes="section"):
                    yield Table(standings.truth_columns(), standings.truth_key, id="truths")
        with Vertical(id="accounts-pane", classes="section"):
            yield Table(account_columns(), account_key, id="accounts")

    def on_mount(self) -> None:
        for pane in ("notice", "changes-pane", "truths-pane", "accounts-pane"):
            self._pane(pane).display = False
        self.matrix.focus()

    @property
    def matrix(self) -> Matrix:
        return self.query_one("#matrix", Matrix)

    def show(self, shown: Evaluation, game: str, by_rating: bool, computing: bool) -> None:
        """Show a run as it stands, and the matrix of a game, or of all together where that is empty."""
        now = cast("ArenaApp", self.app).clock()
        progress = standings.progress_line(shown, now, self.size.width)
        self.query_one("#progress", Static).update(progress, layout=False)
        self._show_notice(shown, computing)
        grid = standings.make_grid(shown.results, shown.plan, game, by_rating)
        if grid != self.matrix.grid:
            self.matrix.show(grid)
        self.set_class(len(grid.columns) > MANY, "-many")
        pane = self._pane("matrix-pane")
        pane.border_title = _title(shown, game)
        pane.border_subtitle = _legend(grid)
        self._show_side(shown.results, game)
        self._show_cell()

    def show_spending(self, spending: Spending) -> None:
        """Show the ledger: as a table where there is room for it, else as one line."""
        ledger, pane = self.query_one(LedgerLine), self._pane("accounts-pane")
        roomy = bool(spending.accounts) and self.screen.has_class("-wide") and self.size.height >= ROOMY
        ledger.show(None if roomy else spending)
        if pane.display != roomy:
            pane.display = roomy
        if roomy:
            table: Table[Spender] = self.query_one("#accounts", Table)
            table.set_items(spending.accounts)
            pane.border_title = join("API players   ", join(*against_limits(spending), between=" · "))
            pane.border_subtitle = Content(f"{STOPPED} stopped · b says why" if spending.stopped else "b ledger")

    def _show_notice(self, shown: Evaluation, computing: bool) -> None:
        notice = self.query_one("#notice", Static)
        told = join(*_told(shown, computing, self.size.width - 2), between="\n")
        notice.display = bool(told)
        notice.update(told)

    def _show_side(self, results: Results, game: str) -> None:
        ood = bool(results.base)
        ratings = [] if ood else standings.standing_lines(results.standings)
        truths = standings.truth_lines(results, game)
        self._fill("standings", ratings, not ood)
        self._fill("changes", standings.change_lines(results, game) if ood else [], ood)
        self._fill("truths", truths, bool(truths))
        pane = self._pane("standings-pane")
        pane.set_class(not truths, "-alone")
        pane.border_title = "Ratings, all games" if results.views[1:] else "Ratings"
        pane.border_subtitle = standings.standing_legend(results.standings)
        self._pane("changes-pane").border_title = join("Change against ", line(results.base, limit=40))
        self._pane("truths-pane").border_title = "Ground truth"

    def _fill(self, name: str, rows: list[Any], display: bool) -> None:
        self._pane(f"{name}-pane").display = display
        table: Table[Any] = self.query_one(f"#{name}", Table)
        table.set_items(rows)

    def _show_cell(self) -> None:
        cell, current = self.query_one("#cell", Static), self.matrix.current
        met = self.matrix.grid.cells.get(current) if current else None
        words = standings.meeting_line(*current, met, cell.size.width, self.matrix.grid.unmet) if current else ""
        cell.update(words, layout=False)

    def on_matrix_moved(self) -> None:
        self._show_cell()

    def on_table_chosen(self, message: Table.Chosen) -> None:
        """A line of a table leads to the player's line of the matrix."""
        message.stop()
        if message.table.id == "accounts":
            return
        found = getattr(message.item, "rated", None) or getattr(message.item, "change", None)
        found = found or getattr(message.item, "truth", None)
        if found is not None and self.matrix.current is not None:
            self.matrix.move_to(found.player, self.matrix.current[1])
            self.matrix.focus()

    def _pane(self, name: str) -> Any:
        return self.query_one(f"#{name}")


def _title(shown: Evaluation, game: str) -> Content:
    views = shown.results.views
    name = line(game) if game else join("All games" if views else "Matrix")
    held_out = " (OOD)" if game in shown.results.held_out else ""
    place = f"  {views.index(game) + 1}/{len(views)}" if len(views) > 1 else ""
    return join(name, held_out, (place, "$foreground-muted"))


def _told(shown: Evaluation, computing: bool, width: int) -> Iterator[Content]:
    """Why there is no result, how a sequential test stands, a line for the notes, and one for the warnings."""
    if shown.missing:
        yield _absence(shown, computing)
    if shown.test is not None:
        first = next(iter([*shown.plan.players, *shown.results.rows]), "")
        facts = packed(sprt_facts(shown.test, first), width)
        yield from (one.truncate(width, ellipsis=True) for one in facts.stylize_before("$foreground").split())
    if shown.notes:
        yield line(" ".join(shown.notes), "$foreground", 400).truncate(width, ellipsis=True)
    if warnings := shown.results.warnings:
        more = f" (and {len(warnings) - 1} more)" if warnings[1:] else ""
        first_warning = line(f"⚠ {warnings[0]}", limit=400).truncate(max(width - len(more), 1), ellipsis=True)
        yield join(first_warning, more).truncate(width, ellipsis=True)


def _absence(shown: Evaluation, computing: bool) -> Content:
    if shown.run.running:
        return join("No results yet: they come with the first complete pairs.")
    if computing:
        return join("A job makes the result…")
    if shown.run.done:
        key = ("u", "bold $footer-key-foreground")
        return join("There is no result.json. Press ", key, " to have it made from the stored matches.")
    return join("No results: nothing was played.")


def _legend(grid: Grid) -> str:
    """What the figures are, short enough for a border."""
    parts = ["line against column"]
    if grid.signed:
        parts.append("mean return")
    if any(not cell.sure for cell in grid.cells.values()):
        parts.append("~ spans even play")
    return " · ".join(parts)
