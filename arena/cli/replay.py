"""`replay`: the stored matches of a run, and one of them as a transcript with what each move was worth."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arena.cli.common import print_json, print_rows, say

if TYPE_CHECKING:
    from arena.runs.rows import MatchRow, TurnRow
    from arena.runs.verdicts import Judgement


def register(app: typer.Typer) -> None:
    app.command()(replay)


def replay(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run directory or id.")],
    match: Annotated[int | None, typer.Argument(metavar="MATCH", show_default=False, help="A match's number.")] = None,
    search: Annotated[
        str, typer.Option(metavar="WORDS", help="Of the list: parts of names, draw, forfeit, seat0, seat1 (who won).")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="List at most so many, the newest.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print a stored match, thoughts and verdicts included; without MATCH, list the run's matches, newest last.

    A verdict stands where the game, in this variant, has an exact solution: optimal, or the value before and after.

    Example: spiral-arena replay RUN --search "tictactoe draw"
    """
    from arena.core.errors import UsageError
    from arena.runs.matches import MatchReader, Search
    from arena.runs.paths import find_run

    run_dir = find_run(run)
    with MatchReader(run_dir) as reader:
        if match is None:
            _list(reader.newest(limit, None, Search.parse(search))[::-1], reader.count("match"), as_json)
            return
        row = reader.match(match)
        if row is None:
            raise UsageError(f"{run} has no match {match}.", f"List them: spiral-arena replay {run}")
        turns = reader.turns(match)
    judgement = _judge(row.game, turns)
    if as_json:
        print_json(_described(row) | {"board": row.board} | _turns(turns, judgement))
    else:
        _print(row, turns, judgement)


def _list(rows: list[MatchRow], stored: int, as_json: bool) -> None:
    found = [_described(row) for row in rows]
    if as_json:
        print_json(found)
        return
    for row in found:
        row["seat 0"], row["seat 1"] = row["players"]
    print_rows(found, ("id", "game", "seat 0", "seat 1", "result", "turns", "step"), "No match fits.")
    if len(found) < stored:
        say(f"{len(found)} of {stored} stored matches")


def _described(row: MatchRow) -> dict[str, Any]:
    """Players, returns and forfeit by seat."""
    from arena.runs.transcript import outcome

    turn = -1 if row.leg else 1
    seats, returns = (row.a, row.b)[::turn], (row.return_a, row.return_b)[::turn]
    forfeit = {"a": row.leg, "b": 1 - row.leg}.get(row.forfeit)
    return {
        "id": row.id,
        "game": row.game,
        "players": list(seats),
        "returns": list(returns),
        "forfeit": forfeit,
        "result": outcome((seats[0], seats[1]), (returns[0], returns[1]), forfeit),
        "turns": row.turns,
        "step": row.step,
        "pair": row.pair,
        "leg": row.leg,
    }


def _judge(game: str, turns: list[TurnRow]) -> Judgement | None:
    """None where the game cannot be judged here; why is talk."""
    from contextlib import closing

    from arena.core.errors import ArenaError
    from arena.runs.verdicts import Judge

    with closing(Judge()) as judge:
        try:
            return judge.judge(game, turns)
        except ArenaError as error:
            say(str(error))
            return None


def _turns(turns: list[TurnRow], judgement: Judgement | None) -> dict[str, Any]:
    verdicts = judgement.verdicts if judgement else (None,) * len(turns)
    found = [
        asdict(turn) | {"verdict": asdict(verdict) if verdict else None}
        for turn, verdict in zip(turns, verdicts, strict=True)
    ]
    return {"scale": judgement.scale if judgement else "", "turns": found}


def _print(row: MatchRow, turns: list[TurnRow], judgement: Judgement | None) -> None:
    from arena.core.sanitise import plain
    from arena.runs.transcript import transcript

    described = _described(row)
    first, second = described["players"]
    text = transcript(row.game, (first, second), row.board, turns, described["result"], judgement)
    print(plain(text, limit=max(len(text), 1)))
