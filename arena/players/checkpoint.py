"""Players that are language models of ours: the bundled one, a run's checkpoint, or any local model folder.

    ckpt:tiny                     the bundled model
    ckpt:RUN_OR_PATH[@STEP]       a run's newest good checkpoint, or the one of a step; or a model folder

Options: temperature, top_p, top_k, min_p, max_tokens, style (a file of arena/prompts), whose defaults stand in the
model's spiral_arena.json; device (auto, cpu, cuda) and dtype (auto, bf16, fp16, fp32). All players of one weights file
in a process share one engine.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from arena.core.answer import split_reply
from arena.core.engine import Engine, Sampling
from arena.core.errors import ArenaError, UsageError
from arena.core.player import PlayerInfo, Reply, Sample, Usage, View
from arena.core.registry import PlayerSpec, load_part, player_module
from arena.core.sanitise import one_line
from arena.prompts import Style

if TYPE_CHECKING:
    from arena.engines.loading import ModelFolder
    from arena.engines.text import TextCodec

_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "max_tokens")
OPTIONS = (*_SAMPLING, "style", "device", "dtype")
INFO = PlayerInfo(
    id="ckpt",
    title="A language model: the bundled one, or a run's checkpoint",
    syntax="ckpt:RUN_OR_PATH[@STEP]",
    options=OPTIONS,
)
BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "models"
_STRANGERS = Sampling(max_tokens=1024)
"""For models that bring no spiral_arena.json: room to reason."""

SHOW_SECONDS = 0.1
"""Shortest time between two looks at a growing reply."""
_SHOW_SHARE = 0.01
"""Most of the time that making its text may take."""

_split = lru_cache(1 << 14)(split_reply)


class PolicyPlayer:
    """A model behind an engine: builds the prompt, draws the reply, takes it apart.

    The draw of a turn depends on the weights, the prompt, the sampling and the view's key, seat, turn and attempt.
    """

    sees_state = False

    def __init__(self, engine: Engine, codec: TextCodec, style: str, sampling: Sampling, name: str) -> None:
        self.engine, self.codec, self.sampling, self.name = engine, codec, sampling, name
        self._style = cast(Style, load_part("arena.prompts", "prompt style", style))
        self._ids = lru_cache(1 << 14)(self._encode)

    def prompt_ids(self, view: View) -> tuple[int, ...]:
        """The ids that the model reads for this view."""
        return self._ids(view.rules, view.observation, view.illegal)

    def conversation_ids(self, messages: Sequence[Mapping[str, str]]) -> tuple[int, ...]:
        """The ids that the model reads in a conversation (role and content) that another program keeps.

        Raises ArenaError where the model's chat template refuses it.
        """
        said = [{"role": one["role"], "content": self.codec.neutral(one["content"])} for one in messages]
        return self.codec.encode(self._style.converse(said, self.codec))

    def _encode(self, *texts: str) -> tuple[int, ...]:
        rules, observation, illegal = map(self.codec.neutral, texts)
        return self.codec.encode(self._style.build(rules, observation, self.codec, illegal))

    async def act(self, view: View) -> Reply:
        begin = time.perf_counter()
        prompt = self.prompt_ids(view)
        key = f"{view.key}/player{view.seat}/{view.turn}/{view.attempt}"
        done = await self.engine.generate(prompt, self.sampling, key, self._watcher(view))
        text = self.codec.decode(done.token_ids)
        parts = _split(text)
        return Reply(
            text=text,
            thought=parts.thought,
            answer=parts.answer,
            finish_reason=done.finish_reason,
            usage=Usage(len(prompt), len(done.token_ids)),
            seconds=time.perf_counter() - begin,
            sample=Sample(prompt, done.token_ids, done.logprobs, done.version),
        )

    def _watcher(self, view: View) -> Any:
        """Shows the text so far now and then: each look decodes all of it."""
        show, due = view.partial, 0.0
        if show is None:
            return None

        def on_token(ids: Sequence[int]) -> None:
            nonlocal due
            begin = time.perf_counter()
            if begin >= due:
                show(self.codec.partial(ids))
                end = time.perf_counter()
                due = end + max(SHOW_SECONDS, (end - begin) / _SHOW_SHARE)

        return on_token

    async def close(self) -> None:
        return None


class Source(NamedTuple):
    """Where a spec's model and weights are."""

    model: Path
    weights: Path
    warnings: tuple[str, ...] = ()


