"""`players check`: one question, and all that its answer tells, from a real server."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from servers.fault_server import FaultServer

KEY = "sk-canary-77aa42"


def check(spec: str, *options: str, script: str = "ok", key: str = KEY) -> tuple[int, str, str, FaultServer]:
    """The command against a server with this script; `{url}` in the spec is its address."""

    async def go() -> tuple[int, str, str, FaultServer]:
        async with FaultServer({"m": script}) as server:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "arena", "players", "check", spec.format(url=server.url), *options,
                env=os.environ | {"OPENAI_API_KEY": key, "MISTRAL_API_KEY": key, "COLUMNS": "120"},
                cwd=Path(__file__).parents[2],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            out, err = await process.communicate()
            return process.returncode or 0, out.decode(), err.decode(), server

    code, out, err, server = asyncio.run(go())
    assert key not in out + err
    return code, out, err, server


def row_of(out: str) -> dict[str, Any]:
    row = json.loads(out)
    assert isinstance(row, dict)
    return row


def test_one_request_tells_what_was_accepted_and_where_the_thought_is() -> None:
    code, out, err, server = check("openai:m@{url}?temperature=0.5", "--json", script="reasoning*")
    row = row_of(out)
    assert (code, err, server.requests["m"]) == (0, "", 1)
    assert row["ok"]
    assert row["legal"]
    assert row["model"] == "m"
    assert row["host"] == server.url.split("/")[2]
    assert row["sent"] == ["model", "messages", "max_tokens", "temperature"]
    assert row["thought"]["source"] == "reasoning"
    assert row["thought"]["kind"] == "raw"
    assert row["thought"]["characters"] > 0
    assert row["tokens"]["prompt"] > 0
    assert row["finish_reason"] == "stop"


def test_the_words_name_the_same_facts() -> None:
    code, out, _, _ = check("mistral:m@{url}", script="mistral*")
    assert code == 0
    for words in ("fields accepted  model, messages, max_tokens", "raw, from content", "a legal move", "ended by"):
        assert words in out


@pytest.mark.parametrize(
    ("script", "code", "words"), [("401:echo*", 1, "401"), ("404*", 1, "404"), ("503*", 1, "no answer within 2 s")]
)
def test_what_is_wrong_is_one_line(script: str, code: int, words: str) -> None:
    found, out, err, _ = check("openai:m@{url}?deadline=2", script=script)
    assert (found, out) == (code, "")
    assert words in err
    assert err.count("\n") == 1
    found, out, _, _ = check("openai:m@{url}?deadline=2", "--json", script=script)
    assert found == code
    assert not row_of(out)["ok"]
    assert words in row_of(out)["error"]


def test_an_answer_that_is_no_move_is_told_as_such() -> None:
    code, out, _, _ = check("openai:m@{url}", "--json", script="length*")
    row = row_of(out)
    assert (code, row["legal"], row["finish_reason"]) == (0, False, "length")
    assert row["illegal"]


def test_players_of_ours_are_checked_in_the_same_way() -> None:
    code, out, _, _ = check("ckpt:tiny", "--json")
    row = row_of(out)
    assert (code, row["legal"], row["host"]) == (0, True, None)
    assert row["tokens"]["completion"] > 0


def test_a_missing_key_and_an_unknown_player_are_wrong_usage() -> None:
    for spec, words in (("mistral:m", "MISTRAL_API_KEY"), ("nope:m", "Unknown player"), ("human", "human")):
        run = subprocess.run(
            [sys.executable, "-m", "arena", "players", "check", spec],
            env={name: value for name, value in os.environ.items() if name != "MISTRAL_API_KEY"},
            cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 2
        assert words in run.stderr
        assert run.stderr.count("\n") == 1


def test_the_list_of_players_is_still_there() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "arena", "players", "--json"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert {"openai", "gemini", "mistral"} <= {row["id"] for row in json.loads(run.stdout)}
