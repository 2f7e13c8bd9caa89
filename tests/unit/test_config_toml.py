"""Configurations as TOML, in full and as what differs from the defaults; presets; errors by field."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from arena.cli.app import main
from arena.config.base import PRESETS, problems, read_toml, to_toml, validate
from arena.config.presets import presets, read_preset
from arena.config.train import GameName, TrainConfig
from arena.core.errors import ArenaError, UsageError
from arena.core.sanitise import plain
from arena.runs.paths import check_new_run_dir
from arena.runs.trainings import MODELS, create_training, name_checks
from arena.tui.collect.fields import MISSING, Field, Group

GAMES = ("tictactoe", "kuhn_poker", "kuhn_poker?hands=1&payoff=chips", "simple_negotiation")
TEXT = st.text(max_size=12)


def values(annotation: Any, metadata: list[Any], name: str) -> st.SearchStrategy[Any]:
    """What a field of this type may hold."""
    if get_origin(annotation) is Annotated:
        return values(get_args(annotation)[0], list(get_args(annotation)[1:]), name)
    if name == "game" or annotation is GameName:
        return st.sampled_from(GAMES)
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    if len(kinds) > 1:
        return st.one_of([values(kind, metadata, name) for kind in kinds])
    if get_origin(annotation) is Literal:
        return st.sampled_from(get_args(annotation))
    if get_origin(annotation) in (list, tuple):
        inner = values(get_args(annotation)[0], [], name)
        return st.lists(inner, min_size=1, max_size=3, unique_by=json.dumps)
    if annotation is type(None):
        return st.none()
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return configs(annotation)
    return scalars(annotation, metadata)


def scalars(annotation: Any, metadata: list[Any]) -> st.SearchStrategy[Any]:
    bounds = {key: getattr(item, key) for item in metadata for key in ("ge", "gt", "le", "lt") if hasattr(item, key)}
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return st.integers(low, high)
    if annotation is float:
        return st.floats(
            low, high, exclude_min="gt" in bounds, exclude_max="lt" in bounds, allow_nan=False, allow_infinity=False
        )
    assert annotation is str
    return TEXT


def configs(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    """Data of a model: any of its fields given, those that are required always."""
    fields = {name: values(info.annotation, info.metadata, name) for name, info in model.model_fields.items()}
    needed = {name for name, info in model.model_fields.items() if info.is_required() or name == "type"}
    return st.fixed_dictionaries(
        {name: fields[name] for name in fields if name in needed},
        optional={name: fields[name] for name in fields if name not in needed},
    )


def made_valid(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """Each game once, and of supervised training one source."""
    games = {item["game"]: item for item in data.get("games") or []}
    if kind == "sft" and (not games or data.get("transcripts") is not None):
        run = data.get("transcripts")
        return {key: value for key, value in data.items() if key != "games"} | {"transcripts": run or ""}
    return data | {"games": list(games.values())}


@pytest.mark.parametrize("kind", sorted(MODELS))
@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_any_valid_configuration_comes_back_from_its_toml_and_from_the_form(kind: str, data: st.DataObject) -> None:
    config = MODELS[kind].model_validate(made_valid(kind, data.draw(configs(MODELS[kind]))))
    for text in (to_toml(config), to_toml(config, changed_only=True)):
        assert MODELS[kind].model_validate(tomllib.loads(text)) == config
    form = Group(kind, MODELS[kind])
    form.fill(config)
    assert MODELS[kind].model_validate(form.data) == config


def test_toml_of_the_changes_says_nothing_that_holds_anyway() -> None:
    games = [{"game": "tictactoe", "turns": 5, "weight": 1.0}]
    data = {"games": games, "seed": 0, "advantage": {"type": "rae", "decay": 0.5}, "evaluation": {"pairs": 32}}
    text = to_toml(validate(TrainConfig, data), changed_only=True)
    assert text == '[[games]]\ngame = "tictactoe"\nturns = 5\n\n[advantage]\ntype = "rae"\ndecay = 0.5\n'


def test_defaults_of_a_part_in_its_place_are_not_those_of_the_part_alone() -> None:
    """Supervised training evaluates every 50 steps, unless its TOML has a table `evaluation`: then the part's 10."""
    base = {"kind": "sft", "games": [{"game": "tictactoe"}]}
    usual, part = (validate(MODELS["sft"], base | more) for more in ({}, {"evaluation": {"pairs": 32}}))
    assert (usual.evaluation.every, part.evaluation.every) == (50, 10)
    assert "[evaluation]" not in to_toml(usual, changed_only=True)
    for config in (usual, part):
        assert validate(MODELS["sft"], tomllib.loads(to_toml(config, changed_only=True))) == config


