"""Truth and Deception.

Two statements are shown, Fact 1 and Fact 2; one is true. The Deceiver (seat 0) is told which, the Guesser (seat 1)
is not. They speak in turn, the Deceiver first, six messages in all, one line each. Then the Guesser, whose message
was the last, names the fact it holds true: exactly one of [Fact 1] and [Fact 2]. Right wins for the Guesser
(+1, −1), wrong for the Deceiver. So a match has seven turns, and the last two are the Guesser's.

The pairs stand in assets/facts/truth_and_deception.json. The key draws the pair and the order, so the truth hangs on
neither position nor length. Messages may say anything; what could pass for a line of the host, a role tag or a
special token (brackets, double quotes, colons, line ends, …) is replaced before the other seat reads them.
"""

from __future__ import annotations

import functools
import json
import random
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from arena.core.answer import match_action
from arena.core.errors import ArenaError
from arena.core.game import Action, GameInfo, Illegal, check_options
from arena.core.keys import draw
from arena.core.sanitise import plain

DECEIVER, GUESSER = 0, 1
SPEAKERS = (DECEIVER, GUESSER) * 3
"""The seat of each message."""
GUESSES: tuple[Action, ...] = ("[Fact 1]", "[Fact 2]")
TALK_LIMIT = 240
"""Characters of one message."""
SHOWN = 3
"""Messages that an observation quotes, the latest ones."""
FACTS = Path(__file__).resolve().parents[2] / "assets" / "facts" / "truth_and_deception.json"

INFO = GameInfo(
    id="truth_and_deception",
    title="Truth and Deception",
    roles=("Deceiver", "Guesser"),
    utility=(-1.0, 1.0),
    max_turns=len(SPEAKERS) + 1,
    chance=True,
    hidden=True,
    trained=False,
)

_SMALL_TALK = (
    "Fact 1 is the true one.",
    "Fact 2 is the true one.",
    "I am sure about the first.",
    "I am sure about the second.",
    "The first one is made up.",
    "The second one is made up.",
    "Which one would you pick?",
    "How do you know that?",
    "I read about it once.",
    "That does not sound right.",
    "Think about it again.",
    "You can trust me.",
)


class Pair(NamedTuple):
    """A true and a false statement on like matters."""

    true: str
    false: str


