"""Configuration of a training run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from arena.config.base import Config
from arena.config.limits import LimitsConfig
from arena.core.errors import UsageError
from arena.core.registry import GameSpec


def _game_exists(spec: str) -> str:
    try:
        GameSpec.parse(spec)
    except UsageError as error:
        raise ValueError(str(error)) from error
    return spec


GameName = Annotated[str, AfterValidator(_game_exists)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class GameQuota(Config):
    """One game of the mix, and how its matches begin."""

    game: GameName
    """Game with its variant, such as `kuhn_poker?hands=1&payoff=chips`."""
    turns: Annotated[int, Field(ge=1)]
    """Turns of whole matches to collect a step."""
    weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of this game's turns in the loss: 1 is plain; less lets a game have more turns without drowning others."""
    magnet: Annotated[float, Field(ge=0)] = 0.0
    """Coefficient of the KL to the magnet on this game's replies; 0 is off."""
    anchor: Annotated[float, Field(ge=0)] = 0.0
    """Coefficient of the KL to the start weights where those were sure: holds format and true claims; 0 is off."""
    random_start: Share = 0.0
    """Share of matches that begin at a random position instead of the first."""
    opening_plies: Annotated[int, Field(ge=0)] = 0
    """In the other matches, each of the first so many turns is random …"""
    opening_random: Share = 0.5
    """… with this probability; random turns are not trained."""


class RaeConfig(Config):
    """Role-conditioned advantage estimation: a moving-average baseline per game and role."""

    type: Literal["rae"] = "rae"
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.95
    baseline_update: Literal["after", "before"] = "after"
    """Whether a match updates the baseline after its advantage is taken, or before as the paper prints it."""


class NoBaselineConfig(Config):
    """The ablation: the advantage is the return itself."""

    type: Literal["none"] = "none"


class RoleValueConfig(Config):
    """A value head as the baseline: what the state promises the role, learnt by squared error."""

    type: Literal["role_value"] = "role_value"
    hidden: Annotated[int, Field(ge=1)] = 64
    """Units of the head's one inner layer."""
    lr: Positive = 3e-3
    """Adam's rate; constant."""
    updates: Annotated[int, Field(ge=1)] = 8
    """Adam steps on each batch, after its advantages are taken."""


class SelfPlayConfig(Config):
    """One policy plays both seats, and both are trained."""

    type: Literal["self_play"] = "self_play"


class FixedConfig(Config):
    """One seat is any player that never learns; the other, in turn, is trained."""

    type: Literal["fixed"] = "fixed"
    player: str = "random"
    """Player spec. A run named without its step, `ckpt:RUN`, is its newest checkpoint at each start of this one."""


class LaggedConfig(Config):
    """One seat is a frozen copy of the policy; the other, in turn, is trained."""

    type: Literal["lagged"] = "lagged"
    every: Annotated[int, Field(ge=1)] = 16
    """Steps after which the copy is taken anew."""


class PoolConfig(Config):
    """One seat is one of the policy's former selves; the other, in turn, is trained.

    Members' weights are held in memory and in every checkpoint.
    """

    type: Literal["pool"] = "pool"
    every: Annotated[int, Field(ge=1)] = 10
    """Steps after which the policy becomes a member; the first is the start."""
    size: Annotated[int, Field(ge=1)] = 8
    """Most members kept; the oldest goes."""
    active: Annotated[int, Field(ge=1, le=16)] = 2
    """Members drawn a step, with repetition, to share its matches: few engines, large batches."""
    sampling: Literal["uniform", "prioritised"] = "prioritised"
    """Whether members are drawn alike, or those that beat the policy more often."""
    power: Annotated[float, Field(ge=0)] = 2.0
    """Prioritised: a member that the policy beats at rate p is drawn in proportion to (1 − p)^power."""
    memory: Share = 0.9
    """Share of a member's earlier results that a further step with it keeps: the policy changes."""
    self_play: Share = 0.0
    """Share of matches in which the policy meets itself and both seats are trained."""


