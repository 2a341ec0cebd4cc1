"""OTLP as JSON lines, as the OpenTelemetry Collector's file exporter writes it: spans and log records, flattened.

Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding and the Collector's file exporter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from stillwatch.sources.lines import Record
from stillwatch.sources.rejects import Rejects

# Attribute values nest; message lists take four levels. Beyond this a value is dropped rather than the stack spent.
DEEPEST = 16


@dataclass(slots=True)
class Event:
    """A span's event, or a log record: its name, time, attributes and body."""

    name: str
    time: Any
    attributes: dict[str, Any]
    body: Any = None


@dataclass(slots=True)
class Signal:
    """One span, or one log record as a signal with a single event and no span."""

    place: str
    trace_id: str
    span_id: str
    attributes: dict[str, Any]
    start: Any = None
    failed: bool = False
    is_span: bool = False
    events: list[Event] = field(default_factory=list)

    @property
    def key(self) -> str | None:
        """What joins log records to their span; None where there is nothing to join by."""
        return f"{self.trace_id}:{self.span_id}" if self.trace_id and self.span_id else None


def signals(records: Iterable[Record], rejects: Rejects) -> Iterator[Signal]:
    """The spans and log records of each line, in order; a line without any is rejected, metrics are passed over."""
    for place, value in records:
        spans, logs = value.get("resourceSpans"), value.get("resourceLogs")
        if spans is None and logs is None:
            if "resourceMetrics" in value:
                rejects.remark("OTLP metrics were passed over", place)
            else:
                rejects.add(place, "not OTLP: neither resourceSpans nor resourceLogs")
            continue
        for number, (resource, item) in enumerate(_leaves(spans, "scopeSpans", "spans"), 1):
            yield _span(f"{place} span {number}", resource, item)
        for number, (resource, item) in enumerate(_leaves(logs, "scopeLogs", "logRecords"), 1):
            yield _log(f"{place} log {number}", resource, item)


def _leaves(resources: Any, scopes: str, leaves: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for resource in _dicts(resources):
        inner = resource.get("resource")
        shared = attributes(inner.get("attributes")) if isinstance(inner, dict) else {}
        for scope in _dicts(resource.get(scopes)):
            for leaf in _dicts(scope.get(leaves)):
                yield shared, leaf


def _dicts(values: Any) -> Iterator[dict[str, Any]]:
    if isinstance(values, list):
        yield from (v for v in values if isinstance(v, dict))


def _span(place: str, resource: dict[str, Any], item: dict[str, Any]) -> Signal:
    status = item.get("status")
    code = status.get("code") if isinstance(status, dict) else None
    events = [
        Event(str(e.get("name") or ""), e.get("timeUnixNano"), attributes(e.get("attributes")))
        for e in _dicts(item.get("events"))
    ]
    return Signal(
        place,
        _id(item.get("traceId")),
        _id(item.get("spanId")),
        {**resource, **attributes(item.get("attributes"))},
        start=item.get("startTimeUnixNano"),
        failed=code in (2, "2", "STATUS_CODE_ERROR"),
        is_span=True,
        events=events,
    )


def _log(place: str, resource: dict[str, Any], item: dict[str, Any]) -> Signal:
    own = attributes(item.get("attributes"))
    name = item.get("eventName") or own.get("event.name") or ""
    # A time of 0 means unknown in OTLP; then the time of observation stands for it.
    time = next(
        (t for t in (item.get("timeUnixNano"), item.get("observedTimeUnixNano")) if t not in (None, 0, "0")), None
    )
    event = Event(str(name), time, own, plain(item.get("body")))
    return Signal(place, _id(item.get("traceId")), _id(item.get("spanId")), {**resource, **own}, time, events=[event])


def _id(value: Any) -> str:
    return value if isinstance(value, str) and value.strip("0") else ""


def attributes(values: Any) -> dict[str, Any]:
    """A list of keys and typed values as a dict."""
    return {str(a["key"]): plain(a.get("value")) for a in _dicts(values) if isinstance(a.get("key"), str)}


def plain(value: Any, depth: int = 0) -> Any:
    """A typed OTLP value as a plain one: intValue comes as text, lists and maps nest."""
    if not isinstance(value, dict) or depth > DEEPEST:
        return None
    for kind in ("stringValue", "boolValue", "doubleValue", "bytesValue"):
        if kind in value:
            return value[kind]
    if "intValue" in value:
        number = value["intValue"]
        return (
            int(number) if isinstance(number, str) and number.lstrip("-").isdecimal() and len(number) < 20 else number
        )
    if isinstance(value.get("arrayValue"), dict):
        return [plain(v, depth + 1) for v in _dicts(value["arrayValue"].get("values"))]
    if isinstance(value.get("kvlistValue"), dict):
        pairs = _dicts(value["kvlistValue"].get("values"))
        return {str(p.get("key")): plain(p.get("value"), depth + 1) for p in pairs}
    return None


def indexed(found: dict[str, Any], prefix: str) -> list[dict[str, Any]]:
    """Flattened lists back as lists: `prefix.0.role`, `prefix.0.content`, … as [{"role": …, "content": …}, …]."""
    items: dict[int, dict[str, Any]] = {}
    start = prefix + "."
    for name, value in found.items():
        if name.startswith(start):
            number, _, rest = name[len(start) :].partition(".")
            if number.isdecimal() and len(number) < 7:
                items.setdefault(int(number), {})[rest] = value
    return [items[i] for i in sorted(items)]
