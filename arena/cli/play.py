"""`play`: a match against any player on a plain terminal. The match is a job of its own; this talks with it.

What is shown is the run's `ask` alone, so nothing is told that the human's seat may not know.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import termios
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from arena.cli.common import run_of_kind, say
from arena.cli.evaluate import MaxCost, MaxTokens, Prices
from arena.core.errors import ArenaError, UsageError
from arena.core.sanitise import plain

if TYPE_CHECKING:
    from arena.runs.requests import RequestStore
    from arena.runs.rows import AskRow

POLL_SECONDS = 0.05
_STOP_SECONDS = 60.0


def register(app: typer.Typer) -> None:
    app.command()(play)


def play(
    game: Annotated[str | None, typer.Argument(metavar="GAME", show_default=False)] = None,
    against: Annotated[
        str | None, typer.Option(metavar="SPEC", help="The opponent; human for two at one terminal.")
    ] = None,
    seat: Annotated[int | None, typer.Option(min=0, max=1, help="Your seat; 0 begins.  [default: 0]")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides every deal and roll.  [default: another each time]")] = None,
    retries: Annotated[int | None, typer.Option(help="The opponent's attempts after an illegal reply.")] = None,
    max_cost: MaxCost = None,
    max_tokens: MaxTokens = None,
    prices: Prices = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The run directory itself.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with a match.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the match as JSON in the end.")] = False,
) -> None:
    """Play a match against any player. Type a move, or: undo, resign, thoughts, ? for the rules.

    Leaving (Ctrl-C, or the end of the input) stops the match; --resume goes on with it.

    Example: spiral-arena play tictactoe --against ckpt:tiny --seat 1
    """
    from arena.config.limits import limit_arguments
    from arena.runs.launch import become, job_command
    from arena.runs.record import resume_command

    given = (game, against, seat, seed, retries, out)
    limits = {"max_cost": max_cost, "max_tokens": max_tokens, "prices": prices}
    if resume is None:
        run_dir = _new_match(game, against, seat or 0, seed, retries, limits, out)
    elif any(value is not None for value in given):
        hint = "Leave out all but --json and what API players may spend."
        raise UsageError("--resume takes the match's own configuration.", hint)
    else:
        run_dir = run_of_kind(resume, "play")
    if not _finished(run_dir) and not _attend(run_dir, limit_arguments(limits)):
        say(f"stopped; what was played is stored. Go on: {resume_command('play', run_dir)}")
        raise typer.Exit(1)
    say(f"stored in {run_dir}")
    become(job_command("evals", str(run_dir), "--show", *(["--json"] if as_json else [])))


def _new_match(
    game: str | None,
    against: str | None,
    seat: int,
    seed: int | None,
    retries: int | None,
    limits: Mapping[str, Any],
    out: Path | None,
) -> Path:
    """The run of a new match. Raises UsageError for what does not fit."""
    from arena.config.base import validate
    from arena.config.checks import check_games, check_players
    from arena.config.limits import given_limits
    from arena.config.play import HUMAN, PlayConfig
    from arena.config.prices import check_prices
    from arena.runs.launch import create_run

    if game is None or against is None:
        raise UsageError("A match needs a game and --against.", "Example: play tictactoe --against ckpt:tiny")
    players = (HUMAN, against) if seat == 0 else (against, HUMAN)
    data: dict[str, Any] = {"game": game, "players": players} | given_limits(limits)
    import secrets

    data["seed"] = secrets.randbelow(1 << 31) if seed is None else seed
    config = validate(PlayConfig, data if retries is None else data | {"retries": retries}, "play")
    check_players(config.opponents, check_games([config.game]))
    check_prices(config.prices, config.max_cost, config.opponents)
    return create_run(config, "play", out)


def _finished(run_dir: Path) -> bool:
    from arena.runs.record import Status, read_record, run_status

    return run_status(run_dir, read_record(run_dir)) is Status.FINISHED


def _attend(run_dir: Path, args: Sequence[str] = ()) -> bool:
    """Start the job unless it runs, and talk with it to the end; False where the human left before that.

    Raises ArenaError where the job failed.
    """
    from arena.runs.launch import detach, job_command
    from arena.runs.record import read_record
    from arena.runs.requests import RequestStore

    record = read_record(run_dir)
    # A new run's record names the process that wrote it.
    if record.pid == os.getpid() or not record.alive:
        detach(job_command("evals", str(run_dir.absolute()), *args), run_dir)
    with _hangup_interrupts():
        try:
            with RequestStore(run_dir) as requests:
                _Talk(run_dir, requests).run()
        except (KeyboardInterrupt, EOFError, OSError):
            # OSError: the terminal itself is gone.
            _stop(run_dir)
            print(file=sys.stderr)
            return _finished(run_dir)
    _check_end(run_dir)
    return True


def _stop(run_dir: Path) -> None:
    """Have the job end politely, and wait until it has."""
    from arena.runs.record import read_record

    record = read_record(run_dir)
    if record.alive:
        with suppress(ProcessLookupError):
            os.kill(record.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while record.alive and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _check_end(run_dir: Path) -> None:
    """Raise ArenaError unless the match was played to its end."""
    from arena.runs.reader import NoRows, RunReader
    from arena.runs.record import TERMINAL, Status, read_record, resume_command, run_status

    status, message = run_status(run_dir, read_record(run_dir)), ""
    if status is Status.FINISHED:
        return
    with suppress(NoRows), RunReader(run_dir) as reader:
        event = reader.last_event(TERMINAL)
        message = event.message if event is not None and status is Status.FAILED else ""
    raise ArenaError(message or f"The match is {status}.", f"Go on with it: {resume_command('play', run_dir)}")


@contextmanager
def _hangup_interrupts() -> Iterator[None]:
    """A closed terminal or a polite kill leaves the match as Ctrl-C does."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, leave) for number in (signal.SIGHUP, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Talk:
    """Prints what the human may know on stderr, and writes down what the human wants."""

    def __init__(self, run_dir: Path, requests: RequestStore) -> None:
        self._run_dir, self._requests = run_dir, requests
        self._shown: AskRow | None = None
        """What was last shown."""

    def run(self) -> None:
        """To the end of the match, or of the job. Raises EOFError at the end of the input."""
        seen = 0
        while (ask := self._next(seen)) is not None:
            self._show(ask)
            if ask.status == "end":
                self._await_job()
                return
            request = None
            while request is None:
                request = self._listen(ask)
            seen = request

    def _next(self, seen: int) -> AskRow | None:
        """What to show next: once request `seen` is dealt with and the human is to move. None where the job is gone."""
        with _Waiting() as waiting:
            while True:
                running, ask = self._running(), self._read()
                if ask is not None and ask.seen >= seen and (ask.status == "end" or (ask.status == "move" and running)):
                    return ask
                if not running:
                    return None
                waiting.tell()
                time.sleep(POLL_SECONDS)

    def _read(self) -> AskRow | None:
        from arena.runs.reader import NoRows, RunReader

        with suppress(NoRows), RunReader(self._run_dir) as reader:
            return reader.ask()
        return None

    def _running(self) -> bool:
        from arena.runs.record import read_record

        return read_record(self._run_dir).alive

    def _await_job(self) -> None:
        while self._running():
            time.sleep(POLL_SECONDS)

    def _show(self, ask: AskRow) -> None:
        before, self._shown = self._shown, ask
        if before is None:
            against = ask.b if ask.seat == 0 else ask.a
            _tell(f"{ask.game}: you are {ask.role} (seat {ask.seat}) against {against}.")
            _tell(_help(ask))
        if ask.note:
            _tell(ask.note)
        if ask.illegal:
            _tell(f"That is not legal: {ask.illegal}")
            return
        if before is not None and ask.undos > before.undos:
            _tell("Taken back.")
        else:
            self._show_moves(ask, before.turn if before else 0)
        _tell(f"\n{ask.board if ask.status == 'end' else ask.observation}")
        legal = json.loads(ask.legal)
        if legal is not None:
            _tell(f"Legal: {' '.join(legal)}")

    def _show_moves(self, ask: AskRow, first: int) -> None:
        """What the others did since; where their moves are hidden, the observation tells what may be known."""
        for move in json.loads(ask.moves):
            if move["turn"] >= first and move["seat"] != ask.seat:
                answer = move["action"] or f"{move['answer']} (illegal: {move['illegal']})"
                _tell(f"{(ask.a, ask.b)[move['seat']]}: {answer}")

    def _listen(self, ask: AskRow) -> int | None:
        """Read a line and write what it asks for; the request's id, None where it asks for nothing of the job."""
        print("> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        text = line.rstrip("\r\n")
        match text:
            case "?":
                _tell(f"{ask.rules}\n\n{_help(ask)}")
            case "":
                _tell(ask.observation)
            case "thoughts":
                _tell(_thoughts(ask))
            case "undo":
                return self._requests.undo(ask.seat, ask.turn)
            case "resign":
                return self._requests.resign(ask.seat)
            case _:
                return self._move(ask, text)
        return None

    def _move(self, ask: AskRow, text: str) -> int | None:
        try:
            return self._requests.move(ask.seat, ask.turn, ask.attempt, text)
        except UsageError as error:
            _tell(str(error))
            return None


class _Waiting:
    """A line on a terminal that says how long it has been waited for, and is gone once it has not to be any more."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._told = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self._told:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            with suppress(OSError, ValueError, termios.error):
                # What was typed meanwhile was typed without knowing the answer.
                termios.tcflush(sys.stdin, termios.TCIFLUSH)

    def tell(self) -> None:
        seconds = int(time.monotonic() - self._began)
        if seconds > self._told and sys.stderr.isatty():
            self._told = seconds
            print(f"\rwaiting for an answer: {seconds} s (Ctrl-C leaves)", end="", file=sys.stderr, flush=True)


def _help(ask: AskRow) -> str:
    undo = "" if ask.hidden else "undo, "
    text = f"Type a move, or: {undo}resign, thoughts (the opponent's), ? (rules)."
    return text if json.loads(ask.legal) is not None else f"{text} To say one of these words, put a space before it."


def _thoughts(ask: AskRow) -> str:
    """What the opponent thought before its last move."""
    if ask.hidden:
        return "They may give away what is hidden from you: wait for the end."
    thoughts = [move["thought"] for move in json.loads(ask.moves) if move["seat"] != ask.seat and move["thought"]]
    return thoughts[-1] if thoughts else "No thoughts yet."


def _tell(text: str) -> None:
    """On stderr; a terminal gets no word cut in two at its edge."""
    lines = plain(text).split("\n")
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        lines = [part for line in lines for part in (_wrapped(line, width) if len(line) > width else [line])]
    print("\n".join(lines), file=sys.stderr, flush=True)


def _wrapped(line: str, width: int) -> list[str]:
    return textwrap.wrap(line, width, drop_whitespace=True, break_on_hyphens=False)
