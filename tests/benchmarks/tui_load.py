"""The terminal UI under load: from key to paint, memory, and whether a job minds being watched.

    python tests/benchmarks/tui_load.py [--minutes 10] [--rounds 100] [--windows 24] [--json]

In a pty of 120×36, with a process that stores 200 rows a second in a running training and a finished tournament of
100,000 stored matches beside it, both written by the real store:

- key to paint: the time from a key until the end of the first frame that shows what the key does, on every screen;
- memory: resident size of the UI while its screens are gone round for `--minutes`: it rises while caches of bounded
  size fill, then it must be flat;
- job: steps a second of one real training, watched (plots, then its matches) and not, in windows that take turns.

Where other programs want the processors too, times are given twice: as they were, and less what was spent waiting for
a processor, by the kernel's count; on a quiet machine they are the same. Exit code 1 where a p99 without waiting is
50 ms or more, memory grew, or a watched job is slower than 0.97.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pyte
import run_dirs
from databases import read_rows
from terminals import FRAME_END, Terminal, text_of

from arena.config.base import find_toml, read_toml, validate
from arena.config.tournament import TournamentConfig
from arena.config.train import TrainConfig
from arena.runs.control import kill_run
from arena.runs.launch import create_run, detach, job_command
from arena.runs.paths import DB_NAME
from arena.runs.record import process_start, read_record
from arena.runs.rows import MatchRow, MetricRow, PartialRow, TurnRow
from arena.runs.store import RunStore

PAINT_MS, JOB_RATIO, GROWTH = 50.0, 0.97, 1.10
EVENTS_A_SECOND = 200
MATCHES = 100_000
BIG, BUSY = "big-tournament", "busy-training"
CURSOR = "2b3a4d"
"""Background of the line under a table's cursor."""
Sign = Callable[[pyte.Screen], object]
"""What of the picture a key changes, and nothing else does."""
Moment = tuple[float, float]
"""Unix time, and the job's processor time by then."""


# Runs


