"""Open a model folder without trusting it: JSON, safetensors and a tokenizer file, nothing that can run code.

A folder holds config.json, *.safetensors and, to play, tokenizer.json. Nothing is downloaded, no class named by
the folder is imported, no pickle is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.engines.shape import Shape

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

INDEX = "model.safetensors.index.json"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclass(frozen=True)
class ModelFolder:
    """A folder that passed the checks; weights and tokenizer are read when asked for."""

    path: Path
    config: Mapping[str, Any]
    eos: tuple[int, ...]
    """End tokens of config.json and generation_config.json."""
    settings: Mapping[str, Any]
    """spiral_arena.json: prompt style and default sampling of a model made here; empty for others."""

    @property
    def weights(self) -> Path:
        return self.path

    @property
    def chat_template(self) -> str | None:
        """The tokenizer's Jinja template, if it has one: untrusted text."""
        file = self.path / "chat_template.jinja"
        if file.is_file():
            return file.read_text(encoding="utf-8")
        template = read_json(self.path / "tokenizer_config.json").get("chat_template")
        return template if isinstance(template, str) else None


def open_model(path: Path) -> ModelFolder:
    """Check a model folder. Raises ArenaError, in one line, for anything that is not a model we can serve."""
    name = one_line(str(path))
    if not (path / "config.json").is_file():
        raise ArenaError(f"{name} is not a model folder: it has no config.json.")
    config = read_json(path / "config.json")
    if "auto_map" in config or "auto_map" in read_json(path / "tokenizer_config.json"):
        raise ArenaError(f"{name} is refused: its config names code of its own (auto_map).")
    try:
        Shape.from_config(config)
    except ArenaError as error:
        raise ArenaError(f"{name}: {error.message}", error.hint) from None
    weight_files(path)
    eos = _ids(config.get("eos_token_id")) | _ids(read_json(path / "generation_config.json").get("eos_token_id"))
    return ModelFolder(path, config, tuple(sorted(eos)), read_json(path / "spiral_arena.json"))


def weight_files(path: Path) -> list[Path]:
    """The safetensors files of a folder, by its index where it has one.

    Raises ArenaError where one is missing, or there is none, naming pickles as the reason.
    """
    mapped = read_json(path / INDEX).get("weight_map")
    if isinstance(mapped, dict):
        files = sorted({path / Path(str(name)).name for name in mapped.values()})
        if lost := [file.name for file in files if not file.is_file()]:
            raise ArenaError(f"{one_line(str(path))} is not whole: {one_line(lost[0])} is missing.")
        return files
    whole = path / "model.safetensors"
    if files := [whole] if whole.is_file() else sorted(path.glob("*.safetensors")):
        return files
    name = one_line(str(path))
    pickles = sorted(file.name for file in path.iterdir() if file.suffix in _PICKLES)
    if pickles:
        raise ArenaError(
            f"{name} is refused: {one_line(pickles[0])} is a pickle, which can run code.", "Convert it to safetensors."
        )
    raise ArenaError(f"{name} has no weights: no *.safetensors file.")


def read_weights(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, or of a folder's files. Raises ArenaError for a damaged or other file."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.is_file() and path.suffix != ".safetensors":
        raise ArenaError(f"{one_line(str(path))} is refused: weights are read from safetensors only.")
    if not path.exists():
        raise ArenaError(f"{one_line(str(path))} does not exist.")
    tensors: dict[str, Tensor] = {}
    for file in [path] if path.is_file() else weight_files(path):
        try:
            tensors |= load_file(file)
        except (SafetensorError, OSError, ValueError) as error:
            raise ArenaError(f"{one_line(str(file))} cannot be read: {one_line(str(error))}.") from None
    return tensors


def load_tokenizer(path: Path) -> Tokenizer:
    """The folder's tokenizer.json. Raises ArenaError where it is missing or damaged."""
    from tokenizers import Tokenizer

    file = path / "tokenizer.json"
    if not file.is_file():
        raise ArenaError(f"{one_line(str(path))} has no tokenizer.json.")
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises plain Exception
        raise ArenaError(f"{one_line(str(file))} cannot be read: {one_line(str(error))}.") from None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is no such file."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ArenaError(f"{one_line(str(path))} cannot be read: {one_line(str(error))}.") from None
    if not isinstance(value, dict):
        raise ArenaError(f"{one_line(str(path))} is not a JSON object.")
    return value


def _ids(value: object) -> set[int]:
    if isinstance(value, list):
        return {item for item in value if isinstance(item, int)}
    return {value} if isinstance(value, int) else set()
