"""What a new tournament has beside players and games: who meets whom, numbers, openings, a test, limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Label, Static

from arena.config.tournament import SprtConfig, TournamentConfig
from arena.tui.collect.entrants import NUMBERS, Draft
from arena.tui.collect.extras import BALANCED, GROUND_TRUTH, HYPOTHESES, NO, OPENINGS, RATES, TEST, YES
from arena.tui.text import join, line
from arena.tui.widgets.form_fields import ChoiceField
from arena.tui.widgets.limit_fields import LimitFields

FORMATS: tuple[str, ...] = get_args(TournamentConfig.model_fields["format"].annotation)
_MUTED = "$foreground-muted"
_FORMAT_HELP = (
    "Left and right choose who meets whom. round-robin: everybody meets everybody; gauntlet: a challenger meets all "
    "others; swiss: rounds, in each of which those meet who stand next to each other."
)
_BALANCED_HELP = "Whether only openings will do that are a draw with best play; in solved games."
_TRUTH_HELP = (
    "Whether players behind APIs are measured against the exact solution of the solved games too, as all others always "
    "are. That takes thousands of requests each."
)
_NUMBERS = dict(
    zip(
        NUMBERS,
        (("Pairs", "for each meeting"), ("Seed", "of deals and rolls"), ("At once", "matches")),
        strict=True,
    )
)
_OF_FORMAT = {
    "challenger": "gauntlet",
    "rounds": "swiss",
    **dict.fromkeys((*HYPOTHESES, "lead", *RATES), "round-robin"),
}
"""Fields of one format alone."""
_FIRST = {
    "challenger": "challenger",
    "rounds": "rounds",
    OPENINGS: "openings",
    BALANCED: "balanced",
    "elo0": "SPRT elo0",
    "elo1": "SPRT elo1",
}
_SECOND = {"lead": "lead of", "alpha": "alpha", "beta": "beta", GROUND_TRUTH: "truth"}
"""Names of lines by field: those of one line, where a terminal is narrow, and those of the next."""
_CHOICES = {BALANCED: _BALANCED_HELP, GROUND_TRUTH: _TRUTH_HELP}
_EMPTY = {
    OPENINGS: "plies",
    **dict.fromkeys(HYPOTHESES, "no test"),
    **{name: str(SprtConfig.model_fields[name].default) for name in RATES},
}


class WordField(ChoiceField):
    """The chosen word alone: there is no room for all."""

    def render(self) -> Content:
        style = "bold $block-cursor-foreground on $block-cursor-background" if self.has_focus else "bold"
        return join(("‹ ", _MUTED), (self.chosen, style), (" ›", _MUTED))

    def on_click(self, event: events.Click) -> None:
        self.action_choose(1)


class FormatField(WordField):
    """Who meets whom."""


class MatchFields(Container):
    """The fields, each with a line for what is wrong with it; those that make no sense are not shown."""

    HELP = (
        "A pair is two matches with the same luck and swapped seats. In games without chance and hidden information "
        "each pair can begin after an opening of so many random plies (balanced: a draw with best play, in solved "
        "games), so that players that never vary play different matches. With two players in one game an SPRT can end "
        "play early: it decides between a lead of at most elo0 (H0) and of at least elo1 (H1), with error rates alpha "
        "and beta; pairs are then the most that it may take."
    )
    DEFAULT_CSS = """
    MatchFields { height: auto; }
    MatchFields #numbers, MatchFields #extras, MatchFields .extra-row, MatchFields .extra { height: auto; }
    MatchFields .field-title, MatchFields .extra-line { height: 1; }
    MatchFields .field-title Label { width: auto; padding-right: 2; }
    MatchFields .field-about { width: 1fr; }
    MatchFields .extra-name { width: 12; color: $foreground-muted; }
    MatchFields .extra Input { width: 1fr; }
    MatchFields WordField { width: 1fr; height: 1; background: $panel; }
    MatchFields WordField:nocolor:focus { text-style: reverse; }
    """

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._fits: frozenset[str] = frozenset()

    def compose(self) -> ComposeResult:
        with Container(id="numbers"):
            with Vertical(classes="field"):
                yield Label(join("Format"))
                yield FormatField(FORMATS, Draft().format, FORMATS[0], _FORMAT_HELP)
                yield Static("", id="format-error", classes="field-error")
            for name, (title, about) in _NUMBERS.items():
                with Vertical(classes="field"):
                    with Horizontal(classes="field-title"):
                        yield Label(title)
                        yield Static(join((about, _MUTED)), classes="field-about")
                    usual = str(TournamentConfig.model_fields[name].default)
                    yield Input(placeholder=usual, id=name, max_length=18)
                    yield Static("", id=f"{name}-error", classes="field-error")
        with Container(id="extras"):
            for row in (_FIRST, _SECOND):
                with Container(classes="extra-row"):
                    for name, title in row.items():
                        yield from _extra(name, title)
            yield LimitFields(id="limits")

    def on_mount(self) -> None:
        self._show_fitting()

    def on_choice_field_changed(self) -> None:
        self._show_fitting()

    def on_input_changed(self) -> None:
        self._show_fitting()

    @property
    def _format(self) -> str:
        return self.query_one(FormatField).chosen

    def _value(self, name: str) -> str:
        field = self.query_one(f"#{name}")
        return field.chosen if isinstance(field, ChoiceField) else field.value if isinstance(field, Input) else ""

    def _makes_sense(self, name: str) -> bool:
        """Whether the field is to be seen: also where it no longer fits, but something is filled in."""
        if _OF_FORMAT.get(name, self._format) != self._format:
            return False
        tested = any(self._value(one).strip() for one in HYPOTHESES)
        if name in HYPOTHESES:
            return tested or TEST in self._fits
        if name in ("lead", *RATES):
            return tested
        if name == OPENINGS:
            return name in self._fits or bool(self._value(name).strip()) or self._value(BALANCED) == YES
        if name == BALANCED:
            return name in self._fits or self._value(name) == YES
        return name not in _CHOICES or name in self._fits

    def _show_fitting(self) -> None:
        for row, names in zip(self.query(".extra-row"), (_FIRST, _SECOND), strict=True):
            for name in names:
                self.query_one(f"#of-{name}").display = self._makes_sense(name)
            row.display = any(map(self._makes_sense, names))
        self.query_one("#extras").display = self.extra_rows > 0

    @property
    def extra_rows(self) -> int:
        """How many lines a narrow terminal shows below the numbers, errors aside."""
        return sum(row.display for row in self.query_one("#extras").children)

    @property
    def texts(self) -> dict[str, str]:
        """What is in the fields that are shown, by name."""
        names = [*_NUMBERS, *filter(self._makes_sense, (*_FIRST, *_SECOND))]
        return (
            {name: self._value(name) for name in names} | {"format": self._format} | self.query_one(LimitFields).texts
        )

    def show_errors(self, errors: Mapping[str, str]) -> None:
        """Say at each field what is wrong with it."""
        for name in ("format", *_NUMBERS, *_FIRST, *_SECOND):
            shown = self.query_one(f"#{name}-error", Static)
            shown.update(line(f"✗ {errors[name]}", limit=300) if name in errors else "")
            shown.display = name in errors
        self.query_one(LimitFields).show_errors(errors)

    def suggest(self, usual: Mapping[str, str], fits: frozenset[str], apis: bool) -> None:
        """What empty fields stand for; which of them make sense; whether there is something to limit."""
        for name in (*_NUMBERS, "challenger", "rounds", "lead"):
            self.query_one(f"#{name}", Input).placeholder = line(usual.get(name, ""), limit=100).plain
        self._fits = fits
        self.query_one(LimitFields).display = apis
        self._show_fitting()


def _extra(name: str, title: str) -> ComposeResult:
    with Vertical(classes="extra", id=f"of-{name}"):
        with Horizontal(classes="extra-line"):
            yield Static(title, classes="extra-name")
            yield _editor(name)
        yield Static("", id=f"{name}-error", classes="field-error")


def _editor(name: str) -> Widget:
    if name not in _CHOICES:
        return Input(placeholder=_EMPTY.get(name, ""), id=name, max_length=400)
    field = WordField((NO, YES), NO, NO, _CHOICES[name])
    field.id = name
    return field
