"""What is read of an evaluation: its result from each side, pages of matches, players to choose from, past paces."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import run_dirs
import tournament_runs
from databases import changing
from hypothesis import given
from hypothesis import strategies as st

from arena.core.errors import ArenaError
from arena.runs.paths import DB_NAME, RESULT_JSON
from arena.runs.reader import RunReader
from arena.tui.collect.entrants import Draft, check, read_offer
from arena.tui.collect.evaluation import ResultsReader
from arena.tui.collect.meeting import Place, read_page
from arena.tui.collect.paces import estimate
from arena.tui.collect.result_jobs import compute, export
from arena.tui.collect.results import ALL_GAMES, parse
from arena.tui.widgets.standings import (
    change_lines,
    make_grid,
    meeting_facts,
    standing_legend,
    standing_lines,
    truth_lines,
)

TTT, KUHN = "tictactoe", "kuhn_poker?hands=1&payoff=chips"


def written(run_dir: Path) -> Any:
    return json.loads((run_dir / RESULT_JSON).read_text(encoding="utf-8"))


def test_meetings_agree_with_the_file_from_both_sides(root: Path) -> None:
    run = tournament_runs.played(root / "t")
    shown = ResultsReader(run).read()
    assert (shown.run.status, shown.missing, shown.problem, shown.results.finished) == ("finished", False, "", True)
    assert shown.results.views == (ALL_GAMES, TTT, KUHN)
    result = written(run)
    for row in result["results"]:
        ours = shown.results.meetings[row["game"], row["a"], row["b"]]
        theirs = shown.results.meetings[row["game"], row["b"], row["a"]]
        assert ours.counts == (row["wins"], row["draws"], row["losses"])
        assert theirs.counts == (row["losses"], row["draws"], row["wins"])
        assert (ours.score.value, ours.score.low, ours.score.high) == (row["score"], row["low"], row["high"])
        top = 0 if row["unit"] == "utility" else 1
        assert theirs.score.low == pytest.approx(top - row["high"])
        assert ours.forfeits == (row["forfeits_a"], row["forfeits_b"])
        assert ours.seat_effect == theirs.seat_effect
    total = sum(one.matches or 0 for (game, _, _), one in shown.results.meetings.items() if game == ALL_GAMES)
    assert total == 2 * result["played"]


def test_standings_are_best_first_with_forfeits_and_undefeated_marked(root: Path) -> None:
    shown = ResultsReader(tournament_runs.played(root / "t")).read().results
    ratings = [one.rating.value for one in shown.standings if one.rating]
    assert ratings == sorted(ratings, reverse=True)
    assert sum(one.forfeits for one in shown.standings) > 0
    first = replace(shown.standings[0], counts=(4, 1, 0), matches=5)
    assert first.undefeated
    assert "undefeated" in standing_legend([first])
    assert standing_legend([replace(first, counts=(4, 0, 1))]) == ""
    assert len(truth_lines(shown, TTT)) == len(truth_lines(shown, ALL_GAMES)) == 10
    assert truth_lines(shown, KUHN) == []


def test_groups_that_never_met_stand_apart(root: Path) -> None:
    standings = ResultsReader(tournament_runs.played(root / "t")).read().results.standings
    lines = standing_lines([*standings[:3], *(replace(one, group=1) for one in standings[3:])])
    assert [(line.group, line.place) for line in lines] == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2)]


def test_head_to_head_marks_what_each_game_is_to_a_player(root: Path) -> None:
    run = tournament_runs.against_each_other(root / "h")
    shown = ResultsReader(run).read()
    assert {shown.results.marks[TTT, name] for name in shown.results.rows} == {"other"}
    assert make_grid(shown.results, shown.plan, TTT, False).marks == {}
    result = written(run)
    for row in result["matrix"]:
        row["kind"] = "own" if row["player"].endswith("ttt@80") and row["game"] == TTT else row["kind"]
    grid = make_grid(parse(result), shown.plan, TTT, False)
    assert grid.marks["ckpt:runs/ttt@80"] == "●"
    assert grid.marks["ckpt:tiny"] == "○"
    assert grid.rows == ("ckpt:tiny", "ckpt:runs/ttt@80", "ckpt:runs/multi@80")


def test_ood_has_bots_as_columns_averages_and_changes(root: Path) -> None:
    shown = ResultsReader(tournament_runs.held_out(root / "o")).read()
    results = shown.results
    assert results.base == "ckpt:tiny"
    assert results.views == (ALL_GAMES, "snake", "pig_dice")
    assert results.rows == ("ckpt:tiny", "ckpt:runs/ttt@80", "ckpt:runs/multi@80")
    assert make_grid(results, shown.plan, "pig_dice", True).columns == ("random", "scripted", "optimal", "ckpt:tiny")
    assert make_grid(results, shown.plan, "snake", True).columns == ("random", "scripted", "ckpt:tiny")
    average = results.meetings[ALL_GAMES, "ckpt:runs/ttt@80", "random"]
    assert (average.games, average.counts) == (2, None)
    assert ("games", "2") in [(name, text.plain) for name, text in meeting_facts(average)]
    assert all(line.change.player != "ckpt:tiny" for line in change_lines(results, ALL_GAMES))
    assert {line.opponent for line in change_lines(results, ALL_GAMES)} == {
        "random",
        "scripted",
        "optimal",
        "all bots",
        "tiny",
    }
    assert results.held_out == {"snake", "pig_dice"}


def test_order_is_by_rating_or_as_given(root: Path) -> None:
    shown = ResultsReader(tournament_runs.played(root / "t", players=["optimal", "random", "ckpt:tiny"])).read()
    given = make_grid(shown.results, shown.plan, TTT, False)
    rated = make_grid(shown.results, shown.plan, TTT, True)
    assert given.rows == ("optimal", "random", "ckpt:tiny")
    assert rated.rows == tuple(one.player for one in shown.results.standings)


def test_before_the_first_pairs_everybody_is_there_unplayed(root: Path) -> None:
    shown = ResultsReader(tournament_runs.played(root / "t", share=0, end="", result=False)).read()
    assert shown.missing
    assert shown.run.running
    grid = make_grid(shown.results, shown.plan, "", True)
    assert len(grid.rows) == 5
    assert grid.cells == {}


@pytest.mark.parametrize(
    "bad", ["", "{", "[]", "null", "{}", '{"schema": 2}', '{"schema": 1}', "\ud800", "[" * 100_000]
)
def test_damaged_result_keeps_the_last_good_one(root: Path, bad: str) -> None:
    run = tournament_runs.played(root / "t", pairs=1)
    reader = ResultsReader(run)
    good = reader.read().results
    (run / RESULT_JSON).write_text(bad, encoding="utf-8", errors="surrogatepass")
    shown = reader.read()
    assert shown.problem
    assert "\n" not in shown.problem
    assert shown.results is good
    fresh = ResultsReader(run).read()
    assert fresh.problem
    assert not fresh.missing
    assert fresh.results.empty


@given(st.data())
def test_no_damage_to_a_result_is_more_than_an_error_line(data: st.DataObject) -> None:
    result = json.loads(_RESULT)
    for _ in range(data.draw(st.integers(1, 3))):
        node: Any = result
        while isinstance(node, dict | list) and node:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(node[key], dict | list) or data.draw(st.booleans()):
                node[key] = data.draw(st.sampled_from([None, "x", -1, 1e308, float("nan"), float("inf"), [], {}, True]))
                break
            node = node[key]
    with suppress(ArenaError):
        parse(result)


_RESULT = json.dumps(
    {
        "schema": 1,
        "seed": 0,
        "results": [
            {"game": "g", "a": "p", "b": "q", "pairs": 1, "wins": 1, "draws": 0, "losses": 1, "score": 0.5, "low": 0.1}
            | {"high": 0.9, "unit": "points", "forfeits_a": 0, "forfeits_b": 0, "voids": 0, "ood": False}
        ],
        "overall": [],
        "ratings": [{"player": "p", "rating": 1.0, "low": 0.0, "high": 2.0, "matches": 2, "group": 0}],
        "ground_truth": [{"player": "p", "game": "g", "measure": "m", "value": 0.5, "low": 0.4, "high": 0.6, "n": 3}],
        "averages": [{"over": "all", "player": "p", "opponent": "q", "score": 0.5, "low": 0, "high": 1, "games": 1}],
    }
)


def test_unchanged_result_is_not_taken_apart_again(root: Path) -> None:
    reader = ResultsReader(tournament_runs.played(root / "t", pairs=1))
    assert reader.read().results is reader.read().results


def test_run_that_is_gone_is_an_error(root: Path) -> None:
    run = tournament_runs.played(root / "t", pairs=1)
    reader = ResultsReader(run)
    reader.read()
    shutil.rmtree(run)
    with pytest.raises(ArenaError, match="Cannot read"):
        reader.read()


# Pages


def test_pages_hold_every_match_once_whoever_is_named_first(root: Path) -> None:
    run = tournament_runs.played(root / "t", players=["random", "optimal", "scripted"], pairs=9)
    for players in (("random", "scripted"), ("scripted", "random")):
        seen, place, more = [], Place(), True
        while more:
            page = read_page(run, (TTT, KUHN), players, place, 7)
            assert len(page.matches) <= 7
            seen += [match.unit for match in page.matches]
            place, more = page.end, page.more
        assert len(seen) == len(set(seen)) == 36
        assert [unit[0] for unit in seen] == [TTT] * 18 + [KUHN] * 18
        assert read_page(run, (TTT, KUHN), players, place, 7).matches == ()
    assert read_page(run, ("snake",), ("random", "optimal"), Place(), 7).matches == ()


def test_page_of_100_000_matches_is_quick_wherever_it_is(root: Path) -> None:
    run = tournament_runs.many_matches(root / "big")
    ResultsReader(run).read()
    times = []
    for place in (Place(), Place(0, 25_000, 0), Place(0, 49_900, 0)):
        begin = time.perf_counter()
        page = read_page(run, (TTT,), ("optimal", "random"), place, 200)
        times.append(time.perf_counter() - begin)
        assert page.matches[0].pair in (0, 25_000, 49_900)
    assert max(times) < 0.25


# Jobs


def test_result_of_an_old_run_is_made_by_a_job(root: Path) -> None:
    run = tournament_runs.played(root / "t", pairs=2, result=False)
    assert parse(json.loads(compute(run, finished=True))).rows
    assert written(run)["finished"] is True
    stopped = tournament_runs.played(root / "s", pairs=2, share=0.5, end="stopped", result=False)
    before = RunReader(stopped).count("match")
    reader = ResultsReader(stopped)
    assert reader.read().missing
    reader.take(compute(stopped, finished=False))
    assert not reader.read().missing
    assert not (stopped / RESULT_JSON).exists()
    assert RunReader(stopped).count("match") == before


@pytest.mark.parametrize("suffix", [".md", ".CSV", ".tex", ".json"])
def test_export_writes_what_the_suffix_says(root: Path, suffix: str) -> None:
    run = tournament_runs.played(root / "t", pairs=1)
    export(run, Path(f"out{suffix}"))
    text = Path(f"out{suffix}").read_text(encoding="utf-8")
    assert {".md": "## results", ".CSV": "table,game", ".tex": "booktabs", ".json": '"results"'}[suffix] in text


def test_job_that_fails_says_why(root: Path) -> None:
    run = tournament_runs.played(root / "t", pairs=1)
    (run / "run.db").write_bytes(b"nothing of ours")
    with pytest.raises(ArenaError, match="could not be made"):
        compute(run, finished=True)
    with pytest.raises(ArenaError, match="Cannot write"):
        export(tournament_runs.played(root / "u", pairs=1), Path("no/such/out.md"))


# The form


def test_offer_has_bots_bundled_models_and_checkpoints_with_their_steps(root: Path) -> None:
    run = run_dirs.training(root / "kuhn-7", steps=2, of=2)
    for step in (1, 2):
        (run / "checkpoints" / f"step_{step}").mkdir(parents=True)
    (run / "checkpoints" / "step_3.tmp").mkdir()
    run_dirs.corrupt(root / "broken")
    offer = read_offer(root)
    specs = {choice.spec: choice for choice in offer.players if not choice.begins}
    assert {"random", "optimal", "scripted", "ckpt:tiny", "ckpt:kuhn-7", "ckpt:kuhn-7@1", "ckpt:kuhn-7@2"} == set(specs)
    assert "human" not in specs
    assert "step 2" in specs["ckpt:kuhn-7"].about
    assert [choice.spec for choice in offer.players if choice.older] == ["ckpt:kuhn-7@2", "ckpt:kuhn-7@1"]
    assert "textarena:ID" in offer.syntax
    assert {"tictactoe", "snake"} < {choice.spec for choice in offer.games}


DRAFT = Draft(players=("random", "ckpt:tiny"), games=("tictactoe",))


def test_matches_are_counted_as_the_schedule_has_them() -> None:
    assert check(DRAFT).matches == 200
    more = replace(DRAFT, more_players="optimal 'ckpt:a b'", more_games=KUHN, pairs="3")
    assert check(more).matches == 6 * 2 * 3 * 2
    assert check(more).data["players"] == ["random", "ckpt:tiny", "optimal", "ckpt:a b"]


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"players": ("random",)}, "players", "at least two"),
        ({"more_players": "randm"}, "players", "Did you mean random"),
        ({"more_players": "scripted?skil=1"}, "players", "skil"),
        ({"more_players": "random"}, "players", "more than once"),
        ({"more_players": "human"}, "players", "Play"),
        ({"more_players": "'x"}, "players", "quotation"),
        ({"more_players": "optimal", "games": ("snake",)}, "players", "no exact solution"),
        ({"games": ()}, "games", "at least one"),
        ({"more_games": "kuhn"}, "games", "kuhn_poker"),
        ({"more_games": "kuhn_poker?hands=9"}, "games", "Allowed"),
        ({"pairs": "0"}, "pairs", "At least 1"),
        ({"pairs": "many"}, "pairs", "whole number"),
        ({"seed": "1.5"}, "seed", "whole number"),
        ({"concurrency": "-3"}, "concurrency", "At least 1"),
    ],
)
def test_errors_are_said_at_their_field(change: dict[str, Any], field: str, says: str) -> None:
    checked = check(replace(DRAFT, **change))
    assert says in checked.errors[field]
    assert list(checked.errors) == [field]
    assert checked.matches is None


@given(st.text(), st.text(), st.text())
def test_no_text_breaks_the_check(players: str, pairs: str, seed: str) -> None:
    check(replace(DRAFT, more_players=players, pairs=pairs, seed=seed))


def test_time_is_estimated_from_finished_tournaments_of_such_players(root: Path) -> None:
    tournament_runs.played(root / "a", players=["random", "optimal"], games=[TTT], pairs=10)
    tournament_runs.played(root / "b", players=["random", "scripted"], games=[TTT], pairs=10, share=0.5, end="stopped")
    pasts = read_offer(root).pasts
    assert len(pasts) == 1
    assert pasts[0].pace == pytest.approx(0.01)
    data = {"players": ["optimal", "random"], "games": [TTT]}
    found = estimate(pasts, data, 500)
    assert found is not None
    assert (round(found.seconds, 3), found.runs, found.same_games) == (5.0, 1, True)
    other = estimate(pasts, data | {"games": [KUHN]}, 500)
    assert other is not None
    assert not other.same_games
    assert estimate(pasts, data | {"players": ["random", "ckpt:tiny"]}, 500) is None


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_clock_that_jumped_in_a_past_tournament_changes_no_estimate(root: Path, jump: int) -> None:
    run = tournament_runs.played(root / "a", players=["random", "optimal"], games=[TTT], pairs=10)
    with changing(run / DB_NAME) as db:
        db.execute("UPDATE match SET at = at + ? WHERE id > 10", (jump,))
    (past,) = read_offer(root).pasts
    assert past.pace == pytest.approx(0.016, abs=0.001)


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; import arena.tui.collect.entrants, arena.tui.collect.results, arena.tui.collect.result_jobs\n"
        "from arena.tui.collect.entrants import Draft, check, read_offer; from pathlib import Path\n"
        "read_offer(Path('runs')); check(Draft(('random', 'ckpt:tiny'), '', ('tictactoe',)))\n"
        "heavy = {'torch', 'transformers', 'pandas', 'numpy', 'evals', 'training'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
