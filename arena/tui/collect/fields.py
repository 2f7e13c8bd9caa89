"""A configuration as a tree of fields that a form shows: made from a pydantic model, filled, edited, read back.

Every field holds text as a person writes it; an empty one stands for its default. What is not valid is kept as it was
typed, and said by the model itself when the tree's `data` is validated.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from arena.core.sanitise import one_line

Key = tuple[str | int, ...]
"""Where a field is, as in `arena.config.base.Problem`."""
MISSING = object()
"""The default of a field that must be given."""


class Field:
    """One value."""

    def __init__(self, name: str, help: str, annotation: Any, default: Any) -> None:
        kinds = [kind for kind in _members(annotation) if kind is not NoneType]
        self.name, self.help, self.default = name, help, default
        self.choices = _choices(kinds[0]) if len(kinds) == 1 else {}
        """What it can be by how that is written, where all of it can be shown."""
        self.many = len(kinds) == 1 and get_origin(kinds[0]) in (tuple, list)
        """Whether it is a list of texts, written with commas between them."""
        self.is_text = kinds == [str]
        self.text = ""
        """What was typed; empty is the default."""

    @property
    def value(self) -> Any:
        """What is given to the model: its validation turns text into numbers, or says why not."""
        text = self.text.strip()
        if not text:
            return self.default
        if self.many:
            return _items(text)
        if self.choices:
            return self.choices.get(text, text)
        return _unquoted(text) if self.is_text else text

    @value.setter
    def value(self, value: Any) -> None:
        self.text = "" if value == self.default else written(value)

    @property
    def changed(self) -> bool:
        """Whether it is given and not what it is anyway."""
        return bool(self.text.strip()) and not _same(self.value, self.default)

    @property
    def shown_default(self) -> str:
        """The default as it would be typed; empty where there is none."""
        return "" if self.default is MISSING or self.default is None else written(self.default)

    @property
    def shown(self) -> str:
        """What holds now, in one line."""
        return one_line(self.text.strip() or self.shown_default)


class Group:
    """The fields of one model, and with `tag` the choice of a union that it is."""

    def __init__(self, name: str, model: type[BaseModel], default: BaseModel | None = None) -> None:
        self.name, self.model, self.help = name, model, _about(model)
        self.members: dict[str, Node] = {}
        self.tag: dict[str, str] = {}
        for member, info in model.model_fields.items():
            options = _choices(info.annotation)
            if len(options) == 1:
                self.tag[member] = next(iter(options))
            else:
                usual = getattr(default, member) if default is not None else _default(info)
                self.members[member] = _node(member, info, usual)

    @property
    def data(self) -> dict[str, Any]:
        """The values of all members, ready to be validated."""
        values = {name: _value(member) for name, member in self.members.items()}
        return dict(self.tag) | {name: value for name, value in values.items() if value is not MISSING}

    def fill(self, config: BaseModel) -> None:
        """Take over the values of a valid configuration."""
        for name, member in self.members.items():
            value = getattr(config, name)
            if isinstance(member, Field):
                member.value = list(value) if isinstance(value, tuple) else value
            else:
                member.fill(value)

    @property
    def changes(self) -> list[str]:
        """Its changed values as "name value", those of deeper members under their own names."""
        found = []
        for name, member in self.members.items():
            if not isinstance(member, Field):
                found += member.changes
            elif member.changed:
                found.append(f"{name} {member.shown}")
        return found


class Choice:
    """One of several groups, chosen by the tag of each."""

    def __init__(self, name: str, help: str, models: Sequence[type[BaseModel]], default: object) -> None:
        self.name, self.help = name, help
        self.groups: dict[str, Group] = {}
        for model in models:
            group = Group(name, model, default if isinstance(default, model) else None)
            self.groups[next(iter(group.tag.values()))] = group
        self.usual = self.chosen = self._tag_of(default)

    @property
    def group(self) -> Group:
        return self.groups[self.chosen]

    @property
    def data(self) -> dict[str, Any]:
        return self.group.data

    def fill(self, config: BaseModel) -> None:
        self.chosen = self._tag_of(config)
        self.group.fill(config)

    def _tag_of(self, config: object) -> str:
        tags = [tag for tag, group in self.groups.items() if group.model is type(config)]
        return tags[0] if tags else next(iter(self.groups))

    @property
    def changes(self) -> list[str]:
        own = [] if self.chosen == self.usual else [self.chosen]
        return own + self.group.changes


class Series:
    """A list of models."""

    def __init__(self, name: str, help: str, model: type[BaseModel]) -> None:
        self.name, self.help, self.model = name, help, model
        self.groups: list[Group] = []

    @property
    def data(self) -> list[dict[str, Any]]:
        return [group.data for group in self.groups]

    def fill(self, configs: Sequence[BaseModel]) -> None:
        self.groups = []
        for config in configs:
            self.add().fill(config)

    def add(self, place: int | None = None) -> Group:
        """A new one at this place, or at the end; its fields are empty."""
        group = Group(self.name, self.model)
        self.groups.insert(len(self.groups) if place is None else place, group)
        return group

    @property
    def changes(self) -> list[str]:
        return [group_title(group) for group in self.groups]


Node = Field | Group | Choice | Series


def group_title(group: Group) -> str:
    """How one of a series is called: the value of its first field."""
    first = next(iter(group.members.values()))
    return (first.shown if isinstance(first, Field) else "") or "new"


def written(value: Any) -> str:
    """A value as it is typed into a field."""
    match value:
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            texts = [str(item) for item in value]
            plain = all(_is_plain(text) and "," not in text for text in texts)
            return ", ".join(texts) if texts and plain else f"[{', '.join(_quoted(text) for text in texts)}]"
        case str():
            return value if _is_plain(value) else _quoted(value)
        case _:
            return str(value)


def _is_plain(text: str) -> bool:
    """Whether text can stand in a field as it is: nothing invisible in it, and not read as something else."""
    return bool(text) and one_line(text, len(text)) == text and text[0] not in "\"['"


def _quoted(text: str) -> str:
    """Text as a TOML string of which every character can be seen."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char == " " or one_line(char) == char:
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _unquoted(text: str) -> Any:
    return _toml(text.strip()) if text.strip()[0] in "\"'" else text


