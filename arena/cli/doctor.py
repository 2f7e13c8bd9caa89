"""`doctor`: whether this machine has what the project needs, and what to do where it has not."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from arena.cli.common import print_json, print_rows
from arena.core.errors import ArenaError

_PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "pydantic", "numpy", "pandas", "textual", "openai")
_OPTIONAL = ("vllm", "textarena")
_FREE_BYTES = 1 << 30


class Check(NamedTuple):
    name: str
    ok: bool
    value: str
    hint: str = ""


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check Python, packages, device, disk and the bundled model."""
    checks = [check for part in _PARTS for check in part()]
    if as_json:
        print_json([check._asdict() for check in checks])
    else:
        rows = [check._asdict() | {"ok": "ok" if check.ok else "FAILED"} for check in checks]
        print_rows(rows, ("name", "ok", "value", "hint"), "")
    failed = [check.name for check in checks if not check.ok]
    if failed:
        raise ArenaError(f"{len(failed)} checks failed: {', '.join(failed)}.")


def _system() -> list[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    return [
        Check("python", sys.version_info >= (3, 11), version, "Needs Python 3.11 or newer."),
        Check("platform", sys.platform in ("linux", "darwin"), sys.platform, "Linux and macOS are supported."),
        Check("cpu cores", True, str(os.cpu_count())),
    ]


def _packages() -> list[Check]:
    from importlib.metadata import PackageNotFoundError, version

    checks = []
    for name in (*_PACKAGES, *_OPTIONAL):
        try:
            checks.append(Check(name, True, version(name)))
        except PackageNotFoundError:
            optional = name in _OPTIONAL
            hint = f"pip install -e '.[{name}]'" if optional else "pip install -e ."
            checks.append(Check(name, optional, "not installed", hint))
    return checks


def _device() -> list[Check]:
    import subprocess

    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else 'cpu')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    lines = (result.stdout if result.returncode == 0 else result.stderr).strip().splitlines() or ["no answer"]
    return [Check("device", result.returncode == 0, lines[-1], "" if result.returncode == 0 else "torch cannot start.")]


def _runs() -> list[Check]:
    import tempfile

    from arena.core.keys import derive_key
    from arena.runs.lock import run_lock
    from arena.runs.paths import runs_root
    from arena.runs.reader import RunReader
    from arena.runs.store import RunStore

    root = runs_root().absolute()
    below = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(below).free
    space = Check("disk space", free >= _FREE_BYTES, f"{free / 1e9:.1f} GB free", "Training wants 1 GB.")
    try:
        with tempfile.TemporaryDirectory(prefix=f".doctor-{derive_key(os.getpid())}-", dir=below) as name:
            path = Path(name)
            with run_lock(path), RunStore(path) as store:
                store.add_event("started", "doctor")
                with RunReader(path) as reader:
                    works = reader.count("event") == 1
    except (OSError, ArenaError) as error:
        return [space, Check("run directory", False, str(error), f"Make {below} writable or set SPIRAL_ARENA_RUNS.")]
    return [space, Check("run directory", works, str(root), "" if works else "SQLite cannot share a file here.")]


def _model() -> list[Check]:
    import arena

    path = Path(next(iter(arena.__path__))).parent / "assets" / "models" / "tiny"
    there = (path / "config.json").is_file()
    return [Check("bundled model", there, str(path), "" if there else "Make it: spiral-arena warmstart")]


_PARTS: tuple[Callable[[], list[Check]], ...] = (_system, _packages, _device, _runs, _model)
