"""Games that come again: how they are told apart, and when the table warns."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from arena.core.errors import ArenaError
from arena.core.registry import GameSpec, load_player
from arena.runs.rows import MatchRow, TurnRow
from arena.runs.store import RunStore
from arena.runs.transcripts import TranscriptReader
from evals.distinct import is_few
from evals.report import build_result
from evals.runner import run_matches
from evals.schedule import round_robin


def match(number: int, pair: int, leg: int, **changes: Any) -> MatchRow:
    row = MatchRow(number, "tictactoe", "x", "y", pair, leg, pair, 1.0, -1.0, "", 2, 0, 0.1, "empty", at=1.0 + number)
    return replace(row, **changes)


def turn(number: int, action: str | None, board: str = "", attempt: int = 0, thought: str = "") -> TurnRow:
    illegal = "" if action else "no move"
    return TurnRow(
        number,
        attempt,
        number % 2,
        "o",
        thought,
        "a",
        "t",
        action,
        illegal,
        "stop",
        1,
        1,
        0,
        0.1,
        board or f"b{action}",
    )


def store(path: Path, games: list[tuple[MatchRow, list[TurnRow]]]) -> Path:
    (path / "config.json").write_text(json.dumps({"seed": 1}), encoding="utf-8")
    with RunStore(path) as writer:
        writer.add_matches(games)
    return path


def distinct(path: Path) -> int | None:
    (row,) = build_result(path)["results"]
    found = row["distinct"]
    assert found is None or isinstance(found, int)
    return found


def four(**changes: Any) -> list[MatchRow]:
    return [match(2 * pair + leg, pair, leg, **changes) for pair in (0, 1) for leg in (0, 1)]


def test_the_same_moves_are_one_game_for_each_seat(tmp_path: Path) -> None:
    same = [turn(0, "4"), turn(1, "0")]
    assert distinct(store(tmp_path, [(one, same) for one in four()])) == 2


@pytest.mark.parametrize(
    "other",
    [
        [turn(0, "4"), turn(1, "8")],
        [turn(0, "4")],
        [turn(0, "4"), turn(1, "0", board="another")],
        [turn(0, "4"), turn(1, "0"), turn(2, "1")],
    ],
    ids=["action", "shorter", "position", "longer"],
)
def test_another_action_position_or_length_is_another_game(tmp_path: Path, other: list[TurnRow]) -> None:
    same = [turn(0, "4"), turn(1, "0")]
    matches = four()
    games = [(matches[0], other), *((one, same) for one in matches[1:])]
    assert distinct(store(tmp_path, games)) == 3


def test_the_first_position_and_a_forfeit_tell_games_apart_thoughts_and_illegal_replies_do_not(tmp_path: Path) -> None:
    same = [turn(0, "4")]
    loud = [turn(0, None, attempt=0), turn(0, "4", attempt=1, thought="hm")]
    matches = four()
    games = [(matches[0], same), (matches[1], same), (matches[2], loud), (replace(matches[3], board="cards"), same)]
    assert distinct(store(tmp_path, games)) == 3
    (tmp_path / "b").mkdir()
    games = [(matches[0], same), (replace(matches[2], forfeit="a"), same), (matches[1], same), (matches[3], same)]
    assert distinct(store(tmp_path / "b", games)) == 3


def test_what_ends_one_text_does_not_run_into_the_next(tmp_path: Path) -> None:
    matches = four()
    pieces = [turn(0, "4", board="1\x1f23"), turn(0, "4\x1f1", board="23")]
    assert distinct(store(tmp_path, [(one, [pieces[one.pair]]) for one in matches])) == 4


def test_matches_without_turns_are_not_known(tmp_path: Path) -> None:
    assert distinct(store(tmp_path, [(one, [turn(0, "4")] if one.pair else []) for one in four()])) is None


def test_half_a_pair_does_not_count(tmp_path: Path) -> None:
    games = [(one, [turn(0, str(one.number))]) for one in [*four(), match(4, 2, 0)]]
    assert distinct(store(tmp_path, games)) == 4


def test_matches_that_come_later_are_read_once(tmp_path: Path) -> None:
    first = four()
    store(tmp_path, [(one, [turn(0, "4")]) for one in first])
    with TranscriptReader(tmp_path) as reader:
        before = dict(reader.transcripts())
    store(tmp_path, [(replace(one, pair=one.pair + 2), [turn(0, str(one.number))]) for one in first])
    asked: list[str] = []
    with TranscriptReader(tmp_path) as reader:
        reader._db.set_trace_callback(asked.append)
        after = dict(reader.transcripts())
        assert [text for text in asked if "FROM turn WHERE id > 4" in text]
    assert after.items() > before.items()
    assert len(after) == 8


def test_a_read_that_was_cut_short_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(tmp_path, [(one, [turn(0, str(one.number)), turn(1, "8")]) for one in four()])
    steps = TranscriptReader._steps

    def cut(reader: TranscriptReader, after: int) -> Any:
        for number, step in enumerate(steps(reader, after)):
            if number == 3:
                raise ArenaError("the disk is gone")
            yield step

    with monkeypatch.context() as patch, TranscriptReader(tmp_path) as reader:
        patch.setattr(TranscriptReader, "_steps", cut)
        with pytest.raises(ArenaError):
            reader.transcripts()
    with TranscriptReader(tmp_path) as reader:
        again = dict(reader.transcripts())
    assert len(again) == len(set(again.values())) == 4


def test_another_run_at_the_same_place_is_read_anew(tmp_path: Path) -> None:
    store(tmp_path, [(one, [turn(0, "4")]) for one in four()])
    assert distinct(tmp_path) == 2
    for path in tmp_path.glob("run.db*"):
        path.unlink()
    store(tmp_path, [(replace(one, at=one.at + 99), [turn(0, str(one.number))]) for one in four()])
    assert distinct(tmp_path) == 4


def played(path: Path, names: list[str], game: str, pairs: int) -> dict[str, Any]:
    players = {name: load_player(name) for name in names}
    store(path, [])
    with RunStore(path) as writer:
        asyncio.run(run_matches(round_robin([GameSpec.parse(game)], names, pairs, 1), players, writer))
    return build_result(path)


def test_forty_matches_of_two_games_are_warned_of(tmp_path: Path) -> None:
    same = [turn(0, "4")]
    games = [(match(2 * pair + leg, pair, leg), same) for pair in range(20) for leg in (0, 1)]
    (warning,) = build_result(store(tmp_path, games))["warnings"]
    assert (warning["kind"], warning["matches"], warning["distinct"]) == ("few_distinct", 40, 2)
    assert "40 matches are 2 distinct games" in warning["message"]
    assert "--openings" in warning["message"]


@pytest.mark.parametrize("game", ["tictactoe", "kuhn_poker?hands=1&payoff=chips"])
def test_bots_that_vary_are_not_warned_of(tmp_path: Path, game: str) -> None:
    result = played(tmp_path, ["random", "optimal"], game, 100)
    assert result["warnings"] == []
    assert 2 < result["results"][0]["distinct"] < 200


def test_where_luck_is_drawn_anew_games_may_come_again() -> None:
    assert is_few(12, 200, chance=False)
    assert not is_few(12, 200, chance=True)
    assert is_few(2, 200, chance=True)
    assert not is_few(2, 4, chance=False)
    assert not is_few(100, 400, chance=False)
    assert not is_few(None, 400, chance=False)
