"""Kuhn Poker.

Three cards J < Q < K; each seat is dealt one, pays one chip, and may bet one more. The opener checks or
bets. After a bet the other seat folds or calls. After a check it checks or bets, and then the opener folds
or calls. A fold gives the pot to the other seat; else the higher card takes it, so a hand moves 1 chip, or
2 where a bet was called. Seat 0 opens the first hand, and the opener alternates.

A match is `hands` hands. With payoff "win", whoever has more chips at the end wins (+1, −1; 0 where equal);
with "chips" the returns are the chips won. `hands=1, payoff="chips"` is the textbook game, worth −1/18 to
seat 0. A card is shown to the other seat by a showdown only, and the hand is over then.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple

from arena.core.answer import match_action
from arena.core.game import Action, GameInfo, Illegal, check_options
from arena.core.keys import draw

INFO = GameInfo(
    id="kuhn_poker",
    title="Kuhn Poker",
    roles=("First", "Second"),
    utility=(-1.0, 1.0),
    max_turns=15,
    chance=True,
    hidden=True,
    trained=True,
    variants={"hands": (5, 1, 2, 3, 4, 10), "payoff": ("win", "chips")},
)

DECK = "JQK"
ACTIONS = {"[check]": "c", "[bet]": "b", "[fold]": "f", "[call]": "k"}
"""Every action and its letter in a betting history."""
_WORDS = {letter: action.strip("[]") for action, letter in ACTIONS.items()}
_LEGAL: dict[str, tuple[Action, ...]] = {
    "": ("[check]", "[bet]"),
    "c": ("[check]", "[bet]"),
    "b": ("[fold]", "[call]"),
    "cb": ("[fold]", "[call]"),
}
_FINAL = ("cc", "bf", "bk", "cbf", "cbk")


def hand_value(history: str, opener_card: str, other_card: str) -> int:
    """Chips that the opener wins in a finished hand, negative where it loses them."""
    if history == "bf":
        return 1
    if history == "cbf":
        return -1
    stake = 2 if history.endswith("k") else 1
    return stake if DECK.index(opener_card) > DECK.index(other_card) else -stake


def _betting(history: str, opener: int, seat: int) -> str:
    """The hand's actions as a seat reads them, each with a leading space: " You check. They bet."."""
    subjects = (" You", " They") if opener == seat else (" They", " You")
    return "".join(f"{subjects[index % 2]} {_WORDS[letter]}." for index, letter in enumerate(history))


_BETTING = {
    (history, opener, seat): _betting(history, opener, seat)
    for history in (*_LEGAL, *_FINAL)
    for opener in (0, 1)
    for seat in (0, 1)
}


class Hand(NamedTuple):
    """A finished hand: both cards by seat, the betting, and the chips that seat 0 won."""

    cards: str
    history: str
    won: int


