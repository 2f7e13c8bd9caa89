"""Screen 1: all runs, and beside them more about the one under the cursor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from arena.core.sanitise import one_line
from arena.tui.format import bar, count, duration, figure, sparkline
from arena.tui.screens.base import ArenaScreen
from arena.tui.text import join, line
from arena.tui.theme import EMPTY, LOADING, status
from arena.tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from arena.tui.collect.runs import RunPreview, RunRow, RunScan, RunScanner

_NEEDS: dict[str, tuple[str, ...]] = {
    "stop": ("running",),
    "kill": ("running", "stopping"),
    "resume": ("stopped", "failed", "dead"),
    "rename": ("running", "stopping", "finished", "stopped", "failed", "dead"),
    "delete": ("finished", "stopped", "failed", "dead", "unreadable"),
}
"""In which states of a run these actions make sense; others that need a run take any."""
_ANY = ("live", "tournament", "copy_id")


class RunsScreen(ArenaScreen):
    """The first screen: what runs, how far it is, how good it is, and what to do about it."""

    PLACE = "runs"
    HELP = (
        "Every job in the runs directory, running ones first. Jobs are processes of their own: closing this program "
        "stops none of them. Stop ends a job politely, kill ends it with all its processes at once; both keep what was "
        "stored, and resume goes on from there."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "stop", "stop", id="run.stop", tooltip="Ask the job to finish politely; it can be resumed."),
        Binding("K", "kill", "kill", id="run.kill", tooltip="End the job at once, with all its processes."),
        Binding("r", "resume", "resume", id="run.resume", tooltip="Start the job again from where it got to."),
        Binding("l", "live", "live", id="run.watch", tooltip="Watch what it plays, or replay its matches."),
        Binding("p", "play", "play", id="run.play", tooltip="Play against what it trained."),
        Binding("t", "tournament", "tournament", id="run.tournament", tooltip="Start a tournament with its players."),
        Binding("e", "rename", "rename", id="run.rename", tooltip="Give it another name; its id stays."),
        Binding("d", "delete", "delete", id="run.delete", tooltip="Remove it with its matches and checkpoints."),
        Binding("n", "new", "new", id="run.new", tooltip="Start a training."),
        Binding("c", "copy_id", "copy id", show=False, id="run.copy_id", tooltip="Copy its id."),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._scanner: RunScanner | None = None
        self._scan: RunScan | None = None
        self._row: RunRow | None = None
        self._previews: dict[Path, RunPreview] = {}
        self._shown = Content()

    def body(self) -> ComposeResult:
        columns: list[Column[RunRow]] = [
            Column("name", 12, lambda row: line(row.name), grow=True),
            Column("kind", 10, lambda row: line(row.kind) if row.kind else EMPTY, rank=3),
            Column("state", 12, lambda row: status(row.status)),
            Column("progress", 13, progress, rank=2),
            Column("left", 7, _left, right=True, rank=4),
            Column("score", 16, score, rank=1),
        ]
        with Horizontal(id="panes"):
            with VerticalScroll(id="list", classes="section", can_focus=False) as section:
                section.border_title = "Runs"
                yield Table(columns, key=lambda row: str(row.path), id="runs")
                yield Static(LOADING, id="empty", classes="empty-state")
            with VerticalScroll(id="preview", classes="section"):
                yield Static("", id="about", markup=False)

    def on_mount(self) -> None:
        self.query_one("#runs").display = False
        self._list = self.poll(self._collect, self._show)
        self._more = self.poll(self._collect_preview, self._show_preview)

    # Reading

    def _collect(self) -> RunScan:
        from arena.tui.collect.runs import RunScanner

        if self._scanner is None:
            self._scanner = RunScanner(self.arena.root)
        return self._scanner.scan()

    def _collect_preview(self) -> RunPreview | None:
        from arena.tui.collect.runs import preview

        row = self._row
        return None if row is None or (row.error and not row.kind) else preview(row)

    # Showing

    def _show(self, scan: RunScan) -> None:
        if scan == self._scan:
            self._draw()  # time goes on
            return
        self._scan = scan
        table = self._table
        table.set_items(scan.rows)
        table.display = bool(scan.rows)
        empty = self.query_one("#empty", Static)
        empty.display = not scan.rows
        if not scan.rows:
            empty.update(_first_steps())
        self.query_one("#preview").display = bool(scan.rows)
        if scan.rows and self.focused is None:
            table.focus()
        if bad := scan.unreadable:
            others = f"{len(bad)} of {count(len(scan.rows), 'run')} cannot be read"
            self.complain(f"{others}: {bad[0].error}")
        else:
            self.complain("")
        self._summarise(scan)
        if table.current is None:
            self._look_at(None)

    def _summarise(self, scan: RunScan) -> None:
        going = sum(row.running for row in scan.rows)
        failed = sum(row.status in ("failed", "dead") for row in scan.rows)
        parts: list[Content | str] = [count(len(scan.rows), "run")]
        parts += [join((f"{going} running", "$text-success"))] if going else []
        parts += [join((f"{failed} failed", "$text-error"))] if failed else []
        self.summarise(*parts)

    def on_table_highlighted(self, message: Table.Highlighted) -> None:
        self._look_at(message.item)

    def on_table_chosen(self, message: Table.Chosen) -> None:
        self.arena.open_run(message.item.path)

    def _look_at(self, row: RunRow | None) -> None:
        moved = (row and row.path) != (self._row and self._row.path)
        self._row = row
        self.arena.run_dir = row.path if row else None
        self._draw()
        self.refresh_bindings()
        if moved:
            self.query_one("#preview", VerticalScroll).scroll_home(animate=False)
            self._more.refresh()

    def _show_preview(self, found: RunPreview | None) -> None:
        if found is not None:
            self._previews[found.path] = found
            self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        from arena.tui.widgets.run_preview import about

        pane, row = self.query_one("#preview", VerticalScroll), self._row
        pane.border_title = line(row.name) if row else ""
        width = pane.scrollable_content_region.width
        shown = about(row, self._previews.get(row.path), self.arena.clock(), width) if row else Content()
        if not (self._shown and shown and self._shown.is_same(shown)):
            self._shown = shown
            self.query_one("#about", Static).update(shown)

    # Doing

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in _NEEDS:
            return self._row is not None and self._row.status in _NEEDS[action]
        if action in _ANY:
            return self._row is not None
        return super().check_action(action, parameters)

    def action_stop(self) -> None:
        from arena.runs.control import stop_run

        row = self._chosen()
        self.arena.attempt(lambda: stop_run(row.path), lambda _: self._did(f"{row.name} will end politely."))

    def action_kill(self) -> None:
        from arena.runs.control import kill_run

        row = self._chosen()
        detail = "Its processes end at once. What was stored is kept; what came after the last checkpoint is not."
        self._ask("Kill", row, detail, lambda: kill_run(row.path), "killed")

    def action_resume(self) -> None:
        from arena.runs.control import resume_run

        row = self._chosen()
        self.arena.attempt(lambda: resume_run(row.path), lambda pid: self._did(f"{row.name} goes on as pid {pid}."))

    def action_delete(self) -> None:
        from arena.runs.control import delete_run

        row = self._chosen()
        detail = f"Its matches, figures, logs and checkpoints in {row.path} are gone for good."
        self._ask("Delete", row, detail, lambda: delete_run(row.path), "deleted")

    def action_rename(self) -> None:
        from arena.runs.control import rename_run
        from arena.tui.screens.confirm import AskScreen

        row = self._chosen()

        def rename(name: str | None) -> None:
            if name is not None and name != row.name:
                shown = one_line(name)
                self.arena.attempt(lambda: rename_run(row.path, name), lambda _: self._did(f"Renamed to {shown}."))

        self.app.push_screen(AskScreen("Name of the run", row.name), rename)

    def action_new(self) -> None:
        self.arena.open_launch()

    def action_live(self) -> None:
        self.arena.open_match(self._chosen().path)

    def action_play(self) -> None:
        self.arena.open_play(self._spec())

    def action_tournament(self) -> None:
        spec = self._spec()
        self.arena.open_tournament(players=(spec,) if spec else ())

    def action_copy_id(self) -> None:
        row = self._chosen()
        self.arena.copy(row.id, f"the id {one_line(row.id)}")

    @property
    def _table(self) -> Table[RunRow]:
        return self.query_one("#runs", Table)

    def _chosen(self) -> RunRow:
        assert self._row is not None
        return self._row

    def _spec(self) -> str:
        """How the run under the cursor is called as a player; empty where it is none."""
        row = self._row
        if row is None or not row.training:
            return ""
        return f"ckpt:{row.path.name if row.path.parent == self.arena.root else row.path}"

    def _ask(self, verb: str, row: RunRow, detail: str, work: object, done: str) -> None:
        from arena.tui.screens.confirm import ConfirmScreen

        def answered(yes: bool | None) -> None:
            if yes and callable(work):
                self.arena.attempt(work, lambda _: self._did(f"{row.name}: {done}."))

        self.app.push_screen(ConfirmScreen(verb, row.name, detail, verb), answered)

    def _did(self, text: str) -> None:
        self.arena.say(text)
        self._list.refresh()


def progress(row: RunRow) -> Content:
    """A bar and a share, or a plain number where the end is unknown."""
    if row.share is None:
        return join(count(row.done, row.unit)) if row.done else EMPTY
    if not row.running:
        return join((f"{row.done}/{row.total}", "$foreground-muted" if row.status == "finished" else ""))
    return join((bar(row.share, 8), "$text-success"), f" {row.share:>4.0%}")


def score(row: RunRow) -> Content:
    """The headline: a training's score with its course, a tournament's leader, a match's winner."""
    if (course := row.headline) is not None:
        shown = figure(course.last, course.low, course.high)
        return join(f"{shown:<9}", (sparkline(course.values, 7), "$text-primary"))
    if row.leader is not None:
        return line(row.leader.player)
    return line(row.result) if row.result else EMPTY


def _left(row: RunRow) -> Content:
    return EMPTY if row.seconds_left is None else join(duration(row.seconds_left))


def _first_steps() -> Content:
    return join(
        ("No runs yet.\n\n", "bold"),
        "Press ", ("n", "bold $footer-key-foreground"), " to train the bundled model, about five minutes,\n",
        "or ", ("p", "bold $footer-key-foreground"), " to play against it.",
    )  # fmt: skip
