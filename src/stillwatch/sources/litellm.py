"""LiteLLM's `StandardLoggingPayload`, one JSON object a line, as its proxy's loggers write it.

Source: https://docs.litellm.ai/docs/proxy/logging_spec
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from stillwatch.sources import conversation
from stillwatch.sources.lines import Record
from stillwatch.sources.mapping import Chosen, Copier, From, at, from_json, tool_names, truth
from stillwatch.sources.rejects import Rejects

NAME: Final = "litellm"

MAPPING: Final = (
    From(
        "exchange_id",
        ("id", "litellm_call_id"),
        "the response's id (the call's where there was none), then `/` and `trace_id`: a cache or a stand-in gives one "
        "response's id to many requests",
        made=True,
    ),
    From("time", ("startTime",), "epoch seconds"),
    From("account_id", ("metadata.user_api_key_user_id", "metadata.user_api_key_hash")),
    From("key_id", ("metadata.user_api_key_hash",), "LiteLLM's own hash; it never logs the key"),
    From("end_user_id", ("end_user", "metadata.user_api_key_end_user_id"), "the `user` that the request named"),
    From("access_path", (), "always `gateway`", made=True),
    From(
        "ip",
        ("requester_ip_address", "metadata.requester_ip_address"),
        "the first address, where a chain of forwarders is logged",
        made=True,
    ),
    From("user_agent", ("user_agent", "metadata.user_agent", "metadata.requester_metadata.headers.user-agent")),
    From("model", ("model_group", "model"), "the name that clients ask for, else the upstream's"),
    From("system_prompt", ("messages",), "system and developer messages, an empty line between them", made=True),
    From("prompt", ("messages",), "the last user message, its text parts joined; none where redacted", made=True),
    From("messages", ("messages",), "their number", made=True),
    From("history_hashes", ("messages",), "one chained blake2b-128 for each prefix", made=True),
    From("response", ("response",), "the first choice's text", made=True),
    From("tools", ("model_parameters.tools",), "their names", made=True),
    From("temperature", ("model_parameters.temperature",)),
    From(
        "max_tokens",
        (
            "model_parameters.max_completion_tokens",
            "model_parameters.max_tokens",
            "model_parameters.max_output_tokens",
        ),
    ),
    From(
        "reasoning_budget",
        (
            "model_parameters.thinking.budget_tokens",
            "model_parameters.reasoning.max_tokens",
            "model_parameters.extra_body.thinking.budget_tokens",
        ),
    ),
    From("logprobs", ("model_parameters.logprobs", "model_parameters.top_logprobs"), "true for any number", made=True),
    From("n", ("model_parameters.n",)),
    From("stream", ("stream", "model_parameters.stream")),
    From("input_tokens", ("prompt_tokens", "response.usage.prompt_tokens", "metadata.usage_object.prompt_tokens")),
    From(
        "output_tokens",
        ("completion_tokens", "response.usage.completion_tokens", "metadata.usage_object.completion_tokens"),
    ),
    From(
        "reasoning_tokens",
        (
            "response.usage.completion_tokens_details.reasoning_tokens",
            "metadata.usage_object.completion_tokens_details.reasoning_tokens",
            "response.usage.output_tokens_details.reasoning_tokens",
        ),
    ),
    From(
        "status",
        ("status", "error_information", "response.choices.0"),
        "success is ok, or blocked or refused where the response says so; failure is rate_limited (429), blocked "
        "(content policy, guardrail) or error",
        made=True,
    ),
)

# Calls that send no prompt to a language model: what they carry is no exchange.
OTHER_CALLS: Final = ("embedding", "rerank", "moderation", "transcription", "speech", "image", "search", "_batch")
OTHER: Final = "records that are no exchange with a language model were passed over"

_COPY = Copier(MAPPING)
_REASONS: Final = {"content_filter": "blocked", "refusal": "refused", "guardrail_intervened": "blocked"}


def recognises(value: dict[str, Any]) -> bool:
    """Whether a JSON object is such a payload."""
    return "startTime" in value and ("model_parameters" in value or "call_type" in value or "model_group" in value)


def rows(records: Iterable[Record], chosen: Chosen, rejects: Rejects) -> Iterator[Record]:
    """Rows of exchanges columns; calls of other kinds are passed over and counted."""
    for place, value in records:
        call = value.get("call_type")
        if isinstance(call, str) and any(kind in call for kind in OTHER_CALLS):
            rejects.remark(OTHER, place)
            continue
        row = _row(value)
        chosen.into(row, NAME, from_json(value))
        yield Record(place, row)


def _row(value: dict[str, Any]) -> dict[str, Any]:
    row = _COPY.row(value)
    row["exchange_id"] = _exchange_id(value)
    row["access_path"] = "gateway"
    parameters = value.get("model_parameters")
    if not isinstance(parameters, dict):
        parameters = {}
    row.update(
        conversation.read(value.get("messages"), parameters.get("system") or parameters.get("instructions")).columns()
    )
    row["response"] = conversation.reply_text(value.get("response"))
    row["ip"] = _first_address(value.get("requester_ip_address") or at(value, ("metadata", "requester_ip_address")))
    row["tools"] = tool_names(parameters.get("tools") or parameters.get("functions"))
    asked = [truth(parameters.get(name)) for name in ("logprobs", "top_logprobs")]
    row["logprobs"] = None if asked == [None, None] else any(asked)
    row["status"] = _status(value)
    return row


def _first_address(value: Any) -> Any:
    return value.split(",")[0].strip() if isinstance(value, str) else value


def _status(value: dict[str, Any]) -> Any:
    status = value.get("status")
    if status == "success":
        choice = at(value, ("response", "choices", "0"))
        if isinstance(choice, dict):
            if at(choice, ("message", "refusal")) or at(choice, ("message", "provider_specific_fields", "refusal")):
                return "refused"
            return _REASONS.get(str(choice.get("finish_reason")), "ok")
        return _REASONS.get(str(at(value, ("response", "stop_reason"))), "ok")
    if status != "failure":
        return status
    error = value.get("error_information")
    error = error if isinstance(error, dict) else {}
    name, code = str(error.get("error_class") or ""), str(error.get("error_code") or "")
    if code == "429" or "RateLimit" in name:
        return "rate_limited"
    guard = at(value, ("status_fields", "guardrail_status"))
    if "ContentPolicy" in name or "Guardrail" in name or guard == "guardrail_intervened":
        return "blocked"
    return "error"


def _exchange_id(value: dict[str, Any]) -> Any:
    """Both ids where both are there: neither alone is one request (a cache repeats the first, a retry the second)."""
    response, trace = value.get("id") or value.get("litellm_call_id"), value.get("trace_id")
    return f"{response}/{trace}" if response and isinstance(trace, str) and trace else response


def request_ids(exchange_id: str) -> tuple[str, ...]:
    """What another log may call a request whose id `_exchange_id` made: that id, the response's or the trace's."""
    response, slash, trace = exchange_id.rpartition("/")
    return (exchange_id, response, trace) if slash else (exchange_id,)
