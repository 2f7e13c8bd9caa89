"""Players that crash, stall, flood, cheat or only draw: a tournament with them ends, and the others' results stand."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hostile_players import FLOODS, NAMING, Alternating, Bot, Crashing, Drawing, Flooding, Illegal, Stalling
from rich.console import Console
from stored_rows import match_rows

from arena.config.base import validate
from arena.config.tournament import TournamentConfig
from arena.core.errors import UsageError
from arena.core.player import Player, View
from arena.core.registry import GameSpec
from arena.core.sanitise import plain
from arena.runs.damage import check_run
from arena.runs.paths import DB_NAME
from arena.runs.reader import RunReader
from arena.runs.rows import PartialRow
from arena.runs.store import RunStore
from evals import featured
from evals.export import to_csv, to_latex, to_markdown
from evals.match_log import ANSWER_KEPT, KEPT, kept
from evals.report import build_result, render_table
from evals.runner import MatchList, Outcome, run_matches
from evals.schedule import PlannedMatch, round_robin, schedule_pairs

TICTACTOE, NEGOTIATION = GameSpec.parse("tictactoe"), GameSpec.parse("simple_negotiation")


def tournament(
    run_dir: Path, players: Sequence[Player], schedule: Sequence[PlannedMatch], **options: Any
) -> tuple[Outcome, dict[str, Any]]:
    """Play it into a run's database as a job does, resumed where matches are stored; the outcome and the result."""
    run_dir.mkdir(exist_ok=True)
    (run_dir / "config.json").write_text(json.dumps({"seed": 1}), encoding="utf-8")
    with RunStore(run_dir) as store:
        with RunReader(run_dir) as reader:
            stored = reader.units()
        waiting = [planned for planned in schedule if planned.unit not in stored]
        outcome = asyncio.run(run_matches(waiting, {one.name: one for one in players}, store, **options))
    return outcome, build_result(run_dir)


def line_of(result: dict[str, Any], a: str, b: str) -> dict[str, Any]:
    (line,) = [line for line in result["results"] if (line["a"], line["b"]) == (a, b)]
    return dict(line)


def test_a_crash_of_a_player_s_code_is_raised_and_what_was_played_is_kept(tmp_path: Path) -> None:
    names = ["bot", "crashing", "other"]
    schedule = round_robin([TICTACTOE], names, 20, 1)
    with pytest.raises(RuntimeError, match="crashed at turn"):
        tournament(tmp_path / "r", [Bot(), Crashing(), Bot("other")], schedule)
    stored = len(match_rows(tmp_path / "r"))
    assert 0 < stored < len(schedule)
    outcome, result = tournament(tmp_path / "r", [Bot(), Crashing(healed=True), Bot("other")], schedule)
    assert outcome.played == len(schedule) - stored
    whole = tournament(tmp_path / "whole", [Bot(), Crashing(healed=True), Bot("other")], schedule)[1]
    assert result == whole
    assert match_rows(tmp_path / "r") == match_rows(tmp_path / "whole")


def test_a_player_that_never_answers_keeps_nobody_else_waiting_and_a_stop_ends_it(tmp_path: Path) -> None:
    names = ["bot", "stalling", "other"]
    schedule = round_robin([TICTACTOE], names, 10, 1)
    stalling = Stalling()
    between_others = [planned for planned in schedule if "stalling" not in planned.seats]
    played = 0

    def note(count: int, _: int) -> None:
        nonlocal played
        played = count

    outcome, result = tournament(
        tmp_path / "r",
        [Bot(), stalling, Bot("other")],
        schedule,
        concurrency=12,
        on_progress=note,
        should_stop=lambda: played >= len(between_others),
        patience=0.1,
    )
    assert (outcome.stopped, outcome.played, stalling.cancelled > 0) == (True, len(between_others), True)
    assert line_of(result, "bot", "other")["pairs"] == 10
    assert len(result["results"]) == 1