class OptimiserConfig(Config):
    """Adam on the clipped policy-gradient loss."""

    lr: Positive = 4e-4
    final_lr: Share = 0.05
    """Rate at the last step, as a share of the first."""
    decay_power: Positive = 1.0
    """1 is a linear decay; more falls sooner."""
    warmup: Annotated[int, Field(ge=0)] = 0
    """Steps over which the rate rises from 0."""
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Momentum; high values make self-play cycle."""
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.95
    clip_norm: Positive = 1.0
    clip: Positive = 0.2
    """PPO's clip of the probability ratio."""
    epochs: Annotated[int, Field(ge=1)] = 1
    minibatch: Annotated[int, Field(ge=1)] = 256
    """Turns an Adam step, over all ranks."""
    thin: Annotated[float, Field(ge=0)] = 0.0
    """Turns with a smaller advantage are trained with a probability in proportion to it, and weighed up; 0 is off."""


class SamplingConfig(Config):
    """How rollouts draw; truncation is off, so that the log-probs of rollout and loss agree exactly."""

    temperature: Positive = 1.0
    max_tokens: Annotated[int, Field(ge=1)] = 48


class EvaluationConfig(Config):
    """Matches and ground truth of the offered weights, every so many steps."""

    every: Annotated[int, Field(ge=0)] = 10
    """Steps between evaluations; 0 is only at the end."""
    pairs: Annotated[int, Field(ge=1)] = 32
    """Pairs against each opponent in each game."""
    opponents: tuple[str, ...] = ("random", "optimal", "start")
    """Player specs; `start` is the model the run began with, `self` the offered weights `lag` steps ago.

    `optimal` meets only games with an exact solution; nobody is met as `self` before step `lag`.
    """
    lag: Annotated[int, Field(ge=1)] = 16
    """How many steps before an evaluation the weights that `self` names were offered."""
    ground_truth: bool = True
    """Whether to measure optimal moves and exploitability where the game is solved."""
    positions: Share = 0.25
    """Share of the positions that ground truth samples inside training."""

    @property
    def players(self) -> list[str]:
        """The opponents that are named by a spec."""
        return [name for name in self.opponents if name not in ("start", "self")]

    @property
    def former_self(self) -> str:
        """The name under which `self` is shown and stored."""
        return f"self(t-{self.lag})"


class TrainConfig(LimitsConfig):
    """A training run: by self-play, or against other opponents."""

    kind: Literal["train"] = "train"
    name: str = "train"
    """Short name of the run."""
    seed: int = 0
    steps: Annotated[int, Field(ge=1)] = 100
    """Iterations of collect, advantages, update, publish."""
    ranks: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes, one a core; a resume needs the same number."""
    model: str = "ckpt:tiny"
    """Where the weights come from: a `ckpt:` or `hf:` spec; its options `style` and `device` hold for the run."""
    games: Annotated[list[GameQuota], Field(min_length=1)]
    opponent: Annotated[SelfPlayConfig | FixedConfig | LaggedConfig | PoolConfig, Field(discriminator="type")] = (
        SelfPlayConfig()
    )
    advantage: Annotated[RaeConfig | NoBaselineConfig | RoleValueConfig, Field(discriminator="type")] = RaeConfig()
    shaping: Literal["zero_sum", "spiral"] = "zero_sum"
    """What an illegal reply earns: the lowest and highest utility, or −1.5 and +0.5 times the highest."""
    magnet_decay: Annotated[float, Field(ge=0, lt=1)] = 0.95
    """Decay of the moving average of the weights that the magnet is, a step."""
    optimiser: OptimiserConfig = OptimiserConfig()
    sampling: SamplingConfig = SamplingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    checkpoint_every: Annotated[int, Field(ge=1)] = 10
    keep_checkpoints: Annotated[int, Field(ge=2)] = 100
    """Older checkpoints are removed beyond so many."""
    max_bad_steps: Annotated[int, Field(ge=1)] = 5
    """Consecutive updates with a loss or gradient that is not finite before the run stops."""
    featured: Annotated[int, Field(ge=0, le=8)] = 4
    """Training matches a step that are stored whole, for the live view."""

    @model_validator(mode="after")
    def _distinct_games(self) -> TrainConfig:
        names = [quota.game for quota in self.games]
        if len(set(names)) < len(names):
            raise ValueError("a game is given more than once")
        return self

    @property
    def players(self) -> list[str]:
        """Specs of all that play besides the policy: a fixed opponent, and evaluations' opponents."""
        fixed = [self.opponent.player] if self.opponent.type == "fixed" else []
        return list(dict.fromkeys([*fixed, *self.evaluation.players]))

    @property
    def has_magnet(self) -> bool:
        """Whether the run keeps a magnet, which is then what it offers."""
        return any(quota.magnet > 0 for quota in self.games)
