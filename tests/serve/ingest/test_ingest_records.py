"""Parsers of bytes that anyone may send: what is not of the format is set aside or refused, and that is all."""

import gzip
import json
import sys
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from intake_service import record

from stillwatch.serve.ingest import otlp_wire, records
from stillwatch.serve.ingest.intake import TooLarge, Unreadable, inflated
from stillwatch.serve.ingest.told import LISTED, Told
from stillwatch.serve.spool import Payload
from stillwatch.tables import EXCHANGES

sys.path.append(str(Path(__file__).parents[2] / "sources"))
from source_examples import EXAMPLES, LITELLM

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(EXCHANGES.names)
RECORDS = st.dictionaries(NAMES, JSON | st.sampled_from(["2026-02-02T02:40:00Z", "ok", 1770000000]), max_size=6)


def written(values: list) -> bytes:
    return "\n".join(json.dumps(v) for v in values).encode("utf-8", "surrogatepass")


def damaged(whole: bytes, draw) -> bytes:
    """A whole body with some bytes changed, cut out or put in."""
    body = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 20))] = draw(st.binary(max_size=8))
    return bytes(body)


def takes(parse, body: bytes) -> Payload | None:
    """What a parser makes of bytes; a refusal is the one error that there may be."""
    told = Told()
    try:
        payload = parse(body, told)
    except records.Unusable:
        return None
    assert len(told.first) == min(LISTED, told.count)
    again = Payload.decoded(payload.encoded())
    assert again.rows.num_rows == payload.rows.num_rows
    assert again.spooled().num_rows == payload.rows.num_rows
    return payload


PARSERS = {
    "canonical": lambda body, told: records.canonical_lines(body, told, False),
    "canonical joining": lambda body, told: records.canonical_lines(body, told, True),
    "litellm": lambda body, told: records.litellm(body, told, False),
    "litellm joining": lambda body, told: records.litellm(body, told, True),
    "access": records.about,
    "spans": lambda body, told: records.otlp(otlp_wire.request(body, otlp_wire.PROTOBUF, "spans"), told, False),
    "logs": lambda body, told: records.otlp(otlp_wire.request(body, otlp_wire.PROTOBUF, "log_records"), told, True),
    "spans in JSON": lambda body, told: records.otlp(otlp_wire.request(body, otlp_wire.JSON, "spans"), told, True),
}


@pytest.mark.parametrize("parse", PARSERS.values(), ids=PARSERS)
@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.lists(JSON | RECORDS, max_size=5).map(written))
@example(b"")
@example(b"[" * 200_000)
@example(b'{"a":' * 200_000)
@example(b'{"exchange_id":"a","time":1e999,"account_id":"\\ud800"}')
@example(b'{"exchange_id":1' + b"0" * 5000 + b',"time":1,"account_id":2}')
@example(b'\xef\xbb\xbf{"exchange_id":"a\xff","time":1770000000,"account_id":"b"}')
def test_whatever_bytes_come_nothing_else_than_a_refusal_is_raised(parse, body):
    payload = takes(parse, body)
    # No record is made of nothing: each begins with a byte of its own.
    assert payload is None or payload.rows.num_rows <= len(body)
    assert payload is None or payload.rows.schema.names[: len(EXCHANGES.names)] == EXCHANGES.names


def damaged_export(name: str, draw) -> bytes:
    examples = EXAMPLES["otel"]
    if name == "spans in JSON":
        return damaged(json.dumps(examples[0]).encode(), draw)
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    plain = json.loads(json.dumps(examples[0]).replace('"traceId"', '"x"').replace('"spanId"', '"y"'))
    return damaged(ParseDict(plain, ExportTraceServiceRequest(), ignore_unknown_fields=True).SerializeToString(), draw)


@pytest.mark.parametrize("name", ["spans", "spans in JSON"])
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_export_is_refused_or_taken_in_part(name, data):
    spans = sum(len(s["spans"]) for r in EXAMPLES["otel"][0]["resourceSpans"] for s in r["scopeSpans"])
    payload = takes(PARSERS[name], damaged_export(name, data.draw))
    # Damage of at most four places cuts no span into more than two.
    assert payload is None or payload.rows.num_rows <= spans + 4


@pytest.mark.parametrize("name", ["canonical", "litellm"])
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_line_costs_no_other_line(name, data):
    examples = EXAMPLES[name]
    whole = takes(PARSERS[name], written(examples)).rows.column("exchange_id").to_pylist()
    body = damaged(written(examples), data.draw) + b"\n" + written(examples)
    payload = takes(PARSERS[name], body)
    if body.lstrip()[:1] == b"[":  # an array of LiteLLM's, by its first byte, and damaged as a whole
        assert name == "canonical" or payload is None
        return
    taken = payload.rows.column("exchange_id").to_pylist()
    assert taken[-len(whole) :] == whole


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 400))
def test_whatever_bytes_come_as_gzip_they_are_bounded(body, most):
    with suppress(TooLarge, Unreadable):
        assert len(inflated(body, most)) <= most


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4), st.integers(0, 250))
def test_what_was_packed_in_one_member_or_several_comes_out_or_is_too_large(parts, most):
    packed, whole = b"".join(map(gzip.compress, parts)), b"".join(parts)
    if len(whole) <= most:
        assert inflated(packed, most) == whole
    else:
        with pytest.raises(TooLarge):
            inflated(packed, most)


def test_nothing_of_a_record_stands_in_what_is_told():
    told = Told()
    secret = "quixotic zephyr"
    body = written([{**LITELLM, "startTime": secret}, {**LITELLM, "id": {secret: secret}}, secret, [secret]])
    records.litellm(body, told, True)
    records.canonical_lines(written([record(1, time=secret, status=secret)]), told, False)
    assert told.count >= 4
    assert secret not in json.dumps([told.first, told.by_reason, told.sentence, told.warnings])


def test_rows_survive_the_spool_as_they_are():
    told = Told()
    payload = records.canonical_lines(written([record(1, tools=["a", "b"], n=3), record(2)]), told, False)
    again = Payload.decoded(Payload(payload.rows, "canonical", False, {"no time": 2}).encoded())
    assert again.rejected == {"no time": 2}
    columns = [again.spooled().column(name) for name in EXCHANGES.names]
    assert pa.RecordBatch.from_arrays(columns, names=EXCHANGES.names).to_pylist() == payload.rows.to_pylist()
