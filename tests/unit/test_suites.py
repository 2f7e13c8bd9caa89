"""The suites `head-to-head` and `ood`: who meets whom, figures against counts made by hand, tables."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from arena.config.tournament import HeadToHeadConfig, OodConfig, PairsConfig, TournamentConfig, held_out_games
from arena.core.registry import load_game
from arena.runs.launch import create_run
from arena.runs.reader import RunReader
from arena.runs.rows import MatchRow
from arena.runs.store import RunStore
from evals.__main__ import main
from evals.changes import Meetings, average_rows
from evals.players import EVENT
from evals.report import group_matches
from evals.statistics import points
from evals.suites import head_to_head, ood, tournament

CHIPS = "kuhn_poker?hands=1&payoff=chips"


def played(run_dir: Path, config: PairsConfig) -> Path:
    create_run(config, config.kind, run_dir)
    assert main([str(run_dir), "--json"]) == 0
    return run_dir


def matches(run_dir: Path) -> list[MatchRow]:
    with RunReader(run_dir) as reader:
        return reader.all_matches()


def text_of(table: Any, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=True)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def duel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = HeadToHeadConfig(players=["random", "scripted", "optimal"], games=["tictactoe", CHIPS], pairs=4, seed=3)
    return played(tmp_path_factory.mktemp("duel") / "run", config)


@pytest.fixture(scope="module")
def abroad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    players = ["scripted?skill=0.1", "scripted?skill=1"]
    games = ["pig_dice", "tictactoe", "snake"]
    config = OodConfig(players=players, games=games, base="scripted?skill=0.6", pairs=4, seed=3)
    return played(tmp_path_factory.mktemp("abroad") / "run", config)


# -- head-to-head ---------------------------------------------------------------------------------------------


def test_a_head_to_head_is_a_tournament_with_a_matrix(tmp_path: Path, duel: Path) -> None:
    config = TournamentConfig(players=["random", "scripted", "optimal"], games=["tictactoe", CHIPS], pairs=4, seed=3)
    expected = tournament.build_result(played(tmp_path / "t", config))
    result = head_to_head.build_result(duel)
    assert {key: result[key] for key in expected} == {**expected, "ground_truth": []}
    assert result["players"][0] == {"player": "random", "step": None, "trained_on": []}
    met = [(row["game"], row["player"], row["opponent"]) for row in result["matrix"]]
    pairings = list(permutations(config.players, 2))
    assert sorted(met) == sorted((game, a, b) for game in config.games for a, b in pairings)


def test_the_matrix_shows_each_meeting_from_both_sides(duel: Path) -> None:
    result = head_to_head.build_result(duel)
    cells = {(row["game"], row["player"], row["opponent"]): row for row in result["matrix"]}
    for row in result["results"]:
        ours, theirs = cells[row["game"], row["a"], row["b"]], cells[row["game"], row["b"], row["a"]]
        assert (ours["wins"], ours["losses"], ours["score"]) == (row["wins"], row["losses"], row["score"])
        assert (theirs["wins"], theirs["draws"], theirs["losses"]) == (row["losses"], row["draws"], row["wins"])
        assert theirs["low"] <= theirs["score"] <= theirs["high"]
        total = 0 if row["unit"] == "utility" else 1
        assert ours["score"] + theirs["score"] == pytest.approx(total, abs=1e-5)
        assert ours["low"] + theirs["high"] == pytest.approx(total, abs=1e-5)


def test_ground_truth_is_measured_where_it_is_asked_for(tmp_path: Path) -> None:
    names = ["random", "optimal"]
    config = HeadToHeadConfig(players=names, games=["pig_dice"], pairs=1, ground_truth=True)
    result = head_to_head.build_result(played(tmp_path / "run", config))
    assert [(row["player"], row["measure"]) for row in result["ground_truth"]] == [(n, "value_loss") for n in names]


def test_by_default_a_head_to_head_is_about_the_training_games() -> None:
    config = HeadToHeadConfig(players=["random", "scripted"])
    assert config.games == ["tictactoe", "kuhn_poker", "simple_negotiation"]
    assert all(load_game(name).INFO.trained for name in config.games)


def provenance(run_dir: Path, trained: dict[str, list[str]]) -> None:
    """Note what players were trained on, as a job does."""
    pins = {
        name: {"target": "t", "step": 7, "sha256": "0" * 64, "trained_on": games} for name, games in trained.items()
    }
    with RunStore(run_dir) as store:
        store.add_event(EVENT, "", detail=json.dumps(pins))


def fake_matches(run_dir: Path, meetings: list[tuple[str, str, str]], pairs: int = 100) -> None:
    """Every meeting won by a, b forfeiting."""
    rows = []
    for game, a, b in meetings:
        for pair in range(pairs):
            for leg in (0, 1):
                rows.append(MatchRow(len(rows), game, a, b, pair, leg, pair, 1.0, -1.0, "b", 5, 0, 0.0, ""))
    with RunStore(run_dir) as store:
        store.add_matches([(row, []) for row in rows])


HOSTILE = "ckpt:[bold]\x1b]52;c;AAAA\x07[/nope]\u202e"


def test_many_players_with_long_names_fit_100_columns_and_own_games_are_marked(tmp_path: Path) -> None:
    names = [f"ckpt:runs/a-rather-long-name-of-a-run-{n}-20260101-120000@40?temperature=0.5" for n in range(7)]
    names.append(HOSTILE)
    games = ["tictactoe", CHIPS, "snake"]
    run_dir = create_run(HeadToHeadConfig(players=names, games=games), "head-to-head", tmp_path / "run")
    fake_matches(run_dir, [(game, a, b) for game in games for a, b in permutations(names, 2) if a < b])
    provenance(run_dir, {names[0]: ["tictactoe"], names[1]: ["kuhn_poker"]})
    result = head_to_head.build_result(run_dir)
    kinds = {(row["game"], row["player"]): row["kind"] for row in result["matrix"]}
    assert [kinds["tictactoe", name] for name in names[:3]] == ["own", "other", "other"]
    assert kinds[CHIPS, names[1]] == "own"
    assert {kinds["snake", name] for name in names} == {"ood"}
    text = text_of(head_to_head.render(result))
    assert max(map(len, text.splitlines())) <= 100
    for figure in (
        "200–0–0",
        "0–0–200",
        "1.000",
        "+1.000",
        "−1.000",
        "own game",
        "snake (OOD)",
        "against 8",
        "forfeits",
    ):
        assert figure in text
    assert not set("\x1b\x07\u202e") & set(text)
    assert "[bold]" in text


# -- ood ------------------------------------------------------------------------------------------------------


def test_by_default_ood_is_about_every_held_out_game() -> None:
    config = OodConfig(players=["random"])
    assert config.base == "ckpt:tiny"
    assert config.games == held_out_games()
    assert {"snake", "pig_dice", "truth_and_deception"} <= set(config.games)
    assert "textarena" not in config.games


def test_everybody_meets_the_bots_and_the_base_and_nobody_itself(abroad: Path) -> None:
    low, high, base = "scripted?skill=0.1", "scripted?skill=1", "scripted?skill=0.6"
    met = defaultdict(set)
    for row in ood.build_result(abroad)["results"]:
        assert (row["a"], row["b"]) not in met[row["game"]]
        met[row["game"]].add((row["a"], row["b"]))
    bots = {"random", "scripted", "optimal"}
    expected = {(name, bot) for name in (low, high, base) for bot in bots} | {(low, base), (high, base)}
    assert met["pig_dice"] == met["tictactoe"] == expected
    assert met["snake"] == {(a, b) for a, b in expected if b != "optimal"}


def test_a_bot_among_the_players_meets_no_one_twice(tmp_path: Path) -> None:
    config = OodConfig(players=["scripted", "random"], games=["snake"], base="random", pairs=2)
    result = ood.build_result(played(tmp_path / "run", config))
    assert [(row["a"], row["b"]) for row in result["results"]] == [("random", "scripted")]
    assert result["changes"] == []
    scores = {(row["player"], row["opponent"]): row["score"] for row in result["averages"]}
    assert scores["random", "scripted"] + scores["scripted", "random"] == pytest.approx(1)


def test_changes_are_differences_pair_by_pair_on_the_same_keys(abroad: Path) -> None:
    """Made again from the stored matches, one by one."""
    result, rows = ood.build_result(abroad), matches(abroad)
    base = result["base"]
    scores: dict[tuple[str, str, str], dict[int, float]] = defaultdict(lambda: defaultdict(float))
    keys: dict[tuple[str, int], set[int]] = defaultdict(set)
    for row in rows:
        scores[row.game, row.a, row.b][row.pair] += points(row.return_a) / 2
        keys[row.game, row.pair].add(row.key)
    assert {len(found) for found in keys.values()} == {1}
    assert len(result["changes"]) == 2 * (3 + 3 + 2)
    for row in result["changes"]:
        ours = scores[row["game"], row["player"], row["opponent"]]
        theirs = scores[row["game"], base, row["opponent"]]
        expected = sum(ours[pair] - theirs[pair] for pair in range(4)) / 4
        assert row["change"] == pytest.approx(expected, abs=1e-5)
        assert row["score"] - row["base_score"] == pytest.approx(row["change"], abs=1e-5)
        assert row["low"] <= row["change"] <= row["high"]
        assert (row["pairs"], row["kind"]) == (4, "other" if row["game"] == "tictactoe" else "ood")
    assert any(row["change"] for row in result["changes"])
    assert base not in {row["opponent"] for row in result["changes"]}


def test_averages_weigh_every_game_the_same_and_hold_no_change_of_the_base(abroad: Path) -> None:
    result = ood.build_result(abroad)
    by_game = {(r["game"], r["a"], r["b"]): r["points"] for r in result["results"]}
    averages = {(r["over"], r["player"], r["opponent"]): r for r in result["averages"]}
    player, base = "scripted?skill=1", result["base"]
    for over, games in (("all", ["pig_dice", "tictactoe", "snake"]), ("ood", ["pig_dice", "snake"])):
        row = averages[over, player, "random"]
        assert row["score"] == pytest.approx(sum(by_game[g, player, "random"] for g in games) / len(games), abs=1e-5)
        assert row["games"] == len(games)
        assert row["change"] == pytest.approx(row["score"] - averages[over, base, "random"]["score"], abs=1e-5)
        assert row["change_low"] <= row["change"] <= row["change_high"]
        assert averages[over, player, base]["change"] is None
        assert averages[over, base, "random"]["change"] is None
        assert (over, base, base) not in averages
    together = averages["all", player, "all"]
    bots = {"pig_dice": 3, "tictactoe": 3, "snake": 2}
    means = [
        sum(by_game[game, player, bot] for bot in ["random", "scripted", "optimal"][:count]) / count
        for game, count in bots.items()
    ]
    assert together["score"] == pytest.approx(sum(means) / 3, abs=1e-5)
    assert averages["all", player, "optimal"]["games"] == 2


def test_opponents_that_share_a_pairs_luck_count_as_one_draw() -> None:
    """Twice the same opponent is no more evidence than once: the interval must not narrow."""
    luck = [1.0 if pair % 3 else -1.0 for pair in range(60)]
    rows = [
        MatchRow(0, "snake", "x", bot, pair, leg, pair, value, -value, "", 5, 0, 0.0, "")
        for bot in ("random", "scripted")
        for pair, value in enumerate(luck)
        for leg in (0, 1)
    ]
    found = {
        r["opponent"]: r
        for r in average_rows(Meetings.of(group_matches(rows)), ["snake"], "x", ["random", "scripted"], "base")
    }
    assert found["all"]["high"] - found["all"]["low"] == pytest.approx(
        found["random"]["high"] - found["random"]["low"], abs=1e-6
    )


def test_a_game_for_chips_changes_in_chips_and_averages_in_points(tmp_path: Path) -> None:
    config = OodConfig(players=["scripted?skill=1"], games=[CHIPS, "snake"], base="scripted?skill=0.2", pairs=6)
    result = ood.build_result(played(tmp_path / "run", config))
    chips = [row for row in result["changes"] if row["game"] == CHIPS]
    assert {row["unit"] for row in chips} == {"utility"}
    for row in chips:
        (line,) = [
            r for r in result["results"] if (r["game"], r["a"], r["b"]) == (CHIPS, row["player"], row["opponent"])
        ]
        assert row["score"] == pytest.approx(line["score"], abs=1e-5)
    assert all(0 <= row["score"] <= 1 for row in result["averages"])


@pytest.mark.parametrize("kind", ["head-to-head", "ood"])
def test_bots_give_the_same_json_at_any_concurrency(tmp_path: Path, kind: str) -> None:
    results = []
    for concurrency in (1, 32):
        shared: dict[str, Any] = {"games": ["snake"], "pairs": 3, "concurrency": concurrency}
        config: PairsConfig = (
            OodConfig(players=["scripted"], base="random", **shared)
            if kind == "ood"
            else HeadToHeadConfig(players=["scripted", "random"], **shared)
        )
        suite = ood if kind == "ood" else head_to_head
        results.append(json.dumps(suite.build_result(played(tmp_path / str(concurrency), config))))
    assert results[0] == results[1]
    assert str(tmp_path) not in results[0]


def test_the_tables_of_ood_fit_100_columns_and_mark_own_games(tmp_path: Path) -> None:
    long = "ckpt:runs/a-rather-long-name-of-a-run-20260101-120000@40?temperature=0.5"
    games = ["snake", "tictactoe"]
    config = OodConfig(players=[long, HOSTILE], games=games, base="ckpt:base")
    run_dir = create_run(config, "ood", tmp_path / "run")
    opponents = ("random", "scripted", "ckpt:base")
    fake_matches(
        run_dir,
        [(game, a, b) for game in games for a in ("ckpt:base", long, HOSTILE) for b in opponents if a != b],
    )
    provenance(run_dir, {long: ["tictactoe"], HOSTILE: ["kuhn_poker"]})
    result = ood.build_result(run_dir)
    kinds = {(row["game"], row["player"]): row["kind"] for row in result["changes"]}
    assert (kinds["tictactoe", long], kinds["tictactoe", HOSTILE], kinds["snake", long]) == ("own", "other", "ood")
    text = text_of(ood.render(result))
    assert max(map(len, text.splitlines())) <= 100
    joined = "".join(text.split())
    for part in ("owngame", "othertraininggame", "snake(OOD)", "(base)", "200–0–0", "0/200", "Averageover2games"):
        assert part in joined
    assert "Averageover1OODgame," in joined
    assert not set("\x1b\x07\u202e") & set(text)


def test_before_the_first_pair_the_tables_say_so(tmp_path: Path) -> None:
    for suite, config in (
        (ood, OodConfig(players=["random"], games=["snake"])),
        (head_to_head, HeadToHeadConfig(players=["random", "scripted"])),
    ):
        run_dir = create_run(config, config.kind, tmp_path / config.kind)
        RunStore(run_dir).close()
        assert "No pair of matches is complete yet." in text_of(suite.render(suite.build_result(run_dir)))
