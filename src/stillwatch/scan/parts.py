"""Enriched exchanges on their way to the disk."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.store.parts import enriched_writer

# Enriched exchanges a Parquet part: about 200 MB, which keeps both the number of parts and each one's memory small.
PART_ROWS = 1_000_000
# Exchanges a row group: DuckDB reads groups of 122,880 rows and more in parallel at its full rate.
GROUP_ROWS = 131_072


class Parts:
    """Enriched batches as Parquet parts, in reading order, written by a thread of their own beside the reading."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None
        self._held: list[pa.RecordBatch] = []
        self._rows = 0
        self._writer: pq.ParquetWriter | None = None
        self._in_part = 0
        self._parts = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch; it is on its way when this returns."""
        self._held.append(batch)
        self._rows += batch.num_rows
        if self._rows >= GROUP_ROWS:
            self._hand_over()

    def _hand_over(self) -> None:
        """Give what is held to the thread, once it has written what it was given before."""
        self._wait()
        if self._held:
            self._writing = self._thread.submit(self._write, pa.Table.from_batches(self._held))
            self._held, self._rows = [], 0

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _write(self, rows: pa.Table) -> None:
        if self._writer is None or self._in_part >= PART_ROWS:
            self._finish()
            self._writer = enriched_writer(self._folder / f"part-{self._parts:05}.parquet")
            self._parts += 1
            self._in_part = 0
        self._writer.write_table(rows)
        self._in_part += rows.num_rows

    def _finish(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def close(self) -> None:
        """Bring the rest to the disk."""
        try:
            self._hand_over()
            self._wait()
        finally:
            self._thread.shutdown()
            self._finish()
