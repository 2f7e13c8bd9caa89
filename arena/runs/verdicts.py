"""Ask for the ground truth of moves: `python -m evals.verdicts`, kept as a child process and asked line by line.

The exact solutions of games belong to jobs; viewers have them told by a process of their own.
"""

from __future__ import annotations

import json
import select
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from arena.core.errors import ArenaError, UsageError
from arena.runs.launch import job_command, job_environment
from arena.runs.rows import TurnRow

OUTCOME, CHANCE, CHIPS = "outcome", "chance", "chips"
"""What a verdict's values are: 1 win, 0 draw, −1 loss; a chance to win; chips on average."""
LOSS = -1.0
_SECONDS = 20.0
"""Longest wait for an answer: the first one on Pig Dice solves it."""
_TICK = 0.25
_MOST_TEXT = 2000
"""Characters of an observation that are sent: those of solved games are short."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an exact solution says of one move, from its mover's side."""

    before: float
    """Value of the position, which is that of the best actions."""
    after: float
    """Value of the action taken."""
    best: tuple[str, ...]
    optimal: bool
    blunder: bool
    """Loses a position that was not lost; told where values are outcomes."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A game's facts, and for each reply its verdict; None where there is none."""

    game: str
    """As it was asked for."""
    title: str
    roles: tuple[str, str]
    """By seat."""
    hidden: bool
    """Whether a seat may not know everything the other does."""
    scale: str
    """What values are; empty where the game, in this variant, has no exact solution."""
    first: str = ""
    """The first position as a spectator sees it, where nothing is drawn before it; else empty."""
    verdicts: tuple[Verdict | None, ...] = ()


class Judge:
    """The process, started by the first question. `judge` blocks: call it in a thread; several may."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._asking = threading.Lock()
        self._buffer = b""
        self._closed = False

    def judge(self, game: str, turns: Sequence[TurnRow]) -> Judgement:
        """The verdicts on a match's replies, from its first one on.

        Raises UsageError where there is no such game, ArenaError where there is no answer.
        """
        asked = [
            {"seat": turn.seat, "observation": turn.observation[:_MOST_TEXT], "action": turn.action} for turn in turns
        ]
        question = json.dumps({"game": game, "turns": asked}).encode() + b"\n"
        with self._asking:
            try:
                answer = self._ask(question)
            except (OSError, ValueError):
                self._end()
                answer = self._again(question)
        if "error" in answer:
            raise UsageError(f"No ground truth: {answer['error']}")
        return judgement_of(answer)

    def close(self) -> None:
        """End the process; a waiting question fails."""
        self._closed = True
        self._end()

    def _again(self, question: bytes) -> Mapping[str, Any]:
        try:
            return self._ask(question)
        except (OSError, ValueError) as error:
            self._end()
            raise ArenaError(f"No ground truth: its process failed ({error}).") from error

    def _ask(self, question: bytes) -> Mapping[str, Any]:
        if self._closed:
            raise ArenaError("Nobody wants to know any more.")
        process = self._started()
        assert process.stdin is not None
        process.stdin.write(question)
        process.stdin.flush()
        found = json.loads(self._line(process))
        if not isinstance(found, dict):
            raise ValueError("no object")
        return found

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._buffer = b""
            self._process = subprocess.Popen(
                job_command("evals.verdicts"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env=job_environment(),
            )
        return self._process

    def _line(self, process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout is not None
        deadline = time.monotonic() + _SECONDS
        while b"\n" not in self._buffer:
            if self._closed or time.monotonic() > deadline:
                raise OSError("no answer")
            if select.select([process.stdout], [], [], _TICK)[0]:
                more = process.stdout.read(1 << 16)
                if not more:
                    raise OSError("it ended")
                self._buffer += more
        found, _, self._buffer = self._buffer.partition(b"\n")
        return found

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def judgement_of(data: Mapping[str, Any]) -> Judgement:
    """Read the JSON of a judgement. Raises ArenaError where it is not one."""
    try:
        verdicts = tuple(
            None if one is None else Verdict(**{**one, "best": tuple(one["best"])}) for one in data["verdicts"]
        )
        first, second = data["roles"]
        names = ("game", "title", "hidden", "scale", "first")
        return Judgement(roles=(first, second), verdicts=verdicts, **{name: data[name] for name in names})
    except (KeyError, TypeError, ValueError) as error:
        raise ArenaError("No ground truth: its process answered something else.") from error
