"""What every job's configuration shares: strict models, TOML in, errors that name the nearest valid key.

A configuration is read once at the edge (`load`), written resolved as `config.json`, and read back from
there by the job (`read_json`).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

import arena
from arena.core.errors import ArenaError, UnknownName, UsageError

PRESETS = Path(next(iter(arena.__path__))).parent / "assets" / "configs"


class Config(BaseModel):
    """Base of all configurations: unknown keys are errors, values do not change, numbers are finite as in JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


C = TypeVar("C", bound=Config)


def validate(model: type[C], data: Mapping[str, Any], source: str = "configuration") -> C:
    """Build the model. Raises UsageError with one line: the key, what is wrong, and the nearest valid names."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _in_words(model, error, source) from None


def _in_words(model: type[BaseModel], error: ValidationError, source: str) -> UsageError:
    errors = error.errors(include_url=False)
    # A misspelt key is both unknown and missing: the first says more.
    first = next((item for item in errors if item["type"] == "extra_forbidden"), errors[0])
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return UnknownName(f"key in {source}", key, known_keys(model))
    where = f"{source}: {key}" if key else source
    return UsageError(f"{where}: {_words(first)}")


def _words(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ").rstrip(".")
    return message if message.endswith("?") else f"{message}."


class Problem(NamedTuple):
    """One thing that is wrong with a configuration."""

    key: tuple[str | int, ...]
    """Where: field by field, list items by number, what a union chose by its tag; empty for the whole."""
    words: str


def problems(model: type[BaseModel], data: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong with `data`, in the words that `validate` has for the first; empty where it fits."""
    try:
        model.model_validate(data)
    except ValidationError as error:
        return [Problem(item["loc"], _words(item)) for item in error.errors(include_url=False)]
    return []


def known_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every key of a model, those of nested models as `outer.inner`."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        keys.append(prefix + name)
        kinds = (field.annotation, *getattr(field.annotation, "__args__", ()))
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                keys.extend(known_keys(kind, f"{prefix}{name}."))
    return keys


def preset_names(kind: str = "train") -> list[str]:
    """Names of the presets of a kind of job: `assets/configs/NAME.toml`."""
    return sorted(path.stem for path in PRESETS.glob("*.toml") if kind_of(read_toml(path)) == kind)


def kind_of(data: Mapping[str, Any]) -> str:
    """The kind of job that a configuration is for: its `kind`, or self-play training where it names none."""
    return str(data.get("kind", "train"))


def find_toml(config: str, kind: str = "train") -> Path:
    """The file that the user means by a path or a preset's name. Raises UnknownName with the names of the kind."""
    path = Path(config)
    if path.is_file():
        return path
    if config in (found.stem for found in PRESETS.glob("*.toml")):
        return PRESETS / f"{config}.toml"
    known = preset_names(kind)
    if path.suffix == ".toml":
        raise UsageError(f"There is no file {config}.", f"Presets: {', '.join(known) or 'none'}.")
    raise UnknownName("preset", config, known)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises UsageError with the line where it is malformed."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}.") from error
    except RecursionError:
        raise UsageError(f"{path} is no valid TOML for us: it is nested too deeply.") from None
    except ValueError as error:  # no TOML, no UTF-8, or a NUL in the path
        raise UsageError(f"{path} is no valid TOML: {error}.") from error


def apply_settings(data: dict[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """A copy of `data` with each `a.b=value` put in; values are TOML, bare words are text."""
    result: dict[str, Any] = json.loads(json.dumps(data, default=str))
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"Cannot read --set {setting}.", "Write it as --set key=value or --set part.key=value.")
        *path, last = key.strip().split(".")
        table = result
        for part in path:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise UsageError(f"Cannot set {key}: {part} is a value, not a table.")
        table[last] = _toml_value(text.strip())
    return result


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def read_json(model: type[C], path: Path) -> C:
    """Read a resolved configuration back. Raises ArenaError where it is missing or damaged."""
    try:
        return model.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArenaError(f"Cannot read {path}: {error.strerror}.") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise ArenaError(f"{path} is damaged or of another version.") from error


def to_toml(config: Config, changed_only: bool = False) -> str:
    """The configuration as TOML, or of it what differs from the defaults; validated, either gives it back.

    Keys without a value are left out, as TOML has no null.
    """
    values = changes(config) if changed_only else config.model_dump(mode="json", exclude_none=True)
    return _table(values, "").lstrip("\n")


def changes(config: BaseModel) -> dict[str, Any]:
    """What a user has to write to get this configuration: values other than the defaults, and tags."""
    found: dict[str, Any] = {}
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        tag = get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1
        usual = kind_of({}) if tag else field.get_default(call_default_factory=True)
        needed = value != usual or (field.is_required() and not tag)
        if needed and value is not None:
            found[name] = _changed(value)
    return found


def _changed(value: Any) -> Any:
    match value:
        case BaseModel():
            return changes(value)
        case list() | tuple():
            return [_changed(item) for item in value]
        case _:
            return value


def _table(values: Mapping[str, Any], prefix: str) -> str:
    lines = [f"{_key(key)} = {_literal(value)}\n" for key, value in values.items() if not _is_tables(value)]
    for key, value in values.items():
        name = f"{prefix}.{_key(key)}" if prefix else _key(key)
        if isinstance(value, dict):
            lines.append(f"\n[{name}]\n{_table(value, name)}")
        elif _is_tables(value):
            lines += [f"\n[[{name}]]\n{_table(item, name)}" for item in value]
    return "".join(lines)


def _is_tables(value: Any) -> bool:
    """Whether it is written under a head of its own: a table, or a list of tables."""
    items = value if isinstance(value, list) else [value]
    return bool(items) and all(isinstance(item, dict) for item in items)


def _key(key: str) -> str:
    bare = key and all(char.isascii() and (char.isalnum() or char in "-_") for char in key)
    return key if bare else _literal(key)


def _literal(value: Any) -> str:
    match value:
        case list():
            return f"[{', '.join(_literal(item) for item in value)}]"
        case dict():
            return "{" + ", ".join(f"{_key(key)} = {_literal(item)}" for key, item in value.items()) + "}"
        case float() if value != value or value in (float("inf"), float("-inf")):
            return repr(value)
        case _:
            # JSON's strings, numbers and booleans are TOML's as well, but for DEL.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
