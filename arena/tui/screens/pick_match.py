"""Choose a match: of any run, those being played first, then the stored ones from the newest back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widgets import Input, Static

from arena.runs.matches import Search
from arena.tui.collect.matches import PAGE, Choice, MatchSource, Wanted, choices, more_choices, sources
from arena.tui.format import MINUS, count
from arena.tui.poll import reason
from arena.tui.text import join, line
from arena.tui.theme import EMPTY, LOADING, status
from arena.tui.widgets.match_words import short
from arena.tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from arena.tui.app import ArenaApp


@dataclass(frozen=True, slots=True)
class Picked:
    """The match, and the search that found it: next and previous stay within it."""

    wanted: Wanted
    search: Search


class PickScreen(ModalScreen["Picked | None"]):
    """Runs on the left, the matches of the one under the cursor on the right."""

    CSS_PATH = "live.tcss"
    HELP = (
        "Words in the search line are parts of a game's or a player's name; draw, forfeit, seat0 and seat1 (who won) "
        "stand for a result. All of them must fit."
    )
    SEARCH_SECONDS: ClassVar[float] = 0.15
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back", key_display="esc", id="pick.leave", tooltip="Back without choosing."),
        Binding("slash", "search", "search", key_display="/", id="pick.search", tooltip="Search for matches."),
        Binding("left,h", "side('sources')", "runs", show=False, id="pick.runs", tooltip="To the runs."),
        Binding("right", "side('choices')", "matches", show=False, id="pick.matches", tooltip="To the matches."),
    ]

    def __init__(self, root: Path, run_dir: Path | None, search: Search) -> None:
        super().__init__()
        self._root = root
        self._run_dir = run_dir.absolute() if run_dir else None
        self._search = search
        self._question: tuple[Path, Search] | None = None
        """What is listed, or being read."""
        self._asked = 0
        """Number of the last question: answers to earlier ones are late."""
        self._all_here = False
        self._reading = False
        self._wait: Timer | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="picker") as picker:
            picker.border_title = Content("Choose a match")
            picker.border_subtitle = Content("tab changes sides · / search · esc back")
            yield Input(" ".join(self._search.words), placeholder="search: game, player, draw, forfeit, seat0, seat1")
            with Horizontal(id="found"):
                with Vertical(id="sources-pane", classes="section") as pane:
                    pane.border_title = Content("runs")
                    yield Table(_SOURCES, lambda source: str(source.path), id="sources")
                with Vertical(id="choices-pane", classes="section") as pane:
                    pane.border_title = Content("matches")
                    yield Table(_CHOICES, lambda choice: choice.key, id="choices")
            yield Static(LOADING, id="pick-note", classes="muted")

    def on_mount(self) -> None:
        self._arena.attempt(lambda: sources(self._root), self._show_sources)

    @property
    def _arena(self) -> ArenaApp:
        return cast("ArenaApp", self.app)

    @property
    def _sources(self) -> Table[MatchSource]:
        return self.query_one("#sources", Table)

    @property
    def _choices(self) -> Table[Choice]:
        return self.query_one("#choices", Table)

    def _show_sources(self, found: list[MatchSource]) -> None:
        if not self.is_mounted:
            return
        self._sources.set_items(found)
        wanted = next((one for one in found if one.path.absolute() == self._run_dir), None)
        best = wanted or max(found, key=lambda one: (one.featured > 0, one.stored > 0), default=None)
        if best is None:
            self._note("There are no runs yet.")
            return
        self._sources.move_to(str(best.path))
        (self._choices if best.stored or best.featured else self._sources).focus()
        self._read()

    def on_table_highlighted(self, message: Table.Highlighted) -> None:
        message.stop()
        if message.table is self._sources:
            self._read()
        elif len(self._choices.items) - self._place() < PAGE // 4:
            self._read_more()

    def on_table_chosen(self, message: Table.Chosen) -> None:
        message.stop()
        if isinstance(message.item, Choice):
            self.dismiss(Picked(message.item.wanted, self._search))
        else:
            self._choices.focus()

    def on_input_changed(self, message: Input.Changed) -> None:
        self._search = Search.parse(message.value)
        if self._wait is not None:
            self._wait.stop()
        self._wait = self.set_timer(self.SEARCH_SECONDS, self._read)

    def on_input_submitted(self) -> None:
        self._choices.focus()

    def _place(self) -> int:
        current = self._choices.current
        return self._choices.items.index(current) if current is not None else 0

    def _read(self) -> None:
        """The first page of the run under the cursor."""
        source = self._sources.current
        if source is None or self._question == (source.path, self._search):
            return
        self._question = (source.path, self._search)
        self._asked += 1
        asked, path, search = self._asked, source.path, self._search
        self._all_here = False

        async def read() -> None:
            import asyncio

            try:
                found = await asyncio.to_thread(choices, path, search)
            except Exception as error:
                self._show([], asked, f"{source.name} cannot be read: {reason(error)}")
            else:
                self._show(found, asked, "")

        self.run_worker(read(), group="pick", exit_on_error=False)

    def _read_more(self) -> None:
        source, items = self._sources.current, self._choices.items
        last = items[-1].wanted.match_id if items else None
        if source is None or last is None or self._all_here or self._reading:
            return
        self._reading = True
        asked, path, search, before = self._asked, source.path, self._search, list(items)

        def show(found: list[Choice]) -> None:
            self._reading = False
            if asked == self._asked and self.is_mounted:
                self._all_here = not found
                self._choices.set_items([*before, *found])
                self._tell(source)

        self._arena.attempt(lambda: more_choices(path, last, search), show)

    def _show(self, found: list[Choice], asked: int, problem: str) -> None:
        source = self._sources.current
        if asked != self._asked or not self.is_mounted or source is None:
            return
        self._all_here = len(found) < PAGE
        self._choices.set_items(found)
        self._choices.action_move_to(0)
        if problem:
            self._note(problem)
        else:
            self._tell(source)

    def _tell(self, source: MatchSource) -> None:
        shown = len(self._choices.items)
        if source.error:
            self._note(source.error)
        elif not shown:
            self._note("No match fits." if self._search.words else f"{source.name} has no matches yet.")
        else:
            more = "" if self._all_here else ", more as you go down"
            self._note(f"{source.name}: {count(source.stored, 'stored match')}; {shown} listed{more}.")

    def _note(self, text: str) -> None:
        self.query_one("#pick-note", Static).update(line(text, limit=600))

    def action_side(self, name: str) -> None:
        self.query_one(f"#{name}").focus()

    def action_search(self) -> None:
        self.query_one(Input).focus()

    def action_leave(self) -> None:
        if isinstance(self.focused, Input):
            self._choices.focus()
        else:
            self.dismiss(None)


def _stored(source: MatchSource) -> Content:
    shown = join((f"● {source.featured} ", "$text-success")) if source.featured else Content("")
    return join(shown, f"{source.stored}")


def _result(choice: Choice) -> Content:
    if choice.returns is None:
        return join(("● live", "$text-success")) if choice.live else join("ended")
    first, second = choice.returns
    word = "draw" if first == second else f"seat {0 if first > second else 1}"
    score = "" if {first, second} <= {1.0, 0.0, -1.0} else f" {max(first, second):+g}".replace("-", MINUS)
    return join(word, score, (" forfeit", "$text-error") if choice.forfeit else "")


_SOURCES: list[Column[MatchSource]] = [
    Column("run", 10, lambda source: line(source.name), grow=True),
    Column("state", 11, lambda source: status(source.status), rank=1),
    Column("matches", 11, _stored, right=True),
]
_CHOICES: list[Column[Choice]] = [
    Column("game", 12, lambda choice: line(choice.game), rank=1),
    Column("seat 0", 12, lambda choice: short(choice.seats[0], 18), grow=True),
    Column("seat 1", 12, lambda choice: short(choice.seats[1], 18), grow=True),
    Column("won by", 14, _result),
    Column("moves", 5, lambda choice: join(str(choice.turns)), right=True, rank=3),
    Column("step", 5, lambda choice: join(str(choice.step)) if choice.step else EMPTY, right=True, rank=4),
    Column("match", 7, lambda choice: join(str(choice.wanted.match_id or "")), right=True, rank=2),
]
