"""Traffic sent over HTTP: what is taken, what is set aside and why, and what each sender is answered."""

import asyncio
import gzip
import json
import sys
import time
import zlib
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from google.protobuf.json_format import ParseDict
from intake_service import NothingDecided, client, cycle, ids, key, ndjson, record, settings, stored
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from stillwatch.serve.access.roles import Role
from stillwatch.serve.app import create_app
from stillwatch.serve.ingest.part import ingest
from stillwatch.serve.spool import used

sys.path.append(str(Path(__file__).parents[2] / "sources"))
from source_examples import LITELLM, log, logs, span, spans

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
GZIP = {"content-encoding": "gzip"}


def test_exchanges_are_taken_and_reach_the_store(tmp_path):
    with client(tmp_path) as http:
        answer = http.post("/v1/exchanges", content=ndjson(*(record(n) for n in range(50))))
        assert (answer.status_code, answer.json()) == (200, {"taken": 50, "set_aside": 0, "first": []})
    assert cycle(tmp_path).drain() == 1
    assert ids(tmp_path) == sorted(f"x{n}" for n in range(50))
    assert {row["prompt_bytes"] for row in stored(tmp_path)} >= {29, 30}


def test_bad_records_are_named_by_line_and_the_good_ones_taken(tmp_path):
    lines = [
        json.dumps(record(1)),
        "{not json",
        json.dumps(record(2, account_id=None)),
        "[1]",
        "",
        json.dumps(record(3, time="yesterday")),
        json.dumps(record(4)),
    ]
    with client(tmp_path) as http:
        answer = http.post("/v1/exchanges", content="\n".join(lines))
    assert answer.status_code == 200
    assert answer.json() == {
        "taken": 2,
        "set_aside": 4,
        "first": [
            {"place": "line 2", "reason": "not JSON"},
            {"place": "line 4", "reason": "JSON, but not an object"},
            {"place": "line 6", "reason": "time not understood", "field": "time"},
            {"place": "line 3", "reason": "no account_id", "field": "account_id"},
        ],
    }
    assert "quixotic" not in answer.text
    judged = cycle(tmp_path).once()
    assert judged.findings.traffic.rejected == 4
    assert ids(tmp_path) == ["x1", "x4"]


def test_a_body_without_any_usable_record_is_a_fault_and_is_counted(tmp_path):
    with client(tmp_path) as http:
        answer = http.post("/v1/exchanges", content=ndjson(record(1, time=None)))
        assert (answer.status_code, answer.json()["taken"]) == (400, 0)
        metrics = http.get("/metrics").text
        assert 'stillwatch_ingest_records_total{format="canonical",outcome="set_aside"} 1.0' in metrics
        assert http.post("/v1/exchanges", content=b"").json() == {"taken": 0, "set_aside": 0, "first": []}


@pytest.mark.parametrize(
    ("body", "taken"),
    [
        (json.dumps([{**LITELLM, "id": f"c{n}"} for n in range(3)]), 3),
        ("\n".join(json.dumps({**LITELLM, "id": f"c{n}"}) for n in range(3)), 3),
        (json.dumps({**LITELLM, "id": "c0"}), 1),
        (json.dumps({**LITELLM, "id": "c0"}, indent=1), 1),
    ],
    ids=["json_array", "ndjson", "single", "single over lines"],
)
def test_what_litellms_generic_logger_sends_is_taken(tmp_path, body, taken):
    with client(tmp_path) as http:
        assert http.post("/v1/litellm", content=body, headers=JSON).json()["taken"] == taken
    cycle(tmp_path).drain()
    rows = stored(tmp_path)
    assert [row["exchange_id"].split("/")[0] for row in rows] == [f"c{n}" for n in range(taken)]
    assert {(row["account_id"], row["access_path"], row["messages"]) for row in rows} == {("u1", "gateway", 5)}


def test_a_broken_array_is_refused_whole(tmp_path):
    with client(tmp_path) as http:
        answer = http.post("/v1/litellm", content=b'[{"id": 1}', headers=JSON)
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request")
        mixed = http.post("/v1/litellm", content=json.dumps([LITELLM, 3, None]), headers=JSON)
        assert [f["place"] for f in mixed.json()["first"]] == ["record 2", "record 3"]


def inference(number: int, **more):
    named = {
        "gen_ai__operation__name": "chat",
        "gen_ai__request__model": "atlas",
        "gen_ai__response__id": f"r{number}",
        "user__id": f"u{number}",
        "gen_ai__input__messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "why?"}]}]),
        **more,
    }
    return span(number, **{name: value for name, value in named.items() if value is not None})


def export(value, media: str, kind=ExportTraceServiceRequest) -> bytes:
    """An export request on the wire, from its JSON encoding."""
    if media == "application/json":
        return json.dumps(value).encode()
    return ParseDict(_base64_ids(value), kind()).SerializeToString()


