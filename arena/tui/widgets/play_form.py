"""The form of a match with a human: which game, against whom, from which seat."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast
from urllib.parse import urlencode

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Input, Static

from arena.config.play import HUMAN
from arena.core.errors import ArenaError, UsageError
from arena.core.game import GameInfo
from arena.core.registry import split_spec
from arena.tui.collect.apis import is_api
from arena.tui.collect.limits import read_limits
from arena.tui.collect.play import BUNDLED, Choices, Opponent, choices, start
from arena.tui.poll import reason
from arena.tui.text import join, line
from arena.tui.theme import LOADING
from arena.tui.widgets.limit_fields import LimitFields
from arena.tui.widgets.pick_one import PickOne
from arena.tui.widgets.spec_line import SpecLine, go_on
from arena.tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from arena.tui.app import ArenaApp

_OPTIONS = 3
"""Options of a variant that have a line in the form; others are written in the spec."""
_EITHER = 2


class GameList(Table[GameInfo]):
    """The games; enter goes on, to the opponents unless one is given."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "choose", key_display="↵", id="game.choose", tooltip="This game; go on."),
    ]


class OpponentList(Table[Opponent]):
    """The opponents; enter starts."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "play", key_display="↵", id="opponent.choose", tooltip="Play against this one."),
    ]


class PlayForm(Container):
    """Says by `Started` where the run of the match is."""

    HELP = (
        "Choose a game and an opponent; enter goes on, and starts in the end. The lines below take any spec by hand, "
        "such as ckpt:RUN@40, scripted?skill=0.9 or kuhn_poker?hands=1&payoff=chips."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "play", id="play.start", tooltip="Start the match."),
    ]

    class Started(Message):
        """A match was started."""

        def __init__(self, run_dir: Path) -> None:
            super().__init__()
            self.run_dir = run_dir

    def __init__(self, player: str = "", game: str = "", seat: int = 0) -> None:
        super().__init__(id="form")
        self._player, self._game, self._seat = player, game, seat
        self._choices: Choices | None = None
        self._starting = False
        self._error = ""

    def compose(self) -> ComposeResult:
        games: list[Column[GameInfo]] = [
            Column("game", 12, lambda game: line(game.title), grow=True),
            Column("", 9, lambda game: join(("self-play" if game.trained else "OOD", "$foreground-muted")), rank=1),
        ]
        opponents: list[Column[Opponent]] = [
            Column("player", 14, lambda one: line(one.spec, "" if one.ready else "$foreground-muted"), grow=True),
            Column("", 16, lambda one: line(one.about, "$foreground-muted"), grow=True, rank=1),
        ]
        with Horizontal(id="lists"):
            with Vertical(id="games-pane", classes="section") as pane:
                pane.border_title = "Game"
                yield GameList(games, lambda game: game.id, id="games")
            with Vertical(id="opponents-pane", classes="section") as pane:
                pane.border_title, pane.border_subtitle = "Against", LOADING
                yield OpponentList(opponents, lambda one: one.spec, id="opponents")
        with VerticalScroll(id="match-pane", classes="section", can_focus=False) as pane:
            pane.border_title = "Match"
            yield SpecLine("game", self._game, id="game")
            yield SpecLine("against", self._player, id="player")
            for number in range(_OPTIONS):
                yield PickOne("", id=f"option-{number}")
            yield PickOne("you are", ("first", "second", "either"), id="seat")
            yield SpecLine("seed", "", id="seed", placeholder="another each time")
            yield LimitFields(id="limits")
            with Horizontal(id="go"):
                yield Button(Content("Play  ^s"), id="start", variant="primary", compact=True)
                yield Static("", id="twin")

    def on_mount(self) -> None:
        self._offer_options()
        self.query_one("#games").focus()
        self._arena.attempt(lambda: choices(self._arena.root), self._show)

    @property
    def _arena(self) -> ArenaApp:
        return cast("ArenaApp", self.app)

    def _show(self, found: Choices) -> None:
        if not self.is_mounted:
            return
        self._choices = found
        self.query_one("#opponents-pane").border_subtitle = ""
        self._table("games").set_items(found.games)
        if found.syntax:
            self.query_one("#games-pane").border_subtitle = join("also ", line(" ".join(found.syntax)))
        game = self._game or (found.games[0].id if found.games else "")
        if not self._game and any(info.id == "tictactoe" for info in found.games):
            game = "tictactoe"
        self._line("game").value = game
        self._table("games").move_to(_head(game))
        player = self._player or (found.opponents[0].spec if found.opponents else BUNDLED)
        self._fill_opponents()
        self._line("player").value = player
        self._table("opponents").move_to(player)
        self._offer_options()
        self._offer_limits()
        if self._game:
            self.query_one("#start" if self._player else "#opponents").focus()

    def _table(self, name: str) -> Table[GameInfo | Opponent]:
        return self.query_one(f"#{name}", Table)

    def _line(self, name: str) -> SpecLine:
        return self.query_one(f"#{name}", SpecLine)

    @property
    def _info(self) -> GameInfo | None:
        """Of the game that stands in its line, where it is one of ours."""
        head = _head(self._line("game").value)
        return next((game for game in self._choices.games if game.id == head), None) if self._choices else None

    def _fill_opponents(self) -> None:
        if self._choices is not None:
            listed = self._choices.against(self._info)
            given = self._player
            mine = () if not given or any(one.spec == given for one in listed) else (Opponent(given, "as given"),)
            self._table("opponents").set_items((*mine, *listed))

    # Choosing

    def on_table_highlighted(self, message: Table.Highlighted) -> None:
        message.stop()
        if message.item is None or message.item != message.table.current or not message.table.has_focus:
            return
        if message.table.id == "opponents":
            self._line("player").value = message.item.begins or message.item.spec
        elif _head(self._line("game").value) != message.item.id:
            self._line("game").value = message.item.id

    def on_table_chosen(self, message: Table.Chosen) -> None:
        message.stop()
        if message.table.id == "games" and not self._player:
            self.query_one("#opponents").focus()
        elif message.table.id == "opponents" and message.item.begins:
            go_on(self._line("player").query_one(Input), message.item.begins)
        else:
            self.action_start()

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()
        if message.input.id == "game-input":
            self._fill_opponents()
            self._offer_options()
        if message.input.id == "player-input":
            self._offer_limits()
        self._fail("")
        self._show_twin()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.action_start()

    def on_pick_one_changed(self, message: PickOne.Changed) -> None:
        message.stop()
        info = self._info
        if info is not None and message.field.id != "seat":
            chosen = self._variant(info)
            for number, (name, values) in enumerate([*info.variants.items()][:_OPTIONS]):
                chosen[name] = values[self.query_one(f"#option-{number}", PickOne).index]
            changed = [name for name, values in info.variants.items() if chosen.get(name, values[0]) != values[0]]
            query = urlencode({name: _written(chosen[name]) for name in changed})
            self._line("game").value = f"{info.id}?{query}" if query else info.id
        self._show_twin()

    def _variant(self, info: GameInfo) -> dict[str, str | int | float | bool]:
        """The options that stand in the game's line, where the game has them."""
        try:
            _, variant = split_spec(self._line("game").value)
        except ArenaError:
            return {}
        return {name: value for name, value in variant.items() if value in info.variants.get(name, ())}

    def _offer_options(self) -> None:
        """A line for each option of the game, as its spec has it, and its roles."""
        info = self._info
        variants = [*info.variants.items()][:_OPTIONS] if info is not None else []
        variant = self._variant(info) if info is not None else {}
        for number in range(_OPTIONS):
            field = self.query_one(f"#option-{number}", PickOne)
            field.display = number < len(variants)
            if field.display:
                name, values = variants[number]
                field.offer(name, [_written(value) for value in values], [*values].index(variant.get(name, values[0])))
        seat = self.query_one("#seat", PickOne)
        roles = ("first", "second") if info is None else _seats(info.roles)
        seat.offer("you are", [*roles, "either"], seat.index if self._choices else self._seat)

    def _offer_limits(self) -> None:
        """Once the backends are known: to import them takes a while."""
        if self._choices is not None:
            self.query_one(LimitFields).display = is_api(self._line("player").value.strip())

    def _show_twin(self) -> None:
        """What the command line would have."""
        game, player = self._line("game").value.strip(), self._line("player").value.strip()
        seat = self.query_one("#seat", PickOne).index
        words = ["play", game, "--against", player, *(["--seat", "1"] if seat == 1 else [])]
        seed = self._line("seed").value.strip()
        words += ["--seed", seed] if seed else []
        for name, text in self.query_one(LimitFields).texts.items():
            words += [f"--{name.replace('_', '-')}", text.strip()] if text.strip() else []
        shown = "spiral-arena " + " ".join(shlex.quote(word) for word in words)
        twin = self.query_one("#twin", Static)
        failed = line(f"✗ {self._error}", "$text-error", 400)
        twin.update(failed if self._error else line(shown, "$foreground-muted", 300))

    # Starting

    def on_button_pressed(self, message: Button.Pressed) -> None:
        message.stop()
        self.action_start()

    def action_start(self) -> None:
        if self._starting:
            return
        import secrets

        game, player, seed = (self._line(name).value.strip() for name in ("game", "player", "seed"))
        index = self.query_one("#seat", PickOne).index
        seat = secrets.randbelow(2) if index == _EITHER else index
        if seed and not seed.removeprefix("-").isdecimal():
            self._fail("The seed is a whole number.")
            return
        if not game or not player:
            self._fail("A match needs a game and an opponent.")
            return
        players = (HUMAN, player) if seat == 0 else (player, HUMAN)
        texts = self.query_one(LimitFields).texts
        self._busy(True)

        def work() -> None:
            try:
                limits, wrong = read_limits(texts, players)
                self.app.call_from_thread(self.query_one(LimitFields).show_errors, wrong)
                if wrong:
                    raise UsageError("See the limits.")
                run_dir = start(game, players, int(seed) if seed else None, limits)
            except Exception as error:
                self.app.call_from_thread(self._refused, error)
            else:
                self.app.call_from_thread(self.post_message, self.Started(run_dir))

        self.run_worker(work, thread=True, group="start", exit_on_error=False)

    def _busy(self, starting: bool) -> None:
        self._starting = starting
        # Not disabled: it would lose the focus.
        self.query_one("#start", Button).label = Content("Starting…" if starting else "Play  ^s")

    def _refused(self, error: Exception) -> None:
        if not isinstance(error, ArenaError):
            self._arena.note(error)
        self._busy(False)
        self._fail(reason(error))

    def _fail(self, words: str) -> None:
        self._error = words
        self._show_twin()


def _head(spec: str) -> str:
    return spec.strip().partition("?")[0]


def _written(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _seats(roles: tuple[str, str]) -> tuple[str, str]:
    """What the seats are called, and which begins."""
    if roles == ("First", "Second"):
        return ("first", "second")
    return (f"{roles[0]}, first", f"{roles[1]}, second")
