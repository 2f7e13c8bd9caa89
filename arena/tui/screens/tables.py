"""Screen 6: the figures of all runs as tables, to sort, to filter and to export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from arena.tui.format import count
from arena.tui.poll import Poll
from arena.tui.screens.base import ArenaScreen
from arena.tui.text import join, line
from arena.tui.theme import LOADING
from arena.tui.widgets.matrix import Matrix
from arena.tui.widgets.page_line import Page, PageLine
from arena.tui.widgets.sheet_table import SheetTable
from arena.tui.widgets.table import Table

if TYPE_CHECKING:
    from arena.tui.collect.tables import Tables, TablesReader
    from arena.tui.sheet import Sheet
    from arena.tui.widgets.matrix_cells import Grid
    from arena.tui.widgets.table_look import Look

_PAGES = (
    Page("s", "Scores"),
    Page("v", "Head-to-head"),
    Page("o", "OOD"),
    Page("t", "Truth"),
    Page("b", "Reasoning"),
    Page("a", "API"),
)
_DETAIL = 3
"""Lines for what is under the cursor."""


class TablesScreen(ArenaScreen):
    """Tables over these runs, or over all in the runs directory."""

    PLACE = "tables"
    CSS_PATH = "tables.tcss"
    AUTO_FOCUS = ""
    HELP = (
        "The figures of all runs: of tournaments, head-to-head and ood runs their results, of trainings the last "
        "evaluation. Intervals are 95 %; ~ marks one that spans no difference: .5 of a score, 0 of a return or a "
        "change. The filter takes words, all of which must occur in a line. Head-to-head has a matrix for each run "
        "and game, OOD a column for each game; m shows their lines instead. Enter opens the run."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(page.key, f"page('{page.id}')", page.name.lower(), show=False, id=f"table.{page.id}",
                    tooltip=f"The table {page.name}.")
            for page in _PAGES
        ),
        Binding("slash", "filter", "filter", key_display="/", id="table.filter", tooltip="Only lines with words."),
        Binding("m", "cross", "matrix", id="table.matrix", tooltip="The matrix, or its lines."),
        Binding("right_square_bracket", "matrix(1)", "next", key_display="]", id="matrix.next",
                tooltip="The next game's matrix, then the next run's."),
        Binding("left_square_bracket", "matrix(-1)", "before", show=False, id="matrix.before",
                tooltip="The matrix before."),
        Binding("e", "export", "export", id="table.export", tooltip="Write what is shown to a file."),
        Binding("c", "copy", "copy", id="table.copy", tooltip="Copy what is shown as Markdown."),
        Binding("escape", "leave", "back", key_display="esc", id="screen.back", tooltip="Drop the filter, or close."),
    ]  # fmt: skip

    def __init__(self, run_dirs: Sequence[Path] = ()) -> None:
        super().__init__()
        self._run_dirs = tuple(run_dirs)
        self._reader: TablesReader | None = None
        self._look: Look | None = None
        """None until something was read."""
        self._grid: Grid | None = None
        """The matrix that is shown, if one is."""

    def body(self) -> ComposeResult:
        yield PageLine(_PAGES, id="pages")
        yield Input(placeholder="words that a line must have", max_length=200, id="filter")
        with Vertical(id="table-pane", classes="section"):
            yield SheetTable(id="table")
            yield Matrix(id="matrix")
            yield Static(LOADING, id="empty", classes="empty-state")
            yield Static("", id="detail")

    def on_mount(self) -> None:
        self.query_one(PageLine).current = _PAGES[0].id
        self.poll(self._collect, self._show)

    # Reading

    def _collect(self) -> Tables:
        from arena.tui.collect.tables import TablesReader

        if self._reader is None:
            self._reader = TablesReader(self.arena.root, self._run_dirs)
        return self._reader.read()

    def on_poll_done(self, message: Poll.Done) -> None:
        """What could not be read even once is not loading any more; the red line says why."""
        if message.error is not None and self._look is None:
            self.query_one("#empty", Static).update("The runs cannot be read.")

    # Showing

    def _show(self, data: Tables) -> None:
        if self._look is None:
            from arena.tui.widgets.table_look import Look

            self._look = Look(data, self.query_one(PageLine).current)
        elif self._look.data is data:
            return
        self._look.data = data
        bad = data.problems
        self.complain(f"{len(bad)} of {count(data.runs, 'run')} cannot be read: {bad[0]}" if bad else "")
        self._draw()

    def _draw(self) -> None:
        """Everything, from what was read and what the user chose."""
        if (look := self._look) is None:
            return
        sheet, grid = look.sheet, look.grid()
        self._grid = grid
        self._table.show(sheet, look.order, look.words)
        if grid is not None and grid != self._matrix.grid:
            self._matrix.show(grid)
        filled = bool(grid.rows if grid is not None else self._table.shown.lines)
        self._arrange(filled)
        if not filled:
            self.query_one("#empty", Static).update(self._nothing(look))
        self._entitle(look, filled)
        self._show_detail()
        self.refresh_bindings()

    def _arrange(self, filled: bool) -> None:
        as_matrix = self._grid is not None
        self._table.display, self._matrix.display = filled and not as_matrix, filled and as_matrix
        self.query_one("#empty").display = not filled
        self.query_one("#detail").display = filled
        hidden = self._table if as_matrix else self._matrix
        if self.focused is None or self.focused is hidden:
            self._focus_rows()

    def _entitle(self, look: Look, filled: bool) -> None:
        data, shown, sheet = look.data, len(self._table.shown.lines), look.sheet
        some = f"{shown} of " if shown < len(sheet.lines) else ""
        self.summarise(
            count(data.runs, "run"),
            f"{some}{count(len(sheet.lines), 'row')}",
            f"{data.waiting} without a result" if data.waiting else "",
            join("filter: ", line(look.words, limit=40)) if look.words else "",
        )
        counts = {name: str(len(one.lines)) for name, one in data.sheets.items() if one.lines}
        self.query_one(PageLine).news = counts if self.has_class("-wide") else {}
        pane = self.query_one("#table-pane")
        pane.border_title = _title(look)
        pane.border_subtitle = _legend(look, self._grid) if filled else ""

    def _nothing(self, look: Look) -> Content:
        from arena.tui.collect.table_kinds import KINDS
        from arena.tui.widgets.sheet_words import way_out

        if look.words and look.sheet.lines:
            key = ("esc", "bold $footer-key-foreground")
            return join("No line has all of ", line(look.words, "bold"), ".\n\n", key, " drops the filter.")
        data = look.data
        return way_out(KINDS[look.page], data.runs, data.waiting, len(data.problems))

    def _show_detail(self) -> None:
        from arena.tui.widgets.sheet_words import line_in_full
        from arena.tui.widgets.standings import meeting_line

        detail = self.query_one("#detail", Static)
        width = self.query_one("#table-pane").scrollable_content_region.width
        if self._grid is not None:
            current = self._matrix.current
            words = meeting_line(*current, self._grid.cells.get(current), width) if current else Content()
        elif (found := self._table.current) is not None:
            words = line_in_full(self._table.sheet, found, width, _DETAIL)
        else:
            return
        if detail.content != words:
            detail.update(words)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    @on(Table.Highlighted)
    @on(Matrix.Moved)
    def _moved(self) -> None:
        self._show_detail()

    @property
    def _table(self) -> SheetTable:
        return self.query_one("#table", SheetTable)

    @property
    def _matrix(self) -> Matrix:
        return self.query_one("#matrix", Matrix)

    # Choosing

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        look = self._look
        match action:
            case "cross":
                return look is not None and look.crossable
            case "matrix":
                return look is not None and look.met is not None and len(look.matrices) > 1
            case "export" | "copy":
                return look is not None and not self.query_one("#empty").display
            case "page" | "filter":
                return look is not None
        return super().check_action(action, parameters)

    def action_page(self, name: str) -> None:
        if self._look is not None:
            self._look.page = self.query_one(PageLine).current = name
            self._draw()

    def action_cross(self) -> None:
        if self._look is not None:
            self._look.crossed = not self._look.crossed
            self._draw()

    def action_matrix(self, by: int) -> None:
        if self._look is not None:
            self._look.place = (self._look.place + by) % len(self._look.matrices)
            self._draw()

    def on_sheet_table_sorted(self) -> None:
        if self._look is not None:
            self._look.order = self._table.order
            self._show_detail()

    def action_filter(self) -> None:
        self.query_one("#filter").display = True
        self.query_one("#filter").focus()

    def on_input_changed(self, message: Input.Changed) -> None:
        if self._look is not None:
            self._look.words = " ".join(message.value.split())
            self._draw()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.input.display = bool(message.value.strip())
        self._focus_rows()

    async def action_leave(self) -> None:
        field = self.query_one("#filter", Input)
        if not field.display:
            await self.arena.action_back()
            return
        field.value = ""
        field.display = False
        self._focus_rows()

    def _focus_rows(self) -> None:
        self.set_focus(next((one for one in (self._table, self._matrix) if one.display), None))

    # Doing

    def on_table_chosen(self, message: Table.Chosen) -> None:
        self.arena.open_run(message.item.run_dir)

    def on_matrix_chosen(self) -> None:
        if self._look is not None and self._look.met is not None:
            self.arena.open_run(self._look.met[0].run.path)

    def action_copy(self) -> None:
        from arena.tui.export import to_markdown

        self.arena.copy(to_markdown(self._exported()[0]), "the table as Markdown")

    def action_export(self) -> None:
        from arena.tui.screens.export import ExportScreen

        self.app.push_screen(ExportScreen(*self._exported()))

    def _exported(self) -> tuple[Sheet, Sheet]:
        assert self._look is not None
        return self._look.exported(self._table.shown)


def _title(look: Look) -> Content:
    if look.met is None:
        return Content(look.sheet.title)
    evaluation, game = look.met
    place = (f"  {look.place + 1}/{len(look.matrices)}", "$foreground-muted")
    return join(line(evaluation.run.name, limit=40), " · ", line(game) if game else "all games", place)


def _legend(look: Look, grid: Grid | None) -> str:
    """What the marks mean, short enough for a border."""
    if grid is not None:
        return f"{'● own ○ other training game · ' if grid.marks else ''}line against column · ~ spans even play"
    if look.sheet is look.data.transfer:
        return "● own ○ other training game ◇ OOD · ~ spans 0"
    return {"truth": "95 % intervals", "api": "cost by your own prices"}.get(look.page, "~ spans no difference")
