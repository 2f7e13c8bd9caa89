"""What the Launch screen knows: presets, whether a draft is good, how long it would take, and how it is started."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field as of
from pathlib import Path
from statistics import median
from typing import Any

from arena.config.base import kind_of, problems, read_toml, to_toml, validate
from arena.config.presets import Preset, presets, read_preset, read_text
from arena.config.sft import SftConfig
from arena.config.train import TrainConfig
from arena.core.errors import ArenaError, UsageError
from arena.core.registry import discover, game_ids
from arena.core.sanitise import one_line
from arena.runs.control import TRAINING_KINDS
from arena.runs.launch import detach, job_command
from arena.runs.paths import CONFIG_JSON, DB_NAME, check_new_run_dir, run_dirs, runs_root, write_atomic
from arena.runs.reader import NoRows, RunReader
from arena.runs.record import read_record
from arena.runs.trainings import MODELS, create_training, name_checks
from arena.tui.collect.apis import find_apis
from arena.tui.collect.fields import Field, Group, Key
from arena.tui.collect.stamp import Stamp, stamp_of
from arena.tui.format import count

DIRECTORY: Key = ("directory",)
"""The field beside the configuration: where the run goes."""
SCRATCH = (
    Preset(
        "new training", "train", "From scratch: games by self-play or against opponents, all else as by default", Path()
    ),
    Preset("new supervised training", "sft", "From scratch: transcripts of teachers or of a stored run", Path()),
)
"""What to choose for an empty form."""
_PHASES = ("seconds_collect", "seconds_advantages", "seconds_learn", "seconds_publish")
_EVALUATED = 1e-3
"""Seconds below which nothing was evaluated."""
_NEWEST = 60
"""Past runs that are looked at."""
_STEPS = 200
"""Steps of each that the pace is taken from."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is to start from, and names to complete by field."""

    presets: tuple[Preset, ...]
    names: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Origin:
    """A configuration to edit, and where it is from."""

    kind: str
    name: str
    about: str
    config: TrainConfig | SftConfig | None = None
    """None for one from scratch."""
    text: str = ""
    """The file as it was written."""


class Draft:
    """A configuration that is being edited, and where its run is to go."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.tree = Group(origin.kind, MODELS[origin.kind])
        if origin.config is not None:
            self.tree.fill(origin.config)
        about = "Where the run goes; a bare name is below the directory of runs. It must be new or empty."
        self.directory = Field(str(DIRECTORY[0]), about, str, "")
        self._filled: Mapping[str, Any] = self.tree.data
        self._kept: tuple[Mapping[str, Any], str] = self.now

    @property
    def text(self) -> str:
        """The file that it was filled from as that was written, while its values are the same; else empty."""
        return self.origin.text if self.tree.data == self._filled else ""

    @property
    def now(self) -> tuple[dict[str, Any], str]:
        """What is in the form: the values, and the directory as it was typed."""
        return self.tree.data, self.directory.text

    @property
    def changed(self) -> bool:
        """Whether something is other than it was filled in or last kept."""
        return self.now != self._kept

    def keep(self, seen: tuple[Mapping[str, Any], str]) -> None:
        """This is saved, started, or not wanted: leaving it loses nothing."""
        self._kept = seen


@dataclass(frozen=True, slots=True)
class Checked:
    """A draft as it was looked at."""

    data: Mapping[str, Any]
    directory: str
    config: TrainConfig | SftConfig | None = None
    """None where it does not fit."""
    toml: str = ""
    problems: Mapping[Key, str] = of(default_factory=dict)
    """What is wrong, by field; under () what is wrong with the whole."""
    notes: Mapping[Key, str] = of(default_factory=dict)
    """What is allowed and yet worth a thought."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """The pace of an earlier run."""

    likeness: tuple[object, ...]
    """Equal for runs whose pace can be compared: kind, games, ranks and model."""
    opponent: str
    work: float
    """What a step does: turns, or of supervised training examples."""
    judged: float
    """What an evaluation does: pairs times opponents."""
    seconds_step: float
    seconds_evaluation: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long a run would take, from earlier ones."""

    seconds: float
    seconds_step: float
    runs: int
    scaled: bool
    """Whether a step of theirs does more or less than one of the new run."""


@dataclass(frozen=True, slots=True)
class DeviceNeed:
    """What one device would need for the run."""

    device: str
    memory: int
    needed: int
    """Bytes, as `memory`."""
    seconds_step: float
    seconds: float

    @property
    def fits(self) -> bool:
        return self.needed <= self.memory


