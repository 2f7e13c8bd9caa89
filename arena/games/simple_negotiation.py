"""Simple Negotiation.

Two traders hold 10 Wood and 10 Gold each and value them differently: a Wood is worth 5 and a Gold 15 to
seat 0, a Wood 15 and a Gold 5 to seat 1. Values are private; holdings are public, since trades are. The
seats move in turn, seat 0 first, ten moves in all. Whoever has gained more in own value then wins; equal
gains are a draw. Returns are +1, 0 and −1.

A move is free text: talk, shown to the other seat in quotes, and at most one of
- `[Offer: 2 Wood -> 1 Gold]`: I give 2 Wood for 1 Gold. Several goods a side are joined by a comma or "and";
  amounts are whole numbers from 1. The proposer must hold what it gives; it may ask for anything. The offer
  replaces any offer that stands, one's own or the other's.
- `[Accept]`: trade on the other seat's standing offer; both must hold their part. The offer is then gone.
- `[Deny]`: clear the other seat's standing offer.
Talk alone leaves an offer standing. `[Accept]` and `[Deny]` are illegal where no offer of the other seat
stands, so nobody accepts an own offer. Two different ones of the three in one reply are illegal.

The action is the canonical move: the talk made harmless (one line, at most 200 characters, no brackets, no
double quotes, no control characters, no "<" of a special token), then the bracketed part.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from arena.core.answer import ANSWER_LIMIT
from arena.core.game import Action, GameInfo, Illegal, check_options
from arena.core.quote import safe_line
from arena.core.sanitise import one_line

INFO = GameInfo(
    id="simple_negotiation",
    title="Simple Negotiation",
    roles=("First", "Second"),
    utility=(-1.0, 1.0),
    max_turns=10,
    chance=False,
    hidden=True,
    trained=True,
)

MOVES = 10
TALK_LIMIT = 200
GOODS = ("Wood", "Gold")
VALUES = ((5, 15), (15, 5))
"""What one Wood and one Gold is worth, by seat."""

Amounts = tuple[int, int]
"""Wood and Gold."""

START: Amounts = (10, 10)
"""What each seat holds at first."""


class Offer(NamedTuple):
    """A standing offer, from its proposer's side."""

    proposer: int
    give: Amounts
    get: Amounts


