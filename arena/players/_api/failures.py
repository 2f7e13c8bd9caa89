"""What went wrong with a request, and what to do about it.

    retry     the server's trouble of the moment: try again
    limited   the same, and ask it less often
    field     it does not take a field that we sent
    outcome   it refused this prompt or this length: the model's own outcome, as if it had answered nothing
    stop      no later request of this player can do better

Server texts are hostile: what is kept of them is one short line without any key in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from arena.core.sanitise import one_line
from arena.players._api.secrets import scrub
from arena.players._api.waiting import asked_wait

_MESSAGE = 240
_LONGEST = 20_000
"""Characters of an error body that are looked at."""
_LIMITS = ("max_tokens", "max_completion_tokens")
_TRANSIENT = (408, 409, 425, 429)
_DAILY = re.compile(r"per[ _-]?day|daily|\b[RT]PD\b|per[ _-]?month|monthly|\blimit: 0\b", re.I)
_FILTERED = re.compile(r"content_?filter|content_policy|invalid_prompt|flagged_input|requires moderation", re.I)
_TOO_LONG = re.compile(r"context_length_exceeded|maximum context length", re.I)
_NO_SYSTEM = re.compile(r"system role|roles are supported|roles must alternate", re.I)
_NO_KEY = re.compile(r"api[ _-]?key[ _](?:not[ _]valid|invalid|expired)", re.I)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request brought no answer, in words that follow the server's name."""

    kind: Literal["retry", "limited", "field", "outcome", "stop"]
    reason: str
    hint: str = ""
    wait: float | None = None
    """Seconds that the server asks to wait."""
    field: str = ""
    finish: str = ""
    """With `outcome`: how the reply ended."""


def of_status(status: int, headers: Mapping[str, str], text: str, sent: Mapping[str, str] | None = None) -> Failure:
    """Judge a reply whose status is not one of success.

    `sent` are the fields that the request could do without or change, by each name that an error may use.
    """
    text = text[:_LONGEST]
    said = message_of(text)
    reason = f"answered {status}" + (f": {said}" if said else "")
    if status == 429:
        return _limited(reason, headers, text)
    if status in _TRANSIENT or status >= 500:
        return Failure("retry", reason, wait=asked_wait(headers, text))
    if status in (400, 403, 413, 422) and _FILTERED.search(text):
        return Failure("outcome", reason, finish="content_filter")
    if status in (400, 413, 422) and _TOO_LONG.search(text):
        limit = next((name for name in _LIMITS if name in (sent or {})), "")
        return Failure("field" if limit else "outcome", reason, field=limit, finish="length")
    if status in (401, 403) or (status == 400 and _NO_KEY.search(text)):
        return Failure("stop", reason, "The key is not accepted there: look at it, and at what it may do.")
    if status == 400 and _NO_SYSTEM.search(text):
        return Failure("stop", reason, "The model has no system role: give its spec ?style=spiral.")
    if status in (400, 422) and (field := _field(text, sent or {})):
        return Failure("field", reason, field=field)
    return Failure("stop", reason, _HINTS.get(status, "The server does not take this request."))


_HINTS = {
    402: "The account has no credit left.",
    404: "No such model there, or a wrong base URL.",
    **dict.fromkeys((301, 302, 303, 307, 308), "It sends elsewhere: give its final address as the base URL."),
}


def _limited(reason: str, headers: Mapping[str, str], text: str) -> Failure:
    if "insufficient_quota" in text:
        return Failure("stop", reason, "The account has no credit left.")
    if _DAILY.search(text):
        return Failure("stop", reason, "The quota of the day is used: resume when there is a new one.")
    return Failure("limited", reason, wait=asked_wait(headers, text))


def read_body(text: str) -> dict[str, Any] | Failure:
    """The reply of a 200: the object that it should be, with a message or a reason to have none; else a failure."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return Failure("retry", f"answered 200 with something that is not JSON: {_line(text, 60)}")
    found = _error(data)
    if found is not None:
        return _inside(found, text)
    if not isinstance(data, dict):
        return Failure("retry", "answered 200 with JSON that is no reply")
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return Failure("retry", "answered 200 without a choice")
    if (found := _error(choice)) is not None:
        return _inside(found, text)
    if not isinstance(choice.get("message"), dict) and choice.get("finish_reason") not in ("length", "content_filter"):
        return Failure("retry", "answered 200 without a message")
    return data


def _inside(error: Any, text: str) -> Failure:
    """An error in a reply of 200: of the moment, unless it speaks of the key or the account."""
    code = error.get("code") if isinstance(error, dict) else None
    said = message_of(text) or "no reason given"
    if isinstance(code, int) and not isinstance(code, bool) and code in (401, 402, 403, 429):
        return of_status(code, {}, text)
    return Failure("retry", f"answered 200 with an error: {said}")


def _error(data: Any) -> Any:
    """What stands under "error", also where the body is an array of one such object; None where there is none."""
    if isinstance(data, list):
        data = data[0] if data else None
    found = data.get("error") if isinstance(data, dict) else None
    return found or None


def message_of(text: str) -> str:
    """The message of an error body in any of the providers' forms, as one short line without keys."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return "a page of HTML" if "<html" in text[:2000].lower() else _line(text)
    if isinstance(data, list):
        data = data[0] if data else None
    return _line(_say(data))


def _say(data: Any, depth: int = 0) -> str:
    """The human words in an error object: error, message, detail or msg, whichever comes first and says something."""
    if isinstance(data, str):
        return data
    if depth > 5:
        return ""
    if isinstance(data, list):
        return "; ".join(filter(None, (_say(item, depth + 1) for item in data[:3])))
    if not isinstance(data, dict):
        return ""
    if "msg" in data:
        place = data.get("loc")
        where = ".".join(map(str, place[:6])) if isinstance(place, list) else ""
        return f"{where}: {data['msg']}" if where else str(data["msg"])
    names = ("error", "message", "detail", "errors", "object")
    return next((said for name in names if (said := _say(data.get(name), depth + 1))), "")


def _field(text: str, sent: Mapping[str, str]) -> str:
    """Which of the fields that were sent an error names; the one that it names in `param` or `loc` comes first."""
    plain = text.replace('\\"', '"')
    for form in (r'"param"\s*:\s*"{}"', r'"loc"\s*:\s*\[[^\]]*"{}"', r'"{}"', r"'{}'", r"(?<!\w){}(?!\w)"):
        for name in sent:
            if re.search(form.format(re.escape(name)), plain, re.I):
                return sent[name]
    return ""


def _line(text: str, limit: int = _MESSAGE) -> str:
    return one_line(scrub(text[:_LONGEST]), limit)
