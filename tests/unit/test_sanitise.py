"""What reaches a terminal is plain: no control, bidi or invisible characters, and never without end."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.core.sanitise import one_line, plain

HIDDEN = "\u061c\u00ad\ufeff\u200b\u200d\u200e\u200f\u2028\u2029\u202a\u202e\u2060\u2066\u2069\u180e\ufff9\U000e0041"


@pytest.mark.parametrize("char", [*map(chr, range(0x20)), "\x7f", *map(chr, range(0x80, 0xA0)), *HIDDEN, "\ud800"])
def test_harmful_characters_are_replaced_by_visible_ones(char: str) -> None:
    shown = plain(f"a{char}b")
    if char in "\t\n":
        assert shown == f"a{char}b"
    elif char == "\r":
        assert shown == "a\nb"
    else:
        assert char not in shown
        assert len(shown) == 3


def test_an_escape_sequence_cannot_reach_the_terminal() -> None:
    assert plain("\x1b[31mred\x1b]0;title\x07") == "\u241b[31mred\u241b]0;title\u2407"


def test_line_ends_become_newlines() -> None:
    assert plain("a\r\nb\rc\n") == "a\nb\nc\n"


def test_ordinary_text_is_left_alone() -> None:
    text = "Grüße, 世界! émile [4] <b> 🙂 → −1\n\tnext"
    assert plain(text) == text


def test_long_text_is_cut_and_says_by_how_much() -> None:
    assert plain("x" * 30, limit=10) == "x" * 10 + "… (20 more characters)"
    assert plain("x" * 10, limit=10) == "x" * 10
    assert len(plain("x" * 200_000)) < 100_100


@given(st.text(st.characters(codec=None)))
def test_nothing_harmful_is_left(text: str) -> None:
    shown = plain(text)
    categories = {unicodedata.category(char) for char in shown if char not in "\t\n"}
    assert not categories & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(shown) & set(HIDDEN)
    assert plain(shown) == shown


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    line = one_line(text, limit=50)
    assert len(line.splitlines()) <= 1
    assert line.split(" ") == line.split() or line == ""
    assert len(line) <= 50 + len("… (999999 more characters)")


def test_one_line_folds_white_space() -> None:
    assert one_line("  a\n\n b\t c\r\nd ") == "a b c d"
    assert one_line("x" * 300).startswith("x" * 200 + "…")