def locate(target: str) -> Source:
    """Find what stands after `ckpt:`. Raises UnknownName for no such model or run, ArenaError for a damaged one."""
    from arena.runs.checkpoints import offered_weights, resolve

    if not target:
        raise UsageError("The player ckpt needs a model.", f"Write {INFO.syntax}, or ckpt:tiny.")
    bundled = BUNDLED / target
    for folder in (bundled, Path(target)):
        # A run directory has a config.json too, which is not a model's.
        if (folder / "config.json").is_file() and not (folder / "run.json").is_file():
            return Source(folder, folder)
    if target == "tiny":
        raise ArenaError(f"The bundled model is not in {BUNDLED}.", "Make it: spiral-arena warmstart")
    run, at, step = target.rpartition("@")
    if not at or not (step.isdecimal() or step == "latest"):
        run, step = target, "latest"
    folder = Path(run)
    try:
        found = resolve(run, None if step == "latest" else int(step))
    except UsageError:
        if folder.is_dir() and step == "latest":
            raise ArenaError(f"{one_line(run)} is not a model folder (no config.json) and not a run.") from None
        raise
    offered = offered_weights(found.folder)
    return Source(offered.model, offered.weights, found.warnings)


def sampling_of(settings: Mapping[str, Any], options: Mapping[str, Any]) -> Sampling:
    """The model's own sampling with a spec's options put over it. Raises UsageError for a value out of range."""
    own = settings.get("sampling", {}) if settings else None
    base = _STRANGERS if own is None else Sampling()
    chosen = {**(own or {}), **{name: value for name, value in options.items() if name in _SAMPLING}}
    for name, value in chosen.items():
        whole = name in ("top_k", "max_tokens")
        if name not in _SAMPLING or isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise UsageError(f"The sampling option {one_line(name)} cannot be {one_line(repr(value))}.")
    sampling = replace(base, **chosen)
    fine = sampling.temperature >= 0 and 0 < sampling.top_p <= 1 and 0 <= sampling.min_p <= 1
    if not (fine and sampling.top_k >= 0 and sampling.max_tokens >= 1):
        raise UsageError(
            "A sampling option is out of range.",
            "temperature ≥ 0, 0 < top_p ≤ 1, 0 ≤ min_p ≤ 1, top_k ≥ 0, max_tokens ≥ 1.",
        )
    return sampling


def style_of(folder: ModelFolder, options: Mapping[str, Any]) -> str:
    """The prompt style a model wants: asked for, its own, `chat` where it has a template, else `base`."""
    asked = options.get("style") or folder.settings.get("style")
    return str(asked or ("chat" if folder.chat_template else "base"))


def source_of(spec: PlayerSpec) -> Source:
    """Where a `ckpt:` or `hf:` spec's model is. Raises UsageError for another backend."""
    find = getattr(player_module(spec.backend), "locate", None)
    if find is None:
        raise UsageError(f"{one_line(spec.name)} is not a model.", "Write ckpt:… or hf:….")
    return cast(Source, find(spec.target))


_engines: dict[tuple[Path, Path, str, str], tuple[Engine, TextCodec]] = {}


def _engine(folder: ModelFolder, weights: Path, device: str, dtype: str) -> tuple[Engine, TextCodec]:
    from arena.engines.text import TextCodec
    from arena.engines.torch_engine import TorchEngine

    key = (folder.path.resolve(), weights.resolve(), device, dtype)
    if key not in _engines:
        codec = TextCodec(folder)
        _engines[key] = (TorchEngine(folder, weights=weights, device=device, dtype=dtype), codec)
    return _engines[key]


def load(spec: PlayerSpec) -> PolicyPlayer:
    """Build the player. Raises UnknownName, UsageError, or ArenaError for a model that is refused."""
    from arena.engines.loading import open_model

    source = source_of(spec)
    for warning in source.warnings:
        print(one_line(warning), file=sys.stderr)
    folder = open_model(source.model)
    sampling, style = sampling_of(folder.settings, spec.options), style_of(folder, spec.options)
    load_part("arena.prompts", "prompt style", style)
    device, dtype = (str(spec.options.get(name, "auto")) for name in ("device", "dtype"))
    engine, codec = _engine(folder, source.weights, device, dtype)
    return PolicyPlayer(engine, codec, style, sampling, spec.name)
