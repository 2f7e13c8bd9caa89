"""The style of instruction-tuned models: rules as the system's turn, the position as the user's."""

from __future__ import annotations

from arena.prompts import Chat, retry_line


def build(rules: str, observation: str, tokenizer: Chat, illegal: str = "") -> str:
    asked = f"{observation}\n\n{retry_line(illegal)}It is your turn. Put your answer in \\boxed{{}}."
    return tokenizer.chat([{"role": "system", "content": rules}, {"role": "user", "content": asked}])


def converse(messages: list[dict[str, str]], tokenizer: Chat) -> str:
    return tokenizer.chat(messages)
