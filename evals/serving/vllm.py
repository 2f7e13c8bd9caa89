"""vLLM's server in place of ours, where it is installed: made for large models on GPUs.

It knows no player. So the model is put into a folder of its own, by links: with the player's sampling as the default,
the weights that a checkpoint offers, and a chat template that breaks control tokens up in what is said, and then
writes what the player's prompt style writes. Thoughts stay in the content, between their tags.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from arena.core.engine import Sampling
from arena.core.errors import ArenaError, UsageError
from arena.core.registry import PlayerSpec
from arena.engines.loading import ModelFolder, open_model, read_json
from arena.engines.text import TextCodec
from arena.players.checkpoint import Source, sampling_of, source_of, style_of
from evals.serving.listen import Place

_LOOK_SECONDS, _END_SECONDS = 0.5, 30.0
_WEIGHTS = ("*.safetensors", "*.safetensors.index.json")

_NEUTRAL = """\
{%- set safe = namespace(messages=[]) -%}
{%- for message in messages -%}
{%- set said = namespace(text=message.content if message.content is string else '') -%}
{%- for token in CONTROLS -%}
{%- set said.text = said.text | replace(token, token[0] ~ ' ' ~ token[1:]) -%}
{%- endfor -%}
{%- set safe.messages = safe.messages + [dict(message, content=said.text)] -%}
{%- endfor -%}
{%- set messages = safe.messages -%}
"""
_LINE_ENDED = "{{ text }}{% if not text.endswith('\\n') %}{{ '\\n' }}{% endif %}"
_PLAIN = {
    "compact": "{% set users = messages | selectattr('role', 'equalto', 'user') | list %}"
    "{% set text = ((users or messages) | last).content %}" + _LINE_ENDED,
    "base": "{% set text = messages | map(attribute='content') | join('\\n\\n') %}" + _LINE_ENDED,
}
"""What `converse` of a style does that has no use for a chat template."""


def run_vllm(
    spec: PlayerSpec, name: str, place: Place, key: str | None, more: Sequence[str], announce: Callable[[], None]
) -> None:
    """Serve until a signal, with `more` options of vLLM's own.

    Raises UsageError for a style that vLLM cannot follow, ArenaError where it fails.
    """
    source = source_of(spec)
    folder = open_model(source.model)
    style, sampling = style_of(folder, spec.options), sampling_of(folder.settings, spec.options)
    with tempfile.TemporaryDirectory(prefix="spiral-arena-vllm-") as made:
        prepare(folder, source, style, sampling, Path(made))
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", made]
        command += ["--served-model-name", name, "--host", place.address, "--port", str(place.port)]
        command += [
            "--allowed-origins",
            "[]",
            "--chat-template-content-format",
            "string",
            "--dtype",
            _dtype(spec),
            *more,
        ]
        environment = {"VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "WARNING", "HF_HUB_OFFLINE": "1"} | os.environ
        if key is not None:
            environment["VLLM_API_KEY"] = key
        _attend(command, environment, f"{place.url}/health", announce)


def _dtype(spec: PlayerSpec) -> str:
    """The precision that an engine of ours would take, by vLLM's name. Raises UsageError."""
    from arena.engines.devices import device_of, dtype_of

    device, dtype = (str(spec.options.get(name, "auto")) for name in ("device", "dtype"))
    return str(dtype_of(dtype, device_of(device))).removeprefix("torch.")


def prepare(folder: ModelFolder, source: Source, style: str, sampling: Sampling, into: Path) -> None:
    """Fill the folder that vLLM reads. Raises UsageError for a style that it cannot follow."""
    template = chat_template(style, folder)
    weights = {path for pattern in _WEIGHTS for path in folder.path.glob(pattern)}
    for path in folder.path.iterdir():
        if path.is_file() and (source.weights.is_dir() or path not in weights):
            (into / path.name).symlink_to(path.resolve())
    if source.weights.is_file():
        (into / "model.safetensors").symlink_to(source.weights.resolve())
    named = read_json(folder.path / "tokenizer_config.json")
    named.pop("chat_template", None)
    _write(into / "tokenizer_config.json", json.dumps(named))
    _write(into / "chat_template.jinja", template)
    _write(into / "generation_config.json", json.dumps(_generation(folder, sampling)))


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")


def _generation(folder: ModelFolder, sampling: Sampling) -> dict[str, Any]:
    ends = {"eos_token_id": list(folder.eos)} if folder.eos else {}
    return ends | {
        "do_sample": sampling.temperature > 0,
        "temperature": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "max_new_tokens": sampling.max_tokens,
    }


def chat_template(style: str, folder: ModelFolder) -> str:
    """A Jinja template that does what `PolicyPlayer.conversation_ids` does with the style."""
    codec = TextCodec(folder)
    neutral = _NEUTRAL.replace("CONTROLS", json.dumps(codec.controls)).replace("\n", "")
    if style in _PLAIN:
        begin = codec.encode("")
        return neutral + ("{{ bos_token }}" if begin else "") + _PLAIN[style]
    if folder.chat_template is None or style not in ("chat", "spiral"):
        raise UsageError(f"vLLM cannot serve {folder.path} in the style {style}.", "Use --engine torch.")
    return neutral + folder.chat_template


def _attend(command: list[str], environment: Mapping[str, str], health: str, announce: Callable[[], None]) -> None:
    """Run the server to a signal's end, announced once it answers. Raises ArenaError where it ends by itself."""
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    # In a session of its own, so that Ctrl-C reaches it once, as a request to end. Stdout is for data.
    server = subprocess.Popen(command, env=environment, stdout=sys.stderr, start_new_session=True)
    announced = False
    try:
        while not stopped:
            if server.poll() is not None:
                raise ArenaError(f"vLLM's server ended with code {server.returncode}.", "Its own lines above say why.")
            if not announced and _answers(health):
                announced = True
                announce()
            time.sleep(_LOOK_SECONDS)
    finally:
        _end(server)


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _end(server: subprocess.Popen[bytes]) -> None:
    """Have the server end, and all the processes that it started."""
    with suppress(ProcessLookupError):
        server.terminate()
    with suppress(subprocess.TimeoutExpired):
        server.wait(_END_SECONDS)
    with suppress(ProcessLookupError, PermissionError):
        for _ in range(10):
            os.killpg(server.pid, 0)  # raises once nobody is left
            time.sleep(_LOOK_SECONDS)
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
