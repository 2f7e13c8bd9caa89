"""What an error of a provider means, by its status and its body."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.players._api import secrets
from arena.players._api.failures import Failure, message_of, of_status, read_body

SENT = {name: name for name in ("max_tokens", "temperature", "random_seed", "reasoning_effort")}
GEMINI = SENT | {"extra_body": "extra_body", "thinking_config": "extra_body", "thinking": "extra_body"}


def gemini(code: int, message: str, **more: Any) -> Any:
    return [{"error": {"code": code, "message": message, **more}}]


def quota(period: str) -> Any:
    violations = [{"quotaId": f"GenerateRequestsPer{period}PerProjectPerModel-FreeTier"}]
    details = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations},
               {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]  # fmt: skip
    message = "You exceeded your current quota, please check your plan and billing details."
    return gemini(429, message, status="RESOURCE_EXHAUSTED", details=details)


def mistral(field: str) -> list[Any]:
    """The three shapes in which Mistral has refused a field."""
    detail = {
        "detail": [
            {"type": "extra_forbidden", "loc": ["body", field], "msg": "Extra inputs are not permitted", "input": 1}
        ]
    }
    return [
        detail,
        {"object": "error", "message": detail, "type": "invalid_request_error", "param": None, "code": None},
        {"object": "error", "message": json.dumps(detail), "type": "internal_error_proxy", "code": "1000"},
    ]


CASES: list[tuple[str, int, Any, str]] = [
    ("openai key", 401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}, "stop"),
    ("openai no credit", 429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}},
     "stop"),
    ("openai rate", 429, {"error": {"message": "Rate limit reached on requests per min (RPM): Limit 3, Used 3"}},
     "limited"),
    ("openai day", 429, {"error": {"message": "Rate limit reached on requests per day (RPD): Limit 200"}}, "stop"),
    ("openai model", 404, {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}, "stop"),
    ("openai flagged", 400, {"error": {"message": "flagged", "code": "invalid_prompt"}}, "outcome"),
    ("gemini minute", 429, quota("Minute"), "limited"),
    ("gemini day", 429, quota("Day"), "stop"),
    ("gemini key", 400, gemini(400, "API key not valid. Please pass a valid API key."), "stop"),
    ("gemini overloaded", 503, gemini(503, "The model is overloaded.", status="UNAVAILABLE"), "retry"),
    ("gemini field", 400, gemini(400, 'Invalid JSON payload. Unknown name "thinking_config"'), "field"),
    ("mistral rate", 429, {"object": "error", "message": "Rate limit exceeded", "code": "1300"}, "limited"),
    ("mistral key", 401, {"message": "Unauthorized", "request_id": "a1"}, "stop"),
    ("openrouter credit", 402, {"error": {"code": 402, "message": "Insufficient credits"}}, "stop"),
    ("openrouter day", 429, {"error": {"message": "Rate limit exceeded: free-models-per-day"}}, "stop"),
    ("openrouter flagged", 403, {"error": {"message": "requires moderation", "metadata": {"flagged_input": "x"}}},
     "outcome"),
    ("vllm model", 404, {"object": "error", "message": "The model `x` does not exist.", "code": 404}, "stop"),
    ("redirect", 307, "", "stop"),
    ("strange request", 400, {"error": {"message": "no"}}, "stop"),
    *((f"server {status}", status, "<html><body>down</body></html>", "retry") for status in (408, 500, 502, 503, 504)),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_an_error_is_what_it_is(status: int, body: Any, kind: str) -> None:
    found = of_status(status, {}, body if isinstance(body, str) else json.dumps(body), GEMINI)
    assert found.kind == kind
    assert str(status) in found.reason
    assert "\n" not in found.reason


@pytest.mark.parametrize("body", mistral("random_seed"))
def test_a_refused_field_is_named_in_every_shape(body: Any) -> None:
    found = of_status(422, {}, json.dumps(body), SENT)
    assert (found.kind, found.field) == ("field", "random_seed")


def test_the_field_that_an_error_points_at_comes_before_words_in_its_text() -> None:
    body = {"error": {"message": "Unsupported: use max_completion_tokens, not temperature", "param": "max_tokens"}}
    assert of_status(400, {}, json.dumps(body), SENT).field == "max_tokens"
    found = of_status(400, {}, json.dumps(gemini(400, "Thinking is not supported by this model")), GEMINI)
    assert (found.kind, found.field) == ("field", "extra_body")


def test_a_context_that_is_too_small_is_a_matter_of_max_tokens_first() -> None:
    text = json.dumps({"error": {"message": "This model's maximum context length is 4096 tokens", "code": 400}})
    assert of_status(400, {}, text, SENT).field == "max_tokens"
    assert of_status(400, {}, text, {}) == Failure("outcome", of_status(400, {}, text, {}).reason, finish="length")


def test_a_model_without_a_system_role_is_told_how_to_be_asked() -> None:
    found = of_status(400, {}, '{"message": "System role not supported", "code": 400}', SENT)
    assert (found.kind, "style=spiral" in found.hint) == ("stop", True)


def test_what_the_server_asks_to_wait_is_kept() -> None:
    assert of_status(429, {"retry-after": "7"}, "{}").wait == 7
    assert of_status(429, {}, json.dumps(quota("Minute"))).wait == 34
    assert of_status(503, {}, "").wait is None


GOOD = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}
BAD_200 = [
    "<html><body>hello</body></html>", "", "[" * 100_000, '"just text"', "null", "[]", "{}", '{"choices": []}',
    '{"choices": null}', '{"choices": ["x"]}', '{"choices": [{"finish_reason": "stop"}]}',
    '{"choices": [{"message": null, "finish_reason": "stop"}]}', '{"error": {"code": 502, "message": "upstream"}}',
    '{"error": "down"}', '[{"error": {"code": 503, "message": "overloaded"}}]',
    '{"choices": [{"error": {"code": 502, "message": "cut"}, "message": {"content": "ha"}}]}',
    '{"error": {"code": 400, "message": "provider returned error"}}',
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_200)
def test_a_200_that_is_no_reply_is_of_the_moment(text: str) -> None:
    found = read_body(text)
    assert isinstance(found, Failure)
    assert found.kind == "retry"


def test_a_200_with_an_error_about_the_account_is_not() -> None:
    found = [read_body(json.dumps({"error": {"code": code, "message": "x"}})) for code in (401, 402, 429)]
    assert [one.kind for one in found if isinstance(one, Failure)] == ["stop", "stop", "limited"]


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_a_reply_that_ended_without_a_message_is_a_reply(finish: str) -> None:
    data = {"choices": [{"message": None, "finish_reason": finish}]}
    assert read_body(json.dumps(data)) == data
    assert read_body(json.dumps(GOOD)) == GOOD
    assert read_body(json.dumps(GOOD | {"error": None})) == GOOD | {"error": None}


def test_messages_are_one_short_line_without_keys_or_controls() -> None:
    secrets.remember("sk-canary-failures")
    text = json.dumps({"error": {"message": "bad key sk-canary-failures\n\x1b[2Jboo " + "x" * 5000}})
    said = message_of(text)
    assert said.startswith("bad key *** ")
    assert "\x1b" not in said
    assert len(said) < 300
    assert message_of("<!doctype html><HTML>gone") == "a page of HTML"
    assert message_of("plain sk-canary-failures") == "plain ***"


@given(st.integers(300, 599), st.text(max_size=60) | st.builds(json.dumps, st.dictionaries(st.text(), st.text())))
def test_no_body_breaks_it(status: int, text: str) -> None:
    assert of_status(status, {}, text, SENT).reason
    read_body(text)


@given(st.integers(300, 599))
def test_only_what_may_pass_is_tried_again(status: int) -> None:
    retried = of_status(status, {}, "").kind in ("retry", "limited")
    assert retried == (status in (408, 409, 425, 429) or status >= 500)
