"""`spiral-arena sft`: rows from stored matches, training on them, resumes, and wrong usage."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from training_runs import KUHN, assert_same_run, checkpoint, finish, launch, rows, steps_stored, train, wait_for

from arena.cli.app import main
from arena.cli.listings import describe_run
from arena.config.base import apply_settings, find_toml, preset_names, read_toml, validate
from arena.config.sft import SftConfig
from arena.core.game import Illegal
from arena.core.match import make_view
from arena.core.registry import GameSpec, load_player
from arena.engines.loading import load_tokenizer
from arena.players.checkpoint import PolicyPlayer
from arena.runs.checkpoints import list_checkpoints
from arena.runs.launch import create_run
from arena.runs.paths import ask_to_stop
from arena.runs.reader import RunReader
from arena.runs.rows import MatchRow
from training.distributed import Ranks
from training.lessons import BEFORE, keeper, minibatch, read_lessons, schedule
from training.sft import build

STEPS = 6


def config(model: Path, *settings: str) -> SftConfig:
    """Two games, seconds long."""
    data: dict[str, Any] = {
        "kind": "sft",
        "name": "small",
        "steps": STEPS,
        "model": f"ckpt:{model}",
        "keep": "all",
        "games": [
            {"game": "tictactoe", "opponents": ["scripted?skill=1", "random"], "matches": 8},
            {"game": KUHN, "teacher": "optimal", "matches": 10},
        ],
        "sampling": {"max_tokens": 200},
        "optimiser": {"minibatch": 24, "warmup": 2},
        "evaluation": {"every": 3, "pairs": 1, "opponents": ["random"], "ground_truth": False},
        "checkpoint_every": 2,
    }
    return validate(SftConfig, apply_settings(data, settings), "test")


def new_run(run_dir: Path, model: Path, *settings: str) -> Path:
    return create_run(config(model, *settings), "sft", run_dir, name="small")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, small_model: Path) -> Path:
    """A run that nobody disturbed."""
    run_dir = new_run(tmp_path_factory.mktemp("sft") / "run", small_model)
    train(run_dir)
    return run_dir


def transcripts(run_dir: Path) -> list[MatchRow]:
    with RunReader(run_dir) as reader:
        return [match for match in reader.all_matches() if match.step == BEFORE]


def test_teachers_play_each_opponent_from_both_seats_with_luck_of_its_own(run: Path) -> None:
    found = transcripts(run)
    assert Counter((match.game, match.a, match.b) for match in found) == {
        ("tictactoe", "scripted?skill=1", "scripted?skill=1"): 8,
        ("tictactoe", "scripted?skill=1", "random"): 8,
        (KUHN, "optimal", "optimal"): 10,
    }
    assert Counter(match.leg for match in found) == {0: 13, 1: 13}
    own = config(Path("x")).games
    assert len({match.key for match in schedule(own, 0) if match.b == "random"}) == 8
    assert {match.key for match in schedule(own, 0)}.isdisjoint(match.key for match in schedule(own, 1))


def test_the_prompts_are_those_that_the_model_is_sampled_with(run: Path, small_model: Path) -> None:
    """Played again from the keys and actions alone, each turn's view given to the player itself."""
    player = load_player(f"ckpt:{small_model}")
    assert isinstance(player, PolicyPlayer)
    tokenizer = load_tokenizer(small_model)
    own = config(small_model)
    student = build(run, own, Ranks()).student
    expected = []
    with RunReader(run) as reader:
        for match in transcripts(run):
            spec = GameSpec.parse(match.game)
            state = spec.new(match.key)
            for turn in reader.turns(match.id):
                if keeper(own)(match, turn.seat):
                    expected.append((player.prompt_ids(make_view(spec, state, player, 5)), turn.thought, turn.action))
                parsed = state.parse(turn.action or "")
                assert not isinstance(parsed, Illegal)
                state = state.apply(parsed)
    found = read_lessons(run, keeper(own), student)
    assert found.games == ["tictactoe", KUHN]
    assert found.left_out == 0
    assert [prompt for prompt, _ in found.rows] == [prompt for prompt, _, _ in expected]
    for (_, reply), (_, thought, action) in zip(found.rows, expected, strict=True):
        assert (
            tokenizer.decode(list(reply[:-1]), skip_special_tokens=False)
            == f"<think>{thought}</think>\\boxed{{{action}}}"
        )
        assert reply[-1] == student.end
    assert {bool(thought) for _, thought, _ in expected} == {True, False}, "optimal has no thoughts"


