"""Single exchanges read a second time, without the rest of the traffic, where files let one go to a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

TEXTS = ("system_prompt", "prompt")
# Rows read at a time: 10 MB of texts of some 5 KB.
READ_ROWS = 2_048


def rows_of(path: Path) -> int | None:
    """How many rows a Parquet file has, where its texts are plain text; None where it has to be read as at first."""
    try:
        with pq.ParquetFile(path) as file:
            kinds = [file.schema_arrow.field(name).type for name in TEXTS if name in file.schema_arrow.names]
            plain = all(pa.types.is_string(kind) or pa.types.is_large_string(kind) for kind in kinds)
            return int(file.metadata.num_rows) if plain else None
    except (pa.ArrowException, OSError):
        return None  # the reader will say what is wrong, and where


def picked(paths: Sequence[Path], numbers: npt.NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    """The texts of exchanges by their numbers, which count the rows of all files from 0 on and ascend."""
    before = 0
    for path in paths:
        metadata = pq.read_metadata(path)
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            low, high = np.searchsorted(numbers, [before, before + rows])
            if high > low:
                yield from _of_group(path, metadata, group, numbers[low:high] - before)
            before += rows


def _of_group(
    path: Path, metadata: pq.FileMetaData, group: int, wanted: npt.NDArray[np.int64]
) -> Iterator[pa.RecordBatch]:
    chunks = [metadata.row_group(group).column(c) for c in range(metadata.num_columns)]
    columns = [name for name in TEXTS if any(chunk.path_in_schema == name for chunk in chunks)]
    # As in `sources.canonical`: what the file keeps as a dictionary may be a thousand times as large unpacked.
    coded = [
        chunk.path_in_schema
        for chunk in chunks
        if chunk.has_dictionary_page and chunk.total_uncompressed_size <= 256 * max(chunk.num_values, 1)
    ]
    with pq.ParquetFile(path, read_dictionary=[name for name in coded if name in columns]) as file:
        first = 0
        for rows in file.iter_batches(READ_ROWS, row_groups=[group], columns=columns):
            low, high = np.searchsorted(wanted, [first, first + rows.num_rows])
            if high > low:
                yield _texts(rows.take(pa.array(wanted[low:high] - first)))
            first += rows.num_rows


def _texts(rows: pa.RecordBatch) -> pa.RecordBatch:
    size = rows.num_rows
    made = [
        rows.column(name).cast(pa.string()) if name in rows.schema.names else pa.nulls(size, pa.string())
        for name in TEXTS
    ]
    return pa.RecordBatch.from_arrays(made, names=list(TEXTS))
