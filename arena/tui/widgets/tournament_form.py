"""The form of a new tournament: who, in which games, how many pairs; and how long that would take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Button, Input, Static

from arena.core.errors import ArenaError
from arena.tui.collect.entrants import Checked, Choice, Draft, Offer, check, default_games, read_offer, start
from arena.tui.collect.paces import estimate
from arena.tui.format import count, duration
from arena.tui.poll import reason
from arena.tui.text import join, line
from arena.tui.widgets.form_fields import ChoiceField
from arena.tui.widgets.match_fields import MatchFields
from arena.tui.widgets.spec_line import go_on
from arena.tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from arena.tui.app import ArenaApp

_CHOSEN, _OPEN, _BEGINS = "■", "□", "+"


@dataclass(frozen=True, slots=True)
class Option:
    """A line to choose."""

    choice: Choice
    chosen: bool


class Choices(Table[Option]):
    """A table of what can be chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,enter", "choose", "choose", key_display="space", id="table.open", tooltip="Choose it, or not."),
    ]


def _with_given(given: Iterable[str], choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """The choices, before them those that were asked for and are not among them."""
    listed = {choice.spec for choice in choices}
    return (*(Choice(spec, "as given") for spec in given if spec not in listed), *choices)


class TournamentForm(Container):
    """Says by `Started` where the run is that it started."""

    HELP = (
        "Space or enter chooses what is under the cursor. Further players and games are written by hand, separated by "
        "spaces, with options behind a ?, such as ckpt:tiny?temperature=0.5 or kuhn_poker?hands=1&payoff=chips; "
        "RUN@every:16 and RUN@all stand for checkpoints of a run, a .toml file for the players that it names, and its "
        "games where none is chosen here. A line with + begins the spec of a player behind an API, and you name its "
        "model; its key is taken from the environment, never from here. Fields for an SPRT (two players in one "
        "game), openings (games without chance and hidden information) and ground truth (API players in solved games) "
        "appear below the numbers where they make sense."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "start", id="tournament.start", tooltip="Start it; it runs on by itself."),
        Binding(
            "space", "choose", "choose", id="tournament.choose", tooltip="Choose what is under the cursor, or not."
        ),
        Binding("a", "steps", "all steps", id="tournament.all_steps", tooltip="Show every checkpoint of every run."),
    ]
    CHECK_SECONDS: ClassVar[float] = 0.2

    class Started(Message):
        """A run was started."""

        def __init__(self, run_dir: Path) -> None:
            super().__init__()
            self.run_dir = run_dir

    def __init__(self, players: Sequence[str] = (), games: Sequence[str] = ()) -> None:
        super().__init__(id="form")
        self._players: dict[str, None] = dict.fromkeys(
            [*(players or ("ckpt:tiny",)), *(() if players[1:] else ("random",))]
        )
        self._games: dict[str, None] = dict.fromkeys(games or default_games())
        self._offer: Offer | None = None
        self._checked = Checked()
        self._all_steps = False
        self._starting = False
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="players-pane", classes="section form-pane") as pane:
            pane.border_title = "Players"
            yield Choices(_columns("player", 20), lambda it: it.choice.spec, id="players")
            yield Static("", id="players-hint", classes="field-hint")
            yield Input(placeholder="or: hf:PATH RUN@every:16 FILE.toml", id="more_players")
            yield Static("", id="players-error", classes="field-error")
        with Vertical(id="games-pane", classes="section form-pane") as pane:
            pane.border_title = "Games"
            yield Choices(_columns("game", 19), lambda it: it.choice.spec, id="games")
            yield Static("", id="games-hint", classes="field-hint")
            yield Input(placeholder=_games_hint(""), id="more_games")
            yield Static("", id="games-error", classes="field-error")
        with VerticalScroll(id="numbers-pane", classes="section form-pane", can_focus=False) as pane:
            pane.border_title = "Matches"
            yield MatchFields(id="fields")
            with Container(id="go"):
                yield Static("", id="total")
                yield Button(Content("Start  ^s"), id="start", variant="primary")

    def on_mount(self) -> None:
        self._table("players").focus()
        arena = cast("ArenaApp", self.app)
        arena.attempt(lambda: read_offer(arena.root), self._show_offer)

    def _show_offer(self, offer: Offer) -> None:
        if not self.is_mounted:
            return
        if offer.problem:
            cast("ArenaApp", self.app).say(offer.problem, "error")
        self._offer = replace(
            offer, players=_with_given(self._players, offer.players), games=_with_given(self._games, offer.games)
        )
        if offer.syntax:
            self.query_one("#games-pane").border_subtitle = join("also ", line(" ".join(offer.syntax)))
        self._draw()
        self._check()

    def _draw(self) -> None:
        if self._offer is None:
            return
        players = [it for it in self._offer.players if self._all_steps or not it.older or it.spec in self._players]
        self._table("players").set_items(_options(players, self._players))
        self._table("games").set_items(_options(self._offer.games, self._games))

    def _table(self, name: str) -> Choices:
        return self.query_one(f"#{name}", Choices)

    # Choosing

    def on_table_highlighted(self, message: Table.Highlighted) -> None:
        message.stop()
        choice = message.item.choice if message.item else None
        hint = line(choice.about, "$foreground-muted", 300) if choice else ""
        self.query_one(f"#{message.table.id}-hint", Static).update(hint)

    def on_table_chosen(self, message: Table.Chosen) -> None:
        message.stop()
        self._toggle(message.table, message.item)

    def _toggle(self, table: Table[Option], option: Option) -> None:
        chosen = self._players if table.id == "players" else self._games
        if option.choice.begins:
            self._begin(option.choice)
            return
        if option.chosen:
            chosen.pop(option.choice.spec, None)
        else:
            chosen[option.choice.spec] = None
        self._draw()
        self._changed()

    def _begin(self, choice: Choice) -> None:
        """Let the user go on with the spec by hand."""
        written = self.query_one("#more_players", Input)
        more = "" if written.value.endswith(choice.begins) else f" {choice.begins}"
        go_on(written, f"{written.value.rstrip()}{more}".lstrip())

    def action_steps(self) -> None:
        self._all_steps = not self._all_steps
        self._draw()

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()
        self._changed()

    def on_choice_field_changed(self, message: ChoiceField.Changed) -> None:
        message.stop()
        self._changed()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.screen.focus_next()

    # Checking

    def _changed(self) -> None:
        self._make_room()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(self.CHECK_SECONDS, self._check)

    def _make_room(self) -> None:
        self.set_class(self._fields.extra_rows > 1, "-tall")

    def _draft(self) -> Draft:
        texts = {name: self.query_one(f"#{name}", Input).value for name in ("more_players", "more_games")}
        offered = self._offer.players if self._offer else ()
        players = [choice.spec for choice in offered if choice.spec in self._players]
        games = [choice.spec for choice in (self._offer.games if self._offer else ()) if choice.spec in self._games]
        return Draft(players=tuple(players), games=tuple(games), **texts, **self._fields.texts)

    @property
    def _fields(self) -> MatchFields:
        return self.query_one(MatchFields)

    def _check(self) -> None:
        """In a thread, since a game of others may have much to import; the last draft wins."""
        draft = self._draft()

        def work() -> None:
            checked = check(draft)
            self.app.call_from_thread(self._show_checked, draft, checked)

        self.run_worker(work, thread=True, group="check", exit_on_error=False)

    def _show_checked(self, draft: Draft, checked: Checked) -> None:
        if not self.is_mounted or draft != self._draft():
            return
        self._checked = checked
        self._fields.suggest(checked.usual, checked.fits, bool(checked.apis))
        self._make_room()
        self.query_one("#more_games", Input).placeholder = _games_hint(checked.usual["more_games"])
        self._show_errors(checked.errors)
        self.query_one("#total", Static).update(self._total(checked))

    def _show_errors(self, errors: dict[str, str]) -> None:
        self._fields.show_errors(errors)
        for name in ("players", "games"):
            shown = self.query_one(f"#{name}-error", Static)
            shown.update(line(f"✗ {errors[name]}", limit=300) if name in errors else "")
            shown.display = name in errors
        self.query_one("#start", Button).disabled = bool(errors) or self._starting

    def _total(self, checked: Checked) -> Content:
        if checked.matches is None:
            return join(("Not complete yet.", "$foreground-muted"))
        data = checked.data
        most = "at most " if "sprt" in data else ""
        parts: list[Any] = [join((f"{most}{count(checked.matches, 'match')}", "bold"))]
        parts.append(f"{count(len(data['players']), 'player')}, {count(len(data['games']), 'game')}")
        if checked.apis and not {"max_cost", "max_tokens"} & set(data):
            parts.append(join(("⚠ no limit is set", "$text-warning")))
        if "ground_truth" in data:
            parts.append(join(("⚠ thousands of requests", "$text-warning")))
        found = estimate(self._offer.pasts if self._offer else (), data, checked.matches)
        if found is None:
            parts.append(join(("time unknown: no finished tournament of such players yet", "$foreground-muted")))
        else:
            alike = "of the same games" if found.same_games else "of such players"
            parts.append(f"{most or 'about '}{duration(found.seconds)}")
            parts.append(join((f"as {count(found.runs, 'past tournament')} {alike}", "$foreground-muted")))
        return join(*parts, between="\n")

    # Starting

    def on_button_pressed(self, message: Button.Pressed) -> None:
        message.stop()
        self.action_start()

    def action_start(self) -> None:
        checked = check(self._draft())
        if checked.errors or self._starting:
            self._show_errors(checked.errors)
            return
        self._starting = True
        self.query_one("#start", Button).disabled = True

        def work() -> None:
            try:
                run_dir = start(checked.data)
            except ArenaError as error:
                self.app.call_from_thread(self._refused, error)
            else:
                self.app.call_from_thread(self.post_message, self.Started(run_dir))

        self.run_worker(work, thread=True, group="start", exit_on_error=False)

    def _refused(self, error: ArenaError) -> None:
        self._starting = False
        if not self.is_mounted:
            return
        self._show_errors({"players": reason(error)})
        self.query_one("#start", Button).disabled = False


def _games_hint(filed: str) -> str:
    """What the line of further games says while it is empty; `filed` are those of a players file that count."""
    return line(f"of the file: {filed}", limit=100).plain if filed else "or: kuhn_poker?hands=1"


def _columns(title: str, width: int) -> list[Column[Option]]:
    return [
        Column("", 1, _box),
        Column(title, width, _spec, grow=True),
        Column("about", 10, lambda it: line(it.choice.about, "$foreground-muted"), grow=True, rank=1),
    ]


def _box(option: Option) -> Content:
    if option.choice.begins:
        return join((_BEGINS, "$text-accent" if option.choice.ready else "$foreground-muted"))
    return join((_CHOSEN, "$text-success") if option.chosen else (_OPEN, "$foreground-muted"))


def _spec(option: Option) -> Content:
    return line(option.choice.spec, "bold" if option.chosen else "" if option.choice.ready else "$foreground-muted")


def _options(choices: Iterable[Choice], chosen: dict[str, None]) -> list[Option]:
    return [Option(choice, choice.spec in chosen) for choice in choices]
