"""New training runs from a configuration as the user gave it: everything it names is looked up first."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from arena.config.base import kind_of, validate
from arena.config.checks import Check, sft_checks, training_checks
from arena.config.sft import SftConfig
from arena.config.train import TrainConfig
from arena.core.errors import UsageError
from arena.runs.launch import create_run
from arena.runs.paths import find_run
from arena.runs.reader import RunReader

MODELS: dict[str, type[TrainConfig] | type[SftConfig]] = {"train": TrainConfig, "sft": SftConfig}
"""Kinds of training jobs and their configurations."""


def create_training(
    data: Mapping[str, Any],
    source: str = "configuration",
    run_dir: Path | None = None,
    toml: str | None = None,
    online: bool = True,
) -> Path:
    """Create the run of a training or supervised training; its job is `python -m training RUN`.

    `toml` is kept as what the user gave. Unless `online`, a model that has to be downloaded is left to the job.
    Raises UsageError for a configuration that does not fit or names what is not there, or a directory in use.
    """
    config = validate(MODELS[kind_of(data)], data, source)
    for check in name_checks(config, online):
        check.see()
    return create_run(config, config.kind, run_dir, toml=toml, name=config.name)


def name_checks(config: TrainConfig | SftConfig, online: bool = True) -> list[Check]:
    """Everything that a configuration names, to be looked up one by one."""
    if isinstance(config, TrainConfig):
        return training_checks(config, online)
    checks = sft_checks(config, online)
    if config.transcripts is not None:
        checks.append(Check(("transcripts",), partial(_check_transcripts, config.transcripts)))
    return checks


def _check_transcripts(run: str) -> None:
    with RunReader(find_run(run)) as reader:
        if not reader.count("match"):
            raise UsageError(f"{run} has no stored match to learn from.", "Name a tournament, for example.")
