"""Liar's Dice for two, over several rounds.

Each seat starts with five dice (option `dice`). In a round both roll their dice in secret and then bid in turn,
seat 0 first in the first round. A bid (quantity, face) says that among all dice in play at least so many show that
face; no face is wild. A bid may not lower the quantity or the face of the bid before it and must raise at least one
of them; its quantity is from 1 to the number of dice in play. Instead of raising, a seat may call the bid:
the dice are counted, the bidder loses a die if there are too few of the face, else the caller does. Both learn how
many dice each holds, not which ones were shown. All dice are rolled anew, and the seat whose bid was called opens.
Whoever has no die left loses (+1, −1); there are no draws.

The rules are those of two players in TextArena's LiarsDice-v0, but for the quantity: there it may also be 0 or
more than the dice in play.

With d dice in play a round has at most d + 5 bids and a call, and at most nine rounds are played: 108 turns.

The dice are by seat: what a seat rolls in a round hangs on the key, the round and its number of dice alone, and
fewer dice are the first of more.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from arena.core.answer import match_action
from arena.core.game import Action, GameInfo, Illegal, check_options
from arena.core.keys import draw

FACES = "123456"
DICE = 5

INFO = GameInfo(
    id="liars_dice",
    title="Liar's Dice",
    roles=("First", "Second"),
    utility=(-1.0, 1.0),
    max_turns=sum(in_play + 6 for in_play in range(2, 2 * DICE + 1)),
    chance=True,
    hidden=True,
    trained=False,
    variants={"dice": (DICE, 3, 1)},
)


class Bid(NamedTuple):
    """At least `quantity` dice in play show `face`."""

    quantity: int
    face: int


CALL = "[Call]"
BIDS: dict[Action, Bid] = {
    f"[Bid: {quantity}, {face}]": Bid(quantity, face) for quantity in range(1, 2 * DICE + 1) for face in range(1, 7)
}
"""Every bid that the game ever has, by its action."""
ACTIONS: tuple[Action, ...] = (*BIDS, CALL)
_SAID = {
    bid: (f" You bid {bid.quantity}, {bid.face}.", f" They bid {bid.quantity}, {bid.face}.") for bid in BIDS.values()
}
_LOOSE_BID = re.compile(r"\bbid\s*:?\s*0*([1-9][0-9]?)\s*[,\s]\s*([1-6])(?![\w]|\.\d)", re.IGNORECASE)
"""A bid with other punctuation: "bid 3 4", "Bid:3,4"."""
_SHOWN_BIDS = 3
"""How many of the round's last bids an observation tells."""


class Showdown(NamedTuple):
    """How a call ended: the hands by seat, the bid, how many dice showed its face, and who called and who lost."""

    hands: tuple[str, str]
    bid: Bid
    found: int
    caller: int
    loser: int


