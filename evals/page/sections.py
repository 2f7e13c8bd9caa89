"""What a result says, part by part: each a plot where there is one, its table, and what the figures mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from evals.page.markup import name, tag, text
from evals.page.plots import MOST_MARKS, MOST_PLAYERS, Cell, Mark, heat_map, interval_plot
from evals.page.tables import number, table
from evals.standings import chance, rating_notes
from evals.tables import signed

Row = Mapping[str, Any]
Result = Mapping[str, Any]

_KNOWN = (
    "results", "overall", "ratings", "alpha_rank", "claims", "ground_truth", "warnings", "matrix", "turns",
)  # fmt: skip
"""Lists that have a part of their own, or none; every other list of rows is a table under its name."""


_TITLES = {"sprt": "SPRT"}


class Section(NamedTuple):
    """One part of the page; `content` is HTML."""

    title: str
    content: str


def sections(result: Result) -> list[Section]:
    """The parts of a result, whatever kind of evaluation it is of; those with nothing to show are left out."""
    found = [Section(title, make(result)) for title, make in _PARTS]
    for key, value in result.items():
        rows = [value] if isinstance(value, dict) else value
        if key not in _KNOWN and isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
            found.append(Section(_TITLES.get(key) or key.replace("_", " ").capitalize(), table(rows)))
    return [section for section in found if section.content]


def _standings(result: Result) -> str:
    warnings = "".join(
        tag("p", tag("b", "Warning: "), name(row.get("message", ""), 2000), class_="warning")
        for row in result.get("warnings", ())
    )
    notes = "".join(tag("p", text(note, 2000), class_="note") for note in result.get("notes", ()))
    rows: Sequence[Row] = result.get("ratings", ())
    if not rows:
        return warnings + notes
    parts = []
    groups = sorted({row["group"] for row in rows})
    for group in groups:
        marks = [
            Mark(row["player"], row["rating"], row["low"], row["high"], _around(row, "rating", 0))
            for row in rows
            if row["group"] == group
        ]
        title = "Ratings" if len(groups) == 1 else f"Ratings, group {group + 1}"
        parts.append(_figure(title, interval_plot(title, marks, 0.0), len(marks), heading=len(groups) > 1))
    hidden = [column for column in ("group", "prior_limited") if not any(row[column] for row in rows)]
    parts.append(_fold("All figures", table(rows, hidden)))
    return warnings + notes + "".join(parts) + _lines(rating_notes(rows))


def _alpha(result: Result) -> str:
    rows: Sequence[Row] = result.get("alpha_rank", ())
    notes = [note for note in rating_notes([], {"ratings": [], **result}) if "lpha-rank" in note or "cycle" in note]
    if len(rows) < 3:
        return ""
    marks = [Mark(row["player"], row["mass"], row["low"], row["high"], _around(row, "mass", 2)) for row in rows]
    plot = interval_plot("Alpha-rank", marks, bounds=(0.0, 1.0))
    return _figure("Alpha-rank", plot, len(marks)) + _lines(notes)


def _meetings(result: Result) -> str:
    """Heat maps: all games together where there are several, then game by game."""
    results: Sequence[Row] = result.get("results", ())
    if not results:
        return ""
    games = list(dict.fromkeys(row["game"] for row in results))
    views = [("All games", result.get("overall", ()))] * (len(games) > 1)
    views += [(game, [row for row in results if row["game"] == game]) for game in games]
    order = [row["player"] for row in result.get("ratings", ())]
    parts = []
    for title, rows in views:
        if not rows:
            continue
        met = list(dict.fromkeys(row[side] for row in rows for side in ("a", "b")))
        players = [player for player in order if player in met] + [player for player in met if player not in order]
        cells = {pair: cell for row in rows for pair, cell in _cells(row).items()}
        plot = heat_map(f"Scores: {title}", players, cells)
        left_out = f"The plot has the first {MOST_PLAYERS} of {len(players)} players." * (len(players) > MOST_PLAYERS)
        caption = tag("figcaption", name(title), f" {left_out}" if left_out else "")
        parts.append(tag("figure", caption, plot, class_="plot"))
    words = (
        "The row player's score against the column player: wins and half the draws per match, or, with a sign, the "
        "mean return; bold where its interval excludes even play; below it wins–draws–losses."
    )
    parts = [tag("div", *parts, class_="maps"), _lines([words]), _fold("All figures", table(results))]
    if result.get("overall") and len(games) > 1:
        parts.append(_fold("All figures over all games", table(result["overall"])))
    return "".join(parts)


def _cells(row: Row) -> dict[tuple[str, str], Cell]:
    """A meeting from both sides."""
    signed = row.get("unit") == "utility"
    even = 0.0 if signed else 0.5
    sure = not row["low"] <= even <= row["high"]
    points = 0.5 + row["score"] / 2 if signed else row["score"]
    found = {}
    for a, b, turned in ((row["a"], row["b"], False), (row["b"], row["a"], True)):
        score, low, high = row["score"], row["low"], row["high"]
        counts = [row["wins"], row["draws"], row["losses"]]
        if turned:
            score, low, high = 2 * even - score, 2 * even - high, 2 * even - low
            counts = counts[::-1]
        shown = _signed(score) if signed else f"{score:.2f}"
        tally = "–".join(map(str, counts))
        title = f"{a} against {b}: {shown} [{number(low)}, {number(high)}], {tally}"
        found[a, b] = Cell(1 - points if turned else points, shown, tally, title, sure)
    return found


def _claims(result: Result) -> str:
    rows: Sequence[Row] = result.get("claims", ())
    if not rows:
        return ""
    ordered = sorted(rows, key=lambda row: (row["game"] is not None, not row["claim"], row["p"]))
    shown = [
        {
            "better": row["better"] or row["a"], "other": _other(row), "game": row["game"] or "all games",
            "pairs": row["pairs"], "p": chance(row["p"]), "p_holm": chance(row["p_holm"]),
            "claim": "beats" if row["claim"] else "not shown",
        }
        for row in ordered
    ]  # fmt: skip
    made = sum(row["claim"] for row in rows)
    words = (
        f"{made} of {len(rows)} claims hold at 5 %. A two-sided sign-flip test on pairs, exact for few of them; Holm's "
        "correction minds all claims over all games together, and all claims in single games. The number of pairs has "
        "to be fixed beforehand."
    )
    return table(shown) + _lines([words])


def _other(row: Row) -> str:
    return str(row["b"] if (row["better"] or row["a"]) == row["a"] else row["a"])


def _seats(result: Result) -> str:
    rows = [row for row in result.get("results", ()) if "seat_effect" in row]
    if not rows:
        return ""
    several = len({row["game"] for row in rows}) > 1
    marks = []
    for row in rows:
        label = f"{row['a']} – {row['b']}" + (f", {row['game']}" if several else "")
        low, high = row["seat_effect_low"], row["seat_effect_high"]
        shown = f"{_signed(row['seat_effect'])} [{_signed(low)}, {_signed(high)}]"
        marks.append(Mark(label, row["seat_effect"], low, high, shown, not low <= 0 <= high))
    words = (
        "Mean return as seat 0 less that as seat 1; filled where the interval excludes that the seat does not matter."
    )
    return _figure("Seat effect", interval_plot("Seat effect", marks, 0.0), len(marks)) + _lines([words])


def _forfeits(result: Result) -> str:
    rows: Sequence[Row] = result.get("results", ())
    totals: dict[str, list[int]] = {}
    for row in rows:
        for side, other in (("a", "b"), ("b", "a")):
            total = totals.setdefault(row[side], [0, 0, 0])
            for place, count in enumerate((2 * row["pairs"], row[f"forfeits_{side}"], row[f"forfeits_{other}"])):
                total[place] += count
    voids = sum(row["voids"] for row in rows)
    if not any(total[1] for total in totals.values()) and not voids:
        return tag("p", "Nobody forfeited a match, and none was void.", class_="soft") if rows else ""
    shown = [
        {
            "player": player, "matches": played, "forfeited": lost, "share": f"{lost / played:.1%}",
            "won by forfeit": won,
        }
        for player, (played, lost, won) in sorted(totals.items(), key=lambda item: -item[1][1] / item[1][0])
    ]  # fmt: skip
    words = f"A forfeit is a loss by an illegal reply after all attempts. Void and replayed: {voids}."
    return table(shown) + _lines([words])


def _truths(result: Result) -> str:
    rows: Sequence[Row] = result.get("ground_truth", ())
    parts = []
    for game, measure in dict.fromkeys((row["game"], row["measure"]) for row in rows):
        found = [row for row in rows if (row["game"], row["measure"]) == (game, measure)]
        marks = [Mark(row["player"], row["value"], row["low"], row["high"], _around(row, "value", 3)) for row in found]
        title = f"{measure.replace('_', ' ')}, {game}"
        parts.append(_figure(title, interval_plot(title, marks), len(marks), heading=True))
    return "".join(parts) + (_fold("All figures", table(rows)) if rows else "")


_PARTS: tuple[tuple[str, Callable[[Result], str]], ...] = (
    ("Standings", _standings),
    ("Head to head", _meetings),
    ("Claims", _claims),
    ("Alpha-rank", _alpha),
    ("Seat effect", _seats),
    ("Forfeits", _forfeits),
    ("Ground truth", _truths),
)


def _figure(title: str, plot: str, marks: int, heading: bool = False) -> str:
    left_out = f"The plot has the first {MOST_MARKS} of {marks} lines." * (marks > MOST_MARKS)
    return tag("h3", name(title)) * heading + tag("div", plot, class_="plot") + _lines([left_out])


def _fold(title: str, content: str) -> str:
    return tag("details", tag("summary", text(title)), content)


def _lines(words: Sequence[str]) -> str:
    joined = " ".join(word for word in words if word)
    return tag("p", text(joined, 4000), class_="note") if joined else ""


def _around(row: Row, column: str, digits: int) -> str:
    value, low, high = (f"{row[key]:.{digits}f}".replace("-", "−") for key in (column, "low", "high"))
    return f"{value} [{low}, {high}]"


def _signed(value: float) -> str:
    return signed(value, 2)
