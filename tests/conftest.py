"""What several test files need."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

# Exact where a GPU would round; tests of one ask for it. Nothing is looked up online.
os.environ.setdefault("SPIRAL_ARENA_DEVICE", "cpu")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def small_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `small_model.make`: made once, and again where the code that makes it changes."""
    root = Path(__file__).parents[1]
    sources = [Path(__file__).with_name("small_model.py"), *sorted((root / "training").glob("*.py"))]
    stems = {"small_model", "policy", "tokenizer", "warmstart", "supervised", "batches"}
    wanted = [path for path in sources if path.stem in stems]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in wanted)).hexdigest()[:16]
    cache = request.config.cache
    assert cache is not None
    folder = cache.mkdir("small_model") / digest
    if not folder.exists():
        from small_model import make

        fresh = make(tmp_path_factory.mktemp("small_model") / "model")
        aside = folder.with_name(f"{digest}.{tmp_path_factory.getbasetemp().name}.tmp")
        shutil.copytree(fresh, aside, dirs_exist_ok=True)
        try:
            aside.rename(folder)
        except OSError:
            shutil.rmtree(aside)  # another worker was first
    return folder
