"""`players`: the kinds of players, and a check of one."""

from __future__ import annotations

from typing import Annotated

import typer

from arena.cli import listings

AsJson = listings.AsJson


def register(app: typer.Typer) -> None:
    group = typer.Typer(invoke_without_command=True, rich_markup_mode=None, help=listings.players.__doc__)
    group.callback()(_list)
    group.command()(check)
    app.add_typer(group, name="players")


def _list(context: typer.Context, as_json: AsJson = False) -> None:
    """List the kinds of players and how their specs are written; or check one."""
    if context.invoked_subcommand is None:
        listings.players(as_json)


def check(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="A player, such as gemini:MODEL or ckpt:tiny.")],
    as_json: AsJson = False,
) -> None:
    """Ask a player for one move of TicTacToe: is it there, which fields does its server take, where is its thought.

    One small request (and its retries, for at most 60 seconds unless the spec has a deadline). Exit code 1 where no
    answer came.

    Example: spiral-arena players check mistral:MODEL
    """
    from arena.runs.launch import become, job_command

    become(job_command("evals.check", spec, *(["--json"] if as_json else [])))
