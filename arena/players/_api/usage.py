"""What a reply says that it took."""

from __future__ import annotations

import json
from typing import Any

from arena.core.player import Usage
from arena.players._api.messages import upper_tokens

_MOST = 1_000_000_000


def read_usage(data: dict[str, Any], most: Usage) -> Usage:
    """The tokens of a reply; where it does not tell, those of the prompt at `most`, and of what can be seen of it.

    Thought tokens are part of the completion. Some servers leave them out of it and count them in the total alone.
    """
    usage = data.get("usage")
    if not isinstance(usage, dict):
        return _seen(data, most)
    prompt = _count(usage.get("prompt_tokens"))
    completion = _count(usage.get("completion_tokens"))
    if prompt is None or completion is None:
        return _seen(data, most)
    details = usage.get("completion_tokens_details")
    reasoning = _count(details.get("reasoning_tokens")) if isinstance(details, dict) else None
    if reasoning is None:
        reasoning = _count(usage.get("reasoning_tokens"))
    total = _count(usage.get("total_tokens")) or 0
    uncounted = max(0, total - prompt - completion)
    return Usage(prompt, completion + uncounted, max(reasoning or 0, uncounted))


def _seen(data: dict[str, Any], most: Usage) -> Usage:
    seen = upper_tokens([{"content": json.dumps(data["choices"][0].get("message"), ensure_ascii=False)}])
    return Usage(most.prompt_tokens, min(most.completion_tokens, seen))


def _count(value: object) -> int | None:
    """A sane number of tokens, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST:
        return None
    return int(value)
