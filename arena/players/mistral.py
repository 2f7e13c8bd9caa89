"""Players behind Mistral's API.

Its requests are strict: a field that it does not know is an error, so the names here are its own. Models that reason
answer with a list of typed parts; `reasoning_effort` (none, high) turns that on.
"""

from __future__ import annotations

from typing import Any

from arena.core.registry import PlayerSpec
from arena.players._api.player import ApiPlayer
from arena.players._api.provider import Provider, read_spec
from arena.players._api.settings import Settings


def _reasoning(settings: Settings) -> dict[str, Any]:
    return {"reasoning_effort": settings.reasoning_effort} if settings.reasoning_effort else {}


PROVIDER = Provider(
    id="mistral",
    title="A model of Mistral's API",
    key_variable="MISTRAL_API_KEY",
    base_url="https://api.mistral.ai/v1",
    seed_field="random_seed",
    options=("seed", "reasoning_effort"),
    reasoning=_reasoning,
)
INFO = PROVIDER.info


def check(spec: PlayerSpec) -> None:
    """Raise UsageError for what the spec gets wrong, or a missing key; sends nothing."""
    read_spec(PROVIDER, spec)


def load(spec: PlayerSpec) -> ApiPlayer:
    """Build the player. Raises UsageError."""
    return ApiPlayer(PROVIDER, spec)