@functools.cache
def load_pairs(path: Path = FACTS) -> tuple[Pair, ...]:
    """All pairs of the fact file. Raises ArenaError where it is missing or cannot be read."""
    try:
        return tuple(Pair(entry["true"], entry["false"]) for entry in json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArenaError(
            f"Cannot read the facts in {path}: {error}.", "Restore the file from the repository."
        ) from None


@dataclass(frozen=True, slots=True)
class State:
    """The two facts, which is true, and what was said."""

    facts: tuple[str, str]
    truth: int
    """Index of the true fact; the Guesser never sees it."""
    messages: tuple[str, ...] = ()
    guess: int | None = None

    @property
    def to_act(self) -> int | None:
        if self.guess is not None:
            return None
        return SPEAKERS[len(self.messages)] if self._talking else GUESSER

    @property
    def _talking(self) -> bool:
        return len(self.messages) < len(SPEAKERS)

    @property
    def utility(self) -> tuple[float, float]:
        return INFO.utility

    def legal(self) -> list[Action] | None:
        if self._talking:
            return None
        return list(GUESSES) if self.guess is None else []

    def sample(self, rng: random.Random) -> str:
        return rng.choice(_SMALL_TALK if self._talking else GUESSES)

    def rules(self, seat: int) -> str:
        common = (
            "Truth and Deception for a Deceiver and a Guesser. Two facts are shown; one is true, the other false. "
            f"The Deceiver knows which. Both talk in turn, the Deceiver first, {len(SPEAKERS)} messages in all, "
            f"each one line of at most {TALK_LIMIT} characters; then the Guesser names the fact it holds true. "
        )
        if seat == DECEIVER:
            return common + (
                "You are the Deceiver. You win if the Guesser names the false fact; you may lie. "
                "Answer with your message to the Guesser, for example \\boxed{I am sure about the first.}."
            )
        return common + (
            "You are the Guesser. You win if you name the true fact; the Deceiver may lie. "
            "While you talk, answer with your message, for example \\boxed{How do you know that?}. "
            "When it is time to guess, answer with exactly one of [Fact 1], [Fact 2], for example \\boxed{[Fact 2]}."
        )

    def observe(self, seat: int) -> str:
        lines = [f"Truth and Deception. You are the {INFO.roles[seat]}.", *self._fact_lines()]
        if seat == DECEIVER:
            lines.append(f"Fact {self.truth + 1} is true.")
        first = max(0, len(self.messages) - SHOWN)
        for speaker, message in zip(SPEAKERS[first:], self.messages[first:], strict=False):
            lines.append(f'{"You say" if speaker == seat else "They say"}: "{message}"')
        if self._talking:
            lines.append(f"Message {len(self.messages) + 1} of {len(SPEAKERS)}.")
        else:
            lines.append("Guess now." if seat == GUESSER else "They guess now.")
        return "\n".join(lines)

    def _fact_lines(self) -> list[str]:
        return [f"Fact {number}: {fact}" for number, fact in enumerate(self.facts, 1)]

    def board(self) -> str:
        """Both facts with the truth marked, all messages, the guess."""
        lines = self._fact_lines()
        lines[self.truth] += " (true)"
        for speaker, message in zip(SPEAKERS, self.messages, strict=False):
            lines.append(f'{INFO.roles[speaker]}: "{message}"')
        if self.guess is not None:
            lines.append(f"Guess: Fact {self.guess + 1}, {'right' if self.guess == self.truth else 'wrong'}")
        return "\n".join(lines)

    def parse(self, answer: str) -> Action | Illegal:
        if not self._talking:
            return match_action(answer, self.legal() or (), GUESSES)
        return harmless(answer) or Illegal("the message has no words; answer with one line of text")

    def apply(self, action: Action) -> State:
        """Say the message, or guess. Raises ValueError where the action is not one that `parse` gives."""
        if self._talking:
            if not action or action != harmless(action):
                raise ValueError(f"{action!r} is not a message")
            return replace(self, messages=(*self.messages, action))
        if self.guess is not None or action not in GUESSES:
            raise ValueError(f"{action!r} is not legal after {len(self.messages)} messages")
        return replace(self, guess=GUESSES.index(action))

    def returns(self) -> tuple[float, float] | None:
        if self.guess is None:
            return None
        return (-1.0, 1.0) if self.guess == self.truth else (1.0, -1.0)


_REPLACED = {"[": "(", "{": "(", "]": ")", "}": ")", ":": ",", '"': "'"} | dict.fromkeys("“”„‟«»‘’‚`´", "'")
_REPLACED |= dict.fromkeys("‐‑‒–—―−", "-")
_KEPT = frozenset(" '.,;!?()-/%+&°€$£")


def harmless(text: str) -> str:
    """One line of at most TALK_LIMIT letters, digits and plain punctuation; "" where nothing worth saying is left.

    Composed first, so that accents stay with their letters. `harmless(harmless(t)) == harmless(t)`.
    """
    composed = unicodedata.normalize("NFC", plain(text[: 8 * TALK_LIMIT]))
    kept = [_REPLACED.get(char, char) for char in composed]
    line = "".join([char if char in _KEPT or char.isalnum() else " " for char in kept])
    line = " ".join(line.split())[:TALK_LIMIT].rstrip()
    return line if any(char.isalnum() for char in line) else ""


def new(key: int, **variant: str | int | float | bool) -> State:
    """The first position: the key's pair in the key's order. Raises UsageError for any option."""
    check_options(INFO, variant)
    rng = draw(key, "facts")
    pair = rng.choice(load_pairs())
    truth = rng.randrange(2)
    return State((pair.false, pair.true) if truth else (pair.true, pair.false), truth)
