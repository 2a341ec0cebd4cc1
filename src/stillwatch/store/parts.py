"""Tables as Parquet parts: written once, whole and on disk before any manifest names them."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.store.manifest import SCHEMAS, Part
from stillwatch.tables import ENRICHED

# Enriched exchanges held before they are split by day and written, about 200 MB: a day's share is then a row group of
# a size worth reading, unless the traffic mixes very many days.
HELD = 262_144
# Exchanges a part, as in a scan without a store: some 200 MB of Parquet.
PART_ROWS = 1_000_000
# Columns whose values are mostly different: a dictionary of them would be as long as the column, and making it took
# three quarters of the time of writing.
MANY = frozenset(
    {
        "exchange_no", "exchange_id", "time_us", "conversation_id", "prompt_hash", "system_prompt_passages",
        "prompt_passages", "history", "history_before", "opening", "history_first", "history_second",
    }
)  # fmt: skip
# Days whose parts are open at once, each a file handle (systems commonly allow a process 1,024).
OPEN = 128


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def enriched_writer(path: Path) -> pq.ParquetWriter:
    """A writer of enriched exchanges."""
    few = [name for name in ENRICHED.names if name not in MANY]
    return pq.ParquetWriter(path, ENRICHED.schema, compression="zstd", compression_level=1, use_dictionary=few)


def _finished(folder: Path, name: str, rows: int, day: int | None) -> Part:
    """Bring a written file to the disk and describe it."""
    with (folder / name).open("rb") as file:
        os.fsync(file.fileno())
    return Part(name=name, digest=digest(folder / name), rows=rows, day=day)


def write_table(folder: Path, table: str, rows: pa.Table) -> Part:
    """Write a small table of a store as one part."""
    name = f"{table}/{secrets.token_hex(8)}.parquet"
    pq.write_table(rows.cast(SCHEMAS[table]), folder / name, compression="zstd")
    return _finished(folder, name, rows.num_rows, None)


class _Open:
    """A part of one day that is being written."""

    def __init__(self, folder: Path, day: int) -> None:
        self.name = f"exchanges/{day}-{secrets.token_hex(8)}.parquet"
        self.day = day
        self.rows = 0
        self.writer = enriched_writer(folder / self.name)


class DayParts:
    """Enriched exchanges as parts of a day each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: list[pa.RecordBatch] = []
        self._rows = 0
        self._open: OrderedDict[int, _Open] = OrderedDict()
        self._done: list[Part] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch of any days."""
        self._held.append(batch)
        self._rows += batch.num_rows
        if self._rows >= HELD:
            self._split()

    def finish(self) -> list[Part]:
        """Close what is open and give all parts since the last time."""
        self._split()
        while self._open:
            self._close(next(iter(self._open)))
        done, self._done = self._done, []
        return done

    def abandon(self) -> None:
        """Close what is open without describing it: no manifest will name it, and the next writer removes it."""
        for part in self._open.values():
            with suppress(OSError, pa.ArrowException):  # a full disk was told when it was met
                part.writer.close()
        self._open.clear()
        self._held = []

    def _split(self) -> None:
        if not self._held:
            return
        table = pa.Table.from_batches(self._held)
        self._held, self._rows = [], 0
        days = table["day"].to_numpy()
        if days.min() != days.max():
            order = np.argsort(days, kind="stable")
            table, days = table.take(pa.array(order)), days[order]
        starts = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
        for start, end in zip(starts, [*starts[1:], len(days)], strict=True):
            self._append(int(days[start]), table.slice(start, end - start))

    def _append(self, day: int, rows: pa.Table) -> None:
        if day not in self._open:
            if len(self._open) >= OPEN:
                self._close(next(iter(self._open)))
            self._open[day] = _Open(self._folder, day)
        self._open.move_to_end(day)
        part = self._open[day]
        part.writer.write_table(rows)
        part.rows += rows.num_rows
        if part.rows >= PART_ROWS:
            self._close(day)

    def _close(self, day: int) -> None:
        part = self._open.pop(day)
        part.writer.close()
        self._done.append(_finished(self._folder, part.name, part.rows, day))
