"""What other logs told about exchanges: found by request id, and filled into what the exchanges leave empty.

A request's content and its address often come by two ways, a span and an access log. Both rest in the spool until they
have met or the window is over.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.serve.spool.key import Key
from stillwatch.serve.spool.payload import SPOOLED, Payload
from stillwatch.serve.spool.segment import Segment

# What an exchange waits for: without time and account it is none, and the address is what traces leave out.
AWAITED = ("time", "account_id", "ip")


class About:
    """All that the segments of a spool tell about exchanges apart from them."""

    def __init__(self, rows: Sequence[pa.RecordBatch]) -> None:
        told = pa.Table.from_batches(rows, schema=SPOOLED.schema)
        # One row a name that the request may have there; of several rows for it, the first to have a column gives it.
        listed = pc.coalesce(told["request_ids"].combine_chunks(), _alone(told["exchange_id"].combine_chunks()))
        self._names = listed.flatten()
        told = told.take(pc.list_parent_indices(listed))
        self._columns = {
            name: told[name].combine_chunks()
            for name in SPOOLED.names
            if name not in ("exchange_id", "request_ids") and told[name].null_count < told.num_rows
        }

    def fill(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch of `SPOOLED` with its nulls filled; what the exchanges say themselves stands."""
        if not self._columns:
            return batch
        listed = pc.coalesce(batch.column("request_ids"), _alone(batch.column("exchange_id")))
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        for name, values in self._columns.items():
            has = pc.is_valid(values)
            place = pc.index_in(listed.flatten(), value_set=self._names.filter(has))
            best = _first_of_each(listed, place)
            columns[name] = pc.coalesce(columns[name], values.filter(has).take(best))
        return pa.RecordBatch.from_arrays(list(columns.values()), schema=batch.schema)


def _alone(ids: pa.Array) -> pa.Array:
    """Each id as a list of itself."""
    return pa.ListArray.from_arrays(pa.array(range(len(ids) + 1), pa.int32()), ids)


def _first_of_each(listed: pa.Array, place: pa.Array) -> pa.Array:
    """Of the places of each row's names the first that there is; null where there is none."""
    parents = pc.list_parent_indices(listed).cast(pa.int64())
    known = pc.is_valid(place)
    parents, place = parents.filter(known), place.filter(known)
    rows = pa.array(range(len(listed)), pa.int64())
    return place.take(pc.index_in(rows, value_set=parents))


@dataclass(frozen=True, slots=True)
class Looked:
    """Segments that need wait no longer, oldest first; what is told about exchanges; and those of the segments that
    must stay, drained or not, for exchanges that are still to come."""

    ready: list[Segment]
    about: About
    needed: frozenset[bytes]


def look(segments: Sequence[Segment], key: Key, seconds: float) -> Looked:
    """Which segments may be drained: those whose exchanges have all that they await, or were begun `seconds` ago.

    An exchange may come so long after what is told about it, and then wait as long: twice that, and it is not needed.
    """
    told: list[pa.RecordBatch] = []
    needed: set[bytes] = set()
    for segment in segments:
        found = [payload.spooled() for payload in payloads(segment, key) if payload.about]
        told.extend(found)
        if found and _age(segment) < 2 * seconds:
            needed.add(segment.id)
    about = About(told)
    ready = [s for s in segments if _age(s) >= seconds or _complete(payloads(s, key), about)]
    return Looked(ready, about, frozenset(needed))


def _age(segment: Segment) -> float:
    return time.time() - segment.begun_us / 1e6


def payloads(segment: Segment, key: Key) -> Iterable[Payload]:
    """The payloads of a segment that are as they were written."""
    return (Payload.decoded(frame) for frame in segment.frames(key) if frame is not None)


def _complete(found: Iterable[Payload], about: About) -> bool:
    """Whether all exchanges have what they await."""
    exchanges = (about.fill(payload.spooled()) for payload in found if not payload.about)
    return not any(rows.column(name).null_count for rows in exchanges for name in AWAITED)
