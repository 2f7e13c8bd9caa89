"""The ledger of a job: what API players spend is stored, shown and limited, over resumes too. The server is real."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from servers.fault_server import FaultServer

from arena.cli.app import main as cli
from arena.config.play import PlayConfig
from arena.config.tournament import MatchConfig, TournamentConfig
from arena.core.errors import UsageError
from arena.core.ledger import Account, Ledger
from arena.core.registry import load_player
from arena.runs.launch import create_run
from arena.runs.paths import DB_NAME
from arena.runs.reader import RunReader
from arena.runs.store import RunStore
from evals.__main__ import main
from evals.spending import ledger_rows, read_accounts
from evals.stored import room_of

PRICES = '["vllm:m"]\nprompt = 1000\ncompletion = 5000\n'


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A server on loopback, in a thread of its own."""
    found: list[FaultServer] = []
    ready, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with FaultServer({"bad": "401*"}) as one:
            found.append(one)
            ready.set()
            while not done.is_set():
                await asyncio.sleep(0.02)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(10)
    yield found[0]
    done.set()
    thread.join()


def spec(server: FaultServer, model: str = "m") -> str:
    return f"vllm:{model}@{server.url}?max_tokens=100&style=compact"


def tournament(tmp_path: Path, player: str, pairs: int = 4, **more: Any) -> Path:
    config = TournamentConfig(
        players=[player, "random"], games=["kuhn_poker?hands=1&payoff=chips"], pairs=pairs, concurrency=4, **more
    )
    return create_run(config, "tournament", tmp_path / "run")


def counted(run_dir: Path) -> int:
    with RunReader(run_dir) as reader:
        return reader.count("match")


