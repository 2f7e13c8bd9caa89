"""The suite `head-to-head`: specialists, multi-game models and their base, a matrix of scores for each game."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from arena.config.base import read_json
from arena.config.checks import check_games
from arena.config.tournament import HeadToHeadConfig
from arena.core.registry import GameSpec
from arena.runs.job import Job
from arena.runs.paths import CONFIG_JSON
from evals import report
from evals.players import KIND_LEGEND, game_kind, game_mark, open_players, player_rows
from evals.schedule import PlannedMatch, round_robin
from evals.stored import measure, play_schedule
from evals.tables import ABSENT, figure, make_table, name_cell, span

CONFIG = HeadToHeadConfig

Row = dict[str, Any]


async def play(job: Job, config: HeadToHeadConfig) -> None:
    """Play every match that is not stored yet; sets `job.stopped` where it was asked to end.

    Raises ArenaError where matches stayed void; they are tried again on resume.
    """
    games = check_games(config.games)
    async with open_players(job, config.players, games, config) as players:
        await play_schedule(job, config, schedule(config), players)
        if config.ground_truth and not job.stopped:
            await measure(job, games, players, config.seed, apis=True)


def schedule(config: HeadToHeadConfig) -> list[PlannedMatch]:
    """Every match of the suite."""
    return round_robin(check_games(config.games), config.players, config.pairs, config.seed)


def build_result(run_dir: Path) -> Row:
    """The tournament's JSON, with `players`, and `matrix`: every row player against every column player, per game."""
    config = read_json(HeadToHeadConfig, run_dir / CONFIG_JSON)
    result = report.build_result(run_dir)
    players = player_rows(run_dir, config.players)
    return result | {"players": players, "matrix": _matrix(result["results"], players)}


def _matrix(results: Sequence[Row], players: Sequence[Row]) -> list[Row]:
    rows = []
    for name in dict.fromkeys(row["game"] for row in results):
        game = GameSpec.parse(name)
        for player in players:
            kind = game_kind(game, player["trained_on"])
            rows += [
                {"game": name, "kind": kind, **report.from_side(row, player["player"])}
                for row in results
                if row["game"] == name and player["player"] in (row["a"], row["b"])
            ]
    return rows


def render(result: Mapping[str, Any]) -> RenderableType:
    """The players, then a matrix for each game and for all together, at most 100 columns wide."""
    if not result["matrix"]:
        return Text("No pair of matches is complete yet.")
    players = result["players"]
    parts: list[RenderableType] = [_player_table(players), Text()]
    games = list(dict.fromkeys(row["game"] for row in result["matrix"]))
    for game in games:
        spec = GameSpec.parse(game)
        marks = [game_mark(spec, row["trained_on"]) for row in players]
        title = f"{game} ({'training game' if spec.game.INFO.trained else 'OOD'})"
        rows = [row for row in result["matrix"] if row["game"] == game]
        parts += [*_matrix_tables(title, players, rows, marks), Text()]
    if len(games) > 1:
        sides = [report.from_side(row, name) for row in result["overall"] for name in (row["a"], row["b"])]
        parts += [*_matrix_tables("All games", players, sides, [""] * len(players)), Text()]
    return Group(*parts, *report.render_ratings(result), _legend(result))


def _player_table(players: Sequence[Row]) -> Table:
    table = make_table("Players", [("", "number"), ("player", "name"), ("step", "number"), ("trained on", "text")])
    for number, row in enumerate(players, start=1):
        step = ABSENT if row["step"] is None else str(row["step"])
        games = ", ".join(row["trained_on"]) or ABSENT
        table.add_row(Text(str(number)), name_cell(row["player"]), Text(step), name_cell(games))
    return table


def _matrix_tables(
    title: str, players: Sequence[Row], rows: Sequence[Row], marks: Sequence[str]
) -> list[RenderableType]:
    """Row player against column player; so few columns a table that it stays below 100."""
    names = [row["player"] for row in players]
    found = {(row["player"], row["opponent"]): row for row in rows}
    signed = rows[0]["unit"] == "utility"
    tables: list[RenderableType] = []
    width = 5 if signed else 6
    for first in range(0, len(names), width):
        block = list(enumerate(names, start=1))[first : first + width]
        table = make_table(
            title if first == 0 else f"{title}, further opponents",
            [("", "name"), *((f"against {number}", "number") for number, _ in block)],
        )
        table.leading = 1
        for number, name in enumerate(names, start=1):
            ours = [found.get((name, other)) for _, other in block]
            forfeits = sum(row["forfeits"] for row in rows if row["player"] == name)
            table.add_row(_row_head(number, marks[number - 1], forfeits), *map(_cell, ours))
        tables.append(table)
    return tables


def _row_head(number: int, mark: str, forfeits: int) -> Text:
    """The player's number, what the game is to it, and how many matches it forfeited there."""
    lines = [str(number), mark.removesuffix(" training game"), f"{forfeits} forfeits" if forfeits else ""]
    return Text("\n".join(line for line in lines if line))


def _cell(row: Row | None) -> Text:
    if row is None:
        return Text(ABSENT)
    signed = row["unit"] == "utility"
    sure = not row["low"] <= (0.0 if signed else 0.5) <= row["high"]
    counts = f"{row['wins']}–{row['draws']}–{row['losses']}"
    cell = Text(figure(row["score"], signed), style="bold" if sure else "")
    return Text.assemble(cell, f"\n{counts}\n{span(row['low'], row['high'], signed)}")


def _legend(result: Mapping[str, Any]) -> Text:
    lines = [
        "Score of the row's player: wins + draws / 2, per match; W–D–L; 95 % interval; bold where it excludes even.",
        *["Where it carries a sign: mean return per match."] * any(r["unit"] == "utility" for r in result["matrix"]),
        "Other: a training game that is not the player's own.",
        *KIND_LEGEND,
        *report.rating_notes(result["ratings"], result),
    ]
    return report.warned(Text("\n".join(lines), style="dim"), result)