def test_only_the_teachers_turns_are_learnt_of_matches_that_ended_as_asked() -> None:
    won = MatchRow(0, "tictactoe", "scripted?skill=1", "random", 0, 1, 0, 1.0, -1.0, "", 5, 0, 0.0, "")
    drawn, lost = replace(won, return_a=0.0, return_b=0.0), replace(won, return_a=-1.0, return_b=1.0)
    itself = replace(won, b="scripted?skill=1")
    for keep, kept in (("won", [won]), ("not_lost", [won, drawn]), ("all", [won, drawn, lost])):
        teaches = keeper(config(Path("x"), f"keep={keep}"))
        assert [match for match in (won, drawn, lost) if teaches(match, 1)] == kept
        assert not any(teaches(match, 0) for match in (won, drawn, lost)), "random teaches nothing"
        assert teaches(itself, 0) == (keep == "all")
        copied = keeper(config(Path("x"), f"keep={keep}", "games=[]", "transcripts=x"))
        assert copied(lost, 0), "of a stored run, whoever won"


def test_minibatches_go_through_all_rows_epoch_by_epoch() -> None:
    def order(epoch: int) -> list[int]:
        return [(index + epoch) % 7 for index in range(7)]

    flat = [index for step in range(14) for index in minibatch(7, 3, order, step)]
    assert flat == [index for epoch in range(6) for index in order(epoch)]
    assert minibatch(7, 20, order, 0) == [*order(0), *order(1), *order(2)[:6]]


def test_it_learns_and_stores_its_figures(run: Path) -> None:
    metrics, matches, _ = rows(run)
    losses = [row.value for row in metrics if row.name == "loss"]
    assert len(losses) == STEPS
    assert losses[-1] is not None
    assert losses[0] is not None
    assert losses[-1] < losses[0] - 0.3
    assert {row.step for row in metrics if row.name == "score"} == {0, 3, 6}
    assert {match.step for match, _ in matches} == {BEFORE, 0, 3, 6}
    assert [row.value for row in metrics if row.name == "trained_turns"] == [24] * STEPS
    (first, _), (last, _) = checkpoint(run, 0), checkpoint(run, STEPS)
    name = "model.safetensors/model.embed_tokens.weight"
    assert not first[name].equal(last[name])


def test_its_checkpoints_are_players_and_it_is_listed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [found.step for found in list_checkpoints(run)] == [0, 2, 4, 6]
    for spec in (f"ckpt:{run}", f"ckpt:{run}@2"):
        player = load_player(spec)
        assert isinstance(player, PolicyPlayer)
        assert player.sampling.max_tokens == 200
    row = describe_run(run)
    assert (row["kind"], row["status"], row["progress"]) == ("sft", "finished", "step 6")
    assert main(["checkpoints", str(run), "--json"]) == 0
    assert [item["step"] for item in json.loads(capsys.readouterr().out)] == [0, 2, 4, 6]