@dataclass(frozen=True, slots=True)
class State:
    """The round in play. Once a seat has no dice the match is over, and the other's dice mean nothing."""

    key: int
    hands: tuple[str, str]
    """The dice of each seat, a sorted string of faces."""
    dice: int = DICE
    """Dice of each seat at the start."""
    bids: tuple[Bid, ...] = ()
    """The bids of this round, in turn; the last is by the seat that is not to act."""
    seat: int = 0
    """Who is to act; nobody is once the match is over."""
    played: int = 0
    """Rounds before this one."""
    last: Showdown | None = None
    """How the round before this one ended."""

    @property
    def in_play(self) -> int:
        """Dice of both seats."""
        return len(self.hands[0]) + len(self.hands[1])

    @property
    def bid(self) -> Bid | None:
        """The bid that stands."""
        return self.bids[-1] if self.bids else None

    @property
    def to_act(self) -> int | None:
        return self.seat if self.hands[0] and self.hands[1] else None

    @property
    def utility(self) -> tuple[float, float]:
        return INFO.utility

    def _legal(self) -> tuple[Action, ...]:
        return () if self.to_act is None else legal_after(self.bid, self.in_play)

    def legal(self) -> list[Action]:
        return list(self._legal())

    def sample(self, rng: random.Random) -> str:
        return rng.choice(self._legal())

    def rules(self, seat: int) -> str:
        return (
            f"Liar's Dice for two. Both start with {_dice(self.dice)}. "
            "In each round both roll in secret and then bid in turn. "
            "The bid [Bid: 2, 4] says that at least 2 of all dice in play, yours and theirs, show 4. No face is wild. "
            "A new bid may lower neither the quantity nor the face of the last bid and must raise at least one of "
            "them; its quantity is at most the number of dice in play. Instead of bidding you may call the last "
            "bid with [Call]. If fewer dice than it says show its face, the bidder loses one die; otherwise the caller "
            "loses one. Then both roll again, and whoever made the called bid opens. "
            f"{('You open', 'The other player opens')[seat]} the first round. Whoever has no dice left loses. "
            "Answer with a bid or [Call], for example \\boxed{[Bid: 2, 4]}."
        )

    def observe(self, seat: int) -> str:
        mine, theirs = self.hands[seat], len(self.hands[1 - seat])
        if not (mine and theirs):
            return f"Liar's Dice. You have {_dice(len(mine))}. They have {theirs}."
        text = f"Liar's Dice. You have {_dice(len(mine))}: {' '.join(mine)}. They have {theirs}."
        if not self.bids:
            return text + (" You open." if self.seat == seat else " They open.")
        told = self.bids[-_SHOWN_BIDS:]
        first = self.seat ^ seat ^ len(told) % 2
        return text + "".join(_SAID[bid][(first + index) % 2] for index, bid in enumerate(told))

    def board(self) -> str:
        over = self.to_act is None
        lines = [f"After {self.played} rounds" if over else f"Round {self.played + 1}. Seat {self.seat} to act"]
        for seat, hand in enumerate(self.hands):
            lines.append(f"Seat {seat}  {_dice(len(hand))}" if over else f"Seat {seat}  {' '.join(hand)}")
        if not over:
            first = (self.seat + len(self.bids)) % 2
            told = [f"seat {(first + n) % 2} {bid.quantity}, {bid.face}" for n, bid in enumerate(self.bids)]
            lines.append(f"Bids: {'; '.join(told) or 'none'}")
        if self.last is not None:
            lines.append(_told(self.last))
        return "\n".join(lines)

    def parse(self, answer: str) -> Action | Illegal:
        legal = self._legal()
        if answer in legal:
            return answer
        if not legal:
            return Illegal("the match is over")
        read = match_action(_LOOSE_BID.sub(r"Bid: \1, \2", answer), ACTIONS)
        if isinstance(read, Illegal):
            return Illegal(f"{read.reason.partition(';')[0]}; answer like [Bid: 2, 4] or [Call]")
        return read if read in legal else Illegal(self._refusal(read))

    def _refusal(self, action: Action) -> str:
        """Why an action of the game is not legal now."""
        bid = self.bid
        if bid is None and action == CALL:
            return "there is no bid to call"
        if action in BIDS and BIDS[action].quantity > self.in_play:
            return f"{action} is not legal: only {self.in_play} dice are in play"
        assert bid is not None
        return (
            f"{action} does not raise the bid {bid.quantity}, {bid.face}: lower neither number and raise at least one"
        )

    def apply(self, action: Action) -> State:
        """Bid, or call: then the loser gives up a die and the next round is rolled. Raises ValueError if not legal."""
        if action not in self._legal():
            raise ValueError(f"{action!r} is not legal after {self.bid}")
        if action != CALL:
            bids = (*self.bids, BIDS[action])
            return State(self.key, self.hands, self.dice, bids, 1 - self.seat, self.played, self.last)
        bid, caller, played = self.bids[-1], self.seat, self.played + 1
        face = FACES[bid.face - 1]
        found = self.hands[0].count(face) + self.hands[1].count(face)
        loser = caller if found >= bid.quantity else 1 - caller
        first, second = len(self.hands[0]) - (loser == 0), len(self.hands[1]) - (loser == 1)
        hands = (roll_of(self.key, 0, played, first), roll_of(self.key, 1, played, second))
        last = Showdown(self.hands, bid, found, caller, loser)
        return State(self.key, hands, self.dice, (), 1 - caller, played, last)

    def returns(self) -> tuple[float, float] | None:
        if self.to_act is not None:
            return None
        return (1.0, -1.0) if self.hands[0] else (-1.0, 1.0)


def _dice(number: int) -> str:
    return "1 die" if number == 1 else f"{number} dice"


def _told(end: Showdown) -> str:
    """A round's end as a spectator reads it."""
    shown = f"{' '.join(end.hands[0])} and {' '.join(end.hands[1])}"
    return (
        f"Last round: seat {end.caller} called {end.bid.quantity}, {end.bid.face}; {shown} "
        f"have {end.found}, seat {end.loser} lost a die"
    )


@cache
def legal_after(bid: Bid | None, in_play: int) -> tuple[Action, ...]:
    """Every legal action over the bid that stands (None where none does) with so many dice in play, the call last."""
    low = bid or Bid(1, 1)
    bids = [a for a, (q, f) in BIDS.items() if low.quantity <= q <= in_play and f >= low.face and (q, f) != bid]
    return tuple(bids) if bid is None else (*bids, CALL)


def roll_of(key: int, seat: int, played: int, dice: int) -> str:
    """The seat's dice, sorted, in the round after `played` others."""
    return "".join(sorted(draw(key, f"dice{seat}", played).choices(FACES, k=dice)))


def new(key: int, **variant: str | int | float | bool) -> State:
    """The first round, rolled. Option: `dice`, per seat. Raises UsageError for an unknown option or value."""
    check_options(INFO, variant)
    dice = int(variant.get("dice", INFO.variants["dice"][0]))
    return State(key, (roll_of(key, 0, 0, dice), roll_of(key, 1, 0, dice)), dice)
