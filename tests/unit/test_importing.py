"""Results of others: what each format says, how matches become pairs, what is told of rows that are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from arena.cli import importing
from arena.cli.app import main as arena
from arena.config.imported import Form, ImportConfig
from arena.config.tournament import TournamentConfig
from arena.core.errors import UsageError
from arena.runs.foreign import digest, read_foreign
from arena.runs.foreign_match import ForeignMatch
from arena.runs.launch import create_run
from arena.runs.pairing import place_pairs
from arena.runs.paths import RESULT_JSON
from arena.runs.pgn import pgn_games
from arena.runs.reader import RunReader
from evals.__main__ import main


def read(tmp_path: Path, text: str, form: str = "csv", game: str | None = None) -> Any:
    path = tmp_path / f"results.{form}"
    path.write_text(text, encoding="utf-8")
    return read_foreign(path, form, game)


def one(tmp_path: Path, text: str, form: str = "csv") -> ForeignMatch:
    found = read(tmp_path, text, form)
    assert found.bad == []
    (match,) = found.matches
    assert isinstance(match, ForeignMatch)
    return match


@pytest.mark.parametrize(
    ("head", "row", "expected"),
    [
        ("game,a,b,return_a", "g,x,y,1", (0, 1.0)),
        ("Game;White;Black;Result", "g;x;y;0-1", (0, -1.0)),
        ("game\ta\tb\tresult", "g\tx\ty\t1/2-1/2", (0, 0.0)),
        ("game,a,b,leg,result", "g,x,y,1,1-0", (1, -1.0)),
        ("game,a,b,first,result", "g,x,y,y,1-0", (1, -1.0)),
        ("game,a,b,first,result", "g,x,y,B,a", (1, 1.0)),
        ("game,a,b,score", "g,x,y,0.5", (0, 0.0)),
        ("game,a,b,score", "g,x,y,0", (0, -1.0)),
        ("game,a,b,winner", "g,x,y,y", (0, -1.0)),
        ("game,a,b,winner", "g,x,y,", (0, 0.0)),
        ("game,a,b,return,return_b", "g,x,y,2.5,-2.5", (0, 2.5)),
        ("game,player,opponent,outcome", "g,x,y,Loss", (0, -1.0)),
        ("game,a,b,result", "g,b,a,a", (0, -1.0)),
    ],
)
def test_a_row_says_who_sat_where_and_what_a_got(
    tmp_path: Path, head: str, row: str, expected: tuple[int, float]
) -> None:
    match = one(tmp_path, f"{head}\n{row}\n")
    assert (match.seat_a, match.return_a) == expected
    assert match.game == "g"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("g,x,x,x,1-0,", "meets itself"),
        (",x,y,x,1-0,", "no game"),
        ("g,,y,x,1-0,", "no player 'a'"),
        ("g,x,y,z,1-0,", "neither player"),
        ("g,x,y,x,2-0,", "is not known"),
        ("g,x,y,x,,", "no result"),
        ("g,x,y,x,1-0,x", "did not lose"),
        ("g,x,y,x,1-0,z", "neither player"),
        ("g,x,y,x,1-0", "5 columns"),
        (f"g,{'x' * 501},y,y,1-0,", "501 characters"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path: Path, row: str, why: str) -> None:
    found = read(tmp_path, f"game,a,b,first,result,forfeit\ng,x,y,x,1-0,y\n{row}\ng,x,y,y,1-0,\n")
    (line,) = found.bad
    assert line.startswith(f"{tmp_path}/results.csv:3: ")
    assert why in line
    assert [match.forfeit for match in found.matches] == ["b", ""]


@pytest.mark.parametrize("value", ["nan", "inf", "1e300", "one", "", "True"])
def test_a_return_is_a_number(tmp_path: Path, value: str) -> None:
    assert len(read(tmp_path, f"game,a,b,return_a\ng,x,y,{value}\n").bad) == 1


def test_json_lines_that_are_none_are_bad_and_the_last_one_cut_off_is_counted(tmp_path: Path) -> None:
    row = json.dumps({"game": "g", "a": "x", "b": "y", "return_a": 1})
    found = read(tmp_path, f"{row}\n[1]\n\n{'[' * 100_000}\n{row}\n{row[:20]}", "jsonl")
    assert [line.rpartition("jsonl:")[2] for line in found.bad] == ["2: no JSON object", "4: it is no JSON"]
    assert (len(found.matches), found.truncated) == (2, True)
    whole = read(tmp_path, f"{row}\n{row}", "jsonl")
    assert (len(whole.matches), whole.truncated, whole.bad) == (2, False, [])


def test_bytes_that_are_no_text_are_bad_rows_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": "\xff"}\n{"game": "g", "a": "x", "b": "y", "score": 1}\n')
    assert len(read_foreign(path, "jsonl").bad) == 1
    path.write_bytes(b"game,a,b,score\ng,\xff,y,1\n")
    with pytest.raises(UsageError, match="UTF-8"):
        read_foreign(path, "csv")


@given(st.binary(max_size=300), st.sampled_from(["csv", "jsonl", "textarena", "pgn"]))
def test_any_bytes_end_in_matches_or_words(tmp_path_factory: pytest.TempPathFactory, raw: bytes, form: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(raw)
    try:
        found = read_foreign(path, form)
    except UsageError:
        return
    assert all(str(path) in line for line in found.bad)


def test_an_empty_or_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no match"):
        read(tmp_path, "game,a,b,score\n")
    with pytest.raises(UsageError, match="Cannot read"):
        read_foreign(tmp_path / "no.csv", "csv")


def test_textarena_rewards_are_by_player_id_and_an_invalid_move_is_a_forfeit(tmp_path: Path) -> None:
    data = {
        "env_id": "KuhnPoker-v0",
        "players": {"0": "x", "1": "y"},
        "rewards": {"0": -1, "1": 1},
        "game_info": {"0": {"invalid_move": True, "turn_count": 2}, "1": {"invalid_move": False, "turn_count": 1}},
    }
    match = one(tmp_path, json.dumps(data) + "\n", "textarena")
    assert (match.game, match.a, match.b, match.seat_a) == ("KuhnPoker-v0", "x", "y", 0)
    assert (match.return_a, match.forfeit, match.turn_count) == (-1.0, "a", 3)
    draw = one(tmp_path, json.dumps(data | {"rewards": [0, 0], "players": ["x", "y"]}) + "\n", "textarena")
    assert (draw.return_a, draw.forfeit) == (0.0, "")
    assert "rewards" in read(tmp_path, json.dumps(data | {"rewards": {"0": 1}}) + "\n", "textarena").bad[0]


PGN = """\
[Event "?"]
[White "deep \\"blue\\""]
[Black "y"]
[Result "1-0"]

