"""A run of matches that others played, on every screen that shows runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from arena.cli.importing import _config
from arena.runs.launch import create_run
from arena.tui.app import ArenaApp
from arena.tui.collect.evaluation import ResultsReader
from arena.tui.collect.runs import read_row
from arena.tui.collect.tables import TablesReader
from arena.tui.screens.tournament import TournamentScreen
from evals.__main__ import main

EVIL = "x\x1b[31m[/b]\u202e"


def imported(tmp_path: Path) -> Path:
    """Three players in two games that are not ours, one meeting without a single pair."""
    rows = [("go", a, b, seat, (seat + len(b)) % 3 - 1) for a, b in (("x", EVIL), ("x", "zz")) for seat in (0, 1) * 6]
    rows += [("bridge?x=1", "x", EVIL, seat, 250 - 400 * seat) for seat in (0, 1) * 4]
    rows += [("go", EVIL, "zz", 0, 1)]
    keys = ("game", "a", "b", "leg", "return_a")
    source = tmp_path / "others.jsonl"
    source.write_text("".join(json.dumps(dict(zip(keys, row, strict=True))) + "\n" for row in rows))
    run_dir = create_run(_config(source, "jsonl", None, False), "imported", tmp_path / "runs" / "others")
    assert main([str(run_dir), "--json"]) == 0
    return run_dir


def test_its_row_result_and_tables_are_read(tmp_path: Path) -> None:
    run_dir = imported(tmp_path)
    row = read_row(run_dir)
    assert (row.kind, row.status, row.done, row.total) == ("imported", "finished", 33, 33)
    found = ResultsReader(run_dir).read()
    assert not found.problem
    assert found.results.games == ("go", "bridge?x=1")
    assert {one.player for one in found.results.standings} == {"x", EVIL, "zz"}
    sheets = TablesReader(tmp_path / "runs").read()
    assert not sheets.problems
    assert len(sheets.sheets["scores"].lines) == 3


def test_the_screens_show_it(tmp_path: Path) -> None:
    run_dir = imported(tmp_path)

    async def look() -> None:
        app = ArenaApp(tmp_path / "runs", motion=False)
        async with app.run_test(size=(120, 36)) as pilot:
            app.open_run(run_dir)
            for _ in range(200):
                await pilot.pause(0.02)
                if isinstance(app.screen, TournamentScreen) and app.screen._shown is not None:
                    break
            assert isinstance(app.screen, TournamentScreen)
            assert app.screen._shown is not None
            assert app.screen._shown.results.views
            for key in ("g", "o", "enter", "escape", "6", "5", "3", "1", "t", "escape", "5", "n", "enter", "escape"):
                await pilot.press(key)
                await pilot.pause(0.05)

    asyncio.run(look())
