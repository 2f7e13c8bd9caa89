"""Players behind Mistral's API.

Its requests are strict: a field that it does not know is an error, so the names here are its own. Models that reason
answer with a list of typed parts; `reasoning_effort` (none, high) turns that on.
"""

from __future__ import annotations

from functools import partial

from arena.players._api.player import ApiPlayer
from arena.players._api.provider import Provider, read_spec

PROVIDER = Provider(
    id="mistral",
    title="A model of Mistral's API",
    key_variable="MISTRAL_API_KEY",
    base_url="https://api.mistral.ai/v1",
    seed_field="random_seed",
    options=("seed", "reasoning_effort"),
)
INFO = PROVIDER.info
check = partial(read_spec, PROVIDER)
load = partial(ApiPlayer, PROVIDER)
