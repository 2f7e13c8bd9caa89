"""Lists of rows as HTML tables: an interval stands behind its figure, names are text whatever is in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from evals.latex import intervals
from evals.page.markup import name, tag, text

Row = Mapping[str, Any]

MOST_ROWS = 2000
"""Lines of one table; a note says how many more there are."""
_HEADS = {"p_holm": "p Holm", "forfeits_a": "forfeits of a", "forfeits_b": "forfeits of b", "n": "n"}


def table(rows: Sequence[Row], leave_out: Sequence[str] = ()) -> str:
    """A table with the columns of the rows, in their order."""
    columns = [column for column in dict.fromkeys(key for row in rows for key in row) if column not in leave_out]
    spans = intervals(columns)
    bounds = {bound for pair in spans.values() for bound in pair}
    columns = [column for column in columns if column not in bounds]
    shown = rows[:MOST_ROWS]
    numeric = {column: all(_is_number(row.get(column)) for row in shown) for column in columns}
    heads = [
        tag("th", text(_head(column) + " [95 %]" * (column in spans)), class_="right" if numeric[column] else None)
        for column in columns
    ]
    body = []
    for row in shown:
        cells = [
            tag("td", _cell(row, column, spans.get(column)), class_="right" if numeric[column] else None)
            for column in columns
        ]
        body.append(tag("tr", *cells))
    found = tag("div", tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *body)), class_="wide")
    if len(rows) > MOST_ROWS:
        found += tag("p", f"{len(rows) - MOST_ROWS} more lines are in the JSON and CSV exports.", class_="note")
    return found


def _head(column: str) -> str:
    return _HEADS.get(column, column.replace("_", " "))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _cell(row: Row, column: str, span: tuple[str, str] | None) -> str:
    value = row.get(column)
    if span is not None and isinstance(value, int | float):
        low, high = (row.get(bound) for bound in span)
        if low is not None and high is not None:
            return text(f"{number(value)} [{number(low)}, {number(high)}]")
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return text(number(value))
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return name(", ".join(map(str, value)) or "—", 2000)
    if isinstance(value, dict | list):
        return name(json.dumps(value, ensure_ascii=False), 2000)
    return name(value, 2000)


def number(value: Any) -> str:
    """A figure with three decimals, or fewer where it is large, and a real minus."""
    if isinstance(value, float):
        size = abs(value)
        if 0 < size < 0.0005:
            return f"{value:.1e}".replace("-", "−")
        value = f"{value:.{3 if size < 10 else 1}f}"
    return str(value).replace("-", "−")