@dataclass(frozen=True, slots=True)
class ApiNeed:
    """What a player behind an API is asked for in all, its replies as long as they may be."""

    player: str
    requests: int
    tokens: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class DryRun:
    """What `train --dry-run --json` says."""

    parameters: int
    tokens_step: int
    tokens: int
    devices: tuple[DeviceNeed, ...]
    apis: tuple[ApiNeed, ...]
    ends: int | None
    """The step at which a limit ends it where API players' replies are as long as they may be."""


def offer() -> Offer:
    """Presets and names. Raises ArenaError where a preset cannot be read."""
    trained: list[str] = []
    with suppress(ArenaError):
        trained = [path.name for path in run_dirs() if (path / "checkpoints").is_dir()]
    models = ("ckpt:tiny", *(f"ckpt:{name}" for name in reversed(trained) if one_line(name) == name))
    apis = {api.id: api.begins for api in find_apis()}
    others = (name for name in discover("arena.players") if name not in ("checkpoint", "human"))
    players = (*models, *(apis.get(name, name) for name in others))
    games = tuple(game_ids())
    names = {"game": games, "model": models, "player": players, "teacher": players}
    return Offer((*presets(), *SCRATCH), names)


def from_preset(preset: Preset) -> Origin:
    """Raises UsageError for a file that is no configuration of a training."""
    if preset in SCRATCH:
        return Origin(preset.kind, preset.name, preset.about)
    data = read_toml(preset.path)
    if preset.kind not in MODELS:
        raise UsageError(
            f"{preset.path} is a configuration of the kind {preset.kind}.", f"Known here: {', '.join(MODELS)}."
        )
    config = validate(MODELS[preset.kind], data, preset.path.name)
    return Origin(preset.kind, preset.name, preset.about, config, read_text(preset.path))


def from_file(path: str) -> Origin:
    """Raises UsageError for a file that is not there or no configuration of a training."""
    return from_preset(read_preset(Path(os.path.expanduser(path))))


def check(data: Mapping[str, Any], directory: str) -> Checked:
    """Look at a draft: its values, what it names, and the directory of the run. Nothing is downloaded or made."""
    model = MODELS[kind_of(data)]
    found = {problem.key: problem.words for problem in reversed(problems(model, data))}
    notes: dict[Key, str] = {}
    config, toml = None, ""
    if not found:
        config = validate(model, data)
        toml = to_toml(config, changed_only=True)
        for one in name_checks(config, online=False):
            try:
                one.see()
            except ArenaError as error:
                found[one.key] = str(error)
        notes = _notes(config)
    try:
        check_new_run_dir(run_directory(directory))
    except ArenaError as error:
        found[DIRECTORY] = str(error)
    return Checked(data, directory, config, toml, found, notes)


def run_directory(text: str) -> Path | None:
    """The directory that was typed: a bare name is below the runs root, nothing is a new one there."""
    if not text.strip():
        return None
    path = Path(os.path.expanduser(text.strip()))
    return runs_root() / path if len(path.parts) == 1 and not path.is_absolute() else path


def start(data: Mapping[str, Any], directory: str, toml: str) -> Path:
    """Create the run and start its job, detached; returns its directory. Raises ArenaError where that is refused."""
    run_dir = create_training(data, "the form", run_directory(directory), toml, online=False)
    detach(job_command("training", str(run_dir.absolute())), run_dir)
    return run_dir


def save(path: str, toml: str) -> Path:
    """Write a TOML file; directories on its way are made."""
    target = Path(os.path.expanduser(path))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArenaError(f"Cannot write {target}: {error.strerror}.") from error
    write_atomic(target, toml)
    return target


def _notes(config: TrainConfig | SftConfig) -> dict[Key, str]:
    notes: dict[Key, str] = {}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if config.ranks > cores:
        notes[("ranks",)] = f"This machine has {count(cores, 'core')}: more ranks than that wait for each other."
    if config.model.startswith("hf:") and not _on_disk(config.model):
        notes[("model",)] = "Not on this machine: the job downloads it first."
    return notes


def _on_disk(model: str) -> bool:
    from arena.config.checks import check_players
    from arena.core.registry import PlayerSpec, player_module

    with suppress(ArenaError):
        check_players([model], [], online=False)
        return player_module("hf").look(PlayerSpec.parse(model).target) is not None
    return False


