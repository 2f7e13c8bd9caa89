"""Supervised training of a model on the transcripts of strong players: the baseline that self-play is held against.

    transcripts   teachers play each other, or the matches of a stored run are copied (`training.lessons`)
    learn         Adam on the reply tokens of the turns that are kept, epoch after epoch
    evaluate      every so many steps, as in self-play training
    checkpoint    the same form as self-play's, so `ckpt:RUN` plays it

Every rank runs this on its share of the rows. Nothing depends on timing: a run repeats bit for bit, across resumes too;
one whose teachers are behind APIs does so from its transcripts on.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from arena.config.sft import SftConfig
from arena.config.train import NoBaselineConfig
from arena.core.engine import Sampling
from arena.core.errors import ArenaError
from arena.core.keys import derive_key, draw
from arena.core.player import Player
from arena.core.registry import GameSpec, PlayerSpec
from arena.core.sanitise import one_line
from arena.engines.loading import open_model
from arena.players.checkpoint import PolicyPlayer, style_of
from arena.runs.checkpoints import list_checkpoints, resolve
from arena.runs.job import Job
from arena.runs.paths import checkpoints_dir
from evals.progress import LINE_SECONDS
from training import adam, checkpoint
from training.advantages import build as build_estimator
from training.batches import by_length
from training.checkpoint import ModelFiles, TrainerState
from training.distributed import Ranks
from training.evaluation import OFFERED, START, Evaluation, evaluate
from training.former import evaluates
from training.lessons import (
    Lessons,
    Play,
    Student,
    copy_transcripts,
    keeper,
    minibatch,
    play_teachers,
    read_lessons,
    stored_units,
)
from training.loop import StepReport
from training.report import Absences, Live, Recorder
from training.setup import Maker, device_for, fixed_players, forget, origin
from training.spending import at_play
from training.supervised import GROUP, Trainer


@dataclass(slots=True)
class Parts:
    """What the job works with."""

    config: SftConfig
    group: Ranks
    trainer: Trainer
    student: Student
    start: PolicyPlayer
    state: TrainerState
    files: ModelFiles
    warnings: tuple[str, ...]


def build(run_dir: Path, config: SftConfig, group: Ranks) -> Parts:
    """Everything as it was at the newest good checkpoint where there is one.

    Raises UsageError or ArenaError where the model cannot be loaded.
    """
    source = origin(run_dir, config.model)
    model = open_model(source.model)
    if not model.eos:
        raise ArenaError(f"{one_line(config.model)} names no token that ends a reply.", "Its config.json needs one.")
    spec = PlayerSpec.parse(config.model)
    policy = checkpoint.load_policy(model, source.weights, device_for(spec, group.rank))
    own = config.optimiser
    rate = partial(adam.rate, own, steps=config.steps)
    trainer = Trainer(policy, rate, (own.beta1, own.beta2), own.clip_norm)
    sampling = Sampling(temperature=config.sampling.temperature, max_tokens=config.sampling.max_tokens)
    maker = Maker(model, policy, sampling, style_of(model, spec.options))
    state, warnings = TrainerState(ranks=group.world), source.warnings
    if checkpoints_dir(run_dir).is_dir() and list_checkpoints(run_dir):
        found = resolve(run_dir)
        state = checkpoint.restore(found.folder, trainer, False, group.world)
        warnings = (*warnings, *found.warnings)
    longest = int(model.config.get("max_position_embeddings") or sys.maxsize)
    return Parts(
        config=config,
        group=group,
        trainer=trainer,
        student=Student(maker.player(OFFERED), maker.codec, model.eos[0], sampling.max_tokens, longest),
        start=maker.player(START),
        state=state,
        files=ModelFiles.of(model, maker.style, sampling),
        warnings=warnings,
    )


def teach(run_dir: Path, config: SftConfig, group: Ranks, job: Job | None, stack: ExitStack) -> bool:
    """Do the run on this rank; False where it was asked to stop before its end. Rank 0 alone has a `job`."""
    parts = build(run_dir, config, group)
    events = stack.enter_context(asyncio.Runner()).get_loop()
    if job is not None:
        _begin(job, parts)
    if not _transcripts(parts, Play(run_dir, group, events, job, _teller(job is not None))):
        return False
    lessons = read_lessons(run_dir, keeper(config), parts.student)
    fixed = fixed_players(config.evaluation.opponents, lessons.games, lambda: parts.start)
    players: dict[str, Player] = {OFFERED: parts.student.player, **fixed}
    store = job.store if job is not None else None
    spending = stack.enter_context(at_play(run_dir, players.values(), config, group, events, store))

    def measure() -> Evaluation:
        parts.student.player.engine.load(parts.trainer.policy.state_dict())
        for player in players.values():
            forget(player)
        games = [GameSpec.parse(name) for name in lessons.games]
        found = events.run_until_complete(
            evaluate(config.evaluation, games, players, parts.state.step, config.seed, group)
        )
        if spending is not None:
            spending.exchange()
        return found

    if job is None:
        return _train(parts, lessons, measure, lambda _: None, lambda: None, lambda: False)
    observe, save = _keepers(job, parts, lessons, stack)
    return _train(parts, lessons, measure, observe, save, job.should_stop)


def _begin(job: Job, parts: Parts) -> None:
    """Drop what a resume does again, and say what was wrong with checkpoints."""
    job.store.drop_after(parts.state.step if parts.state.started else -1)
    if not parts.state.started:
        job.store.add_event("started", f"pid {os.getpid()}")
    for warning in parts.warnings:
        _warn(job, warning, parts.state.step)
    job.say(f"Run {job.run_dir}; Ctrl-C finishes the step and saves.")


def _warn(job: Job, text: str, step: int) -> None:
    job.say(f"warning: {text}")
    job.store.add_event("warning", one_line(text, 500), step)


def _transcripts(parts: Parts, how: Play) -> bool:
    """See that the run holds its transcripts; False where it was asked to stop before they were all played."""
    config, finished = parts.config, True
    if config.transcripts is None:
        finished = play_teachers(config, how)
    elif how.job is not None and not stored_units(how.run_dir):
        copy_transcripts(config.transcripts, how.job.store)
    # The others are to read what the first stores: they wait until it has.
    return how.group.from_first(finished)


def _teller(first: bool) -> Callable[[int, int], None]:
    told = time.monotonic()

    def tell(done: int, planned: int) -> None:
        nonlocal told
        if first and time.monotonic() - told >= LINE_SECONDS:
            told = time.monotonic()
            print(f"transcripts {done}/{planned} matches", file=sys.stderr, flush=True)

    return tell


def _keepers(
    job: Job, parts: Parts, lessons: Lessons, stack: ExitStack
) -> tuple[Callable[[StepReport], None], Callable[[], None]]:
    """On rank 0: what stores and shows a step, and what saves a checkpoint."""
    config, state = parts.config, parts.state
    if lessons.left_out:
        count = f"{lessons.left_out} of {lessons.left_out + len(lessons.rows)}"
        _warn(job, f"{count} turns are longer than the model may write or read, and are left out.", state.step)
    job.say(f"{len(lessons.rows)} turns to learn from")
    # There are no baselines here.
    recorder = Recorder(job.store, build_estimator(NoBaselineConfig()), config.name)
    live = stack.enter_context(Live(config, state.step))
    absences = Absences(job)

    def observe(report: StepReport) -> None:
        epochs = report.step * config.optimiser.minibatch / len(lessons.rows)
        recorder.record(report, {"learning_rate": parts.trainer.rate(max(report.step - 1, 0)), "epochs": epochs})
        live.show(report)
        absences.tell(report)

    def save() -> None:
        with recorder.saving(state.step):
            checkpoint.save(job.run_dir, parts.trainer, parts.files, state, False, config.keep_checkpoints, {})

    return observe, save


def _train(
    parts: Parts,
    lessons: Lessons,
    measure: Callable[[], Evaluation],
    observe: Callable[[StepReport], None],
    save: Callable[[], None],
    should_stop: Callable[[], bool],
) -> bool:
    """The steps that are left. Raises ArenaError where the loss is not finite."""
    config, state, group = parts.config, parts.state, parts.group
    saved = state.step

    def report(update: dict[str, float], seconds: dict[str, float], due: bool) -> None:
        began = time.perf_counter()
        evaluation = measure() if due else None
        seconds["evaluate"] = time.perf_counter() - began
        state.seconds += sum(seconds.values())
        observe(StepReport(state.step, [], update, seconds, [], evaluation=evaluation))

    if not state.started:
        if group.from_first(should_stop()):
            return False
        report({}, {}, bool(config.evaluation.every))
        state.started = True
        save()
    while state.step < config.steps:
        if group.from_first(should_stop()):
            if saved < state.step:
                save()
            return False
        began = time.perf_counter()
        update = _step(parts, lessons)
        state.step += 1
        report(update, {"learn": time.perf_counter() - began}, evaluates(config, state.step))
        if state.step % config.checkpoint_every == 0 or state.step == config.steps:
            save()
            saved = state.step
    return True


def _step(parts: Parts, lessons: Lessons) -> dict[str, float]:
    """One Adam step on this rank's share of the minibatch."""
    config, group, rows = parts.config, parts.group, lessons.rows
    step = parts.state.step
    chosen = minibatch(len(rows), config.optimiser.minibatch, lambda epoch: _order(len(rows), config.seed, epoch), step)
    mine = [rows[index] for index in chosen[group.rank :: group.world]]
    groups = by_length([len(prompt) + len(reply) for prompt, reply in mine], GROUP)
    loss = parts.trainer.train([[mine[index] for index in members] for members in groups], step, group)
    if not math.isfinite(loss):
        raise checkpoint.diverged(step + 1, "the loss is not finite")
    return {"loss": loss, "trained_turns": float(len(chosen))}


@lru_cache(maxsize=2)
def _order(rows: int, seed: int, epoch: int) -> tuple[int, ...]:
    """All rows in the order of an epoch."""
    indices = list(range(rows))
    rng: random.Random = draw(derive_key("epochs", seed), "epoch", epoch)
    rng.shuffle(indices)
    return tuple(indices)
