"""Screen 4: a human takes a seat. Without a run the form of a new match, with one the match as it goes.

The match is a job of its own: what is shown is its `ask`, and what the human wants is written to its control.db.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from arena.tui.format import short_names
from arena.tui.screens.base import ArenaScreen

if TYPE_CHECKING:
    from arena.runs.requests import RequestStore
    from arena.runs.rows import AskRow
    from arena.tui.collect.play import Play, PlayReader
    from arena.tui.widgets.play_form import PlayForm
    from arena.tui.widgets.play_table import PlayTable, Sight


class PlayScreen(ArenaScreen):
    """The form of a match, or its table."""

    PLACE = "play"
    CSS_PATH = "play.tcss"
    HELP = (
        "You against any player. The match is a process of its own: when you leave it waits for you, and opening it in "
        "the list of runs brings you back to the table. The opponent's thoughts are hidden until the end; t shows them "
        "before where they can tell no secret."
    )
    POLL_SECONDS = 0.1
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "resume", "resume", id="play.resume", tooltip="Start the match's job again, where it got to."),
        Binding("v", "replay", "replay", id="play.replay", tooltip="Go through the match move by move."),
        Binding("n", "again", "again", id="play.again", tooltip="Another match like this, with another seed."),
        Binding("S", "swap", "swap seats", id="play.swap", tooltip="Another match like this from the other seat."),
        Binding("u,ctrl+z", "undo", "undo", id="play.undo", tooltip="Take back your last move."),
        Binding("t,f3", "thoughts", "thoughts", id="play.thoughts", tooltip="Show what the opponent thought."),
        Binding("i,f2", "rules", "rules", id="play.rules", tooltip="The rules, and how an answer is written."),
        Binding("X,f8", "resign", "resign", id="play.resign", tooltip="Give up; asks first."),
        Binding("s,f9", "stop", "stop", id="play.stop", tooltip="End the match's job politely; it can be resumed."),
        Binding("o", "other", "other match", id="play.other", tooltip="The form of another match."),
        Binding("escape", "leave", "back", key_display="esc", id="screen.back", tooltip="Leave; the match waits."),
    ]

    def __init__(self, player: str = "", game: str = "", run_dir: Path | None = None, seat: int = 0) -> None:
        super().__init__()
        self._wish = (player, game, seat)
        self._run_dir = run_dir
        self._reader: PlayReader | None = None
        self._play: Play | None = None
        self._sent: int | None = None
        """The request that the job has not dealt with yet."""
        self._writing = False
        self._thoughts = False
        self._refused = ""
        self._going: tuple[object, float] = (None, 0.0)
        """What goes on, and since which of the app's ticks."""

    def body(self) -> ComposeResult:
        if self._run_dir is None:
            from arena.tui.widgets.play_form import PlayForm

            yield PlayForm(*self._wish)
        else:
            from arena.tui.widgets.play_table import PlayTable

            yield PlayTable()

    def on_mount(self) -> None:
        if self._run_dir is None:
            self.summarise("a new match")
            return
        self._poll = self.poll(self._collect, self._take)
        self.set_interval(1.0, self._say)

    def _collect(self) -> Play:
        from arena.tui.collect.play import PlayReader

        assert self._run_dir is not None
        if self._reader is None:
            self._reader = PlayReader(self._run_dir)
        return self._reader.read()

    # Showing

    def _take(self, play: Play) -> None:
        """The match as it was just read."""
        before, self._play = self._play, play
        sent = self._sent
        if sent is not None and (not play.going or (play.ask is not None and play.ask.seen >= sent)):
            self._sent = None
        if play == before and sent == self._sent:
            return
        if before is not None and before.ask is not None and play.ask is not None:
            self._notice(before.ask, play.ask)
        self._draw()

    def _notice(self, before: AskRow, ask: AskRow) -> None:
        """What a change means for the table."""
        if ask.number != before.number:
            self._refused = ""
        if ask.undos > before.undos:
            self.arena.say("Taken back.")
        if before.status == "move" and (ask.turn, ask.status) != (before.turn, before.status):
            self._table.accept()

    def _draw(self) -> None:
        if (sight := self._sight) is None:
            return
        from arena.tui.widgets.play_table import describe

        self._table.show(sight)
        self._say()
        self.summarise(*describe(sight))
        self.refresh_bindings()

    def _say(self) -> None:
        if (sight := self._sight) is not None:
            self._table.say(sight, self._elapsed(sight.play))

    @property
    def _sight(self) -> Sight | None:
        if (play := self._play) is None:
            return None
        from arena.tui.widgets.play_table import Sight

        names = short_names(play.config.opponents)
        return Sight(play, names, self._busy, self._thoughts, self._refused)

    def _elapsed(self, play: Play) -> float:
        """Seconds since what goes on began: what the clock says at first, and from then on what has gone by."""
        now, ask = self.arena.ticks(), play.ask
        going = (play.phase, ask.turn if ask is not None else None)
        if self._going[0] != going:
            before = self.arena.clock() - ask.at if ask is not None and play.phase == "wait" else 0.0
            self._going = (going, now - max(before, 0.0))
        return now - self._going[1]

    @property
    def _busy(self) -> bool:
        return self._writing or self._sent is not None

    @property
    def _table(self) -> PlayTable:
        from arena.tui.widgets.play_table import PlayTable

        return self.query_one(PlayTable)

    # Answering

    def on_play_table_answered(self, message: PlayTable.Answered) -> None:
        play = self._play
        if play is None or play.ask is None or play.phase != "move" or self._busy:
            return
        ask, text = play.ask, message.text
        self._send(lambda requests: requests.move(ask.seat, ask.turn, ask.attempt, text))

    def on_play_table_refused(self, message: PlayTable.Refused) -> None:
        self._refused = message.words
        self._say()

    def _send(self, write: Callable[[RequestStore], int]) -> None:
        from arena.tui.collect.play import send

        run_dir = self._chosen()
        self._writing, self._refused = True, ""
        self._draw()

        def work() -> None:
            number = None
            try:
                number = send(run_dir, write)
            finally:
                self.app.call_from_thread(self._wrote, number)

        self.arena.attempt(work)

    def _wrote(self, number: int | None) -> None:
        """The request is written, under this number, or could not be."""
        self._writing = False
        self._sent = number
        if self.is_mounted:
            self._draw()
            self._poll.refresh()

    # Doing

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        play = self._play
        match action:
            case "undo":
                return play is not None and play.going and play.ask is not None and play.ask.undo and not self._busy
            case "resign":
                return play is not None and play.phase in ("move", "wait") and not self._busy
            case "rules":
                return play is not None and play.ask is not None
            case "thoughts":
                return play is not None and play.ask is not None and not play.over
            case "stop":
                return play is not None and play.going
            case "resume":
                return play is not None and play.phase in ("stopped", "failed", "dead")
            case "replay":
                return play is not None and play.match is not None
            case "again" | "other":
                return play is not None and not play.going
            case "swap":
                return play is not None and not play.going and play.alone
        return super().check_action(action, parameters)

    def action_undo(self) -> None:
        ask = self._asked()
        self._send(lambda requests: requests.undo(ask.seat, ask.turn))

    def action_resign(self) -> None:
        from arena.tui.screens.confirm import ConfirmScreen

        play, ask = self._shown(), self._asked()

        def answered(yes: bool | None) -> None:
            if yes and self._play is not None and self._play.going and not self._busy:
                self._send(lambda requests: requests.resign(ask.seat))

        question = ConfirmScreen("Resign", play.title, "The match ends, and it counts as lost.", "Resign")
        self.app.push_screen(question, answered)

    def action_thoughts(self) -> None:
        if self._shown().secret:
            self.arena.say("Thoughts may give away what is hidden from you: wait for the end.")
            return
        self._thoughts = not self._thoughts
        self._draw()

    def action_rules(self) -> None:
        from arena.tui.screens.rules import RulesScreen

        self.app.push_screen(RulesScreen(self._shown().title, self._asked().rules))

    def action_stop(self) -> None:
        from arena.runs.control import stop_run

        run_dir = self._chosen()
        self.arena.attempt(lambda: stop_run(run_dir), lambda _: self._poll.refresh())

    def action_resume(self) -> None:
        from arena.tui.collect.play import resume

        run_dir = self._chosen()
        self.arena.attempt(lambda: resume(run_dir), lambda _: self._poll.refresh())

    def action_replay(self) -> None:
        match = self._shown().match
        assert match is not None
        self.arena.open_match(self._chosen(), match.id)

    def action_again(self) -> None:
        self._new_match(self._shown().config.players)

    def action_swap(self) -> None:
        first, second = self._shown().config.players
        self._new_match((second, first))

    def _new_match(self, players: tuple[str, str]) -> None:
        from arena.tui.collect.play import start

        game = self._shown().config.game
        self.arena.attempt(lambda: start(game, players, None), self._sit_down)

    def action_other(self) -> None:
        play = self._shown()
        player = play.config.opponents[0] if play.alone else play.config.players[1]
        self.app.switch_screen(PlayScreen(player, play.config.game, seat=play.config.humans[0]))

    async def action_leave(self) -> None:
        if self._play is not None and self._play.going:
            self.arena.say("The match waits for you: open it in the list of runs. s there stops it.")
        await self.arena.action_back()

    def on_play_form_started(self, message: PlayForm.Started) -> None:
        self._sit_down(message.run_dir)

    def _sit_down(self, run_dir: Path) -> None:
        self.arena.run_dir = run_dir
        if self.is_current:
            self.app.switch_screen(PlayScreen(run_dir=run_dir))
        else:
            self.arena.say(f"The match has begun: {run_dir.name} in the list of runs.")

    def _chosen(self) -> Path:
        assert self._run_dir is not None
        return self._run_dir

    def _shown(self) -> Play:
        assert self._play is not None
        return self._play

    def _asked(self) -> AskRow:
        ask = self._shown().ask
        assert ask is not None
        return ask
