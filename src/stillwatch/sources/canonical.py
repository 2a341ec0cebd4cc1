"""Stillwatch's own columns, as Parquet or as JSON lines: what anyone can write who knows their own logs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.sources.lines import FORBIDDEN, DamagedFile, Record
from stillwatch.sources.mapping import Chosen, From
from stillwatch.sources.rejects import Rejects
from stillwatch.tables import EXCHANGES

NAME: Final = "canonical"
MAPPING: Final = tuple(From(column.name, (column.name,), column.meaning) for column in EXCHANGES.columns)

# Text of one batch at most. Arrow's strings hold 2 GiB; 64 MiB keeps a few batches in flight within a laptop's memory.
BATCH_BYTES: Final = 64 << 20

# One column of a batch at most, on average: its memory, which Arrow doubles as it fills, then stays at 4 MiB. Larger
# pieces go back to the system between batches and are cleared anew: prompts of 1.2 KB were read and sketched 5 to 10%
# faster by 3 MiB than by 6. Still smaller batches cost more in what follows, about 2 ms each.
COLUMN_BYTES: Final = 3 << 20

# Read from the file at a time: a row group's column may be any size, and would be read whole before its first row.
READ_BYTES: Final = 1 << 20

LONG_TEXT: Final = frozenset({"system_prompt", "prompt", "response"})

DAMAGED: Final = "damaged or truncated Parquet file"


def recognises(value: dict[str, Any]) -> bool:
    """Whether a JSON object names our columns: an exchange_id, and a time or an account."""
    return "exchange_id" in value and bool(value.keys() & {"time", "account_id", "prompt", "response", "model"})


def rows(records: Iterable[Record], chosen: Chosen, rejects: Rejects) -> Iterator[Record]:  # noqa: ARG001
    """The records as they are."""
    yield from records


def parquet_schema(path: Path) -> pa.Schema:
    """The Arrow schema of a Parquet file; raises DamagedFile with a fixed sentence where it has none."""
    try:
        with pq.ParquetFile(path) as file:
            return file.schema_arrow
    except PermissionError as failure:
        raise DamagedFile(FORBIDDEN) from failure
    except (pa.ArrowException, OSError, ValueError, MemoryError) as failure:
        raise DamagedFile(DAMAGED) from failure


def parquet_batches(
    path: Path, names: Sequence[str], batch_rows: int, groups: tuple[int, int] | None = None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Number of the first row (from 0) and a batch of the named columns, none larger than BATCH_BYTES but single rows.

    groups: the first and last row group to read, if not all. Raises DamagedFile where the file breaks off; the batches
    before that stand.
    """
    row = 0
    try:
        with pq.ParquetFile(path, read_dictionary=_repeated(path, names), buffer_size=READ_BYTES) as file:
            present = [name for name in dict.fromkeys(names) if name in file.schema_arrow.names]
            size = _batch_rows(file.metadata, present, batch_rows)
            wanted = range(groups[0], groups[1] + 1) if groups else None
            row = sum(file.metadata.row_group(g).num_rows for g in range(groups[0])) if groups else 0
            for batch in file.iter_batches(batch_size=size, row_groups=wanted, columns=present, use_threads=False):
                for part in _parts(batch):
                    yield row, part
                    row += part.num_rows
    except (pa.ArrowException, OSError, ValueError, MemoryError) as failure:
        raise DamagedFile(DAMAGED) from failure


def _batch_rows(metadata: pq.FileMetaData, names: Sequence[str], batch_rows: int) -> int:
    """Fewer rows at a time where they are fat: by the fattest row group's mean, uncompressed."""
    size = float(batch_rows)
    for g in range(metadata.num_row_groups):
        group = metadata.row_group(g)
        sizes: dict[str, int] = {}
        for c in range(group.num_columns):
            chunk = group.column(c)
            name = chunk.path_in_schema.split(".")[0]
            sizes[name] = sizes.get(name, 0) + chunk.total_uncompressed_size
        if group.num_rows <= 0:
            continue
        for most, fat in ((COLUMN_BYTES, max), (BATCH_BYTES, sum)):
            size = min(size, most * group.num_rows / max(1, fat([sizes.get(name, 0) for name in names])))
    return max(1, int(size))


def _repeated(path: Path, names: Sequence[str]) -> list[str]:
    """Text columns that the file keeps as a dictionary, to be read as one: a long prompt repeated a thousand times is
    small in the file, and unpacking a batch of it would take a thousand times its size.

    Columns of mostly different texts (more than 256 bytes a value as encoded) are read plainly, which is twice as fast.
    """
    metadata = pq.read_metadata(path)
    found: dict[str, bool] = {}
    for g in range(metadata.num_row_groups):
        for c in range(metadata.num_columns):
            chunk = metadata.row_group(g).column(c)
            if chunk.path_in_schema in LONG_TEXT and chunk.path_in_schema in names:
                small = chunk.has_dictionary_page and chunk.total_uncompressed_size <= 256 * max(chunk.num_values, 1)
                found[chunk.path_in_schema] = found.get(chunk.path_in_schema, True) and small
    return [name for name, small in found.items() if small]


def _bytes(batch: pa.RecordBatch) -> int:
    """What the batch will take once its dictionaries are unpacked."""
    size = 0
    for column in batch.columns:
        if pa.types.is_dictionary(column.type) and column.type.value_type in (pa.string(), pa.large_string()):
            lengths = pc.binary_length(column.dictionary).cast(pa.int64())
            size += pc.sum(lengths.take(column.indices)).as_py() or 0
        else:
            size += column.nbytes
    return size


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    if batch.num_rows <= 1 or _bytes(batch) <= BATCH_BYTES:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _parts(batch.slice(0, half))
    yield from _parts(batch.slice(half))


def together(rows: Iterable[Record], batch_rows: int) -> Iterator[list[Record]]:
    """Rows in lists of at most `batch_rows`, fewer where they hold much text."""
    part: list[Record] = []
    held = 0
    for row in rows:
        part.append(row)
        held += _text_bytes(row.value)
        if len(part) >= batch_rows or held >= BATCH_BYTES:
            yield part
            part, held = [], 0
    if part:
        yield part


def _text_bytes(row: dict[str, Any]) -> int:
    """About how much text a row holds: other scripts than Latin take up to three bytes a character, mostly."""
    held = 0
    for value in row.values():
        if isinstance(value, str):
            held += len(value) if value.isascii() else 3 * len(value)
        elif isinstance(value, list):
            held += 40 * len(value)
    return held
