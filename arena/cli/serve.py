"""`serve`: a model of ours as a chat endpoint for other programs."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    player: Annotated[str, typer.Argument(metavar="PLAYER", help="A model: ckpt:… or hf:…, with its options.")],
    port: Annotated[int, typer.Option(help="Where to listen; 0 takes any port that is free.")] = 8123,
    host: Annotated[str, typer.Option(help="Another address opens it to other machines.")] = "127.0.0.1",
    name: Annotated[
        str | None, typer.Option(help="The model's name in requests.  [default: from PLAYER]", show_default=False)
    ] = None,
    api_key_env: Annotated[
        str | None, typer.Option(metavar="VARIABLE", help="Ask for the key that this environment variable holds.")
    ] = None,
    engine: Annotated[str, typer.Option(help="torch, vllm, or auto: vllm where it and a GPU are there.")] = "auto",
    vllm_args: Annotated[
        str | None, typer.Option(metavar="TEXT", help='For vLLM, such as "--tensor-parallel-size 2".')
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print where it is as JSON, once it answers.")] = False,
) -> None:
    """Serve a model as an OpenAI-compatible chat endpoint, until Ctrl-C.

    Example: spiral-arena serve ckpt:tiny --port 8123
    """
    from arena.runs.launch import become, job_command

    options = ["--port", str(port), "--host", host, "--engine", engine]
    options += [] if name is None else ["--name", name]
    options += [] if api_key_env is None else ["--api-key-env", api_key_env]
    options += [] if vllm_args is None else [f"--vllm-args={vllm_args}"]
    become(job_command("evals.serving", *options, *(["--json"] if as_json else []), "--", player))
