"""Players behind Gemini's API, at its address for clients of OpenAI's.

A field that it does not know is an error, and it knows no seed. What it shows of a thought is a summary, asked for
unless `thinking=false`, and written into the text between tags. Its errors come as an array of one.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from arena.players._api.player import ApiPlayer
from arena.players._api.provider import Provider, effort, read_spec
from arena.players._api.settings import Settings


def _reasoning(settings: Settings) -> dict[str, Any]:
    fields = effort(settings)
    if settings.thinking is not False:
        fields["extra_body"] = {"google": {"thinking_config": {"include_thoughts": True}}}
    return fields


PROVIDER = Provider(
    id="gemini",
    title="A model of Google's Gemini API",
    key_variable="GEMINI_API_KEY",
    base_url="https://generativelanguage.googleapis.com/v1beta/openai",
    options=("reasoning_effort", "thinking"),
    reasoning=_reasoning,
    also_named=dict.fromkeys(("thinking_config", "include_thoughts", "thinking"), "extra_body"),
    thought_kind="summary",
)
INFO = PROVIDER.info
check = partial(read_spec, PROVIDER)
load = partial(ApiPlayer, PROVIDER)
