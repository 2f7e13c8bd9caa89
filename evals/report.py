"""What a run of matches shows: the result as JSON, and as tables for a terminal.

The result holds nothing that depends on when, where or how fast the matches were played. Only complete
pairs count, so a run that is still going on, or was cut off, shows a smaller table of the same kind.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from arena.core.errors import ArenaError
from arena.core.registry import GameSpec
from arena.runs.paths import CONFIG_JSON
from arena.runs.rows import MatchRow
from arena.runs.store import RunReader
from evals.ratings import Meeting, rate
from evals.statistics import Interval, Pair, PairOutcomes, points, score_interval, seat_effect, utility_interval
from evals.tables import ABSENT, between, figure, make_table, name_cell, signed, span

SCHEMA = 1
_DIGITS = 6

Row = dict[str, Any]


class Encounter(NamedTuple):
    """The complete pairs of two players in one game: both matches of each, a in seat 0 first."""

    game: str
    a: str
    b: str
    pairs: list[tuple[MatchRow, MatchRow]]

    @property
    def returns(self) -> list[Pair]:
        return [Pair(first.return_a, second.return_a) for first, second in self.pairs]


def build_result(run_dir: Path) -> dict[str, Any]:
    """The tournament's JSON: results per game and over all games, ratings, ground truth.

    Raises ArenaError where the run cannot be read.
    """
    with RunReader(run_dir) as reader:
        matches = reader.all_matches()
        truths = reader.truths()
    encounters = group_matches(matches)
    ratings = rate([Meeting(e.game, e.a, e.b, e.returns) for e in encounters])
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
    }


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
    `ood` marks games that self-play never trains on.
    """
    game = GameSpec.parse(encounter.game)
    utility = game.new(0).utility
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
        **interval_row(seat_effect(returns, utility), "seat_effect", "seat_effect_low", "seat_effect_high"),
        "ood": not game.game.INFO.trained,
    }


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
    }


def overall_rows(encounters: Sequence[Encounter]) -> list[Row]:
    """One line for every two players over all their games, in points; every pair weighs the same."""
    groups: dict[tuple[str, str], list[Encounter]] = {}
    for encounter in encounters:
        groups.setdefault((encounter.a, encounter.b), []).append(encounter)
    return [
        {
            **_counts(a, b, group),
            **interval_row(
                score_interval(PairOutcomes.of(p for e in group for p in e.returns)), "score", "low", "high"
            ),
            **_forfeits(group),
        }
        for (a, b), group in groups.items()
    ]


def _score_over(group: Sequence[Encounter]) -> Interval:
    return score_interval(PairOutcomes.of(pair for encounter in group for pair in encounter.returns))


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


def render_table(result: Mapping[str, Any]) -> RenderableType:
    """The result as tables that fit 100 columns."""
    results: Sequence[Row] = result["results"]
    if not results:
        return Text("No pair of matches is complete yet.")
    parts: list[RenderableType] = []
    games = list(dict.fromkeys(row["game"] for row in results))
    for game in games:
        rows = [row for row in results if row["game"] == game]
        parts += [_result_table(game + " (OOD)" * rows[0]["ood"], rows), Text()]
    if len(games) > 1:
        parts += [_result_table("All games", result["overall"]), Text()]
    return Group(*parts, *render_ratings(result), _legend(results, result["ratings"]))


def render_ratings(result: Mapping[str, Any]) -> list[RenderableType]:
    """The tables of ratings and of ground truth, an empty line below each."""
    parts: list[RenderableType] = []
    if result["ratings"]:
        parts += [_rating_table(result["ratings"]), Text()]
    truths: Sequence[Row] = result["ground_truth"]
    for game in dict.fromkeys(row["game"] for row in truths):
        parts += [_truth_table(game, [row for row in truths if row["game"] == game]), Text()]
    return parts


