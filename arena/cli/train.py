"""`train`, `quickstart` and `warmstart`: thin launchers of training jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from arena.cli.common import run_or_detach
from arena.core.errors import UsageError

_PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True}


def register(app: typer.Typer) -> None:
    app.command(context_settings=_PASS_ON, add_help_option=False)(quickstart)
    app.command()(train)
    app.command(context_settings=_PASS_ON, add_help_option=False)(warmstart)


def train(
    config: Annotated[str | None, typer.Argument(metavar="CONFIG.toml|PRESET", show_default=False)] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="A.B=C", help="Change one key.")] = None,
    run_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="The run directory itself.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on from a run's last checkpoint.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Start it in the background and return.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train by self-play.

    Example: spiral-arena train quickstart --set steps=40 --set seed=3
    """
    if resume is not None:
        if config is not None or settings or run_dir is not None:
            raise UsageError("--resume takes the run's own configuration.", "Leave out the other arguments.")
        directory = _training_run(resume)
    elif config is None:
        from arena.config.base import preset_names

        raise UsageError("train needs a configuration.", f"A TOML file or a preset: {', '.join(preset_names())}.")
    else:
        directory = _new_training(config, settings or [], run_dir)
    run_or_detach("training", directory, ["--json"] if as_json and not detach else [], detach, as_json)


def _training_run(run: str) -> Path:
    from arena.runs.paths import find_run
    from arena.runs.record import read_record

    run_dir = find_run(run)
    kind = read_record(run_dir).kind
    if kind != "train":
        raise UsageError(f"{run_dir} is a run of the kind {kind}, not train.", f"Use: spiral-arena {kind} --resume")
    return run_dir


def _new_training(config: str, settings: list[str], run_dir: Path | None) -> Path:
    from arena.config.base import apply_settings, find_toml, read_toml, validate
    from arena.config.checks import check_training
    from arena.config.train import TrainConfig
    from arena.runs.launch import create_run

    path = find_toml(config)
    resolved = validate(TrainConfig, apply_settings(read_toml(path), settings), path.name)
    check_training(resolved)
    given = path.read_text(encoding="utf-8") if not settings else None
    return create_run(resolved, "train", run_dir, toml=given, name=resolved.name)


def quickstart(context: typer.Context) -> None:
    """Train the bundled model for about five minutes, then prove it in a tournament: the main job."""
    _become("training.quickstart", context.args)


def warmstart(context: typer.Context) -> None:
    """Make the bundled model from nothing (about forty minutes on one core)."""
    _become("training.warmstart", context.args)


def _become(module: str, args: list[Any]) -> None:
    from arena.runs.launch import become, job_command

    become(job_command(module, *args))
