"""Swiss rounds: who is paired with whom, from what is stored alone; and the matching behind it."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.config.tournament import TournamentConfig
from arena.runs.rows import MatchRow
from evals.matching import matching_size
from evals.schedule import PlannedMatch
from evals.swiss import Round, Standing, pair_round, planned_rounds, round_rows

Edges = set[tuple[int, int]]


def neighbours(count: int, edges: Edges) -> list[list[int]]:
    graph: list[list[int]] = [[] for _ in range(count)]
    for a, b in sorted(edges):
        graph[a].append(b)
        graph[b].append(a)
    return graph


def brute_force(edges: Edges) -> int:
    """The size of a largest matching, by trying each edge in and out."""
    if not edges:
        return 0
    (a, b), rest = min(edges), edges - {min(edges)}
    free = {edge for edge in rest if not {a, b} & set(edge)}
    return max(brute_force(rest), 1 + brute_force(free))


@settings(max_examples=300)
@given(st.integers(1, 7), st.data())
def test_a_matching_is_as_large_as_trying_all_edges_finds(count: int, data: st.DataObject) -> None:
    edges = set(data.draw(st.sets(st.sampled_from(list(combinations(range(count), 2)) or [(0, 0)]))))
    edges.discard((0, 0))
    assert matching_size(neighbours(count, edges)) == brute_force(edges)


@pytest.mark.parametrize("seed", range(40))
def test_sparse_graphs_with_odd_cycles_are_matched_as_another_library_matches_them(seed: int) -> None:
    networkx = pytest.importorskip("networkx")
    rng = random.Random(seed)
    count = rng.randrange(10, 40)
    edges = {(a, b) for a, b in combinations(range(count), 2) if rng.random() < rng.choice((1.5, 2.5)) / count}
    graph = networkx.Graph(sorted(edges))
    expected = len(networkx.max_weight_matching(graph, maxcardinality=True))
    assert matching_size(neighbours(count, edges)) == expected


def test_two_odd_cliques_leave_one_place_each() -> None:
    edges = {pair for first in (0, 15) for pair in combinations(range(first, first + 15), 2)}
    assert matching_size(neighbours(30, edges)) == 14
    assert matching_size(neighbours(30, edges | {(3, 22)})) == 15


def config(players: int, seed: int = 0, **more: object) -> TournamentConfig:
    names = [f"random?x={number}" for number in range(players)]
    values = {"players": names, "games": ["tictactoe"], "pairs": 2, "seed": seed, "format": "swiss"}
    return TournamentConfig.model_validate(values | more)


def play(planned: PlannedMatch, strength: dict[str, float], seed: int = 0) -> MatchRow:
    """A finished match with a chance result."""
    rng = random.Random(f"{seed}/{planned.unit}")
    chance = 0.5 + (strength[planned.a] - strength[planned.b]) / 2
    value = 0.0 if rng.random() < 0.3 else 1.0 if rng.random() < chance else -1.0
    return MatchRow(
        planned.number, planned.game.name, planned.a, planned.b, planned.pair, planned.leg, planned.key,
        value, -value, "", 5, 0, 0.0, "",
    )  # fmt: skip


def whole(setup: TournamentConfig, seed: int = 0) -> tuple[list[Round], list[MatchRow]]:
    strength = {name: place / len(setup.players) for place, name in enumerate(setup.players)}
    matches: list[MatchRow] = []
    for _ in range(setup.round_count):
        *_, last = planned_rounds(setup, matches)
        matches += [play(planned, strength, seed) for planned in last.schedule]
    return list(planned_rounds(setup, matches)), matches


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 13), st.integers(0, 99), st.integers(1, 12))
def test_everybody_plays_every_round_but_for_one_bye_and_as_few_as_possible_meet_again(
    players: int, seed: int, rounds: int
) -> None:
    setup = config(players, seed, rounds=rounds, pairs=1)
    found, matches = whole(setup, seed)
    assert [one.number for one in found] == list(range(1, rounds + 1))
    assert len(matches) == setup.planned
    met: Counter[frozenset[str]] = Counter()
    byes: Counter[str] = Counter()
    for one in found:
        seen = [name for pair in one.pairings.pairs for name in pair] + [one.pairings.bye] * (players % 2)
        assert sorted(map(str, seen)) == sorted(setup.players)
        fresh = {
            (a, b) for a, b in combinations(range(players), 2)
            if not met[frozenset((setup.players[a], setup.players[b]))]
            and one.pairings.bye not in (setup.players[a], setup.players[b])
        }  # fmt: skip
        again = sum(met[frozenset(pair)] > 0 for pair in one.pairings.pairs)
        assert again == players // 2 - matching_size(neighbours(players, fresh))
        met.update(map(frozenset, one.pairings.pairs))
        byes.update([one.pairings.bye] if one.pairings.bye else [])
    if players % 2:
        assert max(byes.values()) - min(byes[name] for name in setup.players) <= 1


def test_the_schedule_numbers_on_and_no_match_is_of_the_same_kind_as_another_even_where_players_meet_again() -> None:
    found, matches = whole(config(4, rounds=7, games=["tictactoe", "kuhn_poker"]))
    planned = [match for one in found for match in one.schedule]
    assert [match.number for match in planned] == list(range(7 * 2 * 2 * 2 * 2))
    assert len({match.unit for match in matches}) == len(planned)
    place = config(4).players.index
    assert all(place(match.a) < place(match.b) for match in planned)
    assert max(match.pair for match in planned) >= 4, "they met again, with luck of their own"
    first = {(match.game.name, match.pair): match.key for match in found[0].schedule}
    assert all(first.get((match.game.name, match.pair), match.key) == match.key for match in planned)


def test_players_next_to_each_other_meet_and_the_best_does_first() -> None:
    standing = Standing(["a", "b", "c", "d"])
    standing.halves.update({"a": 1, "b": 7, "c": 4, "d": 6})
    assert pair_round(standing).pairs == [("b", "d"), ("c", "a")]
    standing.met["b"]["d"] = standing.met["d"]["b"] = 1
    assert pair_round(standing).pairs == [("b", "c"), ("d", "a")]


def test_a_rematch_is_put_off_where_pairing_the_best_first_would_force_one() -> None:
    standing = Standing(["a", "b", "c", "d"])
    for one, other in (("c", "d"),):
        standing.met[one][other] = standing.met[other][one] = 1
    assert pair_round(standing).pairs == [("a", "c"), ("b", "d")], "a with b would leave c and d"


def test_the_bye_goes_to_the_last_without_one_and_counts_as_even_play() -> None:
    standing = Standing(["a", "b", "c"])
    standing.halves.update({"a": 3, "b": 2, "c": 1})
    assert pair_round(standing).bye == "c"
    standing.byes["c"] = 1
    assert pair_round(standing).bye == "b"
    setup = config(3, pairs=4, rounds=2)
    found, _ = whole(setup)
    sat_out = found[0].pairings.bye
    assert sat_out is not None
    assert found[1].halves[sat_out] == 8, "half of two points in each of eight matches"
    assert sum(found[1].halves.values()) == 24


def test_a_round_is_paired_only_once_the_ones_before_it_are_stored_whole() -> None:
    setup = config(6)
    found, matches = whole(setup)
    first = len(found[0].schedule)
    assert [one.number for one in planned_rounds(setup, matches[: first - 1])] == [1]
    assert [one.number for one in planned_rounds(setup, matches[1 : first + 3])] == [1]
    assert [one.number for one in planned_rounds(setup, matches[:first])] == [1, 2]
    assert [one.number for one in planned_rounds(setup, matches[: first + 1])] == [1, 2]


def test_pairings_depend_on_what_is_stored_and_on_nothing_else() -> None:
    setup = config(9, seed=5)
    found, matches = whole(setup)
    shuffled = list(matches)
    random.Random(1).shuffle(shuffled)
    assert list(planned_rounds(setup, shuffled)) == found
    assert [one.pairings for one in whole(setup, seed=1)[0]][1:] != [one.pairings for one in found][1:]


def test_the_first_round_is_drawn_by_the_seed_not_in_the_order_of_the_players() -> None:
    firsts = {tuple(whole(config(8, seed))[0][0].pairings.pairs) for seed in range(5)}
    assert len(firsts) == 5


def test_swiss_rounds_find_who_is_strongest() -> None:
    found, _ = whole(config(16, pairs=8))
    assert len(found) == 6
    halves: dict[str, int] = defaultdict(int, found[-1].halves)
    best = sorted(halves, key=lambda name: -halves[name])[:4]
    assert {int(name.partition("=")[2]) >= 10 for name in best} == {True}


@pytest.mark.parametrize(("players", "rounds"), [(2, 1), (3, 3), (4, 3), (5, 5), (8, 5), (9, 6), (16, 6), (17, 7)])
def test_by_default_there_are_enough_rounds_and_nobody_need_meet_twice(players: int, rounds: int) -> None:
    assert config(players).round_count == rounds
    found, _ = whole(config(players, pairs=1))
    meetings = Counter(frozenset(pair) for one in found for pair in one.pairings.pairs)
    assert players <= 4 or max(meetings.values()) <= 2


def test_the_rows_show_each_meeting_from_the_better_placed_sides_view() -> None:
    setup = config(5, pairs=2, rounds=3)
    found, matches = whole(setup)
    rows = round_rows(setup, matches)
    assert [row["round"] for row in rows] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    byes = [row for row in rows if row["b"] is None]
    assert [(row["a"], row["pairs"], row["score"]) for row in byes] == [(one.pairings.bye, 0, None) for one in found]
    assert sum(row["points_a"] + (row["points_b"] or 0) for row in rows[3:6]) == pytest.approx(2.5)
    for row in (row for row in rows if row["b"] is not None):
        ours = [
            match.return_a if match.a == row["a"] else match.return_b
            for match in matches
            if {match.a, match.b} == {row["a"], row["b"]}
        ]
        again = sum({one["a"], one["b"]} == {row["a"], row["b"]} for one in rows)
        assert again > 1 or row["wins"] == sum(value > 0 for value in ours)
        assert row["points_a"] >= row["points_b"]
    half = round_rows(setup, matches[: len(found[0].schedule) + 1])
    assert [row["pairs"] for row in half] == [2, 2, 0, 0, 0, 0]
