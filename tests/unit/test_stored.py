"""What the suites share: the closing line about open matches, and measures that a stop ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from arena.config.tournament import TournamentConfig
from arena.core.errors import ArenaError, PlayerStopped
from arena.core.ledger import Ledger
from arena.core.player import Player, Reply, View
from arena.core.registry import GameSpec, load_player
from arena.runs.job import Job, run_job
from arena.runs.launch import create_run
from arena.runs.reader import RunReader
from evals.schedule import round_robin
from evals.stored import measure, play_schedule

TICTACTOE = GameSpec.parse("tictactoe")
CONFIG = TournamentConfig(players=["outside", "random", "optimal"], games=["tictactoe"], concurrency=4)


class Outside:
    """Never answers, or says that it cannot go on; it has a ledger, as players of APIs do."""

    sees_state = False

    def __init__(self, reason: str = "", name: str = "outside") -> None:
        self.name, self.reason, self.ledger, self.asked = name, reason, Ledger(), 0

    async def act(self, view: View) -> Reply:
        self.asked += 1
        if self.reason:
            raise PlayerStopped(self.reason)
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None:
        return None


@dataclass
class Bare:
    """A player without a ledger that never answers."""

    name: str = "bare"
    sees_state: bool = False

    async def act(self, view: View) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None:
        return None


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    config = TournamentConfig(players=["random", "optimal"], games=["tictactoe"])
    with run_job(create_run(config, "tournament", tmp_path / "a run")) as job:
        yield job


def test_the_closing_line_says_who_was_stopped_why_how_much_is_open_and_how_to_go_on(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    players: dict[str, Player] = {"outside": Outside("outside: no such key."), "random": load_player("random")}
    players["optimal"] = load_player("optimal")
    schedule = round_robin([TICTACTOE], list(players), 3, 0)
    with pytest.raises(ArenaError) as caught:
        asyncio.run(play_schedule(job, CONFIG, schedule, players))
    assert str(caught.value) == (
        "12 of 18 matches are open: outside was stopped (no such key). All others are stored. "
        f"Resume: spiral-arena tournament --resume '{job.run_dir}'"
    )
    told = "outside is stopped, and its other matches stay open: no such key"
    assert told in capsys.readouterr().err
    with RunReader(job.run_dir) as reader:
        assert (reader.count("match"), [event.message for event in reader.events()][-1]) == (6, told)
    assert "void: tictactoe, outside against random, pair 0, leg 0: outside: no such key." in job.log.read_text()


def test_who_was_stopped_before_begins_afresh(job: Job) -> None:
    players: dict[str, Player] = {"outside": Outside("no such key."), "random": load_player("random")}
    schedule = round_robin([TICTACTOE], list(players), 3, 0)
    with pytest.raises(ArenaError):
        asyncio.run(play_schedule(job, CONFIG, schedule, players))
    asyncio.run(play_schedule(job, CONFIG, schedule, {**players, "outside": load_player("random")}))
    with RunReader(job.run_dir) as reader:
        assert reader.count("match") == len(schedule)


def test_ground_truth_asks_an_api_only_where_it_is_told_to(job: Job) -> None:
    outside = Outside("no such key.")
    asyncio.run(measure(job, [TICTACTOE], {"outside": outside, "optimal": load_player("optimal")}, 0))
    assert outside.asked == 0
    with RunReader(job.run_dir) as reader:
        assert {row.player for row in reader.truths()} == {"optimal"}
    with pytest.raises(PlayerStopped, match="no such key"):
        asyncio.run(measure(job, [TICTACTOE], {"outside": outside}, 0, apis=True))
    assert outside.asked <= 256, "nobody is asked again once it cannot go on"


@pytest.mark.parametrize("player", [Outside(), Bare()])
def test_a_polite_stop_ends_a_measure_that_hangs(job: Job, player: Player) -> None:
    async def run() -> None:
        task = asyncio.create_task(measure(job, [TICTACTOE], {"one": player}, 0, apis=True))
        await asyncio.sleep(0.1)
        assert not task.done()
        (job.run_dir / "stop").touch()
        await asyncio.wait_for(task, 5)

    began = time.monotonic()
    asyncio.run(run())
    assert job.stopped
    assert time.monotonic() - began < 5
    with RunReader(job.run_dir) as reader:
        assert reader.truths() == []
