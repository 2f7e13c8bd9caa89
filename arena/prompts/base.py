"""The style of base models, which continue plain text: headed sections, the last one left open for the thought."""

from __future__ import annotations

from arena.prompts import Chat, line_ended, retry_line


def build(rules: str, observation: str, tokenizer: Chat, illegal: str = "") -> str:
    return (
        f"Rules\n{rules}\n\nPosition\n{observation}\n{retry_line(illegal)}\n"
        "What the player to move thinks, and then the answer in \\boxed{}\n"
    )


def converse(messages: list[dict[str, str]], tokenizer: Chat) -> str:
    return line_ended("\n\n".join(message["content"] for message in messages))
