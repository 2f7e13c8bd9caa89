"""What several test files need."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def small_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `small_model.make`: made once, and again where the code that makes it changes."""
    root = Path(__file__).parents[1]
    sources = [Path(__file__).with_name("small_model.py"), *sorted((root / "training").glob("*.py"))]
    wanted = [path for path in sources if path.stem in {"small_model", "policy", "tokenizer", "warmstart", "batches"}]
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
