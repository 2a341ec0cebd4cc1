"""OpenTelemetry GenAI: three generations, OpenInference, and log records joined to their spans."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from source_examples import CURRENT, OLDER, OLDER_LOGS, OPENINFERENCE, SECRET, attributes, log, logs, span, spans, typed

from stillwatch.sources import otel

TIME = dt.datetime(2026, 2, 2, 2, 40, 0, 123456, dt.UTC)
ASKED = f"and {SECRET}?"


def given(row):
    row = dict(row)
    row.pop("history_hashes")
    return {k: v for k, v in row.items() if v is not None}


def test_the_current_generation_on_a_span(scan, write):
    row = scan(write("t.jsonl", [spans(CURRENT)])).row
    assert len(row["history_hashes"]) == 5
    assert given(row) == {
        "exchange_id": "resp-1",
        "time": TIME,
        "account_id": "u1",
        "conversation_id": "conv-1",
        "ip": "192.0.2.7",
        "user_agent": "OpenAI/Python 2.54.0",
        "model": "atlas",
        "system_prompt": "Be brief.",
        "prompt": ASKED,
        "response": "indeed",
        "messages": 5,
        "tools": ["f"],
        "temperature": 0.5,
        "max_tokens": 512,
        "n": 2,
        "input_tokens": 5,
        "output_tokens": 9,
        "status": "ok",
    }


def test_structured_content_is_the_same_as_json_in_strings(scan, write):
    structured = {**CURRENT, "attributes": []}
    for attribute in CURRENT["attributes"]:
        value = attribute["value"]
        if str(value.get("stringValue", "")).startswith("["):
            value = typed(json.loads(value["stringValue"]))
        structured["attributes"].append({"key": attribute["key"], "value": value})
    assert scan(write("a.jsonl", [spans(structured)])).row == scan(write("b.jsonl", [spans(CURRENT)])).row


def details(number, **more):
    named = {
        "gen_ai__operation__name": "chat",
        "gen_ai__request__model": "atlas",
        "gen_ai__input__messages": [{"role": "user", "parts": [{"type": "text", "content": "hello"}]}],
        "gen_ai__output__messages": [{"role": "assistant", "parts": [{"type": "text", "content": "hi"}]}],
    }
    return log(otel.DETAILS, None, number, **{**named, **more})


def test_the_current_generation_on_an_event_joins_its_span(scan, write):
    bare = span(
        1, gen_ai__operation__name="chat", gen_ai__provider__name="x", user__id="u1", client__address="192.0.2.7"
    )
    for lines in ([spans(bare), logs(details(1))], [logs(details(1)), spans(bare)]):
        row = scan(write("t.jsonl", lines)).row
        assert (row["prompt"], row["response"], row["account_id"], row["ip"]) == ("hello", "hi", "u1", "192.0.2.7")
        assert row["exchange_id"] == f"{1:032x}:{1:016x}"
        assert row["model"] == "atlas"


def test_an_event_without_a_span_stands_alone(scan, write):
    record = details(1, user__id="u1", gen_ai__response__id="r1")
    del record["traceId"], record["spanId"]
    row = scan(write("t.jsonl", [logs(record)])).row
    assert (row["exchange_id"], row["account_id"], row["prompt"], row["time"]) == ("r1", "u1", "hello", TIME)


def test_the_older_generation_with_one_log_record_a_message(scan, write):
    shuffled = logs(
        log(
            "gen_ai.choice",
            {"index": 1, "finish_reason": "stop", "message": {"content": "second"}},
            3,
            "1770000000900000000",
        ),
        log(
            "gen_ai.choice",
            {"index": 0, "finish_reason": "stop", "message": {"content": "first"}},
            3,
            "1770000000900000000",
        ),
        log("gen_ai.user.message", {"content": "last"}, 3, "1770000000300000000"),
        log(
            "gen_ai.assistant.message",
            {"tool_calls": [{"id": "c", "function": {"name": "f"}}]},
            3,
            "1770000000200000000",
        ),
        log("gen_ai.system.message", {"content": "Be brief."}, 3, "1770000000100000000"),
    )
    for lines in ([OLDER, shuffled], [shuffled, OLDER]):
        row = scan(write("t.jsonl", lines)).row
        assert (row["system_prompt"], row["prompt"], row["response"], row["messages"]) == (
            "Be brief.",
            "last",
            "first",
            3,
        )
        assert len(row["history_hashes"]) == 3
        assert (row["account_id"], row["time"]) == ("u1", TIME)
    assert scan(write("u.jsonl", [OLDER, OLDER_LOGS])).row["prompt"] == ASKED


@pytest.mark.parametrize(
    "events",
    [
        [
            {"name": "gen_ai.system.message", "attributes": attributes(content="Be brief.")},
            {"name": "gen_ai.user.message", "attributes": attributes(content=ASKED)},
            {"name": "gen_ai.choice", "attributes": attributes(message=json.dumps({"content": "indeed"}))},
        ],
        [
            {
                "name": "gen_ai.system.message",
                "attributes": attributes(gen_ai__event__content='{"content": "Be brief."}'),
            },
            {
                "name": "gen_ai.user.message",
                "attributes": attributes(gen_ai__event__content=json.dumps({"content": ASKED})),
            },
            {
                "name": "gen_ai.choice",
                "attributes": attributes(gen_ai__event__content='{"message": {"content": "indeed"}}'),
            },
        ],
        [
            {
                "name": "gen_ai.content.prompt",
                "attributes": attributes(
                    gen_ai__prompt=json.dumps(
                        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": ASKED}]
                    )
                ),
            },
            {
                "name": "gen_ai.content.completion",
                "attributes": attributes(gen_ai__completion=json.dumps([{"role": "assistant", "content": "indeed"}])),
            },
        ],
    ],
    ids=["span events", "span events with json content", "content events"],
)
def test_the_older_generation_on_span_events(scan, write, events):
    item = span(3, events=events, gen_ai__operation__name="chat", gen_ai__system="openai", enduser__id="u1")
    row = scan(write("t.jsonl", [spans(item)])).row
    assert (row["system_prompt"], row["prompt"], row["response"]) == ("Be brief.", ASKED, "indeed")
    assert row["account_id"] == "u1"


def test_the_older_generation_in_numbered_attributes(scan, write):
    named = {f"gen_ai__prompt__{i}__role": "user" for i in range(12)}
    named |= {f"gen_ai__prompt__{i}__content": f"m{i}" for i in range(12)}
    item = span(
        3, gen_ai__system="openai", llm__request__type="chat", user__id="u1", gen_ai__completion__0__content="indeed",
        gen_ai__usage__prompt_tokens=5, gen_ai__usage__completion_tokens=9, llm__is_streaming=True,
        llm__request__functions__0__name="f", gen_ai__request__model="atlas", **named,
    )  # fmt: skip
    row = scan(write("t.jsonl", [spans(item)])).row
    # ten comes after nine, not after one
    assert (row["prompt"], row["response"], row["messages"], row["tools"]) == ("m11", "indeed", 12, ["f"])
    assert (row["input_tokens"], row["output_tokens"], row["stream"], row["model"]) == (5, 9, True, "atlas")


def test_openinference(scan, write):
    row = scan(write("t.jsonl", [spans(OPENINFERENCE)])).row
    assert given(row) == {
        "exchange_id": f"{2:032x}:{2:016x}",
        "time": TIME,
        "account_id": "u1",
        "conversation_id": "conv-1",
        "model": "atlas",
        "system_prompt": "Be brief.",
        "prompt": ASKED,
        "response": "indeed",
        "messages": 2,
        "tools": ["f"],
        "temperature": 0.5,
        "max_tokens": 512,
        "reasoning_budget": 64,
        "logprobs": True,
        "n": 2,
        "stream": True,
        "input_tokens": 5,
        "output_tokens": 9,
        "reasoning_tokens": 4,
        "status": "ok",
    }


@pytest.mark.parametrize("value", ["hello", json.dumps({"messages": [{"role": "user", "content": "hello"}]})])
def test_openinference_with_input_and_output_only(scan, write, value):
    item = span(2, openinference__span__kind="LLM", input__value=value, output__value="hi", user__id="u1")
    row = scan(write("t.jsonl", [spans(item)])).row
    assert (row["prompt"], row["response"]) == ("hello", "hi")


@pytest.mark.parametrize(
    "named",
    [
        {"http__method": "GET"},
        {"gen_ai__operation__name": "embeddings", "gen_ai__system": "x"},
        {"gen_ai__operation__name": "execute_tool", "gen_ai__system": "x"},
        {"gen_ai__operation__name": "invoke_agent", "gen_ai__provider__name": "x"},
        {"openinference__span__kind": "CHAIN", "input__value": "hello"},
        {"traceloop__span__kind": "workflow", "gen_ai__system": "x"},
    ],
)
def test_spans_of_other_things_are_counted_and_not_rejected(scan, write, named):
    result = scan(write("t.jsonl", [spans(CURRENT, span(7, user__id="u1", **named)), {"resourceMetrics": []}]))
    assert len(result.rows) == 1
    assert not result.rejected
    assert any(w.startswith(otel.OTHER) for w in result.warnings)


@pytest.mark.parametrize(
    ("named", "code", "status"),
    [
        ({}, 0, "ok"), ({}, 2, "error"), ({}, "STATUS_CODE_ERROR", "error"), ({"error__type": "timeout"}, 2, "error"),
        ({"error__type": "429"}, 2, "rate_limited"), ({"error__type": "openai.RateLimitError"}, 2, "rate_limited"),
        ({"gen_ai__response__finish_reasons": ["content_filter"]}, 1, "blocked"),
        ({"gen_ai__response__finish_reasons": ["refusal"]}, 1, "refused"),
    ],
)  # fmt: skip
def test_statuses(scan, write, named, code, status):
    item = span(1, gen_ai__operation__name="chat", gen_ai__system="x", user__id="u1", **named)
    item["status"] = {"code": code}
    assert scan(write("t.jsonl", [spans(item)])).row["status"] == status


@pytest.mark.parametrize("name", ["chat", "text_completion", "generate_content", "chat.completions", "messages.create"])
def test_requests_go_by_several_names(scan, write, name):
    item = span(1, gen_ai__operation__name=name, gen_ai__system="x", user__id="u1")
    assert scan(write("t.jsonl", [spans(item)])).row["account_id"] == "u1"


def test_messages_stand_in_the_order_of_their_times(scan, write):
    later = log("gen_ai.user.message", {"content": "later"}, 3, "1770000000200000000")
    earlier = log("gen_ai.user.message", {"content": "earlier"}, 3, "1770000000100000000")
    first, second = (
        scan(write("t.jsonl", [OLDER, logs(*order)])).row for order in ([later, earlier], [earlier, later])
    )
    assert first == second
    assert first["prompt"] == "later"


def test_log_records_far_behind_their_span_are_counted_not_made_up_as_exchanges(scan, write, monkeypatch):
    monkeypatch.setattr(otel, "WINDOW", 4)
    items = [span(i, gen_ai__operation__name="chat", gen_ai__system="x", user__id="u1") for i in range(1, 11)]
    near, far = (
        logs(log("gen_ai.user.message", {"content": "near"}, 8)),
        logs(log("gen_ai.user.message", {"content": "far"}, 2)),
    )
    result = scan(write("t.jsonl", [*(spans(i) for i in items), near, far]))
    assert [r["prompt"] for r in result.rows] == [None] * 7 + ["near"] + [None] * 2
    assert any("behind their span" in w for w in result.warnings)


def test_the_window_is_bounded_by_bytes_too(scan, write, monkeypatch):
    monkeypatch.setattr(otel, "WINDOW_BYTES", 10_000)
    items = [
        span(i, gen_ai__operation__name="chat", user__id="u1", gen_ai__input__messages="x" * 4_000)
        for i in range(1, 11)
    ]
    late = logs(log("gen_ai.choice", {"message": {"content": "late"}}, 1))
    result = scan(write("t.jsonl", [*(spans(i) for i in items), late]))
    assert len(result.rows) == 10
    assert {r["response"] for r in result.rows} == {None}


def test_requests_without_an_account_are_rejected_by_span(scan, write):
    item = span(2, gen_ai__operation__name="chat", gen_ai__system="x")
    result = scan(write("t.jsonl", [spans(CURRENT, item)]))
    assert result.reasons == {"no account_id": 1}
    assert result.rejected[0]["place"].endswith("t.jsonl:1 span 2")
