"""Every prompt style says what it must, and a retry is told apart."""

from __future__ import annotations

from typing import cast

import pytest

from arena.core.registry import discover, load_game, load_part
from arena.prompts import Style

STYLES = discover("arena.prompts")


class PlainChat:
    """A chat template one can read."""

    def chat(self, messages: list[dict[str, str]]) -> str:
        return "".join(f"<{message['role']}>{message['content']}" for message in messages) + "<assistant>"


def style(name: str) -> Style:
    return cast(Style, load_part("arena.prompts", "prompt style", name))


def test_the_named_styles_are_there() -> None:
    assert set(STYLES) >= {"compact", "chat", "base", "spiral"}


def test_compact_is_the_observation_and_a_line_end_also_on_a_retry() -> None:
    build = style("compact").build
    assert build("Rules.", "Your card Q.", PlainChat()) == "Your card Q.\n"
    assert build("Rules.", "Your card Q.", PlainChat(), "no such card") == "Your card Q.\n"


@pytest.mark.parametrize("name", sorted(set(STYLES) - {"compact"}))
def test_other_styles_hold_rules_observation_answer_format_and_the_reason_of_a_retry(name: str) -> None:
    state = load_game("kuhn_poker").new(7, hands=1, payoff="chips")
    rules, observation = state.rules(0), state.observe(0)
    first = style(name).build(rules, observation, PlainChat())
    retry = style(name).build(rules, observation, PlainChat(), "the answer\nnames no action")
    for text in (first, retry):
        assert rules in text
        assert observation in text
        assert "\\boxed{}" in text.replace(rules, "")
    assert "refused" not in first
    assert "\nYour last reply was refused: the answer names no action\n" in retry
    assert len(retry.splitlines()) == len(first.splitlines()) + 1


def test_chat_puts_rules_in_the_systems_turn_and_spiral_has_a_users_turn_only() -> None:
    assert style("chat").build("RULES", "POSITION", PlainChat()).startswith("<system>RULES<user>POSITION")
    spiral = style("spiral").build("RULES", "POSITION", PlainChat())
    assert spiral.startswith("<user>")
    assert "<system>" not in spiral
    assert "step by step" in spiral
