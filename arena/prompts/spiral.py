r"""As SPIRAL's release asks: one user turn, reasoning step by step, `\boxed{}` at the end."""

from __future__ import annotations

from arena.prompts import Chat, retry_line


def build(rules: str, observation: str, tokenizer: Chat, illegal: str = "") -> str:
    asked = (
        f"You are one of two players in a zero-sum game.\n\n{rules}\n\nThe position now:\n{observation}\n\n"
        f"{retry_line(illegal)}Work out your move step by step, then give it, and only it, inside \\boxed{{}}."
    )
    return tokenizer.chat([{"role": "user", "content": asked}])


def converse(messages: list[dict[str, str]], tokenizer: Chat) -> str:
    return tokenizer.chat(messages)
