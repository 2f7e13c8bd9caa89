"""Pictures of the TUI for the README, from real runs.

    python tests/screenshots.py [--runs runs] [--out assets/screenshots] [--size 120x36]

Shows the newest training and the newest tournament below `--runs`, a match of each, and the forms. Nothing is started.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from arena.core.errors import ArenaError
from arena.runs.paths import run_dirs
from arena.runs.reader import RunReader
from arena.runs.record import read_record
from arena.tui.app import ArenaApp

Open = Callable[[ArenaApp], object]
SECONDS = 4.0
"""Enough for a screen to read and paint everything."""


def newest(root: Path, kinds: Sequence[str]) -> Path:
    """The newest run of one of these kinds. Raises ArenaError where there is none."""
    found = [path for path in run_dirs(root) if read_record(path).kind in kinds]
    if not found:
        raise ArenaError(f"{root} has no run of kind {' or '.join(kinds)}.", "Run spiral-arena quickstart first.")
    return found[-1]


def long_match(run_dir: Path) -> int:
    """The last of the longest TicTacToe matches among the run's newest thousand."""
    with RunReader(run_dir) as reader:
        recent = reader.matches(after_id=max(0, reader.count("match") - 1000))
    return max(recent, key=lambda match: (match.game == "tictactoe", match.turns, match.id)).id


def scenes(root: Path) -> dict[str, Open]:
    """What each picture opens, by its name."""
    training, tournament = newest(root, ["train"]), newest(root, ["tournament"])
    match = long_match(training)
    return {
        "runs": lambda app: app.show_runs(),
        "run": lambda app: app.open_run(training),
        "live": lambda app: app.open_match(training, match),
        "play": lambda app: app.open_play("ckpt:tiny", "tictactoe"),
        "tournament": lambda app: app.open_tournament(tournament),
        "tables": lambda app: app.open_tables((tournament,)),
        "launch": lambda app: app.open_launch("quickstart"),
    }


async def picture(root: Path, name: str, show: Open, path: Path, size: tuple[int, int]) -> None:
    app = ArenaApp(root, motion=False)
    async with app.run_test(size=size) as pilot:
        show(app)
        await pilot.pause(SECONDS)
        if name == "live":
            await pilot.press("end")
            await pilot.pause(SECONDS)
        path.write_text(app.export_screenshot(simplify=True), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=Path("assets/screenshots"))
    parser.add_argument("--size", default="120x36")
    options = parser.parse_args()
    width, _, height = options.size.partition("x")
    options.out.mkdir(parents=True, exist_ok=True)
    for name, show in scenes(options.runs).items():
        path = options.out / f"{name}.svg"
        asyncio.run(picture(options.runs, name, show, path, (int(width), int(height))))
        print(path)


if __name__ == "__main__":
    main()
