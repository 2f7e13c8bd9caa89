"""Prompt styles: one file turns rules and observation into the text that a model reads. The file name is the id."""

from __future__ import annotations

from typing import Protocol


class Chat(Protocol):
    """What a style may ask of a tokenizer."""

    def chat(self, messages: list[dict[str, str]]) -> str:
        """The messages in the model's own chat format, with the opening of its reply."""


class Style(Protocol):
    """What a module of this package is."""

    def build(self, rules: str, observation: str, tokenizer: Chat, illegal: str = "") -> str:
        """The whole input for one reply; `illegal` says why the last attempt at this turn was refused."""

    def converse(self, messages: list[dict[str, str]], tokenizer: Chat) -> str:
        """The whole input for the next reply of a conversation (role and content) that another program keeps."""


def retry_line(illegal: str) -> str:
    """One line about a refused reply, with its line end; empty at the first attempt."""
    return f"Your last reply was refused: {' '.join(illegal.split())}\n" if illegal else ""


def line_ended(text: str) -> str:
    """The text with a line end, where it has none yet."""
    return text if text.endswith("\n") else text + "\n"
