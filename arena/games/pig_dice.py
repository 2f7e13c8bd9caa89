"""Pig Dice, a race with one die.

In its turn a seat rolls as often as it likes. A roll of 2 to 6 adds to the turn total; a 1 loses the turn total
and passes the die. Holding banks the turn total and passes the die. Whoever first has the target banked wins
(+1, −1), so a win needs a hold. Holding a turn total of 0 is legal: a mere pass, never the better choice.

A match ends after 4 × target rolls and holds in all (200 by default); the higher banked score wins then, equal
scores are a draw, and a turn total is worth nothing. Random play meets that limit less than once in 10,000 matches.

The die is by seat: a seat's n-th roll of the match is the same whatever the other seat does.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from arena.core.answer import match_action
from arena.core.game import Action, GameInfo, Illegal, check_options
from arena.core.keys import draw

ROLL, HOLD = ACTIONS = ("[roll]", "[hold]")
ACTIONS_PER_POINT = 4
"""The match's limit of actions is this many times the target."""
NEAR_LIMIT = 20
"""From here on the observation says how many actions are left."""

INFO = GameInfo(
    id="pig_dice",
    title="Pig Dice",
    roles=("First", "Second"),
    utility=(-1.0, 1.0),
    max_turns=ACTIONS_PER_POINT * 50,
    chance=True,
    hidden=False,
    trained=False,
    variants={"target": (50, 20, 100)},
)


@dataclass(frozen=True, slots=True)
class State:
    """Banked scores, the turn total of the seat to act, and how often each seat has rolled."""

    key: int
    target: int = 50
    scores: tuple[int, int] = (0, 0)
    seat: int = 0
    """Whose turn at the die it is; nobody's once the match is over."""
    total: int = 0
    rolls: tuple[int, int] = (0, 0)
    acted: int = 0
    """Rolls and holds of both seats so far."""

    @property
    def left(self) -> int:
        """Actions until the limit."""
        return ACTIONS_PER_POINT * self.target - self.acted

    @property
    def to_act(self) -> int | None:
        first, second = self.scores
        over = first >= self.target or second >= self.target or self.left == 0
        return None if over else self.seat

    @property
    def utility(self) -> tuple[float, float]:
        return INFO.utility

    def legal(self) -> list[Action]:
        return [] if self.to_act is None else list(ACTIONS)

    def sample(self, rng: random.Random) -> str:
        return rng.choice(ACTIONS)

    def rules(self, seat: int) -> str:
        return (
            "Pig Dice for two, with one six-sided die. In your turn, roll as often as you like: a 2 to 6 adds to your "
            "turn total, a 1 loses the turn total and ends your turn. Hold to bank the turn total and end your turn. "
            f"Whoever first has {self.target} points banked wins; rolling past {self.target} does not win before you "
            f"hold. {('You go', 'The other player goes')[seat]} first. After {ACTIONS_PER_POINT * self.target} rolls "
            "and holds in all, the higher banked score wins. "
            "Answer with [roll] or [hold], for example \\boxed{[roll]}."
        )

    def observe(self, seat: int) -> str:
        mine, theirs = self.scores[seat], self.scores[1 - seat]
        text = f"Pig Dice. You {mine}. They {theirs}. "
        if self.to_act == seat:
            text += f"Turn total {self.total}. Hold makes {mine + self.total}. Target {self.target}."
        else:
            text += f"Their turn total {self.total}. Target {self.target}."
        return text if self.left > NEAR_LIMIT else f"{text} Actions left {self.left}."

    def board(self) -> str:
        lines = [f"Target {self.target}. Actions {self.acted} of {ACTIONS_PER_POINT * self.target}"]
        for seat, score in enumerate(self.scores):
            turn = f"  turn total {self.total}" if self.to_act == seat else ""
            lines.append(f"Seat {seat} {score:4d}{turn}")
        return "\n".join(lines)

    def parse(self, answer: str) -> Action | Illegal:
        return match_action(answer, self.legal(), ACTIONS)

    def apply(self, action: Action) -> State:
        """Roll or hold. Raises ValueError where the action is not legal."""
        seat = self.to_act
        if seat is None or action not in ACTIONS:
            raise ValueError(f"{action!r} is not legal after {self.acted} actions")
        scores, rolls, acted = self.scores, self.rolls, self.acted + 1
        if action == HOLD:
            banked = scores[seat] + self.total
            scores = (banked, scores[1]) if seat == 0 else (scores[0], banked)
            return State(self.key, self.target, scores, 1 - seat, 0, rolls, acted)
        rolled = roll_of(self.key, seat, rolls[seat])
        rolls = (rolls[0] + 1, rolls[1]) if seat == 0 else (rolls[0], rolls[1] + 1)
        if rolled == 1:
            return State(self.key, self.target, scores, 1 - seat, 0, rolls, acted)
        return State(self.key, self.target, scores, seat, self.total + rolled, rolls, acted)

    def returns(self) -> tuple[float, float] | None:
        if self.to_act is not None:
            return None
        first = float((self.scores[0] > self.scores[1]) - (self.scores[0] < self.scores[1]))
        return first, 0.0 - first


def roll_of(key: int, seat: int, index: int) -> int:
    """The seat's roll number `index` of the match, 1 to 6."""
    return draw(key, f"dice{seat}", index).randint(1, 6)


def new(key: int, **variant: str | int | float | bool) -> State:
    """The first position. Option: `target`, in points. Raises UsageError for an unknown option or value."""
    check_options(INFO, variant)
    return State(key, int(variant.get("target", INFO.variants["target"][0])))
