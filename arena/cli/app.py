"""The command line: one module per group, errors caught once.

Modules here import nothing heavy, and their functions import what they need, so that `--help` stays quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, cast

import typer

from arena.cli import (
    doctor,
    evaluate,
    export,
    importing,
    listings,
    play,
    players,
    replay,
    runs,
    serve,
    show,
    tables,
    train,
)
from arena.core.program import fail, run_program

_CliError = cast("type[Exception]", typer.BadParameter.__mro__[2])
"""Typer's base of all errors of usage; it has no public name."""

app = typer.Typer(
    name="spiral-arena",
    help="Self-play reinforcement learning of language models on zero-sum games: train, watch, compare.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (train, evaluate, play, replay, runs, listings, players, show, tables, export, importing, serve, doctor):
    group.register(app)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    no_motion: Annotated[bool, typer.Option("--no-motion", help="In the terminal UI, move nothing.")] = False,
    no_mouse: Annotated[bool, typer.Option("--no-mouse", help="In the terminal UI, leave the mouse alone.")] = False,
    root: Annotated[
        Path | None, typer.Option("--runs", metavar="DIR", help="Where the runs are.  [default: ./runs]")
    ] = None,
) -> None:
    """Without a command: the terminal UI; where there is no terminal, the list of runs."""
    import gc

    from arena.cli.bare import on_terminal, open_tui, use_root

    gc.enable()
    if root is not None:
        use_root(root)
    if context.invoked_subcommand is not None:
        return
    if on_terminal():
        raise typer.Exit(open_tui(motion=not no_motion, mouse=not no_mouse))
    listings.runs(as_json=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0 done, 1 failed, 2 wrong usage."""
    return run_program(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    try:
        code = app(args=argv, prog_name="spiral-arena", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except _CliError as error:
        return fail(_usage_message(error), 2)
    return code if isinstance(code, int) else 0


def _usage_message(error: BaseException) -> str:
    format_message = getattr(error, "format_message", None)
    return str(format_message() if format_message else error)
