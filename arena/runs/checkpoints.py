"""Checkpoints of a run on disk: written whole or not at all, verified by hash, found again.

    checkpoints/step_N/manifest.json     {"step": N, "files": {"model/config.json": {"sha256": …, "bytes": …}, …}}
    checkpoints/step_N/model/            a Hugging Face folder: config, safetensors, tokenizer, spiral_arena.json
    checkpoints/step_N/magnet.safetensors     only where the run has a magnet: then these are the weights it offers
    checkpoints/step_N/…                 whatever else the writer needs to resume
    checkpoints/latest                   the name of the newest

A folder without a manifest, or one that does not match it, is no checkpoint: a write that was cut short leaves
a `step_N.tmp`, which nobody reads.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from arena.core.errors import ArenaError, UnknownName
from arena.core.sanitise import one_line
from arena.runs.paths import checkpoints_dir, find_run, runs_root, write_atomic

MANIFEST = "manifest.json"
MODEL = "model"
MAGNET = "magnet.safetensors"
LATEST = "latest"
_STEP = re.compile(r"step_(\d+)")


class Checkpoint(NamedTuple):
    """A checkpoint as its manifest describes it; not verified."""

    step: int
    folder: Path
    bytes: int


class Resolved(NamedTuple):
    """A verified checkpoint, and what was wrong with newer ones."""

    folder: Path
    step: int
    warnings: tuple[str, ...]


class Offered(NamedTuple):
    """What others play against: a folder with config and tokenizer, and the file with the weights."""

    model: Path
    weights: Path


def write_checkpoint(parent: Path, step: int, write: Callable[[Path], None]) -> Path:
    """Let `write` fill a folder, then make it `parent/step_N` in one move; returns that path.

    Killed at any instant, it leaves the checkpoints before it as they were. Raises ArenaError where the disk
    refuses; the half-written folder is then removed.
    """
    final, temporary = parent / f"step_{step}", parent / f"step_{step}.tmp"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _remove(temporary)
        temporary.mkdir()
        write(temporary)
        files = _files(temporary)
        _sync(*files, *(path for path in temporary.rglob("*") if path.is_dir()), temporary)
        listed = {path.relative_to(temporary).as_posix(): _entry(path) for path in files}
        manifest = temporary / MANIFEST
        manifest.write_text(json.dumps({"step": step, "files": listed}, indent=1, sort_keys=True), encoding="utf-8")
        _sync(manifest, temporary)
        _replace(temporary, final)
        _sync(parent)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise ArenaError(f"Cannot write checkpoint {final}: {error.strerror or error}.") from error
    write_atomic(parent / LATEST, final.name + "\n")
    _sync(parent)
    return final


def list_checkpoints(run: str | Path) -> list[Checkpoint]:
    """The checkpoints of a run (id or path), oldest first, not verified. Raises UnknownName."""
    return [Checkpoint(step, path, _listed_bytes(path)) for step, path in _steps(_parent(run))]


def verify(folder: Path) -> list[str]:
    """What is wrong with a checkpoint, one line each; empty where every file is the one that was written."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        listed = {str(name): (str(entry["sha256"]), int(entry["bytes"])) for name, entry in files.items()}
    except FileNotFoundError:
        return [f"{MANIFEST} is missing"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [f"{MANIFEST} cannot be read"]
    try:
        present = {path.relative_to(folder).as_posix() for path in _files(folder)} - {MANIFEST}
        problems = [f"{one_line(name)} is not in the manifest" for name in sorted(present - listed.keys())]
        for name, (digest, size) in sorted(listed.items()):
            if problem := _problem(folder / name, digest, size) if name in present else "is missing":
                problems.append(f"{one_line(name)} {problem}")
    except OSError as error:
        return [f"cannot be read: {error.strerror}"]
    return problems


def resolve(run: str | Path, step: int | None = None) -> Resolved:
    """The newest good checkpoint of a run (id, run directory, or one step's folder), or the one of `step`.

    A damaged checkpoint is passed over for the one before it, and a warning says so; one that was asked for by
    its step is refused. Raises UnknownName for an unknown run or step, ArenaError where none is good.
    """
    folder = Path(run)
    if (match := _STEP.fullmatch(folder.name)) and folder.is_dir():
        return _exactly(folder, int(match[1]))
    parent = _parent(run)
    steps = _steps(parent)
    if step is not None:
        if step not in dict(steps):
            raise UnknownName(f"checkpoint of {one_line(str(run))}", str(step), [str(known) for known, _ in steps])
        return _exactly(dict(steps)[step], step)
    warnings: list[str] = []
    for number, path in reversed(steps):
        if not (problems := verify(path)):
            return Resolved(path, number, tuple(warnings))
        warnings.append(f"Checkpoint {path.name} of {parent.parent} is damaged ({problems[0]}); using the one before.")
    if steps:
        raise ArenaError(f"{parent.parent} has no checkpoint that is whole.", warnings[0])
    raise ArenaError(f"{parent.parent} has no checkpoint yet.")


def offered_weights(folder: Path) -> Offered:
    """Model folder and weights that a checkpoint offers to players: the magnet's where there is one."""
    magnet = folder / MAGNET
    return Offered(folder / MODEL, magnet if magnet.is_file() else folder / MODEL / "model.safetensors")


def _exactly(folder: Path, step: int) -> Resolved:
    if problems := verify(folder):
        raise ArenaError(f"Checkpoint {folder} is damaged: {problems[0]}.")
    return Resolved(folder, step, ())


def _parent(run: str | Path) -> Path:
    """The `checkpoints` directory of a run given as id or path; a job's directory need not have its record yet."""
    for candidate in (Path(run), runs_root() / run):
        if checkpoints_dir(candidate).is_dir():
            return checkpoints_dir(candidate)
    return checkpoints_dir(find_run(str(run)))


def _steps(parent: Path) -> list[tuple[int, Path]]:
    try:
        paths = list(parent.iterdir()) if parent.is_dir() else []
    except OSError as error:
        raise ArenaError(f"Cannot read {parent}: {error.strerror}.") from error
    return sorted((int(match[1]), path) for path in paths if (match := _STEP.fullmatch(path.name)))


def _listed_bytes(folder: Path) -> int:
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return sum(int(entry["bytes"]) for entry in files.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


def _entry(path: Path) -> dict[str, str | int]:
    return {"sha256": _digest(path), "bytes": path.stat().st_size}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _problem(path: Path, digest: str, size: int) -> str:
    if path.is_symlink():
        return "is a link"
    if (have := path.stat().st_size) != size:
        return f"has {have} bytes instead of {size}"
    return "" if _digest(path) == digest else "does not match its hash"


def _sync(*paths: Path) -> None:
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _replace(temporary: Path, final: Path) -> None:
    """Rename, putting aside a damaged or repeated checkpoint of the same step."""
    aside = final.with_name(final.name + ".old.tmp")
    _remove(aside)
    if final.exists():
        final.rename(aside)
    temporary.rename(final)
    _remove(aside)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
