"""A match with a human as the screen Play needs it: what can be chosen, how one starts, how it stands, what is sent."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from arena.config.base import read_json, validate
from arena.config.checks import check_games, check_players, solved_games
from arena.config.play import HUMAN, PlayConfig
from arena.core.errors import ArenaError
from arena.core.game import GameInfo
from arena.core.registry import GameSpec, adapters, game_ids, load_game
from arena.runs.control import resume_run
from arena.runs.launch import create_run, detach, job_command
from arena.runs.paths import CONFIG_JSON, DB_NAME, RECORD
from arena.runs.reader import NoRows, RunReader
from arena.runs.record import RunRecord, Status, read_record, run_status
from arena.runs.requests import RESIGN, RequestStore
from arena.runs.rows import AskRow, MatchRow
from arena.tui.collect.entrants import read_offer

BUNDLED = "ckpt:tiny"
_LOOKS = 20
_NEEDS_MOVES = ("random", "scripted")

Phase = Literal["starting", "move", "wait", "ended", "stopped", "failed", "dead"]


@dataclass(frozen=True, slots=True)
class Opponent:
    """A player to sit down with."""

    spec: str
    about: str
    begins: str = ""
    """Where a model has to be named: how a spec of it begins."""
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Choices:
    """What the form offers."""

    games: tuple[GameInfo, ...]
    opponents: tuple[Opponent, ...]
    solved: tuple[str, ...]
    """Ids of the games that `optimal` plays."""
    syntax: tuple[str, ...]
    """How games of others are written."""

    def against(self, game: GameInfo | None) -> tuple[Opponent, ...]:
        """Those who can play the game; all where it is not one of ours."""
        return tuple(one for one in self.opponents if game is None or self._plays(one.spec, game))

    def _plays(self, spec: str, game: GameInfo) -> bool:
        if spec == "optimal":
            return game.id in self.solved
        return game.samples or spec not in _NEEDS_MOVES


@dataclass(frozen=True, slots=True)
class Move:
    """One reply that stands."""

    turn: int
    attempt: int
    seat: int
    action: str | None
    answer: str
    illegal: str
    thought: str


@dataclass(frozen=True, slots=True)
class Play:
    """A match as whoever has the human's seat may know it."""

    run_dir: Path
    config: PlayConfig
    info: GameInfo | None
    """None for a game that is not one of ours."""
    phase: Phase
    name: str = ""
    problem: str = ""
    """Why its job failed."""
    ask: AskRow | None = None
    legal: tuple[str, ...] | None = None
    """None where the human is not to act, or answers with free text."""
    moves: tuple[Move, ...] = ()
    growing: str = ""
    """The opponent's reply so far, in a game without secrets."""
    match: MatchRow | None = None
    """Once it is stored."""
    returns: tuple[float, float] | None = None
    resigned: int | None = None

    @property
    def over(self) -> bool:
        """Whether there is nothing more to play."""
        return self.phase == "ended"

    @property
    def going(self) -> bool:
        """Whether its job is at work."""
        return self.phase in ("starting", "move", "wait")

    @property
    def free_text(self) -> bool:
        return self.phase == "move" and self.legal is None

    @property
    def secret(self) -> bool:
        """Whether thoughts could tell what the seat may not know."""
        return self.ask is not None and self.ask.hidden and not self.over

    @property
    def seat(self) -> int:
        """Whose view it is."""
        return self.ask.seat if self.ask is not None else self.config.humans[0]

    @property
    def alone(self) -> bool:
        """Whether one human plays against a player."""
        return len(self.config.humans) == 1

    def role(self, seat: int) -> str:
        if self.info is not None:
            return self.info.roles[seat]
        return self.ask.role if self.ask is not None and self.ask.seat == seat else f"seat {seat}"

    @property
    def title(self) -> str:
        return self.info.title if self.info is not None else self.config.game


def choices(root: Path) -> Choices:
    """Games, and players: newest checkpoints, the bundled model, bots, players behind APIs, older checkpoints.

    Raises ArenaError.
    """
    offer = read_offer(root)
    newest = [one for one in offer.players if one.spec.startswith("ckpt:") and not one.older]
    ours = [one for one in newest if one.about != "bundled model"]
    bundled = [one for one in newest if one not in ours]
    bots = [one for one in offer.players if one not in newest and not one.older and not one.begins]
    apis = [one for one in offer.players if one.begins]
    older = [one for one in offer.players if one.older]
    listed = [Opponent(one.spec, one.about) for one in (*ours, *bundled, *bots)]
    listed.append(Opponent(HUMAN, "Two of you, in turn at this keyboard"))
    listed += [Opponent(one.spec, one.about, one.begins, one.ready) for one in apis]
    listed += [Opponent(one.spec, one.about) for one in older]
    games = tuple(load_game(name).INFO for name in game_ids())
    return Choices(games, tuple(listed), tuple(solved_games()), tuple(adapters()))


def new_seed() -> int:
    return secrets.randbelow(1 << 31)


def start(game: str, players: tuple[str, str], seed: int | None, limits: Mapping[str, Any] | None = None) -> Path:
    """Write the run of a new match and start its job detached; returns its directory.

    Without a seed another one is drawn. `limits` are what API players may spend, as `read_limits` gives them.
    Raises UsageError for what does not fit, ArenaError where it cannot be written.
    """
    data: dict[str, Any] = {"game": game, "players": players, "seed": new_seed() if seed is None else seed}
    data |= limits or {}
    config = validate(PlayConfig, data, "play")
    check_players(config.opponents, [] if adapted(config.game) else check_games([config.game]))
    run_dir = create_run(config, "play").absolute()
    _detach(run_dir)
    return run_dir


