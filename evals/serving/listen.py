"""Where a server listens."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import NamedTuple

from arena.core.errors import ArenaError, UsageError
from arena.core.sanitise import one_line

_BACKLOG = 1024


class Place(NamedTuple):
    """An address of this machine."""

    address: str
    port: int

    @property
    def url(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.port}"

    @property
    def local(self) -> bool:
        """Whether this machine alone can reach it."""
        return ipaddress.ip_address(self.address).is_loopback


def place_of(listener: socket.socket) -> Place:
    return Place(*listener.getsockname()[:2])


def listen(host: str, port: int) -> socket.socket:
    """A socket that clients can connect to. Raises ArenaError where the address is taken or is none of ours."""
    if not 0 <= port <= 65535:
        raise UsageError(f"There is no port {port}.", "0 takes any that is free.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        taken = isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES)
        hint = "Choose another --port; 0 takes any that is free." if taken else "--host is an address of this machine."
        raise ArenaError(f"Cannot listen on {one_line(host)} port {port}: {one_line(reason)}.", hint) from None
    return listener
