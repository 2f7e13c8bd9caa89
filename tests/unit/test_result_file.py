"""`result.json`: what `--json` prints, while the job goes on and at its end."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from arena.config.base import Config
from arena.config.tournament import HeadToHeadConfig, MatchConfig, OodConfig, TournamentConfig
from arena.runs.job import run_job
from arena.runs.launch import create_run
from arena.runs.paths import RESULT_JSON, ask_to_stop
from arena.runs.reader import RunReader
from evals import result_file
from evals.__main__ import main
from evals.result_file import ResultFile
from evals.suites import tournament

CONFIGS: dict[str, Config] = {
    "tournament": TournamentConfig(players=["random", "optimal"], games=["tictactoe", "pig_dice"], pairs=2),
    "head-to-head": HeadToHeadConfig(players=["random", "scripted"], games=["snake"], pairs=2),
    "ood": OodConfig(players=["scripted"], base="random", games=["snake", "pig_dice"], pairs=2),
    "match": MatchConfig(game="tictactoe", players=("random", "optimal")),
}
PROGRESS = ("finished", "played", "planned")


def read(run_dir: Path) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """The result in the file, and what it says of the job's progress."""
    found = json.loads((run_dir / RESULT_JSON).read_text(encoding="utf-8"))
    return found, tuple(found.pop(name) for name in PROGRESS)


@pytest.mark.parametrize("kind", CONFIGS)
def test_at_its_end_it_is_what_json_prints_and_the_progress(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    run_dir = create_run(CONFIGS[kind], kind, tmp_path / "run")
    assert main([str(run_dir), "--json"]) == 0
    result, progress = read(run_dir)
    assert json.dumps(result) == json.dumps(json.loads(capsys.readouterr().out)), "the order of keys too"
    with RunReader(run_dir) as reader:
        count = reader.count("match")
    assert progress == (True, count, count)


def test_asked_to_stop_it_holds_what_was_played_and_a_resume_goes_on_writing_it(tmp_path: Path) -> None:
    config = TournamentConfig(players=["random", "optimal"], games=["tictactoe"], pairs=1500)
    run_dir = create_run(config, "tournament", tmp_path / "run")

    async def stop() -> None:
        while _count(run_dir) < 10:
            await asyncio.sleep(0.005)
        ask_to_stop(run_dir)

    async def work() -> None:
        with run_job(run_dir) as job:
            stopping = asyncio.create_task(stop())
            async with ResultFile(tournament, run_dir, config).kept(job):
                await tournament.play(job, config)
            await stopping
            assert job.stopped

    asyncio.run(work())
    result, (finished, played, planned) = read(run_dir)
    assert (finished, planned) == (False, 3000)
    assert 10 <= played == _count(run_dir) < 3000
    assert result == tournament.build_result(run_dir)
    assert main([str(run_dir)]) == 0
    result, progress = read(run_dir)
    assert progress == (True, 3000, 3000)
    assert result["results"][0]["pairs"] == 1500


def _count(run_dir: Path) -> int:
    with RunReader(run_dir) as reader:
        return reader.count("match")


def test_while_the_job_goes_on_it_shows_the_pairs_so_far_at_a_bounded_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_file, "SECONDS", 0.05)
    config = TournamentConfig(players=["random", "optimal"], games=["tictactoe"], pairs=200, concurrency=1)
    run_dir = create_run(config, "tournament", tmp_path / "run")
    versions: list[tuple[float, int]] = []
    built: list[float] = []

    class Suite:
        schedule = staticmethod(tournament.schedule)

        @staticmethod
        def build_result(path: Path) -> dict[str, Any]:
            began = time.monotonic()
            found = tournament.build_result(path)
            built.append(time.monotonic() - began)
            return found

    async def work() -> None:
        with run_job(run_dir) as job:
            async with ResultFile(Suite, run_dir, config).kept(job):
                playing = asyncio.create_task(tournament.play(job, config))
                while not playing.done():
                    await asyncio.sleep(0.005)
                    if (run_dir / RESULT_JSON).exists():
                        result, (finished, played, planned) = read(run_dir)
                        assert (finished, planned) == (False, 400)
                        assert played - 2 * sum(row["pairs"] for row in result["results"]) >= 0
                        versions.append((time.monotonic(), played))

    began = time.monotonic()
    asyncio.run(work())
    elapsed = time.monotonic() - began
    counts = sorted({played for _, played in versions})
    assert counts[0] < 400, "there was a version before the end"
    assert sum(built[:-2]) <= 0.05 * elapsed + 0.05, "all but the last two: the clock allows for those that are over"
    assert read(run_dir)[1] == (True, 400, 400)


def test_an_unwritable_file_is_noted_once_and_stops_no_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(result_file, "SECONDS", 0.01)
    config = TournamentConfig(players=["random", "optimal"], games=["tictactoe"], pairs=300)
    run_dir = create_run(config, "tournament", tmp_path / "run")
    (run_dir / f"{RESULT_JSON}.tmp").mkdir()
    assert main([str(run_dir), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["pairs"] == 300
    (log,) = run_dir.glob("logs/attempt_*/job.log")
    assert log.read_text().count("Cannot write") == 1
    assert not (run_dir / RESULT_JSON).exists()


@pytest.mark.parametrize("damage", ["missing", "cut", "unfinished"])
def test_a_finished_run_is_given_its_file_where_it_has_none(tmp_path: Path, damage: str) -> None:
    run_dir = create_run(CONFIGS["ood"], "ood", tmp_path / "run")
    assert main([str(run_dir)]) == 0
    before = (run_dir / RESULT_JSON).read_text()
    if damage == "missing":
        (run_dir / RESULT_JSON).unlink()
    else:
        (run_dir / RESULT_JSON).write_text(before[:40] if damage == "cut" else '{"finished": false}')
    assert main([str(run_dir), "--show"]) == 0
    assert not (run_dir / RESULT_JSON).exists() or (run_dir / RESULT_JSON).read_text() != before, "--show only reads"
    assert main([str(run_dir)]) == 0
    assert (run_dir / RESULT_JSON).read_text() == before


def test_a_match_that_failed_leaves_the_last_version(tmp_path: Path) -> None:
    """A player that cannot be loaded: nothing is played, so there is nothing to show."""
    config = TournamentConfig(players=["random", "ckpt:no_such_model"], games=["tictactoe"], pairs=1)
    run_dir = create_run(config, "tournament", tmp_path / "run")
    assert main([str(run_dir)]) != 0
    result, progress = read(run_dir)
    assert result["results"] == []
    assert progress == (False, 0, 2)
