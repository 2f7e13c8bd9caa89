"""`runs`, `games`, `players`, `checkpoints`, `configs`: what there is, as a table or as JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from arena.cli.common import print_json, print_rows, say
from arena.core.errors import ArenaError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    for command in (games, checkpoints, configs):
        app.command()(command)


def runs(as_json: AsJson = False) -> None:
    """List the runs in ./runs (or in $SPIRAL_ARENA_RUNS), newest last."""
    from arena.runs.paths import run_dirs, runs_root

    rows = [describe_run(path) for path in run_dirs()]
    if as_json:
        print_json(rows)
        return
    empty = f"No runs in {runs_root()} yet. Start one: spiral-arena quickstart"
    print_rows(rows, ("id", "kind", "status", "progress", "started", "error"), empty)


def describe_run(path: Path) -> dict[str, Any]:
    """What one run is and how far it got; one that cannot be read is listed with the reason."""
    import datetime

    from arena.runs.record import read_record, run_status

    row: dict[str, Any] = {"id": path.name, "kind": None, "name": None, "status": "unreadable", "path": str(path)}
    row |= {"started": None, "progress": None, "parent": None, "error": None}
    try:
        record = read_record(path)
        started = datetime.datetime.fromtimestamp(record.started_at, datetime.UTC)
        row |= {"kind": record.kind, "name": record.name, "parent": record.parent}
        row["started"] = started.isoformat(timespec="seconds").replace("+00:00", "Z")
        row["progress"] = _progress(path, record.kind)
        row["status"] = run_status(path, record).value
    except ArenaError as error:
        row["error"] = str(error)
    return row


def _progress(path: Path, kind: str) -> str | None:
    from arena.runs.paths import DB_NAME
    from arena.runs.reader import RunReader

    if not (path / DB_NAME).exists():
        return None
    with RunReader(path) as reader:
        return f"step {reader.last_step()}" if kind in ("train", "sft") else f"{reader.count('match')} matches"


def games(as_json: AsJson = False) -> None:
    """List the games, and whether self-play trains on them."""
    from arena.config.checks import solved_games
    from arena.core.registry import adapters, game_ids, load_game

    solved = solved_games()
    rows = []
    for name in game_ids():
        info = load_game(name).INFO
        row = asdict(info) | {"variants": {key: list(values) for key, values in info.variants.items()}}
        rows.append(row | {"solved": info.id in solved})
    if as_json:
        print_json(rows)
        return
    for row in rows:
        row["use"] = "training" if row["trained"] else "OOD"
        row["variants"] = [f"{key}={'|'.join(map(str, values))}" for key, values in row["variants"].items()]
    print_rows(rows, ("id", "title", "use", "roles", "chance", "hidden", "solved", "variants"), "No games.")
    for syntax, title in adapters().items():
        say(f"Also {syntax}: {title}.")


def players(as_json: AsJson = False) -> None:
    """List the kinds of players and how their specs are written."""
    from arena.core.registry import discover, player_info

    rows = [asdict(player_info(name)) for name in discover("arena.players")]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, ("syntax", "title", "options"), "No players.")


def checkpoints(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", show_default=False)] = None, as_json: AsJson = False
) -> None:
    """List the checkpoints of a run, or of all runs and the bundled models."""
    from arena.runs.paths import find_run, run_dirs

    directories = [find_run(run)] if run is not None else run_dirs()
    rows = [row for path in directories for row in _checkpoints_of(path)]
    if run is None:
        rows = _bundled_models() + rows
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, ("spec", "run", "step", "bytes", "path"), "No checkpoints yet.")


def configs(as_json: AsJson = False) -> None:
    """List the presets that `train` and `sft` take by name, and what each is for."""
    from arena.config.presets import presets

    rows = [asdict(preset) | {"path": str(preset.path)} for preset in presets()]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, ("name", "kind", "about"), "No presets.")


def _checkpoints_of(run_dir: Path) -> list[dict[str, Any]]:
    from arena.runs.checkpoints import list_checkpoints
    from arena.runs.paths import checkpoints_dir, runs_root

    run_id = run_dir.absolute().name
    named = run_id if run_dir.parent == runs_root() else str(run_dir)
    if not checkpoints_dir(run_dir).is_dir():
        return []
    return [
        {"spec": f"ckpt:{named}@{found.step}", "run": run_id, "step": found.step, "bytes": found.bytes}
        | {"path": str(found.folder)}
        for found in list_checkpoints(run_dir)
    ]


def _bundled_models() -> list[dict[str, Any]]:
    import arena

    folder = Path(next(iter(arena.__path__))).parent / "assets" / "models"
    models = sorted(path for path in folder.glob("*") if (path / "config.json").is_file())
    return [
        {"spec": f"ckpt:{path.name}", "run": None, "step": None, "bytes": _size(path), "path": str(path)}
        for path in models
    ]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
