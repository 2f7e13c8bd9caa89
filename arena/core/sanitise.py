"""The one function through which text of models, players, files and servers reaches a terminal."""

from __future__ import annotations

_TABLE: dict[int, str] = {code: chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A)}
_TABLE[0x7F] = "\u2421"
_TABLE |= {code: "\ufffd" for code in range(0x80, 0xA0)}
_INVISIBLE = (
    *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0),
    *range(0x180B, 0x1810), *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070),
    *range(0xFFF0, 0xFFFC), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE0100),
    *range(0xE01F0, 0xE1000),
)  # fmt: skip
"""Whatever Unicode lets a display leave out, and tags, which can spell whole sentences that nobody sees."""
_TABLE |= dict.fromkeys((*_INVISIBLE, *range(0xD800, 0xE000)), "\ufffd")
# Variation selectors: terminals disagree on their width, and the second range can carry hidden bytes.
_TABLE |= dict.fromkeys((*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)), "")
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_NOTHING = dict.fromkeys((*_TABLE, 0x09, 0x0A))


def plain(text: str, limit: int = 100_000) -> str:
    """Make control, bidi and zero-width characters visible; cut to `limit` characters, saying how many were cut."""
    cut = len(text) - limit
    if cut > 0:
        text = text[:limit]
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_TABLE)
    return f"{text}… ({cut} more characters)" if cut > 0 else text


def is_text(text: str) -> bool:
    """Whether it can be written as UTF-8: bytes of a command line or a file's name that are none of it cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def one_line(text: str, limit: int = 200) -> str:
    """`plain`, with every run of white space folded to one space: for names, quotes and error lines."""
    return plain(" ".join(text.split()), limit)


def spreadsheet_text(text: str) -> str:
    """`one_line`, with an apostrophe before what a spreadsheet would take for something to compute."""
    text = one_line(text, 10_000)
    return f"'{text}" if text.startswith(_FORMULA) else text


def without_controls(text: str) -> str:
    """What `plain` would make visible, and tabs and line ends, left out: for text whose width is settled already."""
    return text.translate(_NOTHING)