def test_a_player_that_never_names_a_move_forfeits_every_match_and_only_its_own(tmp_path: Path) -> None:
    schedule = round_robin([TICTACTOE], ["bot", "illegal", "other"], 10, 1)
    _, result = tournament(tmp_path / "r", [Bot(), Illegal(), Bot("other")], schedule)
    lost = line_of(result, "bot", "illegal")
    assert (lost["wins"], lost["forfeits_a"], lost["forfeits_b"], lost["score"]) == (20, 0, 20, 1.0)
    fair = line_of(result, "bot", "other")
    assert (fair["forfeits_a"], fair["forfeits_b"]) == (0, 0)


def test_a_player_that_is_illegal_first_and_legal_then_plays_like_any_other(tmp_path: Path) -> None:
    """But for the attempts: all its moves are those that it would have made at once."""
    schedule = round_robin([TICTACTOE], ["alternating", "bot"], 10, 1)
    _, tried = tournament(tmp_path / "tried", [Alternating(), Bot()], schedule)
    _, plain_play = tournament(tmp_path / "plain", [Bot("alternating"), Bot()], schedule)
    (first,), (second,) = tried["results"], plain_play["results"]
    assert [first[key] for key in ("wins", "draws", "losses", "score", "forfeits_a")] == [
        second[key] for key in ("wins", "draws", "losses", "score", "forfeits_a")
    ]
    assert all(
        [turn.attempt for turn in turns if turn.seat == match.seat_a] == [0, 1] * (len(turns) // 3) or match.turns % 2
        for match, turns in match_rows(tmp_path / "tried")
    )


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_is_read_in_time_and_stored_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flood: str) -> None:
    monkeypatch.setattr(featured, "SECONDS", 0.01)
    schedule = round_robin([TICTACTOE], ["bot", "flooding"], 1, 1)
    began = time.monotonic()
    _, result = tournament(tmp_path / "r", [Bot(), Flooding(flood=flood)], schedule)
    assert time.monotonic() - began < 60
    assert (tmp_path / "r" / DB_NAME).stat().st_size < 16_000_000
    line = line_of(result, "bot", "flooding")
    assert (line["forfeits_a"], line["forfeits_b"]) == (0, 0 if flood in NAMING else 2)
    for _, turns in match_rows(tmp_path / "r"):
        for turn in turns:
            assert max(len(turn.text), len(turn.thought)) <= KEPT + 40
            assert max(len(turn.answer), len(turn.illegal)) <= ANSWER_KEPT + 40
            assert len(turn.illegal) < 1_000
    floods = [turn.text for _, turns in match_rows(tmp_path / "r") for turn in turns if len(turn.text) > 100]
    assert floods
    assert all(text.endswith(" more characters)") for text in floods)


@pytest.mark.parametrize("name", ["simple_negotiation", "truth_and_deception", "liars_dice"])
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_ends_in_every_kind_of_game(name: str, flood: str) -> None:
    recorder = MatchList()
    schedule = round_robin([GameSpec.parse(name)], ["bot", "flooding"], 1, 1)[:1]
    began = time.monotonic()
    asyncio.run(run_matches(schedule, {"bot": Bot(), "flooding": Flooding(flood=flood)}, recorder, retries=0))
    assert time.monotonic() - began < 60
    assert len(recorder.finished) == 1
    for turn in recorder.finished[0][1]:
        assert len(turn.observation) < 5_000


@dataclass
class Watching(MatchList):
    """Keeps what the live view was shown, too."""

    shown: list[PartialRow] = field(default_factory=list)

    def set_partials(self, partials: Iterable[PartialRow]) -> None:
        self.shown += partials

    def clear_partials(self) -> None:
        pass

    def add_event(self, kind: str, message: str, step: int = 0, detail: str = "{}", now: bool = True) -> None:
        pass


def test_a_flood_is_shown_cut_while_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(featured, "SECONDS", 0.0)
    watching, schedule = Watching(), round_robin([TICTACTOE], ["bot", "slow"], 1, 1)

    @dataclass
    class Slow(Flooding):
        async def reply(self, view: View) -> str:
            text = await super().reply(view)
            await asyncio.sleep(0.02)
            return text

    asyncio.run(run_matches(schedule, {"bot": Bot(), "slow": Slow("slow")}, watching))
    growing = [partial for partial in watching.shown if partial.text]
    assert growing
    assert max(len(partial.text) for partial in growing) <= KEPT + 40
    assert max(len(partial.turns) for partial in watching.shown) < 9 * (2 * KEPT + 2_000)


