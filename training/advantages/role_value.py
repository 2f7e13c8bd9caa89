"""Role-conditioned values: the advantage of a turn is the return less what its state and role promised.

RAE has one number per game and role; here the baseline is a function of the state too:

    A = R − V(s, role)

The Monte-Carlo return R stands for Q(s, a), without bootstrapping. V is a small network of its own for each game. It
reads the policy's last hidden state at the last prompt token, standardised, and the role as one-hot, and learns by
squared error; no gradient reaches the policy. Every advantage is taken before the head learns from the
batch, which keeps it unbiased, and a new head says 0, as RAE does.

All ranks hand the same batch to equal heads, which learn the same to the last bit.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load, save
from torch import Tensor

from arena.config.train import RoleValueConfig
from arena.core.keys import derive_key
from training.advantages import Outcome

ROLES = 2
LEAST_WEIGHT = 0.05
"""Each batch weighs at least so much in the mean and variance that standardise states."""
MOST_DEVIATIONS = 5.0


class Head:
    """V of one game: a layer of tanh units on (standardised state, role), with its Adam state."""

    def __init__(self, width: int, config: RoleValueConfig, seed: int) -> None:
        draw = torch.randn(config.hidden, width + ROLES, generator=torch.Generator().manual_seed(seed))
        self.updates = config.updates
        self.mean, self.variance = torch.zeros(width), torch.ones(width)
        self.seen = torch.zeros(1)
        """Turns seen so far."""
        self.parameters = {
            "inner": draw / math.sqrt(width + ROLES),
            "inner_bias": torch.zeros(config.hidden),
            "outer": torch.zeros(1, config.hidden),
            "outer_bias": torch.zeros(1),
        }
        for parameter in self.parameters.values():
            parameter.requires_grad_()
        self.adam = torch.optim.Adam(self.parameters.values(), lr=config.lr)

    @torch.no_grad()
    def values(self, states: Tensor, roles: Tensor) -> Tensor:
        """V [n] of states [n, width] and roles [n]."""
        return self._forward(self._inputs(states, roles))

    def learn(self, states: Tensor, roles: Tensor, returns: Tensor) -> None:
        """Adam steps on the mean squared error to the returns [n]; a loss that is not finite teaches nothing."""
        if not bool(torch.isfinite(states).all() and torch.isfinite(returns).all()):
            return
        self._standardise_by(states)
        inputs = self._inputs(states, roles)
        for _ in range(self.updates):
            self.adam.zero_grad()
            F.mse_loss(self._forward(inputs), returns).backward()  # type: ignore[no-untyped-call]
            self.adam.step()

    def _forward(self, inputs: Tensor) -> Tensor:
        p = self.parameters
        return F.linear(torch.tanh(F.linear(inputs, p["inner"], p["inner_bias"])), p["outer"], p["outer_bias"])[:, 0]

    def _inputs(self, states: Tensor, roles: Tensor) -> Tensor:
        scaled = (states - self.mean) * torch.rsqrt(self.variance + 1e-6)
        return torch.cat([scaled.clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS), F.one_hot(roles, ROLES).float()], 1)

    def _standardise_by(self, states: Tensor) -> None:
        """Count the batch in: all turns alike at first, later batches as a moving average."""
        self.seen += len(states)
        weight = max(len(states) / float(self.seen), LEAST_WEIGHT)
        shift = states.mean(0) - self.mean
        spread = states.var(0, correction=0)
        self.variance = (1 - weight) * self.variance + weight * spread + weight * (1 - weight) * shift**2
        self.mean = self.mean + weight * shift

    def tensors(self) -> dict[str, Tensor]:
        """Everything to go on from exactly."""
        found = {"mean": self.mean, "variance": self.variance, "seen": self.seen}
        for name, parameter in self.parameters.items():
            found[name] = parameter.detach()
            found |= {f"{name}.{key}": value.reshape(-1) for key, value in self.adam.state[parameter].items()}
        return {name: tensor.clone() for name, tensor in found.items()}

    @torch.no_grad()
    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        self.mean, self.variance, self.seen = tensors["mean"], tensors["variance"], tensors["seen"]
        for name, parameter in self.parameters.items():
            parameter.copy_(tensors[name])
            state = {key.rpartition(".")[2]: value for key, value in tensors.items() if key.startswith(f"{name}.")}
            if state:
                shapes = {"step": torch.Size([])}
                self.adam.state[parameter] = {
                    key: value.reshape(shapes.get(key, parameter.shape)) for key, value in state.items()
                }


class RoleValue:
    """One head a game, made when its first turn comes."""

    needs_states = True

    def __init__(self, config: RoleValueConfig) -> None:
        self.config = config
        self.heads: dict[str, Head] = {}
        self._means: dict[tuple[str, int], float] = {}
        self._figures: dict[tuple[str, str], float] = {}

    def advantages(self, outcomes: Sequence[Outcome]) -> list[list[float]]:
        """As the protocol says; the outcomes of trained turns carry their states."""
        result: list[list[float]] = [[] for _ in outcomes]
        self._figures = {}
        for game in dict.fromkeys(outcome.game for outcome in outcomes if outcome.turns):
            mine = [index for index, outcome in enumerate(outcomes) if outcome.game == game and outcome.turns]
            found = self._of_game(game, [outcomes[index] for index in mine])
            for index, values in zip(mine, found, strict=True):
                result[index] = values
        return result

    def _of_game(self, game: str, outcomes: Sequence[Outcome]) -> list[list[float]]:
        turns = [outcome.turns for outcome in outcomes]
        states = torch.from_numpy(np.concatenate([outcome.states for outcome in outcomes]))
        roles = torch.tensor([outcome.role for outcome in outcomes]).repeat_interleave(torch.tensor(turns))
        returns = torch.tensor([outcome.value for outcome in outcomes]).repeat_interleave(torch.tensor(turns))
        head = self._head(game, states.shape[1])
        values = head.values(states, roles)
        self._measure(game, values, roles, returns)
        head.learn(states, roles, returns)
        return [part.tolist() for part in torch.split(returns - values, turns)]

    def _head(self, game: str, width: int) -> Head:
        if game not in self.heads:
            self.heads[game] = Head(width, self.config, derive_key("role_value", game))
        return self.heads[game]

    def _measure(self, game: str, values: Tensor, roles: Tensor, returns: Tensor) -> None:
        """How good the head was on turns that it had not learnt from."""
        for role in range(ROLES):
            if len(mine := values[roles == role]):
                self._means[game, role] = float(mine.mean())
        self._figures["role_value_loss", game] = float(F.mse_loss(values, returns))
        if variance := float(returns.var(correction=0)):
            self._figures["explained_variance", game] = 1 - float((returns - values).var(correction=0)) / variance

    def baselines(self) -> Mapping[tuple[str, int], float]:
        """Mean V over each role's turns of the newest batch that had some, before the head learnt from it."""
        return dict(self._means)

    def figures(self) -> Mapping[tuple[str, str], float]:
        return dict(self._figures)

    def state_dict(self) -> dict[str, Any]:
        """Each head as a safetensors file in base64: exact, and a fraction of its numbers in digits."""
        heads = {game: base64.b64encode(save(head.tensors())).decode() for game, head in self.heads.items()}
        return {"heads": heads, "means": [[game, role, value] for (game, role), value in self._means.items()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.heads = {}
        for game, text in state["heads"].items():
            tensors = load(base64.b64decode(text))
            self._head(game, len(tensors["mean"])).load_tensors(tensors)
        self._means = {(game, role): value for game, role, value in state["means"]}


ESTIMATOR = RoleValue
