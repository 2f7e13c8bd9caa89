"""Where an API's thought is found, and what it is called."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.core.answer import split_reply
from arena.players._api.thoughts import LONGEST, capture

LIST = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "the corner"}, {"type": "text", "text": " is free"}]},
    {"type": "text", "text": "I take it: "},
    {"type": "text", "text": "\\boxed{0}"},
]
DETAILS = [{"type": "reasoning.text", "text": "raw one"}, {"type": "reasoning.text", "text": "raw two"}]
SUMMARY = [{"type": "reasoning.summary", "summary": "in short"}, {"type": "reasoning.encrypted", "data": "c2Vj"}]

GOLDEN: list[tuple[str, dict[str, Any], tuple[str, str, str, str]]] = [
    ("list", {"content": LIST}, ("the corner is free", "0", "content", "raw")),
    ("list wins", {"content": LIST, "reasoning": "other"}, ("the corner is free", "0", "content", "raw")),
    ("texts alone", {"content": LIST[1:]}, ("I take it:", "0", "text", "raw")),
    ("details", {"content": "\\boxed{1}", "reasoning_details": DETAILS, "reasoning": "x"},
     ("raw one\nraw two", "1", "reasoning_details", "raw")),
    ("summary", {"content": "\\boxed{1}", "reasoning_details": SUMMARY},
     ("in short", "1", "reasoning_details", "summary")),
    ("encrypted alone", {"content": "\\boxed{1}", "reasoning_details": SUMMARY[1:], "reasoning": "seen"},
     ("seen", "1", "reasoning", "raw")),
    ("reasoning", {"content": "\\boxed{2}", "reasoning": "new", "reasoning_content": "old"},
     ("new", "2", "reasoning", "raw")),
    ("reasoning_content", {"content": "\\boxed{2}", "reasoning": None, "reasoning_content": "old"},
     ("old", "2", "reasoning_content", "raw")),
    ("tags", {"content": "<think>a\nb</think>\n\\boxed{3}"}, ("a\nb", "3", "think", "raw")),
    ("no opener", {"content": "a b</think>\\boxed{3}"}, ("a b", "3", "think", "raw")),
    ("unclosed", {"content": "<think>a \\boxed{3}"}, ("a \\boxed{3}", "", "think", "raw")),
    ("nested", {"content": "<think>a <think>b</think> c</think>\\boxed{3}"},
     ("a <think>b</think> c", "3", "think", "raw")),
    ("thought tags", {"content": "<thought>why</thought>\\boxed{3}"}, ("why", "3", "think", "raw")),
    ("field and tags", {"content": "<think>x</think>\\boxed{3}", "reasoning": "y"}, ("y", "3", "reasoning", "raw")),
    ("text", {"content": "Because.\n\\boxed{4}"}, ("Because.", "4", "text", "raw")),
    ("answer alone", {"content": "[4]"}, ("", "[4]", "", "none")),
    ("blank field", {"content": "[4]", "reasoning": "  "}, ("", "[4]", "", "none")),
    ("nothing", {"content": None}, ("", "", "", "none")),
    ("empty", {}, ("", "", "", "none")),
    ("thought without text", {"content": "", "reasoning_content": "long"}, ("long", "", "reasoning_content", "raw")),
]  # fmt: skip


@pytest.mark.parametrize(("message", "found"), [case[1:] for case in GOLDEN], ids=[case[0] for case in GOLDEN])
def test_the_thought_is_found_where_it_is(message: dict[str, Any], found: tuple[str, str, str, str]) -> None:
    seen = capture(message, "raw")
    assert (seen.thought, seen.answer, seen.source, seen.kind) == found


def test_a_provider_that_shows_summaries_is_believed() -> None:
    assert capture({"content": "<thought>why</thought>\\boxed{3}"}, "summary").kind == "summary"
    assert capture({"content": "[4]"}, "summary").kind == "none"
    assert capture({"content": "Because.\n[4]"}, "summary").kind == "raw"


def test_tokens_that_were_counted_but_not_shown_are_a_hidden_thought() -> None:
    assert capture({"content": "[4]"}, "raw", 900)[2:] == ("[4]", "", "hidden")
    assert capture({"content": "Because.\n[4]"}, "raw", 900)[1:] == ("Because.", "[4]", "text", "hidden")
    assert capture({"content": "[4]", "reasoning": "seen"}, "raw", 900).kind == "raw"


@given(st.text(max_size=80))
def test_plain_text_goes_the_way_of_every_other_reply(text: str) -> None:
    seen = capture({"content": text}, "raw")
    if "<thought>" not in text and "</thought>" not in text:
        assert (seen.thought, seen.answer) == split_reply(text)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "thinking", "summary", "content"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["content", "reasoning", "reasoning_details", "reasoning_content"]), _json))
def test_no_shape_of_a_message_breaks_it(message: dict[str, Any]) -> None:
    seen = capture(message, "raw")
    assert all(isinstance(part, str) for part in seen)


def test_text_is_cut_where_no_honest_reply_comes_near_and_holds_no_half_characters() -> None:
    seen = capture({"content": "x" * 3_000_000, "reasoning": "y" * 3_000_000}, "raw")
    assert (len(seen.text), len(seen.thought), len(seen.answer)) == (LONGEST, LONGEST, LONGEST)
    assert capture({"content": "x" * 3_000_000 + "\n\\boxed{4}"}, "raw").answer == "4"
    seen = capture(json.loads('{"content": "a\\ud800 \\\\boxed{4\\udfff}", "reasoning": "\\ud83d"}'), "raw")
    for part in seen:
        part.encode()
    assert "a" in seen.text