def build_big(run_dir: Path, matches: int) -> None:
    """A finished tournament of two players, by the real store."""
    players = ["ckpt:tiny", "random"]
    config = TournamentConfig(players=players, games=[run_dirs.TICTACTOE], pairs=matches // 2)
    create_run(config, "tournament", run_dir, name=run_dir.name)
    with RunStore(run_dir) as store:
        store.add_event("started", "pid 1")
        for first in range(0, matches, 5000):
            store.add_matches((_match(number), _turns(4)) for number in range(first, min(first + 5000, matches)))
        store.add_event("finished", "")
    score = {"score": 0.61, "low": 0.6, "high": 0.62, "unit": "points", "distinct": 4000, "voids": 0}
    counts = {"wins": matches * 6 // 10, "draws": matches // 50, "losses": matches * 38 // 100}
    seats = {"seat_effect": 0.3, "seat_effect_low": 0.28, "seat_effect_high": 0.32, "forfeits_a": 30, "forfeits_b": 0}
    row = {"game": run_dirs.TICTACTOE, "a": players[0], "b": players[1], "pairs": matches // 2}
    ratings = [
        {"player": name, "rating": value, "low": value - 9, "high": value + 9, "matches": matches}
        for name, value in zip(players, (40.0, -40.0), strict=True)
    ]
    result = {"schema": 1, "seed": 0, "results": [row | score | counts | seats], "ratings": ratings}
    (run_dir / "result.json").write_text(json.dumps(result | {"played": matches, "planned": matches}))


def build_busy(run_dir: Path) -> None:
    """A training with a past of 2,000 steps; `write` goes on with it."""
    config = validate(TrainConfig, {**read_toml(find_toml("quickstart")), "steps": 1_000_000, "name": run_dir.name})
    create_run(config, "train", run_dir, name=run_dir.name)
    with RunStore(run_dir) as store:
        store.add_event("started", "pid 1")
        for step in range(2000):
            store.add_metrics(metrics(step))


def write(run_dir: Path) -> None:
    """The job's part: `EVENTS_A_SECOND` rows, as a training stores them, until it is killed."""
    replace(read_record(run_dir), pid=os.getpid(), pid_start=process_start(os.getpid()) or "").write(run_dir)
    with RunStore(run_dir) as store:
        step, number, due = store_last(run_dir), 10**6 + int(time.time()), time.perf_counter()
        slots = [_partial(slot, 0) for slot in range(4)]
        while True:
            step += 1
            rows = metrics(step)
            store.add_metrics(rows)
            store.add_matches((_match(number + i, step), _turns(5)) for i in range(4))
            store.set_partials(replace(row, turn=step % 9, text=f"Wins {step}.") for row in slots)
            store.add_event("note", f"step {step}", step, now=False)
            number += 4
            due += (len(rows) + 4 + len(slots) + 1) / EVENTS_A_SECOND
            time.sleep(max(due - time.perf_counter(), 0))


def store_last(run_dir: Path) -> int:
    ((step,),) = read_rows(run_dir / DB_NAME, "SELECT coalesce(max(step), 0) FROM metric")
    return int(step)


def metrics(step: int) -> list[MetricRow]:
    """The figures of one step: 31, and at every 25th an evaluation's too."""
    names = ("seconds_collect", "seconds_learn", "entropy", "grad_norm", "kl", "loss", "tokens_per_second")
    rows = [MetricRow(step, name, 0.5 + step % 17 / 40) for name in names]
    for game in (run_dirs.TICTACTOE, run_dirs.KUHN):
        rows += [MetricRow(step, f"{name}", step % 13 / 20, game) for name in ("thought_tokens", "forfeit_rate")]
        rows += [MetricRow(step, "baseline", step % 11 / 20, game, role) for role in ("first", "second")]
        rows += [MetricRow(step, f"share_{i}", step % 7 / 9, game) for i in range(8)]
    if step % 25 == 0:
        rows += run_dirs._evaluation(step)
    return rows


def _match(number: int, step: int = 0) -> MatchRow:
    won = (1.0, -1.0, 0.0)[number % 3]
    board = "0 │ 1 │ 2\n3 │ 4 │ 5\n6 │ 7 │ 8"
    a, b = ("ckpt:tiny", "random") if not step else (f"{BUSY}@{step}", f"{BUSY}@{step}")
    pair, leg = divmod(number, 2)
    return MatchRow(number, run_dirs.TICTACTOE, a, b, pair, leg, 7, won, -won, "", 5, 0, 0.4, board, step)


def _turns(count: int) -> list[TurnRow]:
    return [
        TurnRow(
            turn, 0, turn % 2, "· · ·\n· · ·\n· · ·", f"Wins -. Risks -. I play {cell}.", cell,
            f"Wins -. Risks -. I play {cell}.\n\\boxed{{{cell}}}", cell, "", "stop", 40, 16, 0, 0.2, "· X ·\n· · ·",
        )
        for turn, cell in enumerate("40812"[:count])
    ]  # fmt: skip


def _partial(slot: int, turn: int) -> PartialRow:
    turns = [{name: getattr(row, name) for name in TurnRow.__slots__} for row in _turns(3)]
    return PartialRow(slot, run_dirs.TICTACTOE, BUSY, BUSY, slot, 0, 3, 1, "", "· X ·", json.dumps(turns), 1)


def prepared(matches: int) -> Path:
    """A root with both runs; the big one is built once for this file's text and kept in the temporary directory."""
    digest = hashlib.sha256(Path(__file__).read_bytes() + str(matches).encode()).hexdigest()[:12]
    root = Path(tempfile.gettempdir()) / f"spiral-arena-tui-load-{digest}"
    if not (root / BIG / "result.json").exists():
        root.mkdir(exist_ok=True)
        build_big(root / BIG, matches)
    shutil.rmtree(root / BUSY, ignore_errors=True)  # it has grown since
    build_busy(root / BUSY)
    return root


@contextmanager
def writing(run_dir: Path) -> Iterator[None]:
    writer = subprocess.Popen([sys.executable, __file__, "--write", str(run_dir)])
    try:
        yield
    finally:
        writer.kill()
        writer.wait()


# Key to paint


@dataclass(frozen=True, slots=True)
class Place:
    """A screen: keys that lead there from the list of runs (~ waits for words), what is there, keys that take turns."""

    name: str
    way: tuple[str, ...]
    ready: str
    keys: tuple[str, ...]
    sign: Sign


def cursor_line(screen: pyte.Screen) -> object:
    """The lines that have the colour of a table's cursor."""
    return tuple(y for y in range(screen.lines) if any(cell.bg == CURSOR for cell in screen.buffer[y].values()))


def plot_cursor(screen: pyte.Screen) -> object:
    """The columns of the line that goes through all plots, and its step: two may share a column."""
    columns = tuple(x for x in range(screen.columns) if screen.buffer[8][x].data == "│")
    return columns, re.findall(r"─(\d+)─", text_of(screen))


def found(pattern: str) -> Sign:
    """What of the picture looks like this."""
    return lambda screen: tuple(re.findall(pattern, text_of(screen)))


PLACES = (
    Place("runs", (), "busy-training", ("j", "k"), cursor_line),
    Place("help", (), "busy-training", ("?", "?"), found("Help: Runs")),
    Place("run: plots", ("{busy}", "enter"), "learning", ("left", "left", "right", "right"), plot_cursor),
    Place("run: pages", ("{busy}", "enter"), "learning", ("f", "o"), found("key +value")),
    Place("live: pause", ("{busy}", "l"), "LIVE", ("space", "l"), found("paused|LIVE")),
    Place("live: thoughts", ("{busy}", "l"), "LIVE", ("t",), found("[▼▶] 1 ")),
    Place(
        "replay: step",
        ("{big}", "l", "home"),
        "replay · 0",
        ("right", "right", "left", "left"),
        found(r"replay · (\d+) of"),
    ),
    Place("replay: match", ("{big}", "l"), "replay", ("N", "N", "N", "n", "n", "n"), found(r"pair (\d+), leg (\d+)")),
    Place("pick a match", ("{big}", "l", "o"), "listed", ("j", "k"), cursor_line),
    Place("tournament", ("{big}", "enter"), "Ratings", ("down", "up"), found(r"\w+ against \w+")),
    Place("meeting", ("{big}", "enter", "~against column", "right", "enter"), "pair ", ("j", "k"), cursor_line),
    Place("tables", ("6",), "Scores", ("j", "k"), cursor_line),
    Place("tournament form", ("{busy}", "5"), "Start", ("j", "k"), cursor_line),
    Place("play form", ("4",), "Against", ("j", "k"), cursor_line),
    Place("launch", ("7",), "checkpoint_every", ("down", "up"), found("Short name of the run|The preset or file")),
)


def go_to(terminal: Terminal, place: Place, tries: int = 3) -> None:
    """From wherever it is; on a busy machine a key may come before what it is meant for, so it may take some tries."""
    for _ in range(8):
        if terminal.text.startswith(" Runs ") and terminal.text.count("╭") <= 2:
            break
        terminal.type("escape")
    for key in place.way:
        if key.startswith("{"):
            name = {"{busy}": BUSY, "{big}": BIG}[key]
            for _ in range(4):
                if not re.search(f"▸ {name}", terminal.text):
                    terminal.type("j" if name == BIG else "k")
        elif key.startswith("~"):
            terminal.wait_for(key[1:])
        else:
            terminal.type(key)
            terminal.settle(0.3, 2)
    try:
        terminal.wait_for(place.ready, seconds=20)
    except AssertionError:
        if tries == 1:
            raise
        return go_to(terminal, place, tries - 1)
    terminal.wait(lambda: "Loading" not in terminal.text and "reading," not in terminal.text, 60)
    terminal.settle(0.5, 2)


class Key(NamedTuple):
    """What one key took, in milliseconds, infinity where it showed nothing."""

    paint: float
    waiting: float
    """Of it: how long the UI or this program could have run and had no processor."""

    @property
    def own(self) -> float:
        return max(self.paint - self.waiting, 0.0)


def measure(terminal: Terminal, place: Place, rounds: int) -> list[Key]:
    """From each key to the end of the first frame in which the sign is another one."""
    pressed: list[tuple[int, float, float]] = []
    waits: dict[int, float] = {}
    before = place.sign(terminal.screen)
    for number in range(rounds):
        pressed.append((len(terminal.chunks), waited(terminal.pid), time.perf_counter()))
        terminal.press(place.keys[number % len(place.keys)])
        # The next key comes at any phase of the polls, long after this one's paint.
        until = time.perf_counter() + 0.23 + 0.017 * (number % 11)
        while (left := until - time.perf_counter()) > 0:
            if terminal.pump(left):
                waits[len(terminal.chunks) - 1] = waited(terminal.pid)
    ends = [*(start for start, _, _ in pressed[1:]), len(terminal.chunks)]
    keys = []
    for (start, wait, at), end in zip(pressed, ends, strict=True):
        key = Key(math.inf, 0.0)
        for number in range(start, end):
            screen, chunk = terminal.after(number + 1), terminal.chunks[number]
            if key.paint == math.inf and FRAME_END in chunk.data and place.sign(screen) != before:
                key = Key((chunk.at - at) * 1000, (waits[number] - wait) * 1000)
        before = place.sign(terminal.after(end))
        keys.append(key)
    return keys


def waited(pid: int) -> float:
    """Seconds that the UI's loop and writer threads, and this one, waited for a processor (Linux; else 0)."""
    total = 0
    for folder in (*sorted(Path(f"/proc/{pid}/task").glob("*"))[:3], Path("/proc/self")):
        with suppress(OSError, IndexError):
            total += int((folder / "schedstat").read_text().split()[1])
    return total / 1e9


def quantile(values: Sequence[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[min(int(share * len(ranked)), len(ranked) - 1)]


def figures_of(keys: Sequence[Key]) -> dict[str, float]:
    paints, owns = [key.paint for key in keys], [key.own for key in keys]
    return {"p50": quantile(paints, 0.5), "p99": quantile(paints, 0.99),
            "own_p50": quantile(owns, 0.5), "own_p99": quantile(owns, 0.99)}  # fmt: skip


def line_of(name: str, figures: dict[str, float]) -> str:
    return (f"{name:16} p50 {figures['p50']:5.1f}  p99 {figures['p99']:6.1f} ms   less waiting for a processor "
            f"p50 {figures['own_p50']:5.1f}  p99 {figures['own_p99']:6.1f} ms (below {PAINT_MS:.0f})   "
            f"processor {figures['processor']:4.0%}")  # fmt: skip


def resident(pid: int) -> float:
    """Megabytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1000


def processor(pid: int) -> float:
    """Seconds of processor time, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def under_load(root: Path, rounds: int, minutes: float, only: str) -> dict[str, Any]:
    """Key to paint on every screen, then memory while all are gone round again and again."""
    places = [place for place in PLACES if only in ("", place.name)]
    paint: dict[str, Any] = {}
    with writing(root / BUSY), Terminal(variables={"SPIRAL_ARENA_RUNS": str(root)}) as terminal:
        terminal.wait_for(BUSY, BIG)
        for place in places:
            go_to(terminal, place)
            began, cpu = time.perf_counter(), processor(terminal.pid)
            keys = measure(terminal, place, rounds)
            share = (processor(terminal.pid) - cpu) / (time.perf_counter() - began)
            paint[place.name] = {"keys": rounds, "processor": share, **figures_of(keys)}
            say(line_of(place.name, paint[place.name]))
            terminal.chunks = terminal.chunks[-1:]
            terminal._fed = 1
        memory = [resident(terminal.pid)]
        end = time.monotonic() + minutes * 60
        while time.monotonic() < end:
            for place in places:
                go_to(terminal, place)
                measure(terminal, place, 8)
                terminal.chunks, terminal._fed = terminal.chunks[-1:], 1
            memory.append(resident(terminal.pid))
            say(f"memory {memory[-1]:.1f} MB")
        terminal.press("ctrl+q")
    return {"paint_ms": paint, "memory_mb": memory}


# A watched job


def watched_job(folder: Path, windows: int, seconds: float) -> dict[str, Any]:
    """Steps a second of one training, in windows with and without a viewer."""
    data = {**read_toml(find_toml("quickstart")), "steps": 1_000_000, "ranks": 1, "checkpoint_every": 1_000_000}
    config = validate(TrainConfig, data | {"evaluation": {"every": 0}, "name": "watched"})
    run_dir = create_run(config, "train", folder / "watched", name="watched")
    pid = detach(job_command("training", str(run_dir)), run_dir)
    try:
        wait_for_step(run_dir, 5)
        spans = []
        for number in range(windows):
            watched = number % 4 in (1, 2)
            with watching(folder, watched, number % 8 < 4) as look_on:
                start = (time.time(), processor(pid))
                look_on(seconds)
                spans.append((watched, start, (time.time(), processor(pid))))
        wait_for_step(run_dir, last_step(run_dir) + 2)
    finally:
        kill_run(run_dir)
    return compare(run_dir, spans)


@contextmanager
def watching(root: Path, watched: bool, plots: bool) -> Iterator[Callable[[float], None]]:
    if not watched:
        yield time.sleep
        return
    with Terminal(variables={"SPIRAL_ARENA_RUNS": str(root)}) as terminal:
        terminal.wait_for("watched")
        terminal.type("enter" if plots else "l")
        terminal.wait_for("entropy" if plots else "LIVE")
        terminal.settle(0.5, 3)

        def look_on(seconds: float) -> None:
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                terminal.pump(left)

        yield look_on
        terminal.press("ctrl+q")
        terminal.end()


def steps_of(run_dir: Path) -> list[tuple[float, int]]:
    """When each step was over."""
    query = "SELECT max(at), step FROM metric WHERE name = 'seconds_learn' GROUP BY step ORDER BY step"
    return read_rows(run_dir / DB_NAME, query)


def last_step(run_dir: Path) -> int:
    return steps_of(run_dir)[-1][1]


def wait_for_step(run_dir: Path, step: int) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        with suppress(sqlite3.Error, IndexError):
            if last_step(run_dir) >= step:
                return
        time.sleep(0.2)
    raise SystemExit(f"{run_dir} does not get to step {step}")


def compare(run_dir: Path, spans: Sequence[tuple[bool, Moment, Moment]]) -> dict[str, Any]:
    """Rates of the two kinds of windows; steps are counted in fractions, as if each went evenly."""
    ends = steps_of(run_dir)

    def steps_at(moment: float) -> float:
        place = bisect([at for at, _ in ends], moment)
        (first, step), (second, _) = ends[place - 1], ends[place]
        return step + (moment - first) / (second - first)

    rates: dict[bool, list[float]] = {True: [], False: []}
    costs: dict[bool, list[float]] = {True: [], False: []}
    for watched, (start, before), (end, after) in spans:
        steps = steps_at(end) - steps_at(start)
        rates[watched].append(steps / (end - start))
        costs[watched].append((after - before) / steps)
    rate = {kind: statistics.mean(found) for kind, found in rates.items()}
    cost = {kind: statistics.mean(found) for kind, found in costs.items()}
    return {
        "watched_steps_per_second": rate[True], "steps_per_second": rate[False], "ratio": rate[True] / rate[False],
        "watched_cpu_seconds_per_step": cost[True], "cpu_seconds_per_step": cost[False],
        "cpu_ratio": cost[False] / cost[True], "windows": len(spans),
        "rates": rates[True] + rates[False],
    }  # fmt: skip


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long memory is looked at")
    parser.add_argument("--rounds", type=int, default=100, help="keys on each screen")
    parser.add_argument("--matches", type=int, default=MATCHES, help="stored matches of the big run")
    parser.add_argument("--windows", type=int, default=24, help="of the watched job, half of them watched; 0: none")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a window")
    parser.add_argument("--place", default="", choices=["", *(place.name for place in PLACES)], help="one screen alone")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write(options.write)
    load = os.getloadavg()[0]
    result: dict[str, Any] = {"load_at_start": load, "cores": os.cpu_count()}
    if options.rounds:
        result |= under_load(prepared(options.matches), options.rounds, options.minutes, options.place)
    if options.windows:
        with tempfile.TemporaryDirectory() as name:
            result["job"] = watched_job(Path(name), options.windows, options.seconds)
    missed = misses(result)
    if options.json:
        print(json.dumps(result | {"missed": missed}, indent=2))
    else:
        report(result, missed)
    return int(bool(missed))


def misses(result: dict[str, Any]) -> list[str]:
    found = [
        f"{name}: p99 {figures['own_p99']:.0f} ms"
        for name, figures in result.get("paint_ms", {}).items()
        if figures["own_p99"] >= PAINT_MS
    ]
    memory = result.get("memory_mb", [])
    half = len(memory) // 2
    if half and max(memory[half:]) > max(memory[: half + 1]) * GROWTH:
        found.append(
            f"memory grew in the second half from {max(memory[: half + 1]):.0f} to {max(memory[half:]):.0f} MB"
        )
    if (job := result.get("job")) and job["ratio"] < JOB_RATIO:
        found.append(f"a watched job runs at {job['ratio']:.3f}")
    return found


def report(result: dict[str, Any], missed: Sequence[str]) -> None:
    for name, figures in result.get("paint_ms", {}).items():
        print(line_of(name, figures))
    if memory := result.get("memory_mb"):
        print(f"memory           {' '.join(f'{size:.0f}' for size in memory)} MB, round by round")
    if job := result.get("job"):
        print(f"job              {job['watched_steps_per_second']:.3f} steps/s watched, "
              f"{job['steps_per_second']:.3f} not: {job['ratio']:.3f} (at least {JOB_RATIO}); "
              f"by processor time {job['cpu_ratio']:.3f}")  # fmt: skip
    print(f"load at the start {result['load_at_start']:.1f} on {result['cores']} cores")
    for words in missed:
        print(f"MISSED {words}")


if __name__ == "__main__":
    sys.exit(main())
