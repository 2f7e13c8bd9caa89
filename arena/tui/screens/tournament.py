"""Screen 5: players against each other. Without a run the form of a new tournament, with one its matrix as it grows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from arena.core.errors import UsageError
from arena.core.sanitise import one_line
from arena.tui.screens.base import ArenaScreen
from arena.tui.text import line

if TYPE_CHECKING:
    from arena.tui.collect.evaluation import Evaluation, ResultsReader
    from arena.tui.collect.spending import Spending
    from arena.tui.widgets.matrix import Matrix
    from arena.tui.widgets.tournament_form import TournamentForm
    from arena.tui.widgets.tournament_view import TournamentView

_RUN_ACTIONS = ("next_game", "order", "copy", "export", "stop", "resume", "compute", "new", "ledger")


class TournamentScreen(ArenaScreen):
    """The form of a tournament, or the standings and the matrix of a run of many matches."""

    PLACE = "tournament"
    CSS_PATH = "tournament.tcss"
    HELP = (
        "Everybody plays everybody, in pairs of matches with the same luck and swapped seats. A cell is the score of "
        "the line's player against the column's: wins and half the draws per match, or with a sign the mean return. "
        "Ratings are strengths in Elo-like points within a group of players that met, with 95 % intervals. "
        "● is a game that the player was trained on, ○ another training game."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "next_game(1)", "game", id="tournament.next_game", tooltip="The next game's matrix."),
        Binding("right_square_bracket", "next_game(1)", "next game", show=False, id="tournament.game_after"),
        Binding("left_square_bracket", "next_game(-1)", "game before", show=False, id="tournament.game_before"),
        Binding("s", "stop", "stop", id="tournament.stop", tooltip="Ask the job to finish politely."),
        Binding("r", "resume", "resume", id="tournament.resume", tooltip="Go on with what is not played yet."),
        Binding("u", "compute", "make result", id="tournament.make_result", tooltip="Let a job make result.json."),
        Binding("o", "order", "order", id="tournament.order", tooltip="Players by rating, or as they were given."),
        Binding("c", "copy", "copy", id="tournament.copy_matrix", tooltip="Copy the matrix as Markdown."),
        Binding("e", "export", "export", id="tournament.export", tooltip="Write Markdown, CSV, LaTeX or JSON."),
        Binding("b", "ledger", "ledger", id="tournament.ledger", tooltip="What API players spent, who was stopped."),
        Binding("n", "new", "new", id="tournament.new", tooltip="The form of a new one, with these players and games."),
    ]

    def __init__(self, run_dir: Path | None = None, players: Sequence[str] = (), games: Sequence[str] = ()) -> None:
        super().__init__()
        self._run_dir = run_dir
        self._players, self._games = tuple(players), tuple(games)
        self._reader: ResultsReader | None = None
        self._shown: Evaluation | None = None
        self._wanted: str | None = None
        """The game that the user chose to look at."""
        self._by_rating: bool | None = None
        self._computing = False
        self._spending: Spending | None = None

    def body(self) -> ComposeResult:
        if self._run_dir is None:
            from arena.tui.widgets.tournament_form import TournamentForm

            yield TournamentForm(self._players, self._games)
            return
        from arena.tui.widgets.tournament_view import TournamentView

        yield TournamentView()

    def on_mount(self) -> None:
        if self._run_dir is None:
            self.summarise("a new one")
            return
        self._poll = self.poll(self._collect, self._show)
        self.poll(self._collect_spending, self._show_spending)

    def _collect(self) -> Evaluation:
        from arena.tui.collect.evaluation import ResultsReader

        assert self._run_dir is not None
        if self._reader is None:
            self._reader = ResultsReader(self._run_dir)
        return self._reader.read()

    def _collect_spending(self) -> Spending:
        from arena.tui.collect.spending import read_spending

        assert self._run_dir is not None
        return read_spending(self._run_dir)

    # Showing

    def _show_spending(self, spending: Spending) -> None:
        if spending != self._spending:
            self._spending = spending
            self._view.show_spending(spending)
            self.refresh_bindings()

    def _show(self, shown: Evaluation) -> None:
        self._shown = shown
        views = shown.results.views
        if self._wanted not in views:
            self._wanted = None
        if self._by_rating is None:
            self._by_rating = shown.run.kind == "tournament"
        self.complain(shown.run.error or shown.problem)
        self.summarise(line(shown.run.name, limit=60), line(shown.run.kind))
        self._draw()
        self.refresh_bindings()

    def _draw(self) -> None:
        if self._shown is not None:
            self._view.show(self._shown, self._game, bool(self._by_rating), self._computing)

    @property
    def _game(self) -> str:
        """The game to look at; empty for all games together."""
        views = self._shown.results.views if self._shown else ()
        return self._wanted if self._wanted is not None else next(iter(views), "")

    def on_matrix_chosen(self, message: Matrix.Chosen) -> None:
        from arena.tui.screens.meeting import MeetingScreen

        if self._shown is None or self._run_dir is None or message.player == message.opponent:
            return
        results = self._shown.results
        games = (self._game,) if self._game else results.games
        met = self._view.matrix.grid.cells.get((message.player, message.opponent))
        self.app.push_screen(MeetingScreen(self._run_dir, games, message.player, message.opponent, met))

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)
        if self._spending is not None:
            self.call_after_refresh(self._view.show_spending, self._spending)

    # Doing

    @property
    def _view(self) -> TournamentView:
        from arena.tui.widgets.tournament_view import TournamentView

        return self.query_one(TournamentView)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action not in _RUN_ACTIONS:
            return super().check_action(action, parameters)
        if self._run_dir is None or (shown := self._shown) is None:
            return False
        match action:
            case "next_game":
                return len(shown.results.views) > 1
            case "stop":
                return shown.run.status == "running"
            case "resume":
                return shown.run.status in ("stopped", "failed", "dead")
            case "compute":
                return shown.missing and bool(shown.run.done) and not shown.run.running and not self._computing
            case "copy" | "export":
                return not shown.results.empty
            case "ledger":
                return self._spending is not None and bool(self._spending.accounts)
            case "order":
                return bool(shown.results.standings)
        return True

    def action_next_game(self, by: int) -> None:
        if self._shown and (views := self._shown.results.views):
            self._wanted = views[(views.index(self._game) + by) % len(views)]
            self._draw()

    def action_order(self) -> None:
        self._by_rating = not self._by_rating
        self._draw()
        self.arena.say("Players by rating." if self._by_rating else "Players as they were given.")

    def action_copy(self) -> None:
        from arena.tui.widgets.matrix_cells import to_markdown

        self.arena.copy(to_markdown(self._view.matrix.grid, self._game or "All games"), "the matrix")

    def action_ledger(self) -> None:
        from arena.tui.screens.ledger import LedgerScreen

        assert self._spending is not None
        self.app.push_screen(LedgerScreen(self._chosen(), self._spending))

    def action_new(self) -> None:
        if self._shown is None:
            self.arena.open_tournament()
        else:
            self.arena.open_tournament(players=self._shown.plan.players, games=self._shown.plan.games)

    def action_stop(self) -> None:
        from arena.runs.control import stop_run

        run_dir = self._chosen()
        self.arena.attempt(lambda: stop_run(run_dir), lambda _: self._did("It will end politely."))

    def action_resume(self) -> None:
        from arena.runs.control import resume_run

        run_dir = self._chosen()
        self.arena.attempt(lambda: resume_run(run_dir), lambda pid: self._did(f"It goes on as pid {pid}."))

    def action_compute(self) -> None:
        from arena.tui.collect.result_jobs import compute

        run_dir, shown = self._chosen(), self._shown
        assert shown is not None
        self._computing = True
        self._draw()
        self.refresh_bindings()

        def work() -> None:
            try:
                text = compute(run_dir, shown.run.status == "finished")
                if self._reader is not None:
                    self._reader.take(text)
            finally:
                self._computing = False
                self.app.call_from_thread(self._poll.refresh)

        self.arena.attempt(work)

    def action_export(self) -> None:
        from arena.tui.screens.confirm import AskScreen

        run_dir = self._chosen()
        question = "Export to which file? Its suffix says how: .md, .csv, .tex, .json or .html"
        self.app.push_screen(AskScreen(question, f"{run_dir.name}.md", 400), self._export)

    def _export(self, name: str | None) -> None:
        from arena.tui.collect.result_jobs import FORMATS, export
        from arena.tui.screens.confirm import ConfirmScreen

        if not name:
            return
        path, run_dir = Path(os.path.expanduser(name)), self._chosen()
        if path.suffix.lower() not in FORMATS:
            self.arena.report(UsageError(f"'{one_line(name, 60)}' has none of the suffixes {', '.join(FORMATS)}."))
            return

        def write() -> None:
            self.arena.attempt(lambda: export(run_dir, path), lambda _: self.arena.say(f"Written to {path}."))

        if not path.exists():
            write()
            return
        question = ConfirmScreen("Overwrite", str(path), "What is in it is gone then.", "Overwrite")
        self.app.push_screen(question, lambda yes: write() if yes else None)

    def on_tournament_form_started(self, message: TournamentForm.Started) -> None:
        self.arena.run_dir = message.run_dir
        self.app.switch_screen(TournamentScreen(message.run_dir))

    def _chosen(self) -> Path:
        assert self._run_dir is not None
        return self._run_dir

    def _did(self, text: str) -> None:
        self.arena.say(text)
        self._poll.refresh()
