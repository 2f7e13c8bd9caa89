"""Build what the training loop works with from a run directory: weights, engines, players, state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tokenizers import Tokenizer

from arena.config.train import TrainConfig
from arena.core.engine import Sampling
from arena.core.errors import UsageError
from arena.core.player import Player
from arena.core.registry import GameSpec, PlayerSpec, load_player
from arena.engines.loading import load_tokenizer, open_model
from arena.engines.text import TextCodec
from arena.engines.torch_engine import TorchEngine
from arena.players.checkpoint import PolicyPlayer, locate, style_of
from arena.players.optimal import has_oracle
from arena.runs.checkpoints import resolve
from arena.runs.paths import checkpoints_dir
from training.advantages import build as build_estimator
from training.checkpoint import TrainerState, load_policy, restore
from training.distributed import Ranks
from training.evaluation import OFFERED, START
from training.learner import Learner
from training.loop import Parts
from training.opponents import build as build_opponent


class Built(NamedTuple):
    parts: Parts
    tokenizer: Tokenizer
    warnings: tuple[str, ...]
    """What was wrong with newer checkpoints, where an older one is used."""


def build(run_dir: Path, config: TrainConfig, group: Ranks) -> Built:
    """Everything the loop needs, as it was at the newest good checkpoint where there is one.

    Raises UsageError or ArenaError where the model or a player cannot be loaded.
    """
    located = locate(_own_model(config.model))
    model = open_model(located.model)
    codec, style = TextCodec(model), style_of(model, {})
    policy = load_policy(model, located.weights)
    learner = Learner(policy, config.optimiser, config.sampling.max_tokens, config.sampling.temperature)
    start = policy.state_dict()
    state = TrainerState()
    warnings: tuple[str, ...] = ()
    if any(checkpoints_dir(run_dir).glob("step_*/manifest.json")):
        found = resolve(run_dir)
        state, warnings = restore(found.folder, learner, config.has_magnet), found.warnings
    estimator = build_estimator(config.advantage)
    if state.estimator:
        estimator.load_state_dict(state.estimator)

    rollouts = TorchEngine(model, weights=policy.state_dict())
    offered = TorchEngine(model, weights=start)
    sampling = Sampling(temperature=config.sampling.temperature, max_tokens=config.sampling.max_tokens)

    def player(engine: TorchEngine, name: str) -> PolicyPlayer:
        return PolicyPlayer(engine, codec, style, sampling, name)

    def offer() -> None:
        offered.load(policy.state_dict(learner.magnet if config.has_magnet else None))

    players: dict[str, Player] = {OFFERED: player(offered, OFFERED)}
    for name in config.evaluation.opponents:
        if name == START:
            players[START] = player(TorchEngine(model, weights=start), START)
        elif name != "optimal" or any(has_oracle(GameSpec.parse(quota.game).game.INFO.id) for quota in config.games):
            players[name] = load_player(name)
    publish: Callable[[], None] = lambda: rollouts.load(policy.state_dict())  # noqa: E731
    parts = Parts(
        config=config,
        group=group,
        learner=learner,
        policy=player(rollouts, config.name),
        publish=publish,
        offer=offer,
        players=players,
        opponent=build_opponent(config.opponent),
        estimator=estimator,
        state=state,
    )
    return Built(parts, load_tokenizer(model.path), (*located.warnings, *warnings))


def _own_model(spec: str) -> str:
    """The target of a `ckpt:` spec. Raises UsageError for a player that has no weights of ours."""
    parsed = PlayerSpec.parse(spec)
    if parsed.backend != "ckpt" or parsed.options:
        raise UsageError(f"Training cannot start from '{spec}'.", "model is a ckpt: spec without options.")
    return parsed.target
