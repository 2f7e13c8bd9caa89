"""Evaluate the offered weights inside training: the tournament's own runner, statistics and ground truth.

Every rank plays its share of the pairs and positions; shares are put together in the order of the
schedule, so the figures do not depend on timing or, for a given seed, on which rank played what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from arena.config.train import EvaluationConfig
from arena.core.keys import derive_key
from arena.core.player import Player
from arena.core.registry import GameSpec
from arena.players.optimal import has_oracle
from arena.runs.rows import MatchRow, MetricRow, TruthRow, TurnRow
from evals import ground_truth
from evals.report import game_row, group_matches
from evals.runner import MatchList, run_matches
from evals.schedule import PlannedMatch, schedule_pairs
from evals.statistics import proportion_interval
from training.distributed import Ranks
from training.former import SELF

OFFERED, START = "offered", "start"


@dataclass(slots=True)
class Evaluation:
    """What rank 0 stores of one evaluation."""

    metrics: list[MetricRow] = field(default_factory=list)
    truths: list[TruthRow] = field(default_factory=list)
    matches: list[tuple[MatchRow, list[TurnRow]]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    """Opponents that could not go on, and why: nothing of them is in the rest."""


async def evaluate(
    config: EvaluationConfig,
    games: Sequence[GameSpec],
    players: Mapping[str, Player],
    step: int,
    seed: int,
    group: Ranks,
) -> Evaluation:
    """Play the offered weights against each opponent in each game, and measure them where a game is solved.

    `players` holds `OFFERED`, and the opponents by name; one that is not there is left out. Every evaluation of
    a run uses the same keys, so that differences between steps are not differences of luck.
    """
    result = Evaluation()
    planned = _schedule(config, games, seed, players)
    played = MatchList()
    mine = [match for match in planned if match.pair % group.world == group.rank]
    outcome = await run_matches(mine, players, played, retries=0)
    for share, stopped in group.gather((played.finished, outcome.stopped_players)):
        result.matches += share
        result.missing |= stopped
    result.matches = [item for item in result.matches if item[0].b not in result.missing]
    result.matches.sort(key=lambda item: item[0].number)
    result.metrics += _scores([match for match, _ in result.matches], step)
    if config.ground_truth:
        for game in games:
            truths = await _truths(config, game, players[OFFERED], step, seed, group)
            result.truths += truths
            result.metrics += [
                MetricRow(step, row.measure, row.value, game.name, low=row.low, high=row.high, n=row.n)
                for row in truths
            ]
    return result


def _schedule(
    config: EvaluationConfig, games: Sequence[GameSpec], seed: int, players: Mapping[str, Player]
) -> list[PlannedMatch]:
    planned: list[PlannedMatch] = []
    asked = [config.former_self if name == SELF else name for name in config.opponents]
    present = [name for name in asked if name in players]
    for game in games:
        met = [name for name in present if name != "optimal" or has_oracle(game.game.INFO.id)]
        pairings = [(OFFERED, name) for name in met]
        found = schedule_pairs([game], pairings, config.pairs, derive_key("evaluation", seed))
        planned += [replace(match, number=match.number + len(planned)) for match in found]
    return planned


def _scores(matches: Sequence[MatchRow], step: int) -> list[MetricRow]:
    rows: list[MetricRow] = []
    for encounter in group_matches(matches):
        found = game_row(encounter)
        game, opponent, count = encounter.game, encounter.b, 2 * found["pairs"]
        for name, some in (("draw_rate", found["draws"]), ("eval_forfeit_rate", found["forfeits_a"])):
            share = proportion_interval(some, count)
            rows.append(MetricRow(step, name, some / count, game, "", opponent, share.low, share.high, count))
        score = (found["score"], game, "", opponent, found["low"], found["high"], count)
        rows.append(MetricRow(step, "score", *score))
    return rows


async def _truths(
    config: EvaluationConfig, game: GameSpec, player: Player, step: int, seed: int, group: Ranks
) -> list[TruthRow]:
    if not ground_truth.supported(game):
        return []
    stride = max(1, round(1 / config.positions)) if config.positions else 1
    mine = await ground_truth.collect(
        player, game, derive_key("truth", seed), stride=stride, part=group.rank, parts=group.world
    )
    replies = ground_truth.merge(group.gather(mine))
    return [ground_truth.truth_row(truth, step) for truth in ground_truth.summarise(OFFERED, game, replies)]
