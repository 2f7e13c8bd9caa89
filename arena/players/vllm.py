"""Players behind a vLLM server of one's own: `vllm:MODEL@http://HOST:8000`.

Thoughts stand in `reasoning` (newer servers), `reasoning_content` (older ones), or between tags in the text where the
server has no reasoning parser. `thinking` goes to the model's chat template.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from arena.players._api.player import ApiPlayer
from arena.players._api.provider import Provider, effort, read_spec
from arena.players._api.settings import Settings


def _reasoning(settings: Settings) -> dict[str, Any]:
    fields = effort(settings)
    if settings.thinking is not None:
        fields["chat_template_kwargs"] = {"enable_thinking": settings.thinking}
    return fields


PROVIDER = Provider(
    id="vllm",
    title="A model of a vLLM server of your own",
    key_variable="VLLM_API_KEY",
    seed_field="seed",
    options=("seed", "reasoning_effort", "thinking"),
    reasoning=_reasoning,
)
INFO = PROVIDER.info
check = partial(read_spec, PROVIDER)
load = partial(ApiPlayer, PROVIDER)
