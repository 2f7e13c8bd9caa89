"""A checkpoint is there whole or not at all, and damage is found, said and stepped over."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from arena.core.errors import ArenaError, UnknownName
from arena.runs import checkpoints
from arena.runs.checkpoints import list_checkpoints, offered_weights, resolve, verify, write_checkpoint


def fill(folder: Path) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    (folder / "model" / "model.safetensors").write_bytes(bytes(range(256)))
    (folder / "trainer.json").write_text('{"step": 1}')


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for step in (2, 10, 9):
        write_checkpoint(tmp_path / "run" / "checkpoints", step, fill)
    return tmp_path / "run"


def test_a_written_checkpoint_verifies_and_is_the_latest(run: Path) -> None:
    folder = write_checkpoint(run / "checkpoints", 11, fill)
    assert folder == run / "checkpoints" / "step_11"
    assert verify(folder) == []
    assert (run / "checkpoints" / "latest").read_text() == "step_11\n"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["step"] == 11
    assert sorted(manifest["files"]) == ["model/config.json", "model/model.safetensors", "trainer.json"]
    assert resolve(run) == (folder, 11, ())


def test_steps_are_listed_in_number_order_with_their_size(run: Path) -> None:
    found = list_checkpoints(run)
    assert [checkpoint.step for checkpoint in found] == [2, 9, 10]
    assert {checkpoint.bytes for checkpoint in found} == {256 + 2 + 11}


def truncate(folder: Path) -> None:
    os.truncate(folder / "model" / "model.safetensors", 100)


def flip(folder: Path) -> None:
    file = folder / "model" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[7] ^= 1
    file.write_bytes(content)


def drop(folder: Path) -> None:
    (folder / "trainer.json").unlink()


def add(folder: Path) -> None:
    (folder / "model" / "more.safetensors").write_bytes(b"x")


def link(folder: Path) -> None:
    (folder / "trainer.json").rename(folder.parent / "elsewhere")
    (folder / "trainer.json").symlink_to(folder.parent / "elsewhere")


def lose_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def garble_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"files": [1, 2')


def escape(folder: Path) -> None:
    entry = {"sha256": "0" * 64, "bytes": 1}
    (folder / "manifest.json").write_text(json.dumps({"step": 10, "files": {"../../other": entry}}))


DAMAGES = [truncate, flip, drop, add, link, lose_manifest, garble_manifest, escape]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_is_found_and_the_one_before_is_used_and_said(run: Path, damage: Callable[[Path], None]) -> None:
    damage(run / "checkpoints" / "step_10")
    assert verify(run / "checkpoints" / "step_10")
    found = resolve(run)
    assert found.step == 9
    assert len(found.warnings) == 1
    assert "step_10" in found.warnings[0]
    with pytest.raises(ArenaError, match="damaged"):
        resolve(run, 10)


def test_no_whole_checkpoint_is_an_error_that_says_why(run: Path) -> None:
    for step in (2, 9, 10):
        flip(run / "checkpoints" / f"step_{step}")
    with pytest.raises(ArenaError, match=r"no checkpoint that is whole.*step_10.*hash"):
        resolve(run)


def test_a_step_a_folder_and_an_id_are_understood(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve(run, 9).folder == run / "checkpoints" / "step_9"
    assert resolve(run / "checkpoints" / "step_2").step == 2
    monkeypatch.setenv("SPIRAL_ARENA_RUNS", str(run.parent))
    assert resolve("run").step == 10
    with pytest.raises(UnknownName, match="Unknown checkpoint"):
        resolve(run, 3)


def test_an_unknown_run_is_wrong_usage_and_one_without_checkpoints_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnknownName) as caught:
        resolve("nosuch")
    assert caught.value.exit_code == 2
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(ArenaError, match="no checkpoint yet"):
        resolve(tmp_path)


def test_a_write_cut_short_is_not_a_checkpoint_and_does_not_hinder_the_next(run: Path) -> None:
    class Killed(BaseException):
        pass

    def cut_short(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise Killed

    with pytest.raises(Killed):
        write_checkpoint(run / "checkpoints", 12, cut_short)
    assert (run / "checkpoints" / "step_12.tmp").is_dir()
    assert resolve(run) == (run / "checkpoints" / "step_10", 10, ())
    assert verify(write_checkpoint(run / "checkpoints", 12, fill)) == []
    assert [path.name for path in (run / "checkpoints").glob("*.tmp")] == []


def test_a_full_disk_is_one_line_and_leaves_what_was(run: Path) -> None:
    def full(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise OSError(28, "No space left on device")

    with pytest.raises(ArenaError, match="No space left on device"):
        write_checkpoint(run / "checkpoints", 12, full)
    assert not (run / "checkpoints" / "step_12.tmp").exists()
    assert resolve(run).step == 10


def test_the_same_step_again_replaces_it(run: Path) -> None:
    def other(folder: Path) -> None:
        (folder / "only").write_text("x")

    flip(run / "checkpoints" / "step_10")
    folder = write_checkpoint(run / "checkpoints", 10, other)
    assert verify(folder) == []
    assert (folder / "only").exists()


def test_whatever_is_killed_between_two_moves_the_rest_stays_readable(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    real, calls = os.fsync, 0
    for last in range(1, 12):
        calls = 0

        def dying(handle: int, last: int = last) -> None:
            nonlocal calls
            calls += 1
            if calls == last:
                raise Killed
            real(handle)

        with monkeypatch.context() as patch:
            patch.setattr(checkpoints.os, "fsync", dying)
            with suppress(Killed):
                write_checkpoint(run / "checkpoints", 20 + last, fill)
        assert resolve(run).warnings == ()


def test_the_magnets_weights_are_offered_where_there_is_one(run: Path) -> None:
    folder = run / "checkpoints" / "step_10"
    assert offered_weights(folder) == (folder / "model", folder / "model" / "model.safetensors")
    (folder / "magnet.safetensors").write_bytes(b"x")
    assert offered_weights(folder) == (folder / "model", folder / "magnet.safetensors")
