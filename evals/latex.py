"""Tables in LaTeX: names escaped, numbers right-aligned with as many decimals in the whole column.

An interval stands in one column behind its value. What is the same in every row stands in a line below the table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from arena.core.latex import escape as escape

LATEX_PACKAGES = "% \\usepackage{booktabs,graphicx}"
ROWS = 40
"""Rows of one float, which no page break may cut; more go on in the next."""
_WIDE = 8
"""Columns from which on a table is scaled to the width of the text."""
_INTERVAL = "95 %"

Row = Mapping[str, Any]


def latex_table(name: str, rows: Sequence[Row], about: str = "") -> str:
    """A booktabs table in a float, or several of at most `ROWS` rows, with `name` and `about` as the caption.

    `rows` are not empty; their cells are text, numbers, truth values, lists or None.
    """
    cells, common = _arrange(rows)
    chunks = [cells[start : start + ROWS] for start in range(0, len(cells), ROWS)]
    title = name.replace("_", " ").capitalize()
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    floats = []
    for number, chunk in enumerate(chunks):
        caption = f"{escape(title)}{' (continued)' * (number > 0)}. {escape(about)}".rstrip()
        floats.append(_float(chunk, caption, f"tab:{label}" + f"-{number + 1}" * (number > 0), common))
    return "\n".join(floats)


def _float(cells: Sequence[Mapping[str, tuple[str, bool]]], caption: str, label: str, common: str) -> str:
    columns = list(cells[0])
    numeric = {column: all(row[column][1] or not row[column][0] for row in cells) for column in columns}
    body = [
        f"\\begin{{tabular}}{{{''.join('r' if numeric[column] else 'l' for column in columns)}}}",
        "  \\toprule",
        f"  {_line([escape(_head(column)) for column in columns])}",
        "  \\midrule",
        *(f"  {_line([row[column][0] for column in columns])}" for row in cells),
        "  \\bottomrule",
        "\\end{tabular}",
    ]
    if len(columns) > _WIDE:
        body = ["\\resizebox{\\textwidth}{!}{%", *body[:-1], body[-1] + "}"]
    note = [f"\\par\\smallskip\\footnotesize {common}"] if common else []
    lines = ["\\centering", f"\\caption{{{caption}}}", f"\\label{{{label}}}", *body, *note]
    return "\n".join(["\\begin{table}[htbp]", *(f"  {line}" for line in lines), "\\end{table}", ""])


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + " \\\\"


def _head(column: str) -> str:
    return _INTERVAL if column.endswith(_INTERVAL) else column.replace("_", " ")


def _arrange(rows: Sequence[Row], fold: bool = True) -> tuple[list[dict[str, tuple[str, bool]]], str]:
    """The printed cells by column, each with whether it is a number, and the line on what all rows share."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    spans = intervals(columns)
    bounds = {bound for pair in spans.values() for bound in pair}
    cells: list[dict[str, tuple[str, bool]]] = [{} for _ in rows]
    common: list[str] = []
    for column in (column for column in columns if column not in bounds):
        values = [row.get(column) for row in rows]
        printed = _column(values)
        if fold and len(rows) > 1 and len(set(printed)) == 1 and not isinstance(values[0], float):
            common += [f"{escape(_head(column))} {printed[0][0]}"] if printed[0][0] else []
            continue
        for cell, value in zip(cells, printed, strict=True):
            cell[column] = value
        if column in spans:
            low, high = (_column([row.get(name) for row in rows]) for name in spans[column])
            for cell, a, b in zip(cells, low, high, strict=True):
                cell[f"{column} {_INTERVAL}"] = (f"[{a[0]}, {b[0]}]" if a[0] and b[0] else "", True)
    if not cells[0]:
        return _arrange(rows, fold=False)
    return cells, f"In every row: {', '.join(common)}." if common else ""


def intervals(columns: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The columns that two others bound: `x_low` and `x_high` those of x, `low` and `high` those of the one before."""
    spans: dict[str, tuple[str, str]] = {}
    for before, low, high in zip(columns, columns[1:], columns[2:], strict=False):
        if (low, high) in (("low", "high"), (f"{before}_low", f"{before}_high")):
            spans[before] = (low, high)
    return spans


def _column(values: Sequence[Any]) -> list[tuple[str, bool]]:
    digits = _decimals([value for value in values if isinstance(value, float)])
    return [_cell(value, digits) for value in values]


def _decimals(values: Sequence[float]) -> int:
    """Three below ten, one below a thousand, else none: about as many as an interval bears."""
    largest = max((abs(value) for value in values), default=0.0)
    return 3 if largest < 10 else 1 if largest < 1000 else 0


def _cell(value: Any, digits: int) -> tuple[str, bool]:
    if value is None:
        return "", False
    if isinstance(value, bool):
        return ("yes" if value else "no"), False
    if isinstance(value, int | float):
        text = f"{value:.{digits}f}" if isinstance(value, float) else str(value)
        return text.replace("-", "$-$"), True
    if isinstance(value, list):
        return escape(", ".join(str(item) for item in value)), False
    return escape(str(value)), False
