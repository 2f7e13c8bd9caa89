"""What a game's exact solution says of each move: the value for its mover before it and after it.

    python -m evals.verdicts RUN MATCH_ID     prints the verdicts on a stored match as JSON
    python -m evals.verdicts                  answers questions, one JSON object a line, until its input ends

A question is {"game": NAME, "turns": [{"seat", "observation", "action"}, …]}: a match's replies from its first one on,
illegal ones with action null. Positions come from what stands there alone, so a match may still be played.
Values: TicTacToe 1 win, 0 draw, −1 loss; Pig Dice the chance to win; one hand of Kuhn Poker chips, expected against the
equilibrium that the player `optimal` plays. Other games and variants have no verdicts.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from itertools import permutations
from typing import Any, NamedTuple

from arena.core.errors import ArenaError, UsageError
from arena.core.game import Action, Illegal
from arena.core.program import run_program
from arena.core.registry import GameSpec
from arena.games.kuhn_poker import hand_value
from arena.games.pig_dice import State as PigState
from arena.games.tictactoe import EMPTY, MARKS
from arena.games.tictactoe import State as Board
from arena.oracles import kuhn_poker, pig_dice, tictactoe
from arena.runs.matches import MatchReader
from arena.runs.paths import find_run
from arena.runs.verdicts import CHANCE, CHIPS, LOSS, OUTCOME, Judgement, Verdict

_EQUAL = 1e-9
_OUT_OF_REACH = 1e-12
_PIG = re.compile(r"You (\d+)\. They (\d+)\. Turn total (\d+)\.")

Turn = Mapping[str, Any]
Values = Mapping[Action, float]
"""What each legal action is worth to the seat to act."""


class _Solved(NamedTuple):
    """A game with an exact solution."""

    scale: str
    values: Callable[[Sequence[Turn]], list[Values | None]]
    """For each reply the values of all actions in its position, None where the solution does not say."""


def judge(game: str, turns: Sequence[Turn]) -> Judgement:
    """The facts of a game that viewers show, and the verdicts on these replies. Raises UsageError for no such game."""
    spec = GameSpec.parse(game)
    info = spec.game.INFO
    solved = _solved(spec)
    verdicts: tuple[Verdict | None, ...] = (None,) * len(turns)
    if solved is not None:
        found = solved.values(turns)
        verdicts = tuple(
            _verdict(solved.scale, turn["action"], values) for turn, values in zip(turns, found, strict=True)
        )
    return Judgement(
        game, info.title, info.roles, info.hidden, solved.scale if solved else "", _first_board(spec, turns), verdicts
    )


def _first_board(spec: GameSpec, turns: Sequence[Turn]) -> str:
    """Where nothing is drawn before the first reply, and no opening was played either."""
    if spec.game.INFO.chance:
        return ""
    state = spec.new(0)
    begins = all(state.observe(turn["seat"]).startswith(turn["observation"]) for turn in turns[:1])
    return state.board() if begins else ""


def _verdict(scale: str, action: Action | None, values: Values | None) -> Verdict | None:
    if values is None or action is None or action not in values:
        return None
    before, after = max(values.values()), values[action]
    best = tuple(name for name, value in values.items() if value >= before - _EQUAL)
    blunder = scale == OUTCOME and after == LOSS < before
    return Verdict(float(before), float(after), best, action in best, blunder)


def _solved(spec: GameSpec) -> _Solved | None:
    match spec.game.INFO.id:
        case "tictactoe":
            return _Solved(OUTCOME, _tictactoe)
        case "kuhn_poker" if spec.variant.get("hands") == 1 and spec.variant.get("payoff") == "chips":
            return _Solved(CHIPS, lambda turns: [_kuhn_observed(turn["observation"]) for turn in turns])
        case "pig_dice":
            target = int(spec.variant.get("target", spec.game.INFO.variants["target"][0]))
            return _Solved(CHANCE, lambda turns: [_pig_observed(target, turn["observation"]) for turn in turns])
        case _:
            return None


def _tictactoe(turns: Sequence[Turn]) -> list[Values | None]:
    """Played again from the first position that is shown; no values from where that does not fit."""
    state: Board | None = _board_observed(turns[0]) if turns else None
    found: list[Values | None] = []
    for turn in turns:
        if state is not None and state.to_act != turn["seat"]:
            state = None
        found.append(tictactoe.action_values(state) if state is not None else None)
        if state is not None and turn["action"] is not None:
            action = state.parse(turn["action"])
            state = None if isinstance(action, Illegal) else state.apply(action)
    return found


def _board_observed(turn: Turn) -> Board:
    """The empty board where the observation shows none."""
    cells = turn["observation"].partition("\n")[2].split()
    board = Board("".join(cell if cell in MARKS else EMPTY for cell in cells))
    return board if len(cells) == len(Board().cells) and board.observe(turn["seat"]) == turn["observation"] else Board()


def _kuhn_observed(observation: str) -> Values | None:
    infoset = _kuhn_infosets().get(observation)
    return None if infoset is None else kuhn_values(infoset)


@cache
def _kuhn_infosets() -> dict[str, kuhn_poker.InfoSet]:
    return {kuhn_poker.observation(infoset): infoset for infoset in kuhn_poker.INFOSETS}


@cache
def kuhn_values(infoset: kuhn_poker.InfoSet) -> dict[Action, float]:
    """Chips that each action wins on average for the seat to act, where the rest is played by the equilibrium."""
    policy = kuhn_poker.equilibrium()
    sums = dict.fromkeys((kuhn_poker.PASSIVE[infoset.history], kuhn_poker.AGGRESSIVE[infoset.history]), 0.0)
    total = 0.0
    for cards in permutations("JQK", 2):
        if cards[infoset.seat] != infoset.card:
            continue
        chance = _reach(policy, cards, infoset)
        total += chance
        for action, letter in zip(sums, ("f", "k") if infoset.history.endswith("b") else ("c", "b"), strict=True):
            first = _hand(policy, cards, infoset.history + letter)
            sums[action] += chance * (first if infoset.seat == 0 else -first)
    return {action: worth / total for action, worth in sums.items()}


def _reach(policy: kuhn_poker.Policy, cards: tuple[str, str], infoset: kuhn_poker.InfoSet) -> float:
    """Chance that the other seat plays so far as the history says."""
    chance = 1.0
    for place, letter in enumerate(infoset.history):
        seat = place % 2
        if seat != infoset.seat:
            bold = float(policy[kuhn_poker.InfoSet(seat, cards[seat], infoset.history[:place])])
            chance *= bold if letter in "bk" else 1.0 - bold
    return max(chance, _OUT_OF_REACH)


def _hand(policy: kuhn_poker.Policy, cards: tuple[str, str], history: str) -> float:
    """Chips that the opener wins on average from there."""
    if history not in kuhn_poker.AGGRESSIVE:
        return float(hand_value(history, *cards))
    seat = len(history) % 2
    bold = float(policy[kuhn_poker.InfoSet(seat, cards[seat], history)])
    letters = ("f", "k") if history.endswith("b") else ("c", "b")
    return (1 - bold) * _hand(policy, cards, history + letters[0]) + bold * _hand(policy, cards, history + letters[1])


def _pig_observed(target: int, observation: str) -> Values | None:
    """None near the limit of actions, of which the solution knows nothing; the observation tells it from there on."""
    found = _PIG.search(observation)
    if found is None or "Actions left" in observation:
        return None
    mine, theirs, total = (int(number) for number in found.groups())
    if max(mine, theirs) >= target:
        return None
    return pig_dice.action_values(PigState(key=0, target=target, scores=(mine, theirs), total=total))


def stored(run: str, match_id: int) -> dict[str, Any]:
    """The verdicts on a stored match as JSON. Raises UsageError where there is no such match."""
    with MatchReader(find_run(run)) as reader:
        match = reader.match(match_id)
        if match is None:
            raise UsageError(f"{run} has no match {match_id}.", f"List them: spiral-arena replay {run}")
        turns = [asdict(turn) for turn in reader.turns(match_id)]
    return asdict(judge(match.game, turns))


def serve(questions: Iterable[str]) -> None:
    """Answer each line with one; what cannot be judged is {"error": WHY}."""
    for question in questions:
        try:
            asked = json.loads(question)
            answer: dict[str, Any] = asdict(judge(str(asked["game"]), asked["turns"]))
        except (ArenaError, ImportError, KeyError, TypeError, ValueError) as error:
            answer = {"error": str(error) or type(error).__name__}
        print(json.dumps(answer), flush=True)


def main(arguments: Sequence[str]) -> int:
    match list(arguments):
        case []:
            serve(sys.stdin)
        case [run, number] if number.isdecimal():
            print(json.dumps(stored(run, int(number)), indent=2))
        case _:
            raise UsageError("Usage: python -m evals.verdicts RUN MATCH_ID")
    return 0


if __name__ == "__main__":
    sys.exit(run_program(lambda: main(sys.argv[1:])))
