"""Training, the whole algorithm in one place.

    collect      play matches of the current policy against its opponent (itself, as a rule), many at once
    advantages   one number a trajectory: its return less the baseline of its game and role (RAE)
    update       clipped policy gradient on every token the policy drew, with a KL to the magnet
    publish      give the rollout engine the new weights
    evaluate     every so many steps, play the offered weights against fixed opponents
    checkpoint   everything the next step depends on

Every rank runs this loop on its share of the matches; ranks exchange returns (so that all keep the same
baselines), gradients and metrics. Nothing depends on timing: a run repeats bit for bit, across resumes too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch import Tensor

from arena.config.train import TrainConfig
from arena.core.errors import PlayerStopped
from arena.core.player import Player
from arena.core.registry import GameSpec
from arena.core.sanitise import one_line
from training.advantages import Estimator, Outcome
from training.checkpoint import TrainerState, diverged
from training.distributed import Ranks
from training.evaluation import Evaluation, evaluate
from training.former import FormerSelves, evaluates
from training.learner import Learner, Metrics, Turn
from training.metrics import MatchSummary, summarise
from training.opponents import Opponent, Result
from training.rollout import LiveView, Played, Rollout, collect, games_in_turn, plan, without_samples
from training.spending import Spending
from training.states import with_states

MOST_FORFEITS = 0.5
"""A run whose first step has fewer forfeits is expected to play on; one that begins with more may have to learn how."""

MOST_VOIDS = 0.5
"""A step with this share of void matches ends the run: what is left is skewed to matches that ended early."""


@dataclass(slots=True)
class StepReport:
    """What one step gives to the observer on rank 0."""

    step: int
    matches: list[MatchSummary]
    update: dict[str, float]
    seconds: dict[str, float]
    """Wall time per phase."""
    featured: list[Played]
    voids: int = 0
    """Matches left out because the opponent could not answer."""
    evaluation: Evaluation | None = None


@dataclass(slots=True)
class Share:
    """What one rank's matches of a step mean to all of them."""

    voids: list[str]
    outcomes: list[tuple[int, int, Outcome]]
    """(match, role, outcome) of every trajectory."""
    matches: list[MatchSummary]
    stop: str
    """Why the opponent cannot go on; empty where it can."""


@dataclass(slots=True)
class Parts:
    """What the loop works with; built once, see `training.setup`."""

    config: TrainConfig
    group: Ranks
    learner: Learner
    policy: Player
    """The current weights as a player, on the rollout engine."""
    publish: Callable[[], None]
    """Load the learner's weights into the rollout engine."""
    offered: Callable[[], Tensor]
    """The weights that the run offers (the magnet's, where there is one), as a flat vector."""
    offer: Callable[[], None]
    """Load the offered weights into the evaluation engine."""
    players: dict[str, Player]
    """`offered` and the evaluation's opponents by name, but for the former self."""
    former: FormerSelves
    opponent: Opponent
    estimator: Estimator
    state: TrainerState
    live: LiveView | None = None
    """Where some of the running step's matches are shown; on the first rank."""
    spending: Spending | None = None
    """Where players behind APIs take part."""
    clock: dict[str, float] = field(default_factory=dict)


def train(
    parts: Parts,
    events: asyncio.AbstractEventLoop,
    observe: Callable[[StepReport], None],
    save: Callable[[], None],
    should_stop: Callable[[], bool],
) -> bool:
    """Run to the configured number of steps; False where it was asked to stop before.

    `observe` and `save` are called on every rank and do their work on the first. Raises ArenaError after
    `max_bad_steps` consecutive steps whose loss or gradient was not finite, or whose matches were all forfeits
    though the first ones were not. Raises PlayerStopped, with all finished steps saved, where the opponent cannot
    go on; what was begun of its step is undone.
    """
    config, state, group = parts.config, parts.state, parts.group
    if not state.started:
        if group.from_first(should_stop()):
            return False
        events.run_until_complete(_start(parts, observe))
        state.started = True
        save()
    saved = state.step
    while state.step < config.steps:
        if group.from_first(should_stop()):
            if saved < state.step:
                save()
            return False
        began = time.perf_counter()
        try:
            report = _step(parts, events)
        except PlayerStopped as error:
            if saved < state.step:
                save()
            raise PlayerStopped(f"Training ends after step {state.step}: {one_line(str(error))}") from error
        state.step += 1
        state.seconds += time.perf_counter() - began
        parts.former.keep(state.step, parts.offered())
        if evaluates(config, state.step):
            report.evaluation = events.run_until_complete(_evaluate(parts))
            report.seconds["evaluate"] = parts.clock.pop("evaluate")
            state.seconds += report.seconds["evaluate"]
        observe(report)
        _refuse_to_go_on(parts)
        if state.step % config.checkpoint_every == 0 or state.step == config.steps:
            save()
            saved = state.step
    return True


