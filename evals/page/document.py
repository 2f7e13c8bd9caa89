"""A run as one HTML file: what its result says, as plots and tables, and every match to step through.

The file loads nothing and sends nothing: its policy allows its own style and script by their hashes, and no more.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

from arena.runs.paths import CONFIG_JSON
from arena.runs.reader import RunReader
from arena.runs.record import read_record, run_status
from evals.page.markup import name, tag, text
from evals.page.replay import Replays
from evals.page.sections import sections

Write = Callable[[str], object]
_CLIENT = files("evals.page")


def write_page(run_dir: Path, result: Mapping[str, Any], write: Write) -> None:
    """Write the page piece by piece, so that no more than a block of matches is in memory at once.

    Raises ArenaError where the run cannot be read.
    """
    style, script = (_CLIENT.joinpath(f"report.{suffix}").read_text(encoding="utf-8") for suffix in ("css", "js"))
    record = read_record(run_dir)
    title = f"{record.name} · {record.kind}"
    parts = sections(result)
    with RunReader(run_dir) as reader:
        matches = reader.all_matches()
        write(_head(title, style, script))
        status = str(run_status(run_dir, record))
        write(_header(record.name, _facts(record.kind, status, _config(run_dir), result, len(matches))))
        write(_navigation([part.title for part in parts], bool(matches)))
        write("<main>\n")
        for number, part in enumerate(parts):
            write(tag("section", tag("h2", text(part.title)), part.content, id=f"part-{number}") + "\n")
        if matches:
            write(_replay_section(len(matches)))
        write("</main>\n")
        write(_footer())
        if matches:
            Replays(reader, matches).write(write)
            write(f"<script>{script}</script>\n")
    write("</body>\n</html>\n")


def _head(title: str, style: str, script: str) -> str:
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{text(title)}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        "",
    ]
    return "\n".join(lines)


def _digest(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode("ascii")


def _header(title: str, facts: Sequence[tuple[str, str]]) -> str:
    items = [tag("li", f"{text(word)} ", tag("b", shown)) for word, shown in facts]
    return tag("header", tag("h1", name(title)), tag("ul", *items, class_="facts")) + "\n"


def _facts(
    kind: str, status: str, config: Mapping[str, Any], result: Mapping[str, Any], matches: int
) -> list[tuple[str, str]]:
    """What the run was asked to do, and how much of it is there."""
    facts = [("kind", text(kind)), ("status", text(status)), ("matches", str(matches))]
    for word in ("players", "games"):
        if isinstance(found := config.get(word), list) and found:
            facts.append((word, str(len(found))))
    for word in ("pairs", "seed"):
        if isinstance(found := config.get(word, result.get(word)), int):
            facts.append((word if word == "seed" else "pairs a meeting", str(found)))
    return facts


def _config(run_dir: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((run_dir / CONFIG_JSON).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _navigation(titles: Sequence[str], replay: bool) -> str:
    links = [(f"part-{number}", title) for number, title in enumerate(titles)] + [("replay", "Replay")] * replay
    items = [tag("li", tag("a", text(title), href=f"#{place}")) for place, title in links]
    return tag("nav", tag("ul", *items)) + "\n"


def _replay_section(count: int) -> str:
    keys = (("←", "→"), "turn"), (("k", "j"), "match"), (("0", "$"), "first and last position")
    shown = ", ".join(f"{' '.join(tag('kbd', key) for key in pair)} {words}" for pair, words in keys)
    intro = tag("p", f"{count} matches, move by move: {shown}.", class_="soft")
    without = tag("noscript", tag("p", "The replay needs a browser that runs this page's script.", class_="warning"))
    return tag("section", tag("h2", "Replay"), intro, without, tag("div", id="replays"), id="replay") + "\n"


def _footer() -> str:
    try:
        made_by = f"spiral-arena {version('spiral-arena')}"
    except PackageNotFoundError:
        made_by = "spiral-arena"
    words = (
        "Intervals are of 95 %; the unit is a pair: two matches with the same luck and swapped seats. "
        "Everything is in this file; it loads nothing."
    )
    return tag("footer", f"Made by {text(made_by)}. {text(words)}") + "\n"
