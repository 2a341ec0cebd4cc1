"""Amazon Bedrock's model invocation logs."""

from __future__ import annotations

import copy
import datetime as dt
import json

import pytest
from source_examples import BEDROCK, SECRET


def bodied(given, output=None, **more):
    record = {**copy.deepcopy(BEDROCK), **more}
    record["input"]["inputBodyJson"] = given
    if output is not None:
        record["output"]["outputBodyJson"] = output
    return record


def test_a_whole_record(scan, write):
    row = scan(write("t.jsonl", [BEDROCK])).row
    assert len(row.pop("history_hashes")) == 4
    assert {k: v for k, v in row.items() if v is not None} == {
        "exchange_id": "req-1",
        "time": dt.datetime(2026, 2, 2, 2, 40, tzinfo=dt.UTC),
        "account_id": "arn:aws:sts::123456789012:assumed-role/research",
        "end_user_id": "session-7",
        "access_path": "bedrock",
        "model": "atlas-v1:0",
        "system_prompt": "Be brief.",
        "prompt": f"and {SECRET}?",
        "response": "indeed",
        "messages": 4,
        "tools": ["f"],
        "temperature": 0.5,
        "max_tokens": 512,
        "reasoning_budget": 1024,
        "stream": False,
        "input_tokens": 5,
        "output_tokens": 9,
        "status": "ok",
    }


def test_a_user_is_an_account_without_an_end_user(scan, write):
    arn = "arn:aws:iam::123456789012:user/path/ann"
    row = scan(write("t.jsonl", [{**BEDROCK, "identity": {"arn": arn}, "modelId": "atlas-v1:0"}])).row
    assert (row["account_id"], row["end_user_id"], row["model"]) == (arn, None, "atlas-v1:0")


@pytest.mark.parametrize(
    ("given", "output", "limit"),
    [
        (
            {
                "messages": [
                    {"role": "user", "content": [{"guardContent": {"text": {"text": "hello"}}}, {"image": {}}]}
                ],
                "system": [{"text": "Be brief."}],
                "inferenceConfig": {"maxTokens": 64, "temperature": 0.25},
                "toolConfig": {"tools": [{"toolSpec": {"name": "f"}}]},
            },
            {"output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}}, "stopReason": "end_turn"},
            64,
        ),
        (
            {"inputText": "hello", "textGenerationConfig": {"maxTokenCount": 64, "temperature": 0.25}},
            {"results": [{"outputText": "hi", "completionReason": "FINISH"}]},
            64,
        ),
        ({"prompt": "hello", "max_gen_len": 64, "temperature": 0.25}, {"generation": "hi"}, 64),
        ({"prompt": "hello", "temperature": 0.25}, {"outputs": [{"text": "hi", "stop_reason": "stop"}]}, None),
        ({"message": "hello", "temperature": 0.25}, {"text": "hi"}, None),
    ],
    ids=["Converse", "Titan", "Llama", "Mistral", "Cohere"],
)
def test_bodies_of_other_models(scan, write, given, output, limit):
    for form in (given, json.dumps(given)):
        row = scan(write("t.jsonl", [bodied(form, output)])).row
        assert (row["prompt"], row["response"], row["temperature"], row["max_tokens"]) == ("hello", "hi", 0.25, limit)
        assert row["system_prompt"] == ("Be brief." if "system" in given else None)
        assert row["tools"] == (["f"] if "toolConfig" in given else None)


@pytest.mark.parametrize(
    "events",
    [
        [{"type": "content_block_delta", "delta": {"type": "text_delta", "text": t}} for t in ("in", "deed")],
        [{"contentBlockDelta": {"delta": {"text": t}}} for t in ("in", "deed")],
        [{"generation": t} for t in ("in", "deed")],
        [{"outputText": t} for t in ("in", "deed")],
    ],
    ids=["Anthropic", "Converse", "Llama", "Titan"],
)
def test_streams_are_joined(scan, write, events):
    start = {"type": "message_start", "message": {"role": "assistant", "content": []}}
    record = bodied({"prompt": "hello"}, [start, *events], operation="InvokeModelWithResponseStream")
    row = scan(write("t.jsonl", [record])).row
    assert (row["response"], row["stream"]) == ("indeed", True)


@pytest.mark.parametrize(
    ("more", "output", "status"),
    [
        ({"errorCode": "ThrottlingException"}, None, "rate_limited"),
        ({"errorCode": "ModelErrorException"}, None, "error"),
        ({}, {"stopReason": "guardrail_intervened"}, "blocked"),
        ({}, {"stop_reason": "refusal", "content": []}, "refused"),
        ({}, {"amazon-bedrock-guardrailAction": "INTERVENED"}, "blocked"),
        ({}, [{"messageStop": {"stopReason": "content_filtered"}}], "blocked"),
    ],
)
def test_statuses(scan, write, more, output, status):
    assert scan(write("t.jsonl", [bodied({"prompt": "hello"}, output, **more)])).row["status"] == status


def test_embeddings_are_passed_over(scan, write):
    result = scan(write("t.jsonl", [BEDROCK, {**BEDROCK, "modelId": "amazon.titan-embed-text-v2:0"}]))
    assert len(result.rows) == 1
    assert not result.rejected


def test_bodies_kept_elsewhere_leave_the_text_empty(scan, write):
    record = copy.deepcopy(BEDROCK)
    record["input"] = {"inputBodyS3Path": "s3://bucket/body", "inputTokenCount": 5}
    row = scan(write("t.jsonl", [record])).row
    assert (row["prompt"], row["input_tokens"]) == (None, 5)
