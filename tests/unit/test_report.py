from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from arena.core.errors import ArenaError
from arena.core.registry import GameSpec, load_player
from arena.runs.rows import MatchRow, TruthRow
from arena.runs.store import RunStore
from evals.report import build_result, render_table
from evals.runner import run_matches
from evals.schedule import round_robin

CHIPS = "kuhn_poker?hands=1&payoff=chips"


def row(number: int, pair: int, leg: int, value: float, **changes: Any) -> MatchRow:
    defaults: dict[str, Any] = {"game": "tictactoe", "a": "x", "b": "y", "forfeit": "", "voids": 0}
    return MatchRow(
        number=number,
        pair=pair,
        leg=leg,
        key=pair,
        return_a=value,
        return_b=-value,
        turns=5,
        seconds=0.25 * number,
        board="",
        **(defaults | changes),
    )


def run_dir(path: Path, rows: list[MatchRow], truths: list[TruthRow] | None = None) -> Path:
    """A run directory with these matches, built by the real writer."""
    (path / "config.json").write_text(json.dumps({"seed": 9}), encoding="utf-8")
    with RunStore(path) as store:
        store.add_matches([(match, []) for match in rows])
        store.set_truths(truths or [])
    return path


def text_of(result: dict[str, Any], width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=True)
    console.print(render_table(result))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_counts_and_score_are_from_the_side_of_a(tmp_path: Path) -> None:
    rows = [row(0, 0, 0, 1.0), row(1, 0, 1, 1.0), row(2, 1, 0, 0.0), row(3, 1, 1, -1.0)]
    result = build_result(run_dir(tmp_path, rows))
    (line,) = result["results"]
    assert (result["schema"], result["seed"]) == (1, 9)
    assert (line["a"], line["b"], line["game"], line["pairs"]) == ("x", "y", "tictactoe", 2)
    assert (line["wins"], line["draws"], line["losses"]) == (2, 1, 1)
    assert line["score"] == line["points"] == 0.625
    assert 0 < line["low"] < 0.625 < line["high"] < 1


def test_forfeits_are_counted_by_player_and_stay_losses(tmp_path: Path) -> None:
    rows = [row(0, 0, 0, -1.0, forfeit="a"), row(1, 0, 1, 1.0, forfeit="b", voids=2)]
    (line,) = build_result(run_dir(tmp_path, rows))["results"]
    assert (line["wins"], line["draws"], line["losses"]) == (1, 0, 1)
    assert (line["forfeits_a"], line["forfeits_b"], line["voids"]) == (1, 1, 2)


def test_the_seat_effect_is_the_return_as_seat_0_less_that_as_seat_1(tmp_path: Path) -> None:
    rows = [row(2 * pair + leg, pair, leg, 1.0 - 2 * leg) for pair in range(10) for leg in (0, 1)]
    (line,) = build_result(run_dir(tmp_path, rows))["results"]
    assert line["seat_effect"] == 2.0
    assert 1.2 < line["seat_effect_low"] < line["seat_effect_high"] == 2.0
    assert line["score"] == 0.5


def test_where_utility_is_not_one_the_score_is_the_mean_return(tmp_path: Path) -> None:
    rows = [row(0, 0, 0, 2.0, game=CHIPS), row(1, 0, 1, -1.0, game=CHIPS)]
    (line,) = build_result(run_dir(tmp_path, rows))["results"]
    assert (line["score"], line["unit"], line["points"]) == (0.5, "utility", 0.5)
    assert (line["wins"], line["losses"]) == (1, 1)


def test_half_a_pair_does_not_count(tmp_path: Path) -> None:
    rows = [row(0, 0, 0, 1.0), row(1, 0, 1, 1.0), row(2, 1, 0, 1.0), row(3, 0, 0, 1.0, game="pig_dice")]
    result = build_result(run_dir(tmp_path, rows))
    assert [(line["game"], line["pairs"]) for line in result["results"]] == [("tictactoe", 1)]


def test_overall_adds_up_the_games(tmp_path: Path) -> None:
    rows = [row(0, 0, 0, 1.0), row(1, 0, 1, 0.0)]
    rows += [row(2, 0, 0, -1.0, game=CHIPS, forfeit="a"), row(3, 0, 1, 2.0, game=CHIPS)]
    (line,) = build_result(run_dir(tmp_path, rows))["overall"]
    assert (line["pairs"], line["wins"], line["draws"], line["losses"]) == (2, 2, 1, 1)
    assert (line["score"], line["forfeits_a"]) == (0.625, 1)


def test_nothing_of_time_or_order_of_finishing_enters_the_result(tmp_path: Path) -> None:
    rows = [
        row(0, 0, 0, 1.0),
        row(1, 0, 1, 0.0),
        row(2, 0, 0, 1.0, game="pig_dice"),
        row(3, 0, 1, 1.0, game="pig_dice"),
    ]
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = build_result(run_dir(tmp_path / "one", rows))
    second = build_result(run_dir(tmp_path / "two", rows[::-1]))
    assert json.dumps(first) == json.dumps(second)