def _step(parts: Parts, events: asyncio.AbstractEventLoop) -> StepReport:
    """One iteration: collect, advantages, update, publish.

    Raises PlayerStopped, on every rank, where the opponent cannot go on; the state is as it was before.
    """
    config, state, group = parts.config, parts.state, parts.group
    with _timed(parts, "collect"):
        parts.opponent.before_step(state.step)
        planned = plan(config.games, state.lengths, config.seed, state.matches)
        mine = planned[group.rank :: group.world]
        rollout = events.run_until_complete(collect(mine, parts.policy, parts.opponent, config.shaping, parts.live))
        shares = group.gather(_share(parts, rollout))
        if parts.spending is not None:
            parts.spending.exchange()
        voids = _voids(parts, shares, len(planned))
        state.matches += len(planned)
    with _timed(parts, "advantages"):
        turns, teaches = _turns(parts, rollout, shares)
        matches = sorted((match for share in shares for match in share.matches), key=lambda match: match.number)
        parts.opponent.observe([Result(match.number, match.policy_score) for match in matches if match.opponent])
        state.opponent = parts.opponent.state_dict()
        state.lengths |= _lengths(matches)
        forfeits = sum(match.forfeited for match in matches) / len(matches)
        state.first_forfeits = forfeits if state.step == 0 else state.first_forfeits
        state.lost_streak = state.lost_streak + 1 if forfeits == 1 else 0
    with _timed(parts, "learn"):
        metrics = _update(parts, turns, teaches)
    with _timed(parts, "publish"):
        parts.publish()
    seconds, parts.clock = parts.clock, {}
    update = metrics.means() if metrics.tokens else {}
    return StepReport(state.step + 1, matches, update, seconds, _featured(parts, rollout), voids)


def _refuse_to_go_on(parts: Parts) -> None:
    """Raise ArenaError after too many steps in a row that taught nothing but harm."""
    state, most = parts.state, parts.config.max_bad_steps
    if state.bad_streak >= most:
        raise diverged(state.step, f"the loss or the gradient was not finite for {state.bad_streak} steps")
    if state.lost_streak >= most and state.first_forfeits < MOST_FORFEITS:
        raise diverged(
            state.step,
            f"for {state.lost_streak} steps every match was a forfeit, at first {state.first_forfeits:.0%} were",
        )


def _share(parts: Parts, rollout: Rollout) -> Share:
    mine = rollout.trajectories
    needed = parts.estimator.needs_states
    outcomes = with_states(parts.learner.policy, mine) if needed else [trajectory.outcome for trajectory in mine]
    matches = []
    for match in rollout.played:
        values = {trajectory.role: trajectory.value for trajectory in match.trajectories}
        matches.append(summarise(match, (values.get(0, match.returns[0]), values.get(1, match.returns[1]))))
    keyed = [(item.match, item.role, outcome) for item, outcome in zip(mine, outcomes, strict=True)]
    return Share(rollout.voids, keyed, matches, rollout.stop)


