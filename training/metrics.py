"""Figures of one training step, from all ranks' matches and the update."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

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
    score: tuple[float, float]
    """1 for a win, 0.5 for a draw, 0 for a loss, by seat."""
    draw: bool
    forfeit: int | None
    turns: int
    """Replies of the policy, illegal ones included."""
    thought_tokens: tuple[int, ...]
    """Length of each reply's thought, in tokens of the reply."""
    tokens: int
    transcript: int
    """Hash of the game and its actions, the same in every process."""
    trained: tuple[bool, bool]
    """Which seats were trained."""
    opponent: str
    """Who sat on the seat that was not trained; empty in self-play."""

    @property
    def forfeited(self) -> bool:
        """Whether it was the policy that forfeited."""
        return self.forfeit is not None and self.trained[self.forfeit]

    @property
    def policy_score(self) -> float:
        """The score of the policy's seat, where it has but one."""
        return self.score[self.trained.index(True)]


def summarise(played: Played, values: tuple[float, float]) -> MatchSummary:
    """The summary of one match; `values` are the shaped returns by seat."""
    replies = [
        event.reply
        for event in played.events
        if isinstance(event, TurnTaken | IllegalReply) and played.trained[event.seat] and event.reply.sample
    ]
    lengths = [len(reply.sample.token_ids) if reply.sample else 0 for reply in replies]
    other = 0.5 + 0.5 * ((played.returns[1] > played.returns[0]) - (played.returns[1] < played.returns[0]))
    shares = [len(reply.thought) / max(len(reply.text), 1) for reply in replies]
    return MatchSummary(
        number=played.number,
        game=played.game,
        values=values,
        score=(1 - other, other),
        draw=played.returns[0] == played.returns[1],
        forfeit=played.forfeit,
        turns=len(replies),
        thought_tokens=tuple(round(share * length) for share, length in zip(shares, lengths, strict=True)),
        tokens=sum(lengths),
        transcript=zlib.crc32(played.transcript.encode()),
        trained=played.trained,
        opponent=played.opponent,
    )


def game_metrics(step: int, matches: Sequence[MatchSummary]) -> list[MetricRow]:
    """The policy's returns per game and role, forfeits, draws, lengths and distinct matches per game.

    With an opponent that is not trained also its forfeits, and the policy's score against each by name.
    """
    rows: list[MetricRow] = []
    for game in dict.fromkeys(match.game for match in matches):
        mine = [match for match in matches if match.game == game]
        count = len(mine)
        for role in (0, 1):
            values = (match.values[role] for match in mine if match.trained[role])
            rows.append(_row(step, "return", values, game, str(role)))
        rows.append(_row(step, "forfeit_rate", (match.forfeited for match in mine), game))
        if own := [match.draw for match in mine if not match.opponent]:
            rows.append(_row(step, "self_play_draw_rate", own, game))
        rows.append(_row(step, "turns_per_match", (match.turns for match in mine), game))
        rows.append(_row(step, "thought_tokens", (n for match in mine for n in match.thought_tokens), game))
        distinct = len({match.transcript for match in mine})
        rows.append(MetricRow(step, "distinct_matches", distinct / count, game, n=count))
        rows += _opponent_metrics(step, game, mine)
    return rows


def _opponent_metrics(step: int, game: str, matches: Sequence[MatchSummary]) -> list[MetricRow]:
    """The policy's score against each opponent that is not trained, and how often that one forfeits."""
    rows: list[MetricRow] = []
    for name in sorted({match.opponent for match in matches} - {""}):
        mine = [match for match in matches if match.opponent == name]
        scores = _row(step, "training_score", (match.policy_score for match in mine), game)
        forfeits = (match.forfeit is not None and not match.forfeited for match in mine)
        rows.append(replace(scores, opponent=name))
        rows.append(replace(_row(step, "opponent_forfeit_rate", forfeits, game), opponent=name))
    return rows


def baseline_metrics(step: int, estimator: Estimator) -> list[MetricRow]:
    """The estimator's baselines per game and role."""
    return [
        MetricRow(step, "baseline", value, game, str(role)) for (game, role), value in estimator.baselines().items()
    ]


def estimator_metrics(step: int, estimator: Estimator) -> list[MetricRow]:
    """The estimator's own figures per game; what is not finite is stored as absent."""
    return [
        MetricRow(step, name, value if math.isfinite(value) else None, game)
        for (name, game), value in estimator.figures().items()
    ]


def plain_metrics(step: int, values: Iterable[tuple[str, float]]) -> list[MetricRow]:
    """Rows of figures that belong to no game; what is not finite is stored as absent."""
    return [MetricRow(step, name, value if math.isfinite(value) else None) for name, value in values]


def _row(step: int, name: str, values: Iterable[float], game: str, role: str = "") -> MetricRow:
    found = list(values)
    return MetricRow(step, name, sum(found) / len(found) if found else None, game, role, n=len(found))
