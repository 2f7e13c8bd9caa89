"""What a job's API players may spend: part of every configuration in which such players take part."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field

from arena.config.base import Config, validate
from arena.core.errors import UsageError
from arena.core.sanitise import is_text

LIMITS = ("max_cost", "max_tokens", "prices")
"""The fields, which a resume may change: they change no result."""


class LimitsConfig(Config):
    """Limits of a run in total, over all its API players; looked at before each request."""

    max_cost: Annotated[float | None, Field(ge=0)] = None
    """Most money that API players may cost together, in the currency of `prices`; None: no limit."""
    max_tokens: Annotated[int | None, Field(ge=0)] = None
    """Most tokens of API players together, prompts and completions; None: no limit."""
    prices: str | None = None
    """TOML file with the money per million tokens of each API player."""

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        """Let the limits come last, in forms and files too, though the fields of a base come first."""
        super().__pydantic_init_subclass__(**options)
        fields = cls.__pydantic_fields__
        for name in LIMITS:
            fields[name] = fields.pop(name)
        cls.model_rebuild(force=True)


L = TypeVar("L", bound=LimitsConfig)
C = TypeVar("C", bound=Config)


def with_limits(config: L, given: Mapping[str, Any]) -> L:
    """The configuration with those limits changed that are given. Raises UsageError for values that do not fit."""
    changed = given_limits(given)
    return config.model_copy(update=validate(LimitsConfig, changed, "limits").model_dump(include=set(changed)))


def given_limits(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the limits that have a value; a file of prices by its whole path, as a job may run elsewhere."""
    found = {name: given[name] for name in LIMITS if given.get(name) is not None}
    if "prices" in found:
        found["prices"] = _whole_path(found["prices"])
    return found


def with_whole_paths(config: C) -> C:
    """The configuration of a run to be: its job may run elsewhere, so a file of prices is named by its whole path."""
    if isinstance(config, LimitsConfig) and config.prices is not None:
        return config.model_copy(update={"prices": _whole_path(config.prices)})
    return config


def _whole_path(path: str) -> str:
    found = str(Path(os.path.expanduser(path)).absolute())
    if not is_text(found):
        raise UsageError(f"The name of the file {found} is no text.", "Give it a name in UTF-8.")
    return found


def limit_arguments(given: Mapping[str, Any]) -> list[str]:
    """The limits as arguments of a job that goes on; `add_limits` reads them."""
    return [f"--{name.replace('_', '-')}={value}" for name, value in given_limits(given).items()]


def add_limits(parser: argparse.ArgumentParser) -> None:
    """The limits as options of a job."""
    parser.add_argument("--max-cost", type=float, help="most money that API players may cost, from now on")
    parser.add_argument("--max-tokens", type=int, help="most tokens of API players, from now on")
    parser.add_argument("--prices", help="TOML file with the prices of API players")
