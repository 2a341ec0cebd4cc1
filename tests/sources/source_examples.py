"""One or two whole records of each format, as its producer writes them; every prompt holds SECRET."""

from __future__ import annotations

import json
from typing import Any

SECRET = "quixotic zephyr"
NANO = "1770000000123456789"


def attributes(**named: Any) -> list[dict[str, Any]]:
    """OTLP attributes; double underscores stand for dots."""
    return [{"key": k.replace("__", "."), "value": typed(v)} for k, v in named.items()]


def typed(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [typed(v) for v in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": k, "value": typed(v)} for k, v in value.items()]}}
    return {"stringValue": value}


def spans(*items: dict[str, Any]) -> dict[str, Any]:
    resource = {"attributes": attributes(service__name="gateway")}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "x"}, "spans": list(items)}]}]}


def logs(*items: dict[str, Any]) -> dict[str, Any]:
    return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}, "logRecords": list(items)}]}]}


def span(number: int = 1, *, events: list[dict[str, Any]] | None = None, **named: Any) -> dict[str, Any]:
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "chat m",
        "kind": 3,
        "startTimeUnixNano": NANO,
        "endTimeUnixNano": "1770000001123456789",
        "attributes": attributes(**named),
        "events": events or [],
        "status": {},
    }


def log(name: str, body: Any, number: int = 1, time: str = NANO, **named: Any) -> dict[str, Any]:
    return {
        "timeUnixNano": time,
        "eventName": name,
        "body": typed(body),
        "attributes": attributes(**named),
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
    }


CANONICAL = {
    "exchange_id": "e1",
    "time": "2026-02-02T02:40:00.123456Z",
    "account_id": "a1",
    "key_id": "k1",
    "ip": "192.0.2.7",
    "model": "atlas",
    "system_prompt": "Be brief.",
    "prompt": f"Why is the sky blue, {SECRET}?",
    "response": "Scattering.",
    "messages": 2,
    "tools": ["search"],
    "history_hashes": ["h1", "h2"],
    "temperature": 0.5,
    "stream": True,
    "status": "ok",
}

LITELLM = {
    "id": "chatcmpl-1",
    "call_type": "acompletion",
    "status": "success",
    "status_fields": {"llm_api_status": "success", "guardrail_status": "not_run"},
    "startTime": 1770000000.25,
    "endTime": 1770000001.5,
    "model": "openai/atlas-mini",
    "model_group": "atlas-mini",
    "metadata": {
        "user_api_key_hash": "hash1",
        "user_api_key_user_id": "u1",
        "user_api_key_end_user_id": None,
        "requester_ip_address": "192.0.2.7",
        "user_agent": "OpenAI/Python 2.54.0",
        "usage_object": {"completion_tokens": 9, "prompt_tokens": 5},
    },
    "prompt_tokens": 5,
    "completion_tokens": 9,
    "end_user": "",
    "requester_ip_address": "192.0.2.7",
    "user_agent": "OpenAI/Python 2.54.0",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "hi"},
        {
            "role": "user",
            "content": [{"type": "text", "text": f"and {SECRET}?"}, {"type": "image_url", "image_url": {}}],
        },
    ],
    "response": {
        "id": "chatcmpl-1",
        "choices": [{"finish_reason": "stop", "index": 0, "message": {"content": "indeed", "role": "assistant"}}],
        "usage": {"completion_tokens_details": {"reasoning_tokens": 4}},
    },
    "model_parameters": {
        "temperature": 1.0,
        "stream": False,
        "max_tokens": 512,
        "n": 2,
        "logprobs": True,
        "tools": [{"type": "function", "function": {"name": "search", "parameters": {}}}],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    },
    "error_information": {"error_code": "", "error_class": "", "error_message": ""},
}

