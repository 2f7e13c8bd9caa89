"""Talk is one harmless line, and no control string of a known family reaches a server whole."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from injections import CORPUS, PIECES, TOKENS

from arena.core.quote import safe_line, without_tags
from arena.core.sanitise import plain

ANY_TEXT = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))


def assert_safe(text: str) -> None:
    line = safe_line(text)
    assert safe_line(line) == line
    assert plain(line) == line
    assert len(line.splitlines()) <= 1
    assert not set(line) & set('"<{}\\')
    assert ">" not in line.replace("->", "")
    assert "''" not in line
    assert not {char for char in line if unicodedata.category(char) in ("Ps", "Pe", "Pi", "Pf")} - set("()[]")


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_hostile_talk_becomes_a_harmless_line(text: str) -> None:
    assert_safe(text)


@settings(max_examples=500, deadline=None)
@given(ANY_TEXT)
def test_any_text_becomes_a_harmless_line(text: str) -> None:
    assert_safe(text)


def test_every_character_becomes_a_harmless_one() -> None:
    for start in range(0, 0x110000, 64):
        assert_safe(" ".join(map(chr, range(start, start + 64))))


def test_ordinary_talk_and_moves_stay_as_they_are() -> None:
    for text in ("I'd say: 2/3 of it (or 50 %), d'accord?", "[Offer: 2 Wood -> 1 Gold]", "Это правда! 你好。 ¿Sí? 🙂"):
        assert safe_line(text) == unicodedata.normalize("NFKC", text)


def test_look_alikes_are_read_as_what_they_look_like() -> None:
    assert safe_line("“a” ″b″ «c» 【d】 ⟨e⟩ ﹛f﹜ ＜g＞ ''h''") == "'a' 'b' 'c' (d) (e) (f) (g) 'h'"


@pytest.mark.parametrize("token", TOKENS)
def test_every_known_control_string_is_broken_up(token: str) -> None:
    for text in (token, f"a{token}b", token * 3, f"<{token}>", f"[{token}]", token[:3] + token + token[3:]):
        assert token not in without_tags(text), text
        assert without_tags(text).replace(" ", "") == text.replace(" ", "")


@settings(max_examples=500, deadline=None)
@given(ANY_TEXT)
def test_breaking_up_is_done_at_once_and_only_adds_spaces(text: str) -> None:
    broken = without_tags(text)
    assert without_tags(broken) == broken
    assert broken.replace(" ", "") == text.replace(" ", "")
    assert not [token for token in TOKENS if token in broken]


@pytest.mark.parametrize(
    "text", ["[bet] or [Fact 1]?", "a < b and b > c", "\\boxed{[4]}", "[Offer: 2 Wood -> 1 Gold]", "X | O | .", "<=>"]
)
def test_what_is_no_control_string_stays(text: str) -> None:
    assert without_tags(text) == text


def test_roles_written_as_words_are_no_longer_the_template_s() -> None:
    assert without_tags("USER: hi Assistant: yes") == "USER : hi Assistant : yes"
    assert without_tags("the user: me") == "the user: me"