def adapted(game: str) -> bool:
    """Whether a game is one of others, behind a file with `bind`: much is imported for it, so its job alone does."""
    head, colon, _ = game.partition("?")[0].partition(":")
    return bool(colon) and head in (syntax.partition(":")[0] for syntax in adapters())


def resume(run_dir: Path) -> None:
    """Start the match's job again. Raises UsageError where it runs, ArenaError where it cannot be started."""
    if read_record(run_dir).pid == os.getpid():  # it never got a process of its own
        _detach(run_dir)
    else:
        resume_run(run_dir)


def _detach(run_dir: Path) -> None:
    detach(job_command("evals", str(run_dir.absolute())), run_dir)


def send(run_dir: Path, write: Callable[[RequestStore], int]) -> int:
    """Write a request to the match's control.db; returns its id. Raises ArenaError, UsageError for a text too long."""
    with RequestStore(run_dir) as requests:
        return write(requests)


class PlayReader:
    """Reads one match again and again; while nothing is written and its process lives on, files are only looked at."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._config: PlayConfig | None = None
        self._info: GameInfo | None = None
        self._known: tuple[object, Play] | None = None
        self._looks = 0
        self._record: tuple[tuple[int, int] | None, RunRecord] | None = None

    def read(self) -> Play:
        """How it stands. Raises ArenaError where the run is gone, damaged, or no match with a human."""
        stamp = self._stamp()
        self._looks = (self._looks + 1) % _LOOKS
        # Two writes may share a stamp: now and then it is read whatever the stamp says.
        if self._known is None or self._known[0] != stamp or not self._looks:
            self._known = None
            self._known = (stamp, self._read_all())
        return self._known[1]

    def _stamp(self) -> object:
        """Changes whenever the run's files or its process do."""
        files: list[tuple[int, int] | None] = []
        for name in (RECORD, DB_NAME, f"{DB_NAME}-wal"):
            try:
                stat = (self._run_dir / name).stat()
            except OSError:
                files.append(None)
            else:
                files.append((stat.st_mtime_ns, stat.st_size) if stat.st_size else None)
        if self._record is None or self._record[0] != files[0]:
            self._record = (files[0], read_record(self._run_dir))
        return (*files, self._record[1].alive)

    def _read_all(self) -> Play:
        if self._config is None:
            self._config = read_json(PlayConfig, self._run_dir / CONFIG_JSON)
            with suppress(ArenaError):
                known = not adapted(self._config.game)
                self._info = GameSpec.parse(self._config.game).game.INFO if known else None
        assert self._record is not None
        record = self._record[1]
        # A new run's record names the process that wrote it.
        alive = record.alive and record.pid != os.getpid()
        status = run_status(self._run_dir, record)
        try:
            with RunReader(self._run_dir) as reader:
                return self._read(reader, record.name, alive, status)
        except NoRows:
            phase: Phase = "starting" if alive else "dead"
            return Play(self._run_dir, self._config, self._info, phase, record.name)

    def _read(self, reader: RunReader, name: str, alive: bool, status: Status) -> Play:
        assert self._config is not None
        ask = reader.ask()
        phase = _phase(ask, alive, status)
        event = reader.last_event(("failed",)) if phase == "failed" else None
        problem = event.message if event is not None else ""
        if ask is None:
            return Play(self._run_dir, self._config, self._info, phase, name, problem)
        growing = ""
        if phase == "wait" and not ask.hidden:
            growing = next((row.text for row in reader.partials() if row.slot == ask.slot), "")
        match = resigned = None
        if phase == "ended":
            match = next(iter(reader.matches(limit=1)), None)
            given_up = reader.last_event((RESIGN,))
            resigned = json.loads(given_up.detail)["seat"] if given_up is not None else None
        legal, moves, returns = _decoded(ask)
        return Play(
            self._run_dir, self._config, self._info, phase, name, problem,
            ask, legal, moves, growing, match, returns, resigned,
        )  # fmt: skip


def _phase(ask: AskRow | None, alive: bool, status: Status) -> Phase:
    if ask is not None and ask.status == "end":
        return "ended"
    if not alive:
        return "failed" if status is Status.FAILED else "stopped" if status is Status.STOPPED else "dead"
    if ask is None or status is not Status.RUNNING:  # the process has begun, or is about to end
        return "starting"
    return "move" if ask.status == "move" else "wait"


def _decoded(ask: AskRow) -> tuple[tuple[str, ...] | None, tuple[Move, ...], tuple[float, float] | None]:
    """The JSON fields of what is asked. Raises ArenaError where they are damaged."""
    try:
        legal: Sequence[str] | None = json.loads(ask.legal)
        returns = json.loads(ask.returns)
        moves = tuple(Move(**move) for move in json.loads(ask.moves))
        known = None if returns is None else (float(returns[0]), float(returns[1]))
        return None if legal is None else tuple(legal), moves, known
    except (TypeError, ValueError, LookupError) as error:
        raise ArenaError("What the match asks cannot be read.") from error
