"""Supervised training whose teachers are players behind APIs: what they spend, and how a run goes on without them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from servers.fault_server import FaultServer
from training_apis import KEY, assert_no_key, events, run, serving, spec, spends, tokens
from training_runs import finish, rows, steps_stored, train, wait_for

from arena.cli.app import main
from arena.config.base import apply_settings, validate
from arena.config.sft import SftConfig
from arena.runs.launch import create_run
from arena.runs.paths import ask_to_stop
from arena.runs.reader import NoRows, RunReader
from arena.runs.rows import MatchRow
from arena.runs.trainings import create_training
from arena.tui.collect.spending import read_spending
from training.export import export
from training.lessons import BEFORE

PRICES = '["openai:m"]\nprompt = 1000.0\ncompletion = 5000.0\n'
RANKS = pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.slow)])


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(FaultServer(key=KEY)) as server:
        yield server


def teaches(teacher: str, matches: int = 4, game: str = "tictactoe", opponent: str = "random") -> str:
    return f"{{game='{game}', teacher='{teacher}', opponents=['{opponent}'], matches={matches}}}"


def new_run(run_dir: Path, model: Path, games: list[str], *settings: str) -> Path:
    data: dict[str, Any] = {
        "kind": "sft",
        "steps": 1,
        "model": f"ckpt:{model}",
        "keep": "all",
        "sampling": {"max_tokens": 64},
        "evaluation": {"every": 0, "pairs": 1, "opponents": ["random"], "ground_truth": False},
    }
    data = apply_settings(data, [f"games=[{', '.join(games)}]", *settings])
    return create_run(validate(SftConfig, data, "test"), "sft", run_dir)


def transcripts(run_dir: Path) -> list[MatchRow]:
    try:
        with RunReader(run_dir) as reader:
            return [match for match in reader.all_matches() if match.step == BEFORE]
    except NoRows:
        return []


@RANKS
def test_a_refused_teachers_matches_stay_open_and_a_resume_plays_them_alone(
    small_model: Path, tmp_path: Path, api: FaultServer, ranks: int
) -> None:
    good, bad = spec(api, "good"), spec(api, "bad")
    run_dir = new_run(tmp_path / "run", small_model, [teaches(good), teaches(bad, 6)], f"ranks={ranks}")
    api.script("bad", "401:echo*")
    run(run_dir, ranks, code=1)
    (line,) = events(run_dir)
    assert line.startswith(f"6 of 10 transcripts are open: {bad} was stopped (127.0.0.1:{api.port} ")
    assert line.endswith(f"Everything up to here is saved. Resume: spiral-arena sft --resume {run_dir}")
    stored = transcripts(run_dir)
    assert {match.a for match in stored} == {good}
    assert len(stored) == 4
    assert steps_stored(run_dir) == -1
    shown = read_spending(run_dir)
    assert {one.player: "answered 401" in one.stopped for one in shown.accounts} == {good: False, bad: True}
    assert shown.resumable
    assert any(message.startswith(f"{bad} is stopped, and its other matches") for message in events(run_dir, "warning"))

    asked = api.requests["good"]
    api.script("bad", "ok*")
    run(run_dir, ranks)
    assert api.requests["good"] == asked
    assert [match for match in transcripts(run_dir) if match.a == good] == stored
    assert len(transcripts(run_dir)) == 10
    assert steps_stored(run_dir) == 1
    # What was in flight when the player was stopped is booked as the most it can be.
    spent = {row.player: row for row in spends(run_dir)}
    assert spent[good].requests == asked
    assert spent[good].tokens + spent[bad].tokens >= api.tokens
    assert_no_key(run_dir)


def test_the_limit_of_a_run_buys_whole_matches_and_a_resume_may_raise_it(
    small_model: Path, tmp_path: Path, api: FaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    train(new_run(tmp_path / "free", small_model, [teaches(spec(api), 40)]))
    whole = api.tokens
    most = whole // 2
    run_dir = new_run(tmp_path / "run", small_model, [teaches(spec(api), 40)], f"max_tokens={most}")
    train(run_dir, code=1)
    (line,) = events(run_dir)
    played = len(transcripts(run_dir))
    assert f"{40 - played} of 40 transcripts are open: {spec(api)} was stopped (the limit of {most:,} tokens" in line
    assert "Resume with a larger --max-tokens)." in line
    assert tokens(run_dir) == api.tokens - whole <= most
    assert played >= 15
    train(run_dir, code=1)  # nothing is left of it
    assert tokens(run_dir) == api.tokens - whole
    run(run_dir, 1, f"--max-tokens={100 * whole}")
    assert json.loads((run_dir / "config.json").read_text())["max_tokens"] == 100 * whole
    assert len(transcripts(run_dir)) == 40
    assert tokens(run_dir) == api.tokens - whole
    assert tokens(run_dir) < 1.3 * whole, "only what was in flight is played twice"
    assert capsys.readouterr().err.count("error: ") == 2


@pytest.mark.slow
def test_two_ranks_keep_to_one_limit_and_use_it_up(small_model: Path, tmp_path: Path, api: FaultServer) -> None:
    train(new_run(tmp_path / "free", small_model, [teaches(spec(api), 200)]))
    whole = api.tokens
    most = whole * 3 // 4
    asked = (f"max_tokens={most}", "ranks=2")
    run_dir = new_run(tmp_path / "run", small_model, [teaches(spec(api), 200)], *asked)
    finish(run_dir, code=1)
    assert 0.85 * most < tokens(run_dir) == api.tokens - whole <= most
    assert 120 < len(transcripts(run_dir)) < 160


def test_a_cost_is_limited_at_the_start_and_on_a_resume(
    small_model: Path, tmp_path: Path, api: FaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = new_run(tmp_path / "run", small_model, [teaches(spec(api), 20)])
    given = (run_dir / "config.json").read_bytes()
    run(run_dir, 1, "--max-cost=1", code=2)
    assert "has no price" in capsys.readouterr().err.splitlines()[-1]
    assert (run_dir / "config.json").read_bytes() == given
    assert not api.requests
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    run(run_dir, 1, "--max-cost=1.5", f"--prices={prices}", code=1)
    (line,) = events(run_dir)
    assert "the budget of 1.50 is spent" in line
    (spent,) = spends(run_dir)
    assert spent.cost is not None
    assert 0.5 < spent.cost <= 1.5
    run(run_dir, 1, "--max-cost=1000")
    (spent,) = spends(run_dir)
    assert spent.cost == pytest.approx((1000 * spent.prompt_tokens + 5000 * spent.completion_tokens) / 1e6)
    shown = read_spending(run_dir)
    assert (shown.max_cost, shown.prices, shown.cost) == (1000.0, str(prices), spent.cost)


def test_a_server_that_is_away_ends_the_run_with_what_was_played(
    small_model: Path, tmp_path: Path, api: FaultServer
) -> None:
    away = spec(api, "away").replace("deadline=20", "deadline=0.2")
    run_dir = new_run(tmp_path / "run", small_model, [teaches(spec(api)), teaches(away)])
    api.script("away", "hang*")
    train(run_dir, code=1)
    (line,) = events(run_dir)
    assert f"4 of 8 transcripts are open: {away} was stopped (3 matches in a row were void: no answer within" in line
    assert len(transcripts(run_dir)) == 4
    api.script("away", "ok*")
    train(run_dir)
    assert len(transcripts(run_dir)) == 8


def test_asked_to_stop_it_waits_for_no_server_that_hangs_and_each_finished_match_is_stored(
    small_model: Path, tmp_path: Path, api: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evals import runner
    from training import lessons

    slow, run_dir = spec(api, "slow").replace("deadline=20", "deadline=300"), tmp_path / "run"

    monkeypatch.setattr(lessons, "run_matches", partial(runner.run_matches, patience=0.2))
    api.script("slow", "hang*")
    new_run(run_dir, small_model, [teaches(spec(api)), teaches(slow)])

    def ask() -> None:
        wait_for(lambda: len(transcripts(run_dir)) == 4)
        ask_to_stop(run_dir)

    asking = threading.Thread(target=ask)
    asking.start()
    train(run_dir, code=1)
    asking.join()
    assert events(run_dir, "stopped")
    api.script("slow", "ok*")
    train(run_dir)
    assert len(transcripts(run_dir)) == 8


def test_evaluations_lack_an_opponent_that_cannot_go_on_and_all_is_in_one_ledger(
    small_model: Path, tmp_path: Path, api: FaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = spec(api, "good"), spec(api, "bad")
    api.script("bad", "401*")
    settings = (f"evaluation.opponents=['random', '{good}', '{bad}']", "evaluation.every=1", "steps=2")
    run_dir = new_run(tmp_path / "run", small_model, [teaches(spec(api))], *settings)
    expected = {(step, name) for step in range(3) for name in ("random", good)}
    run(run_dir, 1, "--json")
    out = capsys.readouterr()
    assert {(row.step, row.opponent) for row in rows(run_dir)[0] if row.name == "score"} == expected
    (line,) = events(run_dir, "warning")
    assert line.startswith(f"evaluations lack {bad}, from step 0 until it answers: {bad}: 127.0.0.1")
    assert out.err.count("evaluations lack") == 1
    ledger = {row["player"]: row["requests"] for row in json.loads(out.out)["ledger"]}
    assert (ledger[spec(api)], ledger[good]) == (api.requests["m"], api.requests["good"])
    assert ledger.keys() == {spec(api), good, bad}
    run(run_dir, 1)
    assert f"{api.requests['m']}" in capsys.readouterr().out.partition("Ledger")[2]
    export(run_dir, "md")
    assert "## ledger" in capsys.readouterr().out


def test_limits_are_options_of_the_command_and_a_file_of_prices_is_named_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is in a file, in a form, or in --set: the job may run elsewhere."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices.toml").write_text(PRICES)
    started: list[list[str]] = []

    def become(command: list[str]) -> None:
        started.append(command)
        raise SystemExit

    def launch(*args: str) -> None:
        with pytest.raises(SystemExit):
            main(args)

    monkeypatch.setattr("arena.runs.launch.become", become)
    (tmp_path / "mine.toml").write_text(
        'kind = "sft"\nprices = "prices.toml"\n[[games]]\ngame = "tictactoe"\nteacher = "optimal"\n'
    )
    launch("sft", "mine.toml", "--run-dir", "one", "--max-tokens", "7")
    launch("train", "fixed-random", "--run-dir", "two", "--set", "prices=prices.toml")
    launch("sft", "mine.toml", "--run-dir", "three")
    create_training({"games": [{"game": "tictactoe", "turns": 1}], "prices": "prices.toml"}, run_dir=Path("four"))
    whole = str(tmp_path / "prices.toml")
    for name in ("one", "two", "three", "four"):
        config = json.loads((tmp_path / name / "config.json").read_text())
        assert config["prices"] == whole, name
        assert config["max_tokens"] == (7 if name == "one" else None)
    assert (tmp_path / "three" / "config.toml").read_text() == (tmp_path / "mine.toml").read_text(), "as it was given"
    launch("sft", "--resume", "one", "--max-tokens", "9", "--max-cost", "2.5", "--prices", "prices.toml")
    assert started[-1][-4:] == ["one", "--max-cost=2.5", "--max-tokens=9", f"--prices={whole}"]
