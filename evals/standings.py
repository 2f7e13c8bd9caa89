"""Tables on the players of a result: ratings, alpha-rank, claims and ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from evals.claims import LEVEL
from evals.tables import ABSENT, between, make_table, name_cell, signed

Row = Mapping[str, Any]

_MOST_CLAIMS = 60
"""Lines of the table of claims for a terminal; the JSON has all."""


def render_ratings(result: Mapping[str, Any]) -> list[RenderableType]:
    """The tables of ratings, alpha-rank, claims and ground truth, an empty line below each."""
    parts: list[RenderableType] = []
    if result["ratings"]:
        parts += [_rating_table(result["ratings"]), Text()]
    if len(result.get("alpha_rank", ())) > 2:
        parts += [_alpha_table(result["alpha_rank"]), Text()]
    if len(result.get("claims", ())) > 1:
        parts += [_claim_table(result["claims"]), Text()]
    truths: Sequence[Row] = result["ground_truth"]
    for game in dict.fromkeys(row["game"] for row in truths):
        parts += [_truth_table(game, [row for row in truths if row["game"] == game]), Text()]
    return parts


def rating_notes(ratings: Sequence[Row], result: Mapping[str, Any] | None = None) -> list[str]:
    """What the figures of `render_ratings` mean, where they say anything."""
    lines = []
    if any(row["prior_limited"] for row in ratings):
        lines.append("Prior-limited: the results alone, all won or all lost, would put the player infinitely far off.")
    if any(row["group"] for row in ratings):
        lines.append("Groups never met, not even through others: ratings compare within a group alone.")
    return lines + (_notes(result) if result else [])


def _notes(result: Mapping[str, Any]) -> list[str]:
    lines = []
    if len(result.get("alpha_rank", ())) > 2:
        lines.append("Alpha-rank: each player's share of the time on top, where populations move to what beats them;")
        lines.append("a cycle shares it, a rating hides it. Intervals from bootstrapped pairs.")
    left_out: Sequence[str] = result.get("alpha_rank_left_out", ())
    if left_out and result["ratings"]:
        some = f"Alpha-rank is of players who all met; left out: {len(left_out)} of {len(result['ratings'])}."
        lines.append(some if result["alpha_rank"] else "No alpha-rank: no three players have all met.")
    if len(result.get("claims", ())) > 1:
        lines.append("Claims: two-sided sign-flip test on pairs, adjusted by Holm for all in their block; the number")
        lines.append("of pairs has to be fixed beforehand.")
    return lines


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


def _alpha_table(rows: Sequence[Row]) -> Table:
    table = make_table("Alpha-rank", [("player", "name"), ("mass", "number"), ("95 %", "number")])
    for row in rows:
        bounds = between(f"{row['low']:.2f}", f"{row['high']:.2f}")
        table.add_row(name_cell(row["player"]), Text(f"{row['mass']:.3f}"), Text(bounds))
    return table


def _claim_table(rows: Sequence[Row]) -> Table:
    """Claims that are made first, the surest on top, block by block; of many those that are not are counted."""
    columns = [("better", "name"), ("other", "name"), ("game", "name"), ("pairs", "number"), ("p", "number")]
    table = make_table(f"Claims after Holm, at {LEVEL:.0%}", [*columns, ("p Holm", "number"), ("claim", "text")])
    blocks = [[row for row in rows if (row["game"] is None) == pooled] for pooled in (True, False)]
    for block in filter(None, blocks):
        ordered = sorted(block, key=lambda row: (not row["claim"], row["p"]))
        for row in ordered[:_MOST_CLAIMS]:
            table.add_row(*_claim_cells(row))
        if hidden := ordered[_MOST_CLAIMS:]:
            made = sum(row["claim"] for row in hidden)
            table.add_row(Text(f"{len(hidden)} more, {made} of them claims", style="dim"))
        table.add_section()
    return table


def _claim_cells(row: Row) -> list[Text]:
    first = row["better"] or row["a"]
    second = row["b"] if first == row["a"] else row["a"]
    game = Text("all games", style="dim") if row["game"] is None else name_cell(row["game"])
    made = Text("beats", style="bold") if row["claim"] else Text("not shown", style="dim")
    figures = [Text(str(row["pairs"])), Text(chance(row["p"])), Text(chance(row["p_holm"]))]
    return [name_cell(first), name_cell(second), game, *figures, made]


def chance(value: float) -> str:
    """A p-value: three decimals, and of less than that only that it is less."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


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