@dataclass(frozen=True, slots=True)
class State:
    """Holdings, the standing offer, and the last move as far as it shows."""

    held: tuple[Amounts, Amounts] = (START, START)
    values: tuple[Amounts, Amounts] = VALUES
    turn: int = 0
    offer: Offer | None = None
    last: str = ""
    """What the last move was: "offer", "accept", "deny", "talk", or "" at the start."""
    said: str = ""
    """The talk of the last move."""

    @property
    def to_act(self) -> int | None:
        return self.turn % 2 if self.turn < MOVES else None

    @property
    def utility(self) -> tuple[float, float]:
        return INFO.utility

    def gain(self, seat: int) -> int:
        """What the seat has gained since the start, in its own value."""
        (wood, gold), value = self.held[seat], self.values[seat]
        return (wood - START[0]) * value[0] + (gold - START[1]) * value[1]

    def legal(self) -> None:
        return None

    def sample(self, rng: random.Random) -> str:
        """A random small offer that both can pay, or an answer to the standing offer; sometimes with talk."""
        seat = self.turn % 2
        tokens = [_random_offer(rng, self.held[seat], self.held[1 - seat])]
        if self.offer is not None and self.offer.proposer != seat:
            tokens.append("[Deny]")
            if _holds(self.held[seat], self.offer.get):
                tokens.append("[Accept]")
        talk = rng.choice(_SMALL_TALK) if rng.random() < 0.25 else ""
        return f"{talk} {rng.choice(tokens)}".strip() or _SMALL_TALK[0]

    def rules(self, seat: int) -> str:
        wood, gold = self.values[seat]
        order = ("You move first.", "The other trader moves first.")[seat]
        return (
            "Simple Negotiation for two traders. Both start with 10 Wood and 10 Gold. "
            f"To you a Wood is worth {wood} and a Gold {gold}; the other trader's values are different and unknown "
            f"to you. You move in turn, {MOVES} moves in all. {order} After the last move, whoever has gained more in "
            "own value wins; equal gains are a draw. A move is talk for the other trader, if you like, and at most "
            "one of: [Offer: 2 Wood -> 1 Gold] to give 2 Wood for 1 Gold (several goods as 2 Wood, 1 Gold), "
            "[Accept] to take the other's standing offer, [Deny] to refuse it. You must hold what you give. "
            "An offer stands until it is accepted, denied or replaced by another. "
            "Answer like this: \\boxed{[Offer: 2 Wood -> 1 Gold]}."
        )

    def observe(self, seat: int) -> str:
        wood, gold = self.values[seat]
        mine, theirs = self.held[seat], self.held[1 - seat]
        lines = [
            f"Simple Negotiation. Move {min(self.turn + 1, MOVES)} of {MOVES}. Your values: Wood {wood}, Gold {gold}.",
            f"You hold {mine[0]} Wood, {mine[1]} Gold. They hold {theirs[0]} Wood, {theirs[1]} Gold. "
            f"Your gain {self.gain(seat):+d}.",
            self._offer_line(seat),
        ]
        if self.said and self.to_act == seat:
            lines.append(f'They say: "{self.said}"')
        return "\n".join(lines)

    def _offer_line(self, seat: int) -> str:
        if self.offer is None:
            subject = "They" if self.to_act == seat else "You"
            news = {"accept": f"{subject} accept. ", "deny": f"{subject} deny. "}.get(self.last, "")
            return f"{news}No offer stands."
        give, get = _listed(self.offer.give), _listed(self.offer.get)
        payer = 1 - self.offer.proposer
        pays = _holds(self.held[payer], self.offer.get)
        if payer == seat:
            return f"They give {give} for your {get}." + ("" if pays else " You cannot pay that.")
        return f"You give {give} for their {get}." + ("" if pays else " They cannot pay that.")

    def board(self) -> str:
        lines = [f"Moves made: {self.turn} of {MOVES}", "        Wood  Gold  gain"]
        for seat, (wood, gold) in enumerate(self.held):
            lines.append(f"Seat {seat}  {wood:4}  {gold:4}  {self.gain(seat):+4d}")
        if self.offer is not None:
            lines.append(f"Seat {self.offer.proposer} gives {_listed(self.offer.give)} for {_listed(self.offer.get)}")
        elif self.last in ("accept", "deny"):
            lines.append({"accept": "Accepted", "deny": "Denied"}[self.last])
        if self.said:
            lines.append(f'Seat {(self.turn - 1) % 2}: "{self.said}"')
        return "\n".join(lines)

    def parse(self, answer: str) -> Action | Illegal:
        if self.to_act is None:
            return Illegal("the match is over")
        read = read_move(answer)
        if isinstance(read, Illegal):
            return read
        refusal = self._refusal(read)
        return Illegal(refusal) if refusal else read.action

    def _refusal(self, move: Move) -> str:
        """Why the seat to act may not make this move now, or ""."""
        seat = self.turn % 2
        if move.kind == "offer" and not _holds(self.held[seat], move.give):
            return f"you offer {_listed(move.give)} but hold {_listed(self.held[seat])}"
        if move.kind in ("accept", "deny"):
            if self.offer is None:
                return f"no offer stands to {move.kind}"
            if self.offer.proposer == seat:
                return f"the standing offer is your own; only the other trader can {move.kind} it"
        if move.kind == "accept" and self.offer is not None:
            if not _holds(self.held[seat], self.offer.get):
                return f"you hold too little to pay {_listed(self.offer.get)}"
            if not _holds(self.held[1 - seat], self.offer.give):
                return f"the other trader holds too little to pay {_listed(self.offer.give)}"
        return ""

    def apply(self, action: Action) -> State:
        """Make the move. Raises ValueError where the action is not one that `parse` gives."""
        move = read_move(action)
        if self.to_act is None or isinstance(move, Illegal) or self._refusal(move):
            raise ValueError(f"{action!r} is not legal at turn {self.turn}")
        seat, offer, held = self.turn % 2, self.offer, self.held
        if move.kind == "offer":
            offer = Offer(seat, move.give, move.get)
        elif move.kind != "talk":
            if move.kind == "accept" and offer is not None:
                held = _trade(held, offer)
            offer = None
        return State(held, self.values, self.turn + 1, offer, move.kind, move.talk)

    def returns(self) -> tuple[float, float] | None:
        if self.to_act is not None:
            return None
        first, second = self.gain(0), self.gain(1)
        sign = float((first > second) - (first < second))
        return sign, 0.0 - sign


def _holds(held: Amounts, wanted: Amounts) -> bool:
    return held[0] >= wanted[0] and held[1] >= wanted[1]


def _trade(held: tuple[Amounts, Amounts], offer: Offer) -> tuple[Amounts, Amounts]:
    flow = tuple(get - give for give, get in zip(offer.give, offer.get, strict=True))
    sign = 1 if offer.proposer == 0 else -1
    first, second = held
    return (
        (first[0] + sign * flow[0], first[1] + sign * flow[1]),
        (second[0] - sign * flow[0], second[1] - sign * flow[1]),
    )


def _listed(amounts: Amounts) -> str:
    """The amounts in words, such as 2 Wood, 1 Gold; goods of which there are none are left out."""
    wood, gold = amounts
    if wood and gold:
        return f"{wood} Wood, {gold} Gold"
    if wood:
        return f"{wood} Wood"
    return f"{gold} Gold" if gold else "nothing"


_SMALL_TALK = ("A fair trade?", "Let us both gain.", "I can do better than that.", "Think about it.", "Last word.")


