"""What a chat request may say, checked before anything is drawn.

A field that would change the reply and that we do not have is refused: a sampling option left out in silence would
falsify what the asker measures. Fields that concern the asker's account alone are read past.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from arena.core.engine import Sampling
from arena.core.sanitise import one_line

_IGNORED = frozenset({"metadata", "parallel_tool_calls", "prompt_cache_key", "safety_identifier", "service_tier",
                      "store", "user"})  # fmt: skip
_MOST_STOPS = 16


class ApiError(Exception):
    """Refuse a request; told in the shape of OpenAI's errors."""

    def __init__(
        self, status: int, message: str, param: str | None = None, code: str | None = None, kind: str = ""
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, one_line(message, 500), param, code
        self.kind = kind or ("invalid_request_error" if status < 500 else "server_error")

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request that passed."""

    messages: list[dict[str, str]]
    sampling: Sampling
    seed: int | None
    stop: tuple[str, ...]
    stream: bool
    stream_usage: bool
    """Whether a stream ends with a piece that says what was used."""


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class _Part(_Strict):
    type: Literal["text"]
    text: str


class _Message(BaseModel):
    """Assistants' messages come back as they were sent, with fields of ours and others."""

    model_config = ConfigDict(strict=True, extra="ignore")
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_Part] | None = None

    def plain(self) -> dict[str, str]:
        content = self.content or ""
        text = content if isinstance(content, str) else "\n".join(part.text for part in content)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class _StreamOptions(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")
    include_usage: bool | None = None


class _TextFormat(_Strict):
    type: Literal["text"]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


_Stops = list[Annotated[str, Field(min_length=1, max_length=200)]]


class _Body(_Strict):
    model: str
    messages: list[_Message] = Field(min_length=1)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=100)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=-1)
    min_p: float | None = Field(None, ge=0, le=1)
    seed: int | None = None
    stop: Annotated[_Stops, BeforeValidator(_listed), Field(max_length=_MOST_STOPS)] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: Literal[1] | None = None
    logprobs: Literal[False] | None = None
    top_logprobs: Literal[0] | None = None
    presence_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    frequency_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    repetition_penalty: Annotated[float, Field(ge=1, le=1)] | None = None
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None
    response_format: _TextFormat | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None

    def sampling(self, own: Sampling) -> Sampling:
        """The player's own, with what the request says put over it; a reply is no longer than the player's own are."""
        most = self.max_completion_tokens or self.max_tokens or own.max_tokens
        given: dict[str, Any] = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "min_p": self.min_p,
            "top_k": None if self.top_k is None else max(0, self.top_k),
            "max_tokens": min(most, own.max_tokens),
        }
        return replace(own, **{name: value for name, value in given.items() if value is not None})


def read_request(body: bytes, model: str, own: Sampling) -> ChatRequest:
    """Read a request's body for the model served under the name `model`. Raises ApiError for what does not fit."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise ApiError(400, "The body is not JSON.") from None
    if not isinstance(data, dict):
        raise ApiError(400, "The body is not a JSON object.")
    try:
        asked = _Body.model_validate({key: value for key, value in data.items() if key not in _IGNORED})
    except ValidationError as error:
        raise _refusal(error) from None
    if asked.model != model:
        message = f"The model {one_line(asked.model)} is not served here; this is {model}."
        raise ApiError(404, message, "model", "model_not_found")
    return ChatRequest(
        messages=_messages(asked),
        sampling=asked.sampling(own),
        seed=asked.seed,
        stop=tuple(asked.stop or ()),
        stream=bool(asked.stream),
        stream_usage=bool(asked.stream_options and asked.stream_options.include_usage),
    )


def _messages(asked: _Body) -> list[dict[str, str]]:
    said = [message.plain() for message in asked.messages]
    try:
        "".join(message["content"] for message in said).encode()
    except UnicodeEncodeError:
        raise ApiError(400, "The messages hold half a surrogate pair, which is no text.", "messages") from None
    return said


def _refusal(error: ValidationError) -> ApiError:
    """The first thing wrong, in a line."""
    first = error.errors(include_url=False, include_context=False)[0]
    param = one_line(".".join(str(part) for part in first["loc"] if part is not None), 100) or None
    if first["type"] == "extra_forbidden":
        return ApiError(400, f"{param} is not supported here.", param, "unsupported_parameter")
    if first["type"] == "missing":
        return ApiError(400, f"{param} is missing.", param, "missing_required_parameter")
    return ApiError(400, f"{param}: {first['msg']}.", param, "invalid_value")
