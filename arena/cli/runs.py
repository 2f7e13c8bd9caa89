"""`runs`: the list of runs, and what can be done to one of them."""

from __future__ import annotations

from typing import Annotated

import typer

from arena.cli import listings
from arena.cli.common import print_json, say
from arena.core.sanitise import one_line

Run = Annotated[str, typer.Argument(metavar="RUN", help="Run directory or id.")]
AsJson = listings.AsJson


def register(app: typer.Typer) -> None:
    group = typer.Typer(invoke_without_command=True, rich_markup_mode=None, help=listings.runs.__doc__)
    group.callback()(_list)
    for command in (stop, kill, resume, rename, delete):
        group.command()(command)
    app.add_typer(group, name="runs")


def _list(context: typer.Context, as_json: AsJson = False) -> None:
    """List the runs in ./runs (or in $SPIRAL_ARENA_RUNS), newest last; or do something to one of them."""
    if context.invoked_subcommand is None:
        listings.runs(as_json)


def stop(run: Run, as_json: AsJson = False) -> None:
    """Ask a running job to finish politely; it can be resumed."""
    from arena.runs.control import stop_run
    from arena.runs.paths import find_run

    run_dir = find_run(run)
    stop_run(run_dir)
    _done(run_dir.absolute().name, "asked to stop", as_json)


def kill(run: Run, as_json: AsJson = False) -> None:
    """End a running job at once, with all its processes; what was stored is kept, and it can be resumed."""
    from arena.runs.control import kill_run
    from arena.runs.paths import find_run

    run_dir = find_run(run)
    count = kill_run(run_dir)
    _done(run_dir.absolute().name, "killed", as_json, processes=count)


def resume(run: Run, as_json: AsJson = False) -> None:
    """Start the job of a run that was stopped, killed or failed again, in the background.

    In the foreground: spiral-arena train|sft|tournament|head-to-head|ood --resume RUN
    """
    from arena.runs.control import resume_run
    from arena.runs.paths import find_run

    run_dir = find_run(run)
    pid = resume_run(run_dir)
    _done(run_dir.absolute().name, "running", as_json, pid=pid)


def rename(run: Run, name: Annotated[str, typer.Argument(metavar="NAME")], as_json: AsJson = False) -> None:
    """Give a run another name; its id stays."""
    from arena.runs.control import rename_run
    from arena.runs.paths import find_run

    run_dir = find_run(run)
    rename_run(run_dir, name)
    _done(run_dir.absolute().name, "renamed", as_json, name=one_line(name))


def delete(
    run: Run,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a run that is not running, with all its matches and checkpoints. Asks first."""
    from arena.core.errors import UsageError
    from arena.runs.control import delete_run
    from arena.runs.paths import find_run

    run_dir = find_run(run)
    if not yes:
        _sure(f"Delete {one_line(str(run_dir))} with all its matches and checkpoints?", UsageError)
    delete_run(run_dir)
    _done(run_dir.absolute().name, "deleted", as_json)


def _sure(question: str, error: type[Exception]) -> None:
    import sys

    if not sys.stdin.isatty():
        raise error("Nobody is there to ask: add --yes.")
    typer.confirm(question, abort=True, err=True)


def _done(run_id: str, what: str, as_json: bool, **more: object) -> None:
    import shlex

    if as_json:
        print_json({"id": run_id, "done": what, **more})
        return
    detail = ", ".join(f"{key} {shlex.quote(str(value))}" for key, value in more.items())
    say(f"{run_id}: {what}{f' ({detail})' if detail else ''}")
