"""A table for elsewhere, as it is shown: Markdown, CSV, LaTeX, JSON, and an SVG picture.

Names come from models, files and servers: nothing in them may be read as markup, a formula or a command.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from arena.core.latex import escape
from arena.core.sanitise import one_line, spreadsheet_text
from arena.tui.sheet import GLYPHS, Column, Sheet, Value, data, printed

SCHEMA = 1
ROWS = 40
"""Rows of one LaTeX float, which no page break may cut; more go on in the next."""
_WIDE = 8
"""Columns from which on a LaTeX table is scaled to the width of the text."""
_SYMBOLS = {GLYPHS["own"]: "$\\bullet$", GLYPHS["other"]: "$\\circ$", GLYPHS["ood"]: "$\\diamond$"}
_PICTURE = """<svg class="spiral-arena" xml:space="preserve" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }}
.{unique_id}-matrix {{ font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>
{lines}
</defs>
<rect width="100%" height="100%" fill="#ffffff"/>
<g transform="translate({terminal_x}, 8)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def to_markdown(sheet: Sheet) -> str:
    """A title, the table, and what its figures are."""
    columns, note = printed(sheet)
    lines = [f"**{_markdown(sheet.title)}**", ""]
    lines.append(_markdown_row([_markdown(column.title) for column in columns]))
    lines.append(_markdown_row(["---:" if column.right else "---" for column in columns]))
    lines += [_markdown_row([_markdown(cell) for cell in row]) for row in _rows(columns)]
    return "\n".join([*lines, *(["", _markdown(note)] if note else [])]) + "\n"


def to_csv(sheet: Sheet) -> str:
    """Whole names and unrounded numbers; a text that a spreadsheet would compute has an apostrophe before it."""
    names, rows = data(sheet)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([_csv(name) for name in names or [heading.name for heading in sheet.headings]])
    writer.writerows([_csv(row[name]) for name in names] for row in rows)
    return buffer.getvalue()


def to_json(sheet: Sheet) -> str:
    """Whole names and unrounded numbers; everything beyond ASCII is escaped."""
    return json.dumps({"schema": SCHEMA, "kind": sheet.kind, "rows": data(sheet)[1]}, indent=2, allow_nan=False) + "\n"


def to_latex(sheet: Sheet) -> str:
    """Floats of at most `ROWS` rows; needs the packages booktabs and graphicx."""
    columns, note = printed(sheet)
    rows = _rows(columns)
    parts = [_float(columns, rows[start : start + ROWS]) for start in range(0, len(rows) or 1, ROWS)]
    floats = []
    for number, body in enumerate(parts, start=1):
        caption = f"{_latex(sheet.title)}{' (continued)' * (number > 1)}. {_latex(note)}".rstrip()
        label = f"tab:{sheet.kind}{f'-{number}' * (number > 1)}"
        lines = ["\\centering", f"\\caption{{{caption}}}", f"\\label{{{label}}}", *body]
        floats += ["\\begin{table}[htbp]", *(f"  {line}" for line in lines), "\\end{table}", ""]
    return "\n".join(["% \\usepackage{booktabs,graphicx}", *floats])


def to_svg(sheet: Sheet) -> str:
    """A picture, black on white, for documents; it loads nothing from elsewhere."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.terminal_theme import DEFAULT_TERMINAL_THEME
    from rich.text import Text

    columns, note = printed(sheet)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=False)
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(Text(_visible(column.title)), justify=justify, no_wrap=True)
    for row in _rows(columns):
        table.add_row(*(Text(_visible(cell)) for cell in row))
    wide = Console(width=100_000, file=io.StringIO())
    room = max(wide.measure(table).maximum, 40)
    console = Console(width=room, record=True, file=io.StringIO(), color_system="truecolor", force_terminal=True)
    console.print(Text(_visible(sheet.title), "bold"), table, Text(_visible(note, 2000), "dim"), "")
    return console.export_svg(
        title="", theme=DEFAULT_TERMINAL_THEME, code_format=_PICTURE, unique_id=f"arena-{sheet.kind}"
    )


FORMATS: Mapping[str, tuple[str, str, Callable[[Sheet], str]]] = {
    "md": ("Markdown", ".md", to_markdown),
    "csv": ("CSV", ".csv", to_csv),
    "latex": ("LaTeX", ".tex", to_latex),
    "svg": ("SVG picture", ".svg", to_svg),
    "json": ("JSON", ".json", to_json),
}
"""By the name that the command line has for it: what it is called, its suffix, and its writer."""


def _markdown(text: str) -> str:
    """The text, whatever of Markdown, HTML or an address is in it."""
    escaped = re.sub(r"([\\`*_{}\[\]<>|~&#!$])", r"\\\1", one_line(text, 10_000))
    return re.sub(r"(?<!\w)@", r"\\@", escaped.replace("://", ":\\//").replace("www.", "www\\."))


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _csv(value: Value) -> Value:
    return spreadsheet_text(value) if isinstance(value, str) else value


def _rows(columns: list[Column]) -> list[tuple[str, ...]]:
    return list(zip(*(column.cells for column in columns), strict=True))


def _float(columns: list[Column], rows: list[tuple[str, ...]]) -> list[str]:
    body = [
        f"\\begin{{tabular}}{{{''.join('r' if column.right else 'l' for column in columns)}}}",
        "  \\toprule",
        f"  {_latex_row([column.title for column in columns])}",
        "  \\midrule",
        *(f"  {_latex_row(row)}" for row in rows),
        "  \\bottomrule",
        "\\end{tabular}",
    ]
    if len(columns) > _WIDE:
        return ["\\resizebox{\\textwidth}{!}{%", *body[:-1], f"{body[-1]}}}"]
    return body


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(map(_latex, cells)) + " \\\\"


def _latex(text: str) -> str:
    return "".join(_SYMBOLS.get(part) or _spaced(part) for part in re.split(f"([{''.join(_SYMBOLS)}])", text))


def _spaced(text: str) -> str:
    """Escaped, with the space at its ends that parts it from a symbol."""
    inside = escape(text)
    return f"{' ' * text.startswith(' ')}{inside}{' ' * (inside != '' and text.endswith(' '))}"


def _visible(text: str, limit: int = 400) -> str:
    """What XML can hold."""
    return re.sub("[\ufffe\uffff]", "\ufffd", one_line(text, limit))
