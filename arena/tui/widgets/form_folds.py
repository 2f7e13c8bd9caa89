"""The parts of a form that fold: sections, the choice of one of several, and lists that grow and shrink."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from arena.tui.collect.fields import Choice, Field, Group, Key, Series, group_title
from arena.tui.format import count
from arena.tui.text import join, line
from arena.tui.widgets.form_fields import ChoiceField, FormChanged, Names, Row, TextField, Words, marked

_NAME = 18
"""Cells of a title, so that what follows stands in line with the fields' values."""


class FormGrown(Message):
    """There are new fields, which do not say yet what is wrong with them."""


class FoldTitle(Widget, can_focus=True):
    """The head of a fold."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "fold", "fold", key_display="↵", id="form.fold", tooltip="Open or close the section."),
        Binding("right,l", "fold(True)", show=False, id="form.open", tooltip="Open the section."),
        Binding("left,h", "fold(False)", show=False, id="form.close", tooltip="Close the section."),
        Binding("plus", "add", "add", key_display="+", id="form.add", tooltip="One more in this list."),
        Binding("minus,delete", "remove", "remove", key_display="−", id="form.remove", tooltip="Take it off the list."),
        Binding("up,k", "app.focus_previous", show=False),
        Binding("down,j", "app.focus_next", show=False),
    ]
    ALLOW_SELECT = False

    class Pressed(Message):
        """What to do with the fold: fold, add or remove; `open` says how it shall be, None the other way round."""

        def __init__(self, fold: Fold, verb: str, open: bool | None = None) -> None:
            super().__init__()
            self.fold = fold
            self.verb = verb
            self.open = open

    def __init__(self, fold: Fold) -> None:
        super().__init__()
        self._fold = fold
        self.HELP = f"{fold.heading()}: {fold.help}"  # type: ignore[misc]

    def render(self) -> Content:
        return self._fold.title(self.size.width, self.has_focus)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return {"add": self._fold.GROWS, "remove": self._fold.SHRINKS}.get(action, True)

    def action_fold(self, open: bool | None = None) -> None:
        self.post_message(self.Pressed(self._fold, "fold", open))

    def action_add(self) -> None:
        self.post_message(self.Pressed(self._fold, "add"))

    def action_remove(self) -> None:
        self.post_message(self.Pressed(self._fold, "remove"))

    def on_click(self, event: events.Click) -> None:
        self.action_fold()

    def on_focus(self, event: events.Focus) -> None:
        self.refresh()

    def on_blur(self, event: events.Blur) -> None:
        self.refresh()


class Fold(Vertical):
    """A title, and below it the parts, made when they are first shown."""

    GROWS: ClassVar[bool] = False
    SHRINKS: ClassVar[bool] = False

    def __init__(self, key: Key, help: str, names: Names, open: bool = False) -> None:
        super().__init__()
        self.key, self.help, self.names, self.is_open = key, help, names, open
        self.head, self._words = FoldTitle(self), Words()
        self.body = Vertical(classes="form-body")
        self._wrong = 0

    # What each kind of fold says.

    def heading(self) -> str:
        """Its name."""
        return str(self.key[-1])

    def about(self) -> str:
        """What is in it, in a few words."""
        return ""

    def parts(self) -> list[Widget]:
        """What it shows when it is open."""
        raise NotImplementedError

    def covers(self, key: Key) -> bool:
        """Whether a field is in it."""
        return key[: len(self.key)] == self.key

    # What they share.

    def compose(self) -> ComposeResult:
        yield self.head
        yield self._words
        self.body.display = self.is_open
        with self.body:
            if self.is_open:
                yield from self.parts()

    def title(self, width: int, focused: bool) -> Content:
        """The line of the title."""
        style = "bold $block-cursor-foreground on $block-cursor-background" if focused else "$text-primary"
        heading = join(("▾ " if self.is_open else "▸ ", style), line(self.heading(), style))
        parts = [heading.pad_right(max(_NAME - heading.cell_length, 0))]
        if self._wrong and not self.is_open:
            parts.append(join((f"✗ {count(self._wrong, 'error')}", "$text-error")))
        parts.append(line(self.about(), "$foreground-muted", limit=600))
        return join(*parts, between="  ").rstrip().truncate(width, ellipsis=True)

    async def set_open(self, open: bool) -> None:
        """Show or hide the parts."""
        self.is_open = open
        if open and not self.body.children:
            await self.body.mount_all(self.parts())
            self.post_message(FormGrown())
        self.body.display = open
        self.head.refresh()

    async def on_fold_title_pressed(self, message: FoldTitle.Pressed) -> None:
        if message.fold is self and message.verb == "fold":
            message.stop()
            await self.set_open(not self.is_open if message.open is None else message.open)

    def show_words(self, problem: str, note: str, wrong: int) -> None:
        """What is wrong with the section as such, and how many errors are in it."""
        self._words.show(problem, note)
        if wrong != self._wrong:
            self._wrong = wrong
            self.head.refresh()


class Section(Fold):
    """The fields of a group."""

    def __init__(self, group: Group, key: Key, names: Names, open: bool = False) -> None:
        self.group = group
        super().__init__(key, group.help, names, open)

    def about(self) -> str:
        return "" if self.is_open else " · ".join(self.group.changes)

    def parts(self) -> list[Widget]:
        return group_parts(self.group, self.key, self.names)


class Rest(Fold):
    """Fields that no section holds."""

    def __init__(self, fields: Mapping[str, Field], names: Names) -> None:
        super().__init__(("more",), "What is seldom changed.", names)
        self._fields = fields

    def about(self) -> str:
        changed = [f"{name} {field.shown}" for name, field in self._fields.items() if field.changed]
        return "" if self.is_open else " · ".join(changed)

    def parts(self) -> list[Widget]:
        return [Row(field, (name,), self.names) for name, field in self._fields.items()]

    def covers(self, key: Key) -> bool:
        return bool(key) and key[0] in self._fields


class Union(Fold):
    """One of several groups, and its fields."""

    def __init__(self, choice: Choice, key: Key, names: Names) -> None:
        super().__init__(key, choice.help, names)
        self._choice = choice

    def about(self) -> str:
        return "" if self.is_open else " · ".join([self._choice.chosen, *self._choice.group.changes])

    def parts(self) -> list[Widget]:
        return [_Tag(self._choice), *self._group_parts()]

    def _group_parts(self) -> list[Widget]:
        return group_parts(self._choice.group, (*self.key, self._choice.chosen), self.names)

    async def on_choice_field_changed(self, message: ChoiceField.Changed) -> None:
        message.stop()
        self._choice.chosen = message.chosen
        self.query_one(_Tag).draw()
        with self.app.batch_update():
            await self.body.remove_children([child for child in self.body.children if not isinstance(child, _Tag)])
            await self.body.mount_all(self._group_parts())
        self.post_message(FormGrown())
        self.post_message(FormChanged())


class _Tag(Horizontal):
    """The line that chooses one of a union's groups."""

    def __init__(self, choice: Choice) -> None:
        super().__init__(classes="form-line")
        self._choice = choice

    def compose(self) -> ComposeResult:
        choice = self._choice
        yield Static(classes="form-name")
        yield ChoiceField(tuple(choice.groups), choice.chosen, choice.usual, _about(choice))

    def on_mount(self) -> None:
        self.draw()

    def draw(self) -> None:
        """Mark the tag where another group than the default's is chosen."""
        name = marked(next(iter(self._choice.group.tag)), self._choice.chosen != self._choice.usual)
        self.query_one(".form-name", Static).update(name)


