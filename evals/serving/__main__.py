"""`python -m evals.serving PLAYER`: serve a model of ours until Ctrl-C, on this machine alone unless told otherwise."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shlex
import socket
import sys
from collections.abc import Callable, Sequence

from arena.core.errors import MissingExtra, UsageError
from arena.core.program import run_program
from arena.core.registry import PlayerSpec
from arena.core.sanitise import one_line
from arena.engines.loading import open_model
from arena.engines.shape import Shape
from arena.players.checkpoint import load, source_of, style_of
from evals.serving.listen import listen, place_of

ENGINES = ("auto", "torch", "vllm")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def main(argv: Sequence[str] | None = None) -> int:
    """Serve; returns the exit code: 0 stopped by a signal, 1 failed, 2 wrong usage."""
    args = _arguments().parse_args(argv)
    return run_program(lambda: _main(args))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals.serving", description="Serve a model as a chat endpoint.")
    parser.add_argument("player", help="a model: ckpt:… or hf:…")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--name", help="the name of the model in requests")
    parser.add_argument("--api-key-env", metavar="VARIABLE", help="environment variable with the key to ask for")
    parser.add_argument("--engine", default="auto", help="torch, vllm, or auto: vllm where it and a GPU are there")
    parser.add_argument("--vllm-args", default="", help="options of vLLM's own, in one text")
    parser.add_argument("--json", action="store_true", help="print where it is as JSON")
    return parser


def _main(args: argparse.Namespace) -> int:
    spec = PlayerSpec.parse(args.player)
    folder = open_model(source_of(spec).model)
    name = _named(spec) if args.name is None else _checked(args.name)
    key = _key(args.api_key_env)
    engine, more = _engine(args.engine, spec), shlex.split(args.vllm_args)
    if more and engine != "vllm":
        raise UsageError("--vllm-args are for the engine vllm alone.")
    with listen(args.host, args.port) as listener:
        place = place_of(listener)
        if not place.local:
            who = "everybody who reaches it" if key is None else "whoever has the key"
            print(f"warning: {place.url} is open to other machines: {who} can use it", file=sys.stderr, flush=True)

        def announce() -> None:
            played = f"openai:{name}@{place.url}/v1?style={style_of(folder, spec.options)}"
            _announce(args, name, f"{place.url}/v1", played)

        if engine == "vllm":
            from evals.serving.vllm import run_vllm

            listener.close()
            run_vllm(spec, name, place, key, more, announce)
        else:
            _serve(spec, name, listener, key, announce)
    return 0


def _engine(asked: str, spec: PlayerSpec) -> str:
    """Which server it is. Raises UsageError for one that there is not, or that is not installed."""
    if asked not in ENGINES:
        raise UsageError(f"There is no engine {one_line(asked)}.", f"It is {', '.join(ENGINES)}.")
    there = importlib.util.find_spec("vllm") is not None
    if asked == "auto":
        from arena.engines.devices import device_of

        asked = "vllm" if there and device_of(str(spec.options.get("device", "auto"))).type == "cuda" else "torch"
    if asked == "vllm" and not there:
        raise MissingExtra("The engine vllm", "vllm")
    if asked == "torch" and None in map(importlib.util.find_spec, ("starlette", "uvicorn")):
        raise MissingExtra("serve", "serve")
    return asked


def _serve(spec: PlayerSpec, name: str, listener: socket.socket, key: str | None, announce: Callable[[], None]) -> None:
    """Serve with an engine of ours, until a signal."""
    from evals.serving.app import Service, run

    place, folder = place_of(listener), open_model(source_of(spec).model)
    service = Service(
        player=load(spec),
        model=name,
        positions=Shape.from_config(folder.config).max_positions,
        hosts=_LOOPBACK | {place.address} if place.local else frozenset(),
        key=key,
    )
    service.player.conversation_ids([{"role": "user", "content": "."}])  # a template that fails, fails now
    run(service, listener, announce)
    print(f"stopped after {service.answered} replies", file=sys.stderr)


def _named(spec: PlayerSpec) -> str:
    """The model's name in requests: the last part of its target, as far as names may have it."""
    last = spec.target.rstrip("/").rpartition("/")[2]
    return re.sub(r"[^\w.-]+", "-", last, flags=re.ASCII).strip("-") or "model"


def _checked(name: str) -> str:
    if not re.fullmatch(r"[\w./-]{1,100}", name, flags=re.ASCII):
        raise UsageError(
            f"The model cannot be named {one_line(name)}.", "Letters, digits, and the signs . _ - / alone."
        )
    return name


def _key(variable: str | None) -> str | None:
    """The key that requests must show. Raises UsageError where the variable holds none."""
    key = None if variable is None else os.environ.get(variable, "").strip()
    if key == "":
        raise UsageError(
            f"The environment variable {one_line(str(variable))} holds no key.", "Set it, or ask for none."
        )
    return key


def _announce(args: argparse.Namespace, model: str, url: str, played: str) -> None:
    """Say that requests are answered from now on."""
    line = f"serving {one_line(args.player)} as {model} at {url} until Ctrl-C; play it as {shlex.quote(played)}"
    print(line, file=sys.stderr, flush=True)
    if args.json:
        print(json.dumps({"url": url, "model": model, "player": played}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
