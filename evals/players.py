"""The players of a job: the same weights from its first match to its last, and what they were trained on.

`ckpt:RUN` means the newest checkpoint of a run that may train on meanwhile. So the first start of a job notes, as
an event of its run, which step and which files each player's model is; a resume plays with exactly these, or not.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from arena.config.checks import check_players
from arena.config.limits import LimitsConfig
from arena.core.errors import ArenaError, UsageError
from arena.core.player import Player
from arena.core.registry import GameSpec, PlayerSpec, player_module
from arena.core.sanitise import one_line
from arena.runs.checkpoints import MANIFEST
from arena.runs.job import Job
from arena.runs.paths import CONFIG_JSON, RECORD, find_run
from arena.runs.reader import RunReader
from evals.spending import kept_ledger, open_ledger

EVENT = "players"
"""Kind of the event that holds the pins, by player, as JSON."""
_STEP = re.compile(r"step_(\d+)")
_MODEL_FILES = {".json", ".jinja", ".model", ".safetensors", ".txt"}
_ANCESTORS = 16
"""How many runs back a model's training is followed."""


@dataclass(frozen=True, slots=True)
class Pin:
    """Which model a player's spec meant when its job began."""

    target: str
    """What stands after the backend, with the step put in."""
    step: int | None
    """Training step of the checkpoint; None for a model folder."""
    sha256: str
    """Of the checkpoint's manifest, or of the folder's files."""
    trained_on: tuple[str, ...]
    """Ids of the games of the run that made the model, and of the runs before it."""


@asynccontextmanager
async def open_players(
    job: Job, names: Iterable[str], games: Sequence[GameSpec], limits: LimitsConfig | None = None
) -> AsyncIterator[dict[str, Player]]:
    """Load the players by name, models at the weights that this job began with; closes them in the end.

    Those behind APIs share one ledger with the limits of the run, and what they spend is stored as it grows.

    Raises UsageError for what a spec gets wrong or a game that a player cannot play, ArenaError where a model cannot
    be loaded, or is no longer the one that earlier matches of the job were played with.
    """
    specs = _pinned(job, dict.fromkeys(names))
    check_players(specs, games)
    async with AsyncExitStack() as stack:
        players: dict[str, Player] = {}
        for name, spec in specs.items():
            players[name] = cast(Player, player_module(spec.backend).load(spec))
            stack.push_async_callback(players[name].close)
        ledger = open_ledger(job.run_dir, players.values(), limits or LimitsConfig())
        if ledger is not None:
            stack.enter_context(kept_ledger(job.store, ledger, asyncio.get_running_loop()))
        yield players