@pytest.mark.parametrize("number", ["inf", "-inf", "nan"])
def test_numbers_that_json_has_not_are_refused(number: str) -> None:
    data = {"games": [{"game": "tictactoe", "turns": 5}], "optimiser": {"lr": float(number)}}
    with pytest.raises(UsageError, match=r"optimiser\.lr"):
        validate(TrainConfig, data)


def test_problems_are_named_by_field_in_the_words_of_validation() -> None:
    data = {
        "steps": "many",
        "games": [{"game": "tictactoo", "turns": 0}, {"game": "tictactoe"}],
        "opponent": {"type": "lagged", "every": 0},
        "evaluation": {"opponents": ["random", 3]},
    }
    found = {problem.key: problem.words for problem in problems(TrainConfig, data)}
    assert found == {
        ("steps",): "Input should be a valid integer, unable to parse string as an integer.",
        ("games", 0, "game"): "Unknown game 'tictactoo'. Did you mean tictactoe?",
        ("games", 0, "turns"): "Input should be greater than or equal to 1.",
        ("games", 1, "turns"): "Field required.",
        ("opponent", "lagged", "every"): "Input should be greater than or equal to 1.",
        ("evaluation", "opponents", 1): "Input should be a valid string.",
    }
    assert problems(TrainConfig, {"games": [{"game": "tictactoe", "turns": 1}]}) == []
    with pytest.raises(UsageError, match=r"mine: games\.0\.game: Unknown game 'x'.*Known: .*tictactoe"):
        validate(TrainConfig, {"games": [{"game": "x", "turns": 1}]}, "mine")


def test_what_a_configuration_names_is_looked_up_field_by_field() -> None:
    data = {
        "model": "ckpt:nobody",
        "games": [{"game": "simple_negotiation", "turns": 1}],
        "opponent": {"type": "fixed", "player": "optimal"},
        "evaluation": {"opponents": ["start", "self", "randon"]},
    }
    said = {}
    for check in name_checks(validate(TrainConfig, data)):
        with pytest.raises(ArenaError) as caught:
            check.see()
        said[check.key] = str(caught.value)
    assert said.keys() == {("model",), ("evaluation", "opponents"), ("opponent", "fixed", "player")}
    assert "nobody" in said[("model",)]
    assert "Did you mean random" in said[("evaluation", "opponents")]
    assert "no exact solution" in said[("opponent", "fixed", "player")]


def test_a_model_of_the_hub_is_not_fetched_to_look_at_a_draft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    data = {"model": "hf:nobody/nothing", "games": [{"game": "tictactoe", "turns": 1}]}
    config = validate(TrainConfig, data)
    for check in name_checks(config, online=False):
        check.see()
    with pytest.raises(ArenaError, match="nobody/nothing"):
        name_checks(config)[0].see()
    with pytest.raises(UsageError, match="no folder"):
        name_checks(validate(TrainConfig, data | {"model": "hf:not a name"}), online=False)[0].see()


