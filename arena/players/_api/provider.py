"""What differs between providers: one `Provider` each, in the player's own file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from arena.core.errors import UsageError
from arena.core.player import PlayerInfo
from arena.core.registry import PlayerSpec
from arena.players._api.endpoint import Endpoint, read_target
from arena.players._api.secrets import find_key
from arena.players._api.settings import COMMON, Settings, read_settings


def effort(settings: Settings) -> dict[str, Any]:
    """The field by which most of them let one say how much to think."""
    return {"reasoning_effort": settings.reasoning_effort} if settings.reasoning_effort else {}


@dataclass(frozen=True, slots=True)
class Provider:
    """How one provider's chat completions endpoint is spoken to."""

    id: str
    title: str
    key_variable: str
    base_url: str = ""
    """Where requests go unless the spec says; empty: the spec must say."""
    max_tokens_field: str = "max_tokens"
    seed_field: str = ""
    """Field that takes a seed; empty where none does."""
    options: tuple[str, ...] = ()
    """Options beyond `COMMON`."""
    reasoning: Callable[[Settings], dict[str, Any]] = effort
    """The fields that ask for thoughts and say how much to think."""
    also_named: Mapping[str, str] = field(default_factory=dict)
    """Words by which its errors may name a field that `reasoning` gives, and the field."""
    thought_kind: str = "raw"
    """What a thought is where the reply itself does not say."""

    @property
    def syntax(self) -> str:
        return f"{self.id}:MODEL[@BASE_URL]" if self.base_url else f"{self.id}:MODEL@URL"

    @property
    def info(self) -> PlayerInfo:
        return PlayerInfo(self.id, self.title, self.syntax, COMMON + self.options)


@dataclass(frozen=True, slots=True)
class Account:
    """A spec that was read: where its requests go, how they ask, and the key they carry."""

    endpoint: Endpoint
    settings: Settings
    key: str

    def __repr__(self) -> str:
        return f"Account({self.endpoint.model!r}, {self.endpoint.host!r})"


def read_spec(provider: Provider, spec: PlayerSpec) -> Account:
    """Check all of a spec without sending anything. Raises UsageError for what it gets wrong, or a missing key."""
    endpoint = read_target(spec.target, provider.base_url, provider.syntax)
    settings = read_settings(spec.options)
    key = find_key(provider.key_variable, spec.options, needed=not endpoint.own)
    named = {"key_env", "key_file"} & set(spec.options)
    if key and endpoint.clear and provider.base_url and not named:
        raise UsageError(
            f"{provider.key_variable} would cross the network unencrypted.",
            "Use an https address, or name the key that this server is to see with ?key_env=NAME.",
        )
    return Account(endpoint, settings, key)
