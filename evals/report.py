"""What a run of matches shows: the result as JSON.

The result holds nothing that depends on when, where or how fast the matches were played. Only complete
pairs count, so a run that is still going on, or was cut off, shows a smaller table of the same kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from arena.core.errors import ArenaError, UsageError
from arena.core.registry import GameSpec
from arena.runs.paths import CONFIG_JSON
from arena.runs.rows import MatchRow
from arena.runs.transcripts import TranscriptReader
from evals.alpha_rank import alpha_masses
from evals.claims import make_claims
from evals.distinct import count_distinct, few_distinct
from evals.ratings import Meeting, rate
from evals.result_table import render_table as render_table
from evals.result_table import warned as warned
from evals.standings import rating_notes as rating_notes
from evals.standings import render_ratings as render_ratings
from evals.statistics import Interval, Pair, PairOutcomes, points, score_interval, seat_effect, utility_interval

SCHEMA = 1
_DIGITS = 6

Row = dict[str, Any]


class Encounter(NamedTuple):
    """The complete pairs of two players in one game: both matches of each, a in seat 0 first."""

    game: str
    a: str
    b: str
    pairs: list[tuple[MatchRow, MatchRow]]
    distinct: int | None = None
    """How many of the matches differ; None where that is not known."""

    @property
    def returns(self) -> list[Pair]:
        return [Pair(first.return_a, second.return_a) for first, second in self.pairs]


class Facts(NamedTuple):
    """What a result has to know of a game. A game that is not ours, of imported matches, is known by its returns."""

    utility: tuple[float, float]
    chance: bool
    ood: bool | None
    """Whether self-play never trains on it; None where it is not our game."""

    @classmethod
    def of(cls, encounter: Encounter) -> Facts:
        values = {value for pair in encounter.returns for value in pair}
        most = max(map(abs, values), default=1.0)
        known = _known_facts(encounter.game)
        if known is None:
            most = 1.0 if values <= {-1.0, 0.0, 1.0} else most
            return cls((-most, most), False, None)
        low, high = known.utility
        return known._replace(utility=(min(low, -most), max(high, most)))


@cache
def _known_facts(name: str) -> Facts | None:
    try:
        game = GameSpec.parse(name)
    except UsageError:
        return None
    return Facts(game.new(0).utility, game.game.INFO.chance, not game.game.INFO.trained)


def build_result(run_dir: Path, counts: Callable[[MatchRow], bool] | None = None) -> dict[str, Any]:
    """The tournament's JSON: results per game and over all games, ratings, alpha-rank, claims, ground truth.

    Only matches that `counts` says yes to are looked at, where it is given: then the number of pairs was not fixed
    beforehand, and there are no claims.
    Raises ArenaError where the run cannot be read.
    """
    with TranscriptReader(run_dir) as reader:
        encounters = read_encounters(reader, counts)
        truths = reader.truths()
    ratings = rate([Meeting(e.game, e.a, e.b, e.returns) for e in encounters])
    masses, left_out = alpha_masses({pair: _outcomes(group) for pair, group in _by_players(encounters).items()})
    return {
        "schema": SCHEMA,
        "seed": seed_of(run_dir),
        "results": [game_row(encounter) for encounter in encounters],
        "overall": overall_rows(encounters),
        "ratings": [
            {
                "player": rating.player,
                **interval_row(Interval(rating.rating, rating.low, rating.high), "rating", "low", "high"),
                "matches": rating.matches,
                "group": rating.group,
                "prior_limited": rating.prior_limited,
            }
            for rating in ratings
        ],
        "alpha_rank": [
            {"player": one.player, **interval_row(Interval(*one[1:]), "mass", "low", "high")} for one in masses
        ],
        "alpha_rank_left_out": left_out,
        "claims": claim_rows(encounters) if counts is None else [],
        "ground_truth": [
            {
                "player": row.player,
                "game": row.game,
                "measure": row.measure,
                **interval_row(Interval(row.value, row.low, row.high), "value", "low", "high"),
                "n": row.n,
                "detail": json.loads(row.detail),
            }
            for row in truths
        ],
        "warnings": warning_rows(encounters),
    }


def read_encounters(reader: TranscriptReader, counts: Callable[[MatchRow], bool] | None = None) -> list[Encounter]:
    """Every meeting of a run, with how many of its matches differ."""
    matches = reader.all_matches()
    if counts is not None:
        matches = [match for match in matches if counts(match)]
    transcripts = reader.transcripts()
    found = group_matches(matches)
    return [encounter._replace(distinct=count_distinct(encounter.pairs, transcripts)) for encounter in found]


def group_matches(matches: Iterable[MatchRow]) -> list[Encounter]:
    """Put matches together by game and players, in order of appearance; pairs with one match missing are left out."""
    legs: dict[tuple[str, str, str], dict[int, dict[int, MatchRow]]] = {}
    for match in matches:
        legs.setdefault((match.game, match.a, match.b), {}).setdefault(match.pair, {})[match.leg] = match
    encounters = []
    for (game, a, b), pairs in legs.items():
        complete = [(pair[0], pair[1]) for _, pair in sorted(pairs.items()) if len(pair) == 2]
        if complete:
            encounters.append(Encounter(game, a, b, complete))
    return encounters


def game_row(encounter: Encounter) -> Row:
    """One line of `results`, from a's side.

    `score` is wins + draws / 2 per match where the utility is ±1, else the mean return (`unit` says which);
    `points` is wins + draws / 2 in both. The seat effect is the mean return as seat 0 minus that as seat 1.
    `distinct` is how many of the matches differ. `ood` marks games that self-play never trains on.
    """
    utility, _, held_out = Facts.of(encounter)
    returns = encounter.returns
    by_points = score_interval(PairOutcomes.of(returns))
    is_points = utility == (-1.0, 1.0)
    score = by_points if is_points else utility_interval(returns, utility)
    return {
        "game": encounter.game,
        **_counts(encounter.a, encounter.b, [encounter]),
        **interval_row(score, "score", "low", "high"),
        "unit": "points" if is_points else "utility",
        "points": round(by_points.score, _DIGITS),
        **_forfeits([encounter]),
        "distinct": encounter.distinct,
        **interval_row(seat_effect(returns, utility), "seat_effect", "seat_effect_low", "seat_effect_high"),
        "ood": held_out,
    }


def warning_rows(encounters: Sequence[Encounter]) -> list[Row]:
    """What a reader of the results should mind: meetings of few distinct games."""
    return [found for one in encounters for found in few_distinct(_meeting(one), Facts.of(one).chance)]


def _meeting(encounter: Encounter) -> Row:
    return {
        "game": encounter.game, "a": encounter.a, "b": encounter.b, "pairs": len(encounter.pairs),
        "distinct": encounter.distinct,
    }  # fmt: skip


def from_side(row: Row, player: str) -> Row:
    """A line of `results` or `overall` as that player sees it: `opponent` is the other, figures are its own."""
    ours, theirs = ("a", "b") if row["a"] == player else ("b", "a")
    top = 0.0 if row.get("unit") == "utility" else 1.0
    mirrored = {"score": top - row["score"], "low": top - row["high"], "high": top - row["low"]}
    return {
        "player": row[ours],
        "opponent": row[theirs],
        "pairs": row["pairs"],
        "wins": row["wins"] if ours == "a" else row["losses"],
        "draws": row["draws"],
        "losses": row["losses"] if ours == "a" else row["wins"],
        **{name: row[name] if ours == "a" else round(value, _DIGITS) for name, value in mirrored.items()},
        "unit": row.get("unit", "points"),
        "forfeits": row[f"forfeits_{ours}"],
        "opponent_forfeits": row[f"forfeits_{theirs}"],
        "distinct": row.get("distinct"),
    }


def overall_rows(encounters: Sequence[Encounter]) -> list[Row]:
    """One line for every two players over all their games, in points; every pair weighs the same."""
    return [
        {
            **_counts(a, b, group),
            **interval_row(score_interval(_outcomes(group)), "score", "low", "high"),
            **_forfeits(group),
            "distinct": _distinct(group),
        }
        for (a, b), group in _by_players(encounters).items()
    ]


def _by_players(encounters: Iterable[Encounter]) -> dict[tuple[str, str], list[Encounter]]:
    """The encounters of each two players, seen from whoever is a in the first of them."""
    groups: dict[tuple[str, str], list[Encounter]] = {}
    for encounter in encounters:
        turned = (encounter.b, encounter.a) in groups
        one = _turned(encounter) if turned else encounter
        groups.setdefault((one.a, one.b), []).append(one)
    return groups


def _turned(encounter: Encounter) -> Encounter:
    """The same from the other side."""
    other = {"": "", "a": "b", "b": "a"}

    def turn(match: MatchRow) -> MatchRow:
        return replace(
            match, a=match.b, b=match.a, leg=1 - match.leg, return_a=match.return_b, return_b=match.return_a,
            forfeit=other[match.forfeit],
        )  # fmt: skip

    pairs = [(turn(second), turn(first)) for first, second in encounter.pairs]
    return encounter._replace(a=encounter.b, b=encounter.a, pairs=pairs)


def _outcomes(group: Sequence[Encounter]) -> PairOutcomes:
    return PairOutcomes.of(pair for encounter in group for pair in encounter.returns)


def claim_rows(encounters: Sequence[Encounter]) -> list[Row]:
    """Who beats whom, over all games (`game` is null) where there are several, and in each game.

    Over all games points are tested, in a game what it is scored by. Holm's correction minds each of these two families
    by itself.
    """
    pooled = [
        (a, b, [points(pair.as_seat0) + points(pair.as_seat1) - 1 for e in group for pair in e.returns])
        for (a, b), group in _by_players(encounters).items()
    ]
    single = [(e.a, e.b, _totals(e)) for e in encounters]
    games: list[str | None] = [encounter.game for encounter in encounters]
    found = list(zip(games, make_claims(single), strict=True))
    if len(set(games)) > 1:
        found = [(None, claim) for claim in make_claims(pooled)] + found
    return [
        {
            "game": game, "a": claim.a, "b": claim.b, "pairs": claim.pairs, "better": claim.better,
            "p": float(f"{claim.p:.6g}"), "p_holm": float(f"{claim.p_holm:.6g}"), "claim": claim.made,
        }
        for game, claim in found
    ]  # fmt: skip


def _totals(encounter: Encounter) -> list[float]:
    if Facts.of(encounter).utility == (-1.0, 1.0):
        return [points(pair.as_seat0) + points(pair.as_seat1) - 1 for pair in encounter.returns]
    return [pair.as_seat0 + pair.as_seat1 for pair in encounter.returns]


def _counts(a: str, b: str, group: Sequence[Encounter]) -> Row:
    results = [points(value) for encounter in group for pair in encounter.returns for value in pair]
    return {
        "a": a,
        "b": b,
        "pairs": len(results) // 2,
        "wins": results.count(1.0),
        "draws": results.count(0.5),
        "losses": results.count(0.0),
    }


def _distinct(group: Sequence[Encounter]) -> int | None:
    found = [encounter.distinct for encounter in group if encounter.distinct is not None]
    return sum(found) if len(found) == len(group) else None


def _forfeits(group: Sequence[Encounter]) -> Row:
    matches = [match for encounter in group for pair in encounter.pairs for match in pair]
    return {
        "forfeits_a": sum(match.forfeit == "a" for match in matches),
        "forfeits_b": sum(match.forfeit == "b" for match in matches),
        "voids": sum(match.voids for match in matches),
    }


def interval_row(interval: Interval, *names: str) -> Row:
    """The interval under three names, rounded as every figure of a result is."""
    return dict(zip(names, (round(value, _DIGITS) for value in interval), strict=True))


def seed_of(run_dir: Path) -> int | None:
    """The seed that the run's configuration names. Raises ArenaError where there is no configuration."""
    path = run_dir / CONFIG_JSON
    try:
        seed = json.loads(path.read_text(encoding="utf-8")).get("seed")
    except (OSError, ValueError, AttributeError) as error:
        raise ArenaError(f"{path} cannot be read.", "A run has its configuration there.") from error
    return seed if isinstance(seed, int) else None
