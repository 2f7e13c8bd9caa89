r"""Take a reply apart: the thought, and the final answer that `State.parse` reads.

The thought is, in this order: the API's reasoning field; what stands before `</think>` (models whose
template opens the tag never print `<think>`); an unclosed `<think>`; else the text before the answer.
The answer is the last balanced `\boxed{…}` after the thought, else its last line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from arena.core.game import Action, Illegal
from arena.core.sanitise import one_line

_BOX = "\\boxed{"
_BRACES = re.compile(r"\\boxed\{|[{}]")
ANSWER_LIMIT = 10_000
"""Characters of an answer; a longer one is no action of any game."""
_SEARCHED = 1_000_000
"""Characters at a reply's end in which a box is looked for."""
_LISTED = 300
"""Characters of actions that a reason repeats."""
_WRAP = re.compile(r"^\\text(?:bf|tt|rm)?\{(.*)\}$", re.DOTALL)


class Parts(NamedTuple):
    thought: str
    answer: str


def split_reply(text: str, reasoning: str = "") -> Parts:
    """Split a reply into thought and answer; `reasoning` is an API's separate field, if it has one."""
    thought, closed, rest = text.rpartition("</think>")
    if not closed:
        before, opened, unclosed = text.partition("<think>")
        # An unclosed thought has no answer: a box inside it is a draft, not a decision.
        thought, rest = (unclosed, before) if opened else ("", text)
    thought = thought.replace("<think>", "", 1).strip()
    lead, answer = _final_answer(rest)
    if reasoning.strip():
        return Parts(reasoning.strip(), answer)
    return Parts(thought or lead, answer)


def _final_answer(text: str) -> tuple[str, str]:
    """The text before the answer, and the answer."""
    box = _last_box(text)
    if box is not None:
        start, end = box
        inner = text[start + len(_BOX) : end].strip()
        if wrapped := _WRAP.match(inner):
            inner = wrapped.group(1).strip()
        return text[:start].strip(), inner
    stripped = text.strip()
    lead, _, last = stripped.rpartition("\n")
    return lead.strip(), last.strip()


def _last_box(text: str) -> tuple[int, int] | None:
    """Where the last balanced box begins and where its brace closes, in one pass: a reply may hold a million."""
    first = text.find(_BOX, max(0, len(text) - _SEARCHED))
    if first < 0:
        return None
    last: tuple[int, int] | None = None
    opened: list[int] = []
    """Where each brace that is open began; with its box, where it is a box's."""
    for found in _BRACES.finditer(text, first):
        if found[0] != "}":
            opened.append(found.start())
        elif opened:
            start = opened.pop()
            if text.startswith(_BOX, start) and (last is None or start > last[0]):
                last = start, found.start()
    return last


def match_action(answer: str, legal: Collection[Action], vocabulary: Iterable[Action] = ()) -> Action | Illegal:
    """The one legal action that `answer` names: case-insensitive, brackets optional.

    `vocabulary` lists every action that the game ever has, so that naming one that is not legal now
    is told apart from naming none. Several distinct actions are refused, never "the first wins".
    """
    if answer in legal:
        return answer
    names = {_bare(action): action for action in (*vocabulary, *legal)}
    if not answer.strip():
        return Illegal("the answer is empty")
    if len(answer) > ANSWER_LIMIT:
        return Illegal(f"the answer is longer than {ANSWER_LIMIT} characters")
    named = _named(answer, names)
    choices = " ".join(legal)
    if not named:
        return Illegal(f"the answer names no action; choose one of {choices}")
    if len(named) > 1:
        listed = one_line(" ".join(sorted(named)), _LISTED)
        return Illegal(f"the answer names several actions ({listed}); name exactly one")
    action = named.pop()
    if action not in legal:
        return Illegal(f"{action} is not legal now; choose one of {choices}")
    return action


def _bare(action: Action) -> str:
    return " ".join(action.strip("[]").lower().split())


def _named(answer: str, names: dict[str, Action]) -> set[Action]:
    """Actions named in brackets; where no bracket stands, the ones named as whole words."""
    bracketed = re.findall(r"\[([^\[\]]*)\]", answer)
    if bracketed:
        known = {names[_bare(text)] for text in bracketed if _bare(text) in names}
        unknown = {f"[{text.strip()}]" for text in bracketed if _bare(text) not in names}
        return known | unknown if known and unknown else known
    text = " ".join(answer.lower().split())
    return {
        action for name, action in names.items() if re.search(rf"(?<![\w.\-+]){re.escape(name)}(?![\w]|\.\d)", text)
    }