def _turns(parts: Parts, rollout: Rollout, shares: Sequence[Share]) -> tuple[list[Turn], bool]:
    """This rank's trained turns with their advantages, and whether any rank's turn has one.

    Baselines see the matches of all ranks in match order.
    """
    ordered = sorted((item for share in shares for item in share.outcomes), key=lambda item: item[:2])
    advantages = parts.estimator.advantages([outcome for _, _, outcome in ordered])
    found = {item[:2]: values for item, values in zip(ordered, advantages, strict=True)}
    parts.state.estimator = parts.estimator.state_dict()
    quotas = {quota.game: quota for quota in parts.config.games}
    turns = [
        Turn(sample, advantage * quota.weight, quota.magnet * quota.weight, quota.anchor * quota.weight)
        for trajectory in rollout.trajectories
        for quota in (quotas[trajectory.game],)
        for sample, advantage in zip(trajectory.samples, found[trajectory.match, trajectory.role], strict=True)
    ]
    teaches = any(
        quotas[outcome.game].weight and any(values) for (_, _, outcome), values in zip(ordered, advantages, strict=True)
    )
    return turns, teaches


def _update(parts: Parts, turns: list[Turn], teaches: bool) -> Metrics:
    """Update on all ranks, or skip and count a batch in which no turn has an advantage."""
    config, state, group = parts.config, parts.state, parts.group
    if not teaches:
        state.empty_batches += 1
        return Metrics()
    metrics = parts.learner.update(turns, state.step, config.steps, config.seed, group)
    state.skipped_updates += round(metrics.skipped)
    state.bad_streak = state.bad_streak + 1 if metrics.skipped else 0
    if config.has_magnet:
        parts.learner.follow(config.magnet_decay)
    return metrics


def _voids(parts: Parts, shares: Sequence[Share], planned: int) -> int:
    """How many matches all ranks left out. Raises PlayerStopped where the opponent stopped, or with MOST_VOIDS."""
    for share in shares:
        if share.stop:
            raise PlayerStopped(share.stop)
    reasons = [reason for share in shares for reason in share.voids]
    if len(reasons) >= MOST_VOIDS * planned:
        name = "".join(player.name for player in parts.opponent.players)
        which = f"{len(reasons)} of {planned} matches of step {parts.state.step + 1}{name and f' against {name}'}"
        raise PlayerStopped(f"{which} were void: {reasons[0].removeprefix(f'{name}: ').rstrip('.')}.")
    return len(reasons)


def _lengths(matches: list[MatchSummary]) -> dict[str, float]:
    counts: dict[str, list[int]] = {}
    for match in matches:
        counts.setdefault(match.game, []).append(match.turns)
    return {game: sum(found) / len(found) for game, found in counts.items()}


def _featured(parts: Parts, rollout: Rollout) -> list[Played]:
    """A few whole matches of the first rank for the live view, games in turn."""
    if parts.group.rank or not parts.config.featured:
        return []
    return [without_samples(match) for match in games_in_turn(rollout.played)[: parts.config.featured]]


async def _start(parts: Parts, observe: Callable[[StepReport], None]) -> None:
    """Before the first step: how long matches are in each game, and how good the start is."""
    for quota in parts.config.games:
        length = _random_length(GameSpec.parse(quota.game))
        parts.state.lengths[quota.game] = length * parts.opponent.trained_seats / 2
    parts.former.keep(0, parts.offered())
    evaluation = await _evaluate(parts) if parts.config.evaluation.every else None
    seconds = {"evaluate": parts.clock.pop("evaluate", 0.0)}
    observe(StepReport(0, [], {}, seconds, [], evaluation=evaluation))


def _random_length(game: GameSpec, matches: int = 64) -> float:
    """Mean turns of a match between random players, to size the first step."""
    from arena.core.game import Illegal
    from arena.core.keys import draw

    total = 0
    for key in range(matches):
        state, rng = game.new(key), draw(key, "length")
        while state.to_act is not None:
            action = state.parse(state.sample(rng))
            if isinstance(action, Illegal):
                break
            state = state.apply(action)
            total += 1
    return total / matches


async def _evaluate(parts: Parts) -> Evaluation:
    config = parts.config
    with _timed(parts, "evaluate"):
        parts.offer()
        players = {**parts.players, **parts.former.players(parts.state.step)}
        games = [GameSpec.parse(quota.game) for quota in config.games]
        found = await evaluate(config.evaluation, games, players, parts.state.step, config.seed, parts.group)
        if parts.spending is not None:
            parts.spending.exchange()
        return found


@contextmanager
def _timed(parts: Parts, phase: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    parts.clock[phase] = parts.clock.get(phase, 0.0) + time.perf_counter() - began
