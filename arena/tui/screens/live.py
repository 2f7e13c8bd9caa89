"""Screen 3: a match between two minds, while it is played or replayed; the keys move the viewer, never the job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widgets import Static

from arena.runs.matches import ANY
from arena.runs.rows import TurnRow
from arena.tui.poll import Poll, reason
from arena.tui.screens.base import ArenaScreen
from arena.tui.text import join, line
from arena.tui.theme import LOADING
from arena.tui.widgets import match_words as words
from arena.tui.widgets.ledger import LedgerLine
from arena.tui.widgets.match_view import MatchView
from arena.tui.widgets.moves import Moves
from arena.tui.widgets.thoughts import Thoughts

if TYPE_CHECKING:
    from arena.runs.verdicts import Judgement
    from arena.tui.collect.ground_truth import GroundTruth
    from arena.tui.collect.matches import Match, Seen, Wanted
    from arena.tui.collect.spending import Spending
    from arena.tui.screens.pick_match import Picked

_FREE = ("pick", "new")
"""Actions that need no match, of those that this screen has."""


class LiveScreen(ArenaScreen):
    """Watch what a run plays, or replay any stored match."""

    PLACE = "live"
    CSS_PATH = "live.tcss"
    AUTO_FOCUS = "#moves"
    POLL_SECONDS: ClassVar[float] = 0.5
    LINGER_SECONDS: ClassVar[float] = 4.0
    """How long the end of a followed match stays before the next one is followed."""
    HELP = (
        "A match as it is played, or any stored one again. Pausing, stepping and speed move what you see; the job goes "
        "on by itself. After a match that you follow comes the next one of its run, unless you paused; one that was "
        "over too soon is played again from its start, at your speed. "
        "Thoughts are those of each seat; the other seat never sees them."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "pause", key_display="␣", id="match.pause", tooltip="Rest here, or go on."),
        Binding("left", "step(-1)", "step", key_display="←/→", id="match.back", tooltip="One reply back."),
        Binding("right", "step(1)", "step", show=False, id="match.forward", tooltip="One reply further."),
        Binding("plus,equals_sign", "speed(1)", "speed", key_display="+/-", id="match.faster", tooltip="Play faster."),
        Binding("minus", "speed(-1)", "slower", show=False, id="match.slower", tooltip="Play slower."),
        Binding("r", "reverse", "backwards", show=False, id="match.backwards", tooltip="Play the other way."),
        Binding("home", "edge(False)", "start", show=False, id="match.start", tooltip="The first position."),
        Binding("end", "edge(True)", "end", show=False, id="match.end", tooltip="The last position."),
        Binding("l", "live", "live", id="match.live", tooltip="Follow what the run plays now."),
        Binding("t", "thoughts", "thoughts", id="match.thoughts", tooltip="Open or close all thoughts."),
        Binding("enter", "full", "full", key_display="↵", show=False, id="match.full", tooltip="This reply in full."),
        Binding("o", "pick", "other", id="match.other", tooltip="Choose another match, of any run."),
        Binding("n", "neighbour(True)", "next", key_display="n/N", id="match.next", tooltip="The next match."),
        Binding("N", "neighbour(False)", "previous", show=False, id="match.previous", tooltip="The match before."),
        Binding("m", "new", "new match", id="match.new", tooltip="Start a match of any two players and watch it."),
        Binding(
            "x", "swap", "other seat", show=False, id="match.seat", tooltip="In a narrow terminal: whose thoughts."
        ),
        Binding("b", "ledger", "ledger", show=False, id="match.ledger", tooltip="What the run's API players spent."),
        Binding("c", "copy", "copy", show=False, id="match.copy", tooltip="Copy the match as text."),
    ]

    def __init__(self, run_dir: Path | None = None, match_id: int | None = None) -> None:
        from arena.tui.collect.matches import Wanted

        super().__init__()
        self._wanted: Wanted = Wanted(run_dir, match_id)
        self._seen: Seen | None = None
        self._match: Match | None = None
        self._truth: GroundTruth | None = None
        self._judgement: Judgement | None = None
        self._search = ANY
        self._channel = match_id is None
        """Whether one match of the run is watched after the other: until somebody rests or goes back."""
        self._awaited = False
        """Whether the first moves of a match are waited for."""
        self._lingering: Timer | None = None

    def body(self) -> ComposeResult:
        self._view = MatchView(id="match")
        yield self._view
        yield LedgerLine(id="ledger")
        yield Static(LOADING, id="empty", classes="empty-state")

    def on_mount(self) -> None:
        self._show_match(False)
        self._looking = self.poll(self._collect, self._show)
        self._asking = self.poll(self._ask, self._show_judgement, 3600.0)
        self.poll(self._collect_spending, self.query_one(LedgerLine).show, 4 * self.POLL_SECONDS)

    def on_unmount(self) -> None:
        if self._truth is not None:
            self._truth.close()

    # Reading

    def _collect(self) -> Seen:
        from arena.tui.collect.matches import look

        return look(self._wanted, self.arena.root, self._match)

    def _collect_spending(self) -> Spending:
        from arena.tui.collect.spending import NOTHING, read_spending

        run_dir = self._seen.run_dir if self._seen is not None else self._wanted.run_dir
        return NOTHING if run_dir is None else read_spending(run_dir)

    def _ask(self) -> tuple[Match, Judgement | None] | None:
        from arena.tui.collect.ground_truth import GroundTruth

        match = self._match
        self._truth = self._truth or GroundTruth()
        return None if match is None else (match, self._truth.of(match))

    def on_poll_done(self, message: Poll.Done) -> None:
        super().on_poll_done(message)
        if message.error is not None and self._match is None:
            self.query_one("#empty", Static).update(line(reason(message.error), limit=600))

    # Showing

    def _show(self, seen: Seen) -> None:
        if seen.wanted != self._wanted:
            return
        match, before, playback = seen.match, self._match, self._view.playback
        was_live = playback.live
        self._seen, self._match = seen, match
        if match is None:
            self._show_nothing(seen)
            return
        self._wanted = replace(self._wanted, run_dir=match.run_dir, unit=match.unit)
        fresh = before is None or not before.same_as(match)
        live = match.id is None and (match.live or seen.running)
        if fresh:
            self._begin(match, live, self._awaited or self._on_channel)
        else:
            playback.grow(len(match.turns), live)
        if fresh or before is None or before.turns != match.turns:
            self._asking.refresh()
        if self._on_channel and not match.live and playback.mode != "play":
            self._linger()
        if fresh or before != match or was_live != live or self._view.channel != self._on_channel:
            self._draw(fresh)

    def _begin(self, match: Match, live: bool, watched: bool) -> None:
        self._view.playback.open(len(match.turns), live)
        if watched and not match.live:  # it was over before it could be followed
            self._view.move(self._view.playback.replay)
        self._awaited = False
        if self._judgement is not None:  # roles and title of the game last shown, until they are known
            known = self._judgement.game == match.game
            self._judgement = replace(self._judgement, verdicts=()) if known else None
        self.arena.run_dir = match.run_dir
        self._show_match(True)
        self.refresh_bindings()

    def _show_judgement(self, answer: tuple[Match, Judgement | None] | None) -> None:
        if answer is not None and self._match is not None and answer[0].same_as(self._match):
            self._judgement = answer[1]
            self._draw()

    def _show_nothing(self, seen: Seen) -> None:
        self._wanted = replace(self._wanted, unit=None)
        self._awaited = seen.running
        self._show_match(False)
        self.refresh_bindings()
        keys = join(
            ("o", "bold $footer-key-foreground"), " chooses a stored match, ",
            ("m", "bold $footer-key-foreground"), " starts one between any two players.",
        )  # fmt: skip
        about = [line(seen.name, "$text-primary")] if seen.name else []
        self.query_one("#empty", Static).update(join(*about, line(seen.note, "bold", 600), keys, between="\n\n"))
        self.summarise()

    def _show_match(self, yes: bool) -> None:
        self._view.display = yes
        self.query_one("#empty").display = not yes
        if yes and self.focused is None:
            self.query_one("#moves").focus()

    def _draw(self, fresh: bool = False) -> None:
        if self._match is not None:
            self._view.channel = self._on_channel
            self._view.show(self._match, self._judgement, fresh)
            self.summarise(*words.facts(self._match, self._seen.name if self._seen else ""))

    # Moving

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if self._match is None and action not in _FREE and hasattr(LiveScreen, f"action_{action}"):
            return hasattr(ArenaScreen, f"action_{action}")
        if action == "ledger":
            return self.query_one(LedgerLine).filled
        return super().check_action(action, parameters)

    def _move(self, change: Callable[[], object], channel: bool = False) -> None:
        self._stay()
        self._channel = channel
        self._view.channel = self._on_channel
        self._view.move(change)

    @property
    def _on_channel(self) -> bool:
        return self._channel and self._seen is not None and self._seen.running

    def action_pause(self) -> None:
        self._move(self._view.playback.toggle)

    def action_step(self, by: int) -> None:
        self._move(lambda: self._view.playback.step(by))

    def on_moves_jumped(self, message: Moves.Jumped) -> None:
        self._move(lambda: self._view.playback.go(message.to))

    def action_speed(self, by: int) -> None:
        self._move(lambda: self._view.playback.faster(by), self._channel)
        if self._view.playback.mode != "play":
            self.arena.say(f"Plays {self._view.playback.speed:g} replies a second.")

    def action_reverse(self) -> None:
        self._move(self._view.playback.turn)

    def action_edge(self, last: bool) -> None:
        playback = self._view.playback
        self._move(playback.end if last else lambda: playback.go(0), last and playback.live)

    def action_live(self) -> None:
        if self._view.playback.live:
            self._move(self._view.playback.end, channel=True)
        elif not self._follow(True):
            self.arena.say("Nothing is being played here now.")

    # Other matches

    def _want(self, wanted: Wanted) -> None:
        self._stay()
        self._wanted, self._channel = wanted, wanted.match_id is None
        self._looking.refresh()

    def _linger(self) -> None:
        """Follow the next match in a while, unless somebody wants to stay."""
        if self._lingering is None:
            self._lingering = self.set_timer(self.LINGER_SECONDS, self._go_on)

    def _go_on(self) -> None:
        self._stay()
        if not self._follow(True) and self._seen is not None and self._seen.running:
            self._linger()

    def _stay(self) -> None:
        if self._lingering is not None:
            self._lingering.stop()
            self._lingering = None

    def _follow(self, forward: bool) -> bool:
        """Show the next match of the live view; False where there is no other."""
        from arena.tui.collect.matches import Wanted, next_featured

        if self._seen is None or self._match is None or not self._seen.running:
            return False
        chosen = next_featured(self._seen.featured, self._match.unit, forward)
        if chosen is not None:
            self._want(Wanted(chosen.run_dir, unit=chosen.unit))
        return chosen is not None

    def action_neighbour(self, forward: bool) -> None:
        from arena.tui.collect.matches import Wanted, neighbour

        match, search = self._match, self._search
        assert match is not None
        if self._wanted.match_id is None and self._follow(forward):
            return
        if match.id is None:
            self.arena.say("Nothing else is being played here now.")
            return
        run_dir, match_id = match.run_dir, match.id

        def go(found: int | None) -> None:
            if found is None:
                self.arena.say("There is no later match." if forward else "There is no earlier match.")
            else:
                self._want(Wanted(run_dir, found))

        self.arena.attempt(lambda: neighbour(run_dir, match_id, forward, search), go)

    def action_pick(self) -> None:
        from arena.tui.screens.pick_match import PickScreen

        self.app.push_screen(PickScreen(self.arena.root, self._wanted.run_dir, self._search), self._picked)

    def _picked(self, picked: Picked | None) -> None:
        if picked is not None:
            self._search = picked.search
            self._want(picked.wanted)

    def action_new(self) -> None:
        from arena.tui.screens.new_match import NewMatchScreen

        match = self._match
        game, seats = (match.game, match.seats) if match else ("tictactoe", ("ckpt:tiny", "random"))
        self.app.push_screen(NewMatchScreen(self.arena.root, game, seats), self._started)

    def _started(self, run_dir: Path | None) -> None:
        from arena.tui.collect.matches import Wanted

        if run_dir is not None:
            self._want(Wanted(run_dir))

    # Thoughts

    def action_thoughts(self) -> None:
        self._view.open_all()

    def action_swap(self) -> None:
        self._view.swap()

    def action_full(self) -> None:
        if self._match is not None and self._view.playback.at:
            self._open(self._match.turns[self._view.playback.at - 1])

    def on_thoughts_opened(self, message: Thoughts.Opened) -> None:
        self._open(message.turn)

    def _open(self, turn: TurnRow) -> None:
        from arena.tui.screens.reply import ReplyScreen

        assert self._match is not None
        self.app.push_screen(ReplyScreen(turn, self._match.seats[turn.seat]))

    def action_ledger(self) -> None:
        from arena.tui.screens.ledger import LedgerScreen

        spending = self.query_one(LedgerLine).spending
        assert self._match is not None
        assert spending is not None
        self.app.push_screen(LedgerScreen(self._match.run_dir, spending))

    def action_copy(self) -> None:
        from arena.runs.transcript import transcript

        match, judgement = self._match, self._judgement
        assert match is not None
        end = words.outcome(match, judgement)
        self.arena.copy(transcript(match.game, match.seats, match.first, match.turns, end, judgement), "the match")