def test_a_result_has_the_ledger_and_it_is_what_the_server_counted(
    server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prices.toml").write_text(PRICES)
    run_dir = tournament(tmp_path, spec(server), prices=str(tmp_path / "prices.toml"))
    assert main([str(run_dir), "--json"]) == 0
    out = capsys.readouterr()
    (row,) = json.loads(out.out)["ledger"]
    assert (row["player"], row["model"], row["retries"]) == (spec(server), "m", 0)
    assert row["requests"] == server.requests["m"] > 0
    assert row["prompt_tokens"] + row["completion_tokens"] == server.tokens
    assert row["cost"] == pytest.approx((1000 * row["prompt_tokens"] + 5000 * row["completion_tokens"]) / 1e6)
    assert "not measured against exact solutions" in out.err
    assert json.loads((run_dir / "result.json").read_text())["ledger"] == [row]
    assert main([str(run_dir)]) == 0
    shown = capsys.readouterr().out
    assert "Ledger" in shown
    assert f"{row['requests']:,}" in shown.partition("Ledger")[2]


def test_bots_have_no_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = tournament(tmp_path, "optimal", pairs=1)
    assert main([str(run_dir), "--json"]) == 0
    assert "ledger" not in json.loads(capsys.readouterr().out)


def test_a_limit_ends_the_job_with_its_pairs_open_and_a_larger_one_goes_on(
    server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = tournament(tmp_path, spec(server), pairs=40, max_tokens=1500)
    assert main([str(run_dir)]) == 1
    said = capsys.readouterr().err
    assert "the limit of 1,500 tokens is reached" in said
    assert "Resume with a larger --max-tokens" in said
    assert "--resume" in said
    assert 0 < server.tokens <= 1500
    (account,) = read_accounts(run_dir)
    assert account.tokens == server.tokens
    before = counted(run_dir)
    assert before < 80
    assert main([str(run_dir)]) == 1  # nothing is left of it
    assert server.tokens == account.tokens
    capsys.readouterr()
    assert main([str(run_dir), "--max-tokens", "100000", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["ledger"]
    assert row["prompt_tokens"] + row["completion_tokens"] == server.tokens
    assert counted(run_dir) == 80
    assert json.loads((run_dir / "config.json").read_text())["max_tokens"] == 100_000


def test_a_budget_is_kept_in_money(server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "prices.toml").write_text(PRICES)
    run_dir = tournament(tmp_path, spec(server), pairs=30, max_cost=2.0, prices=str(tmp_path / "prices.toml"))
    assert main([str(run_dir)]) == 1
    assert "the budget of 2.00 is spent" in capsys.readouterr().err
    (account,) = read_accounts(run_dir)
    assert account.cost is not None
    assert 0 < account.cost <= 2.0
    for wrong in ("-1", "nan", "inf"):
        assert main([str(run_dir), f"--max-cost={wrong}"]) == 2
    assert main([str(run_dir), "--max-cost", "50"]) == 0


def test_what_was_spent_is_stored_where_the_job_fails(server: FaultServer, tmp_path: Path) -> None:
    config = TournamentConfig(
        players=[spec(server), spec(server, "bad"), "random"],
        games=["kuhn_poker?hands=1&payoff=chips"],
        pairs=1,
        concurrency=1,
    )
    run_dir = create_run(config, "tournament", tmp_path / "run")
    assert main([str(run_dir)]) == 1
    spent = {row["player"]: row["requests"] for row in ledger_rows(run_dir)}
    assert spent[spec(server)] == server.requests["m"] > 0


def test_a_match_has_a_ledger_too(server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = MatchConfig(game="tictactoe", players=(spec(server), "random"), max_tokens=100_000)
    assert main([str(create_run(config, "match", tmp_path / "run")), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["ledger"]
    assert row["requests"] == server.requests["m"]


def test_a_match_that_ran_out_of_tokens_is_played_with_more(server: FaultServer, tmp_path: Path) -> None:
    config = MatchConfig(game="tictactoe", players=(spec(server), "random"), max_tokens=10)
    run_dir = create_run(config, "match", tmp_path / "run")
    assert main([str(run_dir)]) == 1
    command = [sys.executable, "-m", "arena", "match", "--resume", str(run_dir), "--max-tokens", "100000", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["ledger"][0]["requests"] == server.requests["m"] > 0


def test_a_match_with_a_human_ends_at_once_where_the_opponent_cannot_go_on(
    server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = PlayConfig(game="tictactoe", players=(spec(server), "human"), max_tokens=10)
    run_dir = create_run(config, "play", tmp_path / "run")
    assert main([str(run_dir)]) == 1
    assert "the limit of 10 tokens is reached" in capsys.readouterr().err
    assert server.requests["m"] == 0


@pytest.mark.parametrize(
    "args",
    [
        ["tournament", "--player", "SPEC", "random", "--game", "tictactoe"],
        ["head-to-head", "SPEC", "random"],
        ["ood", "SPEC", "--base", "random"],
        ["match", "tictactoe", "SPEC", "random"],
        ["play", "tictactoe", "--against", "SPEC"],
        ["train", "fixed-random", "--set", "opponent.player=SPEC"],
        ["sft", "sft", "--set", "games=[{game='tictactoe', teacher=SPEC}]"],
        ["sft", "sft", "--set", "games=[{game='tictactoe', opponents=[SPEC]}]"],
        ["sft", "sft", "--set", "evaluation.opponents=[SPEC]"],
    ],
    ids=lambda args: " ".join(args[:1] + args[3:]),
)
def test_a_cost_without_a_price_is_refused_before_anything_starts(
    args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPIRAL_ARENA_RUNS", "runs")
    player = "vllm:m@http://127.0.0.1:9/v1"
    given = [arg.replace("SPEC", f'"{player}"' if "=" in arg else player) for arg in args]
    assert cli([*given, "--max-cost", "5"]) == 2
    assert f"The cost is limited, and {player} has no price." in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_prices_that_cannot_be_read_end_a_job_in_one_line(server: FaultServer, tmp_path: Path) -> None:
    run_dir = tournament(tmp_path, spec(server), prices=str(tmp_path / "gone.toml"))
    assert main([str(run_dir)]) == 2
    assert server.requests["m"] == 0


def test_spends_are_replaced_and_an_account_has_every_column(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.set_spends([Account("a", "m", 1, 2, 3, 4, 5, 0.5)])
        store.set_spends([Account("a", "m", 2, 2, 6, 8, 5, None), Account("b", "n")])
    assert read_accounts(tmp_path) == [Account("a", "m", 2, 2, 6, 8, 5, None), Account("b", "n")]
    with closing(sqlite3.connect(tmp_path / DB_NAME)) as db:
        assert all(at > 0 for (at,) in db.execute("SELECT at FROM spend"))


def test_limits_of_a_configuration_are_checked() -> None:
    from arena.config.limits import with_limits

    config = TournamentConfig(players=["random", "optimal"], games=["tictactoe"])
    assert with_limits(config, {"max_cost": 3, "max_tokens": None, "other": 1}).max_cost == 3
    with pytest.raises(UsageError, match="max_tokens"):
        with_limits(config, {"max_tokens": -5})


def test_what_a_match_takes_is_known_from_those_before_the_resume(server: FaultServer) -> None:
    player = load_player(spec(server))
    ledger = Ledger(max_tokens=1000)
    ledger.begin([Account(player.name, "m", prompt_tokens=800)])
    player.ledger = ledger  # type: ignore[attr-defined]
    others = {"random": load_player("random"), "scripted": load_player("scripted")}
    finished = [("tictactoe", player.name, "random", pair, 0) for pair in range(8)]
    room = room_of({player.name: player, **others}, [*finished, ("tictactoe", "random", "scripted", 0, 0)])
    assert room is not None
    assert room.players == {player.name}
    assert [room.allows(in_flight, 0) for in_flight in (1, 2)] == [True, False], "100 tokens each, 200 are left"


def test_a_small_budget_ends_matches_instead_of_beginning_many(server: FaultServer, tmp_path: Path) -> None:
    config = TournamentConfig(players=[spec(server), "random"], games=["tictactoe"], pairs=40, concurrency=64)
    run_dir = create_run(config, "tournament", tmp_path / "free")
    assert main([str(run_dir), "--json"]) == 0
    (whole,) = ledger_rows(run_dir)
    a_match = (whole["prompt_tokens"] + whole["completion_tokens"]) / counted(run_dir)
    limited = config.model_copy(update={"max_tokens": round(20 * a_match)})
    run_dir = create_run(limited, "tournament", tmp_path / "limited")
    assert main([str(run_dir), "--json"]) == 1
    (row,) = ledger_rows(run_dir)
    assert row["prompt_tokens"] + row["completion_tokens"] <= 20 * a_match + 1
    assert (played := counted(run_dir)) >= 14
    assert main([str(run_dir), "--json", f"--max-tokens={round(23 * a_match)}"]) == 1
    assert counted(run_dir) > played
