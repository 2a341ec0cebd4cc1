"""What a frame of the spool holds: exchanges, or what was told about them apart, as an Arrow stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson
import pyarrow as pa

from stillwatch.sources.join import JOINED
from stillwatch.tables import Column, Table

# Only the id is required here: time, account or address may be on their way.
SPOOLED = Table(
    "spooled",
    "What waits in the spool: an exchange, or what another log told about it.",
    (
        *JOINED.columns,
        Column("request_ids", pa.list_(pa.string()), "what other logs may call the request, the best name first"),
    ),
)
_META = b"stillwatch"


@dataclass(frozen=True, slots=True)
class Payload:
    """Rows of `SPOOLED` (or of fewer of its columns), the name of the format that they came in, whether they are about
    exchanges that others tell of, and what was set aside on the way, by reason."""

    rows: pa.RecordBatch
    format: str
    about: bool = False
    rejected: Mapping[str, int] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """As bytes; columns without any value are left out."""
        rows = self.rows
        present = [name for name in rows.schema.names if rows.column(name).null_count < rows.num_rows]
        meta = orjson.dumps({"format": self.format, "about": self.about, "rejected": dict(self.rejected)})
        rows = rows.select(present).replace_schema_metadata({_META: meta})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as stream:
            stream.write_batch(rows)
        return bytes(sink.getvalue())

    @staticmethod
    def decoded(data: bytes) -> Payload:
        """What `encoded` made, with the columns that it has; raises ValueError where it did not make it."""
        try:
            with pa.ipc.open_stream(pa.py_buffer(data)) as stream:
                rows = stream.read_next_batch()
            meta = orjson.loads(rows.schema.metadata[_META])
            return Payload(rows.replace_schema_metadata(None), meta["format"], meta["about"], meta["rejected"])
        except (pa.ArrowException, OSError, StopIteration, KeyError, TypeError, ValueError) as error:
            raise ValueError("no frame of a spool") from error

    def spooled(self) -> pa.RecordBatch:
        """The rows with all columns of `SPOOLED`; those that this frame has none of are null."""
        rows, size = self.rows, self.rows.num_rows
        columns = [
            rows.column(c.name) if c.name in rows.schema.names else pa.nulls(size, c.type) for c in SPOOLED.columns
        ]
        return pa.RecordBatch.from_arrays(columns, schema=SPOOLED.schema)
