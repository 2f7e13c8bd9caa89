"""Players that are Hugging Face models: a local folder, or a model of the hub.

    hf:PATH                       a folder with config.json, safetensors and tokenizer.json
    hf:ID[@REVISION]              such as hf:Qwen/Qwen3-4B-Base@main: from the local cache, else downloaded into it

Only weights in safetensors, JSON and chat templates are fetched: nothing that can run code. Options are those of ckpt.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from arena.core.errors import ArenaError, UsageError
from arena.core.player import PlayerInfo
from arena.core.sanitise import one_line
from arena.players.checkpoint import OPTIONS, Source, load

__all__ = ["INFO", "load", "locate", "look"]

INFO = PlayerInfo(
    id="hf",
    title="A language model of the Qwen3 or Llama family, from a folder or the Hugging Face hub",
    syntax="hf:PATH_OR_ID[@REVISION]",
    options=OPTIONS,
)
_ID = re.compile(r"(\w[\w.-]*(?:/[\w.-]+)?)(?:@([\w./-]+))?")
_WANTED = ("*.safetensors", "*.json", "*.jinja")


def locate(target: str) -> Source:
    """Find what stands after `hf:`, downloading it where it must be.

    Raises UsageError for what is neither a folder nor an id, ArenaError for a folder that is not a model or an id that
    cannot be downloaded.
    """
    found = look(target)
    if found is None:
        name, _, revision = target.partition("@")
        folder = _downloaded(name, revision or None)
        found = Source(folder, folder)
    return found


def look(target: str) -> Source | None:
    """`locate` that never goes online: None where the model would have to be downloaded."""
    if not target:
        raise UsageError("The player hf needs a model.", f"Write {INFO.syntax}.")
    folder = Path(os.path.expanduser(target))
    if folder.is_dir():
        if not (folder / "config.json").is_file() or (folder / "run.json").is_file():
            raise ArenaError(f"{one_line(target)} is not a model folder.", "A run is named ckpt:RUN.")
        return Source(folder, folder)
    named = _ID.fullmatch(target)
    if named is None:
        raise UsageError(f"There is no folder {one_line(target)}.", f"Write {INFO.syntax}.")
    found = cached(target)
    return None if found is None else Source(found, found)


def cached(target: str) -> Path | None:
    """The folder of a hub id in the local cache, if everything that is needed is there; never goes online."""
    from huggingface_hub import snapshot_download

    named = _ID.fullmatch(target)
    if named is None:
        return None
    try:
        folder = Path(snapshot_download(named[1], revision=named[2], local_files_only=True))
    except (OSError, ValueError):  # what the hub's errors are
        return None
    return folder if _whole(folder) else None


def _whole(folder: Path) -> bool:
    from arena.engines.loading import weight_files

    try:
        weight_files(folder)
    except ArenaError:
        return False
    return (folder / "config.json").is_file() and (folder / "tokenizer.json").is_file()


def _downloaded(name: str, revision: str | None) -> Path:
    from huggingface_hub import constants, snapshot_download

    if constants.HF_HUB_OFFLINE:
        raise _missing(name, "HF_HUB_OFFLINE is set")
    try:
        found = snapshot_download(name, revision=revision, allow_patterns=list(_WANTED), ignore_patterns=["*/*"])
    except (OSError, ValueError, RuntimeError) as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise _missing(name, reason) from None
    folder = Path(found)
    if not _whole(folder):
        raise _missing(name, "it lacks config.json, tokenizer.json or safetensors")
    return folder


def _missing(name: str, reason: str) -> ArenaError:
    reason = one_line(reason, 300).rstrip(".")
    return ArenaError(f"{one_line(name)} is not in the cache and cannot be downloaded: {reason}.")
