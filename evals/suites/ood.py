"""The suite `ood`: players and their base in games that self-play never trains on, against the same opponents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from arena.config.base import read_json
from arena.config.checks import check_games, solved_games
from arena.config.tournament import BOTS, OodConfig
from arena.core.registry import GameSpec, load_player
from arena.core.sanitise import one_line
from arena.runs.job import Job
from arena.runs.paths import CONFIG_JSON
from arena.runs.transcripts import TranscriptReader
from evals import report
from evals.changes import ALL, Meetings, average_rows, change_row
from evals.players import KIND_LEGEND, game_kind, game_mark, open_players, player_rows
from evals.schedule import PlannedMatch, schedule_meetings
from evals.stored import play_schedule
from evals.tables import ABSENT, figure, make_table, span

CONFIG = OodConfig

Row = dict[str, Any]


async def play(job: Job, config: OodConfig) -> None:
    """Play every match that is not stored yet; sets `job.stopped` where it was asked to end.

    Raises ArenaError where matches stayed void; they are tried again on resume.
    """
    games = check_games(config.games)
    async with open_players(job, config.entrants, games, config) as entrants:
        players = {bot: load_player(bot) for bot in BOTS} | entrants
        await play_schedule(job, config, schedule(config), players)


def schedule(config: OodConfig) -> list[PlannedMatch]:
    """Every entrant against every opponent that can play the game; no two meet twice, nobody meets itself."""
    solved = solved_games()
    meetings = []
    for game in check_games(config.games):
        pairings: list[tuple[str, str]] = []
        for player in config.entrants:
            for opponent in config.opponents(game, solved):
                if player != opponent and (opponent, player) not in pairings:
                    pairings.append((player, opponent))
        meetings.append((game, pairings))
    return schedule_meetings(meetings, config.pairs, config.seed)


def build_result(run_dir: Path) -> Row:
    """The suite's JSON, from what is stored so far.

    `results` are the tournament's lines; `changes` compare each player with the base, per game and opponent;
    `averages` are over games, "all" of them and, where training games are among them, those that are "ood".
    """
    config = read_json(OodConfig, run_dir / CONFIG_JSON)
    with TranscriptReader(run_dir) as reader:
        encounters = report.read_encounters(reader)
    games = check_games(config.games)
    players = player_rows(run_dir, config.entrants)
    meetings = Meetings.of(encounters)
    return {
        "schema": report.SCHEMA,
        "seed": report.seed_of(run_dir),
        "base": config.base,
        "players": players,
        "results": [report.game_row(encounter) for encounter in encounters],
        "changes": _changes(config, games, players, meetings),
        "averages": _averages(config, games, meetings),
        "warnings": report.warning_rows(encounters),
    }


def _changes(config: OodConfig, games: Sequence[GameSpec], players: Sequence[Row], meetings: Meetings) -> list[Row]:
    solved = solved_games()
    rows = []
    for game in games:
        for row in players:
            if row["player"] == config.base:
                continue
            for opponent in config.opponents(game, solved):
                found = change_row(meetings, game, row["player"], opponent, config.base)
                if found is not None:
                    rows.append({**found, "kind": game_kind(game, row["trained_on"])})
    return rows


def _averages(config: OodConfig, games: Sequence[GameSpec], meetings: Meetings) -> list[Row]:
    held_out = [game for game in games if not game.game.INFO.trained]
    spans = [("all", games)] + [("ood", held_out)] * (0 < len(held_out) < len(games))
    return [
        {"over": over, **row}
        for over, chosen in spans
        for player in config.entrants
        for row in average_rows(meetings, [game.name for game in chosen], player, BOTS, config.base)
    ]


def render(result: Mapping[str, Any]) -> RenderableType:
    """A table for each game, then the averages: by opponent, every player's score and its change."""
    if not result["results"]:
        return Text("No pair of matches is complete yet.")
    parts: list[RenderableType] = []
    games = list(dict.fromkeys(row["game"] for row in result["results"]))
    for game in games:
        parts += [_game_table(game, result), Text()]
    for over in dict.fromkeys(row["over"] for row in result["averages"]):
        rows = [row for row in result["averages"] if row["over"] == over]
        count = max(row["games"] for row in rows)
        title = f"Average over {count} {'OOD ' * _held_out(result, over)}game{'s' * (count > 1)}, in points"
        parts += [_average_table(title, rows, result["base"]), Text()]
    return Group(*parts, _legend(result))


