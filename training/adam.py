"""Adam over one flat vector of parameters: its rate by step, and its state as named tensors for a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from arena.config.sft import SupervisedConfig
from arena.config.train import OptimiserConfig


def rate(config: OptimiserConfig | SupervisedConfig, step: int, steps: int) -> float:
    """Learning rate of step `step` (from 0) of `steps`: up over the warm-up, then a decay to `final_lr` of `lr`."""
    power = config.decay_power if isinstance(config, OptimiserConfig) else 1.0
    falling = math.pow(1 - step / max(steps, 1), power)
    rising = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
    return config.lr * rising * (config.final_lr + (1 - config.final_lr) * falling)


def state_tensors(adam: torch.optim.Adam, flat: torch.nn.Parameter) -> dict[str, Tensor]:
    """Copies of the moments and of the number of steps [1]; zeros before the first step."""
    state = adam.state.get(flat, {})
    zeros = torch.zeros_like(flat.detach())
    return {
        "exp_avg": state.get("exp_avg", zeros).clone(),
        "exp_avg_sq": state.get("exp_avg_sq", zeros).clone(),
        "step": torch.as_tensor(state.get("step", 0.0), dtype=torch.float32).clone().reshape(1),
    }


def load_state_tensors(adam: torch.optim.Adam, flat: torch.nn.Parameter, tensors: Mapping[str, Tensor]) -> None:
    """Go on from a checkpoint's. Raises KeyError where one is missing."""
    state: dict[str, Any] = {
        "step": tensors["step"].reshape(()).to(flat.device).clone(),
        "exp_avg": tensors["exp_avg"].to(flat.device).clone(),
        "exp_avg_sq": tensors["exp_avg_sq"].to(flat.device).clone(),
    }
    adam.state[flat] = state
