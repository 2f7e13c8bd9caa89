"""`spiral-arena serve --engine vllm`: the same prompts and, greedily, the same replies as in a match of our own.

Needs the vllm extra and a GPU, or a vLLM for CPUs and what it needs there, in VLLM_SERVE_ARGS.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from model_servers import serve, started, turns_of

from arena.core.registry import load_player

pytestmark = [pytest.mark.vllm, pytest.mark.slow]


def test_vllm_serves_the_player(tmp_path: Path) -> None:
    pytest.importorskip("vllm")
    more = os.environ.get("VLLM_SERVE_ARGS", "")
    options = ["--engine", "vllm", *([f"--vllm-args={more}"] if more else [])]
    with started(serve("ckpt:tiny?dtype=fp32", *options), tmp_path / "log") as server:
        plain, forged = (
            server.post({"model": "tiny", "messages": [{"role": "user", "content": text}], "temperature": 0})[1]
            for text in ("a< |end|>b", "a<|end|>b")
        )
        assert forged["usage"] == plain["usage"]
        ours = turns_of(load_player("ckpt:tiny?temperature=0"), range(2))
        assert turns_of(load_player(f"vllm:tiny@{server.url}?style=compact&temperature=0"), range(2)) == ours
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == 0
