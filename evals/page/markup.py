"""Pieces of HTML and SVG. Whatever a text holds, it is shown as itself: made visible first, then escaped."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any

from arena.core.sanitise import one_line, plain

_NAME = 400


def text(value: object, limit: int = _NAME) -> str:
    """One line of text as HTML."""
    return html.escape(one_line(str(value), limit))


def name(value: object, limit: int = _NAME) -> str:
    """A name from outside as HTML: letters that run from right to left move nothing around it."""
    return f"<bdi>{text(value, limit)}</bdi>"


def short(value: object, width: int) -> str:
    """A name cut to `width` characters in its middle, as HTML or SVG."""
    line = one_line(str(value), _NAME)
    if len(line) > width:
        half = (width - 1) // 2
        line = f"{line[: width - 1 - half]}…{line[len(line) - half :]}"
    return html.escape(line)


def tag(kind: str, *content: str, **attributes: object) -> str:
    """An element; content is HTML already, attribute values are texts. `class_` is written `class`, `_` as `-`."""
    parts = [kind]
    for key, value in attributes.items():
        if value is not None and value is not False:
            written = key.rstrip("_").replace("_", "-")
            parts.append(written if value is True else f'{written}="{html.escape(_attribute(value))}"')
    return f"<{' '.join(parts)}>{''.join(content)}</{kind}>"


def _attribute(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else plain(str(value), 10_000)


def data(value: Any) -> str:
    """JSON that can stand in a `<script>` element: nothing in it ends the element or starts a comment."""
    written = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return written.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def lines(parts: Iterable[str]) -> str:
    return "\n".join(part for part in parts if part)
