"""Around every call into TextArena: its draws are of one step of one match, and it is offline and silent."""

from __future__ import annotations

import contextlib
import functools
import io
import random
import sys
import threading
from collections.abc import Iterator
from typing import Any

from arena.core.keys import draw


class Offline(OSError):
    """The environment asked for the network."""


class _Inside(threading.local):
    """How deep this thread is inside TextArena."""

    depth = 0


_inside = _Inside()
_CONNECTING = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request")


@functools.cache
def _guard_network() -> None:
    """Refuse connections of a thread that is inside TextArena. An audit hook stays for the life of the process."""

    def hook(event: str, args: object) -> None:
        if _inside.depth and event in _CONNECTING:
            raise Offline("it asks for the network")

    sys.addaudithook(hook)


@contextlib.contextmanager
def isolated(key: int, step: int) -> Iterator[None]:
    """Run TextArena's code on the draws of one step of one match, offline and silent."""
    _guard_network()
    numpy: Any = getattr(sys.modules.get("numpy"), "random", None)
    before, numpy_before = random.getstate(), numpy and numpy.get_state()
    drawn = draw(key, "textarena", step)
    random.setstate(drawn.getstate())
    if numpy:
        numpy.seed(drawn.getrandbits(32))
    _inside.depth += 1
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        _inside.depth -= 1
        random.setstate(before)
        if numpy:
            numpy.set_state(numpy_before)
