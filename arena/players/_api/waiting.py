"""How long to wait before the next try."""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

BASE_SECONDS = 0.5
CAP_SECONDS = 30.0
"""Longest wait that we choose ourselves."""
LONGEST_ASKED = 300.0
"""A server that asks for more than this is not believed, and treated as if it had not asked."""
_HINT = re.compile(r'"retryDelay"\s*:\s*"(\d+(?:\.\d+)?)s"')


def backoff(tries: int, asked: float | None, random: random.Random) -> float:
    """Seconds until the next try after `tries` failed ones (at least 1): full jitter under a doubling ceiling.

    What the server asked for comes first, with some jitter on top, so that those who wait do not come back together.
    """
    ceiling = min(CAP_SECONDS, BASE_SECONDS * 2.0 ** min(tries - 1, 30))
    jitter = random.uniform(0, ceiling)
    if asked is None:
        return jitter
    return asked + min(jitter, 1.0 + asked / 10)


def asked_wait(headers: Mapping[str, str], text: str = "") -> float | None:
    """Seconds that an error asks to wait, by its headers or Gemini's retryDelay; None where it says nothing useful."""
    if (seconds := _number(headers.get("retry-after-ms", ""))) is not None:
        seconds /= 1000
    elif given := headers.get("retry-after", "").strip():
        seconds = _number(given)
        if seconds is None:
            seconds = _until(given, headers.get("date", ""))
    elif hint := _HINT.search(text):
        seconds = _number(hint[1])
    if seconds is None or not 0 <= seconds <= LONGEST_ASKED:
        return None
    return seconds


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _until(date: str, now: str) -> float | None:
    """Seconds until an HTTP date, by the server's own clock where it tells the time; then a past one is now.

    By this machine's clock, which may be wrong or have jumped, a past date says nothing.
    """
    try:
        when = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    try:
        today = parsedate_to_datetime(now).timestamp()
    except (ValueError, TypeError, OverflowError):
        wait = when - time.time()
        return wait if wait >= 0 else None
    return max(0.0, when - today)