def _items(text: str) -> Any:
    if text.startswith("["):
        return _toml(text)
    return [_unquoted(item.strip()) for item in text.split(",") if item.strip()]


def _toml(text: str) -> Any:
    """The value that a piece of TOML stands for; the text itself where it is none."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _same(value: Any, default: Any) -> bool:
    """Whether what was typed is the default, numbers in any spelling."""
    if isinstance(default, int | float) and isinstance(value, str):
        try:
            return float(value) == default
        except ValueError:
            return False
    return bool(value == default)


def _node(name: str, info: FieldInfo, default: Any) -> Node:
    members = _members(info.annotation)
    models = [kind for kind in members if isinstance(kind, type) and issubclass(kind, BaseModel)]
    help = (info.description or (_about(models[0]) if len(models) == 1 else "")).replace("`", "")
    if len(models) > 1:
        return Choice(name, help, models, default)
    if models:
        return Group(name, models[0], default if isinstance(default, BaseModel) else None)
    inner = [kind for kind in get_args(info.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)]
    if inner:
        series = Series(name, help or _about(inner[0]), inner[0])
        series.fill(() if default is MISSING else default)
        return series
    return Field(name, help, info.annotation, list(default) if isinstance(default, tuple) else default)


def _value(node: Node) -> Any:
    return node.value if isinstance(node, Field) else node.data


def _members(annotation: Any) -> tuple[Any, ...]:
    """What a union is one of; anything else by itself."""
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _choices(annotation: Any) -> dict[str, Any]:
    if annotation is bool:
        return {"true": True, "false": False}
    return {str(value): value for value in get_args(annotation)} if get_origin(annotation) is Literal else {}


def _default(info: FieldInfo) -> Any:
    return MISSING if info.is_required() else info.get_default(call_default_factory=True)


def _about(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().partition("\n\n")[0]
