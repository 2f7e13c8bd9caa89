"""Kuhn Poker: plays its card. K bets and calls, J folds, Q checks and calls half the time."""

from __future__ import annotations

import random
from typing import cast

from arena.core.game import State
from arena.games.kuhn_poker import DECK
from arena.games.kuhn_poker import State as Hand
from arena.players._scripts import Decision, pick_style

_BET = {"J": 0.2, "Q": 0.1, "K": 0.9}
_CALL = {"J": 0.0, "Q": 0.5, "K": 1.0}
_RANK = {"J": "low", "Q": "middle", "K": "top"}


def decide(state: State, rng: random.Random, skill: float) -> Decision:
    hand = cast(Hand, state)
    card = hand.cards[cast(int, hand.to_act)]
    legal = hand.legal()
    action = rng.choice(legal)
    if rng.random() < skill:
        if "[bet]" in legal:
            action = "[bet]" if rng.random() < _BET[card] else "[check]"
        else:
            action = "[call]" if rng.random() < _CALL[card] else "[fold]"
    return Decision(_thought(card, pick_style(rng)), action)


def _thought(card: str, style: str) -> str:
    if style == "Cases":
        first, second = (other for other in DECK if other != card)
        return f"Cases: they hold {first} or {second}."
    if style == "Value":
        return f"Value: {card} beats {DECK.index(card)} of 2."
    return f"Pattern: {card} is the {_RANK[card]} card."
