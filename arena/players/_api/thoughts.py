"""Where the APIs put a model's thought, and one rule to find it.

In this order: the typed parts of a content list; the message's `reasoning_details`, `reasoning`, `reasoning_content`;
think tags in the text, with or without their opener; the text before the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from arena.core.answer import split_reply

LONGEST = 200_000
"""Characters of a text, a thought or an answer that are kept; no honest reply comes near. All of it is read."""
_FIELDS = ("reasoning_details", "reasoning", "reasoning_content")
_DEEPEST = 6


class Thought(NamedTuple):
    """A reply taken apart."""

    text: str
    """What the model wrote for all to see, think tags included."""
    thought: str
    answer: str
    source: str
    kind: str


def capture(message: Mapping[str, Any], kind: str, reasoning_tokens: int = 0) -> Thought:
    """Take an API's message apart. `kind` is what its provider's thoughts are where the message does not say.

    A thought in a field of its own or in tags is raw or a summary. Where there is none of these, but tokens were
    counted for reasoning, it is hidden, whatever the reply says before its answer.
    """
    text, reasoning, source = _content(message.get("content"))
    if not reasoning:
        for name in _FIELDS:
            reasoning, found = _reasoning(message.get(name))
            if reasoning:
                source, kind = name, found or kind
                break
    text = text.replace("<thought>", "<think>", 1).replace("</thought>", "</think>", 1)
    parts = split_reply(text, reasoning)
    if not reasoning.strip():
        tagged = "</think>" in text or "<think>" in text
        source = ("think" if tagged else "text") if parts.thought else ""
        if source != "think":
            kind = "hidden" if reasoning_tokens > 0 else "raw" if source else "none"
    return Thought(_kept(text), _kept(parts.thought), _kept(parts.answer), source, kind)


def _content(content: object) -> tuple[str, str, str]:
    """Text, thought and the thought's source of a message's content: a text, or a list of typed parts."""
    if not isinstance(content, list):
        return _text(content), "", ""
    texts: list[str] = []
    thoughts: list[str] = []
    for part in content:
        kind = str(part.get("type", "")) if isinstance(part, dict) else ""
        thinks = "think" in kind or "reason" in kind
        (thoughts if thinks else texts).append(_text(part))
    thought = "\n".join(filter(None, thoughts))
    return "".join(texts), thought, "content" if thought.strip() else ""


def _reasoning(value: object) -> tuple[str, str]:
    """The text of a reasoning field, and its kind where its parts say so."""
    if not isinstance(value, list):
        return _text(value), ""
    kinds = [str(part.get("type", "")) if isinstance(part, dict) else "" for part in value]
    text = "\n".join(filter(None, map(_text, value)))
    return text, "summary" if text and all(kind.endswith(("summary", "encrypted")) for kind in kinds) else ""


def _text(value: object, depth: int = 0) -> str:
    """All the text in a part, whatever its shape; an encrypted thought's data is none."""
    if isinstance(value, str):
        return value
    if depth >= _DEEPEST:
        return ""
    if isinstance(value, list):
        return "".join(_text(item, depth + 1) for item in value)
    if isinstance(value, dict):
        names = ("text", "thinking", "summary", "reasoning", "content")
        return next((found for name in names if (found := _text(value.get(name), depth + 1))), "")
    return ""


def _kept(text: str) -> str:
    """Text that a database takes: no halves of characters, and not without end."""
    return text[:LONGEST].encode("utf-8", "replace").decode()
