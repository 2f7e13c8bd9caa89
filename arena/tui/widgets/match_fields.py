"""The numbers of a new tournament: who meets whom, pairs, seed, how many at once, what API players may spend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Label, Static

from arena.config.tournament import TournamentConfig
from arena.tui.collect.entrants import Draft
from arena.tui.text import join, line
from arena.tui.widgets.form_fields import ChoiceField
from arena.tui.widgets.limit_fields import LimitFields

FORMATS: tuple[str, ...] = get_args(TournamentConfig.model_fields["format"].annotation)
_MUTED = "$foreground-muted"
_FORMAT_HELP = (
    "Left and right choose who meets whom. round-robin: everybody meets everybody; gauntlet: a challenger meets all "
    "others; swiss: rounds, in each of which those meet who stand next to each other."
)
_NUMBERS = {
    "pairs": ("Pairs", "each two players in each game: two matches, seats swapped"),
    "seed": ("Seed", "of every deal and roll"),
    "concurrency": ("At once", "matches in flight"),
}
_OF_FORMAT = {"challenger": ("gauntlet", "challenger"), "rounds": ("swiss", "rounds")}


class FormatField(ChoiceField):
    """The chosen format alone: there is no room for all."""

    def render(self) -> Content:
        style = "bold $block-cursor-foreground on $block-cursor-background" if self.has_focus else "bold"
        return join(("‹ ", _MUTED), (self.chosen, style), (" ›", _MUTED))

    def on_click(self, event: events.Click) -> None:
        self.action_choose(1)


class MatchFields(Container):
    """The fields, each with a line for what is wrong with it."""

    DEFAULT_CSS = """
    MatchFields { height: auto; }
    MatchFields #numbers { height: auto; }
    MatchFields .of-format { height: auto; }
    MatchFields .of-format-line { height: 1; }
    MatchFields .of-format-name { width: 12; color: $foreground-muted; }
    MatchFields .of-format Input { width: 1fr; }
    MatchFields FormatField { width: 100%; height: 1; background: $panel; }
    MatchFields FormatField:nocolor:focus { text-style: reverse; }
    """

    def compose(self) -> ComposeResult:
        draft = Draft()
        with Container(id="numbers"):
            with Vertical(classes="field"):
                yield Label(join("Format"))
                yield FormatField(FORMATS, draft.format, FORMATS[0], _FORMAT_HELP)
                yield Static("", id="format-error", classes="field-error")
            for name, (title, about) in _NUMBERS.items():
                with Vertical(classes="field"):
                    yield Label(title)
                    yield Static(join((about, _MUTED)), classes="field-about")
                    yield Input(str(getattr(draft, name)), id=name, max_length=18)
                    yield Static("", id=f"{name}-error", classes="field-error")
        for name, (_, title) in _OF_FORMAT.items():
            with Vertical(classes="of-format", id=f"of-{name}"):
                with Horizontal(classes="of-format-line"):
                    yield Static(title, classes="of-format-name")
                    yield Input(id=name, max_length=400)
                yield Static("", id=f"{name}-error", classes="field-error")
        yield LimitFields(id="limits")

    def on_mount(self) -> None:
        self._show_format()

    def on_choice_field_changed(self) -> None:
        self._show_format()

    def _show_format(self) -> None:
        chosen = self.query_one(FormatField).chosen
        for name, (format, _) in _OF_FORMAT.items():
            self.query_one(f"#of-{name}").display = format == chosen

    @property
    def texts(self) -> dict[str, str]:
        """What is in the fields that are shown, by name."""
        chosen = self.query_one(FormatField).chosen
        names = [*_NUMBERS, *(name for name, (format, _) in _OF_FORMAT.items() if format == chosen)]
        found = {name: self.query_one(f"#{name}", Input).value for name in names}
        return found | {"format": chosen} | self.query_one(LimitFields).texts

    def show_errors(self, errors: Mapping[str, str]) -> None:
        """Say at each field what is wrong with it."""
        for name in ("format", *_NUMBERS, *_OF_FORMAT):
            shown = self.query_one(f"#{name}-error", Static)
            shown.update(line(f"✗ {errors[name]}", limit=300) if name in errors else "")
            shown.display = name in errors
        self.query_one(LimitFields).show_errors(errors)

    def suggest(self, usual: Mapping[str, str], apis: bool) -> None:
        """What an empty field of the format stands for; whether there is something to limit."""
        for name in _OF_FORMAT:
            self.query_one(f"#{name}", Input).placeholder = line(usual.get(name, ""), limit=100).plain
        self.query_one(LimitFields).display = apis
