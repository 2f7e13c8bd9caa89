"""Snake for two on a 5×5 board.

Both snakes start one cell long, at random mirrored inner cells, with two apples mirrored likewise, so that
neither seat is nearer. Each round both choose a direction at once: seat 0 commits, then seat 1, and only then do
both move; nobody sees a pending commit. A snake whose head enters an apple's cell eats it and grows by one, else
its tail moves on. A snake dies that leaves the board, enters a cell of a snake's body (a tail that moves on in
that round leaves its cell free), or meets the other head, be it on one cell or by changing places. A snake that
dies still blocks its cells in that round. An eaten apple is replaced at once on a random cell that is free of
snakes and apples, while there is one.

The survivor wins (+1, −1). Where both die in one round the match is a draw whatever their lengths: neither
outlived the other, and a longer snake must not gain by forcing a crash. After 20 rounds the longer snake wins;
equal lengths are a draw. All four directions are always legal, deadly ones too.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from arena.core.answer import match_action
from arena.core.game import Action, GameInfo, Illegal, check_options
from arena.core.keys import draw

SIZE = 5
ROUNDS = 20
APPLES = 2
CELLS = SIZE * SIZE

INFO = GameInfo(
    id="snake",
    title="Snake",
    roles=("First", "Second"),
    utility=(-1.0, 1.0),
    max_turns=2 * ROUNDS,
    chance=True,
    hidden=True,
    trained=False,
)

ACTIONS: tuple[Action, ...] = ("[up]", "[down]", "[left]", "[right]")
_STEPS = ((-1, 0), (1, 0), (0, -1), (0, 1))
OUTSIDE = -1


def _neighbour(cell: int, step: tuple[int, int]) -> int:
    row, column = cell // SIZE + step[0], cell % SIZE + step[1]
    return row * SIZE + column if 0 <= row < SIZE and 0 <= column < SIZE else OUTSIDE


NEIGHBOUR: dict[Action, tuple[int, ...]] = {
    action: tuple(_neighbour(cell, step) for cell in range(CELLS)) for action, step in zip(ACTIONS, _STEPS, strict=True)
}
"""Action to the cell it leads to from each cell, OUTSIDE beyond the edge. Cells count row by row from the top left."""

_PLACE = tuple(f"{cell // SIZE + 1} {cell % SIZE + 1}" for cell in range(CELLS))
"""Row and column of a cell as shown, both from 1."""

Snake = tuple[int, ...]
"""Cells of one snake, head first."""


@dataclass(frozen=True, slots=True)
class State:
    """Both snakes, the apples, and seat 0's commit while seat 1's is awaited."""

    key: int
    snakes: tuple[Snake, Snake]
    apples: tuple[int, ...]
    placed: int = APPLES
    """Apples put on the board so far: the index of the next draw."""
    round: int = 0
    """Rounds finished."""
    dead: tuple[bool, bool] = (False, False)
    """A dead snake lies where it was before the move that killed it."""
    pending: Action = ""

    @property
    def to_act(self) -> int | None:
        if self.round == ROUNDS or True in self.dead:
            return None
        return 1 if self.pending else 0

    @property
    def utility(self) -> tuple[float, float]:
        return INFO.utility

    def legal(self) -> list[Action]:
        return [] if self.to_act is None else list(ACTIONS)

    def sample(self, rng: random.Random) -> str:
        return rng.choice(ACTIONS)

    def rules(self, seat: int) -> str:
        return (
            "Snake for two on a board of 5 rows and 5 columns. @ is your head, o your body, ~ the end of your tail; "
            "# is the other head, x its body, = the end of its tail; * is an apple, . a free cell. Positions are row "
            "and column; row 1 is at the top, column 1 at the left. "
            "The last line says what is next to your head. Each round both snakes choose a direction "
            "without knowing the other's choice, and move at once. Eating an apple makes you one longer, and "
            "another appears; otherwise your tail moves on and leaves its cell free. You die if you leave the board, "
            "run into a body, yours or the other's, or meet the other head on one cell or by changing places. "
            f"If one snake dies, the other wins; if both die in the same round, it is a draw. After {ROUNDS} rounds "
            "the longer snake wins; equal lengths are a draw. "
            "Answer with one of [up], [down], [left], [right], for example \\boxed{[up]}."
        )

    def observe(self, seat: int) -> str:
        mine, theirs = self.snakes[seat], self.snakes[1 - seat]
        cells = self._picture(mine, theirs, "@o~", "#x=")
        rows = "\n".join([" ".join(cells[start : start + SIZE]) for start in range(0, CELLS, SIZE)])
        head = mine[0]
        up, down, left, right = [_seen(cells, NEIGHBOUR[action][head]) for action in ACTIONS]
        return (
            f"Snake. Round {min(self.round + 1, ROUNDS)} of {ROUNDS}. You {len(mine)} long at {_PLACE[head]}. "
            f"They {len(theirs)} long at {_PLACE[theirs[0]]}. Apples at {_places(self.apples)}.\n{rows}\n"
            f"Up {up}. Down {down}. Left {left}. Right {right}."
        )

    def board(self) -> str:
        """Seat 0 is A and a, seat 1 is B and b; a pending commit is not shown."""
        cells = self._picture(self.snakes[0], self.snakes[1], "Aaa", "Bbb")
        lines = [f"Round {min(self.round + 1, ROUNDS)} of {ROUNDS}. A {len(self.snakes[0])}, B {len(self.snakes[1])}"]
        lines += [" ".join(cells[start : start + SIZE]) for start in range(0, CELLS, SIZE)]
        lines += [f"{name} has died" for name, dead in zip("AB", self.dead, strict=True) if dead]
        return "\n".join(lines)

    def _picture(self, first: Snake, second: Snake, first_marks: str, second_marks: str) -> list[str]:
        """One mark a cell; marks are those of head, body and tail end."""
        cells = ["."] * CELLS
        for apple in self.apples:
            cells[apple] = "*"
        for snake, marks in ((first, first_marks), (second, second_marks)):
            for cell in snake:
                cells[cell] = marks[1]
            cells[snake[-1]] = marks[2]
            cells[snake[0]] = marks[0]
        return cells

    def parse(self, answer: str) -> Action | Illegal:
        return match_action(answer, self.legal(), ACTIONS)

    def apply(self, action: Action) -> State:
        """Commit seat 0's direction, or with seat 1's move both. Raises ValueError where the action is not legal."""
        if action not in NEIGHBOUR or self.to_act is None:
            raise ValueError(f"{action!r} is not legal in round {self.round}")
        if not self.pending:
            return State(self.key, self.snakes, self.apples, self.placed, self.round, self.dead, action)
        return self._resolve(self.pending, action)

    def _resolve(self, first: Action, second: Action) -> State:
        before, apples = self.snakes, self.apples
        moved = (_moved(before[0], first, apples), _moved(before[1], second, apples))
        heads = (moved[0][0], moved[1][0])
        blocked = moved[0][1:] + moved[1][1:]
        met = heads[0] == heads[1] or (heads[0] == before[1][0] and heads[1] == before[0][0])
        dead = (
            met or heads[0] == OUTSIDE or heads[0] in blocked,
            met or heads[1] == OUTSIDE or heads[1] in blocked,
        )
        if True in dead:
            snakes = (before[0] if dead[0] else moved[0], before[1] if dead[1] else moved[1])
            eaten = [head for head, died in zip(heads, dead, strict=True) if not died]
            apples = tuple(apple for apple in apples if apple not in eaten)
            return State(self.key, snakes, apples, self.placed, self.round + 1, dead)
        left, placed = apples, self.placed
        if heads[0] in apples or heads[1] in apples:
            left, placed = _refilled(self.key, moved, tuple(a for a in apples if a not in heads), placed)
        return State(self.key, moved, left, placed, self.round + 1)

    def returns(self) -> tuple[float, float] | None:
        if self.to_act is not None:
            return None
        if True in self.dead:
            first = float(self.dead[1] - self.dead[0])
        else:
            lengths = len(self.snakes[0]), len(self.snakes[1])
            first = float((lengths[0] > lengths[1]) - (lengths[0] < lengths[1]))
        return first, 0.0 - first


_NAMES = {".": "free", "*": "apple", "@": "you", "o": "you", "~": "tail", "#": "they", "x": "they", "=": "tail"}


def _seen(cells: list[str], cell: int) -> str:
    """What stands next to the head, in a word."""
    return "wall" if cell == OUTSIDE else _NAMES[cells[cell]]


def _places(cells: tuple[int, ...]) -> str:
    return " and ".join([_PLACE[cell] for cell in cells]) or "none"


def _moved(snake: Snake, action: Action, apples: tuple[int, ...]) -> Snake:
    """The snake after its move, head OUTSIDE beyond the edge, whether or not it dies of it."""
    head = NEIGHBOUR[action][snake[0]]
    return (head, *snake) if head in apples else (head, *snake[:-1])


def _refilled(
    key: int, snakes: tuple[Snake, Snake], apples: tuple[int, ...], placed: int
) -> tuple[tuple[int, ...], int]:
    """The apples made up to their number while a cell is free, and how many were placed until now."""
    while len(apples) < APPLES:
        free = [cell for cell in range(CELLS) if cell not in snakes[0] and cell not in snakes[1] and cell not in apples]
        if not free:
            break
        apples = (*apples, draw(key, "apple", placed).choice(free))
        placed += 1
    return apples, placed


def new(key: int, **variant: str | int | float | bool) -> State:
    """The first position, the same seen from either seat but for the mirroring. Raises UsageError for any option."""
    check_options(INFO, variant)
    last, centre = CELLS - 1, CELLS // 2
    inner = [row * SIZE + column for row in (1, 2, 3) for column in (1, 2, 3)]
    head = draw(key, "spawn", 0).choice([cell for cell in inner if cell != centre])
    free = [cell for cell in range(CELLS) if cell not in (head, last - head, centre)]
    apple = draw(key, "apple", 0).choice(free)
    return State(key, ((head,), (last - head,)), (apple, last - apple))