1. e4 {best [by test] 1-0} e5 2. Nf3 (2. f4 exf4 (2... d5) 3. Nf3) Nc6 $1 ; a comment
3. Bb5 1-0

[White "y"]
[Black "deep \\"blue\\""]
[Result "0-1"]
[Termination "time forfeit"]

1.d4 d5 0-1

[White "y"]
[Black "x"]
[Result "*"]

*
"""


def test_pgn_gives_players_results_and_moves(tmp_path: Path) -> None:
    found = read(tmp_path, PGN, "pgn")
    first, second = found.matches
    assert (first.a, first.b, first.game, first.return_a) == ('deep "blue"', "y", "chess", 1.0)
    assert [turn.action for turn in first.turns] == ["e4", "e5", "Nf3", "Nc6", "Bb5"]
    assert (second.return_a, second.forfeit, [turn.seat for turn in second.turns]) == (-1.0, "a", [0, 1])
    assert (found.unfinished, found.bad, first.line, second.line) == (1, [], 1, 9)


@given(st.text(alphabet='[]"{}();$ \n1.-0e4', max_size=80))
def test_pgn_of_any_text_ends(text: str) -> None:
    for _, tags, moves in pgn_games(text.splitlines(keepends=True)):
        assert isinstance(tags, dict)
        assert all(move.strip() for move in moves)


def match(line: int, a: str, b: str, seat_a: int = 0, pair: str = "") -> ForeignMatch:
    return ForeignMatch(line, "g", a, b, seat_a, 1.0, pair=pair)


def test_swapped_matches_form_pairs_in_their_order() -> None:
    placed = place_pairs([match(1, "x", "y"), match(2, "x", "y"), match(3, "y", "x"), match(4, "x", "y", 1)])
    assert [(one.match.line, one.a, one.pair, one.leg, one.whole) for one in placed] == [
        (1, "x", 0, 0, True), (2, "x", 1, 0, True), (3, "x", 0, 1, True), (4, "x", 1, 1, True),
    ]  # fmt: skip


def test_the_file_may_say_which_matches_are_a_pair() -> None:
    placed = place_pairs([match(1, "x", "y", 0, "q"), match(2, "x", "y", 0, "r"), match(3, "y", "x", 0, "r")])
    assert [(one.match.line, one.pair, one.whole) for one in placed] == [(1, 1, False), (2, 0, True), (3, 0, True)]
    with pytest.raises(UsageError, match=r"f\.csv:3: the pair q has more than two matches"):
        place_pairs([match(1, "x", "y", 0, "q"), match(2, "y", "x", 0, "q"), match(3, "x", "y", 0, "q")], "f.csv")


@given(
    st.lists(
        st.tuples(st.sampled_from("xyz"), st.sampled_from("xyz"), st.integers(0, 1)).filter(lambda it: it[0] != it[1]),
        max_size=30,
    )
)
def test_pairs_are_of_two_seats_and_nothing_is_lost(rows: list[tuple[str, str, int]]) -> None:
    placed = place_pairs([match(line, *row) for line, row in enumerate(rows, start=1)])
    assert [one.match.line for one in placed] == list(range(1, len(rows) + 1))
    units = {(frozenset((one.a, one.b)), one.pair, one.leg) for one in placed}
    assert len(units) == len(placed)
    for meeting in {frozenset((one.a, one.b)) for one in placed}:
        ours = [one for one in placed if {one.a, one.b} == meeting]
        assert len({one.a for one in ours}) == 1
        alone = {one.leg for one in ours if not one.whole}
        assert len(alone) <= 1, "two that are left over with swapped seats would be a pair"
        for one in ours:
            assert one.leg == (one.match.seat_a if one.match.a == one.a else 1 - one.match.seat_a)


def imported(tmp_path: Path, source: Path, form: Form) -> Path:
    found = read_foreign(source, form)
    config = ImportConfig(source=str(source), format=form, sha256=digest(source), matches=len(found.matches))
    return create_run(config, "imported", tmp_path / "imported")


def test_what_is_exported_comes_back_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = TournamentConfig(players=["random", "scripted", "optimal"], games=["tictactoe", "pig_dice"], pairs=4)
    run_dir = create_run(config, "tournament", tmp_path / "run")
    assert main([str(run_dir), "--json"]) == 0
    before = json.loads(capsys.readouterr().out)
    assert main([str(run_dir), "--show", "--format", "jsonl"]) == 0
    source = tmp_path / "matches.jsonl"
    source.write_text(capsys.readouterr().out)
    again = imported(tmp_path, source, "jsonl")
    assert main([str(again), "--json"]) == 0
    after = json.loads(capsys.readouterr().out)
    for key in ("results", "overall", "ratings", "alpha_rank", "claims", "warnings"):
        assert after[key] == before[key]
    assert after["imported"]["pairs"] == 24
    with RunReader(run_dir) as old, RunReader(again) as new:
        for mine, theirs in zip(old.all_matches(), new.all_matches(), strict=True):
            assert old.turns(mine.id) == new.turns(theirs.id)
    progress = json.loads((again / RESULT_JSON).read_text())
    assert (progress["finished"], progress["played"], progress["planned"]) == (True, 48, 48)


def test_games_that_are_not_ours_are_scored_by_their_returns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "r.csv"
    rows = [f"go,x,y,{seat},{value}" for value in (1, 1, -1, 0) for seat in (0, 1)]
    rows += [f"bridge,x,y,{seat},{value}" for value in (300, -50) for seat in (0, 1)] + ["go,x,y,0,1"]
    source.write_text("\n".join(["game,a,b,leg,return_a", *rows, ""]))
    run_dir = imported(tmp_path, source, "csv")
    assert main([str(run_dir)]) == 0
    text = capsys.readouterr().out
    for word in ("Matches: 13.", "Pairs: 6,", "in no figure: 1.", "share no luck"):
        assert word in text
    result = json.loads((run_dir / RESULT_JSON).read_text())
    go, bridge = result["results"]
    assert (go["unit"], go["score"], go["wins"], go["losses"], go["ood"]) == ("points", 0.625, 4, 2, None)
    assert (bridge["unit"], bridge["score"], bridge["distinct"]) == ("utility", 125.0, None)
    assert bridge["low"] < 125 < bridge["high"] <= 300


def test_intervals_of_pairs_without_shared_luck_hold_the_true_score() -> None:
    import numpy as np

    from evals.statistics import Pair, PairOutcomes, score_interval

    rng = np.random.default_rng(3)
    hits, trials, pairs = 0, 300, 60
    for _ in range(trials):
        first = rng.choice([1.0, 0.0, -1.0], pairs, p=[0.6, 0.1, 0.3])
        second = rng.choice([1.0, 0.0, -1.0], pairs, p=[0.3, 0.1, 0.6])
        found = score_interval(PairOutcomes.of(Pair(*row) for row in zip(first.tolist(), second.tolist(), strict=True)))
        hits += found.low <= 0.5 <= found.high
    assert 0.91 <= hits / trials <= 0.985


def test_a_file_that_changed_since_is_not_mixed_in(tmp_path: Path) -> None:
    source = tmp_path / "r.csv"
    source.write_text("game,a,b,score\ng,x,y,1\ng,y,x,1\n")
    run_dir = imported(tmp_path, source, "csv")
    source.write_text("game,a,b,score\ng,x,y,0\ng,y,x,1\n")
    assert main([str(run_dir)]) == 1
    source.write_text("game,a,b,score\ng,x,y,1\ng,y,x,1\n")
    assert main([str(run_dir)]) == 0
    source.unlink()
    assert main([str(run_dir)]) == 0, "what is stored needs no source any more"


def invoke(monkeypatch: pytest.MonkeyPatch, *args: str) -> Any:
    """The command, without turning into the job."""
    import typer

    from arena.runs import launch

    ran: list[list[str]] = []
    monkeypatch.setattr(launch, "become", lambda command: ran.append(list(command)))
    app = typer.Typer()
    importing.register(app)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["import", *args]), ran


def test_the_command_makes_no_run_of_a_file_with_bad_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "r.csv"
    source.write_text("a,b,score\nx,y,1\nx,y,7\ny,x,1\n")
    out = tmp_path / "out"
    result, ran = invoke(monkeypatch, str(source), "--game", "go", "--out", str(out))
    assert isinstance(result.exception, UsageError)
    assert f"{source}:3: the score is 7" in str(result.exception)
    assert not out.exists()
    assert ran == []
    result, ran = invoke(monkeypatch, str(source), "--game", "go", "--out", str(out), "--skip-bad")
    assert result.exception is None
    assert len(ran) == 1
    assert main([str(out)]) == 0
    found = json.loads((out / RESULT_JSON).read_text())
    assert found["imported"]["skipped"] == 1
    assert found["results"][0]["pairs"] == 1


def test_a_suffix_that_tells_nothing_needs_a_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "r.txt"
    source.write_text("game,a,b,score\ng,x,y,1\n")
    result, _ = invoke(monkeypatch, str(source))
    assert "--format csv" in str(result.exception)


def test_a_name_that_is_half_a_character_is_a_bad_row(tmp_path: Path) -> None:
    row = json.dumps({"game": "g", "a": "x\ud800", "b": "y", "score": 1})
    (line,) = read(tmp_path, f"{row}\n", "jsonl").bad
    assert "no text" in line


def test_an_import_of_nothing_is_refused_and_makes_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "results.csv", tmp_path / "run"
    path.write_text("game,a,b,result\ng,x,y,so\ng,x,y,so\n")
    assert arena(["import", str(path), "--out", str(out)]) == 2
    assert "There is 1 more such row." in capsys.readouterr().err
    assert arena(["import", str(path), "--out", str(out), "--skip-bad"]) == 2
    assert "bad rows: 2, matches without a result: 0" in capsys.readouterr().err
    assert not out.exists()
