"""The players of a job: the same weights to its end though the run that made them trains on, or a refusal in a line."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from toy_model import make

from arena.config.base import Config
from arena.config.tournament import HeadToHeadConfig, MatchConfig, OodConfig, TournamentConfig
from arena.core.registry import GameSpec
from arena.runs.checkpoints import write_checkpoint
from arena.runs.job import run_job
from arena.runs.launch import create_run
from arena.runs.reader import RunReader
from evals.__main__ import main
from evals.players import game_kind, open_players, player_rows, read_pins

CHIPS = "kuhn_poker?hands=1&payoff=chips"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two models that play differently."""
    return [make(tmp_path_factory.mktemp("toy") / str(seed), seed) for seed in (0, 1)]


def training_run(where: Path, model: Path, *games: str, start: str = "ckpt:tiny", step: int = 1) -> Path:
    """A run directory with one checkpoint, made by the real writer."""
    where.mkdir(parents=True)
    (where / "config.json").write_text(json.dumps({"model": start, "games": [{"game": game} for game in games]}))
    (where / "run.json").write_text("{}")
    save(where, model, step)
    return where


def save(run: Path, model: Path, step: int) -> None:
    write_checkpoint(run / "checkpoints", step, lambda folder: shutil.copytree(model, folder / "model") and None)


def pinned(run_dir: Path, names: list[str]) -> None:
    """The first start of a job, stopped before its first match."""

    async def begin() -> None:
        with run_job(run_dir) as job:
            async with open_players(job, names, []):
                job.stopped = True

    asyncio.run(begin())


def replies(run_dir: Path) -> list[str]:
    with RunReader(run_dir) as reader:
        return [turn.text for match in reader.all_matches() for turn in reader.turns(match.id)]


def config_of(kind: str, name: str) -> Config:
    pairs = {"pairs": 1, "retries": 0}
    match kind:
        case "match":
            return MatchConfig(game=CHIPS, players=(name, "random"), retries=0)
        case "ood":
            return OodConfig(players=[name], games=["tictactoe"], base="random", **pairs)
        case "head-to-head":
            return HeadToHeadConfig(players=[name, "random"], games=[CHIPS], **pairs)
        case _:
            return TournamentConfig(players=[name, "random"], games=["kuhn_poker"], **pairs)


@pytest.mark.parametrize("kind", ["tournament", "head-to-head", "ood", "match"])
def test_a_resume_plays_with_the_step_that_the_job_began_with(
    tmp_path: Path, models: list[Path], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = training_run(tmp_path / "train", models[0], "tictactoe")
    name = f"ckpt:{run}?max_tokens=4"
    job = create_run(config_of(kind, name), kind, tmp_path / "job")
    pinned(job, [name])
    save(run, models[1], step=2)
    assert main([str(job), "--json"]) == 0
    late = create_run(config_of(kind, name), kind, tmp_path / "late")
    assert main([str(late)]) == 0
    reference = create_run(config_of(kind, f"ckpt:{run}@1?max_tokens=4"), kind, tmp_path / "reference")
    assert main([str(reference)]) == 0
    assert replies(job) == replies(reference) != replies(late)
    assert (read_pins(job)[name].step, read_pins(late)[name].step) == (1, 2)
    result = capsys.readouterr().out.partition("\n}\n")[0]
    assert f'"{name}"' in result, "names stay as they were given"
    assert "@1" not in result


@pytest.mark.parametrize("how", ["gone", "damaged", "replaced"])
def test_a_step_that_is_gone_or_changed_is_refused_in_one_line(
    tmp_path: Path, models: list[Path], how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = training_run(tmp_path / "train", models[0], "tictactoe")
    name = f"ckpt:{run}"
    job = create_run(config_of("tournament", name), "tournament", tmp_path / "job")
    pinned(job, [name])
    save(run, models[1], step=2)
    if how == "gone":
        shutil.rmtree(run / "checkpoints" / "step_1")
    elif how == "damaged":
        (run / "checkpoints" / "step_1" / "model" / "config.json").write_text("{}")
    else:
        save(run, models[1], step=1)
    assert main([str(job)]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert {"gone": "not there any more", "damaged": "damaged", "replaced": "another model now"}[how] in err
    assert replies(job) == []


def test_a_model_folder_is_pinned_by_its_files(
    tmp_path: Path, models: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(models[0], tmp_path / "model"))
    name = f"ckpt:{folder}"
    job = create_run(config_of("match", name), "match", tmp_path / "job")
    pinned(job, [name])
    pin = read_pins(job)[name]
    assert (pin.target, pin.step, pin.trained_on) == (str(folder), None, ())
    (folder / "README.md").write_text("not part of the model")
    pinned(job, [name])
    shutil.copy(models[1] / "model.safetensors", folder)
    assert main([str(job)]) == 1
    assert "another model now" in capsys.readouterr().err


def test_bots_are_not_pinned_and_leave_no_event(tmp_path: Path) -> None:
    job = create_run(config_of("match", "scripted"), "match", tmp_path / "job")
    pinned(job, ["scripted", "random"])
    assert read_pins(job) == {}
    with RunReader(job) as reader:
        assert [event.kind for event in reader.events()] == ["started", "stopped"]


def test_what_a_model_was_trained_on_is_read_from_its_run_and_those_before_it(
    tmp_path: Path, models: list[Path]
) -> None:
    first = training_run(tmp_path / "first", models[0], CHIPS)
    second = training_run(tmp_path / "second", models[0], "tictactoe", start=f"ckpt:{first}")
    names = [f"ckpt:{first}", f"ckpt:{second}@1", f"ckpt:{second}/checkpoints/step_1/model", "random"]
    job = create_run(config_of("match", "random"), "match", tmp_path / "job")
    pinned(job, names)
    shutil.rmtree(first)
    assert [(row["step"], row["trained_on"]) for row in player_rows(job, names)] == [
        (1, ["kuhn_poker"]),
        (1, ["tictactoe", "kuhn_poker"]),
        (None, ["tictactoe", "kuhn_poker"]),
        (None, []),
    ]


@pytest.mark.parametrize(
    ("game", "trained_on", "kind"),
    [
        (CHIPS, ["kuhn_poker"], "own"),
        ("tictactoe", ["kuhn_poker"], "other"),
        ("tictactoe", [], "other"),
        ("snake", ["kuhn_poker"], "ood"),
        ("snake", ["snake"], "own"),
    ],
)
def test_a_game_is_a_players_own_another_training_game_or_held_out(game: str, trained_on: list[str], kind: str) -> None:
    assert game_kind(GameSpec.parse(game), trained_on) == kind