def _base64_ids(value):
    import base64

    if isinstance(value, dict):
        ids = {n: base64.b64encode(bytes.fromhex(value[n])).decode() for n in ("traceId", "spanId") if n in value}
        return {n: _base64_ids(v) for n, v in value.items()} | ids
    return [_base64_ids(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("media", ["application/x-protobuf", "application/json; charset=utf-8"])
@pytest.mark.parametrize("packed", [False, True])
def test_spans_are_taken_in_both_encodings_and_gzip(tmp_path, media, packed):
    body = export(spans(inference(1), inference(2)), media.split(";")[0])
    headers = {"content-type": media} | ({"content-encoding": "gzip"} if packed else {})
    with client(tmp_path) as http:
        answer = http.post("/v1/traces", content=gzip.compress(body) if packed else body, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media.split(";")[0]
    assert answer.content == (b"{}" if "json" in media else b"")
    cycle(tmp_path).drain()
    assert [(r["exchange_id"], r["account_id"], r["prompt_bytes"]) for r in stored(tmp_path)] == [
        ("r1", "u1", 4), ("r2", "u2", 4),
    ]  # fmt: skip


def test_both_encodings_give_the_same_ids_where_only_the_span_names_the_request(tmp_path):
    body = spans(inference(3, gen_ai__response__id=None))
    for name in ("application/x-protobuf", "application/json"):
        with client(tmp_path) as http:
            assert http.post("/v1/traces", content=export(body, name), headers={"content-type": name}).is_success
    cycle(tmp_path).drain()
    assert ids(tmp_path) == [f"{3:032x}:{3:016x}"]


def test_a_partial_success_tells_how_many_and_why(tmp_path):
    body = spans(inference(1), inference(2, user__id=None), span(3, gen_ai__operation__name="execute_tool"))
    with client(tmp_path) as http:
        answer = http.post("/v1/traces", content=export(body, "application/x-protobuf"), headers=PROTOBUF)
        told = ExportTraceServiceResponse.FromString(answer.content).partial_success
        assert (answer.status_code, told.rejected_spans, told.error_message) == (200, 1, "no account_id: 1")
        answer = http.post("/v1/traces", content=export(body, "application/json"), headers=JSON)
        assert answer.json() == {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "no account_id: 1"}}


def test_log_records_are_taken_where_they_tell_the_whole_request(tmp_path):
    whole = {"user__id": "u1", "gen_ai__request__model": "atlas", "gen_ai__response__id": "r9"}
    body = logs(log("gen_ai.client.inference.operation.details", None, 9, **whole))
    with client(tmp_path) as http:
        answer = http.post(
            "/v1/logs", content=export(body, "application/x-protobuf", ExportLogsServiceRequest), headers=PROTOBUF
        )
        assert ExportLogsServiceResponse.FromString(answer.content).partial_success.rejected_log_records == 0
    cycle(tmp_path).drain()
    assert ids(tmp_path) == ["r9"]


@pytest.mark.parametrize("media", ["application/x-protobuf", "application/json"])
def test_an_empty_export_is_a_success(tmp_path, media):
    with client(tmp_path) as http:
        body = b"" if "protobuf" in media else b"{}"
        for path in ("/v1/traces", "/v1/logs"):
            assert http.post(path, content=body, headers={"content-type": media}).status_code == 200


def test_failures_of_otlp_are_told_as_the_protocol_says(tmp_path):
    with client(tmp_path) as http:
        answer = http.post("/v1/traces", content=b"\xff\xff", headers=PROTOBUF)
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/x-protobuf")
        assert answer.content == b"\x08\x03\x12" + bytes([38]) + b"not an OTLP export request in protobuf"
        answer = http.post("/v1/traces", content=b"[]", headers=JSON)
        assert (answer.status_code, answer.json()) == (400, {"code": 3, "message": "not an OTLP export request"})
        answer = http.post("/v1/traces", content=b"", headers={"content-type": "text/plain"})
        assert answer.status_code == 415


@pytest.mark.parametrize("path", ["/v1/exchanges", "/v1/litellm", "/v1/traces"])
def test_a_zip_bomb_is_refused_before_it_goes_off(tmp_path, path):
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(200)) + packer.flush()
    assert len(bomb) < 1 << 18
    with client(tmp_path, max_inflated=1 << 24) as http:
        for body in (bomb, gzip.compress(b"x") + bomb):
            answer = http.post(path, content=body, headers={**JSON, "content-encoding": "gzip"})
            assert answer.status_code == 413
        assert used(tmp_path / "spool") == 0


@pytest.mark.parametrize(
    ("path", "media", "body"),
    [
        ("/v1/litellm", "application/json", b"[" + b"{}," * 400_000 + b"{}]"),
        ("/v1/traces", "application/json", b'{"resourceSpans":[' + b"[]," * 400_000 + b"[]]}"),
        ("/v1/traces", "application/x-protobuf", b"\x0a\x00" * 400_000),
    ],
)
def test_a_body_that_grows_when_it_is_parsed_is_refused_before_it_is(tmp_path, path, media, body):
    with client(tmp_path, ingest_memory=1 << 24) as http:
        answer = http.post(path, content=gzip.compress(body), headers={"content-type": media, **GZIP})
        assert answer.status_code == 413


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [("gzip", b"not gzip", 400), ("gzip", gzip.compress(b"{}")[:-9], 400), ("br", b"x", 415), ("identity", b"", 200)],
)
def test_an_encoding_that_is_not_what_it_says_is_a_fault(tmp_path, encoding, body, status):
    with client(tmp_path) as http:
        assert http.post("/v1/exchanges", content=body, headers={"content-encoding": encoding}).status_code == status


