"""What the tables hold: the figures of the result files and of the trainings' last evaluations, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import api_runs
import pytest
import run_dirs
import tournament_runs

from arena.core.errors import ArenaError
from arena.runs.paths import DB_NAME, RECORD, RESULT_JSON
from arena.runs.record import read_record
from arena.runs.rows import MetricRow
from arena.runs.store import RunStore
from arena.tui.collect.table_kinds import API, HEAD_TO_HEAD, KINDS, OOD, REASONING, SCORES, TRUTH
from arena.tui.collect.tables import Tables, TablesReader
from arena.tui.sheet import Counts, Figure, Sheet

KUHN = "kuhn_poker?hands=1&payoff=chips"


def read(root: Path, *given: Path) -> Tables:
    return TablesReader(root, given).read()


def column(sheet: Sheet, name: str) -> list[Any]:
    place = [heading.name for heading in sheet.headings].index(name)
    return [line.cells[place] for line in sheet.lines]


def rows(sheet: Sheet) -> list[dict[str, Any]]:
    names = [heading.name for heading in sheet.headings]
    return [dict(zip(names, line.cells, strict=True)) for line in sheet.lines]


def result(run: Path) -> Any:
    return json.loads((run / RESULT_JSON).read_text(encoding="utf-8"))


def change_result(run: Path, change: Callable[[Any], object]) -> None:
    found = result(run)
    change(found)
    (run / RESULT_JSON).write_text(json.dumps(found), encoding="utf-8")


def test_scores_are_those_of_the_result_once_with_bots_as_opponents(root: Path) -> None:
    run = tournament_runs.played(root / "t", players=["random", "ckpt:tiny", "ckpt:other"])
    found = rows(read(root).sheets[SCORES])
    stored = {(row["game"], frozenset((row["a"], row["b"]))): row for row in result(run)["results"]}
    assert len(found) == len(stored) == 6
    for row in found:
        of = stored[row["game"], frozenset((row["player"], row["opponent"]))]
        assert row["player"] != "random"
        same = row["player"] == of["a"]
        top = 0 if of["unit"] == "utility" else 1
        assert row["score"].value == pytest.approx(of["score"] if same else top - of["score"])
        assert row["score"].low == pytest.approx(of["low"] if same else top - of["high"])
        counts = Counts(of["wins"], of["draws"], of["losses"])
        assert row["counts"] == (counts if same else Counts(*counts[::-1]))
        assert row["n"] == sum(counts) == 2 * of["pairs"]
        assert (row["forfeits"], row["opponent_forfeits"])[:: 1 if same else -1] == (of["forfeits_a"], of["forfeits_b"])
        assert (row["score"].even, row["score"].signed) == ((0.0, True) if of["unit"] == "utility" else (0.5, False))
        assert (row["unit"], row["state"], row["run"]) == (of["unit"], "finished", "t")


def test_a_training_has_the_scores_of_its_last_evaluation(root: Path) -> None:
    run_dirs.training(root / "k", steps=37)
    found = read(root)
    scores = rows(found.sheets[SCORES])
    assert len(scores) == 6
    assert {row["player"] for row in scores} == {"k@30"}
    first = next(row for row in scores if row["game"] == "tictactoe" and row["opponent"] == "random")
    assert first["score"].value == pytest.approx(0.59 + 0.15)
    assert (first["n"], first["kind"], first["unit"], first["counts"]) == (64, "own", "points", None)
    chips = next(row for row in scores if row["game"] == KUHN)
    assert (chips["unit"], chips["score"].signed, chips["score"].even) == ("utility", True, 0.0)
    truths = rows(found.sheets[TRUTH])
    assert {(row["measure"], row["n"]) for row in truths} == {("optimal_move_rate", 800), ("exploitability", 12_288)}


def test_forfeits_of_a_training_are_counted_from_their_rate(root: Path) -> None:
    run = run_dirs.training(root / "k", steps=10, end="stopped")
    with RunStore(run) as store:
        store.add_metrics([MetricRow(10, "eval_forfeit_rate", 0.25, "tictactoe", "", "random", 0.2, 0.3, 64)])
    forfeits = {(row["game"], row["opponent"]): row["forfeits"] for row in rows(read(root).sheets[SCORES])}
    assert forfeits["tictactoe", "random"] == 16
    assert forfeits["tictactoe", "start"] is None


def test_a_resumed_training_shows_what_it_has_now(root: Path) -> None:
    run = run_dirs.training(root / "k", steps=30, end="stopped")
    reader = TablesReader(root)
    assert set(column(reader.read().sheets[SCORES], "player")) == {"k@30"}
    with RunStore(run) as store:
        store.drop_after(20)
    assert set(column(reader.read().sheets[SCORES], "player")) == {"k@20"}


def test_head_to_head_has_both_sides_and_a_matrix(root: Path) -> None:
    run = tournament_runs.against_each_other(root / "h")
    tournament_runs.played(root / "t", pairs=2)
    found = read(root)
    sheet = found.sheets[HEAD_TO_HEAD]
    assert set(column(sheet, "run")) == {"h"}
    assert len(sheet.lines) == 2 * (len(result(run)["results"]) + len(result(run)["overall"]))
    sides = {(row["game"], row["player"], row["opponent"]): row["score"].value for row in rows(sheet)}
    for (game, player, opponent), score in sides.items():
        assert score + sides[game, opponent, player] == pytest.approx(1)
    assert [one.run.name for one in found.meetings] == ["h"]


def test_transfer_is_that_of_the_result(root: Path) -> None:
    run = tournament_runs.held_out(root / "o")
    found = read(root)
    stored = result(run)
    lines = {(row["game"], row["player"], row["opponent"]): row for row in rows(found.sheets[OOD])}
    for change in stored["changes"]:
        row = lines[change["game"], change["player"], change["opponent"]]
        assert row["change"] == Figure(change["change"], change["low"], change["high"], 0.0, True)
        assert (row["kind"], row["n"]) == ("OOD", 20)
    bots = [row for row in stored["averages"] if row["opponent"] == "all"]
    assert bots
    for average in bots:
        row = lines[f"all {average['games']} games", average["player"], "all bots"]
        assert row["score"] == Figure(average["score"], average["low"], average["high"], 0.5)
        assert row["n"] == 20 * 2 * 2 + 20, "random and scripted in two games, optimal in pig_dice"
        assert (row["change"] is None) == (average["player"] == stored["base"])


def test_transfer_has_a_column_for_each_game(root: Path) -> None:
    run = tournament_runs.held_out(root / "o")
    found = read(root).transfer
    names = [heading.name for heading in found.headings]
    assert names == ["run", "player", "opponent", "all games", "snake", "pig_dice"]
    lines = {(row["player"], row["opponent"]): row for row in rows(found)}
    for change in result(run)["changes"]:
        cell = lines[change["player"], change["opponent"]][change["game"]]
        assert (cell.value, cell.low, cell.high, cell.kind) == (change["change"], change["low"], change["high"], "ood")
    assert result(run)["base"] not in {player for player, _ in lines}


def test_games_named_as_columns_do_not_hide_them(root: Path) -> None:
    run = tournament_runs.held_out(root / "o")
    text = (run / RESULT_JSON).read_text(encoding="utf-8").replace('"snake"', '"player"').replace("pig_dice", "ood")
    (run / RESULT_JSON).write_text(text, encoding="utf-8")
    names = [heading.name for heading in read(root).transfer.headings]
    assert names == ["run", "player", "opponent", "all games", "game player", "ood"]


def test_ground_truth_comes_from_results_and_trainings(root: Path) -> None:
    run = tournament_runs.played(root / "t", pairs=2)
    run_dirs.training(root / "k", steps=10)
    found = rows(read(root).sheets[TRUTH])
    stored = {(row["player"], row["measure"]): row for row in result(run)["ground_truth"]}
    mine = [row for row in found if row["run"] == "t"]
    assert len(mine) == len(stored)
    for row in mine:
        of = stored[row["player"], row["measure"]]
        assert (row["value"].value, row["value"].low, row["n"]) == (of["value"], of["low"], of["n"])
    assert {row["run"] for row in found} == {"t", "k"}


def test_api_players_have_their_own_table(root: Path) -> None:
    tournament_runs.played(root / "t", players=["ckpt:tiny", "random"], pairs=2)
    assert not read(root).sheets[API].lines
    assert not read(root).sheets[REASONING].lines
    api_runs.tournament(root / "a")
    api_runs.training(root / "k")
    api_runs.match(root / "m", "summary")
    found = rows(read(root).sheets[API])
    assert {row["run"] for row in found} == {"a", "k", "m"}
    gemini, mistral = (row for row in found if row["run"] == "a")
    assert (gemini["player"], gemini["requests"], gemini["retries"]) == (api_runs.GEMINI, 1234, 3)
    assert (gemini["tokens_in"], gemini["tokens_out"], gemini["thinking"]) == (123_456, 812_345, 700_123)
    assert gemini["cost"].value == 4.3125
    assert not gemini["stopped"]
    assert mistral["cost"] is None
    assert mistral["stopped"] == api_runs.REFUSED


def test_every_kind_says_what_fills_it() -> None:
    for kind in KINDS.values():
        assert kind.filled_by
        assert kind.commands
        assert len({heading.name for heading in kind.headings}) == len(kind.headings)


# Reading again


def test_nothing_is_read_twice_and_news_are(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from arena.tui.collect import tables

    run = tournament_runs.played(root / "t", pairs=2)
    run_dirs.training(root / "k", steps=10)
    asked: list[Path] = []
    real = tables.read_record
    monkeypatch.setattr(tables, "read_record", lambda path: asked.append(path) or real(path))
    reader = TablesReader(root)
    first = reader.read()
    assert len(asked) == 2
    assert reader.read() is first
    assert len(asked) == 2
    change_result(run, lambda found: found["results"].pop())
    os.utime(run / RESULT_JSON, (1, 1))
    second = reader.read()
    assert len(asked) == 3
    assert len(second.sheets[SCORES].lines) == len(first.sheets[SCORES].lines) - 1


def test_a_running_job_is_looked_at_again_and_progress_alone_is_no_news(root: Path) -> None:
    run = tournament_runs.played(root / "t", pairs=2, share=0.5, end="")
    reader = TablesReader(root)
    first = reader.read()
    assert column(first.sheets[SCORES], "state")[0] == "running"
    with RunStore(run) as store:
        store.add_event("note", "something")
    assert reader.read() is first
    with RunStore(run) as store:
        store.add_event("finished", "")
    assert set(column(reader.read().sheets[SCORES], "state")) == {"finished"}


def test_runs_come_and_go(root: Path) -> None:
    run = tournament_runs.played(root / "t", pairs=2)
    reader = TablesReader(root)
    assert reader.read().runs == 1
    tournament_runs.played(root / "u", pairs=2)
    assert set(column(reader.read().sheets[SCORES], "run")) == {"t", "u"}
    shutil.rmtree(run)
    assert set(column(reader.read().sheets[SCORES], "run")) == {"u"}


def test_only_the_given_runs_are_read(root: Path) -> None:
    tournament_runs.played(root / "t", pairs=2)
    run = tournament_runs.played(root / "u", pairs=2)
    found = read(root, run)
    assert (found.runs, set(column(found.sheets[SCORES], "run"))) == (1, {"u"})
    shutil.rmtree(run)
    gone = read(root, run)
    assert len(gone.problems) == 1
    assert gone.problems[0].startswith("u: ")


def test_runs_of_one_name_are_told_apart(root: Path) -> None:
    for folder in ("a", "b"):
        path = tournament_runs.played(root / folder / "t", pairs=1)
        shutil.move(path, root / f"{folder}-t")
    assert set(column(read(root).sheets[SCORES], "run")) == {"a-t", "b-t"}


# What goes wrong


def test_a_run_without_a_result_waits(root: Path) -> None:
    tournament_runs.played(root / "t", pairs=2, result=False)
    found = read(root)
    assert (found.waiting, found.problems, found.sheets[SCORES].lines) == (1, (), ())


@pytest.mark.parametrize(
    "damage",
    [
        lambda run: (run / RESULT_JSON).write_text("{"),
        lambda run: (run / RESULT_JSON).write_text('{"schema": 9}'),
        lambda run: (run / RECORD).write_text("[]"),
        lambda run: (run / DB_NAME).write_bytes(b"no database" * 100),
    ],
)
def test_a_damaged_run_is_told_and_keeps_its_last_good_figures(root: Path, damage: Callable[[Path], object]) -> None:
    run = tournament_runs.played(root / "t", pairs=2)
    tournament_runs.played(root / "u", pairs=2)
    reader = TablesReader(root)
    before = reader.read().sheets[SCORES].lines
    for path in run.glob(f"{DB_NAME}-*"):
        path.unlink()
    damage(run)
    after = reader.read()
    assert len(after.problems) == 1
    assert after.problems[0].startswith("t: ")
    assert {line.key: line for line in after.sheets[SCORES].lines} == {line.key: line for line in before}
    assert reader.read() is after
    fresh = read(root)
    assert set(column(fresh.sheets[SCORES], "run")) == {"u"}


def test_a_damaged_average_costs_its_interval_alone(root: Path) -> None:
    run = tournament_runs.held_out(root / "o")
    whole = len(read(root).sheets[OOD].lines)
    change_result(run, lambda found: [row.pop("games") for row in found["averages"] if row["opponent"] == "all"])
    found = read(root).sheets[OOD]
    assert len(found.lines) == whole
    assert next(row["score"].low for row in rows(found) if row["opponent"] == "all bots") is None


def test_a_root_that_is_a_file_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArenaError, match="cannot be read"):
        read(tmp_path / "file")


def test_other_kinds_of_runs_add_nothing(root: Path) -> None:
    run = tournament_runs.played(root / "t", pairs=1)
    record = json.loads((run / RECORD).read_text())
    (run / RECORD).write_text(json.dumps(record | {"kind": "match"}))
    assert read_record(run).kind == "match"
    found = read(root)
    assert (found.runs, found.problems) == (1, ())
    assert not any(sheet.lines for sheet in found.sheets.values())


def test_hostile_names_are_kept_whole_in_data(root: Path) -> None:
    tournament_runs.hostile(root / "h")
    found = read(root)
    assert found.problems == ()
    assert {*column(found.sheets[SCORES], "player"), *column(found.sheets[SCORES], "opponent")} == {
        *tournament_runs.HOSTILE
    }
