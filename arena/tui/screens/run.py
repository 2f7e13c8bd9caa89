"""Screen 2: one training in detail. The first look answers whether it is learning."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Static

from arena.tui.format import duration, pace
from arena.tui.poll import Poll
from arena.tui.screens.base import ArenaScreen
from arena.tui.text import join, line
from arena.tui.theme import LEVEL, LOADING, status
from arena.tui.widgets.config_view import ConfigView
from arena.tui.widgets.ledger import LedgerLine
from arena.tui.widgets.log_tail import LogTail
from arena.tui.widgets.page_line import Page, PageLine
from arena.tui.widgets.plot_grid import PlotGrid
from arena.tui.widgets.progress_report import no_figures, phase_line, verdict
from arena.tui.widgets.run_tables import StepTable, alarm_columns, checkpoint_columns
from arena.tui.widgets.table import Table

if TYPE_CHECKING:
    from arena.tui.collect.log import LogLine, LogReader
    from arena.tui.collect.spending import Spending
    from arena.tui.collect.training import CheckpointRow, Training, TrainingReader

_PAGES = (Page("o", "Log"), Page("a", "Alarms"), Page("c", "Checkpoints"), Page("f", "Config"))
_SHIFT = 10
"""Columns of a larger step of the cursor."""


class RunScreen(ArenaScreen):
    """Plots of a training on one step axis, and below them its log, alarms, checkpoints and configuration."""

    CSS_PATH = "run.tcss"
    PLACE = "run"
    HELP = (
        "One training. The line on top compares its newest evaluation with its first: a change is clear where the "
        "95 % intervals do not meet. Left and right move one cursor through all plots, the figures in their titles "
        "are those at the cursor. Evaluate, play and tournament take the checkpoint under the cursor of the list of "
        "checkpoints, and the newest while that list is not open."
    )
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall"), (50, "-tallest")]  # noqa: RUF012 (as Textual declares it)
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(page.key, f"page('{page.id}')", page.name.lower(), show=False, id=f"show.{page.id}",
                    tooltip=f"Open the page {page.name}.")
            for page in _PAGES
        ),
        Binding("left", "cursor(-1)", "cursor", key_display="←→", id="cursor.left", tooltip="Move the cursor left."),
        Binding("right", "cursor(1)", "cursor right", show=False, id="cursor.right", tooltip="Move the cursor right."),
        Binding("shift+left", f"cursor(-{_SHIFT})", "far left", show=False, id="cursor.far_left"),
        Binding("shift+right", f"cursor({_SHIFT})", "far right", show=False, id="cursor.far_right"),
        Binding("home", "cursor_to(0)", "cursor to the start", show=False, id="cursor.start"),
        Binding("end", "cursor_to(1)", "cursor to the newest", show=False, id="cursor.newest"),
        Binding("e", "evaluate", "evaluate", id="checkpoint.evaluate",
                tooltip="Start a tournament of this checkpoint against its start, random and optimal."),
        Binding("p", "play", "play", id="checkpoint.play", tooltip="Play against this checkpoint."),
        Binding("t", "tournament", "tournament", id="checkpoint.tournament", tooltip="A tournament form with it."),
        Binding("b", "ledger", "ledger", id="run.ledger", tooltip="What API players spent, and who was stopped."),
        Binding("l", "live", "live", id="run.watch", tooltip="Watch what it plays, or replay its matches."),
        Binding("escape", "leave", "back", key_display="esc", id="screen.back", tooltip="All plots again, or close."),
    ]  # fmt: skip

    def __init__(self, run_dir: Path) -> None:
        super().__init__()
        self._run_dir = run_dir
        self._reader: TrainingReader | None = None
        self._log: LogReader | None = None
        self._data: Training | None = None

    def body(self) -> ComposeResult:
        yield Static("", id="verdict")
        yield Static("", id="phases")
        yield LedgerLine(id="ledger")
        yield PlotGrid(id="plots")
        yield Static(LOADING, id="nothing", classes="empty-state")
        yield PageLine(_PAGES, id="pages")
        with ContentSwitcher(id="pane", initial="log"):
            yield LogTail(id="log")
            yield StepTable(alarm_columns(), key=lambda row: str(row.id), id="alarms")
            yield StepTable(checkpoint_columns(), key=lambda row: str(row.step), id="checkpoints")
            yield ConfigView(id="config")

    def on_mount(self) -> None:
        self.add_class("-empty")
        self.summarise(line(self._run_dir.name, "bold", 40))
        self.query_one(PageLine).current = "log"
        self.watch(self.query_one(LogTail), "unseen", self._show_news, init=False)
        self._figures: Poll[Training] = self.poll(self._collect, self._show)
        self.poll(self._collect_log, self._show_log, self.POLL_SECONDS / 2)
        self.poll(self._collect_spending, self.query_one(LedgerLine).show)

    # Reading

    def _collect(self) -> Training:
        from arena.tui.collect.training import TrainingReader

        if self._reader is None:
            self._reader = TrainingReader(self._run_dir)
        return self._reader.read()

    def _collect_log(self) -> tuple[LogLine, ...]:
        from arena.tui.collect.log import LogReader

        if self._log is None:
            self._log = LogReader(self._run_dir)
        return self._log.read()

    def _collect_spending(self) -> Spending:
        from arena.tui.collect.spending import read_spending

        return read_spending(self._run_dir)

    def on_poll_done(self, message: Poll.Done) -> None:
        """What could not be read even once is not loading any more; the red line says why."""
        if message.error is not None and self._data is None and message.poll is self._figures:
            self.query_one("#nothing", Static).update("This run cannot be read.")
            self.summarise(line(self._run_dir.name, "bold", 40), status("unreadable"))

    # Showing

    def _show(self, data: Training) -> None:
        old, self._data = self._data, data
        self._summarise(data)
        if old is None or _plotted(data) != _plotted(old):
            self._show_plots(data)
        self.query_one("#alarms", Table).set_items(data.alarms)
        self.query_one("#checkpoints", Table).set_items(data.checkpoints)
        self.query_one(ConfigView).set_settings(data.config)
        self._show_news()
        self._draw()
        if old is None or bool(old.checkpoints) != bool(data.checkpoints):
            self.refresh_bindings()
        if data.more:
            self._figures.refresh()

    def _show_plots(self, data: Training) -> None:
        from arena.tui.curves import Mark

        grid = self._grid
        marks = [Mark(row.step, LEVEL[row.level].glyph) for row in data.alarms if row.level in LEVEL]
        grid.set_charts(data.charts, marks, data.steps)
        self.set_class(not data.charts, "-empty")
        if not data.charts:
            self.query_one("#nothing", Static).update(no_figures(data.row))
        if self.focused is None and data.charts:
            grid.focus()

    def _show_log(self, lines: tuple[LogLine, ...]) -> None:
        self.query_one(LogTail).add(lines, join(("Nothing in the log yet.", "$foreground-muted")))

    def _show_news(self) -> None:
        data, unseen = self._data, self.query_one(LogTail).unseen
        alarms, checkpoints = (len(data.alarms), len(data.checkpoints)) if data else (0, 0)
        news = {"log": f"+{unseen}" if unseen else "", "checkpoints": f"{checkpoints}" if checkpoints else ""}
        self.query_one(PageLine).news = news | {"alarms": f"{LEVEL['warn'].glyph} {alarms}" if alarms else ""}

    def _summarise(self, data: Training) -> None:
        row = data.row
        total = f"/{row.total}" if row.total else ""
        parts: list[Content | str] = [line(row.name, "bold", 40), status(row.status), f"step {row.done}{total}"]
        parts += [pace(row.pace, "step")] if row.pace is not None else []
        parts += [f"{duration(row.seconds_left)} left"] if row.seconds_left is not None else []
        if not row.running and (took := row.took(self.arena.clock())) is not None:
            parts.append(f"took {duration(took)}")
        parts += [f"reading, {data.rows} figures"] if data.more else []
        self.summarise(*parts)

    def _draw(self) -> None:
        """The lines above the plots, made for the width that there is."""
        if (data := self._data) is None:
            return
        width = max(self.size.width - 2, 1)
        failed = data.row.error
        words = join(("✗ ", "bold"), line(failed, "$text-error", 1000)).truncate(width, ellipsis=True)
        self._put("#verdict", words if failed else verdict(data.gains, width))
        self._put("#phases", phase_line(data.phases, width))

    def _put(self, selector: str, content: Content) -> None:
        """Show this in a line of its own, unless it is there already."""
        widget = self.query_one(selector, Static)
        if widget.content != content:
            widget.update(content, layout=False)

    def on_resize(self) -> None:
        self._draw()

    def on_descendant_focus(self) -> None:
        self.query_one(PageLine).lit = any(node is self._switcher for node in (self.focused or self).ancestors)
        self.refresh_bindings()

    # Doing

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("evaluate", "play", "tournament"):
            return self._checkpoint is not None
        if action == "ledger":
            return self.query_one(LedgerLine).filled
        if action in ("cursor", "cursor_to"):
            return self._data is not None and bool(self._data.charts)
        return super().check_action(action, parameters)

    def action_page(self, name: str) -> None:
        """Open a page and give it the focus; once more gives it back to the plots."""
        again = self._switcher.current == name and self.query_one(PageLine).lit
        self._set_open(not again)
        self._switcher.current = name
        self.query_one(PageLine).current = name
        if again:
            self._grid.focus()
        else:
            self._page_focus(name).focus()
        self.refresh_bindings()

    def _set_open(self, is_open: bool) -> None:
        """The page fills a short screen; on others the class changes no style, and restyling all would be slow."""
        self.set_class(is_open, "-open", update=self.has_class("-short"))

    async def action_leave(self) -> None:
        if self.has_class("-open") and self.has_class("-short"):
            self._set_open(False)
            self._grid.focus()
        elif self._grid.enlarged:
            self._grid.enlarged = False
        else:
            await self.arena.action_back()

    def action_cursor(self, columns: int) -> None:
        """Move the cursor; past the newest step it is gone, and titles show the newest again."""
        assert self._data is not None
        first, last = self._data.steps
        at = last if self._grid.cursor is None else self._grid.cursor
        to = max(at + columns * self._grid.unit, first)
        self._grid.cursor = None if to >= last else to

    def action_cursor_to(self, share: int) -> None:
        assert self._data is not None
        self._grid.cursor = None if share else self._data.steps[0]

    def on_plot_grid_pointed(self, message: PlotGrid.Pointed) -> None:
        self._grid.cursor = round(message.step)

    def on_table_chosen(self, message: Table.Chosen) -> None:
        """An alarm or a checkpoint: put the cursor of the plots on its step."""
        step = getattr(message.item, "step", None)
        if step is not None:
            self._grid.cursor = step
            self._set_open(False)
            self._grid.focus()

    def on_table_highlighted(self) -> None:
        self.refresh_bindings()

    def action_ledger(self) -> None:
        from arena.tui.screens.ledger import LedgerScreen

        spending = self.query_one(LedgerLine).spending
        assert spending is not None
        self.app.push_screen(LedgerScreen(self._run_dir, spending))

    def action_live(self) -> None:
        self.arena.open_match(self._run_dir)

    def action_play(self) -> None:
        assert self._data is not None
        self.arena.open_play(self._spec(), next(iter(self._data.games), ""))

    def action_tournament(self) -> None:
        assert self._data is not None
        players = (self._spec(), self._data.model)
        self.arena.open_tournament(players=tuple(dict.fromkeys(player for player in players if player)))

    def action_evaluate(self) -> None:
        from arena.tui.collect.entrants import start
        from arena.tui.collect.training import evaluation

        assert self._data is not None
        plan = evaluation(self._data, self._spec())

        def started(run_dir: Path) -> None:
            against = ", ".join(plan["players"][1:])
            self.arena.say(f"{plan['players'][0]} plays {against}: {run_dir.name}, see 1 Runs.")

        self.arena.attempt(lambda: start(plan), started)

    @property
    def _grid(self) -> PlotGrid:
        return self.query_one(PlotGrid)

    @property
    def _switcher(self) -> ContentSwitcher:
        return self.query_one(ContentSwitcher)

    @property
    def _checkpoint(self) -> CheckpointRow | None:
        """The one under the list's cursor while the list has the focus, else the newest."""
        if self._data is None or not self._data.checkpoints:
            return None
        table: Table[CheckpointRow] = self.query_one("#checkpoints", Table)
        return table.current if table.has_focus else self._data.checkpoints[0]

    def _spec(self) -> str:
        """How the chosen checkpoint is called as a player."""
        assert self._checkpoint is not None
        inside = self._run_dir.parent == self.arena.root
        return f"ckpt:{self._run_dir.name if inside else self._run_dir}@{self._checkpoint.step}"

    def _page_focus(self, name: str) -> Widget:
        page = self.query_one(f"#{name}")
        return page.query_one(Table) if isinstance(page, ConfigView) else page


def _plotted(data: Training) -> tuple[object, ...]:
    """What the plots are made of; charts are made anew where a figure came."""
    return id(data.charts), data.alarms, data.row.status