def _held_out(result: Mapping[str, Any], over: str) -> bool:
    """Whether that average is over held-out games alone."""
    return over == "ood" or all(row["ood"] for row in result["results"])


_COLUMNS = (("player", "name"), *((name, "number") for name in ("W–D–L", "score", "95 %", "change", "95 %")))


def _game_table(game: str, result: Mapping[str, Any]) -> Table:
    names = [row["player"] for row in result["players"]]
    results = [row for row in result["results"] if row["game"] == game]
    sides = {(r["player"], r["opponent"]): r for row in results for r in _sides(row)}
    changes = {(row["player"], row["opponent"]): row for row in result["changes"] if row["game"] == game}
    spec = GameSpec.parse(game)
    marks = {row["player"]: game_mark(spec, row["trained_on"]) for row in result["players"]}
    title = f"{game} ({'OOD' if results[0]['ood'] else 'training game'})"
    table = make_table(title, (*_COLUMNS, ("forfeits", "number")))
    for opponent in dict.fromkeys([*BOTS, result["base"]]):
        rows = [found for name in names if (found := sides.get((name, opponent)))]
        if rows:
            table.add_row(Text(f"against {one_line(opponent)}", style="dim"))
        for row in rows:
            signed = row["unit"] == "utility"
            table.add_row(
                _marked(row["player"], result["base"], marks[row["player"]]),
                Text(f"{row['wins']}–{row['draws']}–{row['losses']}"),
                Text(figure(row["score"], signed)),
                Text(span(row["low"], row["high"], signed)),
                *_change_cells(changes.get((row["player"], opponent)), "change", "low", "high"),
                Text(_forfeits(row)),
            )
    return table


def _sides(row: Row) -> list[Row]:
    return [report.from_side(row, row["a"]), report.from_side(row, row["b"])]


def _forfeits(row: Row) -> str:
    ours, theirs = row["forfeits"], row["opponent_forfeits"]
    return f"{ours} / {theirs}" if ours or theirs else ABSENT


def _average_table(title: str, rows: Sequence[Row], base: str) -> Table:
    table = make_table(title, (*(column for column in _COLUMNS if column[0] != "W–D–L"), ("games", "number")))
    for opponent in dict.fromkeys([*BOTS, base, ALL]):
        if not any(row["opponent"] == opponent for row in rows):
            continue
        words = "all bots together" if opponent == ALL else opponent
        table.add_row(Text(f"against {one_line(words)}", style="dim"))
        for row in rows:
            if row["opponent"] == opponent:
                table.add_row(
                    _marked(row["player"], base, ""),
                    Text(figure(row["score"], False)),
                    Text(span(row["low"], row["high"], False)),
                    *_change_cells(row, "change", "change_low", "change_high"),
                    Text(str(row["games"])),
                )
    return table


def _marked(player: str, base: str, mark: str) -> Text:
    words = ", ".join(word for word in ("base" * (player == base), mark) if word)
    return Text.assemble(f"  {one_line(player)}", (f" ({words})" if words else "", "dim"))


def _change_cells(row: Row | None, name: str, low: str, high: str) -> tuple[Text, Text]:
    if row is None or row[name] is None:
        return Text(ABSENT), Text(ABSENT)
    sure = not row[low] <= 0 <= row[high]
    return Text(figure(row[name], True), style="bold" if sure else ""), Text(span(row[low], row[high], True))


def _legend(result: Mapping[str, Any]) -> Text:
    base = one_line(result["base"])
    lines = [
        "Score: wins + draws / 2, per match, from the player's side. Forfeits: the player's / its opponent's.",
        f"Change: score less that of {base} against the same opponent with the same luck,",
        "pair by pair; bold where its 95 % interval, not adjusted for the number of comparisons, excludes 0.",
        *KIND_LEGEND,
    ]
    if any(row["unit"] == "utility" for row in result["results"]):
        lines.insert(1, "Where a score carries a sign: mean return per match; averages are in points all the same.")
    return report.warned(Text("\n".join(lines), style="dim"), result)
