"""Who may import whom (the contracts in pyproject.toml), and what light modules may load."""

from __future__ import annotations

import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import arena

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "vllm", "ray", "pandas", "textual")


def lint(folder: Path) -> str:
    """What import-linter prints for the packages and the pyproject.toml in the folder."""
    linter = "import sys; from importlinter.cli import lint_imports_command as run; sys.path.insert(0, '.'); run()"
    command = [sys.executable, "-c", linter, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_the_contracts_hold() -> None:
    assert "0 broken" in lint(ROOT)


def test_the_contracts_catch_what_they_forbid(tmp_path: Path) -> None:
    for package in ("arena", "evals", "training"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    planted = {
        "arena/core/planted.py": "import arena.games.tictactoe",
        "arena/games/planted.py": "import pydantic",
        "arena/runs/planted.py": "import arena.games.kuhn_poker\nimport textual",
        "arena/prompts/planted.py": "import arena.config.base",
        "arena/cli/planted.py": "def f():\n    import arena.players.random",
        "arena/players/planted.py": "def f():\n    import torch",
        "arena/tui/planted.py": "def f():\n    import arena.players.random",
        "training/planted.py": "import arena.cli\nimport pandas\nimport starlette",
    }
    for path, code in planted.items():
        (tmp_path / path).write_text(f"{code}\n", encoding="utf-8")
    assert "0 kept" in lint(tmp_path)


def loaded_by(code: str) -> set[str]:
    """Top-level names of the heavy packages that a fresh interpreter holds after the code."""
    ending = f"\nimport sys; print(*[name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code + ending], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(result.stdout.split())


@pytest.mark.parametrize("package", ["core", "games", "oracles", "prompts", "config", "runs", "players", "cli"])
def test_light_packages_load_nothing_heavy(package: str) -> None:
    path = Path(arena.__path__[0]) / package
    names = [f"arena.{package}"]
    names += [module.name for module in pkgutil.walk_packages([str(path)], f"arena.{package}.")]
    assert loaded_by(f"import importlib\nfor name in {names}: importlib.import_module(name)") == set()


def test_the_runner_of_matches_loads_nothing_heavy() -> None:
    assert loaded_by("import evals.runner, evals.schedule, evals.statistics, evals.report, evals.ground_truth") == set()


def test_the_probe_sees_what_is_loaded() -> None:
    assert loaded_by("import pandas") == {"pandas"}
