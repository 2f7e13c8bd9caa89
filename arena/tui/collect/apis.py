"""Players behind APIs as choices of a form: which there are, and which have their key in the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

from arena.core.registry import discover, player_module


@dataclass(frozen=True, slots=True)
class Api:
    """A backend that asks a server."""

    id: str
    title: str
    syntax: str
    key_variable: str
    """Environment variable with its key."""
    needs_key: bool
    """Whether it is asked with a key alone."""

    @property
    def ready(self) -> bool:
        """Whether its key is there, where it needs one. The key itself is not kept."""
        return not self.needs_key or bool(os.environ.get(self.key_variable, "").strip())

    @property
    def begins(self) -> str:
        """How its specs begin."""
        return f"{self.id}:"

    @property
    def about(self) -> str:
        """Whether it can be asked, and what it is."""
        return f"{'ready' if self.ready else f'set {self.key_variable}'} · {self.title}"

    @property
    def template(self) -> str:
        """A spec with words in the place of what the user has to name."""
        return self.syntax.partition("[")[0]


@cache
def find_apis() -> tuple[Api, ...]:
    """Every backend with a provider."""
    found = []
    for name in discover("arena.players"):
        module = player_module(name)
        if (provider := getattr(module, "PROVIDER", None)) is not None:
            needs_key = bool(provider.base_url)
            found.append(Api(name, module.INFO.title, module.INFO.syntax, provider.key_variable, needs_key))
    return tuple(found)


def is_api(spec: str) -> bool:
    """Whether a player's spec names a model behind an API."""
    head, colon, _ = spec.partition(":")
    return bool(colon) and any(api.id == head for api in find_apis())
