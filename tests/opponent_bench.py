"""What tests of training opponents need: a player with samples, and a context without any model."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import torch
from torch import Tensor

from arena.core.player import Reply, Sample, View
from arena.core.registry import load_player
from training.opponents import Context, Frozen, Opponent


class Drawn:
    """A random bot with samples as a model has them, marked by its `mark`; illegal where `illegal` says so."""

    sees_state = False

    def __init__(self, name: str = "drawn", mark: int = 0, illegal: float = 0.0) -> None:
        self.name, self.mark, self.illegal = name, mark, illegal

    async def act(self, view: View) -> Reply:
        rng = random.Random(f"{view.key}/{view.seat}/{view.turn}")
        answer = "nothing" if rng.random() < self.illegal else view.sample(rng)
        return Reply(answer, "", answer, sample=Sample((self.mark, view.seat), (1, 2), (0.0, 0.0), 0))

    async def close(self) -> None:
        return None


@dataclass
class Bench:
    """A context whose policy's weights are the number of the step, and which writes down what is loaded where."""

    step: int = 0
    frozen: list[Drawn] = field(default_factory=list)
    loaded: list[tuple[int, float, str]] = field(default_factory=list)
    """Number of the frozen player, its weights, its name."""

    def context(self, seed: int = 0) -> Context:
        return Context(seed, self.weights, self.freeze, load_player, lambda _: None)

    def weights(self) -> Tensor:
        return torch.tensor([float(self.step)])

    def freeze(self) -> Frozen:
        player, place = Drawn("", 1), len(self.frozen)
        self.frozen.append(player)

        def load(weights: Tensor, name: str) -> None:
            self.loaded.append((place, float(weights), name))
            player.name = name

        return Frozen(player, load)

    def begin(self, opponent: Opponent, step: int) -> list[tuple[int, float, str]]:
        """What is loaded at the beginning of a step."""
        self.step, self.loaded = step, []
        opponent.before_step(step)
        return self.loaded
