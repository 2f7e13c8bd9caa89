r"""The style of the bundled model: the observation and a line end, nothing else.

The model then writes `<think>…</think>\boxed{…}`. It has never seen a retry, so a retry changes nothing.
"""

from __future__ import annotations

from arena.prompts import Chat, line_ended


def build(rules: str, observation: str, tokenizer: Chat, illegal: str = "") -> str:
    return observation + "\n"


def converse(messages: list[dict[str, str]], tokenizer: Chat) -> str:
    """What the user said last: the model has seen neither rules nor earlier turns."""
    said = [message["content"] for message in messages if message["role"] == "user"]
    return line_ended(said[-1] if said else messages[-1]["content"])
