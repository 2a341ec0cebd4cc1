"""Bodies of requests as rows for the spool: one function a format, from bytes to a payload, without any effects.

None of them raises for anything in the bytes but `Unusable`, where the body as a whole is not of the format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import pyarrow.compute as pc

from stillwatch.serve.ingest.told import Told
from stillwatch.serve.spool.payload import SPOOLED, Payload
from stillwatch.sources import FORMATS, canonical, conform, join, lines, times
from stillwatch.sources.conform import Faults
from stillwatch.sources.lines import Record
from stillwatch.sources.mapping import Chosen
from stillwatch.tables import EXCHANGES

# Of an access log; it has no mapping of its own, since its columns are named as ours are.
ABOUT: Final = "access"


class Unusable(ValueError):
    """The body as a whole cannot be read; the message is a fixed sentence."""


def canonical_lines(body: bytes, told: Told, joining: bool) -> Payload:
    """Our own columns, one JSON object a line.

    joining: whether time and account may come from elsewhere.
    """
    return taken(canonical.NAME, _lines(body, told), Chosen(), told, joining)


def _lines(body: bytes, told: Told) -> Iterator[Record]:
    for number, line in enumerate(body.split(b"\n"), 1):
        if line and not line.isspace():
            yield from _record(f"line {number}", line.removeprefix(lines.BYTE_ORDER_MARK), told)


def _record(place: str, text: bytes, told: Told) -> Iterator[Record]:
    try:
        value, _ = lines.parse(text)
    except ValueError:
        told.add(place, "not JSON")
        return
    if isinstance(value, dict):
        yield Record(place, value)
    else:
        told.add(place, "JSON, but not an object")


def litellm(body: bytes, told: Told, joining: bool) -> Payload:
    """What LiteLLM's generic logger sends: an array of payloads, one a line, or a single one.

    Raises Unusable where the body begins as an array and is none.
    """
    if body.lstrip()[:1] == b"[":
        try:
            values, _ = lines.parse(body)
        except ValueError as error:
            raise Unusable("not a JSON array, one JSON object a line, or one JSON object") from error
        return taken("litellm", _items(values, told), Chosen(), told, joining)
    try:
        value, _ = lines.parse(body)  # one payload, over however many lines
    except ValueError:
        return taken("litellm", _lines(body, told), Chosen(), told, joining)
    return taken("litellm", _items([value], told), Chosen(), told, joining)


def _items(values: list[Any], told: Told) -> Iterator[Record]:
    for number, value in enumerate(values, 1):
        if isinstance(value, dict):
            yield Record(f"record {number}", value)
        else:
            told.add(f"record {number}", "JSON, but not an object")


def otlp(value: Any, told: Told, joining: bool) -> Payload:
    """An OTLP export of spans or logs, as its JSON encoding has it. Raises Unusable where it is not one object.

    Log records whose span is in another request tell about that request where `joining`, and are set aside where not.
    """
    if not isinstance(value, dict):
        raise Unusable("not an OTLP export request")
    if "resourceSpans" not in value and "resourceLogs" not in value:
        value = {**value, "resourceSpans": []}  # an empty export is one, and is answered so
    logs_alone = joining and not value.get("resourceSpans")
    payload = taken("otel", [Record("export", value)], Chosen(), told, joining)
    return Payload(payload.rows, payload.format, logs_alone, payload.rejected)


def about(body: bytes, told: Told) -> Payload:
    """What an access log tells of requests: a request id, and any of our columns, one JSON object a line."""
    payload = taken(ABOUT, join.renamed(_lines(body, told)), Chosen(), told, True)
    return Payload(payload.rows, ABOUT, True, payload.rejected)


def taken(name: str, records: Iterable[Record], chosen: Chosen, told: Told, joining: bool) -> Payload:
    """Records of a format as a payload; what is unusable is set aside."""
    if name != ABOUT:
        records = FORMATS[name].rows(records, chosen, told)
    found = list(records)
    if joining:
        found = [Record(place, {**row, "request_ids": _request_ids(name, row)}) for place, row in found]
    table = SPOOLED if joining else EXCHANGES
    faults = Faults(told, lambda index: found[index].place)
    columns = conform.from_rows([row for _, row in found], table, times.TRAFFIC, faults)
    return Payload(conform.settle(columns, table, len(found), faults), name, rejected=told.by_reason)


def _request_ids(name: str, row: dict[str, Any]) -> list[str] | None:
    """What other logs may call the request of a row, the best name first."""
    exchange_id = row.get("exchange_id")
    if not isinstance(exchange_id, str | int) or isinstance(exchange_id, bool):
        return None
    alternatives: Callable[[str], tuple[str, ...]] = getattr(FORMATS.get(name), "request_ids", lambda i: (i,))
    names = [*alternatives(str(exchange_id)), row.get("request_key")]
    return list(dict.fromkeys(n for n in names if isinstance(n, str) and n))


def within(payload: Payload, scope: str, told: Told) -> Payload:
    """The rows whose accounts begin with `scope`; the others, and those whose account is not known, are set aside."""
    if not scope or not payload.rows.num_rows:
        return payload
    fits = pc.fill_null(pc.starts_with(payload.rows.column("account_id"), scope), False)
    outside = payload.rows.num_rows - (pc.sum(fits).as_py() or 0)
    if not outside:
        return payload
    for _ in range(outside):
        told.add("batch", "an account that this key may not speak of", "account_id")
    return Payload(payload.rows.filter(fits), payload.format, payload.about, told.by_reason)
