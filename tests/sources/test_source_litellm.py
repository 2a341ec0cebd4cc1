"""LiteLLM's StandardLoggingPayload."""

from __future__ import annotations

import copy
import datetime as dt
from pathlib import Path

import pytest
from source_examples import LITELLM, SECRET

CAPTURE = Path(__file__).parents[3] / "shared/data/litellm_capture/standard_logging_payload.jsonl.gz"


def changed(**paths):
    record = copy.deepcopy(LITELLM)
    for path, value in paths.items():
        *way, last = path.split("__")
        target = record
        for key in way:
            target = target[key]
        target[last] = value
    return record


def test_a_whole_record(scan, write):
    row = scan(write("t.jsonl", [LITELLM])).row
    hashes = row.pop("history_hashes")
    assert len(hashes) == len(set(hashes)) == 5
    assert all(len(h) == 32 for h in hashes)
    assert {k: v for k, v in row.items() if v is not None} == {
        "exchange_id": "chatcmpl-1",
        "time": dt.datetime(2026, 2, 2, 2, 40, 0, 250_000, dt.UTC),
        "account_id": "u1",
        "key_id": "hash1",
        "access_path": "gateway",
        "ip": "192.0.2.7",
        "user_agent": "OpenAI/Python 2.54.0",
        "model": "atlas-mini",
        "system_prompt": "Be brief.\n\nBe kind.",
        "prompt": f"and {SECRET}?",
        "response": "indeed",
        "messages": 5,
        "tools": ["search"],
        "temperature": 1.0,
        "max_tokens": 512,
        "reasoning_budget": 1024,
        "logprobs": True,
        "n": 2,
        "stream": False,
        "input_tokens": 5,
        "output_tokens": 9,
        "reasoning_tokens": 4,
        "status": "ok",
    }


def test_without_a_user_the_key_is_the_account(scan, write):
    row = scan(write("t.jsonl", [changed(metadata__user_api_key_user_id=None)])).row
    assert row["account_id"] == row["key_id"] == "hash1"


def test_address_agent_and_end_user_fall_back(scan, write):
    record = changed(requester_ip_address=None, user_agent="", metadata__user_api_key_end_user_id="end")
    record["metadata"]["requester_ip_address"] = "198.51.100.4, 10.0.0.1"
    row = scan(write("t.jsonl", [record])).row
    assert (row["ip"], row["user_agent"], row["end_user_id"]) == ("198.51.100.4", "OpenAI/Python 2.54.0", "end")


@pytest.mark.parametrize(
    ("error", "guardrail", "status"),
    [
        (("429", "RateLimitError"), "not_run", "rate_limited"),
        (("400", "ContentPolicyViolationError"), "not_run", "blocked"),
        (("400", "BadRequestError"), "guardrail_intervened", "blocked"),
        (("500", "InternalServerError"), "not_run", "error"),
        (("", ""), "not_run", "error"),
    ],
)
def test_failures(scan, write, error, guardrail, status):
    record = changed(status="failure", response=None, status_fields__guardrail_status=guardrail)
    record["error_information"] = dict(zip(("error_code", "error_class"), error, strict=True))
    row = scan(write("t.jsonl", [record])).row
    assert (row["status"], row["response"]) == (status, None)


@pytest.mark.parametrize(("reason", "status"), [("stop", "ok"), ("content_filter", "blocked"), ("refusal", "refused")])
def test_successes_that_gave_nothing(scan, write, reason, status):
    record = copy.deepcopy(LITELLM)
    record["response"]["choices"][0]["finish_reason"] = reason
    assert scan(write("t.jsonl", [record])).row["status"] == status


def test_redacted_text_is_no_text(scan, write):
    record = changed(
        messages=[{"role": "user", "content": "redacted-by-litellm"}], response={"text": "redacted-by-litellm"}
    )
    row = scan(write("t.jsonl", [record])).row
    assert (row["prompt"], row["response"], row["history_hashes"], row["messages"]) == (None, None, None, 1)


def test_prompts_of_completions_and_of_the_responses_api(scan, write):
    completion = changed(messages="once upon", response={"choices": [{"text": " a time"}]})
    responses = changed(
        id="r2",
        messages=[{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}],
        response={
            "output": [
                {"type": "reasoning", "content": [{"type": "reasoning", "text": "hm"}]},
                {"type": "message", "content": [{"type": "output_text", "text": "hi"}]},
            ]
        },
        model_parameters={"instructions": "Be brief.", "reasoning": {"max_tokens": 64}},
    )
    first, second = scan(write("t.jsonl", [completion, responses])).rows
    assert (first["prompt"], first["response"]) == ("once upon", " a time")
    assert (second["system_prompt"], second["prompt"], second["response"]) == ("Be brief.", "hello", "hi")
    assert second["reasoning_budget"] == 64


def test_other_calls_are_passed_over_and_counted(scan, write):
    result = scan(write("t.jsonl", [LITELLM, changed(call_type="aembedding"), changed(call_type="arerank")]))
    assert len(result.rows) == 1
    assert not result.rejected
    assert "passed over: 2 times" in result.warnings[0]


def test_prefixes_of_a_conversation_are_found_again_in_its_continuation(scan, write):
    longer = changed(id="c2")
    longer["messages"] = [
        *LITELLM["messages"],
        {"role": "assistant", "content": "indeed"},
        {"role": "user", "content": "thanks"},
    ]
    same_in_parts = changed(id="c3")
    same_in_parts["messages"][2]["content"] = [{"type": "text", "text": "hello"}]
    other_role = changed(id="c4")
    other_role["messages"][3]["role"] = "user"
    short, long, parts, other = (
        r["history_hashes"] for r in scan(write("t.jsonl", [LITELLM, longer, same_in_parts, other_role])).rows
    )
    assert long[:5] == short
    assert parts == short
    assert other[:3] == short[:3]
    assert other[3:] != short[3:]


@pytest.mark.skipif(not CAPTURE.exists(), reason="the real capture is not beside the project")
def test_the_real_capture(scan):
    result = scan(CAPTURE)
    assert len(result.rows) == 6_148
    assert len({r["account_id"] for r in result.rows}) == 407
    assert not result.rejected
    assert not result.warnings
    assert all(r["prompt"] and r["response"] and r["ip"] and r["user_agent"] and r["model"] for r in result.rows)
    assert sum(r["system_prompt"] is not None for r in result.rows) == 2_025
    assert any("\u2028" in r["prompt"] for r in result.rows)
