"""Many API games at once against a local server process: is it as fast as the server lets it be, and what bounds it?

    python tests/benchmarks/api_scale.py [--json] [--part rate|adaptive|flight|limit]… [--seconds S]

Everything is real: `vllm:` players through the `openai` client, the match loop, a run's database with its live view.
Only the model is not: tests/servers/fault_server.py plays legal moves and waits before every answer as long as it
draws. Both seats are API players, so every game in flight has one request in flight. Each part plays for S seconds
(default 30) after a start that is not counted.

    rate     64 in flight, answers after 200–800 ms: requests per second against concurrency ÷ mean latency, the mean of
             what was drawn in the same time. Exit code 1 below 0.95.
    adaptive the same, but the players are not told that they may send 64 requests at once: they find out, in the start.
    flight   1,000 games in flight, answers after 2–6 s: the same ratio, the memory of the process over the time, and
             errors. Exit code 1 where a request failed, or memory grew by more than 5 % in the second half.
    limit    1,000 games in flight, answers at once: the most that one process can do, and whose CPU bounds it.

With --profile the functions that take most of the time are printed on stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from arena.core.registry import GameSpec, load_player
from arena.runs.job import allow_files
from arena.runs.store import RunStore
from evals.runner import run_matches
from evals.schedule import round_robin

SERVER = Path(__file__).parent.parent / "servers" / "fault_server.py"
GAME = "tictactoe"
TARGET = 0.95
GROWTH = 0.05
NAMES = ("one", "two")
PAIRS = 50_000
"""More than can be played."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is measured."""

    in_flight: int
    low: float
    high: float
    start: float
    """Seconds before the time counts."""
    told: bool = True
    """Whether the players are told how many requests they may send at once; else they find out."""


PARTS = {
    "rate": Part(64, 0.2, 0.8, 3.0),
    "adaptive": Part(64, 0.2, 0.8, 20.0, told=False),
    "flight": Part(1000, 2.0, 6.0, 15.0),
    "limit": Part(1000, 0.0, 0.0, 8.0),
}


@dataclass(frozen=True, slots=True)
class Report:
    """What came out."""

    part: str
    in_flight: int
    most_in_flight: int
    """Requests that the server saw at once."""
    seconds: float
    requests: int
    rate: float
    """Requests per second."""
    mean_latency: float
    """Seconds that the server waited before an answer, by what it drew in the same time."""
    ratio: float | None
    """Rate ÷ (in flight ÷ mean latency)."""
    games: int
    """Finished in all."""
    voids: int
    failed: int
    """Requests that had to be sent again."""
    idle: float
    """Share of the time in which this process had nothing to do."""
    client_cpu: float
    """Share of one core."""
    server_cpu: float
    memory: list[float]
    """Resident MB of this process, the mean of each quarter of the time."""
    load: float
    """Runnable processes on the machine, the mean over one minute."""

    @property
    def missed(self) -> str:
        """Which target was missed; empty where none was."""
        if self.voids or self.failed:
            return f"{self.failed} requests failed, {self.voids} games were void"
        if self.part in ("rate", "adaptive") and (self.ratio or 0) < TARGET:
            return f"ratio {self.ratio:.3f} below {TARGET}"
        if self.part == "flight" and self.memory[3] > self.memory[1] * (1 + GROWTH):
            return f"memory grew from {self.memory[1]:.0f} to {self.memory[3]:.0f} MB"
        return ""