def read_pins(run_dir: Path) -> dict[str, Pin]:
    """The models that a job began with, by player; empty before its first start. Raises ArenaError."""
    with RunReader(run_dir) as reader:
        event = reader.last_event((EVENT,))
    if event is None:
        return {}
    try:
        found = json.loads(event.detail)
        return {name: Pin(**{**pin, "trained_on": tuple(pin["trained_on"])}) for name, pin in found.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArenaError(f"{run_dir} is damaged: its players cannot be read.") from error


def player_rows(run_dir: Path, names: Iterable[str]) -> list[dict[str, Any]]:
    """The list `players` of a result: the step of each checkpoint, and the games that its run trained on."""
    pins = read_pins(run_dir)
    found = [(name, pins.get(name)) for name in names]
    return [
        {"player": name, "step": pin.step if pin else None, "trained_on": list(pin.trained_on) if pin else []}
        for name, pin in found
    ]


def game_kind(game: GameSpec, trained_on: Iterable[str]) -> str:
    """What a game is to a player: "own" where its run trained on it, variants aside, "other" a game of
    self-play training that is not its own, "ood" one that is held out of it.
    """
    info = game.game.INFO
    if info.id in trained_on:
        return "own"
    return "other" if info.trained else "ood"


def game_mark(game: GameSpec, trained_on: Sequence[str]) -> str:
    """`game_kind` in words for a table; empty for OOD, which a game's title says, and for players never trained."""
    kind = game_kind(game, trained_on) if trained_on else "ood"
    return {"own": "own game", "other": "other training game", "ood": ""}[kind]


KIND_LEGEND = (
    "Own game: the player's run, or one that it began from, trained on it, variants aside. OOD: never in self-play;",
    "the bundled model's warm start has seen every game's format.",
)


def _pinned(job: Job, names: Iterable[str]) -> dict[str, PlayerSpec]:
    """Each player's spec with the target that is pinned; pins those that are not yet."""
    pins = read_pins(job.run_dir)
    specs: dict[str, PlayerSpec] = {}
    fresh: dict[str, Pin] = {}
    for name in names:
        specs[name] = PlayerSpec.parse(name)
        if name in pins:
            specs[name] = _same_model(specs[name], pins[name])
        elif found := _pin(job, specs[name]):
            fresh[name] = found
            specs[name] = replace(specs[name], target=found.target)
    if fresh:
        text = ", ".join(f"{name}: {_words(pin)}" for name, pin in fresh.items())
        detail = json.dumps({name: asdict(pin) for name, pin in (pins | fresh).items()})
        job.store.add_event(EVENT, one_line(text, 2000), detail=detail)
    return specs


def _words(pin: Pin) -> str:
    return f"{f'step {pin.step}, ' if pin.step is not None else ''}sha256 {pin.sha256[:12]}"


def _pin(job: Job, spec: PlayerSpec) -> Pin | None:
    """Where the spec's model is now; None for players that are no model on this disk."""
    source = _locate(spec)
    if source is None:
        return None
    for warning in source.warnings:
        job.say(warning)
    folder: Path = source.model.parent
    match = _STEP.fullmatch(folder.name)
    step = int(match[1]) if match and source.weights != source.model else None
    target = spec.target if step is None else _at_step(spec.target, step)
    return Pin(target, step, _digest(source, step), tuple(_trained_on(source.model)))


def _same_model(spec: PlayerSpec, pin: Pin) -> PlayerSpec:
    """The spec at its pinned target. Raises ArenaError where that is gone or another model."""
    began = f"{spec.name} was {_words(pin)} when this run began"
    pinned = replace(spec, target=pin.target)
    try:
        source = _locate(pinned)
    except UsageError as error:
        raise ArenaError(f"{began}, which is not there any more.", "Start a new run.") from error
    if source is None or _digest(source, pin.step) != pin.sha256:
        raise ArenaError(f"{began}, and is another model now.", "Results would mix; start a new run.")
    return pinned


def _locate(spec: PlayerSpec) -> Any:
    """What the backend's `locate` finds (`model` and `weights` are paths); None where it has no such thing."""
    locate = getattr(player_module(spec.backend), "locate", None)
    source = locate(spec.target) if locate is not None else None
    return source if isinstance(getattr(source, "model", None), Path) else None


def _at_step(target: str, step: int) -> str:
    run, at, given = target.rpartition("@")
    return f"{run if at and (given.isdecimal() or given == 'latest') else target}@{step}"


def _digest(source: Any, step: int | None) -> str:
    """Of the manifest, which holds the hash of every file; where there is none, of the model's own files."""
    digest = hashlib.sha256()
    try:
        if step is not None:
            return hashlib.sha256((source.model.parent / MANIFEST).read_bytes()).hexdigest()
        for path in sorted(source.model.iterdir()):
            if path.suffix in _MODEL_FILES and path.is_file():
                with path.open("rb") as file:
                    digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        raise ArenaError(f"Cannot read {source.model}: {error.strerror}.") from error
    return digest.hexdigest()


def _trained_on(model: Path, depth: int = _ANCESTORS) -> list[str]:
    """Ids of the games that made the model: of the run that holds it, then of those before it that are still there."""
    parents = model.absolute().parents
    if len(parents) < 3 or not (parents[2] / RECORD).is_file():
        return []
    config = _config(parents[2])
    games = _games(config)
    with suppress(ArenaError):
        if isinstance(transcripts := config.get("transcripts"), str):
            games += _games(_config(find_run(transcripts)))
        if isinstance(start := config.get("model"), str) and depth > 1:
            source = _locate(PlayerSpec.parse(start))
            games += [] if source is None else _trained_on(source.model, depth - 1)
    return list(dict.fromkeys(games))


def _config(run_dir: Path) -> dict[str, Any]:
    """A run's resolved configuration, of whatever kind; empty where it cannot be read."""
    with suppress(OSError, ValueError):
        config = json.loads((run_dir / CONFIG_JSON).read_text(encoding="utf-8"))
        return config if isinstance(config, dict) else {}
    return {}


def _games(config: Mapping[str, Any]) -> list[str]:
    """Ids of the games that a configuration names: plain, or each in a table of its own."""
    items = config.get("games")
    names = [item.get("game") if isinstance(item, dict) else item for item in items] if isinstance(items, list) else []
    return [name.partition("?")[0] for name in names if isinstance(name, str)]
