"""Taking replies apart, and reading the one action that an answer names."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.core.answer import Parts, match_action, split_reply
from arena.core.game import Illegal

POKER = ("[check]", "[bet]", "[fold]", "[call]")


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("<think>plan</think>\\boxed{[4]}", "plan", "[4]"),
        ("plan</think>\n\\boxed{[4]}", "plan", "[4]"),
        ("<think>plan</think>\n[4]", "plan", "[4]"),
        ("plan first, so \\boxed{[4]}", "plan first, so", "[4]"),
        ("plan\nfurther\n[4]", "plan\nfurther", "[4]"),
        ("[4]", "", "[4]"),
        ("", "", ""),
        ("  \n ", "", ""),
        ("<think>maybe \\boxed{[1]}</think>\\boxed{[2]}", "maybe \\boxed{[1]}", "[2]"),
        ("a</think>b</think>[2]", "a</think>b", "[2]"),
        ("\\boxed{[1]} no, \\boxed{[2]}", "\\boxed{[1]} no,", "[2]"),
        ("\\boxed{[1]} and \\boxed{[2", "", "[1]"),
        ("x \\boxed{\\text{bet}}", "x", "bet"),
        ("x \\boxed{\\textbf{[bet]}}", "x", "[bet]"),
        ("x \\boxed{ [bet] } and that is it", "x", "[bet]"),
        ("x \\boxed{a{b}c}", "x", "a{b}c"),
        ("x \\boxed{}", "x", ""),
    ],
)
def test_a_reply_is_thought_and_answer(text: str, thought: str, answer: str) -> None:
    assert split_reply(text) == Parts(thought, answer)


def test_a_thought_that_never_ends_has_no_answer() -> None:
    assert split_reply("<think>perhaps \\boxed{[4]}, or") == Parts("perhaps \\boxed{[4]}, or", "")


def test_the_reasoning_field_of_an_api_is_the_thought() -> None:
    assert split_reply("So \\boxed{[4]}", "because of the corner") == Parts("because of the corner", "[4]")
    assert split_reply("So \\boxed{[4]}", "  ") == Parts("So", "[4]")


@given(st.text(alphabet="\\boxed{}[]think</>\n 4"))
def test_any_text_can_be_taken_apart(text: str) -> None:
    thought, answer = split_reply(text)
    assert thought == thought.strip()
    assert answer == answer.strip()


def last_box(text: str) -> str | None:
    """What the last balanced box holds, found by trying one after the other."""
    start = text.rfind("\\boxed{")
    while start >= 0:
        depth, begin = 0, start + len("\\boxed")
        for end in range(begin, len(text)):
            depth += (text[end] == "{") - (text[end] == "}")
            if depth == 0:
                return text[begin + 1 : end].strip()
        start = text.rfind("\\boxed{", 0, start)
    return None


@given(st.lists(st.sampled_from(["\\boxed{", "{", "}", "a", "\\", "boxed", "\n"]), max_size=30).map("".join))
def test_the_answer_is_the_last_balanced_box(text: str) -> None:
    found = last_box(text)
    assert split_reply(text).answer == (text.strip().rpartition("\n")[2].strip() if found is None else found)


@pytest.mark.parametrize("piece", ["\\boxed{", "\\boxed{}", "{", "}", "</think>", "a\n", "["])
def test_a_flood_is_taken_apart_in_time(piece: str) -> None:
    began = time.monotonic()
    assert split_reply(piece * (3_000_000 // len(piece)) + "\n\\boxed{[4]}").answer == "[4]"
    assert time.monotonic() - began < 10


def test_a_long_answer_is_refused_and_a_reason_stays_short() -> None:
    for answer in ("[4] " * 5_000, "x" * 20_000, " ".join(f"[{n}]" for n in range(2_000)), "[a] [b]" * 1_000):
        refusal = match_action(answer, ["[4]"])
        assert isinstance(refusal, Illegal)
        assert len(refusal.reason) < 500


@given(st.text(alphabet="abc []{}4\n"), st.sampled_from(POKER))
def test_a_boxed_answer_after_a_closed_thought_is_always_found(thought: str, action: str) -> None:
    assert split_reply(f"<think>{thought}</think>\\boxed{{{action}}}").answer == action


@pytest.mark.parametrize(
    ("answer", "action"),
    [
        ("[bet]", "[bet]"),
        ("[BET]", "[bet]"),
        ("bet", "[bet]"),
        ("  Bet. ", "[bet]"),
        ("I bet", "[bet]"),
        ("[ bet ]", "[bet]"),
        ("[bet] [Bet]", "[bet]"),
        ("I could check, but [bet]", "[bet]"),
    ],
)
def test_one_action_is_read_in_any_dress(answer: str, action: str) -> None:
    assert match_action(answer, POKER[:2], POKER) == action


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("[raise]", "names no action"),
        ("hello", "names no action"),
        ("better", "names no action"),
        ("[bet] [check]", "several actions ([bet] [check])"),
        ("check or bet", "several actions"),
        ("[bet] [raise]", "several actions"),
        ("[fold]", "[fold] is not legal now; choose one of [check] [bet]"),
        ("fold", "[fold] is not legal now"),
        ("bet, do not fold", "several actions"),
    ],
)
def test_no_or_several_or_illegal_actions_are_refused_with_the_reason(answer: str, words: str) -> None:
    refusal = match_action(answer, POKER[:2], POKER)
    assert isinstance(refusal, Illegal)
    assert words in refusal.reason


@pytest.mark.parametrize("answer", ["-1", "1.5", "+1", "11", "x1", "1x", "0.1"])
def test_a_number_inside_another_is_not_named(answer: str) -> None:
    assert isinstance(match_action(answer, ["[1]"]), Illegal)


@pytest.mark.parametrize("answer", ["1", "cell 1", "1.", "(1)", "1, please", "=1"])
def test_a_number_on_its_own_is_named(answer: str) -> None:
    assert match_action(answer, ["[1]", "[2]"]) == "[1]"


def test_an_action_of_several_words_is_one_action() -> None:
    facts = ["[Fact 1]", "[Fact 2]"]
    assert match_action("[fact  1]", facts) == "[Fact 1]"
    assert match_action("Fact 2 it is", facts) == "[Fact 2]"
    assert isinstance(match_action("[Fact 1] [Fact 2]", facts), Illegal)
    assert isinstance(match_action("Fact 3", facts), Illegal)


@given(st.text(max_size=60))
def test_any_answer_is_a_legal_action_or_refused(answer: str) -> None:
    found = match_action(answer, POKER[:2], POKER)
    assert isinstance(found, Illegal) or found in POKER[:2]
