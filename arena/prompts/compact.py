r"""The style of the bundled model: the observation and a line end, nothing else.

The model then writes `<think>…</think>\boxed{…}`. It has never seen a retry, so a retry changes nothing.
"""

from __future__ import annotations

from arena.prompts import Chat


def build(rules: str, observation: str, tokenizer: Chat, illegal: str = "") -> str:
    return observation + "\n"