def test_a_body_beyond_the_limit_is_refused(tmp_path):
    with client(tmp_path, max_body=2000) as http:
        assert http.post("/v1/exchanges", content=ndjson(record(1, prompt="x" * 3000))).status_code == 413
        assert http.post("/v1/exchanges", content=ndjson(record(1))).status_code == 200


def test_a_slow_sender_is_cut_off_and_leaves_nothing(tmp_path):
    of = settings(tmp_path, body_seconds=0.2)
    headers = [(b"authorization", key(of)["authorization"].encode())]
    with TestClient(create_app(of, NothingDecided(), ingest)) as http:
        sent = []
        pieces = iter([{"type": "http.request", "body": ndjson(record(1)), "more_body": True}])

        async def receive():
            piece = next(pieces, None)
            if piece is None:
                await asyncio.sleep(60)
            return piece

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http", "method": "POST", "path": "/v1/exchanges", "raw_path": b"/v1/exchanges", "root_path": "",
            "query_string": b"", "headers": headers, "http_version": "1.1", "scheme": "http",
            "asgi": {"version": "3.0"}, "client": None, "server": None,
        }  # fmt: skip
        began = time.monotonic()
        http.portal.call(http.app, scope, receive, send)
        assert time.monotonic() - began < 10
    assert sent[0]["status"] == 408
    assert used(tmp_path / "spool") == 0


def test_a_full_spool_is_told_with_when_to_come_again_and_nothing_is_lost_silently(tmp_path):
    with client(tmp_path, spool_bytes=1 << 20) as http:
        answers = [http.post("/v1/exchanges", content=ndjson(record(n, prompt="x" * 400_000))) for n in range(4)]
        assert [a.status_code for a in answers] == [200, 200, 429, 429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert answers[-1].json()["error"]["type"] == "busy"
        long = json.dumps([{"role": "user", "content": "y" * 400_000}])
        body = export(spans(inference(1, gen_ai__input__messages=long)), "application/json")
        refused = http.post("/v1/traces", content=body, headers=JSON)
        assert (refused.status_code, refused.json()["code"]) == (429, 8)
        assert int(refused.headers["retry-after"]) >= 1
    cycle(tmp_path).drain()
    assert ids(tmp_path) == ["x0", "x1"]


def test_a_batch_that_is_sent_again_counts_once(tmp_path):
    batch = ndjson(*(record(n) for n in range(20)))
    with client(tmp_path) as http:
        for _ in range(3):
            assert http.post("/v1/exchanges", content=batch).json()["taken"] == 20
    one = cycle(tmp_path)
    judged = one.once()
    assert (judged.findings.traffic.exchanges, judged.findings.traffic.duplicates) == (20, 40)
    with client(tmp_path) as http:
        assert http.post("/v1/exchanges", content=batch).json()["taken"] == 20
    assert one.once().findings.traffic.exchanges == 20
    assert ids(tmp_path) == sorted(f"x{n}" for n in range(20))


def test_nobody_sends_without_a_key_of_the_role(tmp_path):
    of = settings(tmp_path)
    with TestClient(create_app(of, NothingDecided(), ingest)) as http:
        for path in ("/v1/exchanges", "/v1/litellm", "/v1/traces", "/v1/logs", "/v1/access"):
            assert http.post(path, content=ndjson(record(1))).status_code == 401
            assert http.post(path, content=b"", headers={"authorization": "Bearer stillwatch_a_b"}).status_code == 401
            assert http.post(path, content=b"", headers=key(of, Role.DECIDE)).status_code in (401, 403)
    assert used(tmp_path / "spool") == 0


def test_a_key_of_one_tenant_cannot_speak_of_anothers_accounts(tmp_path):
    with client(tmp_path, scope="a1") as http:
        answer = http.post("/v1/exchanges", content=ndjson(record(1), record(2), record(8)))
        assert (answer.json()["taken"], answer.json()["set_aside"]) == (2, 1)
        assert answer.json()["first"][0]["reason"] == "an account that this key may not speak of"
    cycle(tmp_path).drain()
    assert ids(tmp_path) == ["x1", "x8"]


def test_what_is_answered_and_measured_holds_nothing_of_what_was_sent(tmp_path, caplog, capsys):
    secret = "quixotic"
    with client(tmp_path) as http:
        said = http.post("/v1/exchanges", content=ndjson(record(1, time=secret), {secret: secret}, secret)).text
        said += http.post("/v1/litellm", content=f'["{secret}", {{"{secret}": 1}}]', headers=JSON).text
        said += http.post("/v1/traces", content=f'{{"{secret}": 1}}', headers=JSON).text
        said += http.post("/v1/exchanges", content=secret.encode(), headers={"content-encoding": "gzip"}).text
        said += http.get("/metrics").text
    said += caplog.text + "".join(capsys.readouterr())
    assert "the body is not gzip" in said
    assert secret not in said
