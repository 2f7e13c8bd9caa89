"""Training against players behind APIs: what they spend, and how a run ends where one cannot go on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.fault_server import FaultServer
from training_apis import KEY, assert_no_key, events, run, serving, spec, spends, tokens
from training_runs import assert_same_run, finish, new_run, rows, steps_stored, train

from arena.cli.app import main
from arena.config.base import find_toml, read_toml, to_toml, validate
from arena.config.checks import training_checks
from arena.config.limits import LIMITS, LimitsConfig
from arena.config.play import PlayConfig
from arena.config.presets import presets
from arena.config.sft import SftConfig
from arena.config.tournament import HeadToHeadConfig, MatchConfig, OodConfig, TournamentConfig
from arena.config.train import TrainConfig
from arena.core.errors import PlayerStopped
from arena.core.player import Reply, View
from arena.players.random import RandomPlayer
from arena.runs.checkpoints import list_checkpoints
from arena.runs.launch import job_environment

QUICK = ("evaluation.every=0", "evaluation.opponents=['random']", "evaluation.ground_truth=false", "evaluation.pairs=1")
RANKS = pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.slow)])


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(FaultServer(key=KEY)) as server:
        yield server


def against(api: FaultServer) -> str:
    return f"opponent={{type='fixed', player='{spec(api)}'}}"


def first_step(api: FaultServer, model: Path, tmp_path: Path) -> tuple[int, int]:
    """Requests and tokens of the first step, which are the same for every run."""
    train(new_run(tmp_path / "first", model, *QUICK, against(api), "steps=1"))
    return api.requests["m"], api.tokens


@RANKS
def test_a_refused_key_ends_the_run_after_the_last_whole_step_and_a_resume_goes_on(
    small_model: Path, tmp_path: Path, api: FaultServer, ranks: int
) -> None:
    requests, first = first_step(api, small_model, tmp_path)
    run_dir = new_run(tmp_path / "run", small_model, *QUICK, against(api), "steps=3", f"ranks={ranks}")
    api.script("m", f"ok*{requests + 2},401:echo*")
    run(run_dir, ranks, code=1)
    (line,) = events(run_dir)
    assert line.startswith(f"Training ends after step 1: {spec(api)}: 127.0.0.1:{api.port} ")
    assert line.endswith(f"Everything up to here is saved. Resume: spiral-arena train --resume {run_dir}")
    assert steps_stored(run_dir) == 1
    assert [found.step for found in list_checkpoints(run_dir)] == [0, 1]
    # Those of the step that came to nothing are booked too; what was in flight at its end, as the most it can be.
    (spent,) = spends(run_dir)
    assert spent.requests >= requests + 2
    assert tokens(run_dir) >= api.tokens - first

    api.script("m", "ok*")
    run(run_dir, ranks)
    (after,) = spends(run_dir)
    assert after.requests - spent.requests == api.answered["ok"] - (2 * requests + 2)
    assert steps_stored(run_dir) == 3
    assert_no_key(run_dir)


def test_a_run_whose_opponent_stopped_is_to_the_bit_as_if_it_had_not(
    small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = (*QUICK, "opponent={type='fixed', player='random'}", "steps=4", "checkpoint_every=4")
    train(new_run(tmp_path / "whole", small_model, *asked))
    run_dir = new_run(tmp_path / "run", small_model, *asked)
    real, count = RandomPlayer.act, 0

    async def act(self: RandomPlayer, view: View) -> Reply:
        nonlocal count
        count += 1
        if count > 60:
            raise PlayerStopped("random: has no dice left.")
        return await real(self, view)

    with monkeypatch.context() as patch:
        patch.setattr(RandomPlayer, "act", act)
        train(run_dir, code=1)
    (line,) = events(run_dir)
    assert line.startswith("Training ends after step 2: random: has no dice left. Everything up to here is saved.")
    train(run_dir)
    assert_same_run(tmp_path / "whole", run_dir, 4)


def test_a_limit_of_tokens_is_kept_and_a_resume_may_raise_it(
    small_model: Path, tmp_path: Path, api: FaultServer
) -> None:
    _, first = first_step(api, small_model, tmp_path)
    most = 2 * first
    run_dir = new_run(tmp_path / "run", small_model, *QUICK, against(api), "steps=4", f"max_tokens={most}")
    train(run_dir, code=1)
    (line,) = events(run_dir)
    assert f"Training ends after step 1: the limit of {most:,} tokens is reached" in line
    assert spec(api) in line
    assert "Resume with a larger --max-tokens." in line
    # One step is whole, and of the next as much as fits.
    assert first < tokens(run_dir) == api.tokens - first <= most
    run(run_dir, 1, "--max-tokens=10000000")
    assert steps_stored(run_dir) == 4
    assert json.loads((run_dir / "config.json").read_text())["max_tokens"] == 10_000_000
    assert tokens(run_dir) == api.tokens - first


@pytest.mark.slow
def test_what_one_rank_leaves_of_its_share_is_the_others_from_the_next_step_on(
    small_model: Path, tmp_path: Path, api: FaultServer
) -> None:
    _, first = first_step(api, small_model, tmp_path)
    most = 4 * first
    asked = (*QUICK, against(api), "steps=30", f"max_tokens={most}", "ranks=2", "games=[{game='tictactoe', turns=15}]")
    run_dir = new_run(tmp_path / "run", small_model, *asked)
    finish(run_dir, code=1)
    assert 0.8 * most < tokens(run_dir) == api.tokens - first <= most


def test_a_server_that_is_away_ends_the_run_too(
    small_model: Path, tmp_path: Path, api: FaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    api.script("m", "hang*")
    opponent = against(api).replace("deadline=20", "deadline=0.2&concurrency=100")
    run_dir = new_run(tmp_path / "run", small_model, *QUICK, opponent, "steps=2")
    run(run_dir, 1, code=1)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert f"step 1 against {spec(api).partition('?')[0]}" in line
    assert "were void: no answer within 0.2 s" in line
    api.script("m", "ok*")
    run(run_dir, 1)
    assert steps_stored(run_dir) == 2


def test_an_evaluation_lacks_an_opponent_that_cannot_go_on_and_training_does(
    small_model: Path, tmp_path: Path, api: FaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = spec(api, "good"), spec(api, "bad")
    api.script("bad", "ok*3,401*")
    opponents = f"evaluation.opponents=['random', '{good}', '{bad}']"
    run_dir = new_run(tmp_path / "run", small_model, *QUICK, opponents, "evaluation.every=1", "steps=3")
    train(run_dir)
    scores = {(row.step, row.opponent) for row in rows(run_dir)[0] if row.name == "score"}
    assert scores == {(step, name) for step in range(4) for name in ("random", good)}
    assert bad not in {match.b for match, _ in rows(run_dir)[1]}
    (line,) = events(run_dir, "warning")
    assert line.startswith(f"evaluations lack {bad}, from step 0 until it answers: {bad}: 127.0.0.1")
    assert capsys.readouterr().err.count("evaluations lack") == 1
    assert [row.player for row in spends(run_dir)] == [bad, good]
    assert [row.requests for row in spends(run_dir)][1] == api.requests["good"]


def test_a_cost_cannot_be_limited_without_a_price(
    small_model: Path, tmp_path: Path, api: FaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["train", "fixed-random", "--set", against(api), "--run-dir", str(tmp_path / "run"), "--max-cost", "1"]
    assert main(asked) == 2
    assert not (tmp_path / "run").exists()
    run_dir = new_run(tmp_path / "other", small_model, *QUICK, against(api), "steps=1")
    given = (run_dir / "config.json").read_bytes()
    run(run_dir, 1, "--max-cost=1", code=2)
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if "has no price" in line] == lines[-1:] * 2
    assert (run_dir / "config.json").read_bytes() == given
    assert not api.requests
    prices = tmp_path / "prices.toml"
    prices.write_text('["openai:m"]\nprompt = 1.0\ncompletion = 2.0\n')
    run(run_dir, 1, "--max-cost=1", f"--prices={prices}")
    (spent,) = spends(run_dir)
    assert spent.cost == pytest.approx((spent.prompt_tokens + 2 * spent.completion_tokens) / 1e6)


@pytest.mark.parametrize(("name", "player"), [("fixed-gemini", "gemini"), ("fixed-mistral", "mistral")])
def test_presets_against_apis(name: str, player: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (preset,) = [found for found in presets() if found.name == name]
    given, paper = read_toml(find_toml(name)), read_toml(find_toml("spiral-faithful"))
    config = validate(TrainConfig, given, name)
    monkeypatch.setenv(f"{player.upper()}_API_KEY", KEY)
    for check in training_checks(config):
        check.see()
    assert player.upper() in preset.about
    assert config.opponent.type == "fixed"
    assert config.opponent.player.startswith(f"{player}:")
    assert config.max_tokens is not None
    assert not any(":" in opponent for opponent in config.evaluation.opponents)
    for key in ("games", "optimiser", "steps", "shaping", "checkpoint_every"):
        assert given[key] == paper[key]


@pytest.mark.parametrize(
    "kind", [TrainConfig, SftConfig, PlayConfig, TournamentConfig, HeadToHeadConfig, OodConfig, MatchConfig]
)
def test_limits_come_last_in_forms_and_in_files(kind: type[LimitsConfig]) -> None:
    assert tuple(kind.model_fields)[-3:] == LIMITS
    assert all(kind.model_fields[name].description for name in LIMITS)


def test_limits_come_last_in_what_is_written() -> None:
    config = validate(TrainConfig, {"games": [{"game": "tictactoe", "turns": 1}], "max_tokens": 5})
    assert tuple(config.model_dump())[-3:] == LIMITS
    assert to_toml(config).index("max_tokens = 5") > to_toml(config).index("featured = ")


def test_training_without_apis_loads_no_client(small_model: Path, tmp_path: Path) -> None:
    run_dir = new_run(tmp_path / "run", small_model, *QUICK, "opponent={type='fixed', player='random'}", "steps=1")
    code = "import sys; from training.__main__ import main; main(sys.argv[1:]); print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(run_dir)], env=job_environment(), capture_output=True, text=True, check=True
    )
    loaded = done.stdout.splitlines()[-1].split()
    assert "torch" in loaded
    assert not {"openai", "httpx2", "arena.players._api.client"} & set(loaded)
