"""Figures of one training step, from all ranks' matches and the update."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from arena.core.events import IllegalReply, TurnTaken
from arena.runs.rows import MetricRow
from training.advantages import Estimator
from training.rollout import Played


@dataclass(frozen=True, slots=True)
class MatchSummary:
    """What the metrics need of one training match; small, since ranks exchange it."""

    number: int
    game: str
    values: tuple[float, float]
    """Shaped returns by seat."""
    draw: bool
    forfeit: int | None
    turns: int
    """Replies of the policy, illegal ones included."""
    thought_tokens: tuple[int, ...]
    """Length of each reply's thought, in tokens of the reply."""
    tokens: int
    transcript: int
    """Hash of the game and its actions, the same in every process."""


def summarise(played: Played, values: tuple[float, float]) -> MatchSummary:
    """The summary of one match; `values` are the shaped returns by seat."""
    replies = [
        event.reply for event in played.events if isinstance(event, TurnTaken | IllegalReply) and event.reply.sample
    ]
    lengths = [len(reply.sample.token_ids) if reply.sample else 0 for reply in replies]
    shares = [len(reply.thought) / max(len(reply.text), 1) for reply in replies]
    return MatchSummary(
        number=played.number,
        game=played.game,
        values=values,
        draw=played.returns[0] == played.returns[1],
        forfeit=played.forfeit,
        turns=len(replies),
        thought_tokens=tuple(round(share * length) for share, length in zip(shares, lengths, strict=True)),
        tokens=sum(lengths),
        transcript=zlib.crc32(played.transcript.encode()),
    )


def game_metrics(step: int, matches: Sequence[MatchSummary]) -> list[MetricRow]:
    """Returns per game and role, forfeits, draws, lengths and distinct matches per game."""
    rows: list[MetricRow] = []
    for game in dict.fromkeys(match.game for match in matches):
        mine = [match for match in matches if match.game == game]
        count = len(mine)
        for role in (0, 1):
            rows.append(_row(step, "return", (match.values[role] for match in mine), game, str(role)))
        rows.append(_row(step, "forfeit_rate", (match.forfeit is not None for match in mine), game))
        rows.append(_row(step, "self_play_draw_rate", (match.draw for match in mine), game))
        rows.append(_row(step, "turns_per_match", (match.turns for match in mine), game))
        rows.append(_row(step, "thought_tokens", (n for match in mine for n in match.thought_tokens), game))
        distinct = len({match.transcript for match in mine})
        rows.append(MetricRow(step, "distinct_matches", distinct / count, game, n=count))
    return rows


def baseline_metrics(step: int, estimator: Estimator) -> list[MetricRow]:
    """The estimator's baselines per game and role."""
    return [
        MetricRow(step, "baseline", value, game, str(role)) for (game, role), value in estimator.baselines().items()
    ]


def plain_metrics(step: int, values: Iterable[tuple[str, float]]) -> list[MetricRow]:
    """Rows of figures that belong to no game; what is not finite is stored as absent."""
    return [MetricRow(step, name, value if math.isfinite(value) else None) for name, value in values]


def _row(step: int, name: str, values: Iterable[float], game: str, role: str = "") -> MetricRow:
    found = list(values)
    return MetricRow(step, name, sum(found) / len(found) if found else None, game, role, n=len(found))