def test_bots_give_the_same_result_at_any_concurrency(tmp_path: Path) -> None:
    games = [GameSpec.parse("tictactoe"), GameSpec.parse(CHIPS)]
    names = ["random", "optimal", "scripted"]
    players = {name: load_player(name) for name in names}
    results = []
    for concurrency in (1, 16):
        path = tmp_path / str(concurrency)
        path.mkdir()
        run_dir(path, [])
        with RunStore(path) as store:
            asyncio.run(run_matches(round_robin(games, names, 5, 1), players, store, concurrency=concurrency))
        results.append(json.dumps(build_result(path)))
    assert results[0] == results[1]
    played = json.loads(results[0])["results"]
    assert [(line["game"], line["a"], line["b"]) for line in played] == [
        (game, a, b)
        for game in ("tictactoe", CHIPS)
        for a, b in (("random", "optimal"), ("random", "scripted"), ("optimal", "scripted"))
    ]
    assert all(line["wins"] + line["draws"] + line["losses"] == 10 for line in played)


def test_ratings_and_ground_truth_are_in_the_result(tmp_path: Path) -> None:
    truth = TruthRow("x", "tictactoe", "optimal_move_rate", 0.5, 0.4, 0.6, 100, '{"illegal": 0.01}')
    result = build_result(run_dir(tmp_path, [row(0, 0, 0, 1.0), row(1, 0, 1, 0.0)], [truth]))
    assert [rating["player"] for rating in result["ratings"]] == ["x", "y"]
    assert result["ratings"][0]["low"] <= result["ratings"][0]["rating"] <= result["ratings"][0]["high"]
    assert result["ground_truth"] == [
        {
            "player": "x",
            "game": "tictactoe",
            "measure": "optimal_move_rate",
            "value": 0.5,
            "low": 0.4,
            "high": 0.6,
            "n": 100,
            "detail": {"illegal": 0.01},
        }
    ]


def test_the_tables_fit_100_columns_and_show_every_figure(tmp_path: Path) -> None:
    long = "ckpt:runs/multi-game-20260101-120000@40?temperature=0.5"
    rows = [
        row(2 * p + leg, p, leg, 1.0, a=long, forfeit="b", game=g)
        for g in ("tictactoe", CHIPS)
        for p in range(200)
        for leg in (0, 1)
    ]
    truth = TruthRow(long, CHIPS, "exploitability", 0.081, 0.07, 0.09, 12288, '{"illegal": 0.01, "floor": 0.0066}')
    text = text_of(build_result(run_dir(tmp_path, rows, [truth])))
    assert max(map(len, text.splitlines())) <= 100
    figures = ("400–  0–  0", "1.000", "0 / 400", "0.081", "0.070 … 0.090", "12288", "1.0%", "0.007", "prior-limited")
    assert [figure for figure in figures if figure not in text] == []
    assert long in "".join(line.split("  ")[0].strip() for line in text.splitlines())


def test_hostile_names_reach_the_terminal_as_plain_text(tmp_path: Path) -> None:
    name = "ckpt:[bold]\x1b]52;c;AAAA\x07[/nope]\u202e"
    text = text_of(build_result(run_dir(tmp_path, [row(0, 0, 0, 1.0, a=name), row(1, 0, 1, 1.0, a=name)])), width=160)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\u202e" not in text
    assert "[bold]" in text
    assert "[/nope]" in text


def test_an_empty_run_says_so(tmp_path: Path) -> None:
    assert "No pair of matches is complete yet." in text_of(build_result(run_dir(tmp_path, [])))


def test_a_run_without_configuration_is_refused_in_words(tmp_path: Path) -> None:
    run_dir(tmp_path, [])
    (tmp_path / "config.json").unlink()
    with pytest.raises(ArenaError, match="cannot be read"):
        build_result(tmp_path)


def test_with_large_counts_and_voids_the_tables_still_fit(tmp_path: Path) -> None:
    long = "ckpt:runs/multi-game-20260101-120000@40?temperature=0.5"
    rows = [
        row(2 * p + leg, p, leg, value, a=long, forfeit=who, game=game, voids=1)
        for game in ("tictactoe", CHIPS)
        for p in range(600)
        for leg, value, who in ((0, 1.0, "b"), (1, -1.0, "a"))
    ]
    result = build_result(run_dir(tmp_path, rows))
    for line in (*result["results"], *result["overall"]):
        line["distinct"] = 1200
    text = text_of(result)
    assert max(map(len, text.splitlines())) <= 100
    assert [
        word for word in ("600–  0–600", "600 / 600", "1200", "Void, and replayed: 2400", "+2.00") if word not in text
    ] == []
