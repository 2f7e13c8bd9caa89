"""Small plots side by side on one step axis, with one cursor; one is selected, and enlarged on request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.reactive import reactive

from arena.tui.collect.charts import Chart
from arena.tui.curves import Mark, Scale
from arena.tui.widgets.plot import GUTTER, Plot

FIRST = 6
"""So many plots fit without scrolling, where there is any room."""
_WIDTH, _LEAST, _MOST = 38, 6, 14
"""Least columns, and least and most rows of a plot."""


class PlotGrid(VerticalScroll, can_focus=True):
    """Arrows and j/k choose a plot, enter enlarges it; the cursor's keys belong to the screen."""

    HELP = (
        "All plots share the steps below them and one cursor; the figures beside the titles are those at the cursor, "
        "or the newest. Bands are 95 % intervals, marks on the axis are alarms."
    )
    DEFAULT_CSS = """
    PlotGrid { layout: grid; grid-gutter: 0 1; scrollbar-size-vertical: 1; overflow-x: hidden; }
    PlotGrid Plot { height: 100%; width: 100%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enlarge", "enlarge", key_display="↵", id="plot.enlarge", tooltip="This plot alone, or all."),
        Binding("up", "select_row(-1)", "up", show=False, id="plot.up"),
        Binding("down", "select_row(1)", "down", show=False, id="plot.down"),
        Binding("k", "select(-1)", "previous plot", show=False, id="plot.previous"),
        Binding("j", "select(1)", "next plot", show=False, id="plot.next"),
        Binding("left", "screen.cursor(-1)", "cursor", key_display="←→"),
        Binding("right", "screen.cursor(1)", "cursor right", show=False),
        Binding("home,g", "screen.cursor_to(0)", "cursor to the start", show=False),
        Binding("end,G", "screen.cursor_to(1)", "cursor to the newest", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
    ]

    class Pointed(Message):
        """The mouse pointed at a step."""

        def __init__(self, step: float) -> None:
            super().__init__()
            self.step = step

    cursor: reactive[float | None] = reactive(None)
    enlarged: reactive[bool] = reactive(False)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._charts: Sequence[Chart] = ()
        self._plots: dict[str, Plot] = {}
        self._selected = 0
        self._columns = 1
        self._steps = (0.0, 1.0)

    @property
    def plots(self) -> list[Plot]:
        """In the order in which they are shown."""
        return [self._plots[chart.id] for chart in self._charts]

    @property
    def unit(self) -> int:
        """Steps of one column."""
        area = next((plot.area for plot in self.plots if plot.display and plot.area), 0)
        return max(1, round((self._steps[1] - self._steps[0]) / area)) if area else 1

    def set_charts(self, charts: Sequence[Chart], marks: Sequence[Mark], steps: tuple[float, float]) -> None:
        """Show these, keeping what is there; the selection stays on its plot."""
        chosen = self._charts[self._selected].id if self._charts else ""
        ids = [chart.id for chart in charts]
        for gone in self._plots.keys() - set(ids):
            self._plots.pop(gone).remove()
        changed = ids != [chart.id for chart in self._charts]
        self._charts, self._steps = charts, steps
        before: Plot | None = None
        for chart in charts:
            before = self._put(chart, before)
        for plot in self._plots.values():
            plot.marks, plot.steps, plot.cursor = tuple(marks), steps, self.cursor
        self._selected = ids.index(chosen) if chosen in ids else 0
        if changed:
            self._mark()
            self._arrange()

    def _put(self, chart: Chart, before: Plot | None) -> Plot:
        """The plot of a chart, made after `before` where there is none yet."""
        plot = self._plots.get(chart.id)
        if plot is None:
            plot = self._plots[chart.id] = Plot(chart.title, chart.limits)
            if before is not None:
                self.mount(plot, after=before)
            else:
                self.mount(plot, before=0 if len(self._plots) > 1 else None)
        plot.title, plot.series = chart.title, chart.series
        return plot

    def watch_cursor(self, cursor: float | None) -> None:
        for plot in self._plots.values():
            plot.cursor = cursor

    def watch_enlarged(self) -> None:
        self._arrange()

    def watch_has_focus(self, _has_focus: bool) -> None:
        self.app.stylesheet.apply(self)  # itself alone: the inherited method restyles every plot
        self._mark()

    def on_resize(self) -> None:
        self._arrange()

    def on_click(self, event: events.Click) -> None:
        plot = event.widget
        if not isinstance(plot, Plot):
            return
        self._select(self.plots.index(plot))
        offset = event.get_content_offset(plot)
        if offset is not None and offset.x >= GUTTER and plot.area:
            self.post_message(self.Pointed(Scale(*self._steps, plot.area).value(offset.x - GUTTER)))
        if event.chain == 2:
            self.action_enlarge()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "enlarge" or bool(self._charts)

    def action_enlarge(self) -> None:
        self.enlarged = not self.enlarged

    def action_select(self, by: int) -> None:
        self._select(self._selected + by)

    def action_select_row(self, by: int) -> None:
        target = self._selected + by * (1 if self.enlarged else self._columns)
        if 0 <= target < len(self._charts):
            self._select(target)

    def action_page(self, by: int) -> None:
        rows = max(self.size.height // max(self._height(), 1), 1)
        self._select(self._selected + by * rows * self._columns)

    def _select(self, index: int) -> None:
        if not self._charts:
            return
        self._selected = min(max(index, 0), len(self._charts) - 1)
        self._mark()
        if self.enlarged:
            self._arrange()
        else:
            self.plots[self._selected].scroll_visible(animate=False)

    def _mark(self) -> None:
        for index, plot in enumerate(self.plots):
            plot.selected = index == self._selected and self.has_focus

    def _height(self) -> int:
        """Rows of a plot: the first ones fill what there is."""
        room = max(self.size.height, 1)
        if self.enlarged:
            return room
        wanted = -(-min(FIRST, max(len(self._charts), 1)) // self._columns)
        return min(max(room // max(wanted, room // _MOST), _LEAST), _MOST)

    def _arrange(self) -> None:
        """Columns and rows for the room that there is."""
        self._columns = 1 if self.enlarged else max(self.size.width // _WIDTH, 1)
        self.styles.grid_size_columns = self._columns
        self.styles.grid_rows = f"{self._height()}"
        for index, plot in enumerate(self.plots):
            plot.display = not self.enlarged or index == self._selected
        if not self.enlarged and self._charts:
            self.call_after_refresh(self.plots[self._selected].scroll_visible, animate=False)
