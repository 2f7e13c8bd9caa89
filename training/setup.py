"""Build what the training loop works with from a run directory: weights, engines, players, state."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import NamedTuple

from arena.config.train import TrainConfig
from arena.core.engine import Sampling
from arena.core.player import Player
from arena.core.registry import GameSpec, PlayerSpec, load_player
from arena.engines.loading import open_model
from arena.engines.text import TextCodec
from arena.engines.torch_engine import TorchEngine
from arena.players.checkpoint import PolicyPlayer, Source, locate, style_of
from arena.players.optimal import has_oracle
from arena.runs.checkpoints import MODEL, list_checkpoints, resolve, verify
from arena.runs.paths import checkpoints_dir
from training.advantages import build as build_estimator
from training.checkpoint import ModelFiles, TrainerState, load_policy, restore
from training.distributed import Ranks
from training.evaluation import OFFERED, START
from training.learner import Learner
from training.loop import Parts
from training.opponents import build as build_opponent


class Built(NamedTuple):
    parts: Parts
    files: ModelFiles
    warnings: tuple[str, ...]
    """What was wrong with newer checkpoints, where an older one is used."""


def build(run_dir: Path, config: TrainConfig, group: Ranks) -> Built:
    """Everything the loop needs, as it was at the newest good checkpoint where there is one.

    Raises UsageError or ArenaError where the model or a player cannot be loaded.
    """
    origin = _origin(run_dir, config)
    model = open_model(origin.model)
    codec, style = TextCodec(model), style_of(model, {})
    policy = load_policy(model, origin.weights)
    learner = Learner(policy, config.optimiser, config.sampling.max_tokens, config.sampling.temperature)
    start = policy.state_dict()
    state, warnings = TrainerState(ranks=group.world), origin.warnings
    if checkpoints_dir(run_dir).is_dir() and list_checkpoints(run_dir):
        found = resolve(run_dir)
        state = restore(found.folder, learner, config.has_magnet, group.world)
        warnings = (*warnings, *found.warnings)
    estimator = build_estimator(config.advantage)
    if state.estimator:
        estimator.load_state_dict(state.estimator)

    rollouts = TorchEngine(model, weights=policy.state_dict())
    offered = TorchEngine(model, weights=start)
    sampling = Sampling(temperature=config.sampling.temperature, max_tokens=config.sampling.max_tokens)

    def player(engine: TorchEngine, name: str) -> PolicyPlayer:
        return PolicyPlayer(engine, codec, style, sampling, name)

    fixed: list[TorchEngine] = []

    def offer() -> None:
        offered.load(policy.state_dict(learner.magnet if config.has_magnet else None))
        for engine in fixed:
            # Forget the prompts it has seen: an evaluation does not depend on those before it, to the last bit.
            engine.load(start)

    players: dict[str, Player] = {OFFERED: player(offered, OFFERED)}
    for name in config.evaluation.opponents:
        if name == START:
            fixed.append(TorchEngine(model, weights=start))
            players[START] = player(fixed[-1], START)
        elif name != "optimal" or any(has_oracle(GameSpec.parse(quota.game).game.INFO.id) for quota in config.games):
            players[name] = load_player(name)
    parts = Parts(
        config=config,
        group=group,
        learner=learner,
        policy=player(rollouts, config.name),
        publish=lambda: rollouts.load(policy.state_dict()),
        offer=offer,
        players=players,
        opponent=build_opponent(config.opponent),
        estimator=estimator,
        state=state,
    )
    _calm_collector()
    return Built(parts, ModelFiles.of(model, style, sampling), warnings)


def _calm_collector() -> None:
    """Leave what was built out of the garbage collector, and let it look at matches less often: they have no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def _origin(run_dir: Path, config: TrainConfig) -> Source:
    """Where the run's first weights are: its own checkpoint 0, which does not change as what a spec names may."""
    first = checkpoints_dir(run_dir) / "step_0"
    if first.is_dir() and not verify(first):
        folder = first / MODEL
        return Source(folder, folder)
    return locate(PlayerSpec.parse(config.model).target)
