"""The spool as traffic of a scan: its sealed segments as files, their frames as batches of exchanges."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa

from stillwatch.serve.spool.key import Key
from stillwatch.serve.spool.payload import SPOOLED, Payload
from stillwatch.serve.spool.segment import Segment, sealed
from stillwatch.serve.spool.waiting import Looked, look
from stillwatch.sources import Inputs, Rejects, TrafficFile, conform
from stillwatch.sources.canonical import BATCH_BYTES
from stillwatch.sources.conform import Faults
from stillwatch.tables import EXCHANGES

FORMAT = "spool"
DAMAGED = "a part of the spool that is not as it was written"


class Drain:
    """The segments of a spool that may be drained now, as a scan's feed."""

    def __init__(
        self,
        folder: Path,
        key: Key,
        *,
        join_seconds: float = 0.0,
        drained: Collection[bytes] = (),
        only: Collection[bytes] | None = None,
        batch_rows: int = 16_384,
        accounts: Path | None = None,
        account_events: Path | None = None,
        models: Path | None = None,
    ) -> None:
        """join_seconds: how long exchanges wait for what is told about them; 0 where nothing ever is. drained: ids of
        segments whose exchanges are in the store, and which are still there for what they tell about others. only: ids
        of segments beside which there are none for this drain."""
        self._key = key
        self._batch_rows = batch_rows
        self._beside = accounts, account_events, models
        self.there = [segment for segment in sealed(folder) if only is None or segment.id in only]
        self._looked: Looked | None = look(self.there, key, join_seconds) if join_seconds else None
        ready = self._looked.ready if self._looked else self.there
        self.segments = [segment for segment in ready if segment.id not in drained]

    def spent(self, drained: Collection[bytes]) -> list[Segment]:
        """Of the segments that are drained those that nothing needs any more."""
        needed = self._looked.needed if self._looked else frozenset()
        return [segment for segment in self.there if segment.id in drained and segment.id not in needed]

    def inputs(self, rejects: Rejects) -> Inputs:  # noqa: ARG002
        """The segments as files of traffic."""
        accounts, events, models = self._beside
        files = [as_file(segment) for segment in self.segments]
        return Inputs(files, accounts=accounts, account_events=events, models=models)

    def batches(self, inputs: Inputs, rejects: Rejects) -> Iterator[pa.RecordBatch]:
        """Their exchanges, a segment after the other."""
        for file in inputs.traffic:
            segment = Segment.at(file.path)
            for batch in self._together(segment, rejects) if segment is not None else ():
                yield from self._settled(batch, rejects)

    def _together(self, segment: Segment, rejects: Rejects) -> Iterator[pa.RecordBatch]:
        """The rows of a segment in batches of a size worth enriching."""
        held: list[pa.RecordBatch] = []
        rows = size = 0
        for frame in segment.frames(self._key):
            if frame is None:
                rejects.add(segment.path.name, DAMAGED)
                continue
            payload = Payload.decoded(frame)
            for reason, times in payload.rejected.items():
                rejects.count += times
                rejects.by_reason[reason] = rejects.by_reason.get(reason, 0) + times
            if payload.about or not payload.rows.num_rows:
                continue
            held.append(payload.spooled())
            rows, size = rows + payload.rows.num_rows, size + len(frame)
            if rows >= self._batch_rows or size >= BATCH_BYTES:
                yield _one(held)
                held, rows, size = [], 0, 0
        if held:
            yield _one(held)

    def _settled(self, batch: pa.RecordBatch, rejects: Rejects) -> Iterator[pa.RecordBatch]:
        if self._looked is not None:
            batch = self._looked.about.fill(batch)
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        settled = conform.settle(columns, EXCHANGES, batch.num_rows, Faults(rejects, lambda _: "spool"))
        if settled.num_rows:
            yield settled


def as_file(segment: Segment) -> TrafficFile:
    """A segment as a file of traffic."""
    return TrafficFile(segment.path, FORMAT)


def _one(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(batches, schema=SPOOLED.schema).combine_chunks().to_batches()[0]
