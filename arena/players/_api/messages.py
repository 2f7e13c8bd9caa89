"""What an API's model reads, and how many tokens that can be."""

from __future__ import annotations

from typing import cast

from arena.core.player import View
from arena.core.quote import without_tags
from arena.core.registry import load_part
from arena.prompts import Style

Message = dict[str, str]
_BYTES_A_TOKEN = 3
_TOKENS_A_MESSAGE = 16


class _Recorder:
    """Stands where a style asks for a tokenizer, and keeps the messages that it would render."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def chat(self, messages: list[Message]) -> str:
        self.messages = list(messages)
        return ""


def build_messages(style: str, view: View) -> list[Message]:
    """The messages of a prompt style: those that it gives a chat template, or its text as the user's turn.

    Control strings of any family are broken up: the server's template and tokenizer would take them for its own.
    """
    recorder = _Recorder()
    rules, observation, illegal = map(without_tags, (view.rules, view.observation, view.illegal))
    text = cast(Style, load_part("arena.prompts", "prompt style", style)).build(rules, observation, recorder, illegal)
    return recorder.messages or [{"role": "user", "content": text}]


def upper_tokens(messages: list[Message]) -> int:
    """More tokens than the messages can well be."""
    size = sum(len(message["content"].encode("utf-8", "replace")) for message in messages)
    return size // _BYTES_A_TOKEN + _TOKENS_A_MESSAGE * len(messages)
