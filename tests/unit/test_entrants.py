"""Who takes part: checkpoints chosen by their steps, players files, and the command line of tournaments."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from arena.cli.app import main
from arena.config.base import read_json
from arena.config.tournament import TournamentConfig
from arena.core.errors import UsageError
from arena.runs.checkpoints import write_checkpoint
from arena.runs.entrants import expand_checkpoints, gather, read_players_file

MODEL = Path(__file__).resolve().parents[2] / "assets" / "models" / "tiny"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run with checkpoints at steps 8, 16, … 48, and 50, in the current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPIRAL_ARENA_RUNS", raising=False)
    for step in (*range(8, 49, 8), 50):
        write_checkpoint(Path("runs", "learner", "checkpoints"), step, lambda folder: (folder / "x").touch())
    return "learner"


def steps(choice: str) -> list[int]:
    return [int(spec.rpartition("@")[2].partition("?")[0]) for spec in expand_checkpoints(choice)]


def test_every_k_takes_multiples_and_always_the_first_and_the_last(run: str) -> None:
    assert expand_checkpoints(f"{run}@every:16") == [f"ckpt:{run}@{step}" for step in (8, 16, 32, 48, 50)]
    assert steps(f"{run}@every:24") == [8, 24, 48, 50]
    assert steps(f"{run}@every:50") == [8, 50]


def test_all_and_lists_of_steps_and_options_behind_them(run: str) -> None:
    assert steps(f"{run}@all") == [8, 16, 24, 32, 40, 48, 50]
    assert steps(f"{run}@48,8,8") == [48, 8]
    assert expand_checkpoints(f"{run}@16?temperature=0&style=base") == [f"ckpt:{run}@16?temperature=0&style=base"]
    assert expand_checkpoints("runs/learner@50") == ["ckpt:runs/learner@50"]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("learner", "Write them as RUN@all"),
        ("learner@", "Write them as RUN@all"),
        ("@all", "Write them as RUN@all"),
        ("learner@some", "Cannot read '@some'"),
        ("learner@every:0", "Cannot read '@every:0'"),
        ("learner@every:-8", "Cannot read '@every:-8'"),
        ("learner@every", "Cannot read '@every'"),
        ("learner@8,,16", "Cannot read '@8,,16'"),
        ("learner@8,9", "no checkpoint of step 9. It has 8, 16"),
        ("learner@every:7", "multiple of 7. It has 8, 16"),
        ("lerner@all", "Unknown run 'lerner'"),
    ],
)
def test_what_cannot_be_chosen_is_a_clear_error(run: str, choice: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        expand_checkpoints(choice)
    assert message in str(caught.value)


def test_a_run_without_checkpoints_is_a_clear_error(run: str) -> None:
    Path("runs", "young", "checkpoints").mkdir(parents=True)
    with pytest.raises(UsageError, match="young has no checkpoint"):
        expand_checkpoints("young@all")


def write(text: str) -> Path:
    path = Path("field.toml")
    path.write_text(text, encoding="utf-8")
    return path


def test_a_players_file_holds_players_then_checkpoints_and_games(run: str) -> None:
    shutil.copytree(MODEL, "model")
    path = write(
        """
        players = ["random", "ckpt:model"]  # a floor, and where all began
        checkpoints = ["learner@8,16"]
        games = ["tictactoe", "kuhn_poker?hands=1&payoff=chips"]
        """
    )
    found = read_players_file(path)
    assert found.players == ["random", "ckpt:model", "ckpt:learner@8", "ckpt:learner@16"]
    assert found.games == ["tictactoe", "kuhn_poker?hands=1&payoff=chips"]
    assert gather(["optimal", "random"], ["learner@16,24"], path, []).players == [
        "optimal", "random", "ckpt:learner@16", "ckpt:learner@24", "ckpt:model", "ckpt:learner@8",
    ]  # fmt: skip
    assert gather([], [], path, ["snake"]).games == ["snake"]
    assert gather(["random", "random"], [], None, []).players == ["random", "random"], "for others to refuse"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("players = [", "field.toml is no valid TOML: "),
        ('players = ["random", "randm"]', "field.toml: players, entry 2: Unknown player 'randm'. Did you mean random?"),
        ('players = ["random", "ckpt:nowhere"]', "field.toml: players, entry 2: "),
        ('players = ["random", "random"]', "field.toml: players, entry 2: 'random' stands there already"),
        ('players = ["random", 3]', "field.toml: players, entry 2: "),
        ('players = "random"', "field.toml: players: "),
        ('players = ["random"]\ncheckpoints = ["learner@8", "learner@9"]', "field.toml: checkpoints, entry 2: learner"),
        ('players = ["random"]\ngames = ["tictactoe", "kuhn"]', "field.toml: games, entry 2: Unknown game 'kuhn'"),
        ('player = ["random"]', "Did you mean players"),
        ("games = ['tictactoe']", "field.toml names no players"),
    ],
)
def test_a_bad_entry_is_named_with_its_file_and_number(run: str, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_players_file(write(text))
    assert message in str(caught.value)


def test_a_missing_players_file_is_a_clear_error(run: str) -> None:
    with pytest.raises(UsageError, match=r"Cannot read nowhere\.toml"):
        read_players_file(Path("nowhere.toml"))


# The command line

TWO = ["tournament", "--player", "random", "scripted", "--game", "tictactoe"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([*TWO, "--format", "knockout"], "format: Input should be 'round-robin', 'gauntlet' or 'swiss'"),
        ([*TWO, "--rounds", "3"], "rounds are for the format swiss"),
        ([*TWO, "--format", "swiss", "--rounds", "0"], "rounds"),
        ([*TWO, "--challenger", "random"], "challengers are for the format gauntlet"),
        ([*TWO, "--format", "gauntlet", "--challenger", "random", "scripted"], "needs somebody who is no challenger"),
        ([*TWO, "--openings", "0"], "openings.plies"),
        ([*TWO, "--openings", "9"], "no openings of 9 plies"),
        ([*TWO, "--balanced"], "Give --openings"),
        ([*TWO, "--game", "snake", "--openings", "2"], "snake has no openings"),
        ([*TWO, "--sprt", "0,20"], "Write it as --sprt elo0=0,elo1=20"),
        ([*TWO, "--sprt", "elo0=0"], "elo1"),
        ([*TWO, "--sprt", "elo0=20,elo1=0"], "elo0 must be less than elo1"),
        ([*TWO, "--sprt", "elo0=0,elo2=20"], "elo2"),
        ([*TWO, "--sprt", "elo0=0,elo1=inf"], "elo1"),
        ([*TWO, "--sprt", "elo0=0,elo1=20,alpha=0.9"], "alpha"),
        ([*TWO, "--game", "snake", "--sprt", "elo0=0,elo1=20"], "two players in one game"),
        ([*TWO, "--player", "optimal", "--sprt", "elo0=0,elo1=20"], "two players in one game"),
        ([*TWO, "--checkpoints", "nowhere@all"], "Unknown run 'nowhere'"),
        ([*TWO, "--players", "nowhere.toml"], "Cannot read nowhere.toml"),
        (["tournament", "--resume", "x", "--format", "swiss"], "--resume"),
        (["tournament", "--resume", "x", "--players", "nowhere.toml"], "nowhere.toml"),
        (["head-to-head", "random", "--checkpoints", "nowhere@all"], "Unknown run 'nowhere'"),
        (["ood", "--players", "nowhere.toml"], "Cannot read nowhere.toml"),
    ],
)
def test_wrong_usage_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], args: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(args) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err
    assert list(tmp_path.iterdir()) == []


def played(out: str, *args: str) -> tuple[TournamentConfig, dict[str, Any]]:
    """The configuration of the tournament that the command plays, and its result."""
    command = [sys.executable, "-m", "arena", "tournament", *args, "--out", out, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return read_json(TournamentConfig, Path(out) / "config.json"), json.loads(done.stdout)


def test_the_options_come_together_in_the_configuration(run: str) -> None:
    write('players = ["random", "scripted"]\ngames = ["tictactoe"]')
    config, result = played(
        "gauntlet", "--players", "field.toml", "--format", "gauntlet", "--challenger", "optimal",
        "--openings", "2", "--balanced", "--pairs", "5", "--seed", "9",
    )  # fmt: skip
    assert config.players == ["optimal", "random", "scripted"]
    assert (config.challenging, config.games, config.planned) == (["optimal"], ["tictactoe"], 20)
    assert (result["challengers"], result["openings"]) == (["optimal"], {"plies": 2, "balanced": True})
    config, result = played("test", *TWO[1:], "--sprt", "elo0=-100,elo1=100,alpha=0.1")
    assert config.sprt is not None
    assert config.sprt.model_dump() == {"elo0": -100, "elo1": 100, "alpha": 0.1, "beta": 0.05}
    assert (config.pairs, result["sprt"]["verdict"]) == (10_000, "H0")
    config, result = played("plain", *TWO[1:])
    assert (config.pairs, config.format, config.openings, config.sprt) == (100, "round-robin", None, None)
    assert result.keys().isdisjoint({"format", "challengers", "rounds", "openings", "sprt"})


def copy_model(folder: Path) -> None:
    shutil.copytree(MODEL, folder / "model")


def test_checkpoints_play_a_gauntlet(run: str) -> None:
    parent = Path("runs", "trained", "checkpoints")
    for step in (1, 2, 3):
        write_checkpoint(parent, step, copy_model)
    options, newest = "?temperature=0", "ckpt:trained@3?temperature=0"
    args = ["--checkpoints", f"trained@every:2{options}", "--player", "random", "--game", "tictactoe"]
    _, result = played("gauntlet", *args, "--format", "gauntlet", "--challenger", newest, "--pairs", "1")
    assert (result["format"], result["challengers"]) == ("gauntlet", [newest])
    opponents = ["random", f"ckpt:trained@1{options}", f"ckpt:trained@2{options}"]
    assert [(row["a"], row["b"]) for row in result["results"]] == [(newest, other) for other in opponents]
