"""Players behind OpenAI's API, or behind any server that speaks its chat completions: `openai:MODEL@BASE_URL`.

OpenAI itself never shows a thought here, it only counts its tokens; servers of others do show them.
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
    id="openai",
    title="A model of OpenAI's API, or of a server that speaks it",
    key_variable="OPENAI_API_KEY",
    base_url="https://api.openai.com/v1",
    max_tokens_field="max_completion_tokens",
    seed_field="seed",
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