class Server:
    """The server in a process of its own."""

    def __init__(self, low: float, high: float) -> None:
        command = [sys.executable, str(SERVER), "--latency", f"{low}-{high}"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/stats", timeout=20) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


class Idle:
    """Adds up how long the event loop waits with nothing to do."""

    def __init__(self) -> None:
        self.seconds = 0.0
        selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
        select = selector.select

        def timed(timeout: float | None = None) -> Any:
            began = time.perf_counter()
            found = select(timeout)
            self.seconds += time.perf_counter() - began
            return found

        selector.select = timed


def resident() -> float:
    """MB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


async def measure(name: str, part: Part, seconds: float) -> Report:
    server = Server(part.low, part.high)
    try:
        with tempfile.TemporaryDirectory() as folder, RunStore(Path(folder)) as store:
            return await _measure(name, part, seconds, server, store)
    finally:
        server.close()


async def _measure(name: str, part: Part, seconds: float, server: Server, store: RunStore) -> Report:
    options = f"?style=compact{f'&concurrency={part.in_flight}' if part.told else ''}"
    names = [f"vllm:{model}@{server.url}{options}" for model in NAMES]
    players = {name: load_player(name) for name in names}
    done, ended = 0, False

    def progress(played: int, _: int) -> None:
        nonlocal done
        done = played

    schedule = round_robin([GameSpec.parse(GAME)], names, PAIRS, 0)
    playing = asyncio.create_task(
        run_matches(schedule, players, store, part.in_flight, on_progress=progress, should_stop=lambda: ended)
    )
    await asyncio.sleep(part.start)
    idle = Idle()
    first = await asyncio.to_thread(server.stats)
    began, cpu = time.monotonic(), time.process_time()
    memory = []
    while time.monotonic() - began < seconds:
        memory.append(resident())
        await asyncio.sleep(min(0.5, seconds / 8))
    last = await asyncio.to_thread(server.stats)
    elapsed, used = time.monotonic() - began, time.process_time() - cpu
    share, load, ended = idle.seconds / elapsed, os.getloadavg()[0], True
    outcome = await playing
    failed = sum(account.retries for player in players.values() for account in player.ledger.accounts())  # type: ignore[attr-defined]
    for player in players.values():
        await player.close()
    requests = sum(last["requests"].values()) - sum(first["requests"].values())
    latency = (last["waited"] - first["waited"]) / requests
    quarters = [memory[len(memory) * n // 4 : max(1, len(memory) * (n + 1) // 4)] for n in range(4)]
    return Report(
        part=name,
        in_flight=part.in_flight,
        most_in_flight=last["most_in_flight"],
        seconds=elapsed,
        requests=requests,
        rate=requests / elapsed,
        mean_latency=latency,
        ratio=requests / elapsed * latency / part.in_flight if latency else None,
        games=done,
        voids=outcome.voids,
        failed=failed,
        idle=share,
        client_cpu=used / elapsed,
        server_cpu=(last["cpu"] - first["cpu"]) / elapsed,
        memory=[mean(quarter) for quarter in quarters],
        load=load,
    )


def told(report: Report) -> str:
    ratio = "" if report.ratio is None else f", {report.ratio:.3f} of in flight ÷ latency ({report.mean_latency:.3f} s)"
    bound = "the server's answers" if report.idle > 0.05 else "the one core of this process"
    lines = [
        f"{report.part}: {report.rate:.1f} requests/s{ratio}; bound by {bound}",
        f"  {report.in_flight} games in flight, at most {report.most_in_flight} requests at once; "
        f"{report.games} games, {report.voids} void, {report.failed} requests sent again",
        f"  idle {report.idle:.2f} of the time; CPU {report.client_cpu:.2f} cores here "
        f"({1000 * report.client_cpu / report.rate:.2f} ms a request), "
        f"{report.server_cpu:.2f} the server; load {report.load:.1f}",
        f"  memory by quarters of {report.seconds:.0f} s: {', '.join(f'{value:.1f}' for value in report.memory)} MB",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part; may be given again")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    allow_files()
    reports = []
    for name in args.part or PARTS:
        profile = cProfile.Profile()
        if args.profile:
            profile.enable()
        report = asyncio.run(measure(name, PARTS[name], args.seconds))
        profile.disable()
        if args.profile:
            pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(40)
        reports.append(report)
        print(told(report), file=sys.stderr if args.json else sys.stdout, flush=True)
    if args.json:
        print(json.dumps([asdict(report) for report in reports], indent=2))
    missed = [f"{report.part}: {report.missed}" for report in reports if report.missed]
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
