"""OTLP/HTTP on the wire: requests and answers in protobuf and in JSON.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import base64
from typing import Any, Final, Literal

import orjson
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from stillwatch.serve.ingest.records import Unusable
from stillwatch.sources import lines

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"

Signal = Literal["spans", "log_records"]
# google.rpc.Code by HTTP status, as the protocol's table has them; anything else is UNKNOWN.
_CODES: Final = {400: 3, 413: 3, 415: 3, 401: 16, 403: 7, 429: 8, 503: 14}


def request(body: bytes, media: str, signal: Signal) -> Any:
    """An export request as its JSON encoding has it; raises Unusable where it is not one."""
    if media == JSON:
        try:
            return lines.parse(body)[0]
        except ValueError as error:
            raise Unusable("not JSON") from error
    message: Message = ExportTraceServiceRequest() if signal == "spans" else ExportLogsServiceRequest()
    try:
        message.ParseFromString(body)
        value: dict[str, Any] = MessageToDict(message)
    except (DecodeError, UnicodeError, RecursionError, ValueError) as error:
        raise Unusable("not an OTLP export request in protobuf") from error
    for leaf in _leaves(value, signal):
        for name in ("traceId", "spanId"):
            if name in leaf:  # OTLP's JSON writes ids in hexadecimal, protobuf's own in base64
                leaf[name] = base64.b64decode(leaf[name]).hex()
    return value


def _leaves(value: dict[str, Any], signal: Signal) -> list[dict[str, Any]]:
    names = (
        ("resourceSpans", "scopeSpans", "spans") if signal == "spans" else ("resourceLogs", "scopeLogs", "logRecords")
    )
    found = [value]
    for name in names:
        found = [inner for outer in found for inner in outer.get(name, ())]
    return found


def answer(media: str, signal: Signal, rejected: int, sentence: str) -> bytes:
    """A success, partial where something was rejected or there is something to say."""
    told: dict[str, Any] = {}
    if media == JSON:
        if rejected or sentence:
            count = "rejectedSpans" if signal == "spans" else "rejectedLogRecords"
            told = {"partialSuccess": {count: str(rejected), "errorMessage": sentence}}
        return orjson.dumps(told)
    response = ExportTraceServiceResponse() if signal == "spans" else ExportLogsServiceResponse()
    if rejected or sentence:
        setattr(response.partial_success, f"rejected_{signal}", rejected)
        response.partial_success.error_message = sentence
    return bytes(response.SerializeToString())


def failure(media: str, status: int, sentence: str) -> bytes:
    """A google.rpc.Status: its code (field 1) and message (field 2)."""
    code = _CODES.get(status, 2)
    if media == JSON:
        return orjson.dumps({"code": code, "message": sentence})
    text = sentence.encode()[:127]  # a length under 128 is one byte
    return bytes((8, code, 18, len(text))) + text