def _about(choice: Choice) -> str:
    """What each of its groups is."""
    return " ".join(f"{tag}: {group.help}" for tag, group in choice.groups.items())


class Items(Fold):
    """A list of groups: + adds one at its end."""

    GROWS = True

    def __init__(self, series: Series, key: Key, names: Names, open: bool = False) -> None:
        super().__init__(key, series.help, names, open)
        self._series = series

    def about(self) -> str:
        return str(len(self._series.groups)) if self._series.groups else "none, + adds one"

    def parts(self) -> list[Widget]:
        return [Item(group, (*self.key, place), self.names) for place, group in enumerate(self._series.groups)]

    async def on_fold_title_pressed(self, message: FoldTitle.Pressed) -> None:
        """Also for its items: they are made anew, so none of them may be the one that waits for it.

        Textual calls the handler of `Fold` too.
        """
        message.stop()
        place = message.fold.key[-1] if isinstance(message.fold, Item) else None
        if message.verb == "add":
            await self.add(len(self._series.groups) if place is None else int(place) + 1)
        elif message.verb == "remove" and place is not None:
            await self.remove_item(int(place))

    async def add(self, place: int) -> None:
        """Put a new item there, and the cursor into its first field."""
        group = self._series.add(place)
        await self._renew(group)
        item = next(item for item in self.query(Item) if item.group is group)
        item.query(TextField).first().focus()

    async def remove_item(self, place: int) -> None:
        """Take an item off the list; the cursor goes to the one after it."""
        del self._series.groups[place]
        await self._renew()
        heads = [item.head for item in self.query(Item)]
        (heads[min(place, len(heads) - 1)] if heads else self.head).focus()

    async def _renew(self, *fresh: Group) -> None:
        """Make all items anew, since their places changed; the fresh ones and those that were open are open."""
        opened = {*map(id, fresh), *(id(item.group) for item in self.query(Item) if item.is_open)}
        items = self.parts()
        for item in items:
            assert isinstance(item, Item)
            item.is_open = id(item.group) in opened
        with self.app.batch_update():
            await self.body.remove_children()
            await self.body.mount_all(items)
        self.is_open = self.body.display = True
        self.head.refresh()
        self.post_message(FormGrown())
        self.post_message(FormChanged())


class Item(Section):
    """One group of a list: − removes it, + puts a new one after it."""

    GROWS = SHRINKS = True

    def heading(self) -> str:
        return group_title(self.group)

    def about(self) -> str:
        return "" if self.is_open else " · ".join(self.group.changes[1:])


def group_parts(group: Group, key: Key, names: Names) -> list[Widget]:
    """A row or a fold for each member of a group."""
    return [part(node, (*key, name), names) for name, node in group.members.items()]


def part(node: Field | Group | Choice | Series, key: Key, names: Names, open: bool = False) -> Row | Fold:
    """What shows a node."""
    match node:
        case Field():
            return Row(node, key, names)
        case Group():
            return Section(node, key, names)
        case Choice():
            return Union(node, key, names)
        case Series():
            return Items(node, key, names, open)


def covering(parts: Sequence[Row | Fold], key: Key) -> Row | Fold | None:
    """The innermost part that a field, or what is said of it, belongs to."""
    found = [
        part for part in parts if (part.covers(key) if isinstance(part, Fold) else key[: len(part.key)] == part.key)
    ]
    return found[-1] if found else None
