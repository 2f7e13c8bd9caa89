"""Players behind OpenRouter, which leads to the models of many providers: `openrouter:VENDOR/MODEL`.

Thoughts come in typed parts, which say whether they are raw or a summary. `reasoning_effort` and `thinking` go into
one field, `reasoning`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from arena.players._api.player import ApiPlayer
from arena.players._api.provider import Provider, read_spec
from arena.players._api.settings import Settings


def _reasoning(settings: Settings) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if settings.thinking is not None:
        asked["enabled"] = settings.thinking
    if settings.reasoning_effort:
        asked["effort"] = settings.reasoning_effort
    return {"reasoning": asked} if asked else {}


PROVIDER = Provider(
    id="openrouter",
    title="A model of any provider, through OpenRouter",
    key_variable="OPENROUTER_API_KEY",
    base_url="https://openrouter.ai/api/v1",
    seed_field="seed",
    options=("seed", "reasoning_effort", "thinking"),
    reasoning=_reasoning,
)
INFO = PROVIDER.info
check = partial(read_spec, PROVIDER)
load = partial(ApiPlayer, PROVIDER)
