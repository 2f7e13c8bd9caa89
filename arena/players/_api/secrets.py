"""Keys of API players: where they come from, and how they stay out of every text that is shown or stored."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from arena.core.errors import UsageError

_MASK = "***"
_LONGEST_FILE = 16_384
_known: set[str] = set()


def find_key(variable: str, options: Mapping[str, object], needed: bool) -> str:
    """The key that `key_env` or `key_file` leads to, else the one in the environment variable; empty where none is.

    Raises UsageError where a named key is not there, or `needed` and there is none. Neither names nor paths that the
    user gave are repeated: somebody may have put the key itself there.
    """
    if "key_env" in options and "key_file" in options:
        raise UsageError("A player has one key: give key_env or key_file, not both.")
    if "key_file" in options:
        key = _read(Path(os.path.expanduser(str(options["key_file"]))))
    else:
        key = os.environ.get(str(options.get("key_env", variable)), "").strip()
        if not key and "key_env" in options:
            raise UsageError(
                "The environment variable that key_env names is not set.",
                "key_env is the variable's name, such as key_env=MY_KEY, never the key itself.",
            )
    if not key:
        if needed:
            raise UsageError(
                f"No key: the environment variable {variable} is not set.",
                "Set it, or name another place with ?key_env=NAME or ?key_file=PATH.",
            )
        return ""
    if not key.isascii() or not key.isprintable() or " " in key:
        raise UsageError("The key is not one word of printable ASCII characters.", "Look at where it comes from.")
    remember(key)
    return key


def _read(path: Path) -> str:
    hint = "key_file is the path of a file that holds the key and nothing else."
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LONGEST_FILE + 1).strip()
    except UnicodeDecodeError:
        raise UsageError("The file that key_file names is not text.", hint) from None
    except OSError as error:
        raise UsageError(f"The file that key_file names cannot be read: {error.strerror}.", hint) from None
    except ValueError:  # a NUL in the path
        raise UsageError("The file that key_file names cannot be read.", hint) from None
    if not text or len(text) > _LONGEST_FILE:
        raise UsageError("The file that key_file names does not hold one key.", hint)
    return text


def remember(secret: str) -> None:
    """Scrub this value, and the ways it is written in JSON and in addresses, from now on."""
    if secret:
        _known.update((secret, quote(secret, safe=""), json.dumps(secret)[1:-1]))


def scrub(text: str) -> str:
    """The text with every secret that was loaded in this process masked."""
    for secret in sorted(_known, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, _MASK)
    return text
