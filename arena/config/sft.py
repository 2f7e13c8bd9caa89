"""Configuration of supervised training on the transcripts of strong players."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from arena.config.base import Config
from arena.config.limits import LimitsConfig
from arena.config.train import EvaluationConfig, GameName, Positive, SamplingConfig, Share


class TeachingConfig(Config):
    """A teacher in one game, and whom it plays to make transcripts."""

    game: GameName
    """Game with its variant, such as `kuhn_poker?hands=1&payoff=chips`."""
    teacher: str = "scripted?skill=1"
    """The player spec whose turns are learnt. One without thoughts teaches empty ones."""
    opponents: tuple[str, ...] = ()
    """Player specs that it meets, whose turns are not learnt; without any it meets itself."""
    matches: Annotated[int, Field(ge=1)] = 400
    """Matches against each opponent, seats in turn."""

    @property
    def met(self) -> tuple[str, ...]:
        """The opponents, or the teacher itself."""
        return self.opponents or (self.teacher,)


class SupervisedConfig(Config):
    """Adam on the mean loss a reply token."""

    lr: Positive = 1e-3
    final_lr: Share = 0.05
    """Rate at the last step, as a share of the first; the decay is linear."""
    warmup: Annotated[int, Field(ge=0)] = 10
    """Steps over which the rate rises from 0."""
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.99
    clip_norm: Positive = 1.0
    minibatch: Annotated[int, Field(ge=1)] = 128
    """Turns an Adam step, over all ranks."""


class SftConfig(LimitsConfig):
    """A supervised training run: on matches that teachers play for it, or on those of a stored run."""

    kind: Literal["sft"] = "sft"
    name: str = "sft"
    """Short name of the run."""
    seed: int = 0
    steps: Annotated[int, Field(ge=1)] = 200
    """Adam steps; the turns come in a new order each time that all have been seen."""
    ranks: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes, one a core; a resume needs the same number."""
    model: str = "ckpt:tiny"
    """Where the weights come from: a `ckpt:` or `hf:` spec; its options `style` and `device` hold for the run."""
    games: tuple[TeachingConfig, ...] = ()
    """The teachers; none where `transcripts` names a run."""
    transcripts: str | None = None
    """A run (path or id) with stored matches, such as a tournament: whoever played them teaches."""
    keep: Literal["won", "not_lost", "all"] = "won"
    """Whose turns are learnt: the match's winner's, also those of draws, or the loser's as well."""
    optimiser: SupervisedConfig = SupervisedConfig()
    sampling: SamplingConfig = SamplingConfig()
    """How the trained model draws; turns with longer replies are left out."""
    evaluation: EvaluationConfig = EvaluationConfig(every=50, pairs=16)
    checkpoint_every: Annotated[int, Field(ge=1)] = 50
    keep_checkpoints: Annotated[int, Field(ge=2)] = 100
    """Older checkpoints are removed beyond so many."""

    @model_validator(mode="after")
    def _one_source(self) -> SftConfig:
        if bool(self.games) == (self.transcripts is not None):
            raise ValueError("give either games with their teachers or transcripts, a run with matches")
        if "self" in self.evaluation.opponents:
            raise ValueError("evaluation.opponents: self is for self-play; start is the model the run began with")
        meetings = [(item.game, item.teacher, other) for item in self.games for other in item.met]
        if len(set(meetings)) < len(meetings):
            raise ValueError("two players meet more than once in one game; raise its matches instead")
        return self

    @property
    def players(self) -> list[str]:
        """Specs of all that play besides the model: the teachers, whom they meet, and evaluations' opponents."""
        taught = [name for item in self.games for name in (item.teacher, *item.met)]
        return list(dict.fromkeys([*taught, *self.evaluation.players]))
