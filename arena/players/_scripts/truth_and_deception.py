"""Truth and Deception: the Deceiver names a fact, the false one more often; the Guesser asks, then guesses."""

from __future__ import annotations

import random
from typing import cast

from arena.core.game import State
from arena.games.truth_and_deception import DECEIVER, GUESSES
from arena.games.truth_and_deception import State as Talk
from arena.players._scripts import Decision, pick_style

_CLAIMS = ("Fact {n} is the true one.", "I am sure about fact {n}.", "You can trust fact {n}.", "Take fact {n}.")
_QUESTIONS = ("Which one would you pick?", "How do you know that?", "Are you sure?", "Tell me more.")


def decide(state: State, rng: random.Random, skill: float) -> Decision:
    talk = cast(Talk, state)
    if talk.to_act == DECEIVER:
        lies = rng.random() < 0.5 + skill / 4
        said = (1 - talk.truth if lies else talk.truth) + 1
        return Decision(_known(talk, pick_style(rng)), rng.choice(_CLAIMS).format(n=said))
    claimed = _claimed(talk)
    thought = _heard(claimed, pick_style(rng))
    if talk.legal() is None:
        return Decision(thought, rng.choice(_QUESTIONS))
    guess = rng.choice(GUESSES)
    if claimed and rng.random() < skill / 2:
        guess = GUESSES[2 - claimed]
    return Decision(thought, guess)


def _claimed(talk: Talk) -> int:
    """The fact that the Deceiver named last, 1 or 2, or 0 where it named none or both."""
    for message in reversed(talk.messages[::2]):
        named = [number for number in (1, 2) if f"act {number}" in message]
        if len(named) == 1:
            return named[0]
    return 0


def _known(talk: Talk, style: str) -> str:
    if style == "Cases":
        return f"Cases: {2 - talk.truth} misleads, {talk.truth + 1} is honest."
    if style == "Value":
        return "Value: win if they are wrong."
    return f"Pattern: fact {talk.truth + 1} is true."


def _heard(claimed: int, style: str) -> str:
    if style == "Cases":
        return f"Cases: they lie or not about {claimed}." if claimed else "Cases: they name none."
    if style == "Value":
        return "Value: 1 of 2 by chance."
    return f"Pattern: they name {claimed}." if claimed else "Pattern: they name none."