def test_a_finished_run_prints_its_table_and_trains_no_more(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from training.__main__ import main as job

    before = checkpoint(run, STEPS)[1]
    assert job([str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == STEPS
    assert checkpoint(run, STEPS)[1] == before


@pytest.mark.parametrize("at", [0, 3])
def test_interrupted_it_resumes_to_the_same_run(
    run: Path, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    from training import sft

    real = sft._step

    def interrupted(parts: sft.Parts, lessons: Any) -> dict[str, float]:
        if parts.state.step == at:
            raise KeyboardInterrupt
        return real(parts, lessons)

    other = new_run(tmp_path / "run", small_model)
    with monkeypatch.context() as patch:
        patch.setattr(sft, "_step", interrupted)
        train(other, code=1)
    train(other)
    assert_same_run(run, other, STEPS)


def test_interrupted_while_teachers_play_it_goes_on_with_what_is_stored(
    run: Path, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training import lessons

    real, calls = lessons._play, iter(range(100))

    def interrupted(*args: Any) -> Any:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return real(*args)

    other = new_run(tmp_path / "run", small_model)
    with monkeypatch.context() as patch:
        patch.setattr(lessons, "SLICE", 5)
        patch.setattr(lessons, "_play", interrupted)
        train(other, code=1)
        stored = transcripts(other)
        assert len(stored) == 10
    train(other)
    assert transcripts(other)[:10] == stored, "played once"
    assert_same_run(run, other, STEPS)


@pytest.mark.slow
def test_killed_it_resumes_to_the_same_run_and_stops_politely(run: Path, small_model: Path, tmp_path: Path) -> None:
    other = new_run(tmp_path / "run", small_model)
    process = launch(other)
    wait_for(lambda: steps_stored(other) >= 2, process)
    process.kill()
    process.wait()
    process = launch(other)
    wait_for(lambda: (other / "stop").exists() or steps_stored(other) >= 3, process)
    ask_to_stop(other)
    code = process.wait()
    finish(other)
    assert code in (0, 1)
    assert_same_run(run, other, STEPS)


def test_asked_to_stop_it_saves_and_says_how_to_go_on(
    small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from training import sft

    run_dir = new_run(tmp_path / "run", small_model, "steps=50", "checkpoint_every=50", "evaluation.every=0")
    real = sft._step

    def asking(parts: sft.Parts, lessons: Any) -> dict[str, float]:
        if parts.state.step == 2:
            ask_to_stop(run_dir)
        return real(parts, lessons)

    monkeypatch.setattr("arena.runs.job._STOP_POLL_SECONDS", 0.0)
    monkeypatch.setattr(sft, "_step", asking)
    train(run_dir, code=1)
    assert f"spiral-arena sft --resume {run_dir}" in capsys.readouterr().err
    assert [found.step for found in list_checkpoints(run_dir)] == [0, 3]


@pytest.mark.slow
def test_two_ranks_share_the_work_and_repeat_to_the_bit(run: Path, small_model: Path, tmp_path: Path) -> None:
    one, two = (new_run(tmp_path / name, small_model, "ranks=2") for name in ("one", "two"))
    finish(one)
    finish(two)
    assert_same_run(one, two, STEPS)
    assert [replace(match, id=0, at=0.0, seconds=0.0) for match in transcripts(one)] == [
        replace(match, id=0, at=0.0, seconds=0.0) for match in transcripts(run)
    ]
    losses = [[row.value or 0.0 for row in rows(found)[0] if row.name == "loss"] for found in (run, one)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.fixture(scope="module")
def tournament(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from arena.config.tournament import TournamentConfig
    from evals.__main__ import main as job

    own = TournamentConfig(players=["random", "scripted?skill=1"], games=["tictactoe"], pairs=6)
    run_dir = create_run(own, "tournament", tmp_path_factory.mktemp("tournament") / "run")
    assert job([str(run_dir), "--json"]) == 0
    return run_dir


def test_a_stored_runs_winners_teach_though_it_is_gone_later(
    tournament: Path, small_model: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    shutil.copytree(tournament, source)
    settings = ("games=[]", f"transcripts={source}", "keep=won", "evaluation.every=0")
    run_dir, short = (new_run(tmp_path / name, small_model, *settings) for name in ("run", "short"))
    train(run_dir)
    with RunReader(tournament) as reader:
        decided = [match for match in reader.all_matches() if match.return_a != match.return_b]
        turns = sum(
            turn.seat == (match.seat_a if match.return_a > match.return_b else 1 - match.seat_a)
            for match in decided
            for turn in reader.turns(match.id)
        )
    own = validate(SftConfig, json.loads((run_dir / "config.json").read_text()), "test")
    assert len(read_lessons(run_dir, keeper(own), build(run_dir, own, Ranks()).student).rows) == turns
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.sft._step", _interrupt)
        train(short, code=1)
    shutil.rmtree(source)
    train(short)
    assert_same_run(run_dir, short, STEPS)


def _interrupt(*_: object) -> dict[str, float]:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["games=[{game='tictactoe', teacher='optimal', matches=4}]", "keep=won"], "no turn is kept"),
        (["sampling.max_tokens=2"], "longer than sampling.max_tokens"),
        (["games=[{game='tictactoe', teacher='scripted?skill=7'}]"], "skill cannot be 7"),
        (["optimiser.lr=1e30", "optimiser.warmup=0"], "diverged"),
    ],
)
def test_a_run_that_cannot_teach_ends_with_one_clear_line(
    small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: list[str], message: str
) -> None:
    from training.__main__ import main as job

    run_dir = new_run(tmp_path / "run", small_model, *settings, "evaluation.every=0")
    assert job([str(run_dir)]) in (1, 2)
    err = capsys.readouterr().err
    assert err.splitlines()[-1].startswith("error: ")
    assert message in err.splitlines()[-1]
    assert "Traceback" not in err
    for found in list_checkpoints(run_dir):
        assert all(bool(torch.isfinite(tensor).all()) for tensor in checkpoint(run_dir, found.step)[0].values())


def test_replies_too_long_for_the_model_are_left_out_with_a_warning(
    small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = new_run(tmp_path / "run", small_model, "sampling.max_tokens=16", "evaluation.every=0", "steps=1")
    train(run_dir)
    assert "turns are longer than the model may write or read, and are left out" in capsys.readouterr().err
    with RunReader(run_dir) as reader:
        assert any("left out" in event.message for event in reader.events() if event.kind == "warning")


def test_presets_are_listed_by_their_kind() -> None:
    assert "sft" in preset_names("sft")
    assert "sft" not in preset_names()
    own = validate(SftConfig, read_toml(find_toml("sft", "sft")), "sft")
    assert (own.name, own.model) == ("sft", "ckpt:tiny")
    assert [item.game for item in own.games] == ["tictactoe", KUHN, "simple_negotiation"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["sft"], "sft needs a configuration"),
        (["sft", "stf"], "Did you mean sft"),
        (["sft", "quickstart"], "Use: spiral-arena train quickstart"),
        (["train", "sft"], "Use: spiral-arena sft sft"),
        (["sft", "none.toml"], "There is no file none.toml"),
        (["sft", "sft", "--set", "step=3"], "Did you mean steps"),
        (["sft", "sft", "--set", "optimiser.rate=3"], "optimiser.rate"),
        (["sft", "sft", "--set", "keep=some"], "keep"),
        (["sft", "sft", "--set", "games=[]"], "either games with their teachers or transcripts"),
        (["sft", "sft", "--set", "transcripts=x"], "either games with their teachers or transcripts"),
        (["sft", "sft", "--set", "games=[]", "--set", "transcripts=nowhere"], "nowhere"),
        (["sft", "sft", "--set", "games=[{game='tictacto'}]"], "Did you mean tictactoe"),
        (["sft", "sft", "--set", "games=[{game='tictactoe', teacher='scriptd'}]"], "Did you mean scripted"),
        (["sft", "sft", "--set", "games=[{game='snake', teacher='optimal'}]"], "no exact solution"),
        (["sft", "sft", "--set", "games=[{game='tictactoe', opponents=['random', 'random']}]"], "more than once"),
        (["sft", "sft", "--set", "model=random"], "cannot start from 'random'"),
        (["sft", "sft", "--set", "model=ckpt:tinny"], "tinny"),
        (["sft", "sft", "--set", "evaluation.opponents=['self']"], "self"),
        (["sft", "--resume", "no-such-run"], "Unknown run 'no-such-run'"),
        (["sft", "sft", "--resume", "x"], "--resume"),
    ],
)
def test_wrong_usage_is_one_line_exit_2_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], args: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_another_kind_is_not_resumed(run: Path, tournament: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--resume", str(run)]) == 2
    assert "Use: spiral-arena sft --resume" in capsys.readouterr().err
    assert main(["sft", "--resume", str(tournament)]) == 2
    assert "is a run of the kind tournament, not sft" in capsys.readouterr().err


@pytest.mark.slow
def test_strong_teachers_make_the_bundled_model_better(tmp_path: Path) -> None:
    settings = ("games=[{game='tictactoe', opponents=['random', 'scripted?skill=0.5'], matches=250}]",
                "sampling.max_tokens=48", "steps=60", "optimiser.minibatch=128", "optimiser.warmup=10",
                "evaluation={every=60, pairs=32, opponents=['random'], positions=0.5}")  # fmt: skip
    run_dir = create_run(config(Path("x"), *settings, "model=ckpt:tiny"), "sft", tmp_path / "run")
    train(run_dir)
    figures = {(row.name, row.step): row for row in rows(run_dir)[0] if row.name in ("optimal_move_rate", "score")}
    first, last = figures["optimal_move_rate", 0], figures["optimal_move_rate", 60]
    assert last.low is not None
    assert first.high is not None
    assert last.low > first.high
