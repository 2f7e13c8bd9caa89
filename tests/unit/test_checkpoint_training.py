"""A training checkpoint that is damaged, does not fit, or cannot be written: said in a line, nothing lost."""

from __future__ import annotations

import ctypes
import json
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from databases import changing
from training_runs import assert_same_run, checkpoint, finish, new_run, rows, steps_stored, train

from arena.core.registry import load_player
from arena.runs.checkpoints import list_checkpoints, resolve
from arena.runs.paths import CONFIG_JSON, DB_NAME
from arena.runs.reader import RunReader

SETTINGS = ("steps=4", "checkpoint_every=2", "evaluation.every=0", "evaluation.opponents=['random']")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, small_model: Path) -> Path:
    run_dir = new_run(tmp_path_factory.mktemp("finished") / "run", small_model, *SETTINGS)
    train(run_dir)
    return run_dir


@pytest.fixture
def cut_short(finished: Path, tmp_path: Path) -> Path:
    """A copy of the run, as if it had been killed after its last checkpoint."""
    run_dir = Path(shutil.copytree(finished, tmp_path / "copy"))
    with changing(run_dir / DB_NAME) as db:
        db.execute("DELETE FROM event WHERE kind = 'finished'")
    return run_dir


def flip_a_byte(folder: Path) -> None:
    file = folder / "model" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def truncate(folder: Path) -> None:
    file = folder / "optimiser.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def drop_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def drop_a_file(folder: Path) -> None:
    (folder / "trainer.json").unlink()


@pytest.mark.parametrize("damage", [flip_a_byte, truncate, drop_manifest, drop_a_file])
def test_a_damaged_checkpoint_is_passed_over_aloud_and_made_again(
    cut_short: Path, finished: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], None]
) -> None:
    damage(cut_short / "checkpoints" / "step_4")
    train(cut_short)
    err = capsys.readouterr().err
    assert "warning: Checkpoint step_4 of" in err
    assert "is damaged" in err
    assert "using the one before" in err
    assert resolve(cut_short).step == 4
    assert resolve(cut_short).warnings == ()
    assert_same_run(finished, cut_short, 4)
    with RunReader(cut_short) as reader:
        assert "warning" in [event.kind for event in reader.events()]


def test_where_no_checkpoint_is_whole_it_does_not_begin_again(
    cut_short: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = rows(cut_short)
    for found in list_checkpoints(cut_short):
        drop_manifest(found.folder)
    train(cut_short, code=1)
    assert "no checkpoint that is whole" in capsys.readouterr().err
    assert rows(cut_short) == stored


def edit_config(run_dir: Path, **values: object) -> None:
    path = run_dir / CONFIG_JSON
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_another_number_of_ranks_is_refused(cut_short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = cut_short / "checkpoints" / "step_4"
    state = json.loads((trainer / "trainer.json").read_text())
    assert state["ranks"] == 1
    edit_config(cut_short, ranks=2)
    done = finish(cut_short, code=1)
    assert "ranks = 1 and cannot go on with ranks = 2" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_unknown_key_in_config_json_is_named_with_the_nearest(
    cut_short: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit_config(cut_short, magnet_deca=0.9)
    train(cut_short, code=2)
    err = capsys.readouterr().err
    assert "'magnet_deca'" in err
    assert "Did you mean magnet_decay" in err
    assert err.count("\n") == 1


def test_a_broken_config_json_is_one_line(cut_short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (cut_short / CONFIG_JSON).write_text("{")
    train(cut_short, code=1)
    assert "config.json is damaged" in capsys.readouterr().err


def test_out_of_disk_it_says_so_in_one_line_and_goes_on_later(
    small_model: Path, finished: Path, tmp_path: Path
) -> None:
    run_dir = new_run(tmp_path / "run", small_model, *SETTINGS)

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = finish(run_dir, code=1, preexec_fn=small_files_only)
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] == done.stderr.splitlines()[-1:]
    assert "Cannot write checkpoint" in done.stderr
    assert "Traceback" not in done.stderr
    assert not any(path.name.endswith(".tmp") for path in (run_dir / "checkpoints").iterdir())
    train(run_dir)
    assert_same_run(finished, run_dir, 4)


def _as_nobody_special() -> None:
    """Give up root's right to write everywhere (PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)."""
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="drops a capability of Linux")
@pytest.mark.parametrize("where", ["", "checkpoints"])
def test_without_permission_it_says_so_in_one_line_and_goes_on_later(
    small_model: Path, finished: Path, tmp_path: Path, where: str
) -> None:
    run_dir = new_run(tmp_path / "run", small_model, *SETTINGS)
    (run_dir / "checkpoints").mkdir()
    (run_dir / where).chmod(0o555)
    done = finish(run_dir, code=1, preexec_fn=_as_nobody_special)
    errors = [line for line in done.stderr.splitlines() if not line.startswith(("Run ", "step "))]
    assert len(errors) == 1
    assert errors[0].startswith("error: Cannot ")
    (run_dir / where).chmod(0o755)
    train(run_dir)
    assert_same_run(finished, run_dir, 4)


def test_old_checkpoints_go_but_never_the_start(small_model: Path, tmp_path: Path) -> None:
    run_dir = new_run(tmp_path / "run", small_model, *SETTINGS, "checkpoint_every=1", "keep_checkpoints=2")
    train(run_dir)
    assert [found.step for found in list_checkpoints(run_dir)] == [0, 3, 4]


def test_a_checkpoint_plays_and_offers_the_magnet(finished: Path) -> None:
    player = load_player(f"ckpt:{finished}")
    assert player.name == f"ckpt:{finished}"
    tensors, state = checkpoint(finished, 4)
    embedding = "model.embed_tokens.weight"
    assert not tensors[f"magnet.safetensors/{embedding}"].equal(tensors[f"model.safetensors/{embedding}"])
    assert all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())
    assert state["estimator"]["baseline"]
    assert steps_stored(finished) == 4
    settings = json.loads((finished / "checkpoints" / "step_4" / "model" / "spiral_arena.json").read_text())
    assert settings["sampling"] == {"temperature": 1.0, "max_tokens": 16}
