"""Build what the training loop works with from a run directory: weights, engines, players, state."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from arena.config.train import TrainConfig
from arena.core.engine import Sampling
from arena.core.player import Player
from arena.core.registry import GameSpec, PlayerSpec, load_player
from arena.engines.devices import device_of
from arena.engines.loading import ModelFolder, open_model
from arena.engines.text import TextCodec
from arena.engines.torch_engine import TorchEngine
from arena.players.checkpoint import PolicyPlayer, Source, source_of, style_of
from arena.players.optimal import has_oracle
from arena.runs.checkpoints import MODEL, list_checkpoints, resolve, verify
from arena.runs.paths import checkpoints_dir
from training.advantages import build as build_estimator
from training.checkpoint import ModelFiles, TrainerState, load_policy, read_kept, restore, unfit
from training.distributed import Ranks
from training.evaluation import OFFERED, START
from training.former import SELF, FormerSelves
from training.learner import Learner
from training.loop import Parts
from training.opponents import Context, Frozen
from training.opponents import build as build_opponent
from training.policy import Policy


class Built(NamedTuple):
    parts: Parts
    files: ModelFiles
    warnings: tuple[str, ...]
    """What was wrong with newer checkpoints, where an older one is used."""


def build(run_dir: Path, config: TrainConfig, group: Ranks) -> Built:
    """Everything the loop needs, as it was at the newest good checkpoint where there is one.

    Raises UsageError or ArenaError where the model or a player cannot be loaded.
    """
    source = origin(run_dir, config.model)
    model = open_model(source.model)
    spec = PlayerSpec.parse(config.model)
    policy = load_policy(model, source.weights, device_for(spec, group.rank))
    learner = Learner(
        policy,
        config.optimiser,
        config.sampling.max_tokens,
        config.sampling.temperature,
        magnet=config.has_magnet,
        anchor=any(quota.anchor > 0 for quota in config.games),
    )
    sampling = Sampling(temperature=config.sampling.temperature, max_tokens=config.sampling.max_tokens)
    maker = Maker(model, policy, sampling, style_of(model, spec.options))
    state, kept, warnings = TrainerState(ranks=group.world), dict[str, Tensor](), source.warnings
    if checkpoints_dir(run_dir).is_dir() and list_checkpoints(run_dir):
        found = resolve(run_dir)
        state, kept = restore(found.folder, learner, config.has_magnet, group.world), read_kept(found.folder)
        warnings = (*warnings, *found.warnings)
    estimator = build_estimator(config.advantage)
    if state.estimator:
        estimator.load_state_dict(state.estimator)

    context = Context(config.seed, policy.flat.clone, maker.frozen, load_player, forget)
    opponent = build_opponent(config.opponent, context)
    former = FormerSelves(config, maker.frozen)
    former.load(kept)
    try:
        opponent.load_state_dict(state.opponent, kept)
    except (KeyError, TypeError, ValueError) as error:
        raise unfit(checkpoints_dir(run_dir), error) from error
    rollouts, offered = maker.frozen(), maker.frozen()
    rollouts.load(policy.flat, config.name)
    games = [quota.game for quota in config.games]
    fixed = fixed_players(config.evaluation.opponents, games, lambda: maker.player(START))
    players = {OFFERED: offered.player, **fixed}

    def offered_weights() -> Tensor:
        return learner.magnet if config.has_magnet else policy.flat

    def offer() -> None:
        offered.load(offered_weights(), OFFERED)
        for player in players.values():
            # An evaluation does not depend on those before it.
            forget(player)

    parts = Parts(
        config=config,
        group=group,
        learner=learner,
        policy=rollouts.player,
        publish=lambda: rollouts.load(policy.flat, config.name),
        offered=offered_weights,
        offer=offer,
        players=players,
        former=former,
        opponent=opponent,
        estimator=estimator,
        state=state,
    )
    _calm_collector()
    return Built(parts, ModelFiles.of(model, maker.style, sampling), warnings)


class Maker:
    """Makes players of the policy's model as it was at the start, each on an engine of its own."""

    def __init__(self, model: ModelFolder, policy: Policy, sampling: Sampling, style: str) -> None:
        self.style = style
        self._model, self._policy, self._sampling = model, policy, sampling
        self.codec = TextCodec(model)
        self._start = {name: weight.cpu() for name, weight in policy.state_dict().items()}

    def player(self, name: str) -> PolicyPlayer:
        engine = TorchEngine(self._model, weights=self._start, device=str(self._policy.device))
        return PolicyPlayer(engine, self.codec, self.style, self._sampling, name)

    def frozen(self) -> Frozen:
        player = self.player("")

        def load(flat: Tensor, name: str) -> None:
            player.engine.load(self._policy.state_dict(flat, self._policy.compute))
            player.name = name

        return Frozen(player, load)


def fixed_players(opponents: Sequence[str], games: Sequence[str], start: Callable[[], Player]) -> dict[str, Player]:
    """An evaluation's opponents that never change, by name; the optimal player only where a game has an oracle."""
    players: dict[str, Player] = {}
    for name in opponents:
        if name == START:
            players[START] = start()
        elif name == SELF:
            continue
        elif name != "optimal" or any(has_oracle(GameSpec.parse(game).game.INFO.id) for game in games):
            players[name] = load_player(name)
    return players


def forget(player: Player) -> None:
    """Make a model forget the prompts it has seen: what it draws then does not depend on them, to the last bit."""
    engine = getattr(player, "engine", None)
    if isinstance(engine, TorchEngine):
        engine.forget()


def _calm_collector() -> None:
    """Leave what was built out of the garbage collector, and let it look at matches less often: they have no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def origin(run_dir: Path, model: str) -> Source:
    """Where the run's first weights are: its own checkpoint 0, which does not change as what a spec names may."""
    first = checkpoints_dir(run_dir) / "step_0"
    if first.is_dir() and not verify(first):
        folder = first / MODEL
        return Source(folder, folder)
    return source_of(PlayerSpec.parse(model))


def device_for(model: PlayerSpec, rank: int) -> torch.device:
    """Where a rank trains: as the spec's option `device` says; ranks share the GPUs in turn. Raises UsageError."""
    device = device_of(str(model.options.get("device", "auto")))
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", rank % torch.cuda.device_count())
    return device
