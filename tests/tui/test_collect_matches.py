"""Finding matches: what a run plays, what it has stored, pages, searches, and what is not there any more."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from databases import changing
from match_runs import AT, BLUNDER, HOSTILE, KUHN, many, match_run, partial, played, run_of

from arena.core.errors import ArenaError
from arena.runs.matches import MatchReader, Search
from arena.runs.paths import DB_NAME
from arena.runs.store import RunStore
from arena.tui.collect.matches import (
    Match,
    Wanted,
    choices,
    look,
    more_choices,
    neighbour,
    next_featured,
    sources,
)

ILLEGAL = ("[4]", "No idea.\n[9]", "Again.\n[9]")


def seen(wanted: Wanted, root: Path, known: Match | None = None) -> Match:
    found = look(wanted, root, known).match
    assert found is not None
    return found


# One match


def test_a_stored_match_has_seats_returns_and_boards_by_seat(root: Path) -> None:
    run_of(root / "run", [played(BLUNDER, leg=1)])
    match = seen(Wanted(root / "run", 1), root)
    assert match.seats == ("ckpt:tiny", "kuhn-ttt-7@84")
    assert match.returns == (1.0, -1.0)
    assert (match.id, match.live, match.forfeit) == (1, False, None)
    assert match.board(0).startswith(" 0 | 1")
    assert match.board(1).startswith(" X | 1")
    assert [match.to_act(at) for at in (0, 1, 7)] == [0, 1, None]


def test_a_forfeit_is_the_seats_and_illegal_replies_leave_the_board(root: Path) -> None:
    run_of(root / "run", [played(ILLEGAL, leg=1)])
    match = seen(Wanted(root / "run", 1), root)
    assert (match.forfeit, match.returns) == (1, (1.0, -1.0))
    assert len(match.turns) == 3
    assert match.board(3) == match.board(1)


def test_what_is_not_there_is_said(root: Path) -> None:
    run_of(root / "run", [played(BLUNDER)])
    with pytest.raises(ArenaError, match="has no match 2"):
        look(Wanted(root / "run", 2), root)
    shutil.rmtree(root / "run")
    with pytest.raises(ArenaError):
        look(Wanted(root / "run", 1), root)


def test_without_anything_playing_there_is_nothing_to_watch(root: Path) -> None:
    assert look(Wanted(), root).note == "Nothing is being played."
    run_of(root / "run", [played(BLUNDER)])
    assert look(Wanted(), root).match is None


def test_a_finished_run_shows_its_newest_match(root: Path) -> None:
    run_of(root / "run", [played(BLUNDER), played(ILLEGAL, number=1, leg=1)])
    assert seen(Wanted(root / "run"), root).id == 2


def test_a_run_that_failed_before_a_match_says_why(root: Path) -> None:
    run_of(root / "run", end="failed", message="no such model")
    assert look(Wanted(root / "run"), root).note == "It failed. no such model"


def test_a_run_without_a_database_yet_is_waited_for(root: Path) -> None:
    match_run(root / "run", None, end="")
    for path in (root / "run").glob(f"{DB_NAME}*"):
        path.unlink()
    assert look(Wanted(root / "run"), root).note == "It has not begun yet."


# While it is played


def test_what_any_run_plays_is_found_and_a_match_that_goes_on_comes_first(root: Path) -> None:
    over, going = played(BLUNDER), played(BLUNDER, number=2)
    run_of(root / "run", [], [partial(over, 7, slot=0), partial(going, 3, "Wins", slot=1)], end="")
    found = look(Wanted(), root)
    assert found.running
    assert [one.ended for one in found.featured] == [True, False]
    assert found.match is not None
    assert (found.match.unit[3], found.match.text, found.match.live, found.match.seat) == (1, "Wins", True, 1)


def test_the_same_match_is_followed_into_the_store(root: Path) -> None:
    row, turns = match = played(BLUNDER)
    run_dir = run_of(root / "run", [], [partial(match, 3)], end="")
    first = seen(Wanted(run_dir), root)
    wanted = Wanted(run_dir, unit=first.unit)
    with RunStore(run_dir) as store:
        store.set_partial(partial(match, 5, "Hm"))
    grown = seen(wanted, root, first)
    assert (len(grown.turns), grown.text, grown.id) == (5, "Hm", None)
    with RunStore(run_dir) as store:
        store.add_match(row, turns)
        store.set_partial(partial(played(ILLEGAL, number=4), 1))
    ended = seen(wanted, root, grown)
    assert (ended.id, ended.returns, ended.live) == (1, (1.0, -1.0), False)
    assert ended.same_as(grown)


def test_the_first_position_of_a_match_joined_late_is_known_once_it_is_stored(root: Path) -> None:
    row, turns = match = played(BLUNDER)
    run_dir = run_of(root / "run", [], [partial(match, 3)], end="")
    late = seen(Wanted(run_dir), root)
    assert late.board(0) == ""
    with RunStore(run_dir) as store:
        store.add_match(row, turns)
        store.clear_partials()
    assert seen(Wanted(run_dir, unit=late.unit), root, late).board(0) == row.board


def test_the_first_position_that_was_seen_is_kept(root: Path) -> None:
    row, _ = match = played(BLUNDER)
    run_dir = run_of(root / "run", [], [partial(match, 0)], end="")
    early = seen(Wanted(run_dir), root)
    with RunStore(run_dir) as store:
        store.set_partial(partial(match, 2))
    assert seen(Wanted(run_dir, unit=early.unit), root, early).board(0) == row.board


def test_a_void_match_begins_again(root: Path) -> None:
    match = played(BLUNDER)
    run_dir = run_of(root / "run", [], [partial(match, 4, ended=True)], end="")
    before = seen(Wanted(run_dir), root)
    assert not before.live
    with RunStore(run_dir) as store:
        store.set_partial(partial(match, 0))
    again = seen(Wanted(run_dir, unit=before.unit), root, before)
    assert (again.live, again.turns) == (True, ())


def test_a_match_that_vanishes_stays_as_it_was_seen(root: Path) -> None:
    run_dir = run_of(root / "run", [], [partial(played(BLUNDER), 3, "Hm")], end="")
    before = seen(Wanted(run_dir), root)
    with RunStore(run_dir) as store:
        store.clear_partials()
    after = seen(Wanted(run_dir, unit=before.unit), root, before)
    assert (after.turns, after.live, after.text) == (before.turns, False, "")


def test_a_live_view_that_cannot_be_read_is_said(root: Path) -> None:
    for raw in ("no json", '[{"turn": 1}]', "[3]"):
        run_dir = run_of(root / raw[:4], [], [replace(partial(played(BLUNDER), 3), turns=raw)], end="")
        with pytest.raises(ArenaError, match="live view"):
            look(Wanted(run_dir), root)


def test_next_and_previous_go_round_the_slots_and_prefer_what_goes_on(root: Path) -> None:
    matches = [played(BLUNDER, number=2 * slot) for slot in range(3)]
    rows = [partial(match, 7 if slot == 1 else 2, slot=slot) for slot, match in enumerate(matches)]
    shown = look(Wanted(run_of(root / "run", [], rows, end="")), root).featured
    first, second, third = (one.unit for one in shown)

    def after(unit: tuple[str, str, str, int, int], forward: bool = True) -> object:
        found = next_featured(shown, unit, forward)
        return found.unit if found else None

    assert (after(first), after(third), after(first, False)) == (third, first, third)
    assert after(("x", "a", "b", 0, 0)) == first
    assert next_featured(shown[1:2], second, True) is None
    assert next_featured(shown[:2], first, True) == shown[1]


# Lists


def test_a_list_begins_with_what_is_played_then_the_newest(root: Path) -> None:
    matches = [played(BLUNDER, number=number, leg=number % 2) for number in range(4)]
    run_dir = run_of(root / "run", matches, [partial(played(BLUNDER, number=8), 2)], end="")
    found = choices(run_dir)
    assert [choice.wanted.match_id for choice in found] == [None, 4, 3, 2, 1]
    assert [choice.seats[0] for choice in found[1:3]] == ["ckpt:tiny", "kuhn-ttt-7@84"]
    assert found[0].live
    assert found[1].returns == (1.0, -1.0)


def test_a_page_ends_where_the_next_begins(root: Path) -> None:
    run_dir = run_of(root / "run", [played(BLUNDER, number=number) for number in range(0, 20, 2)])
    first = choices(run_dir, limit=4)
    last = first[-1].wanted.match_id
    assert last == 7
    assert [choice.wanted.match_id for choice in more_choices(run_dir, last, limit=4)] == [6, 5, 4, 3]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", [4, 3, 2, 1]),
        ("TICTAC", [3, 2, 1]),
        ("kuhn_poker", [4]),
        ("random", [3]),
        ("tictactoe random", [3]),
        ("forfeit", [2]),
        ("draw", []),
        ("seat0 tictactoe", [3, 2, 1]),
        ("seat1", [4]),
        ("%", []),
        ("_", [4]),
        ("' OR 1 --", []),
    ],
)
def test_words_are_searched_in_names_and_results(root: Path, text: str, ids: list[int]) -> None:
    matches = [
        played(BLUNDER),
        played(ILLEGAL, leg=1),
        played(BLUNDER, b="random", number=4),
        played(["[check]", "[bet]", "[fold]"], KUHN, number=6),
    ]
    run_dir = run_of(root / "run", matches)
    found = [choice.wanted.match_id for choice in choices(run_dir, Search.parse(text))]
    assert found == ids


def test_neighbours_stay_within_the_search(root: Path) -> None:
    run_dir = run_of(root / "run", [played(BLUNDER, b=("x", "y")[n % 2], number=2 * n) for n in range(5)])
    only = Search.parse("y")
    assert neighbour(run_dir, 2, True, only) == 4
    assert neighbour(run_dir, 4, True, only) is None
    assert neighbour(run_dir, 2, False, only) is None
    assert neighbour(run_dir, 2, False) == 1


def test_sources_say_what_each_run_has_and_what_cannot_be_read(root: Path) -> None:
    run_of(root / "old", [played(BLUNDER)])
    run_of(root / "going", [], [partial(played(BLUNDER), 2)], end="")
    run_of(root / "bad", [played(BLUNDER)])
    (root / "bad" / DB_NAME).write_bytes(b"no database at all" * 100)
    found = {source.name: source for source in sources(root)}
    assert sources(root)[0].name == "going"
    assert (found["going"].featured, found["old"].stored) == (1, 1)
    assert found["bad"].status == "unreadable"
    assert "damaged" in found["bad"].error


def test_hostile_texts_come_back_as_they_were_stored(root: Path) -> None:
    row, turns = played(BLUNDER)
    turns = [replace(turn, thought=text, answer=text) for turn, text in zip(turns, HOSTILE, strict=False)]
    run_dir = run_of(root / "run", [(replace(row, a=HOSTILE[2]), turns)])
    match = seen(Wanted(run_dir, 1), root)
    assert [turn.thought for turn in match.turns] == list(HOSTILE[: len(turns)])
    assert match.seats[0] == HOSTILE[2]


def test_a_hundred_thousand_matches_are_paged_and_searched_at_once(root: Path) -> None:
    run_dir = many(root / "run", 100_000)
    began = time.perf_counter()
    assert len(choices(run_dir)) == 200
    assert seen(Wanted(run_dir), root).id == 100_000
    paged = time.perf_counter() - began
    assert sources(root)[0].stored == 100_000
    assert choices(run_dir, Search.parse("snake"))[0].wanted.match_id == 99_951
    assert choices(run_dir, Search.parse("nobody")) == []
    assert paged < 0.5
    assert time.perf_counter() - began < 3


def test_looking_never_waits_for_a_writer_nor_makes_it_wait(root: Path) -> None:
    run_dir = run_of(root / "run", [played(BLUNDER)], [partial(played(BLUNDER, number=2), 2)], end="")
    with changing(run_dir / DB_NAME) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM partial")
        began = time.perf_counter()
        assert look(Wanted(run_dir), root).match is not None
        with MatchReader(run_dir) as reader:
            assert reader.newest(1)[0].at == AT
            writer.commit()
        assert time.perf_counter() - began < 1