def test_what_is_cut_says_by_how_much() -> None:
    assert kept("x" * KEPT) == "x" * KEPT
    assert kept("x" * (KEPT + 5)) == "x" * KEPT + "… (5 more characters)"


# Nothing but draws, and names of every kind.

NAMES = (
    "plain", "Ünïcödé 名前 🙂", "n" * 200, "名" * 200, "a & b % $ # _ { } ~ ^ \\", "| pipe | `code` [x](y) <b>",
    "\"quoted\", 'it'", "=1+1", "[bold]x[/nope]\x1b[31m\u202e", " ", "None", "nan",
)  # fmt: skip


def all_draws(players: Sequence[str], games: Sequence[GameSpec], pairs: int = 2) -> list[PlannedMatch]:
    return round_robin(games, players, pairs, 1)


@pytest.mark.parametrize("players", [NAMES[:2], NAMES], ids=["two", "many"])
def test_a_field_that_only_draws_is_even_in_every_table(tmp_path: Path, players: tuple[str, ...]) -> None:
    drawn = [Drawing(name) for name in players]
    _, result = tournament(tmp_path / "r", drawn, all_draws(players, [NEGOTIATION]))
    for line in result["results"]:
        assert (line["wins"], line["draws"], line["losses"], line["score"]) == (0, 4, 0, 0.5)
        assert line["low"] < 0.5 < line["high"]
    assert {rating["player"] for rating in result["ratings"]} == set(players)
    for rating in result["ratings"]:
        assert rating["rating"] == pytest.approx(0.0, abs=1e-6)
        assert rating["low"] <= 0.0 <= rating["high"]
    assert_everything_prints(result)


def test_players_that_never_met_are_rated_apart_also_when_they_only_draw(tmp_path: Path) -> None:
    names = ("a", "b", "c", "d")
    schedule = schedule_pairs([NEGOTIATION], [("a", "b"), ("c", "d")], 2, 1)
    _, result = tournament(tmp_path / "r", [Drawing(name) for name in names], schedule)
    groups = {rating["player"]: rating["group"] for rating in result["ratings"]}
    assert groups["a"] == groups["b"] != groups["c"] == groups["d"]
    assert_everything_prints(result)


def test_an_undefeated_player_and_one_that_only_draws_have_finite_ratings(tmp_path: Path) -> None:
    schedule = round_robin([TICTACTOE], ["bot", "illegal"], 5, 1)
    schedule += [
        replace(planned, number=planned.number + len(schedule))
        for planned in schedule_pairs([NEGOTIATION], [("bot", "drawing")], 5, 1)
    ]
    _, result = tournament(tmp_path / "r", [Bot(), Illegal(), Drawing()], schedule)
    assert len(result["ratings"]) == 3
    for rating in result["ratings"]:
        assert abs(rating["rating"]) < 5_000
        assert rating["low"] < rating["high"]
    assert_everything_prints(result)


def test_the_same_name_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="more than once"):
        validate(TournamentConfig, {"players": ["random", "random"], "games": ["tictactoe"]}, "tournament")
    with pytest.raises(UsageError):
        validate(TournamentConfig, {"players": ["random"], "games": ["tictactoe"]}, "tournament")


def assert_everything_prints(result: dict[str, Any]) -> None:
    """In every form, without an error, a control character or a number that is none."""
    text = json.dumps(result, allow_nan=False)
    assert json.loads(text) == result
    for form in (to_markdown, to_csv, to_latex):
        assert form(result)
    for width in (60, 100, 200):
        console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=True)
        console.print(render_table(result))
        assert isinstance(console.file, io.StringIO)
        shown = console.file.getvalue()
        assert shown == plain(shown)
        assert shown.strip()


def test_what_hostile_players_leave_behind_passes_its_own_checks(tmp_path: Path) -> None:
    schedule = round_robin([TICTACTOE], ["bot", "illegal", "flooding"], 1, 1)
    tournament(tmp_path / "r", [Bot(), Illegal("illegal", text="\ud800\x00" * 50), Flooding()], schedule)
    check_run(tmp_path / "r" / DB_NAME)
