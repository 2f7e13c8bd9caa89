"""Tables as data: order and filter hold for any cells, and exports for any text."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.tui.export import FORMATS, ROWS, to_csv, to_json, to_latex, to_markdown, to_svg
from arena.tui.sheet import (
    COUNTS,
    NOTHING,
    Cell,
    Counts,
    Figure,
    Heading,
    Line,
    Sheet,
    data,
    filtered,
    make_line,
    ordered,
    printed,
    starts_descending,
)

HEADINGS = (
    Heading("player", "player", 10),
    Heading("score", "score", 6, right=True, spread=1),
    Heading(COUNTS, "W–D–L", 9, right=True),
    Heading("n", "n", 4, right=True),
)
TEXTS = st.text(max_size=40)
NUMBERS = st.floats(-1e6, 1e6)
FIGURES = st.builds(Figure, NUMBERS | st.just(math.nan), NUMBERS | st.none(), NUMBERS | st.none(), st.just(0.5))
COUNTED = st.builds(Counts, *[st.integers(0, 999)] * 3)
ROWS_OF = st.tuples(TEXTS | st.none(), FIGURES | st.none(), COUNTED | st.none(), st.integers(0, 9999) | st.none())
HOSTILE = (
    "=1+1",
    "+cmd",
    "-2",
    "@SUM(A1)",
    "a|b",
    "`x`",
    "[x](http://y)",
    "<b>&amp;</b>",
    "\\input{x}",
    "$x$ %",
    "_~^{}#",
)


def sheet_of(rows: Sequence[tuple[Cell, ...]]) -> Sheet:
    lines = tuple(make_line(str(place), Path("runs/x"), row) for place, row in enumerate(rows))
    return Sheet("scores", "Scores", HEADINGS, lines, "What they are.")


SHEETS = st.lists(ROWS_OF, max_size=12).map(sheet_of)
NAMES = st.sampled_from([heading.name for heading in HEADINGS])


def without_value(line: Line, name: str) -> bool:
    cell = line.cells[[heading.name for heading in HEADINGS].index(name)]
    return cell is None or cell == "" or (isinstance(cell, Figure) and math.isnan(cell.value))


# Order


@given(SHEETS, NAMES, st.booleans())
def test_sorting_keeps_every_line_once(sheet: Sheet, name: str, descending: bool) -> None:
    assert sorted(line.key for line in ordered(sheet, name, descending).lines) == sorted(
        line.key for line in sheet.lines
    )


@given(SHEETS, NAMES, st.booleans())
def test_lines_without_a_value_come_last_and_keep_their_order(sheet: Sheet, name: str, descending: bool) -> None:
    lines = ordered(sheet, name, descending).lines
    missing = [without_value(line, name) for line in lines]
    assert missing == sorted(missing)
    assert [line.key for line in lines if without_value(line, name)] == [
        line.key for line in sheet.lines if without_value(line, name)
    ]


@given(SHEETS, st.booleans())
def test_figures_are_in_order_and_equal_ones_stay(sheet: Sheet, descending: bool) -> None:
    lines = [line for line in ordered(sheet, "score", descending).lines if not without_value(line, "score")]
    values = [line.cells[1].value for line in lines if isinstance(line.cells[1], Figure)]
    assert values == sorted(values, reverse=descending)
    for first, second in itertools.pairwise(lines):
        if first.cells[1].value == second.cells[1].value:  # type: ignore[union-attr]
            assert int(first.key) < int(second.key)


@given(SHEETS, NAMES, st.booleans())
def test_sorting_again_changes_nothing(sheet: Sheet, name: str, descending: bool) -> None:
    once = ordered(sheet, name, descending)
    assert ordered(once, name, descending) == once


def test_numbers_in_texts_count_as_numbers() -> None:
    sheet = sheet_of([(name, None, None, None) for name in ("run@80", "run@9", "Run@10", "9" * 5000, "arena")])
    assert [line.cells[0] for line in ordered(sheet, "player", False).lines][1:] == [
        "arena",
        "run@9",
        "Run@10",
        "run@80",
    ]


def test_an_unknown_column_sorts_nothing() -> None:
    sheet = sheet_of([("b", None, None, 1), ("a", None, None, 2)])
    assert ordered(sheet, "nothing", True) is sheet
    assert starts_descending(sheet, "n")
    assert not starts_descending(sheet, "player")


# Filter


@given(SHEETS, TEXTS, TEXTS)
def test_a_filter_keeps_what_has_all_words_in_its_order(sheet: Sheet, first: str, second: str) -> None:
    one, both = filtered(sheet, first), filtered(sheet, f"{first} {second}")
    keys = [line.key for line in sheet.lines]
    for kept in (one, both):
        assert [line.key for line in kept.lines] == [key for key in keys if key in {line.key for line in kept.lines}]
    assert {line.key for line in both.lines} <= {line.key for line in one.lines}
    assert filtered(one, first) == one
    words = first.casefold().split()
    assert {line.key for line in one.lines} == {
        line.key for line in sheet.lines if all(word in str(line.cells[0] or "").casefold() for word in words)
    }


@given(SHEETS, NAMES, TEXTS)
def test_filter_and_order_do_not_disturb_each_other(sheet: Sheet, name: str, text: str) -> None:
    assert filtered(ordered(sheet, name, True), text) == ordered(filtered(sheet, text), name, True)


# Cells


@pytest.mark.parametrize(
    ("figure", "text", "interval", "short"),
    [
        (Figure(0.857, 0.8, 0.92, 0.5), ".86", ".80 … .92", ".86 ±.06"),
        (Figure(0.5, 0.4, 0.6, 0.5), "~.50", ".40 … .60", "~.50 ±.10"),
        (Figure(-0.05, -0.11, 0.01, 0.0, True, kind="own"), "● ~−.05", "−.11 … +.01", "● ~−.05 ±.06"),
        (Figure(0.05, 0.01, 0.09, 0.0, True, kind="ood"), "◇ +.05", "+.01 … +.09", "◇ +.05 ±.04"),
        (Figure(0.0451, 0.04, 0.05, digits=3), ".045", ".040 … .050", ".045 ±.005"),
        (Figure(0.3), ".30", "", ".30"),
    ],
)
def test_figures_say_what_their_interval_spans(figure: Figure, text: str, interval: str, short: str) -> None:
    assert (figure.text, figure.interval, figure.short) == (text, interval, short)


def test_what_all_rows_share_stands_in_the_note() -> None:
    rows: list[tuple[Cell, ...]] = [("a", Figure(0.5, 0.4, 0.6), None, 4), ("a", Figure(0.7), None, 4)]
    columns, note = printed(sheet_of(rows))
    assert [(column.title, column.cells) for column in columns] == [
        ("score", [".50", ".70"]),
        ("95 %", [".40 … .60", NOTHING]),
        ("W–D–L", [NOTHING, NOTHING]),
        ("n", ["4", "4"]),
    ]
    assert note == "What they are. In every row: player a."


def test_data_has_bounds_and_counts_as_columns() -> None:
    names, rows = data(sheet_of([("a", None, None, None), ("b", Figure(0.5, 0.25, math.nan), Counts(3, 2, 1), 6)]))
    assert names == ["player", "score", "score_low", "score_high", "wins", "draws", "losses", "n"]
    assert rows[0] == dict.fromkeys(names) | {"player": "a"}
    assert list(rows[1].values()) == ["b", 0.5, 0.25, None, 3, 2, 1, 6]


# Exports


@pytest.mark.parametrize("form", FORMATS)
def test_a_table_without_rows_is_written_too(form: str) -> None:
    assert FORMATS[form][2](sheet_of([]))


@settings(max_examples=30, deadline=None)
@given(SHEETS)
def test_csv_holds_every_row_and_nothing_to_compute(sheet: Sheet) -> None:
    rows = list(csv.reader(io.StringIO(to_csv(sheet))))
    assert len(rows) == len(sheet.lines) + 1
    assert len({len(row) for row in rows}) == 1
    for row in rows[1:]:
        assert not row[0].startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@A1", " =1", "＝1"])
def test_csv_texts_are_no_formulas(name: str) -> None:
    text = list(csv.reader(io.StringIO(to_csv(sheet_of([(name, Figure(-0.5, -0.6, -0.4), None, 1)])))))[1]
    assert text[0] == f"'{name.strip()}"
    assert text[1:4] == ["-0.5", "-0.6", "-0.4"]


@settings(max_examples=30, deadline=None)
@given(SHEETS)
def test_json_is_json(sheet: Sheet) -> None:
    text = to_json(sheet)
    assert text.isascii()
    assert len(json.loads(text)["rows"]) == len(sheet.lines)


@settings(max_examples=30, deadline=None)
@given(SHEETS)
def test_markdown_rows_have_as_many_cells_as_the_head(sheet: Sheet) -> None:
    lines = [line for line in to_markdown(sheet).splitlines() if line.startswith("|")]
    assert len(lines) == len(sheet.lines) + 2
    assert len({len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines}) == 1


def test_markdown_shows_hostile_names_literally() -> None:
    text = to_markdown(sheet_of([(name, None, None, None) for name in HOSTILE]))
    assert "a\\|b" in text
    assert "\\[x\\](http:\\//y)" in text
    assert "\\<b\\>\\&amp;\\</b\\>" in text
    assert "\\`x\\`" in text


@settings(max_examples=30, deadline=None)
@given(SHEETS)
def test_latex_is_balanced_and_has_no_stray_specials(sheet: Sheet) -> None:
    text = to_latex(sheet).partition("\n")[2]
    bare = re.sub(r"\\[{}$&#%_]", "", text)
    assert bare.count("{") == bare.count("}")
    rows = [line for line in text.splitlines() if line.endswith(" \\\\")]
    assert len(rows) == len(sheet.lines) + 1
    assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1


def test_latex_specials_and_marks_print_as_themselves() -> None:
    rows: list[tuple[Cell, ...]] = [(name, Figure(0.1, 0, 1, 0.5, kind="own"), None, 1) for name in HOSTILE]
    text = to_latex(sheet_of(rows))
    assert "\\textbackslash{}input\\{x\\}" in text
    assert "\\$x\\$ \\%" in text
    assert "$\\bullet$ \\textasciitilde{}.10" in text
    assert "U+25CF" not in text


def test_long_latex_tables_go_on_in_another_float() -> None:
    text = to_latex(sheet_of([(f"p{place}", None, None, place) for place in range(ROWS + 1)]))
    assert text.count("\\begin{table}") == text.count("\\end{table}") == 2
    assert "\\label{tab:scores}" in text
    assert "\\label{tab:scores-2}" in text


@settings(max_examples=30, deadline=None)
@given(SHEETS)
def test_the_picture_is_xml_and_asks_nothing_of_the_network(sheet: Sheet) -> None:
    root = ET.fromstring(to_svg(sheet))
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
        "svg", "style", "defs", "clipPath", "rect", "g", "text",
    }  # fmt: skip
    assert not any(
        "url(h" in str(value) for element in root.iter() for value in (element.text, *element.attrib.values())
    )


@pytest.mark.parametrize(
    "name", ["<script>x</script>", "]]>&", "a\x00\x1b[31mb", "\ufffe\uffff\ud800", "[bold]x[/]", "語" * 9]
)
def test_the_picture_shows_hostile_names_literally(name: str) -> None:
    root = ET.fromstring(to_svg(sheet_of([(name, None, None, 1), ("b", None, None, 2)])))
    shown = "".join(element.text or "" for element in root.iter() if element.tag.endswith("text"))
    expected = {"a\x00\x1b[31mb": "a␀␛[31mb", "\ufffe\uffff\ud800": "���"}.get(name, name)
    assert expected in shown.replace("\xa0", " ")


def test_short_names_are_for_the_eye_alone() -> None:
    sheet = replace(sheet_of([("ckpt:a/b", None, None, 1), ("x", None, None, 1)]), names={"ckpt:a/b": "b"})
    assert "| b |" in to_markdown(sheet)
    assert "ckpt:a/b" in to_csv(sheet)