CURRENT = span(
    1,
    gen_ai__operation__name="chat",
    gen_ai__provider__name="openai",
    gen_ai__request__model="atlas",
    gen_ai__response__id="resp-1",
    gen_ai__conversation__id="conv-1",
    gen_ai__request__max_tokens=512,
    gen_ai__request__temperature=0.5,
    gen_ai__request__choice__count=2,
    gen_ai__usage__input_tokens=5,
    gen_ai__usage__output_tokens=9,
    gen_ai__response__finish_reasons=["stop"],
    gen_ai__system_instructions=json.dumps([{"type": "text", "content": "Be brief."}]),
    gen_ai__input__messages=json.dumps(
        [
            {"role": "user", "parts": [{"type": "text", "content": "hello"}]},
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "f", "arguments": {}}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rainy"}]},
            {"role": "user", "parts": [{"type": "text", "content": f"and {SECRET}?"}]},
        ]
    ),
    gen_ai__output__messages=json.dumps(
        [{"role": "assistant", "parts": [{"type": "text", "content": "indeed"}], "finish_reason": "stop"}]
    ),
    gen_ai__tool__definitions=json.dumps([{"type": "function", "name": "f", "parameters": {}}]),
    user__id="u1",
    client__address="192.0.2.7",
    user_agent__original="OpenAI/Python 2.54.0",
)

OPENINFERENCE = span(
    2,
    openinference__span__kind="LLM",
    llm__model_name="atlas",
    llm__input_messages__0__message__role="system",
    llm__input_messages__0__message__content="Be brief.",
    llm__input_messages__1__message__role="user",
    llm__input_messages__1__message__contents__0__message_content__type="text",
    llm__input_messages__1__message__contents__0__message_content__text=f"and {SECRET}?",
    llm__output_messages__0__message__role="assistant",
    llm__output_messages__0__message__content="indeed",
    llm__token_count__prompt=5,
    llm__token_count__completion=9,
    llm__token_count__completion_details__reasoning=4,
    llm__invocation_parameters=json.dumps(
        {
            "temperature": 0.5,
            "max_tokens": 512,
            "n": 2,
            "stream": True,
            "logprobs": True,
            "thinking": {"budget_tokens": 64},
        }
    ),
    llm__tools__0__tool__json_schema=json.dumps({"type": "function", "function": {"name": "f"}}),
    user__id="u1",
    session__id="conv-1",
)

BEDROCK = {
    "schemaType": "ModelInvocationLog",
    "schemaVersion": "1.0",
    "timestamp": "2026-02-02T02:40:00Z",
    "accountId": "123456789012",
    "identity": {"arn": "arn:aws:sts::123456789012:assumed-role/research/session-7"},
    "region": "us-east-1",
    "requestId": "req-1",
    "operation": "InvokeModel",
    "modelId": "arn:aws:bedrock:us-east-1::foundation-model/atlas-v1:0",
    "input": {
        "inputContentType": "application/json",
        "inputBodyJson": {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 512,
            "temperature": 0.5,
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "system": "Be brief.",
            "tools": [{"name": "f", "input_schema": {}}],
            "messages": [
                {"role": "user", "content": "hello"},
                {"role": "assistant", "content": [{"type": "text", "text": "hi"}]},
                {"role": "user", "content": [{"type": "text", "text": f"and {SECRET}?"}]},
            ],
        },
        "inputTokenCount": 5,
    },
    "output": {
        "outputContentType": "application/json",
        "outputBodyJson": {
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "indeed"}],
            "stop_reason": "end_turn",
        },
        "outputTokenCount": 9,
    },
}

OLDER = spans(span(3, gen_ai__operation__name="chat", gen_ai__system="openai", user__id="u1"))
OLDER_LOGS = logs(
    log("gen_ai.user.message", {"content": f"and {SECRET}?"}, 3),
    log("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"content": "indeed"}}, 3),
)

EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "canonical": [CANONICAL, {**CANONICAL, "exchange_id": "e2"}],
    "litellm": [LITELLM, {**LITELLM, "id": "chatcmpl-2"}],
    "otel": [spans(CURRENT, OPENINFERENCE), OLDER, OLDER_LOGS],
    "bedrock": [BEDROCK, {**BEDROCK, "requestId": "req-2"}],
}