def test_a_new_run_directory_is_looked_at_without_making_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIRAL_ARENA_RUNS", str(tmp_path / "runs"))
    check_new_run_dir()
    check_new_run_dir(tmp_path / "deep" / "down")
    (tmp_path / "empty").mkdir()
    check_new_run_dir(tmp_path / "empty")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty"]
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(UsageError, match="not empty"):
        check_new_run_dir(tmp_path / "full")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "run.json").touch()
    with pytest.raises(UsageError, match="holds a run already"):
        check_new_run_dir(tmp_path / "used")
    with pytest.raises(ArenaError, match="Cannot create"):
        check_new_run_dir(tmp_path / "full" / "thesis.txt" / "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ArenaError, match="no permission"):
        check_new_run_dir(tmp_path / "run")


def test_every_preset_has_a_line_about_it() -> None:
    found = presets()
    assert [preset.path for preset in found] == sorted(PRESETS.glob("*.toml"))
    for preset in found:
        assert preset.kind in MODELS
        assert 20 < len(preset.about) <= 120
        assert preset.comment.startswith(preset.about.removesuffix(" …"))
        text = to_toml(validate(MODELS[preset.kind], read_toml(preset.path)), changed_only=True)
        assert validate(MODELS[preset.kind], tomllib.loads(text)) == validate(
            MODELS[preset.kind], read_toml(preset.path)
        )


def test_the_line_about_a_file_is_its_first_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("# Three games (v1.5 rules)\n# in one. And more.\nsteps = 1\n# not this\n")
    assert read_preset(path).about == "Three games (v1.5 rules) in one"
    path.write_text("steps = 1\n")
    assert read_preset(path).about == ""


def test_configs_lists_the_presets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configs", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"]: row["kind"] for row in rows}["sft"] == "sft"
    assert {"name", "kind", "about", "path", "comment"} == set(rows[0])
    assert main(["configs"]) == 0
    assert "quickstart" in capsys.readouterr().out


def test_a_run_is_not_created_where_something_that_it_names_is_missing(tmp_path: Path) -> None:
    data = {"games": [{"game": "tictactoe", "turns": 1}], "model": "ckpt:nobody"}
    with pytest.raises(UsageError):
        create_training(data, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    run_dir = create_training(data | {"model": "ckpt:tiny"}, run_dir=tmp_path / "run", toml="# mine\n")
    assert (run_dir / "config.toml").read_text() == "# mine\n"
    assert json.loads((run_dir / "run.json").read_text())["kind"] == "train"


def field(annotation: Any, default: Any, text: str) -> Field:
    found = Field("name", "", annotation, default)
    found.text = text
    return found


@pytest.mark.parametrize(
    ("annotation", "default", "text", "value", "changed"),
    [
        (int, 100, "", 100, False),
        (int, 100, " 100 ", "100", False),
        (float, 0.001, "1e-3", "1e-3", False),
        (float, 0.001, "1e-4", "1e-4", True),
        (int, 1, "many", "many", True),
        (int, MISSING, "", MISSING, False),
        (bool, True, "false", False, True),
        (str, "a", ' "" ', "", True),
        (str, "a", '"b\\u0007"', "b\a", True),
        (str, "a", '"b', '"b', True),
        (tuple[str, ...], ["a"], "a", ["a"], False),
        (tuple[str, ...], ["a"], "b , c,", ["b", "c"], True),
        (tuple[str, ...], ["a"], '["b,c"]', ["b,c"], True),
        (tuple[str, ...], ["a"], "[]", [], True),
        (tuple[str, ...], ["a"], "[", "[", True),
    ],
)
def test_a_field_reads_what_is_typed(annotation: Any, default: Any, text: str, value: object, changed: bool) -> None:
    found = field(annotation, default, text)
    assert found.value == value
    assert found.changed == changed


@given(TEXT, st.lists(TEXT, max_size=4))
def test_any_text_can_be_shown_in_a_field_and_read_back(text: str, items: list[str]) -> None:
    one, many = field(str, MISSING, ""), field(tuple[str, ...], MISSING, "")
    one.value, many.value = text, items
    assert (one.value, many.value) == (text, items)
    for shown in (one.text, many.text):
        assert plain(shown) == shown
        assert "\n" not in shown
