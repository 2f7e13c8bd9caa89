"""The lines of a form: a field's name and default, its editor (a line of text, or words to choose from), its error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.style import Style
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input, Static

from arena.core.sanitise import plain
from arena.tui.collect.fields import Field, Key
from arena.tui.text import join, line

Names = Mapping[str, Sequence[str]]
"""By a field's name: what it may be completed to."""
_MOST = 4000
"""Characters a field takes."""


class FormChanged(Message):
    """Something in the form is other than before."""


class TextField(Input):
    """A line of text: empty it shows the default, dimmed. Nothing invisible can get into it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "app.focus_previous", show=False),
        Binding("down,enter", "app.focus_next", show=False),
    ]

    def __init__(self, text: str, default: str, names: Sequence[str], help: str) -> None:
        self.HELP = help  # type: ignore[misc]
        suggester = SuggestFromList(names, case_sensitive=False) if names else None
        super().__init__(
            text, placeholder=plain(default), suggester=suggester, select_on_focus=True, compact=True, max_length=_MOST
        )
        self.cursor_blink = False

    def validate_value(self, value: str) -> str:
        return plain(value, _MOST)


class ChoiceField(Widget, can_focus=True):
    """Words of which one holds; the arrows, space and a click choose."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "choose(-1)", "choose", key_display="←→", id="form.choose_before", tooltip="The one before."),
        Binding("right,l,space,enter", "choose(1)", show=False, id="form.choose_next", tooltip="The next one."),
        Binding("up,k", "app.focus_previous", show=False),
        Binding("down,j", "app.focus_next", show=False),
    ]
    ALLOW_SELECT = False

    chosen: reactive[str] = reactive("")

    class Changed(Message):
        """Another word was chosen."""

        def __init__(self, field: ChoiceField, chosen: str) -> None:
            super().__init__()
            self.field = field
            self.chosen = chosen

        @property
        def control(self) -> ChoiceField:
            return self.field

    def __init__(self, words: Sequence[str], chosen: str, default: str, help: str) -> None:
        super().__init__()
        self.HELP = help  # type: ignore[misc]
        self.auto_links = False
        self._words = tuple(words)
        self._default = default
        self.set_reactive(ChoiceField.chosen, chosen)

    def render(self) -> Content:
        return join(*(self._word(word) for word in self._words), between="  ")

    def _word(self, word: str) -> Content:
        if word != self.chosen:
            content = join((f"○ {word}", "$foreground-muted"))
        elif self.has_focus:
            content = join((f"● {word}", "bold $block-cursor-foreground on $block-cursor-background"))
        else:
            content = join((f"● {word}", "" if word != self._default else "$foreground-muted"))
        return content.stylize(Style.from_meta({"@click": f"set({word!r})"}))

    def action_choose(self, by: int) -> None:
        place = self._words.index(self.chosen) + by if self.chosen in self._words else 0
        self.action_set(self._words[place % len(self._words)])

    def action_set(self, word: str) -> None:
        if word != self.chosen:
            self.chosen = word
            self.post_message(self.Changed(self, word))

    def on_focus(self, event: events.Focus) -> None:
        self.refresh()

    def on_blur(self, event: events.Blur) -> None:
        self.refresh()


class Row(Vertical):
    """One field: mark, name, editor, the default where another value holds, and below what is wrong with it."""

    def __init__(self, field: Field, key: Key, names: Names, hint: str = "") -> None:
        super().__init__()
        self.field, self.key = field, key
        self._names, self._hint = names, hint
        self._words = Words()
        self._drawn: bool | None = None

    def compose(self) -> ComposeResult:
        field = self.field
        about = f"{field.name}: {field.help}" if field.help else field.name
        with Horizontal(classes="form-line"):
            yield Static(classes="form-name")
            if field.choices:
                yield ChoiceField(tuple(field.choices), field.shown, field.shown_default, about)
            else:
                default = self._hint or field.shown_default or ("none" if field.default is None else "required")
                yield TextField(field.text, default, self._names.get(field.name, ()), about)
            yield Static(classes="form-default")
        yield self._words

    def on_mount(self) -> None:
        self.draw()

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()
        self._take(message.value)

    def on_choice_field_changed(self, message: ChoiceField.Changed) -> None:
        message.stop()
        self._take("" if message.chosen == self.field.shown_default else message.chosen)

    def _take(self, text: str) -> None:
        if text != self.field.text:
            self.field.text = text
            self.draw()
            self.post_message(FormChanged())

    def draw(self) -> None:
        """Mark the name where the field is changed, and show the default then."""
        field = self.field
        if field.changed == self._drawn:
            return
        self._drawn = field.changed
        self.query_one(".form-name", Static).update(marked(field.name, field.changed), layout=False)
        other = field.changed and field.shown_default
        usual = join(("default ", "$foreground-muted dim"), line(field.shown_default, "$foreground-muted", 40))
        self.query_one(".form-default", Static).update(usual if other else Content())

    def show_words(self, problem: str, note: str) -> None:
        """What is wrong with the field, or else worth a thought."""
        self._words.show(problem, note)


def marked(name: str, changed: bool) -> Content:
    """A field's name, with a mark where another value than the default holds."""
    return join(("● ", "$text-accent"), name) if changed else join("  ", (name, "$foreground-muted"))


class Words(Static):
    """The line below a field or title that says what is wrong there; no height where nothing is."""

    _shown = ("", "")

    def on_mount(self) -> None:
        self.display = any(self._shown)

    def show(self, problem: str, note: str) -> None:
        """An error in red, else a note."""
        if (problem, note) == self._shown:
            return
        self._shown = (problem, note)
        sign, text, style = ("✗ ", problem, "$text-error") if problem else ("⚠ ", note, "$text-warning")
        self.update(join((sign, style), line(text, style, limit=600)))
        self.display = bool(text)
