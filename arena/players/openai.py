"""Players behind OpenAI's API, or behind any server that speaks its chat completions: `openai:MODEL@BASE_URL`.

OpenAI itself never shows a thought here, it only counts its tokens; servers of others do show them.
"""

from __future__ import annotations

from functools import partial

from arena.players._api.player import ApiPlayer
from arena.players._api.provider import Provider, read_spec

PROVIDER = Provider(
    id="openai",
    title="A model of OpenAI's API, or of a server that speaks it",
    key_variable="OPENAI_API_KEY",
    base_url="https://api.openai.com/v1",
    max_tokens_field="max_completion_tokens",
    seed_field="seed",
    options=("seed", "reasoning_effort"),
)
INFO = PROVIDER.info
check = partial(read_spec, PROVIDER)
load = partial(ApiPlayer, PROVIDER)
