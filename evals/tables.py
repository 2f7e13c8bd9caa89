"""Pieces of tables for a terminal: plain text whatever a name holds, no frame, readable without colour."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from arena.core.sanitise import one_line

ABSENT = "—"
MIN_NAME = 10
"""Least width of a column of names, which fold."""


def make_table(title: str, columns: Sequence[tuple[str, str]]) -> Table:
    """A table without a frame. Columns are (header, kind): "name" folds, "text" is left- and "number" right-aligned."""
    table = Table(
        title=Text(one_line(title), style="bold"),
        title_justify="left",
        header_style="",
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
    )
    for header, kind in columns:
        table.add_column(
            Text(header, style="dim"),
            justify="right" if kind == "number" else "left",
            no_wrap=kind == "number",
            overflow="fold",
            min_width=MIN_NAME if kind == "name" else None,
        )
    return table


def name_cell(text: str) -> Text:
    return Text(one_line(text))


def figure(value: float, sign: bool, digits: int = 3) -> str:
    return signed(value, digits) if sign else f"{value:.{digits}f}"


def span(low: float, high: float, sign: bool) -> str:
    return between(figure(low, sign, 2), figure(high, sign, 2))


def signed(value: float, digits: int) -> str:
    """A figure with its sign, zero without one, and a real minus."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def between(low: str, high: str) -> str:
    return f"{low} … {high}"
