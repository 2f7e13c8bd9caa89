"""What a training checkpoint holds beyond the model, and how it is written and read back exactly."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from arena.core.engine import Sampling
from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.engines.loading import ModelFolder, read_weights
from arena.runs.checkpoints import MAGNET, MODEL, list_checkpoints, write_checkpoint
from arena.runs.paths import checkpoints_dir
from training.policy import Policy

WEIGHTS, OPTIMISER, STATE = "model.safetensors", "optimiser.safetensors", "trainer.json"
KEPT = "kept.safetensors"
"""Earlier weights that the run still needs, where it does: of its opponent, and for evaluations to come."""
_COPIED = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "chat_template.jinja",
)  # fmt: skip


class ModelFiles(dict[str, bytes]):
    """Every file of a model folder but its weights, as they were when the run was built."""

    @classmethod
    def of(cls, model: ModelFolder, style: str, sampling: Sampling) -> ModelFiles:
        """Those of `model`, with the prompt style and the sampling that training uses as the model's own."""
        own = {"style": style, "sampling": {"temperature": sampling.temperature, "max_tokens": sampling.max_tokens}}
        files = cls({name: (model.path / name).read_bytes() for name in _COPIED if (model.path / name).is_file()})
        files["spiral_arena.json"] = (json.dumps({**model.settings, **own}, indent=1) + "\n").encode()
        return files


@dataclass(slots=True)
class TrainerState:
    """Everything but tensors that the next step depends on. Randomness is keyed, so the cursor is two numbers."""

    step: int = 0
    """Steps finished."""
    started: bool = False
    """Whether the start has been evaluated and stored."""
    ranks: int = 1
    """How many ranks share the matches: sums over another number differ in their last bits."""
    matches: int = 0
    """Matches played; the next one's number, and so its key."""
    lengths: dict[str, float] = field(default_factory=dict)
    """Mean turns of a match per game, of the last step: how many matches fill a quota."""
    estimator: dict[str, Any] = field(default_factory=dict)
    opponent: dict[str, Any] = field(default_factory=dict)
    empty_batches: int = 0
    skipped_updates: int = 0
    bad_streak: int = 0
    """Consecutive steps with an update that was skipped."""
    first_forfeits: float = 0.0
    """Share of the first step's matches that were forfeited."""
    lost_streak: int = 0
    """Consecutive steps in which every match was forfeited."""
    seconds: float = 0.0
    """Wall time of training so far, over all attempts."""


class Trained(Protocol):
    """What a checkpoint is of: weights, and what goes on from them."""

    policy: Policy
    magnet: Tensor

    def state_tensors(self) -> dict[str, Tensor]:
        """The optimiser's state."""

    def load_state_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Go on from another's."""


def save(
    run_dir: Path,
    learner: Trained,
    files: ModelFiles,
    state: TrainerState,
    magnet: bool,
    keep: int,
    kept: Mapping[str, Tensor],
) -> Path:
    """Write `checkpoints/step_N` whole or not at all, then drop the oldest beyond `keep`, but for the start.

    `kept` holds earlier weights by name, as flat vectors.

    Raises ArenaError where the disk refuses, or where something is not finite: no checkpoint ever holds that.
    """
    tensors = learner.state_tensors()
    refuse_not_finite({"weights": learner.policy.flat, "magnet": learner.magnet, **tensors, **kept}, state.step)

    def write(folder: Path) -> None:
        try:
            (folder / MODEL).mkdir()
            for name, content in files.items():
                (folder / MODEL / name).write_bytes(content)
            save_file(learner.policy.state_dict(), folder / MODEL / WEIGHTS, metadata={"format": "pt"})
            if magnet:
                save_file(learner.policy.state_dict(learner.magnet), folder / MAGNET, metadata={"format": "pt"})
            save_file(tensors, folder / OPTIMISER)
            if kept:
                save_file(dict(kept), folder / KEPT)
            (folder / STATE).write_text(json.dumps(asdict(state), indent=1) + "\n")
        except SafetensorError as error:  # safetensors has an error of its own for a full disk
            raise OSError(str(error).rpartition("I/O error: ")[2]) from error

    folder = write_checkpoint(checkpoints_dir(run_dir), state.step, write)
    for found in [found for found in list_checkpoints(run_dir) if found.step][:-keep]:
        shutil.rmtree(found.folder, ignore_errors=True)
    return folder


def refuse_not_finite(tensors: Mapping[str, Tensor], step: int) -> None:
    """Raise ArenaError where a tensor holds NaN or infinity."""
    for name, tensor in tensors.items():
        if not math.isfinite(float(torch.sum(tensor, dtype=torch.float64))):
            raise diverged(step, f"{name} not finite")


def diverged(step: int, reason: str) -> ArenaError:
    """The error of a run that cannot go on because its numbers have blown up."""
    return ArenaError(
        f"Training has diverged at step {step}: {reason}.",
        "Start again with a lower optimiser.lr; the checkpoints before hold finite weights.",
    )


def read_kept(folder: Path) -> dict[str, Tensor]:
    """The earlier weights that a checkpoint holds, by name."""
    return load_file(folder / KEPT) if (folder / KEPT).is_file() else {}


def unfit(folder: Path, error: Exception) -> ArenaError:
    """The error of a checkpoint that is another run's, or of this one's before its configuration was changed."""
    return ArenaError(f"{folder} does not fit this run: {one_line(str(error))}.", "Was its config.json changed?")


def restore(folder: Path, learner: Trained, magnet: bool, ranks: int) -> TrainerState:
    """Put a checkpoint's weights, magnet and Adam moments into the learner; returns the rest of its state.

    Raises ArenaError for another number of ranks, or a checkpoint of another version or model.
    """
    try:
        state = TrainerState(**json.loads((folder / STATE).read_text()))
        if state.ranks != ranks:
            raise ArenaError(
                f"The run was trained with ranks = {state.ranks} and cannot go on with ranks = {ranks}.",
                f"Put ranks = {state.ranks} back into its config.json.",
            )
        learner.policy.load_state_dict(load_file(folder / MODEL / WEIGHTS))
        learner.magnet.copy_(learner.policy.pack(load_file(folder / MAGNET)) if magnet else learner.policy.flat)
        learner.load_state_tensors(load_file(folder / OPTIMISER))
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise unfit(folder, error) from error
    return state


def load_policy(model: ModelFolder, weights: Path, device: torch.device | str = "cpu") -> Policy:
    """The policy of a model folder, with the weights of a file or folder. Raises ArenaError for a damaged one."""
    try:
        policy = Policy(model.config, device)
        policy.load_state_dict(read_weights(weights))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ArenaError(f"{one_line(str(model.path))} cannot be trained: {one_line(str(error))}.") from error
    return policy
