"""What a training checkpoint holds beyond the model, and how it is written and read back exactly."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from arena.engines.loading import ModelFolder, read_weights
from arena.runs.checkpoints import MAGNET, list_checkpoints, write_checkpoint
from arena.runs.paths import checkpoints_dir
from training.learner import Learner
from training.policy import Policy
from training.warmstart import save_model

OPTIMISER, STATE = "optimiser.safetensors", "trainer.json"


@dataclass(slots=True)
class TrainerState:
    """Everything but tensors that the next step depends on. Randomness is keyed, so the cursor is two numbers."""

    step: int = 0
    """Steps finished."""
    matches: int = 0
    """Matches played; the next one's number, and so its key."""
    lengths: dict[str, float] = field(default_factory=dict)
    """Mean turns of a match per game, of the last step: how many matches fill a quota."""
    estimator: dict[str, Any] = field(default_factory=dict)
    empty_batches: int = 0
    skipped_updates: int = 0
    bad_streak: int = 0
    """Consecutive steps with an update that was skipped."""
    seconds: float = 0.0
    """Wall time of training so far, over all attempts."""


def save(run_dir: Path, learner: Learner, tokenizer: Tokenizer, state: TrainerState, magnet: bool, keep: int) -> Path:
    """Write `checkpoints/step_N` whole or not at all, then drop the oldest beyond `keep`."""

    def write(folder: Path) -> None:
        save_model(folder / "model", learner.policy, tokenizer)
        if magnet:
            save_file(learner.policy.state_dict(learner.magnet), folder / MAGNET, metadata={"format": "pt"})
        save_file(learner.state_tensors(), folder / OPTIMISER)
        (folder / STATE).write_text(json.dumps(asdict(state), indent=1) + "\n")

    folder = write_checkpoint(checkpoints_dir(run_dir), state.step, write)
    for found in list_checkpoints(run_dir)[:-keep]:
        shutil.rmtree(found.folder, ignore_errors=True)
    return folder


def restore(folder: Path, learner: Learner, magnet: bool) -> TrainerState:
    """Put a checkpoint's weights, magnet and Adam moments into the learner; returns the rest of its state."""
    learner.policy.load_state_dict(load_file(folder / "model" / "model.safetensors"))
    learner.magnet.copy_(learner.policy.pack(load_file(folder / MAGNET)) if magnet else learner.policy.flat)
    learner.load_state_tensors(load_file(folder / OPTIMISER))
    return TrainerState(**json.loads((folder / STATE).read_text()))


def load_policy(model: ModelFolder, weights: Path) -> Policy:
    """The policy of a model folder, with the weights of a file or folder. Raises ArenaError for a damaged one."""
    policy = Policy(model.config)
    policy.load_state_dict(read_weights(weights))
    return policy
