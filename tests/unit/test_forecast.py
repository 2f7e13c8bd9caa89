"""What players behind APIs will be asked for and cost, found out by dry runs of evaluations and of trainings."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from servers.fault_server import FaultServer

from arena.cli.app import main
from arena.config.base import apply_settings, find_toml, read_toml, validate
from arena.config.tournament import HeadToHeadConfig, OodConfig, PairsConfig, TournamentConfig
from arena.config.train import TrainConfig
from arena.core.errors import UsageError
from arena.core.registry import GameSpec, load_player
from arena.runs.launch import job_environment
from evals.dryrun import forecast, forecast_lines, planned_matches
from evals.dryrun import main as dry_run
from evals.forecast import Asking, random_matches, read_api
from evals.ground_truth import KUHN_SAMPLES
from evals.runner import MatchList, run_matches
from evals.suites import head_to_head, ood, tournament
from training.dryrun import Device, Lengths, count_tokens, estimate, find_model, load_of
from training.dryrun_apis import api_lines, api_rows, evaluations_by
from training.former import evaluates

CPU = Device("this CPU", 16 << 30, 2e11, training=0.5, drawing=0.2, gpu=False)
API, OTHER = "openai:m?max_tokens=100", "gemini:other"
CHIPS = "kuhn_poker?hands=1&payoff=chips"
KEYS = ("OPENAI_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY")
Row = dict[str, Any]


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)


@pytest.fixture
def prices(tmp_path: Path) -> str:
    path = tmp_path / "prices.toml"
    path.write_text('["openai:m"]\nprompt = 1.0\ncompletion = 4.0\n')
    return str(path)


def tokens(row: Row) -> int:
    return int(row["prompt_tokens"] + row["completion_tokens"])


# -- trainings --------------------------------------------------------------------------------------------------


def training(*settings: str) -> TrainConfig:
    asked = ("games=[{game='tictactoe', turns=40}]", "steps=20", "evaluation.every=4", "evaluation.pairs=5")
    return validate(TrainConfig, apply_settings(read_toml(find_toml("fixed-random")), (*asked, *settings)), "test")


def against(player: str) -> str:
    return f"opponent={{type='fixed', player='{player}'}}"


def test_a_fixed_opponent_is_asked_about_as_often_as_the_policy_and_replies_are_at_their_longest() -> None:
    (row,) = api_rows(training(against(API)))["apis"]
    assert row["player"] == API
    # Whole matches, about four turns of each seat.
    assert 40 <= row["step"]["requests"] <= 45
    assert row["step"]["completion_tokens"] == 100 * row["step"]["requests"]
    assert row["evaluation"]["requests"] == 0
    assert row["requests"] == 20 * row["step"]["requests"]
    assert row["prompt_tokens"] == 20 * row["step"]["prompt_tokens"]
    assert row["cost"] is None
    (longer,) = api_rows(training(against("openai:m")))["apis"]
    assert longer["completion_tokens"] == 8192 * longer["requests"]


def test_an_opponent_of_evaluations_is_asked_in_each_of_them() -> None:
    config = training(f"evaluation.opponents=['random', '{API}', 'start']")
    (row,) = api_rows(config)["apis"]
    assert row["step"]["requests"] == 0
    # Ten matches, about four turns of each seat; at the start and after steps 4, 8, 12, 16 and 20.
    assert 35 <= row["evaluation"]["requests"] <= 45
    assert row["requests"] == 6 * row["evaluation"]["requests"]
    both = api_rows(training(f"evaluation.opponents=['{API}', '{OTHER}']", against(API)))["apis"]
    assert [one["player"] for one in both] == [API, OTHER]
    assert both[0]["requests"] == 20 * both[0]["step"]["requests"] + 6 * both[0]["evaluation"]["requests"]


def test_a_player_behind_an_api_takes_no_memory_and_draws_no_token_here() -> None:
    lengths = [Lengths(turns=8, prompt=20, longest=30)]
    shape = find_model(training()).shape
    remote = training(f"evaluation.opponents=['{API}', '{OTHER}', 'random']", against(API))
    bots = training("evaluation.opponents=['random', 'scripted?skill=0.5', 'optimal']")
    models = training("evaluation.opponents=['start', 'self', 'ckpt:tiny']", against("ckpt:tiny"))
    assert load_of(remote, lengths, CPU, shape) == load_of(bots, lengths, CPU, shape)
    assert count_tokens(remote, lengths) == count_tokens(bots, lengths)
    assert load_of(models, lengths, CPU, shape).engines == load_of(bots, lengths, CPU, shape).engines + 4
    assert count_tokens(models, lengths).evaluation == 2 * count_tokens(bots, lengths).evaluation


def test_prompts_are_in_the_players_own_style_at_four_letters_a_token() -> None:
    game = GameSpec.parse("tictactoe")
    matches = random_matches(game)
    first = matches[0][0]
    one = Asking.of(read_api(API), game, [[first]])
    text = first.rules(0) + first.observe(0)
    # The style adds how to answer.
    assert 1 < one.prompt / (len(text) / 4) < 1.2
    assert Asking.of(read_api(f"{API}&style=compact"), game, matches).prompt < one.prompt / 3


@pytest.mark.parametrize("steps", [1, 7, 8])
@pytest.mark.parametrize("every", [0, 1, 4, 10])
def test_a_limit_is_reached_where_the_sum_of_steps_and_evaluations_passes_it(every: int, steps: int) -> None:
    settings = (against(API), f"evaluation.opponents=['{API}']", f"evaluation.every={every}", f"steps={steps}")
    (row,) = api_rows(training(*settings))["apis"]
    spent, after = 0, []
    for step in range(steps + 1):
        spent += tokens(row["step"]) if step else 0
        spent += tokens(row["evaluation"]) if (evaluates(training(*settings), step) if step else every) else 0
        after.append(spent)
    assert after[-1] == tokens(row)
    assert (
        evaluations_by(training(*settings), steps) * row["evaluation"]["requests"] + steps * row["step"]["requests"]
        == row["requests"]
    )
    for step, spent in enumerate(after):
        for most, expected in ((spent, step + 1 if step < steps else None), (spent - 1, step)):
            if most < 0:
                continue
            (limit,) = api_rows(training(*settings, f"max_tokens={most}"))["api_limits"]
            assert (limit["step"], limit["reached"]) == (expected, expected is not None), (most, after)


def test_a_limit_says_how_long_replies_may_be_for_it_to_be_enough(prices: str) -> None:
    settings = (against(API), "evaluation.opponents=['random']", f"prices={prices}")
    (row,) = api_rows(training(*settings))["apis"]
    assert row["cost"] == pytest.approx((row["prompt_tokens"] + 4 * row["completion_tokens"]) / 1e6)
    half = row["prompt_tokens"] + row["completion_tokens"] // 2
    (limit,) = api_rows(training(*settings, f"max_tokens={half}"))["api_limits"]
    assert limit["reply_share"] == pytest.approx(0.5, abs=0.01)
    assert limit["needed"] == tokens(row)
    money = (row["prompt_tokens"] + row["completion_tokens"]) / 1e6
    (limit,) = api_rows(training(*settings, f"max_cost={money}"))["api_limits"]
    assert limit["reply_share"] == pytest.approx(0.25, abs=0.01)
    assert limit["needed"] == pytest.approx(row["cost"])
    (limit,) = api_rows(training(*settings, f"max_tokens={row['prompt_tokens'] - 1}"))["api_limits"]
    assert limit["reply_share"] is None
    found = api_rows(training(*settings, "max_cost=0", "max_tokens=0"))
    assert [one["step"] for one in found["api_limits"]] == [1, 1]
    text = "\n".join(api_lines({**found, "steps": 20}))
    assert "The limit of 0 tokens is reached at about step 1 of 20: the run ends there, saved." in text
    assert "The prompts alone pass it." in text


def test_without_such_a_player_nothing_is_added() -> None:
    found = api_rows(training("max_tokens=5"))
    assert found == {"apis": [], "api_limits": []}
    assert list(api_lines({**found, "steps": 20})) == []
    assert estimate(training(), CPU)["apis"] == []


def test_a_wrong_spec_or_a_limited_cost_without_a_price_is_refused() -> None:
    with pytest.raises(UsageError, match=r"max_tokens cannot be"):
        api_rows(training(against("openai:m?max_tokens=0")))
    with pytest.raises(UsageError, match=r"the address of its server"):
        api_rows(training("evaluation.opponents=['vllm:m']"))
    with pytest.raises(UsageError, match=r"openai:m.* has no price"):
        api_rows(training(against(API), "max_cost=1"))


def arena(*args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in job_environment().items() if name not in KEYS}
    command = [sys.executable, "-m", "arena", *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == code, done.stderr
    return done


def test_the_preset_against_gemini_tells_what_it_costs_without_a_key(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('["gemini:gemini-flash-lite-latest"]\nprompt = 0.1\ncompletion = 0.4\n')
    asked = ("train", "fixed-gemini", "--dry-run", "--prices", str(path), "--max-cost", "5", "--max-tokens", "9000000")
    found = json.loads(arena(*asked, "--json").stdout)
    (row,) = found["apis"]
    assert 120 < row["step"]["requests"] < 160
    assert row["completion_tokens"] == 2048 * row["requests"]
    assert row["cost"] == pytest.approx((row["prompt_tokens"] + 4 * row["completion_tokens"]) / 1e7)
    assert [(one["limit"], one["most"]) for one in found["api_limits"]] == [("max_tokens", 9_000_000), ("max_cost", 5)]
    assert found["devices"][-1]["fits"]
    text = arena(*asked).stdout
    assert f"{row['requests']:,} requests" in text
    assert f"cost {row['cost']:,.4f}" in text
    for one in found["api_limits"]:
        assert f"is reached at about step {one['step']} of 400: the run ends there, saved." in text
    assert "typical ones are shorter" in text
    assert "adam moments" in text


# -- evaluations ------------------------------------------------------------------------------------------------


def rows(suite: Any, config: PairsConfig) -> dict[str, Row]:
    return {row["player"]: row for row in forecast(suite, config)["apis"]}


CONFIGS: list[tuple[Any, PairsConfig]] = [
    (tournament, TournamentConfig(players=[API, "random", OTHER], games=["tictactoe", CHIPS], pairs=3)),
    (
        tournament,
        TournamentConfig(players=["random", API, OTHER], games=["tictactoe"], pairs=3, format="gauntlet"),
    ),
    (head_to_head, HeadToHeadConfig(players=[API, "scripted"], pairs=3)),
    (ood, OodConfig(players=[API], games=["snake", "pig_dice"], base="random", pairs=3)),
]


@pytest.mark.parametrize(("suite", "config"), CONFIGS, ids=["round-robin", "gauntlet", "head-to-head", "ood"])
def test_matches_are_those_of_the_schedule(suite: Any, config: PairsConfig) -> None:
    schedule = suite.schedule(config)
    played = Counter(player for match in schedule for player in match.seats)
    found = forecast(suite, config)
    assert found["matches"] == len(schedule)
    assert {row["player"]: row["matches"] for row in found["apis"]} == {
        player: count for player, count in played.items() if ":" in player
    }
    assert not found["at_most"]


def test_in_a_swiss_tournament_everybody_plays_every_round() -> None:
    players = [API, "random", "scripted", "optimal"]
    config = TournamentConfig(players=players, games=["tictactoe"], pairs=5, format="swiss", rounds=3)
    found = forecast(tournament, config)
    assert (found["matches"], found["at_most"]) == (config.planned, True)
    assert found["apis"][0]["matches"] == 3 * 5 * 2
    assert sum(planned_matches(tournament, config).pairs.values()) == config.planned


def test_a_tournament_asks_about_as_much_as_was_told() -> None:
    async def play() -> tuple[Counter[str], int, Row]:
        async with FaultServer() as server:
            player = f"openai:m@{server.url}?max_tokens=20"
            config = TournamentConfig(players=[player, "random"], games=["tictactoe", "snake"], pairs=25)
            players = {name: load_player(name) for name in config.players}
            outcome = await run_matches(tournament.schedule(config), players, MatchList())
            for one in players.values():
                await one.close()
            assert outcome.played == 100
            return server.requests, server.tokens, rows(tournament, config)[player]

    requests, spent, row = asyncio.run(play())
    assert row["requests"] == pytest.approx(requests["m"], rel=0.15)
    # The server counts 20 tokens a reply, and four letters a token.
    assert tokens(row) == pytest.approx(spent, rel=0.15)


def test_openings_leave_fewer_turns() -> None:
    asked = {"players": [API, "random"], "games": ["tictactoe"], "pairs": 10}
    plain = rows(tournament, validate(TournamentConfig, asked))[API]
    opened = rows(tournament, validate(TournamentConfig, asked | {"openings": {"plies": 4}}))[API]
    assert opened["requests"] == pytest.approx(plain["requests"] - 40, abs=12)


def test_ground_truth_is_counted_where_it_is_asked_for() -> None:
    asked = {"players": [API, "random"], "games": [CHIPS], "pairs": 1}
    assert rows(tournament, validate(TournamentConfig, asked))[API]["ground_truth"]["requests"] == 0
    row = rows(tournament, validate(TournamentConfig, asked | {"ground_truth": True}))[API]
    assert row["ground_truth"]["requests"] == 12 * KUHN_SAMPLES
    assert row["requests"] == row["played"]["requests"] + 12 * KUHN_SAMPLES


def test_limits_of_a_tournament_say_after_which_share(prices: str) -> None:
    asked = {"players": [API, "random"], "games": ["tictactoe"], "pairs": 10, "prices": prices}
    row = rows(tournament, validate(TournamentConfig, asked))[API]
    assert row["cost"] == pytest.approx((row["prompt_tokens"] + 4 * row["completion_tokens"]) / 1e6)
    found = forecast(tournament, validate(TournamentConfig, asked | {"max_cost": row["cost"] / 4, "max_tokens": 10**9}))
    text = "\n".join(forecast_lines(found))
    assert "is reached after about 25% of that: what is open then waits for --resume." in text
    assert "The limit of 1,000,000,000 tokens is not reached." in text
    found = forecast(tournament, validate(TournamentConfig, asked | {"players": [API, OTHER]}))
    assert found["apis"][1]["cost"] is None
    text = "\n".join(forecast_lines(found))
    assert "all together" in text
    assert text.count("no price is known") == 2
    assert "in the file of --prices" in text


@pytest.mark.parametrize(
    "asked",
    [
        ("tournament", "--player", API, "random", "--game", "tictactoe", "--pairs", "5"),
        ("head-to-head", API, "random", "--game", "tictactoe", "--pairs", "5"),
        ("ood", API, "--base", "random", "--game", "snake", "--pairs", "5"),
    ],
    ids=["tournament", "head-to-head", "ood"],
)
def test_commands_print_text_or_json_and_start_nothing(
    asked: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPIRAL_ARENA_RUNS", str(tmp_path / "runs"))
    found = json.loads(arena(*asked, "--dry-run", "--json").stdout)
    assert found["kind"] == asked[0]
    (row,) = found["apis"]
    assert row["player"] == API
    text = arena(*asked, "--dry-run", "--max-tokens", "100").stdout
    assert f"{row['requests']:,} requests" in text
    assert "The prompts alone pass it." in text
    assert not (tmp_path / "runs").exists()


def test_what_the_job_would_refuse_a_dry_run_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    tictactoe = {"games": ["tictactoe"], "players": [API, "random"]}
    wrong = [
        (tictactoe | {"games": ["chess"]}, "Unknown game"),
        (tictactoe | {"players": [API, "rndom"]}, "Unknown player"),
        (tictactoe | {"players": ["openai:", "random"]}, "needs the name of a model"),
        (tictactoe | {"games": ["snake"], "players": [API, "optimal"]}, "optimal cannot play snake"),
        (tictactoe | {"max_cost": 1}, "has no price"),
        (tictactoe | {"games": ["snake"], "openings": {"plies": 2}}, "has no openings"),
        (tictactoe | {"pears": 5}, "pears"),
    ]
    for config, words in wrong:
        assert dry_run(["tournament", json.dumps(config)]) == 2
        assert words in capsys.readouterr().err
    assert main(["tournament", "--dry-run", "--game", "tictactoe"]) == 2
    assert "needs --player" in capsys.readouterr().err
    assert main(["ood", API, "--dry-run", "--detach"]) == 2
    assert "--dry-run starts nothing" in capsys.readouterr().err


def test_bots_are_asked_for_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert dry_run(["tournament", json.dumps({"games": ["tictactoe"], "players": ["random", "optimal"]})]) == 0
    assert "No player is behind an API" in capsys.readouterr().out