def _result_table(title: str, rows: Sequence[Row]) -> Table:
    heads = (("a", "name"), ("b", "name"))
    numbers = ("W–D–L", "score", "95 %", "forfeits", "voids", "seat effect")
    seats = any("seat_effect" in row for row in rows)
    table = make_table(title, (*heads, *((name, "number") for name in numbers[: 6 if seats else 5])))
    width = max(len(str(row[name])) for row in rows for name in ("wins", "draws", "losses"))
    for row in rows:
        even = 0.0 if row.get("unit") == "utility" else 0.5
        sure = not row["low"] <= even <= row["high"]
        cells = [
            name_cell(row["a"]),
            name_cell(row["b"]),
            Text("–".join(f"{row[name]:>{width}}" for name in ("wins", "draws", "losses"))),
            Text(figure(row["score"], even == 0), style="bold" if sure else ""),
            Text(span(row["low"], row["high"], even == 0)),
            _forfeit_cell(row),
            Text(str(row["voids"] or ABSENT)),
        ]
        if seats:
            around = span(row["seat_effect_low"], row["seat_effect_high"], True)
            cells.append(Text(f"{figure(row['seat_effect'], True, 2)} ({around})"))
        table.add_row(*cells)
    return table


def _forfeit_cell(row: Row) -> Text:
    a, b = row["forfeits_a"], row["forfeits_b"]
    return Text(f"{a} / {b}" if a or b else ABSENT)


def _rating_table(rows: Sequence[Row]) -> Table:
    several = len({row["group"] for row in rows}) > 1
    table = make_table(
        "Ratings", [("player", "name"), ("rating", "number"), ("95 %", "number"), ("matches", "number"), ("", "text")]
    )
    for row in rows:
        notes = [f"group {row['group'] + 1}"] * several + ["prior-limited"] * row["prior_limited"]
        table.add_row(
            name_cell(row["player"]),
            Text(signed(row["rating"], 0)),
            Text(between(signed(row["low"], 0), signed(row["high"], 0))),
            Text(str(row["matches"])),
            Text(", ".join(notes), style="dim"),
        )
    return table


def _truth_table(game: str, rows: Sequence[Row]) -> Table:
    columns = ["value", "95 %", "replies", "illegal", "floor"]
    table = make_table(
        f"Ground truth: {game}", [("player", "name"), ("measure", "text"), *((name, "number") for name in columns)]
    )
    for row in rows:
        illegal, floor = row["detail"].get("illegal"), row["detail"].get("floor")
        table.add_row(
            name_cell(row["player"]),
            name_cell(row["measure"].replace("_", " ")),
            Text(f"{row['value']:.3f}"),
            Text(between(f"{row['low']:.3f}", f"{row['high']:.3f}")),
            Text(str(row["n"])),
            Text(f"{illegal:.1%}" if illegal else ABSENT),
            Text(f"{floor:.3f}" if floor else ABSENT),
        )
    return table


def _legend(rows: Sequence[Row], ratings: Sequence[Row]) -> Text:
    lines = [
        "Score: wins + draws / 2, per match, from a's side; bold where its 95 % interval excludes even play.",
        "Forfeits (of a / of b) are losses of who forfeited. Seat effect: return as seat 0 less as seat 1.",
    ]
    if any(row["ood"] for row in rows):
        lines.append("OOD: not in self-play training; a bundled model's warm start has seen the format.")
    if any(row["unit"] == "utility" for row in rows):
        lines.insert(1, "Where it carries a sign: mean return per match.")
    lines += rating_notes(ratings)
    return Text("\n".join(lines), style="dim")


def rating_notes(ratings: Sequence[Row]) -> list[str]:
    """What the last column of the ratings means, where it says anything."""
    lines = []
    if any(row["prior_limited"] for row in ratings):
        lines.append("Prior-limited: the results alone, all won or all lost, would put the player infinitely far off.")
    if any(row["group"] for row in ratings):
        lines.append("Groups never met, not even through others: ratings compare within a group alone.")
    return lines
