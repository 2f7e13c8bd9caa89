"""A result as Markdown or CSV: each list of rows in it is one table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from arena.core.sanitise import one_line

Row = Mapping[str, Any]


def to_markdown(result: Mapping[str, Any]) -> str:
    """Every table of the result under its name."""
    return "\n".join(f"## {name}\n\n{_markdown_table(rows)}" for name, rows in _tables(result).items())


def to_csv(result: Mapping[str, Any]) -> str:
    """Every table of the result one below the other; the first column says which table a row belongs to."""
    tables = _tables(result)
    columns = ["table", *dict.fromkeys(column for rows in tables.values() for column in _columns(rows))]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    for name, rows in tables.items():
        writer.writerows({"table": name} | {key: _cell(value) for key, value in row.items()} for row in rows)
    return buffer.getvalue().rstrip("\n")


def _tables(result: Mapping[str, Any]) -> dict[str, Sequence[Row]]:
    lists = {name: value for name, value in result.items() if isinstance(value, list)}
    return {name: rows for name, rows in lists.items() if rows and all(isinstance(row, dict) for row in rows)}


def _columns(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(column for row in rows for column in row))


def _markdown_table(rows: Sequence[Row]) -> str:
    columns = _columns(rows)
    lines = [f"| {' | '.join(columns)} |", f"|{'|'.join('---' for _ in columns)}|"]
    lines += [
        f"| {' | '.join(_cell(row.get(column)).replace('|', chr(92) + '|') for column in columns)} |" for row in rows
    ]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    """One line, fit for a terminal: names of players and models come from outside."""
    if value is None:
        return ""
    return one_line(f"{value:.4g}" if isinstance(value, float) else str(value), 10_000)
