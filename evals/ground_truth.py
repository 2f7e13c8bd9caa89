"""Measure a player against the exact solution of a game: sampled replies to fixed positions.

Every measure asks for replies at given positions, with the prompt a match would show, and counts which
action each reply named (`Replies`). Counts merge, so several processes can share the positions; all
figures are functions of the counts.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from arena.core.errors import InfrastructureError, PlayerStopped
from arena.core.game import Action, Illegal, State
from arena.core.keys import derive_key
from arena.core.match import make_view
from arena.core.player import Player, View
from arena.core.registry import GameSpec
from arena.games.pig_dice import State as PigState
from arena.games.tictactoe import State as Board
from arena.oracles import kuhn_poker, pig_dice, tictactoe
from arena.runs.rows import TruthRow
from evals.statistics import Interval, mean_interval, proportion_interval

ILLEGAL = "illegal"
"""Stands in counts for every reply that named no legal action."""
CONCURRENCY = 256
REPLAYS = 3
"""How often a reply that failed for no fault of the player's is asked for again."""
KUHN_SAMPLES = 1024
"""Replies an infoset: with fewer, even an exact equilibrium looks exploitable (see `sampling_floor`)."""
PIG_POSITIONS = 600
_POSTERIOR_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """One exact measure of a player in a game, with its 95 % interval over `n` sampled replies."""

    player: str
    game: str
    measure: str
    value: float
    low: float
    high: float
    n: int
    detail: Mapping[str, object]
    """Figures that belong beside the value; can be written as JSON."""


Replies = dict[str, dict[Action, int]]
"""Position id to how many replies named each action, `ILLEGAL` among them."""


class Position(NamedTuple):
    id: str
    state: State


class _Measures(NamedTuple):
    """What is measured in one game."""

    positions: Callable[[], list[Position]]
    samples: int
    """Replies a position, by default."""
    whole: bool
    """Whether the measures need every position, so that no subset will do."""
    summarise: Callable[[str, str, Replies], list[GroundTruth]]


def supported(game: GameSpec) -> bool:
    """Whether the game, in this variant, has exact measures."""
    return _measures(game) is not None


def replies_needed(game: GameSpec) -> int:
    """How many replies all exact measures of a player in the game take; 0 where there are none."""
    measures = _measures(game)
    return len(measures.positions()) * measures.samples if measures else 0


async def measure(
    player: Player,
    game: GameSpec,
    seed: int,
    samples: int | None = None,
    stride: int = 1,
    concurrency: int = CONCURRENCY,
) -> list[GroundTruth]:
    """All exact measures of the player in the game; none where the game has no exact solution here.

    `samples` is the number of replies a position (default: 1, in Kuhn `KUHN_SAMPLES`). With `stride` k only
    every k-th position is asked, where the measure allows it. Raises InfrastructureError where the player
    keeps failing. Equal for equal seeds, whatever the concurrency, where the player is.
    """
    replies = await collect(player, game, seed, samples, stride, concurrency)
    return summarise(player.name, game, replies)


