"""What stands after the colon of an API player's spec: `MODEL` or `MODEL@BASE_URL`."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from arena.core.errors import UsageError

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PATH = "/chat/completions"


class Endpoint(NamedTuple):
    """Where requests go."""

    model: str
    base_url: str
    """Without a slash at its end."""
    host: str
    """Host and port, for messages and to know servers apart."""
    own: bool
    """Whether the user gave the base URL."""
    local: bool
    """Whether the server is on this machine."""
    clear: bool
    """Whether what is sent there can be read on the way: plain http to another machine."""


def split_target(target: str) -> tuple[str, str]:
    """The model and the base URL, which is empty where none is given; the URL begins at the last "@http"."""
    lower = target.lower()
    at = max(lower.rfind("@http://"), lower.rfind("@https://"))
    return (target, "") if at < 0 else (target[:at], target[at + 1 :])


def read_target(target: str, default_url: str, syntax: str) -> Endpoint:
    """Take a target apart. Raises UsageError for no model, or a base URL that is missing or not plain.

    The messages do not repeat the base URL: it may hold a password.
    """
    model, given = split_target(target)
    if not model or "://" in model or any(character.isspace() for character in model):
        raise UsageError("An API player needs the name of a model.", f"Write {syntax}.")
    url = given or default_url
    if not url:
        raise UsageError("This player needs the address of its server.", f"Write {syntax}.")
    host, local, clear = _check_url(url, syntax)
    url = url.rstrip("/").removesuffix(_PATH).rstrip("/")
    if not urlsplit(url).path:
        url += "/v1"
    return Endpoint(model, url, host, bool(given), local, clear)


def _check_url(url: str, syntax: str) -> tuple[str, bool, bool]:
    """Host, whether it is this machine, whether what goes there can be read on the way."""
    hint = f"Write {syntax} with a plain http:// or https:// address."
    try:
        parts = urlsplit(url)
        port, name = parts.port, parts.hostname or ""
    except ValueError:
        raise UsageError("The base URL cannot be read.", hint) from None
    if parts.username is not None or parts.password is not None:
        raise UsageError("A base URL holds no user or password.", "Name the key with ?key_env=NAME or ?key_file=PATH.")
    if parts.query or parts.fragment or not name or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError("The base URL is not a plain address.", hint)
    shown = f"[{name}]" if ":" in name else name
    local = name in _LOOPBACK or name.startswith("127.")
    return f"{shown}:{port}" if port else shown, local, parts.scheme.lower() == "http" and not local
