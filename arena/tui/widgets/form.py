"""A form made from a tree of fields (`arena.tui.collect.fields`): a line each, sections that fold, errors in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button

from arena.tui.collect.fields import Field, Group, Key
from arena.tui.widgets.form_fields import ChoiceField, Names, Row, TextField
from arena.tui.widgets.form_folds import Fold, FoldTitle, FormGrown, Rest, covering, part

EDITORS = (TextField, ChoiceField, FoldTitle)
"""What the cursor can be on."""


class Form(VerticalScroll, can_focus=False):
    """The whole form: common fields, lists, folded sections, and a button at the end. Edits arrive as `FormChanged`."""

    def __init__(self, button: str, id: str | None = None) -> None:
        super().__init__(id=id)
        self._button = button
        self._problems: Mapping[Key, str] = {}
        self._notes: Mapping[Key, str] = {}

    async def show(self, root: Group, common: Sequence[str], beside: Mapping[Field, str], names: Names) -> None:
        """Show another configuration: its `common` members first, then fields `beside` it with their placeholders."""
        self._problems, self._notes = {}, {}
        early = {name: root.members[name] for name in common if name in root.members}
        late = {name: node for name, node in root.members.items() if name not in early}
        shown: list[Widget] = [part(node, (name,), names) for name, node in early.items() if isinstance(node, Field)]
        shown += [Row(field, (field.name,), names, hint) for field, hint in beside.items()]
        shown += [part(node, (name,), names, True) for name, node in early.items() if not isinstance(node, Field)]
        shown += [part(node, (name,), names) for name, node in late.items() if not isinstance(node, Field)]
        shown.append(Rest({name: node for name, node in late.items() if isinstance(node, Field)}, names))
        with self.app.batch_update():
            await self.remove_children()
            await self.mount_all([*shown, Button(Content(self._button), variant="primary", id="go")])
        self.scroll_home(animate=False)

    def show_problems(self, problems: Mapping[Key, str], notes: Mapping[Key, str]) -> None:
        """Put each of these at its field, and their number at the sections that hide some."""
        self._problems, self._notes = problems, notes
        parts = self._parts()
        homes = {key: covering(parts, key) for key in problems}
        for one in parts:
            said = next((words for key, words in problems.items() if homes[key] is one), "")
            note = notes.get(one.key, "")
            if isinstance(one, Row):
                one.show_words(said, note)
            else:
                here = one.is_open or one.key in problems
                one.show_words(said if here else "", note, sum(one.covers(key) for key in problems))

    def on_form_grown(self, message: FormGrown) -> None:
        message.stop()
        self.show_problems(self._problems, self._notes)

    async def show_first_problem(self) -> None:
        """Open what hides the first error, and put the cursor there."""
        keys = [key for key in self._problems if key]
        while closed := [
            fold
            for fold in self.query(Fold)
            if not fold.is_open and any(map(fold.covers, keys)) and fold.key not in keys
        ]:
            for fold in closed:
                await fold.set_open(True)
        self.show_problems(self._problems, self._notes)
        wrong = [one for one in self._parts() if any(covering(self._parts(), key) is one for key in keys)]
        if wrong:
            next(child for child in wrong[0].query("*") if isinstance(child, EDITORS)).focus()

    def _parts(self) -> list[Row | Fold]:
        """All rows and folds that were made, those inside after those around them."""
        return [one for one in self.query("*") if isinstance(one, Row | Fold) and one.is_mounted]
