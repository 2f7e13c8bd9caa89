"""A server of others, `transformers serve` with the bundled model, as the place that a player of ours asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from model_servers import TINY, Server, tournament, transformers_serve, turns_of

from arena.core.registry import load_player
from arena.runs.reader import RunReader

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with transformers_serve(TINY, tmp_path_factory.mktemp("transformers") / "log") as found:
        yield found


def spec(server: Server, provider: str, temperature: float) -> str:
    return f"{provider}:{server.model}@{server.url}?style=compact&max_tokens=48&temperature={temperature}"


@pytest.mark.parametrize("provider", ["openai", "vllm"])
def test_a_match_over_the_wire_goes_as_one_in_process(server: Server, provider: str) -> None:
    ours = turns_of(load_player("ckpt:tiny?temperature=0"), range(2))
    assert turns_of(load_player(spec(server, provider, 0)), range(2)) == ours
    assert len(ours) > 20


def test_a_tournament_is_played_and_its_thoughts_are_kept(server: Server, tmp_path: Path) -> None:
    player = spec(server, "openai", 1)
    result = tournament(player, tmp_path / "run")
    assert [row["game"] for row in result["results"]] == ["tictactoe", "kuhn_poker"]
    for row in result["results"]:
        assert row["wins"] + row["draws"] + row["losses"] == 6
        assert row["voids"] == 0
    with RunReader(tmp_path / "run") as reader:
        turns = [
            turn for match in reader.all_matches() for turn in reader.turns(match.id) if turn.seat == 1 - match.leg
        ]
    assert len(turns) > 20
    assert {(turn.thought_source, turn.thought_kind) for turn in turns if turn.thought} == {
        ("reasoning_content", "raw")
    }
    assert sum(turn.completion_tokens for turn in turns) > 10 * len(turns)