def _random_offer(rng: random.Random, mine: Amounts, theirs: Amounts) -> str:
    """An offer of 1 to 5 of one good for 1 to 5 of the other that both can pay, or "" where none can be."""
    ways = [give for give in (0, 1) if mine[give] and theirs[1 - give]]
    if not ways:
        return ""
    give = rng.choice(ways)
    paid, got = rng.randint(1, min(5, mine[give])), rng.randint(1, min(5, theirs[1 - give]))
    return f"[Offer: {paid} {GOODS[give]} -> {got} {GOODS[1 - give]}]"


# Parsing. Nothing here knows the position.


class Move(NamedTuple):
    """A reply that can be read: what it is ("offer", "accept", "deny", "talk"), its talk and its canonical text."""

    kind: str
    talk: str
    action: Action
    give: Amounts = (0, 0)
    get: Amounts = (0, 0)


_BRACKETED = re.compile(r"\[([^\[\]]*)\]")
_TOKEN = re.compile(r"(accept|deny|offer\b.*)", re.IGNORECASE)
_BARE = re.compile(r"(accept|deny|offer: ?[^\[\]]*->[^\[\]]*?)[.!]?", re.IGNORECASE)
_OFFER = re.compile(r"^offer ?:? ?", re.IGNORECASE)
_ITEM = re.compile(r"([0-9]{1,6}) ?(wood|gold)s?", re.IGNORECASE)
_JOIN = re.compile(r" ?(?:,? and |,) ?", re.IGNORECASE)
_CUT = "..."


def read_move(answer: str) -> Move | Illegal:
    """Take a reply apart into talk and at most one of offer, accept, deny; each is told from talk by its brackets.

    Brackets may be left out where the whole reply is one of the three. Other bracketed words are talk.
    """
    if len(answer) > ANSWER_LIMIT:
        return Illegal(f"the answer is longer than {ANSWER_LIMIT} characters")
    return _read(answer)


@lru_cache(maxsize=512)
def _read(answer: str) -> Move | Illegal:
    """`read_move` of an answer of bounded length; kept, since `parse` and `apply` read the same text."""
    text = safe_line(answer)
    if not text:
        return Illegal("the answer is empty")
    found = [token for inner in _BRACKETED.findall(text) if _TOKEN.fullmatch(token := inner.strip())]
    talk = _talk(text)
    # Talk that was cut may end like an offer that nobody made.
    if not found and not talk.endswith(_CUT) and (bare := _BARE.fullmatch(talk)):
        found, talk = [bare.group(1)], ""
    moves = [_read_token(inner) for inner in found]
    if "[offer" in _BRACKETED.sub(" ", text).lower():
        return Illegal("an offer is not closed; write it like [Offer: 2 Wood -> 1 Gold]")
    for move in moves:
        if isinstance(move, Illegal):
            return move
    distinct = {move.action: move for move in moves if isinstance(move, Move)}
    if len(distinct) > 1:
        listed = one_line(" ".join(sorted(distinct)), 300)
        return Illegal(f"the answer names several actions ({listed}); name at most one")
    if not distinct:
        return Move("talk", talk, talk) if talk else Illegal("the answer is empty")
    (move,) = distinct.values()
    return move._replace(talk=talk, action=f"{talk} {move.action}") if talk else move


def _read_token(inner: str) -> Move | Illegal:
    """The inside of a bracket that opens like an offer, an accept or a deny."""
    kind = inner.lower()
    if kind in ("accept", "deny"):
        return Move(kind, "", f"[{kind.title()}]")
    sides = _OFFER.sub("", inner).split("->")
    if len(sides) != 2:
        return Illegal("an offer has two sides, like [Offer: 2 Wood -> 1 Gold]")
    give, get = _amounts(sides[0]), _amounts(sides[1])
    if isinstance(give, str) or isinstance(get, str):
        return Illegal(give if isinstance(give, str) else str(get))
    return Move("offer", "", f"[Offer: {_listed(give)} -> {_listed(get)}]", give, get)


def _amounts(side: str) -> Amounts | str:
    """Wood and Gold of one side of an offer, or what is wrong with it."""
    totals = [0, 0]
    for item in _JOIN.split(side.strip().rstrip(" .!")):
        match = _ITEM.fullmatch(item)
        if match is None:
            return f"'{item[:40]}' is not a whole number of Wood or Gold"
        count, good = int(match[1]), match[2].title()
        if count == 0:
            return "an amount must be at least 1"
        totals[GOODS.index(good)] += count
    return totals[0], totals[1]


def _talk(text: str) -> str:
    """What is left of a safe line without its offer, accept or deny; other brackets become parentheses."""
    text = _BRACKETED.sub(lambda m: " " if _TOKEN.fullmatch(m.group(1).strip()) else m.group(0), text)
    text = " ".join(text.replace("[", "(").replace("]", ")").split())
    return text if len(text) <= TALK_LIMIT else text[: TALK_LIMIT - len(_CUT)].rstrip() + _CUT


def new(key: int, **variant: str | int | float | bool) -> State:
    """The first position; the key draws nothing. Raises UsageError for any option."""
    check_options(INFO, variant)
    return State()
