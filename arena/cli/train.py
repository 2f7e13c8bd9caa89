"""`train`, `sft`, `quickstart`, `specialists` and `warmstart`: thin launchers of training jobs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from arena.cli.common import run_of_kind, run_or_detach
from arena.cli.evaluate import MaxCost, MaxTokens, Prices
from arena.core.errors import UsageError

Config = Annotated[str | None, typer.Argument(metavar="CONFIG.toml|PRESET", show_default=False)]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="A.B=C", help="Change one key.")]
RunDir = Annotated[Path | None, typer.Option(metavar="DIR", help="The run directory itself.")]
Resume = Annotated[str | None, typer.Option(metavar="RUN", help="Go on from a run's last checkpoint.")]
Detach = Annotated[bool, typer.Option("--detach", help="Start it in the background and return.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

_PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True}


def register(app: typer.Typer) -> None:
    app.command(context_settings=_PASS_ON, add_help_option=False)(quickstart)
    app.command(context_settings=_PASS_ON, add_help_option=False)(specialists)
    app.command()(train)
    app.command()(sft)
    app.command(context_settings=_PASS_ON, add_help_option=False)(warmstart)


def train(
    config: Config = None,
    settings: Settings = None,
    run_dir: RunDir = None,
    resume: Resume = None,
    detach: Detach = False,
    as_json: AsJson = False,
    max_cost: MaxCost = None,
    max_tokens: MaxTokens = None,
    prices: Prices = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the memory, tokens, time and cost it would take; start nothing.")
    ] = False,
) -> None:
    """Train by self-play.

    Example: spiral-arena train quickstart --set steps=40 --set seed=3
    """
    from arena.config.limits import limit_arguments

    limits = {"max_cost": max_cost, "max_tokens": max_tokens, "prices": prices}
    if dry_run:
        if config is None or run_dir is not None or resume is not None or detach:
            raise UsageError("--dry-run takes a configuration, --set, what API players may spend, and --json alone.")
        options = [*(f"--set={setting}" for setting in settings or []), *limit_arguments(limits)]
        _become("training.dryrun", [config, *options, *(["--json"] if as_json else [])])
    _run("train", config, settings, run_dir, resume, detach, as_json, limits)


def sft(
    config: Config = None,
    settings: Settings = None,
    run_dir: RunDir = None,
    resume: Resume = None,
    detach: Detach = False,
    as_json: AsJson = False,
    max_cost: MaxCost = None,
    max_tokens: MaxTokens = None,
    prices: Prices = None,
) -> None:
    """Train on transcripts of strong players: matches of teachers, or those of a stored run.

    Example: spiral-arena sft sft --set steps=100, or on a tournament's winners:
    spiral-arena sft sft --set games=[] --set transcripts=runs/tournament-20260101-120000
    """
    limits = {"max_cost": max_cost, "max_tokens": max_tokens, "prices": prices}
    _run("sft", config, settings, run_dir, resume, detach, as_json, limits)


def _run(
    kind: str,
    config: str | None,
    settings: list[str] | None,
    run_dir: Path | None,
    resume: str | None,
    detach: bool,
    as_json: bool,
    limits: Mapping[str, Any],
) -> None:
    """Start a new training job of this kind, or go on with one; what API players may spend then is `limits`."""
    from arena.config.limits import given_limits, limit_arguments

    args = [] if resume is None else limit_arguments(limits)
    if resume is not None:
        if config is not None or settings or run_dir is not None:
            hint = "Leave out the other arguments, but for what API players may spend."
            raise UsageError("--resume takes the run's own configuration.", hint)
        directory = run_of_kind(resume, kind)
    elif config is None:
        from arena.config.base import preset_names

        known = ", ".join(preset_names(kind))
        raise UsageError(f"{kind} needs a configuration.", f"A TOML file or a preset: {known}.")
    else:
        directory = _new_training(kind, config, settings or [], given_limits(limits), run_dir)
    run_or_detach("training", directory, [*args, *(["--json"] if as_json and not detach else [])], detach, as_json)


def _new_training(kind: str, config: str, settings: list[str], limits: Mapping[str, Any], run_dir: Path | None) -> Path:
    from arena.config.base import apply_settings, find_toml, kind_of, read_toml
    from arena.runs.trainings import create_training

    path = find_toml(config, kind)
    data = {**apply_settings(read_toml(path), settings), **limits}
    if (found := kind_of(data)) != kind:
        raise UsageError(
            f"{path.name} is a configuration of the kind {found}, not {kind}.",
            f"Use: spiral-arena {found} {config}, or write kind = '{kind}' in it.",
        )
    given = path.read_text(encoding="utf-8") if not settings and not limits else None
    return create_training(data, path.name, run_dir, given)


def quickstart(context: typer.Context) -> None:
    """Train the bundled model for about five minutes, then prove it in a tournament: the main job."""
    _become("training.quickstart", context.args)


def specialists(context: typer.Context) -> None:
    """Train three specialists and a multi-game model, then compare them: head-to-head and OOD tables."""
    _become("training.specialists", context.args)


def warmstart(context: typer.Context) -> None:
    """Make the bundled model from nothing (about an hour on one core)."""
    _become("training.warmstart", context.args)


def _become(module: str, args: list[Any]) -> None:
    from arena.runs.launch import become, job_command

    become(job_command(module, *args))
