"""Text in LaTeX: whatever it is, it prints as itself."""

from __future__ import annotations

import unicodedata

from arena.core.sanitise import one_line

_TOKENS = {
    "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "$": "\\$", "&": "\\&", "#": "\\#", "%": "\\%", "_": "\\_",
    "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}",
    "|": "\\textbar{}", "`": "\\textasciigrave{}", '"': "\\char34{}", "'": "\\char39{}",
    "−": "$-$", "–": "\\textendash{}", "—": "\\textemdash{}", "…": "\\ldots{}", "×": "$\\times$", "±": "$\\pm$",
    "→": "$\\to$", "·": "$\\cdot$", "°": "$^\\circ$",
}  # fmt: skip
_ACCENTS = frozenset("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327")
_LETTERS = frozenset("ßæøåÆØÅœŒłŁ")


def escape(text: str) -> str:
    """The text as LaTeX that prints it, whatever it is, with no package and any TeX.

    What the default encoding has no letter for is printed as its code point.
    """
    line = one_line(text, 10_000)
    # An empty group parts what would join to a dash or an inverted mark, and starts what is no option of `\\`.
    parts = ["{}" if line[:1] in ("[", "*") else ""]
    for before, char in zip(" " + line, line, strict=False):
        parts.append("{}" * (char in "-,<>`" and char == before) + _letter(char))
    return "".join(parts)


def _letter(char: str) -> str:
    if char in _TOKENS:
        return _TOKENS[char]
    if char.isascii() or char in _LETTERS:
        return char
    parts = unicodedata.normalize("NFD", char)
    known = len(parts) == 2 and parts[0].isascii() and parts[1] in _ACCENTS
    return char if known else f"U+{ord(char):04X}"
