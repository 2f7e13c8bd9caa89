"""The result of paired matches as tables for a terminal, at most 100 columns wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from arena.core.sanitise import one_line
from evals.standings import rating_notes, render_ratings
from evals.tables import ABSENT, MIN_NAME, figure, make_table, name_cell, span

Row = Mapping[str, Any]

_WIDTH = 100


def render_table(result: Mapping[str, Any]) -> RenderableType:
    """The result as tables that fit 100 columns."""
    results: Sequence[Row] = result["results"]
    if not results:
        return Text("No pair of matches is complete yet.")
    parts: list[RenderableType] = []
    games = list(dict.fromkeys(row["game"] for row in results))
    for game in games:
        rows = [row for row in results if row["game"] == game]
        parts += [_result_table(game + (" (OOD)" if rows[0]["ood"] else ""), rows), Text()]
    if len(games) > 1:
        parts += [_result_table("All games", result["overall"]), Text()]
    return Group(*parts, *render_ratings(result), _legend(results, result))


def _result_table(title: str, rows: Sequence[Row]) -> Table:
    """One line a meeting. A column that tells nothing is left out, and that of voids where there is no room for it."""
    width = max(len(str(row[name])) for row in rows for name in ("wins", "draws", "losses"))
    columns: dict[str, list[Text]] = {
        "W–D–L": [Text("–".join(f"{row[name]:>{width}}" for name in ("wins", "draws", "losses"))) for row in rows],
        "score": [_score_cell(row) for row in rows],
        "95 %": [Text(span(row["low"], row["high"], row.get("unit") == "utility")) for row in rows],
        "forfeits": [_forfeit_cell(row) for row in rows],
    }
    if any(row["voids"] for row in rows):
        columns["voids"] = [Text(str(row["voids"] or ABSENT)) for row in rows]
    if any(row.get("distinct") is not None for row in rows):
        columns["distinct"] = [_distinct_cell(row) for row in rows]
    if any("seat_effect" in row for row in rows):
        columns["seat effect"] = [_seat_cell(row) for row in rows]
    padding = 2
    if _needed(columns, padding) > _WIDTH:
        padding = 1
    if _needed(columns, padding) > _WIDTH:
        columns.pop("voids", None)
    table = make_table(title, [("a", "name"), ("b", "name"), *((name, "number") for name in columns)])
    table.padding = (0, padding, 0, 0)
    for place, row in enumerate(rows):
        table.add_row(name_cell(row["a"]), name_cell(row["b"]), *(cells[place] for cells in columns.values()))
    return table


def _needed(columns: Mapping[str, Sequence[Text]], padding: int) -> int:
    """The width of a table with two names and these columns."""
    widths = [MIN_NAME, MIN_NAME, *(max(len(name), *map(len, cells)) for name, cells in columns.items())]
    return sum(widths) + padding * (len(widths) - 1)


def _score_cell(row: Row) -> Text:
    signed = row.get("unit") == "utility"
    sure = not row["low"] <= (0.0 if signed else 0.5) <= row["high"]
    return Text(figure(row["score"], signed), style="bold" if sure else "")


def _distinct_cell(row: Row) -> Text:
    return Text(ABSENT if row.get("distinct") is None else str(row["distinct"]))


def _seat_cell(row: Row) -> Text:
    around = span(row["seat_effect_low"], row["seat_effect_high"], True)
    return Text(f"{figure(row['seat_effect'], True, 2)} ({around})")


def _forfeit_cell(row: Row) -> Text:
    a, b = row["forfeits_a"], row["forfeits_b"]
    return Text(f"{a} / {b}" if a or b else ABSENT)


def _legend(rows: Sequence[Row], result: Mapping[str, Any]) -> Text:
    lines = [
        "Score: wins + draws / 2, per match, from a's side; bold where its 95 % interval excludes even play.",
        "Forfeits (of a / of b) are losses of who forfeited. Seat effect: return as seat 0 less as seat 1.",
    ]
    if voids := sum(row["voids"] for row in rows):
        lines.append(f"Void, and replayed: {voids} match{'es' * (voids > 1)}.")
    if any(row["ood"] for row in rows):
        lines.append("OOD: not in self-play training; a bundled model's warm start has seen the format.")
    if any(row["unit"] == "utility" for row in rows):
        lines.insert(1, "Where it carries a sign: mean return per match.")
    if any(row.get("distinct") is not None for row in rows):
        lines.append("Distinct: how many of the games differ in a move, a position or who had which seat.")
    return warned(Text("\n".join([*lines, *rating_notes(result["ratings"], result)]), style="dim"), result)


def warned(legend: Text, result: Mapping[str, Any]) -> Text:
    """A legend with the warnings of the result below it."""
    for warning in result.get("warnings", ()):
        legend.append(f"\nWarning: {one_line(warning['message'], 1000)}", style="not dim bold")
    return legend