class PastRuns:
    """The paces of earlier runs below a root; what has not changed is not read twice."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[Path, tuple[Stamp, PastRun | None]] = {}

    def read(self) -> tuple[PastRun, ...]:
        """Newest first. Raises ArenaError where the root cannot be read; a run that cannot be is left out."""
        found = []
        for path in run_dirs(self.root)[::-1][:_NEWEST]:
            stamp = stamp_of(path, (DB_NAME, f"{DB_NAME}-wal", CONFIG_JSON))
            if path not in self._known or self._known[path][0] != stamp:
                self._known[path] = (stamp, _past_run(path))
            if (run := self._known[path][1]) is not None:
                found.append(run)
        return tuple(found)


def estimate(config: TrainConfig | SftConfig, past: Sequence[PastRun]) -> Estimate | None:
    """Time from earlier runs with the same games, ranks and model, scaled by the turns of a step; None without any."""
    new = _traits(json.loads(config.model_dump_json()))
    alike = [run for run in past if run.likeness == new.likeness]
    alike = [run for run in alike if run.opponent == new.opponent] or alike
    if not alike:
        return None
    step = median(run.seconds_step * new.work / run.work for run in alike)
    evaluation = median(run.seconds_evaluation * new.judged / run.judged for run in alike)
    every = config.evaluation.every
    evaluations = 2 + (config.steps - 1) // every if every else 1
    total = config.steps * step + evaluations * evaluation
    return Estimate(total, step, len(alike), any(run.work != new.work for run in alike))


def _past_run(path: Path) -> PastRun | None:
    with suppress(ArenaError, OSError, ValueError, KeyError, TypeError, AttributeError):
        if read_record(path).kind not in TRAINING_KINDS:
            return None
        run = _traits(json.loads((path / CONFIG_JSON).read_text(encoding="utf-8")))
        with suppress(NoRows), RunReader(path) as reader:
            phases = [_seconds(reader, name) for name in _PHASES]
            spent = [second for second in _seconds(reader, "seconds_evaluate") if second > _EVALUATED]
            step = sum(median(phase) for phase in phases if phase)
            if step > 0 and run.work > 0 and run.judged > 0:
                return PastRun(run.likeness, run.opponent, run.work, run.judged, step, median(spent) if spent else 0.0)
    return None


def _traits(config: Mapping[str, Any]) -> PastRun:
    """What of a configuration decides its pace; the times are left 0."""
    kind = kind_of(config)
    games = tuple(sorted(str(game["game"]) for game in config["games"]))
    likeness = (kind, games, config["ranks"], config["model"])
    work = sum(game["turns"] for game in config["games"]) if kind == "train" else config["optimiser"]["minibatch"]
    judged = config["evaluation"]["pairs"] * max(len(config["evaluation"]["opponents"]), 1)
    return PastRun(likeness, str(config.get("opponent", {}).get("type", "")), float(work), float(judged), 0.0, 0.0)


def _seconds(reader: RunReader, name: str) -> list[float]:
    return [row.value for row in reader.recent_metrics(name, _STEPS) if row.value is not None]


def dry_run_command(toml: Path) -> list[str]:
    """The process that measures what a self-play training would take, and prints it as JSON."""
    return job_command("arena", "train", str(toml), "--dry-run", "--json")


def read_dry_run(output: str) -> DryRun:
    """What the process printed. Raises ArenaError where that is not as it should be."""
    try:
        data = json.loads(output)
        devices = [
            DeviceNeed(
                str(one["device"]),
                int(one["memory_bytes"]),
                int(one["needed_bytes"]),
                float(one["seconds_collect"]) + float(one["seconds_learn"]),
                float(one["seconds_total"]),
            )
            for one in data["devices"]
        ]
        tokens = data["tokens"]
        step = int(tokens["prompt"]) + int(tokens["reply"]) + int(tokens["trained"])
        ends = [int(one["step"]) for one in data["api_limits"] if one["step"] is not None]
        apis = tuple(map(_api_need, data["apis"]))
        return DryRun(
            int(data["model"]["parameters"]), step, int(tokens["total"]), tuple(devices), apis, min(ends, default=None)
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ArenaError("The dry run printed something else than expected.") from error


def _api_need(row: Mapping[str, Any]) -> ApiNeed:
    tokens = int(row["prompt_tokens"]) + int(row["completion_tokens"])
    return ApiNeed(
        str(row["player"]), int(row["requests"]), tokens, None if row["cost"] is None else float(row["cost"])
    )