async def collect(
    player: Player,
    game: GameSpec,
    seed: int,
    samples: int | None = None,
    stride: int = 1,
    concurrency: int = CONCURRENCY,
    part: int = 0,
    parts: int = 1,
) -> Replies:
    """Ask for the replies of `measure`, or of share `part` of `parts` of its positions, and count them."""
    measures = _measures(game)
    if measures is None:
        return {}
    positions = measures.positions()[:: 1 if measures.whole else stride][part::parts]
    counts = {position.id: Counter[Action]() for position in positions}
    questions = _questions(player, game, seed, positions, measures.samples if samples is None else samples)

    async def work() -> None:
        for position, view in questions:
            counts[position.id][await _ask(player, position.state, view)] += 1
            # A bot never waits for anything: let the other tasks have their turn.
            await asyncio.sleep(0)

    workers = [asyncio.create_task(work()) for _ in range(concurrency)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return {name: dict(sorted(found.items())) for name, found in counts.items()}


def merge(parts: Iterable[Replies]) -> Replies:
    """Add up the counts of several shares, in the order of their positions' ids."""
    total: dict[str, Counter[Action]] = {}
    for replies in parts:
        for name, found in replies.items():
            total.setdefault(name, Counter()).update(found)
    return {name: dict(sorted(total[name].items())) for name in sorted(total)}


def summarise(player: str, game: GameSpec, replies: Replies) -> list[GroundTruth]:
    """The figures that follow from the counts. Raises ValueError where a position that is needed has no reply."""
    measures = _measures(game)
    return measures.summarise(player, game.name, replies) if measures else []


def truth_row(truth: GroundTruth, step: int = 0) -> TruthRow:
    """The measure as a run stores it."""
    return TruthRow(
        player=truth.player,
        game=truth.game,
        measure=truth.measure,
        value=truth.value,
        low=truth.low,
        high=truth.high,
        n=truth.n,
        detail=json.dumps(dict(truth.detail)),
        step=step,
    )


def _questions(
    player: Player, game: GameSpec, seed: int, positions: Iterable[Position], samples: int
) -> Iterator[tuple[Position, View]]:
    """Every reply to ask for. Replies to one position stand together: they share a prompt."""
    for position in positions:
        view = make_view(game, position.state, player, key=0)
        for sample in range(samples):
            yield position, replace(view, key=derive_key("ground truth", seed, game.name, position.id, sample))


async def _ask(player: Player, state: State, view: View) -> Action:
    for attempt in range(REPLAYS + 1):
        try:
            reply = await player.act(view)
            break
        except InfrastructureError as error:
            if attempt == REPLAYS or isinstance(error, PlayerStopped):
                raise
    action = state.parse(reply.answer)
    return ILLEGAL if isinstance(action, Illegal) else action


def _measures(game: GameSpec) -> _Measures | None:
    match game.game.INFO.id:
        case "tictactoe":
            return _Measures(_tictactoe_positions, 1, False, _tictactoe_truth)
        case "kuhn_poker" if game.variant.get("hands") == 1 and game.variant.get("payoff") == "chips":
            return _Measures(_kuhn_positions, KUHN_SAMPLES, True, _kuhn_truth)
        case "pig_dice" if game.variant.get("target", 50) == 50:
            return _Measures(_pig_positions, 1, False, _pig_truth)
        case _:
            return None


# TicTacToe


@lru_cache(maxsize=1)
def _boards() -> dict[str, Board]:
    """Reachable positions in which the choice matters: not every legal move is optimal."""
    boards = [board for board in tictactoe.reachable() if board.to_act is not None]
    return {board.cells: board for board in boards if len(tictactoe.optimal_actions(board)) < len(board.legal())}


def _tictactoe_positions() -> list[Position]:
    return [Position(name, state) for name, state in _boards().items()]


def _tictactoe_truth(player: str, game: str, replies: Replies) -> list[GroundTruth]:
    """Optimal-move rate, and blunder rate: replies that lose a position that was not lost.

    None of the positions is lost. A move blunders if the other seat can then force a win; so does an
    illegal reply, which forfeits. A move from a win to a draw is neither optimal nor a blunder.
    """
    total = optimal = blunders = illegal = 0
    for name, found in replies.items():
        values = tictactoe.action_values(_boards()[name])
        best = max(values.values())
        total += sum(found.values())
        illegal += found.get(ILLEGAL, 0)
        optimal += sum(count for action, count in found.items() if values.get(action) == best)
        blunders += sum(count for action, count in found.items() if values.get(action, -1) == -1)
    detail = {"positions": len(replies), "illegal": _share(illegal, total)}
    return [
        _truth(player, game, "optimal_move_rate", proportion_interval(optimal, total), total, detail),
        _truth(player, game, "blunder_rate", proportion_interval(blunders, total), total, detail),
    ]


# Kuhn poker, one hand for chips


def _infoset_id(infoset: kuhn_poker.InfoSet) -> str:
    return f"{infoset.seat}/{infoset.card}/{infoset.history}"


def _kuhn_positions() -> list[Position]:
    return [Position(_infoset_id(infoset), kuhn_poker.state_of(infoset)) for infoset in kuhn_poker.INFOSETS]


def _kuhn_truth(player: str, game: str, replies: Replies) -> list[GroundTruth]:
    """Exploitability (NashConv / 2, chips a hand) of the sampled policy; an illegal reply is a check or a fold.

    The value is that of the observed shares; the interval is of a Dirichlet(1/2) posterior on each infoset.
    Sampling alone makes any policy look exploitable: `floor` is what an exact equilibrium reads on average at
    this number of replies, and where the value is below the floor's 97.5 % point the interval reaches 0.
    """
    found = [replies.get(_infoset_id(infoset), {}) for infoset in kuhn_poker.INFOSETS]
    totals = np.array([sum(counts.values()) for counts in found])
    if totals.min() < 1:
        raise ValueError("exploitability needs replies in every infoset")
    aggressive = np.array(
        [c.get(kuhn_poker.AGGRESSIVE[i.history], 0) for c, i in zip(found, kuhn_poker.INFOSETS, strict=True)]
    )
    chances = aggressive / totals
    value = kuhn_poker.fast_exploitability(chances.tolist())
    posterior = np.random.default_rng(0).beta(aggressive + 0.5, totals - aggressive + 0.5, (_POSTERIOR_DRAWS, 12))
    low, high = np.quantile([kuhn_poker.fast_exploitability(row) for row in posterior.tolist()], (0.025, 0.975))
    floor = sampling_floor(int(totals.min()))
    n = int(totals.sum())
    detail = {
        "nash_conv": 2 * value,
        "samples_per_infoset": int(totals.min()),
        "floor": floor.score,
        "floor_high": floor.high,
        "illegal": _share(sum(counts.get(ILLEGAL, 0) for counts in found), n),
        "policy": {_infoset_id(i): chance for i, chance in zip(kuhn_poker.INFOSETS, chances.tolist(), strict=True)},
    }
    bottom = 0.0 if value <= floor.high else min(value, float(low))
    return [_truth(player, game, "exploitability", Interval(value, bottom, max(value, float(high))), n, detail)]


@lru_cache(maxsize=16)
def sampling_floor(samples: int) -> Interval:
    """Exploitability that the exact equilibrium (alpha = 1/5) seems to have from so many replies an infoset.

    Mean, 2.5 % and 97.5 % points over simulated measurements; the truth is 0.
    """
    equilibrium = kuhn_poker.equilibrium()
    exact = [float(equilibrium[infoset]) for infoset in kuhn_poker.INFOSETS]
    seen = np.random.default_rng(0).binomial(samples, exact, (_POSTERIOR_DRAWS, 12)) / samples
    readings = [kuhn_poker.fast_exploitability(row) for row in seen.tolist()]
    low, high = np.quantile(readings, (0.025, 0.975))
    return Interval(float(np.mean(readings)), float(low), float(high))


# Pig Dice


@lru_cache(maxsize=1)
def _pig_states() -> dict[str, PigState]:
    """The decisions of optimal play against itself: the first `PIG_POSITIONS`, whole matches in order of their keys.

    The keys, and so the dice, are fixed: every player is measured on the same positions.
    """
    states: dict[str, PigState] = {}
    match = 0
    while len(states) < PIG_POSITIONS:
        state = PigState(derive_key("pig positions", match))
        while state.to_act is not None:
            states[f"{match:04d}/{state.acted:03d}"] = state
            state = state.apply(pig_dice.optimal_action(state))
        match += 1
    return dict(list(states.items())[:PIG_POSITIONS])


def _pig_positions() -> list[Position]:
    return [Position(name, state) for name, state in _pig_states().items()]


def _pig_truth(player: str, game: str, replies: Replies) -> list[GroundTruth]:
    """Mean win probability that a decision gives away; an illegal reply, which forfeits, gives all of it away."""
    losses: list[float] = []
    illegal = errors = 0
    for name in sorted(replies):
        state = _pig_states()[name]
        for action, count in replies[name].items():
            forfeited = action == ILLEGAL
            loss = pig_dice.win_probability(state) if forfeited else pig_dice.value_loss(state, action)
            losses += [loss] * count
            illegal += count * forfeited
            errors += count * (loss > 1e-9)
    n = len(losses)
    detail = {
        "positions": len(replies),
        "source": "positions of optimal play against itself, fixed dice",
        "suboptimal": _share(errors, n),
        "illegal": _share(illegal, n),
    }
    return [_truth(player, game, "value_loss", mean_interval(losses, (0.0, 1.0)), n, detail)]


def _share(count: int, total: int) -> float:
    return count / total if total else 0.0


def _truth(player: str, game: str, name: str, interval: Interval, n: int, detail: Mapping[str, object]) -> GroundTruth:
    return GroundTruth(player, game, name, interval.score, interval.low, interval.high, n, detail)
