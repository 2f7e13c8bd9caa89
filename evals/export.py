"""A result as Markdown, CSV or LaTeX: each list of rows in it is one table."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from arena.core.sanitise import one_line, spreadsheet_text
from evals.latex import LATEX_PACKAGES, latex_table

Row = Mapping[str, Any]


def to_markdown(result: Mapping[str, Any]) -> str:
    """The notes on the result, then every table of it under its name."""
    parts = [f"{_markdown_cell(note)}\n" for note in notes(result)]
    parts += [f"## {name}\n\n{_markdown_table(rows)}" for name, rows in tables(result).items()]
    return "\n".join(parts).rstrip("\n")


def to_csv(result: Mapping[str, Any]) -> str:
    """Every table of the result one below the other; the first column says which table a row belongs to."""
    found = tables(result)
    columns = ["table", *dict.fromkeys(column for rows in found.values() for column in columns_of(rows))]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    for name, rows in found.items():
        writer.writerows({"table": name} | {key: _csv(value) for key, value in row.items()} for row in rows)
    return buffer.getvalue().rstrip("\n")


def _csv(value: Any) -> str:
    return spreadsheet_text(value) if isinstance(value, str) else _cell(value)


def to_latex(result: Mapping[str, Any]) -> str:
    """Every table of the result as a float; needs the packages booktabs and graphicx."""
    found = tables(result).items()
    remarks = [f"% {note}" for note in notes(result)]
    parts = [latex_table(name, [_flat(row) for row in rows], _about(result, rows)) for name, rows in found]
    return "\n".join([LATEX_PACKAGES, *remarks, *parts]).rstrip("\n")


def _about(result: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """What a caption says of where the figures come from."""
    seed, pairs = result.get("seed"), sorted({row["pairs"] for row in rows if "pairs" in row})
    parts = [] if seed is None else [f"Seed {seed}."]
    if pairs:
        count = str(pairs[0]) if len(pairs) == 1 else f"{pairs[0]} to {pairs[-1]}"
        parts.append(f"{count} pairs of matches a row.")
    return " ".join(parts)


def _flat(row: Row) -> Row:
    """Nested figures as columns of their own; what else is nested is for programs, and left out."""
    flat: dict[str, Any] = {}
    for column, value in row.items():
        if isinstance(value, dict):
            flat |= {key: inner for key, inner in value.items() if isinstance(inner, int | float) and key not in row}
        else:
            flat[column] = value
    return flat


def tables(result: Mapping[str, Any]) -> dict[str, Sequence[Row]]:
    """The lists of rows in a result, by name; empty ones are left out."""
    lists = {name: value for name, value in result.items() if isinstance(value, list)}
    found: dict[str, Sequence[Row]] = {
        name: rows for name, rows in lists.items() if rows and all(isinstance(row, dict) for row in rows)
    }
    if "claims" in found:
        found["claims"] = [{**row, "game": row.get("game") or "all games"} for row in found["claims"]]
    return found


def notes(result: Mapping[str, Any]) -> list[str]:
    """What is to be known of where the figures come from, a line each."""
    return [one_line(str(note), 1000) for note in result.get("notes", ())]


def columns_of(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(column for row in rows for column in row))


def _markdown_table(rows: Sequence[Row]) -> str:
    rows = [_flat(row) for row in rows]
    columns = columns_of(rows)
    lines = [f"| {' | '.join(map(_markdown_cell, columns))} |", f"|{'|'.join('---' for _ in columns)}|"]
    lines += [f"| {' | '.join(_markdown_cell(row.get(column)) for column in columns)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _markdown_cell(value: Any) -> str:
    """Names stay as they are, whatever of Markdown or HTML is in them."""
    text = _cell(value)
    return text if isinstance(value, int | float) else re.sub(r"([\\`*\[\]<>|~])", r"\\\1", text)


def _cell(value: Any) -> str:
    """One line, fit for a terminal: names of players and models come from outside."""
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value)
    return one_line(f"{value:.4g}" if isinstance(value, float) else str(value), 10_000)