@dataclass(frozen=True, slots=True)
class State:
    """The hand in play; a finished history stands only at the end of the match."""

    key: int
    hands: int
    payoff: str
    cards: str
    """One letter per seat."""
    history: str = ""
    """Letters of `ACTIONS`, the opener's first."""
    past: tuple[Hand, ...] = ()
    """The hands before this one."""
    chips: int = 0
    """Balance of seat 0; seat 1 has its negative. The hand in play counts once it is over."""

    @property
    def opener(self) -> int:
        return len(self.past) % 2

    @property
    def to_act(self) -> int | None:
        return (len(self.past) + len(self.history)) % 2 if self.history in _LEGAL else None

    @property
    def utility(self) -> tuple[float, float]:
        return (-2.0 * self.hands, 2.0 * self.hands) if self.payoff == "chips" else (-1.0, 1.0)

    def legal(self) -> list[Action]:
        return list(_LEGAL.get(self.history, ()))

    def sample(self, rng: random.Random) -> str:
        return rng.choice(_LEGAL[self.history])

    def rules(self, seat: int) -> str:
        length = "One hand is played" if self.hands == 1 else f"{self.hands} hands are played"
        opens = ("You open", "The other player opens")[seat]
        opens += "." if self.hands == 1 else " the first hand; then the opener alternates."
        aim = (
            "Your result is the number of chips you win."
            if self.payoff == "chips"
            else "Whoever has more chips at the end wins; equal chips are a draw."
        )
        return (
            "Kuhn Poker for two. The deck has three cards, J, Q and K; K is the highest, J the lowest. In each hand "
            "both players pay one chip and get one card that only they see. The opener may check or bet one chip. "
            "After a bet the other player may fold or call the bet. After a check the other player may check or bet; "
            "after that bet the opener may fold or call. Whoever folds loses the chip already paid; "
            "otherwise the higher card wins one chip, or two if a bet was called. "
            f"{length}. {opens} {aim} "
            "Answer with one of [check], [bet], [fold], [call], for example \\boxed{[check]}."
        )

    def observe(self, seat: int) -> str:
        chips = self.chips if seat == 0 else -self.chips
        return (
            f"Kuhn Poker. Hand {len(self.past) + 1} of {self.hands}. Chips {chips:+d}. "
            f"Your card {self.cards[seat]}.{_BETTING[self.history, self.opener, seat]}"
        )

    def board(self) -> str:
        lines = [f"Hand {len(self.past) + 1} of {self.hands}. Chips: seat 0 {self.chips:+d}, seat 1 {-self.chips:+d}"]
        for number, hand in enumerate(self.past):
            lines.append(f"{_told(hand.cards, hand.history, number % 2)} (seat 0 {hand.won:+d})")
        lines.append(_told(self.cards, self.history, self.opener))
        return "\n".join(lines)

    def parse(self, answer: str) -> Action | Illegal:
        return match_action(answer, _LEGAL.get(self.history, ()), ACTIONS)

    def apply(self, action: Action) -> State:
        """Take the action; where it ends a hand, settle it and deal the next. Raises ValueError if it is not legal."""
        if action not in _LEGAL.get(self.history, ()):
            raise ValueError(f"{action} is not legal after '{self.history}'")
        history = self.history + ACTIONS[action]
        if history in _LEGAL:
            return State(self.key, self.hands, self.payoff, self.cards, history, self.past, self.chips)
        opener = self.opener
        won = hand_value(history, self.cards[opener], self.cards[1 - opener])
        won = won if opener == 0 else -won
        chips, played = self.chips + won, len(self.past) + 1
        if played == self.hands:
            return State(self.key, self.hands, self.payoff, self.cards, history, self.past, chips)
        past = (*self.past, Hand(self.cards, history, won))
        return State(self.key, self.hands, self.payoff, _deal(self.key, played), "", past, chips)

    def returns(self) -> tuple[float, float] | None:
        if self.history in _LEGAL:
            return None
        first = float(self.chips)
        if self.payoff == "win":
            first = float((self.chips > 0) - (self.chips < 0))
        return first, 0.0 - first


def _told(cards: str, history: str, opener: int) -> str:
    """One hand as a spectator reads it."""
    words = ", ".join(f"seat {(opener + index) % 2} {_WORDS[letter]}" for index, letter in enumerate(history))
    return f"Seat 0 {cards[0]}, seat 1 {cards[1]}: {words or 'no action yet'}"


def _deal(key: int, hand: int) -> str:
    """The cards of both seats in the match's hand number `hand`, from 0."""
    return "".join(draw(key, "deal", hand).sample(DECK, 2))


def new(key: int, **variant: str | int | float | bool) -> State:
    """The first hand, dealt. Options: `hands`, `payoff`. Raises UsageError for an unknown option or value."""
    check_options(INFO, variant)
    options = {name: values[0] for name, values in INFO.variants.items()} | variant
    return State(key, int(options["hands"]), str(options["payoff"]), _deal(key, 0))
