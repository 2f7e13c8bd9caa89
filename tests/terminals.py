"""A program in a pseudo-terminal: its bytes as they came, the picture they make, keys typed, the window resized."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import pyte

ROOT = Path(__file__).resolve().parents[1]
ARENA = (sys.executable, "-m", "arena")
KEYS = {
    "enter": "\r", "escape": "\x1b", "tab": "\t", "shift+tab": "\x1b[Z", "space": " ", "backspace": "\x7f",
    "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F",
    "pageup": "\x1b[5~", "pagedown": "\x1b[6~", "f2": "\x1bOQ", "f3": "\x1bOR", "f5": "\x1b[15~", "delete": "\x1b[3~",
    "ctrl+a": "\x01", "ctrl+e": "\x05", "ctrl+k": "\x0b", "ctrl+p": "\x10", "ctrl+s": "\x13", "ctrl+u": "\x15",
}  # fmt: skip
_SYNC_ASKED, _SYNC_KNOWN = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
FRAME_END = b"\x1b[?2026l"
"""Ends what a terminal paints at once."""


class Chunk(NamedTuple):
    """Bytes that were read together, and when (`time.perf_counter`)."""

    at: float
    data: bytes


class Terminal:
    """A process with a terminal of its own; a context manager that leaves neither behind.

    It reads only inside `pump` and the `wait` methods, and it answers as a terminal that paints frames whole.
    """

    def __init__(
        self,
        command: Sequence[str] = ARENA,
        folder: Path | None = None,
        variables: Mapping[str, str] | None = None,
        columns: int = 120,
        lines: int = 36,
    ) -> None:
        self.chunks: list[Chunk] = []
        self.columns, self.lines = columns, lines
        self.code: int | None = None
        self._fed = 0
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        colours = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT)}
        environment = os.environ | colours | dict(variables or {})
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            with suppress(BaseException):
                os.chdir(folder or ".")
                os.execvpe(command[0], list(command), environment)
            os._exit(127)
        ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._file)

    # What it writes

    @property
    def data(self) -> bytes:
        """Everything that it wrote."""
        return b"".join(chunk.data for chunk in self.chunks)

    @property
    def text(self) -> str:
        """What is on the terminal now."""
        return text_of(self.screen)

    @property
    def screen(self) -> pyte.Screen:
        """The terminal now, with its colours."""
        return self.after(len(self.chunks))

    def after(self, chunks: int) -> pyte.Screen:
        """The terminal after so many of the chunks; it does not go back."""
        while self._fed < chunks:
            self._stream.feed(drawn(self.chunks[self._fed].data))
            self._fed += 1
        return self._screen

    def pump(self, seconds: float = 0.0) -> bool:
        """Read what is there, waiting so long for the first of it; False once the terminal is closed or silent."""
        if not select.select([self._file], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._file, 1 << 16)
        except OSError:
            return False
        self.chunks.append(Chunk(time.perf_counter(), data))
        if _SYNC_ASKED in data:
            os.write(self._file, _SYNC_KNOWN)
        return bool(data)

    def wait(self, condition: Callable[[], object], seconds: float = 30.0, what: str = "") -> None:
        """Read until the condition holds. Raises AssertionError with the picture where it does not in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0, f"waited in vain for {what or condition}:\n{self.text}"
            self.pump(min(left, 0.1))

    def wait_for(self, *words: str, seconds: float = 30.0) -> None:
        """Read until all of these are on the terminal."""
        self.wait(lambda: all(word in self.text for word in words), seconds, f"{words}")

    def settle(self, quiet: float = 0.25, seconds: float = 10.0) -> None:
        """Read until nothing came for a while."""
        deadline = time.monotonic() + seconds
        while self.pump(quiet) and time.monotonic() < deadline:
            pass

    # What it is told

    def press(self, *keys: str) -> None:
        """Type keys by their names; a longer word is typed as it is."""
        for key in keys:
            os.write(self._file, KEYS.get(key, key).encode())

    def type(self, *keys: str) -> None:
        """Press keys one by one as people do, each a while after what the one before it painted."""
        for key in keys:
            self.press(key)
            if self.pump(0.4):
                self.settle(0.04, 0.3)

    def resize(self, columns: int, lines: int) -> None:
        """Another size; what is on the picture is kept where it fits, as in a terminal."""
        self.settle(0.05, 1.0)
        assert self.screen
        self.columns, self.lines = columns, lines
        self._screen.resize(lines, columns)
        ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def end(self, seconds: float = 30.0) -> int:
        """Read until the process has ended; its exit code."""
        deadline = time.monotonic() + seconds
        while self.code is None:
            assert time.monotonic() < deadline, f"it does not end:\n{self.text}"
            self.pump(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        while self.pump():
            pass
        return self.code


def text_of(screen: pyte.Screen) -> str:
    """The picture's text; the screen's own `display` trips over a wide character that was overwritten in half."""
    rows = (screen.buffer[y] for y in range(screen.lines))
    return "\n".join("".join(row[x].data for x in range(screen.columns)) for row in rows)


def drawn(data: bytes) -> bytes:
    """Without what `pyte` takes for text: keyboard and clipboard modes, which paint nothing."""
    return re.sub(rb"\x1b\[[<>=][\d;]*[A-Za-z]", b"", data)
